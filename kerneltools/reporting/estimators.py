"""Reports on estimators: the content of the page of `kerneltools.report`."""

import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from kerneltools.arrays import evenly, namespace
from kerneltools.backend import to_host
from kerneltools.estimators import KernelClassifier, KernelRidge, NystromFeatures
from kerneltools.estimators.base import shortened
from kerneltools.estimators.checks import as_examples, host
from kerneltools.learning import kernel_pca
from kerneltools.maps import nystrom
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.reporting.charts import Chart, Series
from kerneltools.reporting.intervals import wilson
from kerneltools.reporting.page import Facts, Figure, Matrix, Paragraph, Report, Section, Table
from kerneltools.structures.base import count, is_collection, like_of, take

ROWS = 2000
"""Rows that the learning curve uses."""

DRAWN = 400
"""Rows that are drawn with the landmarks."""

PAIRS = 300
"""Rows whose kernel values of all pairs are compared."""

SIZES = 6
"""Numbers of landmarks on the learning curve: the most, half of it, a quarter, ..."""

LONG = re.compile(r"\d+\.\d{5,}(?:e[+-]?\d+)?")
"""Text of numbers with more digits than are useful."""

FEATURES = "Each point is a map on some of the landmarks, the last one on all of them."
MISSED = " Of each row x they miss a share of k(x, x): at 0 % the map is exact, and at 100 % nothing of x is seen."
SEEN = " Rows that the fit has seen are right more often than new ones."

WORST = 10
MOST_CLASSES = 30
COLOURS = 5
"""Groups of rows that are told apart by colour; the landmarks have one more."""


@dataclass(frozen=True)
class _Size:
    """The results for a number of landmarks: the share of k(x, x) missed, the error on rows held out, the seconds."""

    m: int
    missed: float
    error: float
    seconds: float


def report(estimator: Any, X: Any, y: Any = None, *, rng: Rng = 0, progress: Progress = silent) -> Report:
    """A page on a fitted estimator, measured on rows X, best on rows that it has not seen.

    (n, d), (n,) or (n, t) targets or (n,) labels -> Report

    `estimator`: a `KernelRidge`, a `KernelClassifier` or a `NystromFeatures`, which takes no y; X may be a list of
    strings, graphs or series if the kernel is for these. Or a pipeline that ends in one of them: the page is on its
    last step, and X goes through the steps before. The page shows the error on X, the rows with the greatest errors,
    the learning curve over the number of landmarks (fits on three quarters of at most 2,000 of these rows, with the
    kernel and the λ of the estimator and some of its landmarks, drawn with `rng`, measured on the last quarter), error
    against certificate, the landmarks in the first two kernel principal components, the λ and kernels that were tried,
    settings and versions. A notebook displays it; `save("report.html")` writes it. Needs the extra `report`.

    Raises TypeError for other estimators and a missing y, ValueError for an estimator that is not fitted, for fewer
    than 8 rows and for rows that its `predict` refuses.

    >>> import numpy as np, kerneltools
    >>> from kerneltools.estimators import KernelRidge
    >>> x = np.linspace(0, 6, 100)[:, None]
    >>> model = KernelRidge(landmarks=10).fit(x[::2], np.sin(x[::2, 0]))
    >>> page = kerneltools.report(model, x[1::2], np.sin(x[1::2, 0]))
    >>> [section.title for section in page.sections][:3]
    ['Error', 'Landmarks', 'λ']
    """
    known = (KernelRidge, KernelClassifier, NystromFeatures)
    before: list[Any] = []
    if isinstance(estimator, Pipeline):
        *before, estimator = (step for _, step in estimator.steps if step != "passthrough")
    if not isinstance(estimator, known):
        names = ", ".join(one.__name__ for one in known)
        raise TypeError(
            f"estimator: expected a fitted {names}, or a pipeline that ends in one, got {shortened(estimator)}"
        )
    check_is_fitted(estimator)
    for step in before:
        X = step.transform(X)
    of_features = isinstance(estimator, NystromFeatures)
    if y is None and not of_features:
        raise TypeError(f"y: expected the targets of X, to measure {type(estimator).__name__} on, got None")
    rows = as_examples(estimator, X, fitted=estimator.landmarks_)
    n = count(rows)
    if n < 8:
        raise ValueError(f"X: expected at least 8 rows to measure on, got {n}")
    targets = None if of_features else np.asarray(host(y))
    if targets is not None and len(targets) != n:
        raise ValueError(f"y: expected one for each of {n} rows of X, got {len(targets)}")
    measured = _of_features if of_features else _of_labels if isinstance(estimator, KernelClassifier) else _of_numbers
    began = perf_counter()
    figures, section, errors = measured(estimator, X, rows, targets)
    seconds = perf_counter() - began
    sizes = _sizes(estimator, rows, targets, errors, rng, progress)
    m = count(estimator.landmarks_)
    sections = [
        section,
        Section("Landmarks", [*_curves(sizes, errors, of_features), *_components(estimator, rows, targets, rng)]),
        *_reg(estimator),
        *_search(estimator),
        _settings(estimator, seconds, n),
        _versions(rows),
    ]
    title = f"Report on a {type(estimator).__name__}"
    after = " after " + ", ".join(type(step).__name__ for step in before) if before else ""
    figures = [*figures, Figure("Landmarks", f"{m:,}", f"they miss {sizes[-1].missed:.2%} of k(x, x)")]
    return Report(title, f"{_said(estimator.kernel_)}; measured on {n:,} rows{after}", sections, figures)


@dataclass(frozen=True)
class _Errors:
    """The error that is measured: its name, whether it is a share, and the function of an estimator, X and y."""

    name: str
    percent: bool
    of: Callable[[Any, Any, Any], float]


def _of_numbers(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, _Errors]:
    predicted = np.asarray(host(estimator.predict(X)), dtype=np.float64)
    true = targets.astype(np.float64)
    missed = (predicted - true).reshape(len(true), -1)
    error, spread = float((missed**2).mean() ** 0.5), float(true.std())
    score = estimator.score(X, targets)
    figures = [
        Figure("R²", f"{score:.4f}", "share of the variance that is explained"),
        Figure("Error", f"{error:.4g}", f"root mean square; y has the standard deviation {spread:.4g}"),
    ]
    worst = np.argsort(-np.abs(missed).max(axis=1), kind="stable")[:WORST].tolist()
    shares = _shares(estimator, take(rows, worst))
    told = [
        (str(i), _number(true[i]), _number(predicted[i]), f"{np.abs(missed[i]).max():.4g}", f"{share:.2%}")
        for i, share in zip(worst, shares, strict=True)
    ]
    table = Table(
        "The rows that are most wrong",
        ("row", "true", "predicted", "error", "of k(x, x) missed"),
        told,
        (0, 1, 2, 3, 4),
    )
    text = f"R² is {score:.4f} on these {len(true):,} rows; the root mean square error is {error:.4g}.{SEEN}"
    blocks: list[Any] = [Paragraph(text)]
    if missed.shape[1] == 1:
        some = list(evenly(len(true), DRAWN))
        blocks.append(_predictions(true.reshape(-1)[some], predicted.reshape(-1)[some]))

    def root(fitted: Any, x: Any, wanted: Any) -> float:
        return float(((host(fitted.predict(x)) - wanted) ** 2).mean() ** 0.5)

    return figures, Section("Error", [*blocks, table]), _Errors("root mean square error", False, root)


def _predictions(true: Any, predicted: Any) -> Chart:
    ends = [float(true.min()), float(true.max())]
    series = [Series("rows", true.tolist(), predicted.tolist(), joined=False), Series("exact", ends, ends, dashed=True)]
    return Chart(
        "Predicted against true",
        f"The predictions of {len(true)} rows against their targets",
        series,
        "true",
        "predicted",
        table=False,
    )


def _of_labels(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, _Errors]:
    classes, n = [str(one) for one in np.asarray(estimator.classes_).tolist()], len(targets)
    predicted = np.asarray(host(estimator.predict(X)))
    right = int((predicted == targets).sum())
    figures = [Figure("Accuracy", f"{right / n:.2%}", f"{right} of {n}; 95 % interval {wilson(right, n)}")]
    interval = f"with a 95 % interval (Wilson) of {wilson(right, n)}."
    text = f"{right} of {n} rows are in their class: {right / n:.2%}, {interval}{SEEN}"
    blocks: list[Any] = [Paragraph(text)]
    place = {name: i for i, name in enumerate(np.asarray(estimator.classes_).tolist())}
    known = [i for i, label in enumerate(targets.tolist()) if label in place]
    if len(known) < n:
        blocks.append(Paragraph(f"{n - len(known)} rows are of classes that the fit did not see, and cannot be right."))
    if len(classes) <= MOST_CLASSES:
        counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
        np.add.at(counts, ([place[targets[i]] for i in known], [place[predicted[i]] for i in known]), 1)
        blocks.append(
            Matrix("Confusion matrix: true classes in rows, predicted ones in columns", classes, counts.tolist())
        )
    chances = np.asarray(host(estimator.predict_proba(X)), dtype=np.float64)
    own = np.asarray([chances[i, place[targets[i]]] for i in known])
    order = np.argsort(own, kind="stable")[:WORST].tolist()
    worst = [known[i] for i in order]
    shares = _shares(estimator, take(rows, worst))
    told = [
        (str(i), str(targets[i]), str(predicted[i]), f"{chances[i, place[targets[i]]]:.3f}", f"{share:.2%}")
        for i, share in zip(worst, shares, strict=True)
    ]
    columns = ("row", "true", "predicted", "probability of the true class", "of k(x, x) missed")
    blocks.append(Table("The rows whose true class is least probable", columns, told, (0, 3, 4)))

    def wrong(fitted: Any, x: Any, wanted: Any) -> float:
        return float((np.asarray(host(fitted.predict(x))) != wanted).mean())

    return figures, Section("Error", blocks), _Errors("share of wrong classes", True, wrong)


def _of_features(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, _Errors]:
    some = take(rows, list(evenly(count(rows), PAIRS)))

    def relative(fitted: Any, x: Any, wanted: Any) -> float:
        values, features = (np.asarray(to_host(a), dtype=np.float64) for a in (fitted.kernel(some, some), fitted(some)))
        return float(np.linalg.norm(values - features @ features.T) / np.linalg.norm(values))

    error = relative(estimator.map_, None, None)
    text = (
        f"Of the kernel values of all pairs of {count(some)} rows, φ(x)·φ(y) misses {error:.2%} in the Frobenius norm. "
        "The certificate, known without any pair, is the share of k(x, x) that the map misses."
    )
    shares = _shares(estimator, rows)
    told = [
        (f"{q:.0%}", f"{value:.2%}")
        for q, value in zip((0.1, 0.5, 0.9, 1.0), np.quantile(shares, (0.1, 0.5, 0.9, 1.0)), strict=True)
    ]
    table = Table("What is missed of k(x, x)", ("of the rows", "miss at most"), told, (0, 1))
    found = [Figure("Error", f"{error:.2%}", "of kernel values, in the Frobenius norm")]
    return found, Section("Error", [Paragraph(text), table]), _Errors("error of kernel values", True, relative)


def _sizes(estimator: Any, rows: Any, targets: Any, errors: _Errors, rng: Rng, progress: Progress) -> list[_Size]:
    """The results from few landmarks to all."""
    draws = generator(rng)
    points = estimator.landmarks_
    order, m = draws.permutation(count(points)).tolist(), count(points)
    numbers = sorted({max(1, m >> step) for step in range(SIZES)})
    some = sorted(draws.permutation(count(rows))[:ROWS].tolist())
    learnt, left = _parts(some, targets)
    found = []
    for done, size in enumerate(numbers):
        progress("landmarks", done, len(numbers))
        chosen = take(points, order[:size] if size < m else list(range(m)))
        phi = nystrom(estimator.kernel_, chosen)
        missed = float(phi.relative_error(take(rows, some)))
        began = perf_counter()
        if targets is None:
            fitted: Any = phi
        else:
            fitted = clone(estimator).set_params(kernel=estimator.kernel_, landmarks=chosen, reg=estimator.reg_)
            fitted.fit(take(rows, learnt), targets[learnt])
        seconds = perf_counter() - began
        error = errors.of(fitted, take(rows, left), None if targets is None else targets[left])
        found.append(_Size(size, missed, error, seconds))
    progress("landmarks", len(numbers), len(numbers))
    return found


def _parts(some: list[int], targets: Any) -> tuple[list[int], list[int]]:
    """Three quarters of the rows, and the last quarter, with the same share of each label."""
    if targets is not None and targets.dtype.kind not in "fc":
        some = [some[i] for i in np.argsort(targets[some].reshape(len(some), -1)[:, 0], kind="stable").tolist()]
    left = some[3::4]
    return [i for i in some if i not in set(left)], left


def _curves(sizes: Sequence[_Size], errors: _Errors, of_features: bool) -> list[Any]:
    m, missed, error = ([getattr(one, name) for one in sizes] for name in ("m", "missed", "error"))
    said = "{:.2%}".format if errors.percent else "{:.4g}".format
    rows = [(f"{one.m:,}", f"{one.missed:.2%}", said(one.error), f"{one.seconds:.3f}") for one in sizes]
    head = ("landmarks", "of k(x, x) missed", errors.name, "seconds to fit")
    alt = f"The {errors.name} for {m[0]} to {m[-1]} landmarks, from {said(error[0])} to {said(error[-1])}"
    of_m = Chart(
        "Learning curve",
        alt,
        [Series(errors.name, m, error)],
        "landmarks m",
        errors.name,
        log_x=True,
        percent=errors.percent,
        table=False,
    )
    alt = f"The {errors.name} against what the landmarks miss, from {missed[0]:.1%} to {missed[-1]:.1%} of k(x, x)"
    series = [Series(errors.name, [100 * share for share in missed], error)]
    against = Chart(
        "Error against certificate",
        alt,
        series,
        "of k(x, x) missed, %",
        errors.name,
        log_x=min(missed) > 1e-6,
        percent=errors.percent,
        table=False,
    )
    text = (
        "Each point is a fit on three quarters of these rows, of at most 2,000, with the kernel and the λ of the "
        "estimator and some of its landmarks; its error is that on the last quarter."
    )
    return [
        Paragraph((FEATURES if of_features else text) + MISSED),
        of_m,
        against,
        Table("The same in numbers", head, rows, (0, 1, 2, 3)),
    ]


def _components(estimator: Any, rows: Any, targets: Any, rng: Rng) -> list[Any]:
    """Landmarks and rows along the first two kernel principal components of the map."""
    points, n = estimator.landmarks_, count(rows)
    phi = nystrom(estimator.kernel_, points)
    if phi.dimension < 2:
        return [Paragraph("There is one landmark, and so no second component to draw along.")]
    found = kernel_pca(phi, rows, 2)
    shares = [float(share) for share in to_host(found.shares).tolist()]
    if len(shares) < 2:
        return [Paragraph("The rows vary in one direction only: there is no second component to draw along.")]
    some, of_classes = list(evenly(n, DRAWN)), isinstance(estimator, KernelClassifier)
    at, places = (np.asarray(to_host(found(x)), dtype=np.float64) for x in (take(rows, some), points))
    groups = [("rows", np.ones(len(some), dtype=bool))] if targets is None else _groups(targets[some], of_classes)
    series = [Series(name, at[of, 0].tolist(), at[of, 1].tolist(), joined=False) for name, of in groups if of.any()]
    series.append(Series("landmarks", places[:, 0].tolist(), places[:, 1].tolist(), joined=False, ring=True))
    alt = f"{len(places)} landmarks as rings among {len(some)} rows, along the first two kernel principal components"
    across, up = (f"component {i + 1}, {share:.0%} of the variance" for i, share in enumerate(shares))
    return [Chart("Landmarks in the first two kernel principal components", alt, series, across, up, table=False)]


def _groups(targets: Any, of_classes: bool) -> list[tuple[str, Any]]:
    """Rows by their label if there are few labels, by the most frequent classes, or by thirds of numbers."""
    if targets.ndim > 1 and targets.shape[1] > 1:
        return [("rows", np.ones(len(targets), dtype=bool))]
    flat = targets.reshape(-1)
    labels, counts = np.unique(flat, return_counts=True)
    if len(labels) <= COLOURS:
        return [(str(label), flat == label) for label in labels.tolist()]
    if of_classes:
        most = labels[np.sort(np.argsort(-counts, kind="stable")[: COLOURS - 1])]
        return [*((str(label), flat == label) for label in most.tolist()), ("others", ~np.isin(flat, most))]
    low, high = np.quantile(flat, (1 / 3, 2 / 3))
    return [("y low", flat <= low), ("y middle", (flat > low) & (flat <= high)), ("y high", flat > high)]


def _reg(estimator: Any) -> list[Section]:
    """The λ that were tried, and the one that was taken."""
    if isinstance(estimator, NystromFeatures):
        return []
    of_classes = isinstance(estimator, KernelClassifier)
    regs: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    if getattr(estimator, "solver", None) is None:
        regs = tuple(estimator.regs_ if of_classes else estimator._regs())
        errors = tuple(np.asarray(estimator.errors_, dtype=np.float64).tolist())
    facts = Facts({"λ": f"{estimator.reg_:.4g}"})
    if len(errors) < 2 or len(errors) != len(regs):
        return [Section("λ", [facts, Paragraph("No other λ was tried.")])]
    name = "loss on rows left out" if of_classes else "generalised cross-validation"
    alt = f"The {name} for {len(regs)} values of λ, the least at {estimator.reg_:.3g}"
    chart = Chart(
        "λ path",
        alt,
        [Series(name, regs, errors)],
        "λ",
        name,
        log_x=True,
        log_y=not of_classes,
        marked=(float(estimator.reg_), "taken"),
    )
    ends = [Paragraph("λ is at an end of the values that were tried; a better one may lie beyond.")]
    return [Section("λ", [facts, *(ends if estimator.reg_ in (min(regs), max(regs)) else []), chart])]


def _search(estimator: Any) -> list[Section]:
    """The kernels that were tried, if none was given."""
    tried = getattr(estimator, "search_", None)
    if tried is None:
        return []
    rows = []
    for kernel, errors in zip(tried.kernels, tried.errors, strict=True):
        best = min(range(len(errors)), key=errors.__getitem__)
        taken = "yes" if kernel is tried.kernel else "no"
        rows.append((_said(kernel), f"{errors[best]:.4g}", f"{tried.regs[best]:.1e}", taken))
    text = f"Kernels and λ were tried by ridge regression on {tried.share:.0%} of the rows of the fit."
    table = Table("What was searched", ("kernel", "least error", "at λ", "taken"), rows, (1, 2))
    return [Section("Search", [Paragraph(text), table])]


def _settings(estimator: Any, seconds: float, n: int) -> Section:
    given = {name: _said(value) for name, value in estimator.get_params(deep=False).items()}
    found = {"kernel_": _said(estimator.kernel_), "landmarks_": _said(estimator.landmarks_)}
    time = {"time to measure": f"{seconds:.3f} s for {n:,} rows"}
    return Section("Settings", [Paragraph("As given:"), Facts(given), Paragraph("As fitted:"), Facts(found | time)])


def _said(value: Any) -> str:
    """The text of a value: arrays by their size, numbers to five digits."""
    shape: Any = getattr(value, "shape", None)
    if shape and not is_collection(value):
        return f"an array of shape {tuple(shape)}, {value.dtype}"
    return str(getattr(value, "__name__", None) or LONG.sub(lambda found: f"{float(found[0]):.5g}", shortened(value)))


def _versions(rows: Any) -> Section:
    found = {"Python": platform.python_version()}
    found |= {package: version(package) for package in ("kerneltools", "numpy", "scikit-learn")}
    library = namespace(like_of(rows)).__name__.removeprefix("array_api_compat.").partition(".")[0]
    return Section("Versions", [Facts(found | {"arrays of": library})])


def _shares(estimator: Any, rows: Any) -> Any:
    """The share of k(x, x) that the landmarks miss, for each row: (n, d) -> (n,)"""
    phi = nystrom(estimator.kernel_, estimator.landmarks_)
    missed, whole = (np.asarray(to_host(a), dtype=np.float64) for a in (phi.residual(rows), phi.kernel.diag(rows)))
    return np.clip(missed / np.where(whole > 0, whole, 1.0), 0.0, 1.0)


def _number(value: Any) -> str:
    return ", ".join(f"{one:.4g}" for one in np.atleast_1d(value)[:4].tolist())

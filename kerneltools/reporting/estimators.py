"""Reports on estimators: the content of the page of `kerneltools.report`."""

import platform
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from kerneltools.estimators import KernelClassifier, KernelRidge, NystromFeatures
from kerneltools.estimators.checks import as_examples, host
from kerneltools.estimators.showing import library_of, said, shortened
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.reporting.charts import Chart, Series
from kerneltools.reporting.errors import of_features, of_labels, of_numbers
from kerneltools.reporting.landmarks import components, curves, sizes_of
from kerneltools.reporting.page import Facts, Figure, Paragraph, Report, Section, Table
from kerneltools.structures.base import count, like_of


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
    of_map = isinstance(estimator, NystromFeatures)
    if y is None and not of_map:
        raise TypeError(f"y: expected the targets of X, to measure {type(estimator).__name__} on, got None")
    rows = as_examples(estimator, X, fitted=estimator.landmarks_)
    n = count(rows)
    if n < 8:
        raise ValueError(f"X: expected at least 8 rows to measure on, got {n}")
    targets = None if of_map else np.asarray(host(y))
    if targets is not None and len(targets) != n:
        raise ValueError(f"y: expected one for each of {n} rows of X, got {len(targets)}")
    measured = of_features if of_map else of_labels if isinstance(estimator, KernelClassifier) else of_numbers
    began = perf_counter()
    figures, section, errors = measured(estimator, X, rows, targets)
    seconds = perf_counter() - began
    sizes = sizes_of(estimator, rows, targets, errors, rng, progress)
    m = count(estimator.landmarks_)
    sections = [
        section,
        Section("Landmarks", [*curves(sizes, errors, of_map), *components(estimator, rows, targets, rng)]),
        *_reg(estimator),
        *_search(estimator),
        _settings(estimator, seconds, n),
        _versions(rows),
    ]
    title = f"Report on a {type(estimator).__name__}"
    after = " after " + ", ".join(type(step).__name__ for step in before) if before else ""
    figures = [*figures, Figure("Landmarks", f"{m:,}", f"they miss {sizes[-1].missed:.2%} of k(x, x)")]
    return Report(title, f"{said(estimator.kernel_)}; measured on {n:,} rows{after}", sections, figures)


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
        rows.append((said(kernel), f"{errors[best]:.4g}", f"{tried.regs[best]:.1e}", taken))
    text = f"Kernels and λ were tried by ridge regression on {tried.share:.0%} of the rows of the fit."
    table = Table("What was searched", ("kernel", "least error", "at λ", "taken"), rows, (1, 2))
    return [Section("Search", [Paragraph(text), table])]


def _settings(estimator: Any, seconds: float, n: int) -> Section:
    given = {name: said(value) for name, value in estimator.get_params(deep=False).items()}
    found = {"kernel_": said(estimator.kernel_), "landmarks_": said(estimator.landmarks_)}
    time = {"time to measure": f"{seconds:.3f} s for {n:,} rows"}
    return Section("Settings", [Paragraph("As given:"), Facts(given), Paragraph("As fitted:"), Facts(found | time)])


def _versions(rows: Any) -> Section:
    found = {"Python": platform.python_version()}
    found |= {package: version(package) for package in ("kerneltools", "numpy", "scikit-learn")}
    return Section("Versions", [Facts(found | {"arrays of": library_of(like_of(rows))})])

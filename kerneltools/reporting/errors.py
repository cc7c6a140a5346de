"""What a page says of the errors of an estimator on some rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import evenly
from kerneltools.backend import to_host
from kerneltools.estimators.checks import host
from kerneltools.maps import nystrom
from kerneltools.reporting.charts import predicted_against_true
from kerneltools.reporting.intervals import wilson
from kerneltools.reporting.page import Figure, Matrix, Paragraph, Section, Table
from kerneltools.structures.base import count, take

PAIRS = 300
"""Rows whose kernel values of all pairs are compared."""


SEEN = " Rows that the fit has seen are right more often than new ones."


WORST = 10


MOST_CLASSES = 30


DRAWN = 400
"""Rows that are drawn with the landmarks."""


@dataclass(frozen=True)
class Errors:
    """The error that is measured: its name, whether it is a share, and the function of an estimator, X and y."""

    name: str
    percent: bool
    of: Callable[[Any, Any, Any], float]


def of_numbers(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, Errors]:
    """Of a regression: what counts, the section, and what is called error."""
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
        blocks.append(predicted_against_true(true.reshape(-1)[some], predicted.reshape(-1)[some]))

    def root(fitted: Any, x: Any, wanted: Any) -> float:
        return float(((host(fitted.predict(x)) - wanted) ** 2).mean() ** 0.5)

    return figures, Section("Error", [*blocks, table]), Errors("root mean square error", False, root)


def of_labels(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, Errors]:
    """Of a classifier: the same."""
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

    return figures, Section("Error", blocks), Errors("share of wrong classes", True, wrong)


def of_features(estimator: Any, X: Any, rows: Any, targets: Any) -> tuple[list[Figure], Section, Errors]:
    """Of a map: the same."""
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
    return found, Section("Error", [Paragraph(text), table]), Errors("error of kernel values", True, relative)


def _shares(estimator: Any, rows: Any) -> Any:
    """The share of k(x, x) that the landmarks miss, for each row: (n, d) -> (n,)"""
    phi = nystrom(estimator.kernel_, estimator.landmarks_)
    missed, whole = (np.asarray(to_host(a), dtype=np.float64) for a in (phi.residual(rows), phi.kernel.diag(rows)))
    return np.clip(missed / np.where(whole > 0, whole, 1.0), 0.0, 1.0)


def _number(value: Any) -> str:
    return ", ".join(f"{one:.4g}" for one in np.atleast_1d(value)[:4].tolist())

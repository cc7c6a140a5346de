"""What a page says of landmarks: how the error falls with their number, and where they lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from kerneltools.arrays import evenly
from kerneltools.backend import to_host
from kerneltools.estimators import KernelClassifier
from kerneltools.learning import kernel_pca
from kerneltools.maps import nystrom
from kerneltools.progress import Progress
from kerneltools.random import Rng, generator
from kerneltools.reporting.charts import Chart, Series
from kerneltools.reporting.errors import DRAWN, Errors
from kerneltools.reporting.page import Paragraph, Table
from kerneltools.structures.base import count, take

ROWS = 2000
"""Rows that the learning curve uses."""

SIZES = 6
"""Numbers of landmarks on the learning curve: the most, half of it, a quarter, ..."""

FEATURES = "Each point is a map on some of the landmarks, the last one on all of them."
MISSED = " Of each row x they miss a share of k(x, x): at 0 % the map is exact, and at 100 % nothing of x is seen."

COLOURS = 5
"""Groups of rows that are told apart by colour; the landmarks have one more."""


@dataclass(frozen=True)
class Size:
    """The results for a number of landmarks: the share of k(x, x) missed, the error on rows held out, the seconds."""

    m: int
    missed: float
    error: float
    seconds: float


def sizes_of(estimator: Any, rows: Any, targets: Any, errors: Errors, rng: Rng, progress: Progress) -> list[Size]:
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
        found.append(Size(size, missed, error, seconds))
    progress("landmarks", len(numbers), len(numbers))
    return found


def curves(sizes: Sequence[Size], errors: Errors, of_features: bool) -> list[Any]:
    """The learning curve, and error against certificate."""
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


def components(estimator: Any, rows: Any, targets: Any, rng: Rng) -> list[Any]:
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


def _parts(some: list[int], targets: Any) -> tuple[list[int], list[int]]:
    """Three quarters of the rows, and the last quarter, with the same share of each label."""
    if targets is not None and targets.dtype.kind not in "fc":
        some = [some[i] for i in np.argsort(targets[some].reshape(len(some), -1)[:, 0], kind="stable").tolist()]
    left = some[3::4]
    return [i for i in some if i not in set(left)], left


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

"""K-means on the unit sphere."""

from dataclasses import dataclass
from math import inf

from kerneltools.arrays import Array, namespace, require_stopping
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.kernels.base import row_norms
from kerneltools.landmarks.base import Host, Landmarks, check_vectors, drawn, seen, warn_reduced
from kerneltools.landmarks.clusters import (
    SMALL,
    Assignment,
    Cloud,
    assigned,
    exact_where_tight,
    fits,
    refilled,
    totals,
    unit_cloud,
    zeros_of,
)
from kerneltools.precision import in_single
from kerneltools.primitives import program
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.structures import take

STEPS = (8, 3)
"""Every eighth row is used first, then every third, so that no period of the rows hides from both."""

ENOUGH = 32
"""Rows for each centre; with fewer, some of the rows say too little about all."""

BEYOND = 0.75
"""How far beyond the mean direction the next round begins, relative to the last move: below 1, so that rounds settle.

Measured on 100,000 patches of images: half as many rounds as without.
"""


@dataclass(frozen=True)
class SphericalKMeans:
    """K-means on the sphere: unit vectors that maximise the mean cosine between each row and its nearest one.

    It uses no kernel values: this is the rule for kernels of directions, such as `Homogeneous`. There are `m` clusters
    and at most `iterations` rounds, until the objective gains a relative amount less than `tolerance`. A round begins a
    little beyond the mean directions of the previous one, if that gains. If there are many rows, an eighth of them goes
    through as many rounds first, then a third. Rows of zeros have no direction and are skipped. A cluster that becomes
    empty takes the worst-served row (Mairal 2016, §2.3, initialises CKNs so). `block` rows are processed at a time:
    memory beyond x is O(block m).

    A row of weight w counts like w equal rows. Raises ValueError if all rows are zero, for m < 1, for x with NaN, and
    for weights that are negative, not finite or all 0; warns (ReducedWarning) if fewer than m directions differ.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Homogeneous
    >>> from kerneltools.kernels.profiles import Exponential
    >>> z = SphericalKMeans(10)(Homogeneous(Exponential(0.6)), x, rng=0).points
    >>> np.linalg.norm(z, axis=1).round(6).tolist() == [1.0] * 10
    True
    """

    m: int
    iterations: int = 100
    tolerance: float = 1e-4
    block: int = 8192

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d), unit rows"""
        check_vectors(x, self.m, type(self).__name__)
        require_stopping(self.tolerance, self.iterations)
        part, draws = seen(x, weights), generator(rng)
        directions, kept = _directions(part.x)
        of_kept = None if part.weights is None else part.weights[kept]
        data = unit_cloud(directions, None if of_kept is None else of_kept / of_kept.mean())
        centres = self._fit(data, take(directions, drawn(directions, of_kept, self.m, draws)), progress)
        warn_reduced(self.m, centres.shape[0], "distinct directions", part.x.shape[0])
        return Landmarks(centres)

    def _fit(self, data: Cloud, centres: Array, progress: Progress) -> Array:
        n = data.points.shape[0]
        for step in stages(n, self.m)[:-1]:
            found = self._rounds(data.every(step), centres, step * self.tolerance, progress)
            # Of rows that are nearly all alike a part may hold fewer directions than all of them do.
            centres = found if found.shape[0] == centres.shape[0] else centres
        return self._rounds(data, centres, self.tolerance, progress)

    def _rounds(self, data: Cloud, centres: Array, tolerance: float, progress: Progress) -> Array:
        means, before, beyond = centres, -inf, BEYOND
        for number in range(self.iterations):
            assignment = assigned(data, centres, self.block, SMALL)
            objective = 1 - data.mean(assignment.distances) / 2  # the mean cosine
            progress("landmarks", number + 1, self.iterations, 1 - objective)
            if objective < before and beyond:
                # Too far: from the means on, which serve no worse than what they are the means of.
                centres, beyond = means, 0.0
                continue
            found = self._means(data, assignment, centres)
            means = refilled(*found, data, centres, self.block)
            if objective - before <= tolerance * abs(objective):
                break
            # Rows that took the places of empty clusters are means of nothing.
            goes_on = beyond and before > -inf and not found[1]
            centres = _of_norm_one(means + beyond * (means - centres))[0] if goes_on else means
            before = objective
        return means

    def _update(self, data: Cloud, assignment: Assignment, centres: Array) -> Array:
        """New centres: the mean directions, and the worst-served rows for clusters without one."""
        return refilled(*self._means(data, assignment, centres), data, centres, self.block)

    def _means(self, data: Cloud, assignment: Assignment, centres: Array) -> tuple[Array, list[int]]:
        """The mean directions of clusters, and which of them have none."""
        total = totals(data, assignment.index, centres.shape[0])
        total = exact_where_tight(total, data, assignment, centres)
        directions, lengths = _of_norm_one(total)
        return directions, zeros_of(lengths)


def stages(n: float, m: float) -> tuple[int, ...]:
    """Of n rows for m centres each so manieth goes through rounds, stage after stage; at last all of them."""
    return (*(step for step in STEPS if n >= step * ENOUGH * m), 1)


@program
def _of_norm_one(total: Array) -> tuple[Array, Array]:
    """Each row divided by its norm, 0 where that is 0, and the norms: (m, d) -> (m, d), (m,)"""
    xp, lengths = namespace(total), row_norms(total)
    return total / xp.where(lengths > 0, lengths, xp.ones_like(lengths))[:, None], lengths


def unit_rows(x: Array) -> Array:
    """The rows of x divided by their norms, without the zero rows.

    (n, d) -> (n', d). Raises ValueError when all are zero.
    """
    return _directions(x)[0]


def _directions(x: Array) -> tuple[Array, Host]:
    """`unit_rows`, and the numbers of the rows that have a direction: (n, d) -> (n', d), (n',)"""
    if not fits(x):  # squares would over- or underflow
        greatest = namespace(x).max(namespace(x).abs(x), axis=1, keepdims=True)
        x = x / namespace(x).where(greatest > 0, greatest, namespace(x).ones_like(greatest))
    norms = row_norms(x)
    kept = (to_host(norms) > 0).nonzero()[0]
    if not len(kept):
        raise ValueError(f"x: all {x.shape[0]} rows are zero, and a zero row has no direction")
    if len(kept) < x.shape[0]:
        x, norms = take(x, kept), take(norms[:, None], kept)[:, 0]
    return x / norms[:, None], kept

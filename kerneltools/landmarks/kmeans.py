"""K-means."""

from dataclasses import dataclass
from math import inf
from typing import Any

from kerneltools.arrays import Array, namespace, require_stopping
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_vectors, constant, seen, warn_reduced
from kerneltools.landmarks.clusters import (
    SMALL,
    Assignment,
    Cloud,
    assigned,
    cloud,
    completed,
    exact_where_tight,
    in_range,
    members_of,
    refilled,
    totals,
    zeros_of,
)
from kerneltools.landmarks.kmeans_plus_plus import seeds
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.structures import take


@dataclass(frozen=True)
class KMeans:
    """K-means: the m points that minimise the mean squared distance of each row from the nearest one.

    Zhang, Tsang and Kwok 2008: this quantisation error bounds the error of the Nyström map for kernels of the Euclidean
    distance. Lloyd's algorithm from the seeds of `KMeansPlusPlus`: at most `iterations` rounds, until the error falls
    by a relative amount less than `tolerance`. It uses no kernel values, and the points are no rows of x. A cluster
    that becomes empty takes the worst-served row. Work is O(n d m) per round, `block` rows at a time; memory is another
    copy of x and O(block m).

    A row of weight w counts like w equal rows. Equal rows make one landmark: if fewer than m differ, fewer are
    returned, with a ReducedWarning. Raises ValueError for m < 1, for x with NaN, and for weights that are negative, not
    finite or all 0.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> KMeans(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    iterations: int = 100
    tolerance: float = 1e-4
    block: int = 2048

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_vectors(x, self.m, type(self).__name__)
        require_stopping(self.tolerance, self.iterations)
        part = seen(constant(x), weights)
        near, unit = in_range(part.x)
        data = cloud(near, part.weights)
        points = unit * completed(self._fit(data, generator(rng), progress), data, self.m, self.block)
        warn_reduced(self.m, points.shape[0], "distinct rows", near.shape[0])
        return Landmarks(namespace(x).astype(points, x.dtype))

    def _fit(self, data: Cloud, draws: Any, progress: Progress) -> Array:
        centres, before = take(data.points, seeds(data, self.m, draws)), inf
        for number in range(self.iterations):
            assignment = assigned(data, centres, self.block, SMALL)
            error = data.mean(assignment.distances)
            progress("landmarks", number + 1, self.iterations, error)
            if before - error <= self.tolerance * error:
                break
            centres, before = self.updated(data, assignment, centres), error
        return centres

    def updated(self, data: Cloud, assignment: Assignment, centres: Array) -> Array:
        """New centres: the means, and the worst-served rows for clusters without any."""
        xp, index, count = namespace(centres), assignment.index, centres.shape[0]
        members = members_of(data, index, count)
        some = xp.where(members > 0, members, xp.ones_like(members))[:, None]
        means = data.origin + totals(data, index, count) / some
        means = exact_where_tight(means, data, assignment, centres)
        return refilled(means, zeros_of(members), data, centres, self.block)

"""K-means."""

from dataclasses import dataclass
from math import inf
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_rows, constant, distinct, rows, warn_reduced
from kerneltools.landmarks.clusters import assigned, in_range, refilled, same_row, sizes, totals, zeros_of
from kerneltools.landmarks.kmeans_plus_plus import seeds
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class KMeans:
    """The m points that minimise the mean squared distance of each row from the nearest one.

    Zhang, Tsang and Kwok 2008: this quantisation error bounds the error of the Nyström map for kernels of the
    Euclidean distance. Lloyd's rounds from the seeds of `KMeansPlusPlus`: at most `iterations`, stopped when the
    error falls by less than `tolerance` relative. The kernel is not consulted, and the points are no rows of x. A
    cluster that becomes empty takes the worst-served row. Work is O(n d m) a round, `block` rows at a time: memory
    is that of x once more and O(block m).

    Equal rows count as one: fewer than m are returned, with a ReducedWarning, when fewer differ. Raises ValueError
    for m < 1 and for x with NaN.
    """

    m: int
    iterations: int = 100
    tolerance: float = 1e-4
    block: int = 2048

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d)"""
        check_rows(x, self.m)
        x, unit = in_range(constant(x))
        # Distances by matrix products lose digits to the spread of centred data, not to their place.
        centre = namespace(x).mean(x, axis=0, keepdims=True)
        points = centre + self._fit(x - centre, generator(rng))
        points = unit * rows(points, distinct(points, range(points.shape[0]), self.m))
        warn_reduced(self.m, points.shape[0], "distinct rows", x.shape[0])
        return Landmarks(points)

    def _fit(self, x: Array, draws: Any) -> Array:
        centres, before = rows(x, seeds(x, self.m, draws)), inf
        for _ in range(self.iterations):
            index, distances = assigned(x, centres, self.block)
            error = float(namespace(x).mean(distances))
            if before - error <= self.tolerance * error:
                break
            centres, before = self._update(x, index, distances, centres.shape[0]), error
        return centres

    def _update(self, x: Array, index: Array, distances: Array, count: int) -> Array:
        """New centres: the means, and the worst-served rows for clusters without any."""
        xp = namespace(x)
        members = sizes(index, count, x)
        means = totals(x, index, count, self.block) / xp.maximum(members, xp.ones_like(members))[:, None]
        return refilled(means, zeros_of(members), x, distances, same_row(x))

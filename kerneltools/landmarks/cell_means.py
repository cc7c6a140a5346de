"""Means of the cells of random rows."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_vectors, constant, distinct, drawn, seen, warn_reduced
from kerneltools.landmarks.clusters import SMALL, Cloud, assigned, completed, in_range
from kerneltools.landmarks.kmeans import KMeans
from kerneltools.landmarks.minibatch_kmeans import Source
from kerneltools.pairwise import central
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator
from kerneltools.structures import take


@dataclass(frozen=True)
class CellMeans:
    """Means of the rows nearest to each of m random rows: one round of k-means, half the way to its result.

    One round of Lloyd's algorithm on a sample of `each` m rows, without seeding. It takes 2 `each` d m² operations for
    any n, all in one matrix product. It uses no kernel values, and the points are no rows of x.

    A row of weight w is drawn, and counts in the means, like w equal rows. Equal rows make one landmark: if fewer than
    m differ, fewer are returned, with a ReducedWarning. Raises ValueError for m or each < 1, for x with NaN, and for
    weights that are negative, not finite or all 0.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> CellMeans(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    each: int = 10

    def __post_init__(self) -> None:
        if not is_whole(self.each):
            raise ValueError(f"each: expected an integer >= 1, got {self.each!r}")

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_vectors(x, self.m, type(self).__name__)
        part, draws = seen(constant(x), weights), generator(rng)
        near, unit = in_range(part.x)
        source = Source(near, part.weights, central(near))
        data, start = self._started(source, draws)
        rule = KMeans(self.m)
        centres = rule.updated(data, assigned(data, start, rule.block, SMALL), start)
        if centres.shape[0] < self.m or len(distinct(centres, range(self.m), self.m)) < self.m:
            centres = completed(centres, source.everything(), self.m, rule.block)
        warn_reduced(self.m, centres.shape[0], "distinct rows", near.shape[0])
        return Landmarks(namespace(x).astype(unit * centres, x.dtype))

    def _started(self, source: Source, draws: Any) -> tuple[Cloud, Array]:
        """A sample, and distinct rows of it to start from; of all rows if too few of the sample differ."""
        n = source.x.shape[0]
        for sample in (source.drawn(self.each * self.m, draws), source.everything()):
            weights = None if sample.weights is None else to_host(sample.weights).astype(float)
            numbers = drawn(sample.points, weights, self.m, draws)
            if len(numbers) == self.m or sample.points.shape[0] == n:
                break
        return sample, take(sample.points, numbers)

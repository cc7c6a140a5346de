"""Means of the cells of rows that are drawn far from one another."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, blocks, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_vectors, constant, distinct, drawn, seen, warn_reduced
from kerneltools.landmarks.clusters import SMALL, Assignment, Cloud, assigned, completed, in_range
from kerneltools.landmarks.kmeans import KMeans
from kerneltools.landmarks.minibatch_kmeans import Source
from kerneltools.pairwise import central
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator
from kerneltools.structures import take

DRAWS = 5
"""So many draws are as good as one row after the other (measured: of 2, 3, 5 and 10, five and ten are alike)."""


@dataclass(frozen=True)
class CellMeans:
    """The means of the rows that lie nearest to each of m drawn ones: most of the way to k-means, at hardly any cost.

    On a sample of `each` m rows. A fifth of the m rows is drawn at random, the others in four more draws with chances
    in proportion to their squared distances from those drawn before (after Bahmani, Moseley, Vattani, Kumar and
    Vassilvitskii 2012); then one round of Lloyd's, whose distances are those that the draws have found. 2 `each` d m²
    operations whatever n is, all of them five products. The kernel is not consulted, and the points are no rows of x.

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
        data, start, nearest = self._started(source, draws)
        centres = self._rule.updated(data, nearest, start)
        if centres.shape[0] < self.m or len(distinct(centres, range(self.m), self.m)) < self.m:
            centres = completed(centres, source.everything(), self.m, self._rule.block)
        warn_reduced(self.m, centres.shape[0], "distinct rows", near.shape[0])
        return Landmarks(namespace(x).astype(unit * centres, x.dtype))

    @property
    def _rule(self) -> KMeans:
        return KMeans(self.m)

    def _started(self, source: Source, draws: Any) -> tuple[Cloud, Array, Assignment]:
        """A sample, rows of it that differ, and the nearest of each row; all rows where too few of the sample do."""
        n = source.x.shape[0]
        for sample in (source.drawn(self.each * self.m, draws), source.everything()):
            numbers, nearest = self._spread(sample, draws)
            if len(numbers) == self.m or sample.points.shape[0] == n:
                break
        return sample, take(sample.points, numbers), nearest

    def _spread(self, data: Cloud, draws: Any) -> tuple[list[int], Assignment]:
        """The numbers of at most m rows that differ, far from one another, and which of them is nearest to each row."""
        weights = None if data.weights is None else to_host(data.weights).astype(float)
        numbers, nearest, chances = [], None, weights
        for part in blocks(self.m, -(-self.m // DRAWS)):
            if nearest is not None:
                chances = to_host(nearest.distances).astype(float) * (1 if weights is None else weights)
                chances[numbers] = 0
                if not chances.any():
                    break
            new = drawn(data.points, chances, part.stop - part.start, draws)
            found = assigned(data, take(data.points, new), self._rule.block, SMALL)
            nearest = found if nearest is None else _nearer(nearest, found, len(numbers))
            numbers += new
        assert nearest is not None  # there is a row
        unlike = distinct(data.points, numbers, self.m)
        if len(unlike) == self.m:
            return numbers, nearest
        # Few rows differ, or rounding has put one that was drawn before away from itself.
        numbers = distinct(data.points, [*unlike, *draws.permutation(data.points.shape[0]).tolist()], self.m)
        return numbers, assigned(data, take(data.points, numbers), self._rule.block, SMALL)


def _nearer(old: Assignment, new: Assignment, first: int) -> Assignment:
    """Of two sets of centres the nearest of each row; those of the second are numbered from `first` on."""
    xp, closer = namespace(old.index), new.distances < old.distances
    moved = to_host(closer)
    near = [i for i in old.near if not moved[i]] + [i for i in new.near if moved[i]]
    return Assignment(
        xp.where(closer, new.index + first, old.index), xp.minimum(old.distances, new.distances), sorted(near)
    )

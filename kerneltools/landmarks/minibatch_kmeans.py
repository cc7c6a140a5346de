"""K-means from random batches."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, blocks, device_of, is_whole, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_vectors, constant, distinct, seen, warn_reduced
from kerneltools.landmarks.clusters import (
    SMALL,
    Cloud,
    assigned,
    cloud,
    completed,
    in_range,
    members_of,
    moves_of,
    refilled,
    zeros_of,
)
from kerneltools.landmarks.kmeans_plus_plus import seeds
from kerneltools.pairwise import central
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.structures import take


@dataclass(frozen=True)
class MiniBatchKMeans:
    """K-means on random batches: almost the points of `KMeans`, and for large n the work does not grow with n.

    Sculley 2010: each of `batch` random rows moves its nearest centre towards it, a centre that has served s rows by
    1/s of the distance. There are `rounds` of at most 20 m rows (at least 10 batches), and with each round the rows
    served before count a quarter as much. The seeds are those of `KMeansPlusPlus` among the rows of three batches (at
    least 3 m rows). It uses no kernel values, and the points are no rows of x. A cluster that stays empty in a round
    takes the worst-served row of its last batch. Memory beyond x is O(batch m).

    A row of weight w is drawn, or counts, like w equal rows. Equal rows make one landmark: if fewer than m differ,
    fewer are returned, with a ReducedWarning. Raises ValueError for m, batch or rounds < 1, for x with NaN, and for
    weights that are negative, not finite or all 0.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> MiniBatchKMeans(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    batch: int = 1024
    rounds: int = 5

    def __post_init__(self) -> None:
        for name, value in (("batch", self.batch), ("rounds", self.rounds)):
            if not is_whole(value):
                raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_vectors(x, self.m, type(self).__name__)
        part, draws = seen(constant(x), weights), generator(rng)
        near, unit = in_range(part.x)
        # Batches share an origin, so that they need not look for one of their own.
        source = Source(near, part.weights, central(near))
        centres = self._seeds(source, draws)
        counts = _zeros(centres)
        for number in range(self.rounds):
            centres, counts = self._round(source, centres, counts / 4, draws, last=number == self.rounds - 1)
            progress("landmarks", number + 1, self.rounds)
        if len(distinct(centres, range(centres.shape[0]), self.m)) < self.m:
            centres = completed(centres, source.everything(), self.m, self.batch)
        warn_reduced(self.m, centres.shape[0], "distinct rows", near.shape[0])
        return Landmarks(namespace(x).astype(unit * centres, x.dtype))

    def _seeds(self, source: "Source", draws: Any) -> Array:
        """Seeds from a sample; from all rows if too few of the sample differ."""
        n = source.x.shape[0]
        sample = source.drawn(3 * max(self.batch, self.m), draws)
        found = seeds(sample, self.m, draws)
        if len(found) < min(self.m, n) and sample.points.shape[0] < n:
            sample = source.everything()
            found = seeds(sample, self.m, draws)
        return take(sample.points, found)

    def _round(self, source: "Source", centres: Array, counts: Array, draws: Any, last: bool) -> tuple[Array, Array]:
        round_of = source.drawn(max(10 * self.batch, 20 * self.m), draws)
        served = _zeros(centres)
        for part in blocks(round_of.points.shape[0], self.batch):
            batch = round_of.block(part)
            centres, counts, members = _step(batch, centres, counts)
            served = served + members
        empty = zeros_of(served)
        if last or not empty:
            return centres, counts
        centres = refilled(centres, empty, batch, centres, self.batch)
        return centres, _zeros(centres)


@dataclass(frozen=True, eq=False)
class Source:
    """The rows that batches are drawn from, their weights (n,) on the host or None, and the origin of all batches."""

    x: Array
    weights: Host | None
    origin: Array

    def everything(self) -> Cloud:
        return cloud(self.x, self.weights, self.origin)

    def drawn(self, size: int, draws: Any) -> Cloud:
        """`size` rows at random; all of them, in random order, if there are no more.

        If there are more, rows of great weight are drawn more often, and count as often as they are drawn.
        """
        n = self.x.shape[0]
        if self.weights is None or n <= size:
            order = draws.permutation(n)[:size]
            return self._part(order, None if self.weights is None else self.weights[order])
        return self._part(draws.choice(n, size=size, p=self.weights / self.weights.sum()), None)

    def _part(self, order: Host, weights: Host | None) -> Cloud:
        return cloud(take(self.x, order.tolist()), weights, self.origin)


def _step(batch: Cloud, centres: Array, counts: Array) -> tuple[Array, Array, Array]:
    """The new centres, the weight of the rows they have served, and that of the rows of this batch among them."""
    xp = namespace(centres)
    index = assigned(batch, centres, batch.points.shape[0], SMALL).index
    members = members_of(batch, index, centres.shape[0])
    counts = counts + members
    moves = moves_of(batch, index, centres) / xp.where(counts > 0, counts, xp.ones_like(counts))[:, None]
    return centres + moves, counts, members


def _zeros(centres: Array) -> Array:
    return namespace(centres).zeros(centres.shape[0], dtype=centres.dtype, device=device_of(centres))

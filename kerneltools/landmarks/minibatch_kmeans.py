"""K-means from random batches."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, device_of, is_whole, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_rows, constant, distinct, rows, warn_reduced
from kerneltools.landmarks.clusters import assigned, in_range, refilled, same_row, sizes, totals, zeros_of
from kerneltools.landmarks.kmeans_plus_plus import seeds
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class MiniBatchKMeans:
    """About the points of `KMeans`, from a part of the rows: work does not grow with n where n is large.

    Sculley 2010: each of `batch` random rows draws its nearest centre towards it, a centre that has served s rows by
    1/s of the way. There are `rounds` of at most 20 m rows (10 batches at least), and what was served in the rounds
    before counts a quarter of it in each next one. The seeds are those of `KMeansPlusPlus` among the rows of three
    batches (3 m rows at least). The kernel is not consulted, and the points are no rows of x. A cluster that stays
    empty in a round takes the worst-served row of its last batch. Memory beyond x is O(batch m).

    Equal rows count as one: fewer than m are returned, with a ReducedWarning, when fewer differ. Raises ValueError
    for m, batch or rounds < 1 and for x with NaN.
    """

    m: int
    batch: int = 1024
    rounds: int = 5

    def __post_init__(self) -> None:
        for name, value in (("batch", self.batch), ("rounds", self.rounds)):
            if not is_whole(value):
                raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d)"""
        check_rows(x, self.m)
        (x, unit), draws = in_range(constant(x)), generator(rng)
        # As in KMeans; the batches are centred one by one.
        centre = namespace(x).mean(x, axis=0, keepdims=True)
        centres = self._seeds(x, centre, draws)
        counts = _zeros(centres)
        for number in range(self.rounds):
            centres, counts = self._round(x, centre, centres, counts / 4, draws, last=number == self.rounds - 1)
        points = centre + centres
        points = unit * rows(points, distinct(points, range(points.shape[0]), self.m))
        warn_reduced(self.m, points.shape[0], "distinct rows", x.shape[0])
        return Landmarks(points)

    def _seeds(self, x: Array, centre: Array, draws: Any) -> Array:
        """Seeds of a sample; of all rows where too few of the sample differ."""
        sample = draws.permutation(x.shape[0])[: 3 * max(self.batch, self.m)].tolist()
        part = rows(x, sample) - centre
        found = seeds(part, self.m, draws)
        if len(found) < min(self.m, x.shape[0]) and len(sample) < x.shape[0]:
            part = x - centre
            found = seeds(part, self.m, draws)
        return rows(part, found)

    def _round(
        self, x: Array, centre: Array, centres: Array, counts: Array, draws: Any, last: bool
    ) -> tuple[Array, Array]:
        size = max(10 * self.batch, 20 * self.m)
        order = draws.permutation(x.shape[0])[:size].tolist()
        served = _zeros(centres)
        for start in range(0, len(order), self.batch):
            part = rows(x, order[start : start + self.batch]) - centre
            centres, counts, members = _step(part, centres, counts)
            served = served + members
        empty = zeros_of(served)
        if last or not empty:
            return centres, counts
        _, distances = assigned(part, centres, self.batch)
        centres = refilled(centres, empty, part, distances, same_row(part))
        return centres, _zeros(centres)


def _step(part: Array, centres: Array, counts: Array) -> tuple[Array, Array, Array]:
    """Centres, the rows they have served, and those of this batch among them."""
    xp, count = namespace(part), centres.shape[0]
    index, _ = assigned(part, centres, part.shape[0])
    members = sizes(index, count, part)
    counts = counts + members
    moves = totals(part, index, count, part.shape[0]) - members[:, None] * centres
    return centres + moves / xp.maximum(counts, xp.ones_like(counts))[:, None], counts, members


def _zeros(centres: Array) -> Array:
    return namespace(centres).zeros(centres.shape[0], dtype=centres.dtype, device=device_of(centres))

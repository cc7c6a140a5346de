"""The seeding of k-means, which makes landmarks of its own."""

from dataclasses import dataclass
from math import log
from typing import Any

from kerneltools.arrays import Array, asarray_like, indices_like, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.kernels.distances import square_distances
from kerneltools.landmarks.base import Landmarks, check_rows, constant, rows, seen, warn_reduced
from kerneltools.landmarks.clusters import LOOSE, Cloud, cloud, in_range, places, put
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator

AT_ONCE = 4096
"""Of so many rows all inner products may be kept: 64 MB in float32."""


@dataclass(frozen=True)
class KMeansPlusPlus:
    """m rows, each drawn with probability proportional to its squared distance from those before.

    Arthur and Vassilvitskii 2007. Of `trials` draws the one that leaves the least sum of squared distances is
    kept: 2 + log m by default, 1 for the plain law. The kernel is not consulted: this is a rule for
    kernels of the Euclidean distance. Work is O(n d m trials), memory O(n trials), for few rows O(n²).

    A row is drawn, and counts in the sums, like as many as its weight. Equal rows are one landmark: fewer than m are
    returned, with a ReducedWarning, when fewer differ. Raises ValueError for m or trials < 1, for x with NaN, and for
    weights that are negative, not finite or all 0.
    """

    m: int
    trials: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and not is_whole(self.trials):
            raise ValueError(f"trials: expected an integer >= 1, or None, got {self.trials!r}")

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_rows(x, self.m)
        part = seen(x, weights)
        data = cloud(in_range(constant(part.x))[0], part.weights)
        picked = seeds(data, self.m, generator(rng), self.trials)
        warn_reduced(self.m, len(picked), "distinct rows", part.x.shape[0])
        return part.landmarks(picked)


def seeds(data: Cloud, m: int, draws: Any, trials: int | None = None) -> list[int]:
    """The numbers of at most m rows, all different."""
    x, n = data.points, data.points.shape[0]
    xp, tries = namespace(x), trials or 2 + int(log(m))
    inner = data.shifted @ xp.matrix_transpose(data.shifted) if _at_once(x, m * tries) else None
    weights = None if data.weights is None else to_host(data.weights).astype(float)
    picked = [int(draws.integers(n)) if weights is None else int(draws.choice(n, p=weights / weights.sum()))]
    distances = _square_distances(data, inner, picked)[0][0, :]
    while len(picked) < m:
        host = to_host(distances).astype(float)
        host[picked] = 0.0
        chances = host if weights is None else host * weights
        if not (total := chances.sum()) > 0:
            break
        tried = draws.choice(n, size=tries, p=chances / total).tolist()
        found, squares = _square_distances(data, inner, tried)
        left = xp.minimum(found, asarray_like(host, x))
        best = _best(data, left, squares, len(picked))
        picked.append(tried[best])
        distances = left[best, :]
    return picked


def _best(data: Cloud, left: Array, squares: Array, picked: int) -> int:
    """The first of the candidates that leave the least sum.

    Two rows next to each other leave the same: rounding must not choose, or libraries would disagree. Its errors are
    those of products with the candidate, and below a hundredth of what it takes over, one part in `picked` of all.
    """
    xp = namespace(left)
    sums = to_host(xp.sum(left if data.weights is None else data.weights * left, axis=1)).astype(float)
    slack = 4 * data.rounding * left.shape[1] * to_host(squares)[:, 0].astype(float)
    return int((sums - slack.clip(None, sums / (LOOSE * picked)) <= sums.min()).argmax())


def _at_once(x: Array, picks: int) -> bool:
    """Whether one product with all rows takes less time than products with so many, a few at a time.

    Measured: operations of those take four times as long; an entry that is stored, as long as 100 of one product.
    """
    n, d = int(x.shape[0]), int(x.shape[1])
    return n <= AT_ONCE and n * (d + 100) <= 4 * picks * d


def _square_distances(data: Cloud, inner: Array | None, picks: list[int]) -> tuple[Array, Array]:
    """From |x|² and, where they are known, all <x, x'>, and by differences from rows next to a pick: (b, n), (b, 1).

    Nobody asks for the distance of a pick from itself, which is nothing but rounding. Also |x|² of the picks.
    """
    xp, shifted = namespace(data.points), data.shifted
    numbers = indices_like(picks, shifted)
    products = (
        xp.take(shifted, numbers, axis=0) @ xp.matrix_transpose(shifted)
        if inner is None
        else xp.take(inner, numbers, axis=0)
    )
    squares = xp.take(data.squares, numbers)[:, None]
    square = squares + data.squares - 2 * products
    near = square <= 5 * LOOSE * data.rounding * squares
    square = xp.maximum(square, xp.zeros_like(square))
    if int(xp.count_nonzero(near)) <= len(picks):
        return square, squares
    near = xp.any(near, axis=0)
    exact = square_distances(rows(data.points, picks), rows(data.points, places(near)))
    return put(square, near, exact, axis=1), squares

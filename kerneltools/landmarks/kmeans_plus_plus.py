"""The seeding of k-means as a rule for landmarks."""

from dataclasses import dataclass
from math import log
from typing import Any

from kerneltools.arrays import Array, indices_like, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.kernels.distances import square_distances
from kerneltools.landmarks.base import Landmarks, check_vectors, constant, seen, warn_reduced
from kerneltools.landmarks.clusters import LOOSE, Cloud, cloud, in_range, places, put
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator
from kerneltools.structures import take

AT_ONCE = 4096
"""The most rows for which all inner products may be kept: 64 MB in float32."""


@dataclass(frozen=True)
class KMeansPlusPlus:
    """m rows, each drawn with probability proportional to its squared distance from those before.

    Arthur and Vassilvitskii 2007. Of `trials` draws, the one that leaves the least sum of squared distances is kept: 2
    + log m draws by default, 1 for the original rule. It uses no kernel values: this is a rule for kernels of the
    Euclidean distance. Work is O(n d m trials), memory O(n trials), for few rows O(n²).

    A row of weight w is drawn, and counts in the sums, like w equal rows. Equal rows make one landmark: if fewer than m
    differ, fewer are returned, with a ReducedWarning. Raises ValueError for m or trials < 1, for x with NaN, and for
    weights that are negative, not finite or all 0.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> KMeansPlusPlus(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    trials: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and not is_whole(self.trials):
            raise ValueError(f"trials: expected an integer >= 1, or None, got {self.trials!r}")

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_vectors(x, self.m, type(self).__name__)
        part = seen(x, weights)
        data = cloud(in_range(constant(part.x))[0], part.weights)
        picked = seeds(data, self.m, generator(rng), self.trials)
        warn_reduced(self.m, len(picked), "distinct rows", part.x.shape[0])
        return part.landmarks(picked)


def seeds(data: Cloud, m: int, draws: Any, trials: int | None = None) -> list[int]:
    """The numbers of at most m distinct rows."""
    x, n = data.points, data.points.shape[0]
    xp, tries = namespace(x), trials or 2 + int(log(m))
    inner = (2 * data.shifted) @ xp.matrix_transpose(data.shifted) if _at_once(x, m * tries) else None
    weights = None if data.weights is None else to_host(data.weights).astype(float)
    errors = 4 * data.rounding * n * to_host(data.squares).astype(float)
    picked = [int(draws.integers(n)) if weights is None else int(draws.choice(n, p=weights / weights.sum()))]
    distances = _square_distances(data, inner, picked)[0, :]
    while len(picked) < m:
        host = to_host(distances).astype(float)
        chances = host if weights is None else host * weights
        if not (total := chances.sum()) > 0:
            break
        tried = draws.choice(n, size=tries, p=chances / total).tolist()
        left = xp.minimum(_square_distances(data, inner, tried), distances)
        sums = to_host(xp.sum(left if data.weights is None else data.weights * left, axis=1)).astype(float)
        # Two rows next to each other leave the same sum: rounding must not choose, or libraries would disagree. Its
        # errors are below a hundredth of what a candidate takes over, about one part in `picked` of all.
        slack = errors[tried].clip(None, sums / (LOOSE * len(picked)))
        best = int((sums - slack <= sums.min()).argmax())
        picked.append(tried[best])
        distances = left[best, :]
    return picked


def _at_once(x: Array, picks: int) -> bool:
    """Whether one product with all rows takes less time than products with a few rows at a time.

    Measured: operations of the latter take four times as long; storing an entry takes as long as 100 of the former.
    """
    n, d = int(x.shape[0]), int(x.shape[1])
    return n <= AT_ONCE and n * (d + 100) <= 4 * picks * d


def _square_distances(data: Cloud, inner: Array | None, picks: list[int]) -> Array:
    """From |x|² and, if known, all 2<x, x'>, and by differences for rows next to a pick: (b, n)."""
    xp, shifted = namespace(data.points), data.shifted
    numbers = indices_like(picks, shifted)
    if inner is None:
        products = (2 * xp.take(shifted, numbers, axis=0)) @ xp.matrix_transpose(shifted)
    else:
        products = xp.take(inner, numbers, axis=0)
    squares = xp.take(data.squares, numbers)[:, None]
    square = squares + data.squares - products
    near = square <= (5 * LOOSE * data.rounding) * squares
    if int(xp.count_nonzero(near)) == len(picks):
        # Nobody is near a pick but itself.
        return xp.where(near, xp.zeros_like(square), square)
    near = xp.any(near, axis=0)
    exact = square_distances(take(data.points, picks), take(data.points, places(near)))
    return put(square, near, exact, axis=1)

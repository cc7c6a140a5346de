"""The seeding of k-means, which makes landmarks of its own."""

from dataclasses import dataclass
from math import log
from typing import Any

from kerneltools.arrays import Array, is_whole, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_rows, constant, rows, warn_reduced
from kerneltools.landmarks.clusters import in_range, same_row
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

    Equal rows count as one: fewer than m are returned, with a ReducedWarning, when fewer differ. Raises ValueError
    for m or trials < 1 and for x with NaN.
    """

    m: int
    trials: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and not is_whole(self.trials):
            raise ValueError(f"trials: expected an integer >= 1, or None, got {self.trials!r}")

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d)"""
        check_rows(x, self.m)
        picked = seeds(centred(in_range(constant(x))[0]), self.m, generator(rng), self.trials)
        warn_reduced(self.m, len(picked), "distinct rows", x.shape[0])
        return Landmarks(rows(x, picked), tuple(picked))


def centred(x: Array) -> Array:
    """x minus the mean of its rows: distances by matrix products then lose digits to the spread only."""
    return x - namespace(x).mean(x, axis=0, keepdims=True)


def seeds(x: Array, m: int, draws: Any, trials: int | None = None) -> list[int]:
    """The numbers of at most m rows of x, which is centred."""
    xp = namespace(x)
    norms, equal, tries = xp.sum(x * x, axis=1), same_row(x), trials or 2 + int(log(m))
    inner = x @ xp.matrix_transpose(x) if _at_once(x, m * tries) else None
    picked = [int(draws.integers(x.shape[0]))]
    distances = _square_distances(x, norms, inner, picked)[0, :]
    while len(picked) < m:
        host = to_host(distances).astype(float)
        weights = host * (host > equal)
        if not weights.any():
            break
        tried = draws.choice(len(weights), size=tries, p=weights / weights.sum()).tolist()
        left = xp.minimum(_square_distances(x, norms, inner, tried), distances)
        sums = to_host(xp.sum(left, axis=1)).astype(float)
        # Two rows next to each other leave the same sum: rounding must not choose, or libraries would disagree.
        best = int((sums <= sums.min() + len(weights) * equal).argmax())
        picked.append(tried[best])
        distances = left[best, :]
    return picked


def _at_once(x: Array, picks: int) -> bool:
    """Whether one product with all rows takes less time than products with so many, a few at a time.

    Measured: operations of those take four times as long; an entry that is stored, as long as 100 of one product.
    """
    n, d = int(x.shape[0]), int(x.shape[1])
    return n <= AT_ONCE and n * (d + 100) <= 4 * picks * d


def _square_distances(x: Array, norms: Array, inner: Array | None, picks: list[int]) -> Array:
    """From |x|² and, where they are known, all <x, x'>: (b, n), not below 0."""
    xp = namespace(x)
    products = rows(x, picks) @ xp.matrix_transpose(x) if inner is None else rows(inner, picks)
    square = rows(norms, picks)[:, None] + norms - 2 * products
    return xp.maximum(square, xp.zeros_like(square))

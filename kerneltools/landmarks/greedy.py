"""Pivoted Cholesky: the row that is explained worst comes next."""

from dataclasses import dataclass
from typing import cast

from kerneltools.arrays import Array
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_rows, constant, distinct, rows, warn_reduced
from kerneltools.landmarks.pivoted import Elimination, PartialCholesky, partial_cholesky
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class Greedy:
    """m rows, each the one of greatest residual k(x, x) - |φ(x)|² given those before.

    Cholesky with complete pivoting (Fine and Scheinberg 2001): deterministic; the greatest residual is the greatest
    error of any k(x, y). It goes for outliers, and its mean error is worse than that of `RPCholesky` where many rows
    lie close together. Of equal residuals the first row's counts. Memory is that of `RPCholesky`, and so is work
    where the next rows can be told from the greatest residuals alone.

    Stops where all residuals are below `tolerance` times k(x, x), by default the rounding of its values:
    then fewer than m rows are returned, with a ReducedWarning. Raises ValueError for m < 1, for x with NaN, and for
    a kernel that turns out to be indefinite.
    """

    m: int
    tolerance: float | None = None

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d); nothing is drawn from `rng`"""
        check_rows(x, self.m)
        generator(rng)
        factor = partial_cholesky(constant(kernel), constant(x), self.tolerance)
        picked: list[int] = []
        while len(picked) < self.m and factor.residual.max() > 0:
            candidates, bound = _greatest(factor.residual, BLOCK)
            found = _pivots(factor, candidates, bound, self.m - len(picked))
            chosen = [candidates[j] for j in found.taken]
            picked += chosen
            factor = factor.extended(chosen, found.factor)
        picked = distinct(x, picked, self.m)
        warn_reduced(self.m, len(picked), "distinct rows for this kernel", x.shape[0])
        return Landmarks(rows(x, picked), tuple(picked))


BLOCK = 200


def _pivots(factor: PartialCholesky, candidates: list[int], bound: float, most: int) -> Elimination:
    """The next pivots, as long as they are among the candidates for sure: residuals never grow beyond the bound."""
    found = Elimination(factor.block(candidates), factor.residual[candidates])
    least = factor.floor * factor.diagonal[candidates]
    while len(found.taken) < most and found.left.max() > 0:
        j = _in_order(found.left)[0]
        if found.taken and (found.left[j] < bound or found.left[j] <= least[j]):
            break
        found.take(j)
    return found


def _greatest(residual: Host, count: int) -> tuple[list[int], float]:
    """The numbers of the rows of greatest residual, and the greatest of all others."""
    order = _in_order(residual)
    others = order[count:]
    return order[:count], float(residual[others[0]]) if others else 0.0


def _in_order(residual: Host) -> list[int]:
    """Numbers that differ by rounding are equal, so that all libraries take the same row: the first."""
    rounded = (residual * (1e12 / residual.max())).round()
    return cast(list[int], (-rounded).argsort(kind="stable").tolist())

"""Greedy pivoted Cholesky: the row with the greatest residual comes next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_examples, constant, distinct, seen, warn_reduced
from kerneltools.landmarks.pivoted import Elimination, PartialCholesky, partial_cholesky
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class Greedy:
    """m rows, each with the greatest residual k(x, x) - |φ(x)|² given the rows before.

    Cholesky with complete pivoting (Fine and Scheinberg 2001): deterministic; the greatest residual is the greatest
    error of any k(x, y). It prefers outliers, and its mean error is worse than that of `RPCholesky` if many rows lie
    close together. Of equal residuals, the first row is taken. Memory is that of `RPCholesky`, and so is work if the
    greatest residuals alone determine the next rows. With weights, the residual times the weight decides.

    It stops when all residuals are below `tolerance` times k(x, x), by default the rounding of kernel values; then
    fewer than m rows are returned, with a ReducedWarning. Raises ValueError for m < 1, for x with NaN, for weights that
    are negative, not finite or all 0, and for a kernel that turns out to be indefinite.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> Greedy(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    tolerance: float | None = None

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d); nothing is drawn from `rng`"""
        check_examples(x, self.m)
        generator(rng)
        part = seen(x, weights)
        factor = partial_cholesky(constant(kernel), constant(part.x), self.tolerance)
        picked: list[int] = []
        while len(picked) < self.m and factor.residual.max() > 0:
            found = _pivots(factor, part.weighted, self.m - len(picked))
            picked += found.order
            factor = factor.extended(found.order, found.factor)
            progress("landmarks", min(len(picked), self.m), self.m)
        picked = distinct(part.x, picked, self.m)
        warn_reduced(self.m, len(picked), "distinct rows for this kernel", part.x.shape[0])
        return part.landmarks(picked)


BLOCK = 200


@dataclass(frozen=True)
class _Pivots:
    """Rows in the order in which they are taken, and their lower factor."""

    order: list[int]
    factor: Host


def _pivots(factor: PartialCholesky, weighted: Callable[[Host], Host], most: int) -> _Pivots:
    """The next pivots, as long as they are certain to have the greatest residuals, which never grow."""
    values = weighted(factor.residual)
    order = _in_order(values)
    candidates, others = order[:BLOCK], order[BLOCK:]
    bound = float(values[others[0]]) if others else 0.0
    found = Elimination(factor.block(candidates), factor.residual[candidates])
    weights = weighted(namespace(values).ones_like(values))[candidates]
    least = factor.floor * factor.diagonal[candidates]
    while len(found.taken) < most and found.left.max() > 0:
        left = found.left * weights
        j = _in_order(left)[0]
        if found.taken and (left[j] < bound or found.left[j] <= least[j]):
            break
        found.take(j)
    return _Pivots([candidates[j] for j in found.taken], found.factor)


def _in_order(residual: Host) -> list[int]:
    """Numbers that differ only by rounding as equal, so that all libraries take the same row: the first."""
    rounded = (residual * (1e12 / residual.max())).round()
    return cast(list[int], (-rounded).argsort(kind="stable").tolist())

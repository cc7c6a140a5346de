"""Randomly pivoted Cholesky: rows are drawn in proportion to what the landmarks so far leave unexplained."""

from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, is_whole
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_examples, constant, seen, warn_reduced
from kerneltools.landmarks.pivoted import Elimination, PartialCholesky, partial_cholesky
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.structures.base import keys


@dataclass(frozen=True)
class RPCholesky:
    """m rows, each drawn with probability proportional to its residual k(x, x) - |φ(x)|² given those before.

    Chen, Epperly, Tropp and Webber 2025: for any positive semi-definite kernel, from (m + 1) n of its values, in O(m²
    n) operations and O(m n) numbers of memory. Rows are proposed `block` at a time and rejected so that the law of the
    picks, and of their order, is exactly that of one row at a time (Epperly, Tropp and Webber 2024). By default, the
    share of accepted proposals determines the size of a block; `block=1` is the simple algorithm.

    It stops when all residuals are below `tolerance` times k(x, x), by default the rounding of kernel values: then the
    numerical rank is reached, and fewer than m rows are returned, with a ReducedWarning. Kernel values and their factor
    are in float64 if the library has it, whatever the type of x; `kernels.Function` gets rows in their own type.

    With weights, it is the same rule for the matrix of entries sqrt(w_i w_j) k(x_i, x_j): the probability is
    proportional to residual times weight.

    Raises ValueError for m or block < 1, for x with NaN, for weights that are negative, not finite or all 0, and for a
    kernel that turns out to be indefinite.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> RPCholesky(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    block: int | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.block is not None and not is_whole(self.block):
            raise ValueError(f"block: expected an integer >= 1, or None, got {self.block!r}")

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_examples(x, self.m)
        draws, part = generator(rng), seen(x, weights)
        factor = partial_cholesky(constant(kernel), constant(part.x), self.tolerance)
        picked: dict[Any, int] = {}
        size = self.block or max(SMALLEST, self.m // 8)
        while len(picked) < self.m and (chances := part.weighted(factor.residual)).sum() > 0:
            proposals = draws.choice(len(chances), size=size, p=chances / chances.sum()).tolist()
            before = len(picked)
            factor = _with_accepted(factor, part.x, proposals, draws.random(size), picked, self.m)
            progress("landmarks", len(picked), self.m)
            size = self.block or _next_size(size, len(picked) - before, self.m)
        warn_reduced(self.m, len(picked), "distinct rows for this kernel", part.x.shape[0])
        return part.landmarks(list(picked.values()))


SMALLEST, GREATEST = 10, 200


def _next_size(size: int, accepted: int, m: int) -> int:
    """The next block's size: larger if most proposals are accepted, smaller if many are rejected."""
    share = accepted / size
    wanted = size * 3 // 2 if share > 0.6 else size * 2 // 3 if share < 0.3 else size
    return min(max(wanted, SMALLEST), max(SMALLEST, m // 3), GREATEST)


def _with_accepted(
    factor: PartialCholesky, data: Array, proposals: list[int], uniforms: Host, picked: dict[Any, int], m: int
) -> PartialCholesky:
    """The factor with the accepted proposals, in their order; `picked` gets them by what makes them equal.

    A proposal is accepted with the probability (residual now) / (residual when it was drawn), so that it has the law of
    a draw by the residuals now. The weight of the row would be in both, and cancels.
    """
    start = factor.residual[proposals]
    elimination = Elimination(factor.block(proposals), start)
    equal = keys(data, proposals)
    for j, key in enumerate(equal):
        if len(picked) < m and key not in picked and uniforms[j] * start[j] < elimination.left[j]:
            elimination.take(j)
            picked[key] = proposals[j]
    done = [i for i, key in zip(proposals, equal, strict=True) if key in picked]
    if elimination.taken:
        factor = factor.extended([proposals[j] for j in elimination.taken], elimination.factor)
    return factor.without(done)

"""Pivoted Cholesky: the row that is explained worst comes next."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_rows, constant, rows, warn_reduced
from kerneltools.landmarks.pivoted import partial_cholesky
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class Greedy:
    """m rows, each the one of greatest residual k(x, x) - |φ(x)|² given those before.

    Cholesky with complete pivoting (Fine and Scheinberg 2001): deterministic; the greatest residual is the greatest
    error of any k(x, y). It goes for outliers, and its mean error is worse than that of `RPCholesky` where many rows
    lie close together. Work and memory are those of `RPCholesky`, one row at a time. Of equal residuals the first
    row's counts.

    Stops where all residuals are below `tolerance` times k(x, x), by default the rounding of the kernel's type:
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
            pick = _first_greatest(factor.residual)
            picked.append(pick)
            factor = factor.extended([pick], factor.residual[[pick], None] ** 0.5)
        warn_reduced(self.m, len(picked), "rows that the kernel tells apart", x.shape[0])
        return Landmarks(rows(x, picked), tuple(picked))


def _first_greatest(residual: Host) -> int:
    """Numbers that differ by rounding are equal, so that all libraries take the same row."""
    near = residual >= residual.max() * (1 - 1e-12)
    return int(namespace(near).argmax(near))

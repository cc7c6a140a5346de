"""Landmarks drawn at random."""

from dataclasses import dataclass

from kerneltools.arrays import Array
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_rows, distinct, rows, warn_reduced
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class Uniform:
    """m distinct rows, drawn uniformly without replacement.

    Equal rows count as one. Raises ValueError for m < 1 and for x without rows or with NaN.
    """

    m: int

    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d)"""
        check_rows(x, self.m)
        order = generator(rng).permutation(x.shape[0]).tolist()
        chosen = distinct(x, order, self.m)
        warn_reduced(self.m, len(chosen), "distinct rows", x.shape[0])
        return Landmarks(rows(x, chosen), tuple(chosen))

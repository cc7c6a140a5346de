"""Kernels that are functions of <x, y> alone."""

from dataclasses import dataclass
from numbers import Real

from kerneltools.arrays import Array
from kerneltools.kernels.base import InnerProductKernel
from kerneltools.trees import static


@dataclass(frozen=True)
class Linear(InnerProductKernel):
    """k(x, y) = <x, y>."""

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return inner

    @property
    def homogeneous(self) -> bool:
        return True


@dataclass(frozen=True)
class Polynomial(InnerProductKernel):
    """k(x, y) = (<x, y> + offset)^degree.

    `degree` an integer >= 1, `offset` >= 0. Positive semi-definite; unbounded.
    Raises ValueError for a degree or an offset outside these ranges.
    """

    degree: int = static(2)
    offset: float | Array = 0.0

    def __post_init__(self) -> None:
        check_degree(self.degree)
        if isinstance(self.offset, Real) and not 0 <= float(self.offset) < float("inf"):
            raise ValueError(f"offset: expected a finite number >= 0, got {self.offset}")

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return (inner + self.offset) ** self.degree


def check_degree(degree: int) -> None:
    """Raise ValueError unless the degree is an integer >= 1."""
    if not isinstance(degree, int) or degree < 1:
        raise ValueError(f"degree: expected an integer >= 1, got {degree!r}")

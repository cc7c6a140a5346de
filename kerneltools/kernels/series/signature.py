"""Kernels of series as paths: inner products of their iterated integrals."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kerneltools.alignments import goursat, signature_levels
from kerneltools.arrays import Array, namespace, require_count, require_finite, safe_sqrt
from kerneltools.kernels.base import Kernel, check_parts
from kerneltools.kernels.series.base import SeriesKernel
from kerneltools.kernels.series.blocks import time_first
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.structures import Ragged
from kerneltools.trees import static


class OfIncrements(SeriesKernel):
    """A kernel of the second differences of a kernel of points, m_ij = Δ_i Δ_j k₁(x_i, y_j).

    A new kernel defines `of_products`.
    """

    held: ClassVar[int] = 2**19

    kernel: Kernel

    @property
    def indefinite(self) -> bool:
        return self.kernel.indefinite

    @abstractmethod
    def of_products(self, products: Array) -> Array:
        """(S - 1, T - 1, *p) -> (..., *p)"""

    def of_pairs(self, x: Ragged, y: Ragged) -> Array:
        """-> (..., n, m)"""
        a, b = time_first(x), time_first(y)
        value = self.kernel(_rows(a), _rows(b))
        xp = namespace(value)
        value = xp.reshape(value, (a.shape[0], a.shape[1], b.shape[0], b.shape[1]))
        return self.of_products(_differences(xp.permute_dims(value, (0, 2, 1, 3))))

    def of_each(self, x: Ragged) -> Array:
        """-> (..., n)"""
        a = time_first(x)
        values = [self.kernel(a[:, number, :], a[:, number, :]) for number in range(len(x))]
        return self.of_products(_differences(namespace(*values).stack(values, axis=-1)))


@dataclass(frozen=True)
class Signature(OfIncrements):
    """k(x, y) = Σ_l k_l(x, y), l = 0..depth: inner products of the signatures of two paths up to a level.

    (n,), (m,) series -> (n, m)

    k_l is the sum of Π m(i_p, j_p) over i_1 < ... < i_l and j_1 < ... < j_l, where m(i, j) = Δ_i Δ_j k₁(x_i, y_j) are
    second differences of the `kernel` of points k₁, and k_0 = 1. `order`, 1..depth: up to so many equal numbers i_p =
    i_(p+1) = ... are allowed, q of them with the weight 1/q!; with order = depth and a linear kernel these are the
    signatures of piecewise linear paths, exactly (Király and Oberhauser 2019, algorithms 3 and 6). `normalised`: the
    mean over l of k_l(x, y) / √(k_l(x, x) k_l(y, y)), where a level that is 0 counts as 0; values in [-1, 1]. Lengths
    may differ. Repeated points change nothing; for a linear k₁, shifts change nothing either. Positive semi-definite if
    k₁ is.

    The time is proportional to depth · order² times the product of the lengths, and memory is at least that of one
    pair. Raises ValueError for empty series, and for those of more than `longest` points, with the time and memory they
    would take; MemoryError if there is no room for a pair.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of([np.asarray([0.0, 1.0, 3.0]), np.asarray([2.0, 4.0])])
    >>> Signature(2, Linear(), order=2)(x, x)
    array([[30.25, 16.  ],
           [16.  ,  9.  ]])
    """

    depth: int = field(metadata={"static": True})
    kernel: Kernel
    order: int = static(1)
    normalised: bool = static(False)
    longest: int = static(10_000)

    def __post_init__(self) -> None:
        require_count("depth", self.depth)
        check_parts("kernel", self.kernel)
        require_count("order", self.order)
        if self.order > self.depth:
            raise ValueError(f"order: expected 1 to depth = {self.depth}, got {self.order}")
        require_count("longest", self.longest)

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        x, y = self.checked(x), self.checked(y, "y") if y is not x else x
        if not self.normalised:
            return self.of_all_pairs(x, y, lambda a, b: _total_of_levels(self.of_pairs(a, b)))
        return self.of_all_pairs(x, y, self._cosines)

    @in_single
    def diag(self, x: Any) -> Array:
        x = self.checked(x)
        return self.of_all(x, self._own)

    def levels(self, x: Any, y: Any) -> Array:
        """k_l(x, y) of each level, not normalised: (n,), (m,) -> (depth + 1, n, m)"""
        x, y = self.checked(x), self.checked(y, "y") if y is not x else x
        return self.of_all_pairs(x, y, self.of_pairs)

    def cells(self, length: int) -> int:
        return self.depth * self.order**2 * length**2

    def area(self, s: int, t: int) -> int:
        return s * t * self.order**2

    def of_products(self, products: Array) -> Array:
        return signature_levels(products, self.depth, self.order)

    def _own(self, x: Ragged) -> Array:
        levels = self.of_each(x)
        xp = namespace(levels)
        if not self.normalised:
            return _total_of_levels(levels)
        return xp.mean(xp.where(levels > 0, xp.ones_like(levels), xp.zeros_like(levels)), axis=0)

    def _cosines(self, x: Ragged, y: Ragged) -> Array:
        a, b = (reciprocal(safe_sqrt(_positive(self.of_each(one)))) for one in (x, y))
        value = self.of_pairs(x, y) * a[:, :, None] * b[:, None, :]
        return namespace(value).mean(value, axis=0)


@dataclass(frozen=True)
class SignaturePDE(OfIncrements):
    """k(x, y) = the inner product of the whole signatures of two paths, from the equation that it solves.

    (n,), (m,) series -> (n, m)

    It is K(s, t) at the end of both paths, with ∂²K/∂s∂t = K m(s, t) and K = 1 on the edges, where m are second
    differences of the `kernel` of points; each step is cut into 2^`refinement` >= 1 pieces, and the error falls with
    the square of a piece (Salvi et al. 2021). Lengths may differ. Repeated points change nothing; for a linear kernel,
    shifts change nothing either. Values grow exponentially with the lengths of paths: scale the series to about 1.
    Positive semi-definite up to the error.

    The time is proportional to 4^refinement times the product of the lengths. Raises ValueError for empty series, for
    those of more than `longest` points, with the time and memory they would take, and for values that overflow.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of([np.asarray([0.0, 1.0])])
    >>> SignaturePDE(Linear(), refinement=3)(x, x).round(3)  # the Bessel function I_0(2)
    array([[2.28]])
    """

    kernel: Kernel
    refinement: int = static(0)
    longest: int = static(10_000)

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)
        require_count("refinement", self.refinement, 0)
        require_count("longest", self.longest)

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        x, y = self.checked(x), self.checked(y, "y") if y is not x else x
        return self._in_range(self.of_all_pairs(x, y, self.of_pairs))

    @in_single
    def diag(self, x: Any) -> Array:
        return self._in_range(self.of_all(self.checked(x), self.of_each))

    def cells(self, length: int) -> int:
        return length**2 << 2 * self.refinement

    def area(self, s: int, t: int) -> int:
        return 2 * s * t + (min(s, t) << self.refinement)

    def of_products(self, products: Array) -> Array:
        return goursat(products, self.refinement)

    def _in_range(self, values: Array) -> Array:
        try:
            require_finite(values=values)
        except ValueError as error:
            raise ValueError(
                f"{error}: kernel values of {self!r} grow exponentially with the lengths of paths; scale the series "
                "down, or take Signature(depth, kernel)"
            ) from error
        return values


def _total_of_levels(levels: Array) -> Array:
    return namespace(levels).sum(levels, axis=0)


def _rows(points: Array) -> Array:
    return namespace(points).reshape(points, (-1, points.shape[2]))


def _differences(value: Array) -> Array:
    """(S, T, *p) -> (S - 1, T - 1, *p)"""
    value = value[1:, ...] - value[:-1, ...]
    return value[:, 1:, ...] - value[:, :-1, ...]


def _positive(value: Array) -> Array:
    xp = namespace(value)
    return xp.maximum(value, xp.zeros_like(value))

"""Distances between rows, and kernels that are functions of them."""

from abc import abstractmethod
from math import sqrt

from kerneltools.arrays import (
    A,
    Array,
    device_of,
    evenly,
    indices_like,
    namespace,
    require_beside,
    require_count,
    require_finite,
    require_floating,
    require_rank,
    widest_float,
)
from kerneltools.backend import stop_gradient
from kerneltools.kernels.base import Kernel, check_positive, check_rows, row_norms
from kerneltools.kernels.spectral import Law
from kerneltools.pairwise import differentiable_distances
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.trees import child_names


class Radial(Kernel):
    """k(x, y) = κ(r²) with κ(0) = 1, where r = |x - y| / ℓ; if ℓ is (d,), each column has its own unit.

    A new kernel defines `lengths`, which returns its ℓ, and `of_square`.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Student(Radial):
    ...     lengthscale: float = 1.0
    ...     @property
    ...     def lengths(self):
    ...         return self.lengthscale
    ...     def of_square(self, square):
    ...         return 1 / (1 + square) ** 2
    >>> Student(2.0)(np.array([[0.0]]), np.array([[0.0], [2.0], [4.0]]))
    array([[1.  , 0.25, 0.04]])
    """

    @property
    @abstractmethod
    def lengths(self) -> float | Array:
        """ℓ, () or one for each column (d,)."""

    @abstractmethod
    def of_square(self, square: Array) -> Array:
        """κ(r²) for each entry: any shape -> the same shape."""

    @property
    def spectral(self) -> Law | None:
        """The law of the frequencies for ℓ = 1, if it is known."""
        return None

    @property
    def euclidean(self) -> bool:
        return not _is_vector(self.lengths)

    @property
    def by_inner_products(self) -> bool:
        return not _is_vector(self.lengths)

    @property
    def by_differences(self) -> bool:
        return True

    @in_single
    def __call__(self, x: A, y: Array) -> A:
        values: A = self.of_square(differentiable_distances(*scaled_rows(self, self.lengths, x, y)))
        return values

    def diag(self, x: A) -> A:
        ones: A = ones_on_diagonal(self, self.lengths, x)
        return ones

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        if _is_vector(self.lengths):
            return super().from_inner(inner, x_norm, y_norm)
        square = x_norm * x_norm + y_norm * y_norm - 2 * inner
        xp = namespace(square)
        return self.of_square(xp.maximum(square, xp.zeros_like(square)) / self.lengths**2)


@in_single
def square_distances(x: Array, y: Array) -> Array:
    """|x - y|² for all pairs of rows, by matrix products.

    (n, d), (m, d) -> (n, m)

    Each is exact up to a few roundings of itself, wherever the rows lie and whatever the other rows are
    (docs/decisions/0012-distances.md). Equal rows have the distance 0.

    >>> import numpy as np
    >>> square_distances(np.asarray([[0.0, 0.0]]), np.asarray([[3.0, 4.0], [0.0, 1.0]]))
    array([[25.,  1.]])
    """
    check_rows(x, y)
    return differentiable_distances(x, y, unit_scale(x))


def median_distance(x: Array, rows: int = 512) -> float:
    """The median of |x_i - x_j| over the pairs of distinct rows: (n, d) -> number > 0

    It looks at no more than `rows` rows, evenly spaced, so that the time does not grow with n. A row that is far from
    all others and rows that occur many times hardly change it; a constant column does not change it at all.

    Raises ValueError for NaN and infinities, with their place, and if all rows are equal.
    """
    require_floating(x=x)
    require_rank(2, "(n, d)", x=x)
    require_count("rows", rows)
    n = int(x.shape[0])
    if n:
        xp = namespace(x)
        # Evenly over all rows: the last ones count too.
        x = xp.take(xp.astype(stop_gradient(x), widest_float(x)), indices_like(evenly(n, rows), x), axis=0)
        require_finite(x=x)
        found = xp.sort(xp.reshape(square_distances(x, x), (-1,)))
        zeros = int(xp.count_nonzero(found == 0))
        if zeros < found.shape[0]:
            return sqrt(float(found[zeros + (found.shape[0] - zeros) // 2]))
    raise ValueError(f"x: expected rows that differ, got {n} without a distance between any two")


def chords(x: Array, y: Array) -> tuple[Array, Array]:
    """|u - v|² and |u + v|² of the rows divided by their norms, each exact up to a few roundings of itself.

    (n, d), (m, d) -> (n, m), (n, m)

    They keep the digits of an angle near 0 and near π that its cosine loses. Zero rows stay zero.
    """
    (u, v), scale = map(_unit, (x, y)), unit_scale(x)
    return differentiable_distances(u, v, scale), differentiable_distances(u, -v, scale)


def _unit(x: Array) -> Array:
    return x * reciprocal(row_norms(x))[:, None]


def scaled_rows(kernel: Kernel, lengths: float | Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The rows, and 1 / ℓ for each column, after checks: () or (d,), (n, d), (m, d) -> (n, d), (m, d), (d,)."""
    check_rows(x, y)
    check_columns(child_names(kernel)[0], lengths, x)
    scale = 1 / lengths * unit_scale(x)  # in this order, for lengths may be traced
    spaces = namespace(x), namespace(scale)
    if spaces[0] is spaces[1] or any(hasattr(xp, "traced_library") for xp in spaces):
        return x, y, scale
    # Beside lengths that JAX traces, rows of NumPy are constants.
    return spaces[1].asarray(x), spaces[1].asarray(y), scale


def unit_scale(x: Array) -> Array:
    """1 for each column: (n, d) -> (d,)"""
    return namespace(x).ones((x.shape[1],), dtype=x.dtype, device=device_of(x))


def ones_on_diagonal(kernel: Kernel, lengths: float | Array, x: Array) -> Array:
    """The diagonal of a kernel of x - y with κ(0) = 1: (n, d) -> (n,)."""
    require_floating(x=x)
    require_rank(2, "(n, d)", x=x)
    check_columns(child_names(kernel)[0], lengths, x)
    return namespace(x).ones_like(x[:, 0])


def check_lengths(name: str, lengths: float | Array) -> None:
    """Raise unless the lengthscale is a finite number > 0 or an array () or (d,) of such numbers."""
    check_positive(name, lengths)
    shape = tuple(getattr(lengths, "shape", ()))
    if len(shape) > 1:
        raise ValueError(f"{name}: expected a number or (d,), one for each column, got shape {shape}")


def check_columns(name: str, lengths: float | Array, x: Array) -> None:
    """Raise ValueError for lengthscales of other columns or on another device than x, TypeError for another library."""
    require_beside(x, lengths)
    given = tuple(getattr(lengths, "shape", ()))
    if given not in ((), (x.shape[1],)):
        raise ValueError(
            f"{name}: expected a number, or one for each of the {x.shape[1]} columns of x with shape "
            f"{tuple(x.shape)}, got shape {given}"
        )


def _is_vector(lengths: float | Array) -> bool:
    return getattr(lengths, "ndim", 0) > 0

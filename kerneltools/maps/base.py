"""What a feature map is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, overload

from kerneltools.arrays import A, Array, asarray_like, holds, namespace, points_of, require_count, require_floating
from kerneltools.kernels import Kernel
from kerneltools.precision import in_single, is_half
from kerneltools.primitives import by_rows
from kerneltools.structures.base import Collection, by_objects, is_collection
from kerneltools.trees import Tree

CACHED = 2**21
"""Numbers that are worked on at a time: blocks of rows of that size stay in a processor's cache."""


class Map(Tree, ABC):
    """A feature map φ with φ(x)·φ(y) close to k(x, y): a frozen dataclass, prepared once.

    A new map has a field or property `kernel` and defines `dimension`, `columns` and `of_rows`.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools.kernels import Polynomial
    >>> @dataclass(frozen=True, eq=False)
    ... class SquareOfTwo(Map):
    ...     kernel: Kernel = Polynomial(2, 0.0)
    ...     dimension, columns = 3, 2
    ...     def of_rows(self, x):
    ...         return np.stack([x[:, 0] ** 2, x[:, 1] ** 2, 2**0.5 * x[:, 0] * x[:, 1]], axis=1)
    >>> phi, x = SquareOfTwo(), np.array([[1.0, 2.0], [3.0, 0.0]])
    >>> (phi(x) @ phi(x).T).round(9).tolist() == Polynomial(2, 0.0)(x, x).tolist()
    True
    """

    kernel: Kernel
    at_once: ClassVar[int] = CACHED
    """The number of features that `of_rows` is asked for at a time."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """m, the number of features."""

    @property
    @abstractmethod
    def columns(self) -> int | None:
        """d, the number of columns of x; None if x is a collection of objects."""

    @abstractmethod
    def of_rows(self, x: Array) -> Array:
        """The features of rows that are already checked: (n, d) -> (n, m)."""

    @overload
    def __call__(self, x: A) -> A: ...

    @overload
    def __call__(self, x: Collection) -> Array: ...

    @in_single
    def __call__(self, x: Any) -> Array:
        """(..., d) -> (..., m)

        Raises ValueError for another number of columns, TypeError for numbers that are not floating-point.
        """
        self._check(x)
        return of_examples(x, self.of_rows, rows_of_block(self), self)

    def _check(self, x: Array) -> None:
        require_floating(x=x)
        if x.ndim < 1 or x.shape[-1] != self.columns:
            raise ValueError(f"x: expected (..., {self.columns}) {self._made_for()}, got {tuple(x.shape)}")

    def _made_for(self) -> str:
        return f"for a map that was made for {self.columns} columns"


def of_examples(x: Any, f: Callable[[Any], Array], block: int, *parts: Any) -> Array:
    """f on all vectors or objects of x, `block` of them at a time: (..., d), f: (b, d) -> (b, ...) -> (..., ...)

    `parts`: what f computes with, as in `by_rows`.
    """
    if is_collection(x):
        return by_objects(x, f, block)
    values = by_rows(points_of(x), f, block, *parts)
    # Where a map is differentiated and x is constant, its values are of another namespace than x.
    return namespace(values).reshape(values, (*x.shape[:-1], *values.shape[1:]))


def rows_of_block(phi: Map) -> int:
    """How many rows are worked on at a time."""
    return max(64, phi.at_once // max(1, phi.dimension))


def require_finite_features(features: Array, first: int) -> None:
    """Raise ValueError, with the row, if features of finite rows are not finite; `first`: the first row's number.

    Does nothing inside a trace, where numbers are not known.
    """
    xp = namespace(features)
    good = xp.all(xp.isfinite(features), axis=1)
    if not holds(xp.all(good)):
        row = first + int(xp.argmin(xp.astype(good, xp.int8)))
        raise ValueError(
            f"phi: expected finite features, got others for row {row} of x: the row is out of the range of the map in "
            f"{features.dtype}; leave such rows out, scale the data down, or compute in float64"
        )


def inner_products(x: Array, weights: Array) -> Array:
    """<x, w>, in the type of the data: (n, d), (m, d) -> (n, m)"""
    weights = in_type_of(weights, x)
    return x @ namespace(weights, x).matrix_transpose(weights)


def in_type_of(parameter: Array, x: Array) -> Array:
    """A parameter in the type of the data, so that results are in that type."""
    if parameter.dtype == x.dtype:
        return parameter
    return namespace(parameter, x).astype(parameter, x.dtype)


def placed(values: Array, like: Array | None) -> Array:
    """Numbers drawn on the host, in the library, type and device of `like`; unchanged if `like` is None.

    For half precision they are kept in float32: rounded, they would be other frequencies.
    """
    if like is None:
        return values
    require_floating(like=like)
    return asarray_like(values, like, namespace(like).float32 if is_half(like) else like.dtype)


def check_even(m: int) -> None:
    """Raise ValueError unless m is an even number >= 2."""
    require_count("m", m)
    if m % 2:
        raise ValueError(f"m: expected an even number, for features come in pairs, got {m}; take {m + 1}")

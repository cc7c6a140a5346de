"""Pooling of maps on grids: (n, *grid, c) -> (n, *positions, c).

Gaussian, mean and sum are linear: along each axis they are one product with a banded matrix, which is differentiable
everywhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import exp, prod
from typing import Protocol

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.patches.grid import Grid, require_grid
from kerneltools.precision import in_single
from kerneltools.primitives import extract_patches, primitive
from kerneltools.trees import Tree, static


class Pool(Protocol):
    """A pool over grids.

    >>> import numpy as np
    >>> class Corner:
    ...     def __call__(self, x):
    ...         return x[:, :1, :1, :]
    >>> Corner()(np.ones((2, 8, 8, 3))).shape
    (2, 1, 1, 3)
    """

    def __call__(self, x: Array) -> Array:
        """(n, *grid, c) -> (n, *positions, c)."""


class LinearPool(Tree, ABC):
    """A pool that is the same linear map along each axis.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Differences(LinearPool):
    ...     def matrix(self, points, like):
    ...         return np.eye(points - 1, points, 1) - np.eye(points - 1, points)
    >>> Differences()(np.array([[[1.0], [4.0], [9.0]]])).ravel()
    array([3., 5.])
    """

    @abstractmethod
    def matrix(self, points: int, like: Array) -> Array:
        """The map along an axis with that many points: (positions, points), in the library of `like`."""

    @in_single
    def __call__(self, x: Array) -> Array:
        """(n, *grid, c) -> (n, *positions, c)."""
        require_grid(x, "x")
        for axis in range(1, x.ndim - 1):
            x = self.along(x, axis)
        return x

    def along(self, x: Array, axis: int) -> Array:
        """The pool along one axis only."""
        xp = namespace(x)
        matrix = self.matrix(x.shape[axis], x)
        # One matrix product for each index before the axis; all that is behind it is one long row.
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        flat = xp.reshape(x, (*before, x.shape[axis], prod(after)))
        return xp.reshape(xp.matmul(matrix, flat), (*before, matrix.shape[0], *after))


@dataclass(frozen=True)
class Gaussian(LinearPool):
    """Gaussian weights at distances t = -s..s, of standard deviation s/√2, with one output every s points.

    (n, *grid, c) -> (n, *positions, c), with floor((points - 1) / s) + 1 positions, centred at 0, s, 2s, ...

    `subsampling` s in 1..1,000,000, in grid points; 1 changes nothing. The weights sum to 1; outside the grid, values
    are 0, without renormalisation (Mairal 2016, §2.2).

    >>> import numpy as np
    >>> pool, x = Gaussian(subsampling=2), np.zeros((1, 5, 1))
    >>> x[0, 2, 0] = 1.0
    >>> pool(x).round(3).ravel(), pool.positions(5)
    (array([0.112, 0.304, 0.112]), 3)
    """

    subsampling: int = static(2)

    def __post_init__(self) -> None:
        if self.subsampling is None:
            raise ValueError("subsampling: expected an integer >= 1, got None")
        _check(subsampling=self.subsampling)

    def __call__(self, x: Array) -> Array:
        """(n, *grid, c) -> (n, *positions, c)."""
        return x if self.subsampling == 1 else smoothed(x, self)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights at distances -s..s, with sum 1; the single weight 1 for s = 1."""
        s = self.subsampling
        if s == 1:
            return (1.0,)
        values = [exp(-((t / s) ** 2)) for t in range(-s, s + 1)]
        total = sum(values)
        return tuple(value / total for value in values)

    def positions(self, points: int) -> int:
        """How many outputs an axis with that many points has."""
        return (points - 1) // self.subsampling + 1

    def matrix(self, points: int, like: Array) -> Array:
        s = self.subsampling
        xp = namespace(like)
        if s == 1:
            return xp.eye(points, dtype=like.dtype, device=device_of(like))
        t = _distances(self.positions(points), points, s, like) / s
        weights = xp.exp(-t * t) * self.weights[s]
        return xp.where(xp.abs(t) <= 1, weights, xp.zeros_like(weights))


@primitive
def smoothed(x: Array, pool: Gaussian) -> Array:
    """The pool along one axis after the other.

    (n, *grid, c) -> (n, *positions, c)

    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((1, 4, 4, 1))
    >>> smoothed(x, Gaussian(2)).shape, bool(np.array_equal(smoothed(x, Gaussian(2)), Gaussian(2)(x)))
    ((1, 2, 2, 1), True)
    """
    return LinearPool.__call__(pool, x)


@dataclass(frozen=True)
class Sum(LinearPool):
    """Sums over windows of `size` points, one every `stride` points (default: `size`), or over the whole grid.

    >>> import numpy as np
    >>> x = np.arange(4.0)[None, :, None]
    >>> Sum(2)(x).ravel(), Sum()(x).ravel()
    (array([1., 5.]), array([6.]))
    """

    size: int | None = static(None)
    stride: int | None = static(None)

    def __post_init__(self) -> None:
        _check(size=self.size, stride=self.stride)

    def matrix(self, points: int, like: Array) -> Array:
        size, stride = _size(self.size, self.stride, points)
        xp = namespace(like)
        t = _distances((points - size) // stride + 1, points, stride, like)
        inside = xp.logical_and(t >= 0, t < size)
        return xp.astype(inside, like.dtype)


@dataclass(frozen=True)
class Mean(LinearPool):
    """Means over windows of `size` points, one every `stride` points (default: `size`), or over the whole grid.

    >>> import numpy as np
    >>> x = np.arange(4.0)[None, :, None]
    >>> Mean(2)(x).ravel(), Mean()(x).ravel()
    (array([0.5, 2.5]), array([1.5]))
    """

    size: int | None = static(None)
    stride: int | None = static(None)

    def __post_init__(self) -> None:
        _check(size=self.size, stride=self.stride)

    def matrix(self, points: int, like: Array) -> Array:
        return Sum(self.size, self.stride).matrix(points, like) / _size(self.size, self.stride, points)[0]


@dataclass(frozen=True)
class Max(Tree):
    """The greatest value over windows of `size` points, one every `stride` points (default: `size`).

    (n, *grid, c) -> (n, *positions, c); over the whole grid without a size.

    >>> import numpy as np
    >>> x = np.array([3.0, 1.0, 2.0, 5.0])[None, :, None]
    >>> Max(2)(x).ravel(), Max(2, stride=1)(x).ravel()
    (array([3., 5.]), array([3., 2., 5.]))
    """

    size: int | None = static(None)
    stride: int | None = static(None)

    def __post_init__(self) -> None:
        _check(size=self.size, stride=self.stride)

    def __call__(self, x: Array) -> Array:
        """(n, *grid, c) -> (n, *positions, c)."""
        require_grid(x, "x")
        xp = namespace(x)
        grid = tuple(x.shape[1:-1])
        if self.size is None:
            return xp.max(x, axis=tuple(range(1, x.ndim - 1)), keepdims=True)
        windows = Grid(self.size, stride=self.stride or self.size, padding="valid")
        return xp.max(extract_patches(x, windows.window(grid)), axis=-2)


LARGEST = 1_000_000


def _distances(positions: int, points: int, stride: int, like: Array) -> Array:
    """Point minus position, in grid points: (positions, points)."""
    xp = namespace(like)
    device = device_of(like)
    centres = xp.arange(positions, dtype=like.dtype, device=device) * stride
    return xp.arange(points, dtype=like.dtype, device=device)[None, :] - centres[:, None]


def _size(size: int | None, stride: int | None, points: int) -> tuple[int, int]:
    whole = points if size is None else size
    if whole > points:
        raise ValueError(f"size: no window of {whole} points fits an axis of {points}")
    return whole, whole if stride is None else stride


def _check(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")
        # No grid has that many points along an axis; the weights alone would fill the memory.
        if value is not None and value > LARGEST:
            raise ValueError(f"{name}: expected an integer <= {LARGEST}, got {value}")

"""Kernels of some columns, of a precomputed matrix, and of a function of your own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerneltools.arrays import (
    Array,
    blocks,
    device_of,
    index_dtype,
    indices_like,
    namespace,
    require_beside,
    require_everywhere,
    require_floating,
    require_rank,
    safe_sqrt,
)
from kerneltools.backend import stop_gradient
from kerneltools.kernels.base import Kernel, check_parts, check_positive, check_rows, require_dataclass, step
from kerneltools.linalg import require_square
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.structures.base import Collection, is_collection, like_of, part
from kerneltools.structures.objects import Views
from kerneltools.trees import static


@dataclass(frozen=True)
class On(Kernel):
    """k(x, y) = k₁(x_J, y_J): a kernel of some columns J only, or of one view of `structures.Views`.

    `columns`: their numbers, a tuple of distinct integers >= 0. Sums and products of such kernels treat columns
    differently: `On((0, 1), Gaussian(2.0)) * On((2,), Periodic(24.0, 1.0))`. If examples are tuples, such as of a
    string and a vector, `columns` is the number of one view: `On(0, GappedKmer(11, 7))`. Positive semi-definite where
    k₁ is. Raises ValueError for numbers that repeat, are negative or beyond x.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear, On
    >>> On((0,), Linear())(np.asarray([[2.0, 5.0]]), np.asarray([[3.0, 7.0]]))
    array([[6.]])
    """

    columns: tuple[int, ...] = field(metadata={"static": True})
    kernel: Kernel

    def __post_init__(self) -> None:
        if not isinstance(self.kernel, Kernel):
            raise TypeError(f"kernel: expected a kernel, got {self.kernel!r}")
        columns = tuple(self.columns) if isinstance(self.columns, Sequence) else (self.columns,)
        object.__setattr__(self, "columns", columns)
        whole = all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in columns)
        if not columns or not whole or len(set(columns)) < len(columns):
            raise ValueError(f"columns: expected distinct integers >= 0, at least one, got {columns}")

    @property
    def indefinite(self) -> bool:
        return self.kernel.indefinite

    def raised(self, exponent: float) -> "On | None":
        inner = self.kernel.raised(exponent)
        return None if inner is None else On(self.columns, inner)

    def __call__(self, x: Any, y: Any) -> Array:
        if not isinstance(x, Views) and not isinstance(y, Views):
            check_rows(x, y)
        return self.kernel(self._part(x), self._part(y))

    def diag(self, x: Any) -> Array:
        if not isinstance(x, Views):
            require_rank(2, "(n, d)", x=x)
        return self.kernel.diag(self._part(x))

    def _part(self, x: Any) -> Any:
        if isinstance(x, Views):
            return self.view(x)
        if max(self.columns) >= x.shape[1]:
            raise ValueError(
                f"columns: there is no column {max(self.columns)} in x of shape {tuple(x.shape)} (they count from 0)"
            )
        xp = namespace(x)
        return xp.take(x, indices_like(list(self.columns), x), axis=1)

    def view(self, x: Views) -> Any:
        """The view of the examples that the kernel looks at."""
        if len(self.columns) > 1 or self.columns[0] >= len(x.views):
            raise ValueError(
                f"columns: expected the number of one view, 0 to {len(x.views) - 1}, for {x!r}, got {self.columns}"
            )
        return x.views[self.columns[0]]


@dataclass(frozen=True, eq=False)
class Precomputed(Kernel):
    """k(i, j) = matrix[i, j]: rows are not data but row numbers of a precomputed matrix.

    `matrix` (N, N), symmetric; rows of x are (n, 1), floating-point, and hold whole numbers from 0 to N - 1. (float32
    holds those up to 2²⁴, half precision up to 2048 or 256.) Landmarks, maps and solvers that need only kernel values
    work on the matrix. Positive semi-definite where the matrix is. Raises ValueError for rows of another form and for
    numbers that are out of range or not whole.

    >>> import numpy as np
    >>> k = Precomputed(np.asarray([[2.0, 1.0], [1.0, 3.0]]))
    >>> k(np.asarray([[1.0]]), np.asarray([[0.0], [1.0]]))
    array([[1., 3.]])
    """

    matrix: Array

    def __post_init__(self) -> None:
        require_square(self.matrix, "matrix")

    def __call__(self, x: Array, y: Array) -> Array:
        check_rows(x, y)
        xp = namespace(x, y, self.matrix)
        return xp.take(xp.take(self.matrix, self._numbers("x", x), axis=0), self._numbers("y", y), axis=1)

    def diag(self, x: Array) -> Array:
        require_floating(x=x)
        require_rank(2, "(n, 1)", x=x)
        xp = namespace(x, self.matrix)
        return xp.take(xp.linalg.diagonal(self.matrix), self._numbers("x", x), axis=0)

    def _numbers(self, name: str, x: Array) -> Array:
        """(n, 1) -> (n,), integers"""
        if x.shape[1] != 1:
            raise ValueError(f"{name}: expected (n, 1), row numbers of the matrix, got shape {tuple(x.shape)}")
        device_of(x, self.matrix)
        n = self.matrix.shape[0]
        flat = stop_gradient(x)
        xp = namespace(flat)
        good = (flat >= 0) & (flat < n) & (xp.floor(flat) == flat)
        require_everywhere(good, f"row numbers 0 to {n - 1} of a matrix of shape {(n, n)}", name, flat)
        return xp.astype(flat[:, 0], index_dtype(flat))


@dataclass(frozen=True)
class Function(Kernel):
    """k(x, y) = f(x, y), any function of two sets of rows, (n, d), (m, d) -> (n, m), in any array library.

    `diagonal`: the function (n, d) -> (n,) of the values k(x, x); without it they are the diagonals of f on a few rows
    at a time. f must be symmetric and positive semi-definite, which is not checked. It has gradients if it is written
    in the array library's own operations. Raises ValueError if f returns another shape.

    >>> import numpy as np
    >>> Function(lambda x, y: (x @ y.T) ** 2)(np.ones((1, 3)), np.ones((2, 3)))
    array([[9., 9.]])
    """

    f: Callable[[Any, Any], Any] = field(metadata={"static": True})
    diagonal: Callable[[Any], Any] | None = static(None)

    def __post_init__(self) -> None:
        if not callable(self.f):
            raise TypeError(f"f: expected a function of two sets of rows, got {self.f!r}")
        if self.diagonal is not None and not callable(self.diagonal):
            raise TypeError(f"diagonal: expected a function of a set of rows, or None, got {self.diagonal!r}")

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        if not is_collection(x) or not is_collection(y):
            check_rows(x, y)
        return _shaped(self.f(x, y), (x.shape[0], y.shape[0]), "f")

    @in_single
    def diag(self, x: Array) -> Array:
        if not is_collection(x):
            require_floating(x=x)
            require_rank(2, "(n, d)", x=x)
        if self.diagonal is not None:
            return _shaped(self.diagonal(x), (x.shape[0],), "diagonal")
        values = (self(some, some) for some in (part(x, rows) for rows in blocks(x.shape[0], _ROWS)))
        found = [namespace(value).linalg.diagonal(value) for value in values]
        like = like_of(x)
        xp = namespace(*found, like)
        return xp.concat(found) if found else xp.zeros((0,), dtype=like.dtype, device=device_of(like))


class _OfFeatures(Kernel):
    """A kernel of the features of another kernel, whatever objects that one compares."""

    kernel: Kernel

    @property
    def structure(self) -> type[Collection] | None:
        return self.kernel.structure

    @property
    def indefinite(self) -> bool:
        return self.kernel.indefinite

    @property
    def by_differences(self) -> bool:
        return self.kernel.by_differences

    def prepared(self, x: Any) -> Any:
        return self.kernel.prepared(x)


@dataclass(frozen=True)
class Normalised(_OfFeatures):
    """k(x, y) = k₁(x, y) / sqrt(k₁(x, x) k₁(y, y)): the cosine in feature space; 0 where k₁(x, x) is 0.

    For kernels that grow with the size of the objects, such as those that count. Positive semi-definite if k₁ is.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> Normalised(Linear())(np.asarray([[2.0, 0.0]]), np.asarray([[3.0, 3.0], [0.0, 5.0]])).round(3)
    array([[0.707, 0.   ]])
    """

    kernel: Kernel

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        value = self.kernel(x, y)
        return value * self._inverse_root(x)[:, None] * self._inverse_root(y)[None, :]

    @in_single
    def diag(self, x: Any) -> Array:
        return step(self.kernel.diag(x))

    def _inverse_root(self, x: Any) -> Array:
        return reciprocal(safe_sqrt(self.kernel.diag(x)))


@dataclass(frozen=True)
class GaussianOf(_OfFeatures):
    """k(x, y) = exp(-|φ(x) - φ(y)|² / (2 bandwidth²)), for the features φ of another kernel k₁.

    |φ(x) - φ(y)|² is k₁(x, x) + k₁(y, y) - 2 k₁(x, y), for any k₁, also of strings, graphs and series. k₁ is usually
    `Normalised`, so that all squared distances are at most 2 (for k₁ >= 0). `bandwidth` > 0, a number or an array ().
    Values in [0, 1]; positive semi-definite if k₁ is. Raises ValueError for a bandwidth that is not finite and > 0.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> GaussianOf(Normalised(Linear()), 1.0)(np.asarray([[2.0, 0.0]]), np.asarray([[3.0, 0.0], [0.0, 5.0]])).round(3)
    array([[1.   , 0.368]])
    """

    kernel: Kernel
    bandwidth: float | Array = 1.0

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)
        check_positive("bandwidth", self.bandwidth)

    def raised(self, exponent: float) -> "GaussianOf":
        return GaussianOf(self.kernel, self.bandwidth / exponent**0.5)

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        value = self.kernel(x, y)
        require_beside(value, self.bandwidth)
        square = self.kernel.diag(x)[:, None] + self.kernel.diag(y)[None, :] - 2 * value
        xp = namespace(square)
        # Of equal objects a rounding error is left, which may be negative.
        return xp.exp(-0.5 * xp.where(square < 0, xp.zeros_like(square), square) / self.bandwidth**2)

    @in_single
    def diag(self, x: Any) -> Array:
        value = self.kernel.diag(x)
        return namespace(value).exp(0.0 * value)


# A diagonal out of matrices of so many rows: few calls of the function, few values in vain.
_ROWS = 16


def as_kernel(kernel: Kernel | Callable[[Any, Any], Any]) -> Kernel:
    """A kernel unchanged, and a function of two sets of rows as a kernel; see `Function`.

    Raises TypeError for anything else, and for a kernel whose class is no dataclass.

    >>> import numpy as np
    >>> kernel = as_kernel(lambda x, y: (1 + x @ y.T) ** 2)
    >>> (2.0 * kernel)(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]))
    array([[288.]])
    """
    if isinstance(kernel, Kernel):
        require_dataclass(kernel)
        return kernel
    if isinstance(kernel, type):
        raise TypeError(f"kernel: expected a kernel, got the class {kernel.__name__}; write {kernel.__name__}(...)")
    if not callable(kernel):
        raise TypeError(f"kernel: expected a kernel or a function of two sets of rows, got {kernel!r}")
    return Function(kernel)


def _shaped(value: Array, shape: tuple[int, ...], name: str) -> Array:
    if tuple(getattr(value, "shape", ())) != shape:
        got = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
        raise ValueError(f"{name}: expected an array of shape {shape} from it, got {got}")
    return value

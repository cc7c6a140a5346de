"""What a kernel is, and how kernels add, multiply and scale."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from functools import reduce, wraps
from math import inf
from numbers import Real
from operator import add, mul
from typing import Any, ClassVar

from kerneltools.arrays import (
    A,
    Array,
    device_of,
    holds,
    is_whole,
    namespace,
    require_beside,
    require_everywhere,
    require_floating,
    require_number,
    require_rank,
    require_real,
    safe_sqrt,
)
from kerneltools.backend import stop_gradient
from kerneltools.precision import in_single
from kerneltools.primitives import program
from kerneltools.structures.base import Collection, is_collection
from kerneltools.trees import Tree, static, together


class Kernel(Tree, ABC):
    """A positive semi-definite function of two vectors.

    A frozen dataclass: its fields are its parameters, numbers or arrays to differentiate. A new kernel defines
    `__call__` and `diag`, or, as an `InnerProductKernel`, only `from_inner`. `__call__` and `diag` then raise TypeError
    for a class that is no dataclass, and ValueError for values of another shape than the ones below.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools import maps
    >>> @dataclass(frozen=True)
    ... class BrownianMotion(Kernel):
    ...     def __call__(self, x, y):
    ...         return np.minimum(x, y.T)
    ...     def diag(self, x):
    ...         return x[:, 0]
    >>> times = np.array([[1.0], [2.0], [4.0]])
    >>> phi = maps.nystrom(BrownianMotion(), times)
    >>> (phi(times) @ phi(times).T).round(6)
    array([[1., 1., 1.],
           [1., 2., 2.],
           [1., 2., 4.]])
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not cls.__module__.startswith("kerneltools."):
            for name in ("__call__", "diag"):
                if not hasattr(getattr(cls, name), "checks_values"):
                    setattr(cls, name, _checked(getattr(cls, name)))

    @abstractmethod
    def __call__(self, x: Array, y: Array) -> Array:
        """Kernel values of all pairs of rows: (n, d), (m, d) -> (n, m)."""

    @abstractmethod
    def diag(self, x: Array) -> Array:
        """k(x, x) for each row: (n, d) -> (n,)."""

    @property
    def structure(self) -> type[Collection] | None:
        """The collection of the objects that the kernel compares; None for rows, and for kernels of any objects."""
        return None

    def prepared(self, x: Any) -> Any:
        """The objects in the form in which kernel values are cheapest, for objects that are used many times."""
        return x

    @property
    def by_inner_products(self) -> bool:
        """Whether `from_inner` exists: the value is a function of <x, y>, |x| and |y|."""
        return False

    @property
    def by_differences(self) -> bool:
        """Whether the kernel is or has a function of x - y: `from_inner` is inaccurate for it far from the origin."""
        return False

    @property
    def homogeneous(self) -> bool:
        """Whether k(a x, b y) = a b k(x, y) for a, b >= 0, so that landmarks may live on the unit sphere."""
        return False

    @property
    def euclidean(self) -> bool:
        """Whether the value is a function of |x - y|, so that landmarks may be means of rows."""
        return False

    @property
    def indefinite(self) -> bool:
        """Whether Gram matrices may have negative eigenvalues: then there is no Cholesky factor and no feature map."""
        return False

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        """Kernel values from inner products and norms, which broadcast against them."""
        raise TypeError(f"{type(self).__name__} is not a function of inner products and norms")

    def __add__(self, other: "Kernel") -> "Sum":
        return Sum((self, other)) if isinstance(other, Kernel) else NotImplemented

    def __mul__(self, other: "Kernel | float | Array") -> "Product | Scaled":
        return Product((self, other)) if isinstance(other, Kernel) else Scaled(other, self)

    def __rmul__(self, scale: float | Array) -> "Scaled":
        return Scaled(scale, self)

    def raised(self, exponent: float) -> "Kernel | None":
        """The kernel k^exponent, if it is a kernel for any exponent > 0; by default None: only integer powers are."""
        del exponent
        return None

    def __pow__(self, exponent: float) -> "Kernel":
        if is_whole(exponent):
            return Power(self, int(exponent))
        return _raised(self, exponent) or Power(self, exponent)  # type: ignore[arg-type]  # which refuses it

    # NumPy then leaves `array * kernel` to the kernel.
    __array_ufunc__ = None


class InnerProductKernel(Kernel):
    """A kernel that is a function of <x, y>, |x| and |y|; a new one defines only `from_inner`.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class SquaredCosine(InnerProductKernel):
    ...     def from_inner(self, inner, x_norm, y_norm):
    ...         return (inner / (x_norm * y_norm)) ** 2
    >>> SquaredCosine()(np.array([[3.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])).round(4)
    array([[0.5, 0. ]])
    """

    @property
    def by_inner_products(self) -> bool:
        return True

    @property
    def degree(self) -> int | None:
        """The n for which k(a x, b y) = (a b)^n k(x, y) for a, b > 0: rows of any scale keep their digits."""
        return None

    @abstractmethod
    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        """Kernel values from inner products and norms, which broadcast against them."""

    @in_single
    def __call__(self, x: A, y: Array) -> A:
        check_rows(x, y)
        values: A = self._of_rows(x, y) if self.degree is None else self._of_any_size(x, y, self.degree)
        return values

    def _of_any_size(self, x: Array, y: Array, degree: int) -> Array:
        (x, of_x), (y, of_y) = _in_range(x), _in_range(y)
        value = self._of_rows(x, y)
        if of_x is not None:
            value = value * of_x[:, None] ** degree
        return value if of_y is None else value * of_y[None, :] ** degree

    def _of_rows(self, x: Array, y: Array) -> Array:
        across = namespace(x, y).matrix_transpose(y)
        return self.from_inner(x @ across, row_norms(x)[:, None], row_norms(y)[None, :])

    @in_single
    def diag(self, x: Array) -> Array:
        require_rank(2, "(n, d)", x=x)
        require_floating(x=x)
        norm = row_norms(x)
        return self.from_inner(norm * norm, norm, norm)


def _in_range(x: Array) -> tuple[Array, Array | None]:
    """The rows, divided by their greatest entry if their squares would over- or underflow; these entries, else 1.

    (n, d) -> (n, d), (n,); or None if all are in range, and inside a trace, where numbers are not known
    """
    xp = namespace(x)
    greatest = greatest_entries(x)
    limit = float(xp.finfo(x.dtype).max) ** 0.25
    out = (greatest > 0) & ((greatest < 1 / limit) | (greatest > limit)) & xp.isfinite(greatest)
    if holds(~xp.any(out)):
        return x, None
    size = xp.where(out, greatest, xp.ones_like(greatest))
    return x / size[:, None], size


def greatest_entries(x: Array) -> Array:
    """max_j |x_j| as a constant: (n, d) -> (n,)"""
    fixed = stop_gradient(x)
    xp = namespace(fixed)
    return xp.max(xp.abs(fixed), axis=1) if x.shape[1] else xp.zeros_like(xp.sum(fixed, axis=1))


@program
def row_norms(x: Array) -> Array:
    """|x| for each row, with derivative 0 at the zero row: (..., d) -> (...,)."""
    return safe_sqrt(namespace(x).sum(x * x, axis=-1))


def step(x: Array) -> Array:
    """1 for x > 0, NaN for NaN, 0 else."""
    xp = namespace(x)
    return xp.where(x <= 0, xp.zeros_like(x), xp.where(x > 0, xp.ones_like(x), x))


def check_rows(x: Array, y: Array) -> None:
    """Raise unless x is (n, d) and y is (m, d), both floating-point, of one library and on one device."""
    namespace(x, y)
    device_of(x, y)
    require_floating(x=x, y=y)
    require_rank(2, "(n, d)", x=x)
    require_rank(2, "(m, d)", y=y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"x, y: expected rows of the same length, got {tuple(x.shape)} and {tuple(y.shape)}: "
            f"{x.shape[1]} and {y.shape[1]} columns"
        )


def check_positive(name: str, value: float | Array) -> None:
    """Raise ValueError unless all numbers are finite and > 0, and TypeError for anything but a number or an array.

    (The numbers of a trace are not known: it passes.)
    """
    require_real(name, value, "a number > 0 or an array")
    if isinstance(value, Real):
        require_number(name, value, wanted="a finite number > 0")
    else:
        require_everywhere(namespace(value).isfinite(value) & (value > 0), "finite numbers > 0", name, value)


def _checked(method: Callable[..., Array]) -> Callable[..., Array]:
    """The method of a user's kernel, with an error that explains values of a wrong type or shape."""

    @wraps(method)
    def checking(self: Kernel, *rows: Array) -> Array:
        require_dataclass(self)
        value = method(self, *rows)
        if all(is_collection(x) or len(getattr(x, "shape", ())) == 2 for x in rows):
            _require_values(self, method.__name__, value, rows)
        return value

    vars(checking)["checks_values"] = True
    return checking


def require_dataclass(kernel: Kernel) -> None:
    """Raise TypeError unless the kernel's class is a dataclass."""
    if not is_dataclass(kernel):
        raise TypeError(
            f"kernel: {type(kernel).__name__} is no dataclass: write @dataclass(frozen=True) above the class, and its "
            "parameters as fields; docs/guides/new-kernel.md has an example"
        )


def _require_values(kernel: Kernel, method: str, value: Any, rows: tuple[Array, ...]) -> None:
    wanted = tuple(x.shape[0] for x in rows)
    got = tuple(value.shape) if hasattr(value, "shape") else None
    if got != wanted:
        form = "" if is_collection(rows[0]) else "rows of shape "
        given = " and ".join(repr(x) if is_collection(x) else str(tuple(x.shape)) for x in rows)
        raise ValueError(
            f"kernel: {method} of {kernel!r}, given {form}{given}: expected values of shape {wanted}, got "
            f"{type(value).__name__ if got is None else f'shape {got}'}"
        )


def _raised(kernel: Kernel, exponent: Any) -> Kernel | None:
    """The kernel k^exponent, or None if it is no kernel or the exponent is no finite number > 0."""
    known = not isinstance(exponent, bool) and isinstance(exponent, Real) and 0 < float(exponent) < inf
    return kernel.raised(float(exponent)) if known else None


def check_parts(name: str, parts: object) -> tuple[Kernel, ...]:
    """The kernels of a sum or product as a tuple. Raises TypeError for other objects, ValueError if there are none."""
    found = tuple(parts) if isinstance(parts, Sequence) else (parts,)
    for part in found:
        if not isinstance(part, Kernel):
            raise TypeError(f"{name}: expected kernels, got {part!r}")
        require_dataclass(part)
    if not found:
        raise ValueError(f"{name}: expected at least one kernel, got none")
    return found


class _OfSeveral(Kernel):
    """A kernel computed entry by entry from the values of several kernels."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Kernel, ...]:
        """The kernels."""

    @abstractmethod
    def join(self, values: list[Array]) -> Array:
        """The joint value of arrays that broadcast against one another, at least one."""

    @property
    def structure(self) -> type[Collection] | None:
        return next((k.structure for k in self.parts if k.structure is not None), None)

    @property
    def by_inner_products(self) -> bool:
        return all(k.by_inner_products for k in self.parts)

    @property
    def by_differences(self) -> bool:
        return any(k.by_differences for k in self.parts)

    @property
    def euclidean(self) -> bool:
        return all(k.euclidean for k in self.parts)

    @property
    def indefinite(self) -> bool:
        return any(k.indefinite for k in self.parts)

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        return self.join([k(x, y) for k in self.parts])

    @in_single
    def diag(self, x: Array) -> Array:
        return self.join([k.diag(x) for k in self.parts])

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return self.join([k.from_inner(inner, x_norm, y_norm) for k in self.parts])


@dataclass(frozen=True)
class Sum(_OfSeveral):
    """k(x, y) = Σ k_i(x, y): its features are those of all terms side by side.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> (Linear() + 0.5 * Linear() ** 2)(np.asarray([[2.0]]), np.asarray([[3.0]]))
    array([[24.]])
    """

    terms: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", check_parts("terms", self.terms))

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.terms

    @property
    def homogeneous(self) -> bool:
        return all(k.homogeneous for k in self.terms)

    def join(self, values: list[Array]) -> Array:
        return reduce(add, together(*values))


@dataclass(frozen=True)
class Product(_OfSeveral):
    """k(x, y) = Π k_i(x, y) (Schur's product theorem).

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian, Linear
    >>> (Gaussian(1.0) * Linear())(np.asarray([[2.0]]), np.asarray([[2.0]]))
    array([[4.]])
    """

    factors: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", check_parts("factors", self.factors))

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.factors

    def raised(self, exponent: float) -> Kernel | None:
        found = [k.raised(exponent) for k in self.factors]
        known = tuple(k for k in found if k is not None)
        return Product(known) if len(known) == len(found) else None

    def join(self, values: list[Array]) -> Array:
        return reduce(mul, together(*values))


class _OfOne(Kernel):
    """A kernel computed entry by entry from the values of one kernel."""

    kernel: Kernel

    @abstractmethod
    def changed(self, value: Array) -> Array:
        """Any shape -> the same shape"""

    @property
    def structure(self) -> type[Collection] | None:
        return self.kernel.structure

    def prepared(self, x: Any) -> Any:
        return self.kernel.prepared(x)

    @property
    def by_inner_products(self) -> bool:
        return self.kernel.by_inner_products

    @property
    def by_differences(self) -> bool:
        return self.kernel.by_differences

    @property
    def euclidean(self) -> bool:
        return self.kernel.euclidean

    @property
    def indefinite(self) -> bool:
        return self.kernel.indefinite

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        return self.changed(self.kernel(x, y))

    @in_single
    def diag(self, x: Array) -> Array:
        return self.changed(self.kernel.diag(x))

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return self.changed(self.kernel.from_inner(inner, x_norm, y_norm))


@dataclass(frozen=True)
class Scaled(_OfOne):
    """k(x, y) = scale · k₁(x, y), with scale > 0.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> (2.5 * Gaussian(1.0)).diag(np.zeros((1, 3)))
    array([2.5])
    """

    scale: float | Array
    kernel: Kernel

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)
        check_positive("scale", self.scale)

    @property
    def homogeneous(self) -> bool:
        return self.kernel.homogeneous

    def raised(self, exponent: float) -> Kernel | None:
        inner = self.kernel.raised(exponent)
        return None if inner is None else Scaled(self.scale**exponent, inner)

    def changed(self, value: Array) -> Array:
        require_beside(value, self.scale)
        return self.scale * value


@dataclass(frozen=True)
class Power(_OfOne):
    """k(x, y) = k₁(x, y)^exponent, with an integer exponent >= 1: a product of equal factors.

    Raises ValueError for another exponent: such powers are not positive semi-definite in general. Those of infinitely
    divisible kernels, such as the Gaussian, are: write `kernel ** 0.5`, which calls `kernel.raised`.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> (Linear() ** 3)(np.asarray([[2.0]]), np.asarray([[1.0], [-1.0]]))
    array([[ 8., -8.]])
    """

    stored_as: ClassVar[str] = "kernels.Power"  # a profile has the plain name

    kernel: Kernel
    exponent: int = static(2)

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)
        if not is_whole(self.exponent):
            raise ValueError(
                f"exponent: expected an integer >= 1, got {self.exponent!r}, for {self.kernel!r}: other powers > 0, as "
                "kernel ** 0.5, are kernels for Gaussian, Exponential, Matern(0.5) and Matern(inf), RationalQuadratic, "
                "Laplacian, Periodic, ExponentialDotProduct, Chi2 and GaussianOf, their multiples and products, and "
                "On(...) of them"
            )

    @property
    def homogeneous(self) -> bool:
        return self.exponent == 1 and self.kernel.homogeneous

    def raised(self, exponent: float) -> Kernel | None:
        return self.kernel.raised(self.exponent * exponent)

    def changed(self, value: Array) -> Array:
        return value**self.exponent

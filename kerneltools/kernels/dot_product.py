"""Kernels that are functions of <x, y>, |x| and |y|."""

from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Any

from kerneltools.arrays import (
    Array,
    finite,
    is_whole,
    namespace,
    require_beside,
    require_everywhere,
    require_floating,
    require_rank,
    require_real,
)
from kerneltools.kernels.base import InnerProductKernel, check_positive, greatest_entries, step
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.trees import static


@dataclass(frozen=True)
class Linear(InnerProductKernel):
    """k(x, y) = <x, y>. Positive semi-definite; unbounded; homogeneous of degree one.

    >>> import numpy as np
    >>> Linear()(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]))
    array([[11.]])
    """

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

    >>> import numpy as np
    >>> Polynomial(degree=2, offset=1.0)(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]]))
    array([[144.]])
    """

    degree: int = static(2)
    offset: float | Array = 0.0

    def __post_init__(self) -> None:
        check_degree(self.degree)
        _check_offset(self.offset, 0.0, "finite number >= 0")

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        require_beside(inner, self.offset)
        return (inner + self.offset) ** self.degree


@dataclass(frozen=True)
class Sigmoid(InnerProductKernel):
    """k(x, y) = tanh(gamma <x, y> + offset).

    `gamma` > 0, in inverse squared units of x; `offset` any finite number. Values in (-1, 1). Indefinite: for all
    parameters its matrices may have negative eigenvalues, so it is no inner product of features (Smola et al. 2000,
    example 5), and Nyström maps and Cholesky factors refuse it. Raises ValueError for parameters outside these ranges.

    >>> import numpy as np
    >>> Sigmoid(gamma=0.1)(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 4.0]])).round(4)
    array([[0.8005]])
    """

    gamma: float | Array
    offset: float | Array = 0.0

    def __post_init__(self) -> None:
        check_positive("gamma", self.gamma)
        _check_offset(self.offset, -inf, "finite number")

    @property
    def indefinite(self) -> bool:
        return True

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return namespace(inner, self.gamma, self.offset).tanh(self.gamma * inner + self.offset)


@dataclass(frozen=True)
class ExponentialDotProduct(InnerProductKernel):
    """k(x, y) = exp(<x, y> / sigma²), the kernel of attention.

    `sigma` > 0, in the units of x; for attention of dimension d, sigma² = √d. Positive definite; unbounded: in
    float32 it overflows for <x, y> > 88 sigma². Its sum over powers of <x, y> has all coefficients positive
    (Schoenberg 1942). Raises ValueError for a sigma that is not finite and > 0.

    >>> import numpy as np
    >>> ExponentialDotProduct(sigma=2.0)(np.ones((1, 4)), np.ones((1, 4))).round(4)
    array([[2.7183]])
    """

    sigma: float | Array = 1.0

    def __post_init__(self) -> None:
        check_positive("sigma", self.sigma)

    def raised(self, exponent: float) -> "ExponentialDotProduct":
        return ExponentialDotProduct(self.sigma / exponent**0.5)

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return namespace(inner, self.sigma).exp(inner / self.sigma**2)


@dataclass(frozen=True)
class Cosine(InnerProductKernel):
    """k(x, y) = <x, y> / (|x| |y|), and 0 when x or y is 0.

    Values in [-1, 1]; positive semi-definite.

    >>> import numpy as np
    >>> Cosine()(np.asarray([[3.0, 4.0]]), np.asarray([[1.0, 0.0], [0.0, 0.0]]))
    array([[0.6, 0. ]])
    """

    @property
    def degree(self) -> int:
        return 0

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return inner * _inverse(x_norm) * _inverse(y_norm)

    @in_single
    def diag(self, x: Array) -> Array:
        require_rank(2, "(n, d)", x=x)
        require_floating(x=x)
        # 1 without the rounding of a quotient, and of its derivative.
        return step(greatest_entries(x))


def _check_offset(offset: Any, least: float, wanted: str) -> None:
    """Raise TypeError for anything but a number or an array, ValueError for numbers not finite or below `least`."""
    require_real("offset", offset, f"a {wanted} or an array")
    if isinstance(offset, Real):
        if not finite("offset", offset, f"a {wanted}") >= least:
            raise ValueError(f"offset: expected a {wanted}, got {offset}")
    else:
        xp = namespace(offset)
        require_everywhere(xp.isfinite(offset) & (offset >= least), f"a {wanted}", "offset", offset)


def _inverse(norm: Array | float) -> Array | float:
    """1 / norm, and 0 for the norm 0."""
    if isinstance(norm, float | int):
        return 1 / norm if norm else 0.0
    return reciprocal(norm)


def check_degree(degree: int) -> None:
    """Raise ValueError unless the degree is an integer >= 1."""
    if not is_whole(degree):
        raise ValueError(f"degree: expected an integer >= 1, got {degree!r}")

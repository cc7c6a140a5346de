"""Profiles κ of homogeneous dot-product kernels: functions of the cosine, with κ(1) = 1.

A function is admissible if it is a power series with coefficients >= 0 (Schoenberg 1942; Mairal 2016, eq. 3).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from math import pi

from kerneltools.arrays import Array, namespace, require_beside, safe_sqrt
from kerneltools.backend import Forward, custom_vjp
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.dot_product import check_degree
from kerneltools.precision import in_single
from kerneltools.primitives import exponential_response, reciprocal, row_products
from kerneltools.trees import Tree, static


class Profile(Tree, ABC):
    """κ: cosines in [-1, 1] -> kernel values, entry by entry; κ(1) = 1.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools.kernels import Homogeneous
    >>> @dataclass(frozen=True)
    ... class Cube(Profile):
    ...     def __call__(self, cosine):
    ...         return cosine**3
    >>> Homogeneous(Cube())(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])).round(3)
    array([[2., 1.]])
    """

    @abstractmethod
    def __call__(self, cosine: Array) -> Array:
        """κ(u) for each entry: any shape -> the same shape."""

    @property
    def steep(self) -> bool:
        """Whether κ' is infinite at ±1: rounding errors of cosines become their roots there, but not in `of_chords`."""
        return False

    def of_chords(self, near: Array, far: Array) -> Array:
        """κ from |u - v|² and |u + v|² of unit vectors: any shape -> the same shape."""
        raise TypeError(f"{type(self).__name__} is computed from cosines")

    def response(self, inner: Array, scale: Array | float) -> Array:
        """scale · κ(inner / scale), and 0 where the scale is 0, for inner products and scale = |x| |y|."""
        if isinstance(scale, float):
            return scale * self(inner / scale) if scale else 0 * inner
        return scale * self(inner * reciprocal(scale))


@dataclass(frozen=True)
class Exponential(Profile):
    """κ(u) = exp((u - 1) / σ²): on the sphere, the Gaussian kernel of bandwidth σ.

    `sigma` > 0, in units of the sphere's radius (0.3 to 1 are usual). Mairal 2016, §2.2.
    Rounding errors of the cosine are multiplied by 1/σ²: a few 1e-7 of them in float32.

    >>> import numpy as np
    >>> Exponential(sigma=1.0)(np.asarray([1.0, 0.0])).round(4)
    array([1.    , 0.3679])
    """

    sigma: float | Array

    def __post_init__(self) -> None:
        check_positive("sigma", self.sigma)

    @in_single
    def __call__(self, cosine: Array) -> Array:
        require_beside(cosine, self.sigma)
        alpha = 1 / self.sigma**2
        exponent = alpha * cosine - alpha
        return namespace(exponent).exp(exponent)

    def response(self, inner: Array, scale: Array | float) -> Array:
        """The profile's `response`, in few passes over memory if the scale is one number for each row."""
        if not _one_for_each_row(scale, inner):
            return super().response(inner, scale)
        require_beside(inner, self.sigma)
        return exponential_response(inner, scale, 1 / self.sigma**2)


@dataclass(frozen=True)
class Power(Profile):
    """κ(u) = u^degree, with an integer degree >= 1.

    >>> import numpy as np
    >>> Power(2)(np.asarray([1.0, 0.5]))
    array([1.  , 0.25])
    """

    degree: int = static(2)

    def __post_init__(self) -> None:
        check_degree(self.degree)

    @in_single
    def __call__(self, cosine: Array) -> Array:
        return cosine**self.degree

    def response(self, inner: Array, scale: Array | float) -> Array:
        """inner · cosine^(degree - 1): takes fewer passes over memory, and no power."""
        if self.degree > 1 and _one_for_each_row(scale, inner):
            return _power_response(self.degree)(inner, scale)
        cosine = inner / scale if isinstance(scale, float) else inner * reciprocal(scale)
        return _times_power(inner, cosine, self.degree - 1)


def _one_for_each_row(scale: Array | float, inner: Array) -> bool:
    return not isinstance(scale, float) and scale.ndim == inner.ndim and scale.shape[-1] == 1


def _times_power(x: Array, base: Array, exponent: int) -> Array:
    for _ in range(exponent):
        x = x * base
    return x


@cache
def _power_response(degree: int) -> Forward:
    """inner (inner / scale)^(degree - 1), degree >= 2, with a gradient in half the passes of the chain rule."""

    def forward(inner: Array, scale: Array) -> Array:
        return _times_power(inner, inner * reciprocal(scale), degree - 1)

    def backward(cotangent: Array, value: Array, inner: Array, scale: Array) -> tuple[Array, Array]:
        del value
        inverse = reciprocal(scale)
        weighted = cotangent * inner
        if degree > 2:
            weighted = _times_power(weighted, inner * inverse, degree - 2)
        slope = row_products(weighted, inner)
        return weighted * (degree * inverse), (1 - degree) * slope * inverse * inverse

    return custom_vjp(forward, backward)


@dataclass(frozen=True)
class ArcCosine(Profile):
    """The arc-cosine profile of order 0, 1 or 2, scaled to κ(1) = 1 (Cho and Saul 2009, eq. 3-6).

    The limit of one layer of step (0), ReLU (1) or squared ReLU (2) units. With θ = acos u: κ₀ = 1 - θ/π, κ₁ = (sin θ +
    (π - θ) u) / π, κ₂ = (3 u sin θ + (π - θ)(1 + 2u²)) / 3π. Gradients use κ₁' = κ₀ and κ₂' = 4κ₁/3, finite everywhere;
    that of order 0 is infinite at u = ±1, and 0 is returned there. Computed from cosines, as in layers, order 0 keeps
    half the digits near u = ±1; kernels of rows compute it from |u - v| and |u + v|, and keep all of them.

    >>> import numpy as np
    >>> ArcCosine(0)(np.asarray([1.0, 0.0, -1.0]))
    array([1. , 0.5, 0. ])
    """

    order: int = static(1)

    def __post_init__(self) -> None:
        if self.order not in (0, 1, 2):
            raise ValueError(f"order: expected 0, 1 or 2, got {self.order!r}")

    @in_single
    def __call__(self, cosine: Array) -> Array:
        return _arc_cosine(self.order)(cosine)

    @property
    def steep(self) -> bool:
        return self.order == 0

    def of_chords(self, near: Array, far: Array) -> Array:
        if self.order:
            return super().of_chords(near, far)
        return _half_turns(near, far)


def _angle(cosine: Array) -> tuple[Array, Array]:
    """(u clipped to [-1, 1], θ): rounding may leave the interval by an ulp."""
    xp = namespace(cosine)
    u = xp.clip(cosine, -1.0, 1.0)
    return u, xp.acos(u)


def _order_0(cosine: Array) -> Array:
    return 1 - _angle(cosine)[1] / pi


def _half_turns_of(near: Array, far: Array) -> Array:
    # tan(θ/2) = |u - v| / |u + v|
    xp = namespace(near, far)
    return xp.atan2(safe_sqrt(far), safe_sqrt(near)) * (2 / pi)


def _pull_half_turns(cotangent: Array, value: Array, near: Array, far: Array) -> tuple[Array, Array]:
    del value
    a, b = safe_sqrt(near), safe_sqrt(far)
    slope = cotangent * reciprocal(near + far) / pi
    return -slope * b * reciprocal(a), slope * a * reciprocal(b)


_half_turns = custom_vjp(_half_turns_of, _pull_half_turns)


def _order_1(cosine: Array) -> Array:
    u, theta = _angle(cosine)
    return (safe_sqrt(1 - u * u) + (pi - theta) * u) / pi


def _order_2(cosine: Array) -> Array:
    u, theta = _angle(cosine)
    return (3 * u * safe_sqrt(1 - u * u) + (pi - theta) * (1 + 2 * u * u)) / (3 * pi)


def _slope_0(cosine: Array) -> Array:
    xp = namespace(cosine)
    sine_squared = 1 - cosine * cosine
    inside = sine_squared > 0
    root = xp.sqrt(xp.where(inside, sine_squared, xp.ones_like(cosine)))
    return xp.where(inside, 1 / (pi * root), xp.zeros_like(cosine))


@cache
def _arc_cosine(order: int) -> Forward:
    def backward(cotangent: Array, value: Array, cosine: Array) -> tuple[Array]:
        del value
        return (cotangent * slope(cosine),)

    def slope(cosine: Array) -> Array:
        if order == 0:
            return _slope_0(cosine)
        lower = _arc_cosine(order - 1)(cosine)
        return lower if order == 1 else lower * (4 / 3)

    return custom_vjp((_order_0, _order_1, _order_2)[order], backward)

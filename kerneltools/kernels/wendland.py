"""Kernels of compact support."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from kerneltools.arrays import Array, is_whole, namespace, safe_sqrt
from kerneltools.backend import Forward, custom_vjp
from kerneltools.kernels.distances import Radial, check_lengths
from kerneltools.primitives import reciprocal
from kerneltools.trees import static


@dataclass(frozen=True)
class Wendland(Radial):
    """Piecewise polynomials of r = |x - y| / radius that are 0 for r >= 1; with j = ⌊dimension / 2⌋ + smoothness + 1

    - smoothness 0: (1 - r)^j
    - smoothness 1: (1 - r)^(j + 1) ((j + 1) r + 1)
    - smoothness 2: (1 - r)^(j + 2) ((j² + 4j + 3) r² + (3j + 6) r + 3) / 3
    - smoothness 3: (1 - r)^(j + 3) ((j³ + 9j² + 23j + 15) r³ + (6j² + 36j + 45) r² + (15j + 45) r + 15) / 15

    `radius` > 0, in the units of x: a number, or an array () or (d,). `smoothness`: 0, 1, 2 or 3; the kernel has
    2 smoothness derivatives. `dimension` >= 1: positive definite for rows of at most that many columns.
    Values in [0, 1]. Wendland 1995; Rasmussen and Williams 2006, eq. 4.21.
    Raises ValueError for parameters outside these ranges, and for rows of more columns.

    >>> import numpy as np
    >>> Wendland(radius=2.0, smoothness=1, dimension=3)(np.zeros((1, 1)), np.asarray([[0.0], [1.0], [2.0]]))
    array([[1.    , 0.1875, 0.    ]])
    """

    radius: float | Array
    smoothness: int = static(1)
    dimension: int = static(3)

    def __post_init__(self) -> None:
        check_lengths("radius", self.radius)
        if self.smoothness not in (0, 1, 2, 3):
            raise ValueError(f"smoothness: expected 0, 1, 2 or 3, got {self.smoothness!r}")
        if not is_whole(self.dimension):
            raise ValueError(f"dimension: expected an integer >= 1, got {self.dimension!r}")

    @property
    def lengths(self) -> float | Array:
        return self.radius

    def __call__(self, x: Array, y: Array) -> Array:
        self._check(x)
        return super().__call__(x, y)

    def diag(self, x: Array) -> Array:
        self._check(x)
        return super().diag(x)

    def of_square(self, square: Array) -> Array:
        return _wendland(self.dimension // 2 + self.smoothness + 1, self.smoothness)(square)

    def _check(self, x: Array) -> None:
        if x.shape[-1] > self.dimension:
            raise ValueError(
                f"dimension: {self.dimension} is too small for x with {x.shape[-1]} columns, on which the kernel "
                f"would not be positive definite; take Wendland(..., dimension={x.shape[-1]})"
            )


@cache
def _wendland(j: int, smoothness: int) -> Forward:
    """The kernel as a function of r², with derivatives that are finite at 0."""

    def backward(cotangent: Array, value: Array, square: Array) -> tuple[Array]:
        del value
        r = safe_sqrt(square)
        if smoothness == 0:  # infinite at 0, where the distance itself has no derivative
            return (cotangent * (-j / 2) * _gap(r) ** (j - 1) * reciprocal(r),)
        # d/dr of smoothness k is -r times a multiple of smoothness k - 1 for the same j (Wendland 1995, eq. 5).
        slope = (j + 2 * smoothness - 1) * (j + 2 * smoothness) / (2 * smoothness - 1)
        return (cotangent * (-slope / 2) * _wendland(j, smoothness - 1)(square),)

    return custom_vjp(_body(j, smoothness), backward)


def _gap(r: Array) -> Array:
    """1 - r, and 0 beyond the support."""
    xp = namespace(r)
    return xp.maximum(1 - r, xp.zeros_like(r))


def _body(j: int, smoothness: int) -> Callable[[Array], Array]:
    coefficients = (
        (1.0,),
        (j + 1, 1.0),
        ((j**2 + 4 * j + 3) / 3, j + 2, 1.0),
        ((j**3 + 9 * j**2 + 23 * j + 15) / 15, (6 * j**2 + 36 * j + 45) / 15, j + 3, 1.0),
    )[smoothness]

    def body(square: Array) -> Array:
        r = namespace(square).sqrt(square)
        polynomial: Array = coefficients[0]
        for coefficient in coefficients[1:]:
            polynomial = polynomial * r + coefficient
        return _gap(r) ** (j + smoothness) * polynomial

    return body

"""Radial kernels: functions of the Euclidean distance, of full support."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf
from numbers import Real
from typing import Any, ClassVar, Self

from kerneltools.arrays import Array, namespace, safe_sqrt
from kerneltools.backend import Forward, custom_vjp
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.distances import Radial, check_lengths, median_distance
from kerneltools.kernels.spectral import GammaMixture, Normal, StudentT
from kerneltools.primitives import reciprocal


@dataclass(frozen=True)
class Gaussian(Radial):
    """k(x, y) = exp(-|x - y|² / (2 bandwidth²)).

    `bandwidth` > 0, in the units of x: a number, or an array () or (d,), one for each column.
    Values in (0, 1]; positive definite. Also called RBF or squared exponential.
    Raises ValueError for a bandwidth that is not finite and > 0, or that is for another number of columns.

    >>> import numpy as np
    >>> Gaussian(bandwidth=1.0)(np.zeros((1, 2)), np.ones((1, 2))).round(4)
    array([[0.3679]])
    """

    bandwidth: float | Array

    def __post_init__(self) -> None:
        check_lengths("bandwidth", self.bandwidth)

    @classmethod
    def of_median(cls, x: Array, multiple: float = 1.0) -> Self:
        """The Gaussian whose bandwidth is `multiple` times the median distance between rows of x (n, d).

        This fits data of any unit. At most 512 rows are looked at. Smooth functions often need a multiple of 2 to 8.
        One row that is far away and constant columns do not change it. All columns count as they are: scale them if
        their units differ.

        Raises ValueError for a multiple that is not finite and > 0, for NaN, and if all rows are equal.

        >>> import numpy as np
        >>> Gaussian.of_median(np.asarray([[0.0], [1.0], [3.0]]), multiple=4.0)
        Gaussian(bandwidth=8.0)
        """
        check_positive("multiple", multiple)
        return cls(multiple * median_distance(x))

    @property
    def lengths(self) -> float | Array:
        return self.bandwidth

    @property
    def spectral(self) -> Normal:
        return Normal()

    def raised(self, exponent: float) -> "Gaussian":
        return Gaussian(self.bandwidth / exponent**0.5)

    def of_square(self, square: Array) -> Array:
        return namespace(square).exp(-0.5 * square)


@dataclass(frozen=True)
class Matern(Radial):
    """k(x, y) = 2^(1-ν) / Γ(ν) (√(2ν) r)^ν K_ν(√(2ν) r), with r = |x - y| / lengthscale.

    `nu` = p + 1/2 with an integer p >= 0, for which this is a polynomial times an exponential: exp(-r),
    (1 + √3 r) exp(-√3 r), (1 + √5 r + 5r²/3) exp(-√5 r), ...; or infinity, the Gaussian kernel. Functions in its
    space have ν + d/2 derivatives. `lengthscale` > 0, in the units of x: a number, or an array () or (d,).
    Values in (0, 1]; positive definite. Rasmussen and Williams 2006, eq. 4.14-4.16.
    Raises ValueError for parameters outside these ranges.

    >>> import numpy as np
    >>> Matern(nu=1.5, lengthscale=2.0)(np.zeros((1, 1)), np.asarray([[0.0], [2.0]])).round(4)
    array([[1.    , 0.4834]])
    """

    nu: float = field(metadata={"static": True})  # as `static()`, in words that type checkers know
    lengthscale: float | Array

    def __post_init__(self) -> None:
        check_lengths("lengthscale", self.lengthscale)
        given: Any = self.nu
        nu = float(given) if isinstance(given, Real) else 0.0
        if nu != inf and not (nu > 0 and (nu - 0.5) % 1 == 0):
            raise ValueError(
                f"nu: expected 0.5, 1.5, 2.5, ... or infinity, where the kernel has a closed form, got {given!r}"
            )
        object.__setattr__(self, "nu", nu)

    @property
    def lengths(self) -> float | Array:
        return self.lengthscale

    @property
    def spectral(self) -> Normal | StudentT:
        return Normal() if self.nu == inf else StudentT(2 * self.nu)

    def raised(self, exponent: float) -> "Matern | None":
        if self.nu not in (0.5, inf):
            return None  # infinitely divisible too (Grosswald 1976), but no member of the family
        return Matern(self.nu, self.lengthscale / (exponent if self.nu == 0.5 else exponent**0.5))

    def of_square(self, square: Array) -> Array:
        if self.nu == inf:
            return namespace(square).exp(-0.5 * square)
        return _matern(int(self.nu - 0.5))(2 * self.nu * square)


@dataclass(frozen=True)
class Exponential(Radial):
    """k(x, y) = exp(-|x - y| / lengthscale), of the Euclidean distance; `Laplacian` takes the L1 distance.

    `lengthscale` > 0, in the units of x: a number, or an array () or (d,).
    Values in (0, 1]; positive definite; the Matérn kernel with ν = 1/2.
    Raises ValueError for a lengthscale that is not finite and > 0, or that is for another number of columns.

    Its derivative jumps at x = y, and 0 is returned there.

    >>> import numpy as np
    >>> Exponential(lengthscale=5.0)(np.zeros((1, 2)), np.asarray([[3.0, 4.0]])).round(4)
    array([[0.3679]])
    """

    stored_as: ClassVar[str] = "kernels.Exponential"  # a profile has the plain name

    lengthscale: float | Array

    def __post_init__(self) -> None:
        check_lengths("lengthscale", self.lengthscale)

    @property
    def lengths(self) -> float | Array:
        return self.lengthscale

    @property
    def spectral(self) -> StudentT:
        return StudentT(1.0)

    def raised(self, exponent: float) -> "Exponential":
        return Exponential(self.lengthscale / exponent)

    def of_square(self, square: Array) -> Array:
        return _matern(0)(square)


@dataclass(frozen=True)
class RationalQuadratic(Radial):
    """k(x, y) = (1 + |x - y|² / (2 alpha lengthscale²))^(-alpha).

    `lengthscale` > 0, in the units of x: a number, or an array () or (d,). `alpha` > 0; for large values the
    Gaussian kernel. A mixture of Gaussian kernels of all bandwidths (Rasmussen and Williams 2006, eq. 4.19).
    Values in (0, 1]; positive definite.
    Raises ValueError for parameters that are not finite and > 0.

    >>> import numpy as np
    >>> RationalQuadratic(lengthscale=1.0, alpha=1.0)(np.zeros((1, 1)), np.ones((1, 1))).round(4)
    array([[0.6667]])
    """

    lengthscale: float | Array
    alpha: float | Array = 1.0

    def __post_init__(self) -> None:
        check_lengths("lengthscale", self.lengthscale)
        check_positive("alpha", self.alpha)

    @property
    def lengths(self) -> float | Array:
        return self.lengthscale

    @property
    def spectral(self) -> GammaMixture:
        return GammaMixture(float(self.alpha))

    def raised(self, exponent: float) -> "RationalQuadratic":
        return RationalQuadratic(self.lengthscale / exponent**0.5, self.alpha * exponent)

    def of_square(self, square: Array) -> Array:
        xp = namespace(square, self.alpha)
        return xp.exp(-self.alpha * xp.log1p(square / (2 * self.alpha)))


@cache
def _matern(p: int) -> Forward:
    """The Matérn kernel with ν = p + 1/2 as a function of z², z = √(2ν) r, with derivatives that are finite at 0."""

    def backward(cotangent: Array, value: Array, square: Array) -> tuple[Array]:
        if p == 0:  # infinite at 0, where the distance itself has no derivative
            return (cotangent * (-0.5 * value * reciprocal(safe_sqrt(square))),)
        # K_ν' gives the kernel of order ν - 1 (Abramowitz and Stegun 1964, eq. 9.6.28).
        return (cotangent * (_matern(p - 1)(square) / -(4 * p - 2)),)

    return custom_vjp(_matern_body(p), backward)


def _matern_body(p: int) -> Callable[[Array], Array]:
    """p! / (2p)! Σ_i (p + i)! / (i! (p - i)!) (2z)^(p - i) exp(-z), from z².

    With q = exp(-z / p) it is Σ_j C_j (2zq)^j q^(p - j), summed from the highest power on: no term of it leaves the
    range of floating-point numbers where the kernel does not.
    """
    ratios = [(p - j + 1) / ((2 * p - j + 1) * j) for j in range(p, 0, -1)]  # C_j / C_(j - 1), and C_0 = 1

    def body(square: Array) -> Array:
        xp = namespace(square)
        # Where the kernel has been 0 for long, an infinite distance is one like others.
        z = xp.minimum(xp.sqrt(square), xp.full_like(square, GREATEST * (p + 1)))
        if p == 0:
            return xp.exp(-z)
        q = xp.exp(-z / p)
        step, power = 2 * z * q, q
        total = power + ratios[0] * step
        for ratio in ratios[1:]:
            power = power * q
            total = power + ratio * step * total
        return total

    return body


GREATEST = 1500.0
"""exp(-z) is 0 from here on, in any type."""

"""Laws of frequencies (Bochner): k(x, y) = E cos(<ω, x - y>) for a kernel of lengthscale 1.

Frequencies are drawn on the host, in float64. For a lengthscale ℓ, divide the frequencies, or the rows of data, by it.

>>> import numpy as np
>>> from kerneltools.kernels import Cauchy, Gaussian, Laplacian, Matern, RationalQuadratic
>>> x, y = np.zeros((1, 2)), np.asarray([[0.6, 0.3]])
>>> for kernel in (Gaussian(1.0), Matern(1.5, 1.0), RationalQuadratic(1.0, 2.0), Laplacian(1.0), Cauchy(1.0)):
...     mean = np.cos(kernel.spectral.draw(0, 100_000, 2) @ (x - y)[0]).mean()
...     print(kernel.spectral, bool(abs(mean - kernel(x, y).item()) < 0.01))
Normal() True
StudentT(dof=3.0) True
GammaMixture(alpha=2.0) True
ProductCauchy() True
ProductLaplace() True
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import Any, Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace
from kerneltools.random import Rng, generator


@runtime_checkable
class Law(Protocol):
    """A law (probability distribution) of frequencies in any dimension d.

    >>> import numpy as np
    >>> class Cosine:  # of the kernel cos(x - y) of one column: the frequency 1
    ...     def draw(self, rng, count, d):
    ...         return np.ones((count, d))
    ...     def uniforms(self, d):
    ...         return d
    ...     def from_uniform(self, u):
    ...         return np.ones_like(u)
    >>> isinstance(Cosine(), Law)
    True
    """

    def draw(self, rng: Rng, count: int, d: int) -> Any:
        """Independent frequencies: -> (count, d), float64 on the host."""

    def uniforms(self, d: int) -> int:
        """How many uniform numbers `from_uniform` needs for one frequency."""

    def from_uniform(self, u: Any) -> Any:
        """Frequencies from points of the open unit cube, for quasi-Monte Carlo: (count, uniforms(d)) -> (count, d)."""


@runtime_checkable
class Isotropic(Law, Protocol):
    """A law that is invariant under rotations: a uniform direction times an independent radius.

    >>> isinstance(Normal(), Isotropic), isinstance(ProductCauchy(), Isotropic)
    (True, False)
    >>> Normal().radii(0, count=2, d=10_000).round()  # about the root of d
    array([100., 100.])
    """

    def radii(self, rng: Rng, count: int, d: int) -> Any:
        """Norms of independent frequencies, for directions that are chosen in another way: -> (count,)"""


@runtime_checkable
class Spectral(Protocol):
    """A kernel whose frequencies have a known law.

    >>> from kerneltools.kernels import Gaussian, Matern, Polynomial
    >>> [isinstance(kernel, Spectral) for kernel in (Gaussian(1.0), Matern(1.5, 1.0), Polynomial(2))]
    [True, True, False]
    >>> Matern(1.5, 1.0).spectral
    StudentT(dof=3.0)
    """

    @property
    def lengths(self) -> float | Array:
        """The lengthscale, () or one for each column (d,)."""

    @property
    def spectral(self) -> Law | None:
        """The law of the frequencies for lengthscale 1."""


@dataclass(frozen=True)
class Normal:
    """ω ~ N(0, I): the Gaussian kernel.

    >>> import numpy as np
    >>> frequencies = Normal().draw(0, count=10_000, d=1)
    >>> f"{np.cos(0.5 * frequencies).mean():.2f} for {np.exp(-0.125):.2f}"  # the Gaussian kernel at distance 0.5
    '0.88 for 0.88'
    """

    def draw(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count, d)"""
        return generator(rng).standard_normal((count, d))

    def radii(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count,)"""
        return generator(rng).chisquare(d, count) ** 0.5

    def uniforms(self, d: int) -> int:
        """d"""
        return d

    def from_uniform(self, u: Any) -> Any:
        """(count, d) -> (count, d)"""
        return _scipy_special().ndtri(u)


class _ScaledNormal(ABC):
    """The law N(0, I) times an independent number, which is isotropic."""

    @abstractmethod
    def stretch(self, rng: Any, count: int) -> Any:
        """The numbers: -> (count,)"""

    @abstractmethod
    def stretch_from_uniform(self, u: Any) -> Any:
        """The same numbers by their inverse distribution function, in any order: any shape -> the same"""

    def draw(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count, d)"""
        rng = generator(rng)
        return rng.standard_normal((count, d)) * self.stretch(rng, count)[:, None]

    def radii(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count,)"""
        rng = generator(rng)
        return rng.chisquare(d, count) ** 0.5 * self.stretch(rng, count)

    def uniforms(self, d: int) -> int:
        """d + 1: the last number is for the factor."""
        return d + 1

    def from_uniform(self, u: Any) -> Any:
        """(count, d + 1) -> (count, d)"""
        return _scipy_special().ndtri(u[:, :-1]) * self.stretch_from_uniform(u[:, -1:])


@dataclass(frozen=True)
class StudentT(_ScaledNormal):
    """Multivariate t, N(0, I) divided by the root of χ²/dof: the Matérn kernel with ν = dof / 2.

    Rasmussen and Williams 2006, eq. 4.15.

    >>> import numpy as np
    >>> frequencies = StudentT(dof=1).draw(0, count=10_000, d=1)
    >>> f"{np.cos(0.5 * frequencies).mean():.2f} for {np.exp(-0.5):.2f}"  # Matérn with ν = 1/2 at distance 0.5
    '0.61 for 0.61'
    """

    dof: float

    def stretch(self, rng: Any, count: int) -> Any:
        return (self.dof / rng.chisquare(self.dof, count)) ** 0.5

    def stretch_from_uniform(self, u: Any) -> Any:
        return (self.dof / (2 * _scipy_special().gammaincinv(self.dof / 2, u))) ** 0.5


@dataclass(frozen=True)
class GammaMixture(_ScaledNormal):
    """N(0, I) times the root of a Gamma(α, mean 1): the rational quadratic kernel.

    (1 + r²/2α)^-α is the mean of exp(-τ r²/2) over that law of τ (Rasmussen and Williams 2006, eq. 4.20).

    >>> import numpy as np
    >>> frequencies = GammaMixture(alpha=1.0).draw(0, count=10_000, d=1)
    >>> f"{np.cos(0.5 * frequencies).mean():.2f} for {1 / 1.125:.2f}"  # the rational quadratic kernel at distance 0.5
    '0.89 for 0.89'
    """

    alpha: float

    def stretch(self, rng: Any, count: int) -> Any:
        return rng.gamma(self.alpha, 1 / self.alpha, count) ** 0.5

    def stretch_from_uniform(self, u: Any) -> Any:
        return (_scipy_special().gammaincinv(self.alpha, u) / self.alpha) ** 0.5


@dataclass(frozen=True)
class ProductCauchy:
    """Independent Cauchy columns: the Laplacian kernel, of the L1 distance.

    >>> import numpy as np
    >>> frequencies = ProductCauchy().draw(0, count=10_000, d=1)
    >>> f"{np.cos(0.5 * frequencies).mean():.2f} for {np.exp(-0.5):.2f}"  # the Laplacian kernel at distance 0.5
    '0.61 for 0.61'
    """

    def draw(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count, d)"""
        return generator(rng).standard_cauchy((count, d))

    def uniforms(self, d: int) -> int:
        """d"""
        return d

    def from_uniform(self, u: Any) -> Any:
        """(count, d) -> (count, d)"""
        return namespace(u).tan(pi * (u - 0.5))


@dataclass(frozen=True)
class ProductLaplace:
    """Independent Laplace columns: the Cauchy kernel, a product over columns.

    >>> import numpy as np
    >>> frequencies = ProductLaplace().draw(0, count=10_000, d=1)
    >>> f"{np.cos(0.5 * frequencies).mean():.2f} for {1 / 1.25:.2f}"  # the Cauchy kernel at distance 0.5
    '0.80 for 0.80'
    """

    def draw(self, rng: Rng, count: int, d: int) -> Any:
        """-> (count, d)"""
        return generator(rng).laplace(size=(count, d))

    def uniforms(self, d: int) -> int:
        """d"""
        return d

    def from_uniform(self, u: Any) -> Any:
        """(count, d) -> (count, d)"""
        xp = namespace(u)
        return -xp.sign(u - 0.5) * xp.log1p(-2 * xp.abs(u - 0.5))


def _scipy_special() -> Any:
    try:
        from scipy import special
    except ModuleNotFoundError as error:
        raise ImportError(
            "quasi-Monte Carlo frequencies of this law need SciPy's inverse distribution functions; "
            "install it with: pip install scipy"
        ) from error
    return special

"""Stationary kernels that are products over columns."""

from abc import abstractmethod
from dataclasses import dataclass
from math import pi

from kerneltools.arrays import Array, namespace, require_rank
from kerneltools.columns import l1_distances, log_square_sums
from kerneltools.kernels.base import Kernel, check_rows
from kerneltools.kernels.distances import (
    check_columns,
    check_lengths,
    ones_on_diagonal,
    scaled_rows,
    unit_scale,
)
from kerneltools.kernels.spectral import ProductCauchy, ProductLaplace
from kerneltools.pairwise import differentiable_distances
from kerneltools.precision import in_single


@dataclass(frozen=True)
class _SumOverColumns(Kernel):
    """k(x, y) = exp(-Σ_j f((x_j - y_j) / ℓ_j)) with f(0) = 0."""

    lengthscale: float | Array

    def __post_init__(self) -> None:
        check_lengths("lengthscale", self.lengthscale)

    @property
    def lengths(self) -> float | Array:
        """ℓ, () or one for each column (d,)."""
        return self.lengthscale

    @abstractmethod
    def exponent(self, x: Array, y: Array, scale: Array) -> Array:
        """The sum, with the scale 1 / ℓ: (n, d), (m, d), (d,) -> (n, m)"""

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        exponent = self.exponent(*scaled_rows(self, self.lengthscale, x, y))
        return namespace(exponent).exp(-exponent)

    def diag(self, x: Array) -> Array:
        return ones_on_diagonal(self, self.lengthscale, x)


@dataclass(frozen=True)
class Laplacian(_SumOverColumns):
    """k(x, y) = exp(-|x - y|₁ / lengthscale), of the L1 distance; `Exponential` takes the Euclidean distance.

    `lengthscale` > 0, in the units of x: a number, or an array () or (d,), one for each column.
    Values in (0, 1]; positive definite. Its derivative jumps where x and y agree in a column, and 0 is returned there.
    Time and memory: n m d operations without a matrix product, in blocks.
    Raises ValueError for a lengthscale that is not finite and > 0, or that is for another number of columns.

    >>> import numpy as np
    >>> Laplacian(lengthscale=7.0)(np.zeros((1, 2)), np.asarray([[3.0, 4.0]])).round(4)
    array([[0.3679]])
    """

    @property
    def spectral(self) -> ProductCauchy:
        """The law of the frequencies for lengthscale 1."""
        return ProductCauchy()

    def raised(self, exponent: float) -> "Laplacian":
        return Laplacian(self.lengthscale / exponent)

    def exponent(self, x: Array, y: Array, scale: Array) -> Array:
        return l1_distances(x, y, scale)


@dataclass(frozen=True)
class Cauchy(_SumOverColumns):
    """k(x, y) = Π_j 1 / (1 + (x_j - y_j)² / lengthscale²).

    `lengthscale` > 0, in the units of x: a number, or an array () or (d,), one for each column.
    Values in (0, 1]; positive definite (Rahimi and Recht 2007, figure 1).
    Time and memory: n m d operations without a matrix product, in blocks.
    Raises ValueError for a lengthscale that is not finite and > 0, or that is for another number of columns.

    >>> import numpy as np
    >>> Cauchy(lengthscale=1.0)(np.zeros((1, 2)), np.asarray([[1.0, 2.0]]))
    array([[0.1]])
    """

    @property
    def spectral(self) -> ProductLaplace:
        """The law of the frequencies for lengthscale 1."""
        return ProductLaplace()

    def exponent(self, x: Array, y: Array, scale: Array) -> Array:
        return log_square_sums(x, y, scale)


@dataclass(frozen=True)
class Periodic(Kernel):
    """k(x, y) = exp(-2 Σ_j sin²(π (x_j - y_j) / period) / lengthscale²).

    `period` > 0, in the units of x, and `lengthscale` > 0, a pure number: each a number, or an array () or (d,),
    one for each column. Values in (0, 1]; positive semi-definite: 1 for rows that differ by whole periods.
    The Gaussian kernel of the points (cos, sin)(2π x_j / period) on circles (MacKay 1998, eq. 47).
    Raises ValueError for parameters that are not finite and > 0, or that are for another number of columns.

    >>> import numpy as np
    >>> Periodic(period=24.0, lengthscale=1.0)(np.asarray([[1.0]]), np.asarray([[25.0], [7.0]])).round(4)
    array([[1.    , 0.3679]])
    """

    period: float | Array
    lengthscale: float | Array

    def __post_init__(self) -> None:
        check_lengths("period", self.period)
        check_lengths("lengthscale", self.lengthscale)

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        check_rows(x, y)
        self._check(x)
        a, b = self._on_circles(x), self._on_circles(y)
        square = differentiable_distances(a, b, unit_scale(a))
        return namespace(square).exp(-0.5 * square)

    def raised(self, exponent: float) -> "Periodic":
        return Periodic(self.period, self.lengthscale / exponent**0.5)

    def diag(self, x: Array) -> Array:
        self._check(x)
        return ones_on_diagonal(self, self.period, x)

    def _check(self, x: Array) -> None:
        require_rank(2, "(n, d)", x=x)
        check_columns("period", self.period, x)
        check_columns("lengthscale", self.lengthscale, x)

    def _on_circles(self, x: Array) -> Array:
        """Points on a circle of radius 1 / lengthscale for each column: (n, d) -> (n, 2d)."""
        # Whole periods are left out first, which is exact: the angle of many turns has few digits left.
        angle = namespace(x, self.period).remainder(x, self.period) * (2 * pi / self.period)
        xp = namespace(angle)
        cosine, sine = xp.cos(angle) / self.lengthscale, xp.sin(angle) / self.lengthscale
        return namespace(cosine).concat([cosine, sine], axis=1)

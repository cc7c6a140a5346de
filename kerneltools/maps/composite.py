"""Maps of sums, products and multiples of kernels."""

from collections.abc import Sequence
from dataclasses import dataclass

from kerneltools import kernels
from kerneltools.arrays import Array, namespace, require_beside, safe_sqrt
from kerneltools.kernels import Kernel
from kerneltools.kernels.base import check_positive
from kerneltools.maps.base import Map
from kerneltools.structures.base import count, like_of


@dataclass(frozen=True, eq=False)
class Sum(Map):
    """φ(x) = (φ₁(x), φ₂(x), ...): the features of all terms side by side, for the sum of their kernels.

    (..., d) -> (..., m₁ + m₂ + ...)

    Raises ValueError if there are no terms, and for maps of different numbers of columns.

    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.maps import fourier
    >>> Sum((fourier(Gaussian(1.0), 3, 10, rng=0), fourier(Gaussian(5.0), 3, 20, rng=1))).dimension
    30
    """

    terms: tuple[Map, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", _check_parts("terms", self.terms))

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        """The sum of the terms' kernels."""
        return kernels.Sum(tuple(phi.kernel for phi in self.terms))

    @property
    def dimension(self) -> int:
        """m₁ + m₂ + ..."""
        return sum(phi.dimension for phi in self.terms)

    @property
    def columns(self) -> int | None:
        """d"""
        return self.terms[0].columns

    def of_rows(self, x: Array) -> Array:
        features = [phi.of_rows(x) for phi in self.terms]
        return namespace(*features).concat(features, axis=1)


@dataclass(frozen=True, eq=False)
class Product(Map):
    """φ(x) = φ₁(x) ⊗ φ₂(x) ⊗ ...: all products of features, for the product of their kernels.

    (..., d) -> (..., m₁ m₂ ...)

    Unbiased if the factors are unbiased and independent: draw them from different seeds. Raises ValueError if there are
    no factors, and for maps of different numbers of columns.

    >>> from kerneltools.kernels import Gaussian, Polynomial
    >>> from kerneltools.maps import fourier, tensor_sketch
    >>> Product((fourier(Gaussian(1.0), 3, 10, rng=0), tensor_sketch(Polynomial(2), 3, 20, rng=1))).dimension
    200
    """

    factors: tuple[Map, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", _check_parts("factors", self.factors))

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        """The product of the factors' kernels."""
        return kernels.Product(tuple(phi.kernel for phi in self.factors))

    @property
    def dimension(self) -> int:
        """m₁ m₂ ..."""
        total = 1
        for phi in self.factors:
            total *= phi.dimension
        return total

    @property
    def columns(self) -> int | None:
        """d"""
        return self.factors[0].columns

    def of_rows(self, x: Array) -> Array:
        features = self.factors[0].of_rows(x)
        xp = namespace(features)
        for phi in self.factors[1:]:
            others = phi.of_rows(x)
            pairs = features[:, :, None] * others[:, None, :]
            features = xp.reshape(pairs, (count(x), features.shape[1] * others.shape[1]))
        return features


@dataclass(frozen=True, eq=False)
class Scaled(Map):
    """φ(x) = √scale φ₁(x), for a multiple of a kernel. `scale` > 0.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.maps import nystrom
    >>> z = np.array([[0.0], [1.0]])
    >>> phi = Scaled(4.0, nystrom(Gaussian(1.0), z))
    >>> (phi(z) @ phi(z).T).round(4)
    array([[4.    , 2.4261],
           [2.4261, 4.    ]])
    """

    scale: float | Array
    map: Map

    def __post_init__(self) -> None:
        _check_parts("map", (self.map,))
        check_positive("scale", self.scale)

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        """The multiple of the map's kernel."""
        return kernels.Scaled(self.scale, self.map.kernel)

    @property
    def dimension(self) -> int:
        """m"""
        return self.map.dimension

    @property
    def columns(self) -> int | None:
        """d"""
        return self.map.columns

    def of_rows(self, x: Array) -> Array:
        require_beside(like_of(x), self.scale)
        root = safe_sqrt(self.scale) if hasattr(self.scale, "dtype") else self.scale**0.5
        return root * self.map.of_rows(x)


def _check_parts(name: str, parts: Sequence[Map]) -> tuple[Map, ...]:
    if not isinstance(parts, Sequence) or not parts or not all(isinstance(part, Map) for part in parts):
        raise ValueError(f"{name}: expected at least one map, and nothing else, got {parts!r}")
    columns = [part.columns for part in parts]
    if len(set(columns)) > 1:
        raise ValueError(f"{name}: expected maps of the same rows, got maps of {columns} columns")
    return tuple(parts)

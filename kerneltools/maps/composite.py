"""Maps of sums and products of kernels, from maps of their parts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any

from kerneltools import kernels
from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.trees import Tree

Map = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Sum(Tree):
    """The features of all the maps side by side: the kernel is the sum of theirs.

    >>> from kerneltools import kernels, maps
    >>> phi = maps.Sum((maps.fourier(kernels.Gaussian(1.0), 3, 8, 0), maps.arccos(kernels.ArcCosine(1), 3, 6, 1)))
    >>> phi.dimension
    14
    """

    maps: tuple[Any, ...]

    def __post_init__(self) -> None:
        _check(self.maps)

    @property
    def kernel(self) -> Kernel:
        """The sum of the maps' kernels."""
        return kernels.Sum(tuple(phi.kernel for phi in self.maps))

    @property
    def dimension(self) -> int:
        """How many features: the sum of the maps'."""
        return sum(phi.dimension for phi in self.maps)

    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., m₁ + m₂ + ...)"""
        return namespace(x).concat([phi(x) for phi in self.maps], axis=-1)


@dataclass(frozen=True, eq=False)
class Product(Tree):
    """All products of a feature of each map: the kernel is the product of theirs.

    >>> from kerneltools import kernels, maps
    >>> phi = maps.Product((maps.fourier(kernels.Gaussian(1.0), 3, 8, 0), maps.arccos(kernels.ArcCosine(1), 3, 6, 1)))
    >>> phi.dimension
    48
    """

    maps: tuple[Any, ...]

    def __post_init__(self) -> None:
        _check(self.maps)

    @property
    def kernel(self) -> Kernel:
        """The product of the maps' kernels."""
        return kernels.Product(tuple(phi.kernel for phi in self.maps))

    @property
    def dimension(self) -> int:
        """How many features: the product of the maps'."""
        return prod(phi.dimension for phi in self.maps)

    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., m₁ m₂ ...)"""
        return reduce(_outer, [phi(x) for phi in self.maps])


def _outer(a: Array, b: Array) -> Array:
    return namespace(a, b).reshape(a[..., :, None] * b[..., None, :], (*a.shape[:-1], a.shape[-1] * b.shape[-1]))


def _check(maps: tuple[Any, ...]) -> None:
    if not isinstance(maps, tuple) or not maps or not all(hasattr(phi, "dimension") for phi in maps):
        raise TypeError(f"maps: expected a tuple of maps of kerneltools.maps, got {maps!r}")

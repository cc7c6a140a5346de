"""Maps of one random layer: arc-cosine kernels by rectified units, exponentials by positive ones."""

from dataclasses import dataclass
from math import sqrt

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import ArcCosine, ExponentialDotProduct, Gaussian, Kernel
from kerneltools.maps.base import Map, in_type_of, placed
from kerneltools.maps.draws import check_sizes, frequencies_of_normal
from kerneltools.random import Rng
from kerneltools.trees import static


@dataclass(frozen=True, eq=False)
class ArcCosineUnits(Map):
    """φ(x) = √(2/m) max(0, W x)^order, prepared by `arccos`; `weights` W (m, d)."""

    kernel: ArcCosine
    weights: Array

    @property
    def dimension(self) -> int:
        """How many features: m."""
        return int(self.weights.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return int(self.weights.shape[1])

    def of_rows(self, x: Array) -> Array:
        xp = namespace(x, self.weights)
        inner = x @ xp.matrix_transpose(in_type_of(self.weights, x))
        active = inner > 0
        power = xp.ones_like(inner) if self.kernel.order == 0 else inner**self.kernel.order
        return sqrt(2 / self.dimension) * xp.where(active, power, xp.zeros_like(inner))


def arccos(
    kernel: ArcCosine, d: int, m: int, rng: Rng, *, orthogonal: bool = True, like: Array | None = None
) -> ArcCosineUnits:
    """Random units of an arc-cosine kernel (Cho and Saul 2009): steps, ReLU or squared ReLU.

    -> map of (..., d) -> (..., m) with E <φ(x), φ(y)> = k(x, y)

    `orthogonal`: weights orthogonal in blocks of d. `like`: an array whose library, type and device the weights get;
    NumPy float64 without one. Raises TypeError for another kernel, ValueError for sizes out of range.

    >>> from kerneltools.kernels import ArcCosine
    >>> arccos(ArcCosine(1), d=3, m=64, rng=0).dimension
    64
    """
    check_sizes(d, m)
    if not isinstance(kernel, ArcCosine):
        raise TypeError(f"kernel: expected kernels.ArcCosine, got {type(kernel).__name__}")
    return ArcCosineUnits(kernel, placed(frequencies_of_normal(rng, m, d, orthogonal), like))


@dataclass(frozen=True, eq=False)
class PositiveUnits(Map):
    """φ(x) = exp(W x/s - c |x|²/s²) / √m, prepared by `positive`; `weights` W (m, d), c = `shrink`."""

    kernel: Kernel
    weights: Array
    scale: float | Array
    shrink: float = static()

    @property
    def dimension(self) -> int:
        """How many features: m."""
        return int(self.weights.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return int(self.weights.shape[1])

    def of_rows(self, x: Array) -> Array:
        xp = namespace(x, self.weights)
        scaled = x / self.scale
        exponent = scaled @ xp.matrix_transpose(in_type_of(self.weights, x))
        return xp.exp(exponent - self.shrink * xp.sum(scaled * scaled, axis=1, keepdims=True)) / sqrt(self.dimension)


def positive(
    kernel: ExponentialDotProduct | Gaussian,
    d: int,
    m: int,
    rng: Rng,
    *,
    orthogonal: bool = True,
    like: Array | None = None,
) -> PositiveUnits:
    """Positive random features of exp(<x, y>/s²) and of the Gaussian kernel (Choromanski et al. 2021).

    -> map of (..., d) -> (..., m) with all features > 0 and E <φ(x), φ(y)> = k(x, y)

    All estimates are positive, so small kernel values keep their sign. A feature is at most exp(|w|²/2) / √m, about
    exp(d/2): scale or reduce data of more than about 150 columns, which overflow float32. `orthogonal`: weights
    orthogonal in blocks of d. `like`: an array whose library, type and device the weights get; NumPy float64 without.
    Raises TypeError for another kernel, ValueError for sizes out of range.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> bool(np.all(positive(Gaussian(1.0), d=2, m=8, rng=0)(np.ones((1, 2))) > 0))
    True
    """
    check_sizes(d, m)
    weights = placed(frequencies_of_normal(rng, m, d, orthogonal), like)
    if isinstance(kernel, Gaussian):
        return PositiveUnits(kernel, weights, kernel.bandwidth, 1.0)
    if isinstance(kernel, ExponentialDotProduct):
        return PositiveUnits(kernel, weights, kernel.scale, 0.5)
    raise TypeError(f"kernel: expected kernels.ExponentialDotProduct or Gaussian, got {type(kernel).__name__}")

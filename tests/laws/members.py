"""Who has to obey the laws: a kernel, map, selector, pool or grid joins by one line in its list."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from kerneltools import kernels, landmarks, maps, pooling
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Polynomial
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power, Profile
from kerneltools.landmarks import Selector
from kerneltools.maps import Map, nystrom
from kerneltools.patches import Grid


@dataclass(frozen=True)
class Squared:
    """A function of the user's own, which is printed alike in every process: tests are named by it."""

    def __call__(self, x: Any, y: Any) -> Any:
        return (0.5 * (x @ namespace(y).matrix_transpose(y)) + 1.0) ** 2


PROFILES: tuple[Profile, ...] = (
    Exponential(0.3),
    Exponential(1.5),
    Power(1),
    Power(2),
    Power(3),
    ArcCosine(0),
    ArcCosine(1),
    ArcCosine(2),
)

STATIONARY: tuple[Kernel, ...] = (
    Gaussian(0.7),
    Gaussian(3.0),
    kernels.Matern(0.5, 1.1),
    kernels.Matern(1.5, 0.8),
    kernels.Matern(2.5, 1.7),
    kernels.Matern(4.5, 1.0),
    kernels.Matern(inf, 1.3),
    kernels.Exponential(1.2),
    kernels.RationalQuadratic(0.9, alpha=0.6),
    # Of a support that random rows seldom leave: near its end values have no digits relative to themselves.
    kernels.Wendland(5.0, smoothness=0, dimension=4),
    kernels.Wendland(6.0, smoothness=1, dimension=4),
    kernels.Wendland(7.0, smoothness=2, dimension=5),
    kernels.Wendland(8.0, smoothness=3, dimension=6),
    kernels.Laplacian(1.5),
    kernels.Cauchy(1.1),
    kernels.Periodic(period=2.7, lengthscale=0.9),
)

DOT_PRODUCT: tuple[Kernel, ...] = (
    Linear(),
    Polynomial(),
    Polynomial(degree=3, offset=0.5),
    kernels.ExponentialDotProduct(3.0),
    kernels.Cosine(),
    kernels.ArcCosine(0),
    kernels.ArcCosine(1),
    kernels.ArcCosine(2),
    *(Homogeneous(profile) for profile in PROFILES),
)

COMPOSITE: tuple[Kernel, ...] = (
    kernels.Normalised(Polynomial()),
    kernels.GaussianOf(kernels.Normalised(Polynomial()), 0.8),
    Gaussian(1.0) + Linear(),
    0.3 * Homogeneous(Exponential(0.6)) + Homogeneous(Power(2)),
    Gaussian(2.0) * Polynomial(degree=2, offset=1.0),
    2.5 * (Gaussian(1.0) + Homogeneous(ArcCosine(1)) * Linear()),
    kernels.Sum((Linear(), Gaussian(1.0), 0.1 * Linear())),
    kernels.Matern(1.5, 1.0) ** 3,
    (0.5 * Linear()) ** 1,
    kernels.On((0,), kernels.Matern(1.5, 0.9)) + 0.5 * Linear(),
    kernels.Function(Squared()),
)

# Of any rows, and positive semi-definite.


KERNELS: tuple[Kernel, ...] = (*STATIONARY, *DOT_PRODUCT, *COMPOSITE)

# Of rows of numbers >= 0.
HISTOGRAM: tuple[Kernel, ...] = (
    kernels.Chi2(0.8),
    kernels.AdditiveChi2(),
    kernels.Intersection(),
    kernels.Intersection() * kernels.Gaussian(2.0),
)

INDEFINITE: tuple[Kernel, ...] = (
    kernels.Sigmoid(0.4, offset=-0.3),
    kernels.Sigmoid(0.4) + Linear(),
    0.5 * kernels.On((0,), kernels.Sigmoid(1.0)) * Gaussian(1.0),
    kernels.Sigmoid(0.4, offset=0.5) ** 2,
)


def infinite_slope(kernel: Kernel) -> bool:
    """Whether a rounding error of a square distance or of a cosine, where these are 0 and 1, becomes its root."""
    known = (ArcCosine(0), kernels.Exponential(1.2), kernels.Matern(0.5, 1.1), kernels.Wendland(5.0, 0, 4))
    return any(repr(k) in repr(kernel) for k in known)


ROUNDING = 1e-12
"""What rounding may do to values, relative to the greatest; those of angles and distances too."""

# From a kernel and landmarks (m, d) to a map, and what it may miss at the landmarks, relative to the greatest value.
MAPS: dict[str, tuple[Callable[[Kernel, Any], Any], float]] = {
    "nystrom": (nystrom, 1e-11),
    "nystrom reg=1e-8": (lambda kernel, points: nystrom(kernel, points, reg=1e-8), 1e-7),
}

MakeMap = Callable[[int, int], Map]
ARD = Gaussian(np.asarray([0.7, 1.5, 3.0]))

# From m and a seed to a map of three columns.
FOURIER_MAPS: dict[str, MakeMap] = {
    f"fourier {kernel} {how}": (lambda m, seed, k=kernel, h=how: maps.fourier(k, 3, m, seed, **h))  # type: ignore[misc]
    for kernel in (
        Gaussian(1.3),
        kernels.Matern(1.5, 1.1),
        kernels.Exponential(2.0),
        kernels.RationalQuadratic(1.2, alpha=0.8),
        kernels.Laplacian(2.5),
        kernels.Cauchy(1.4),
    )
    for how in ({}, {"orthogonal": False}, {"quasi": True})
}
RANDOM_MAPS: dict[str, MakeMap] = {
    **FOURIER_MAPS,
    "fourier ARD": lambda m, seed: maps.fourier(ARD, 3, m, seed),
    "fourier structured": lambda m, seed: maps.fourier(Gaussian(1.3), 3, m, seed, structured=True),
    "arccos 0": lambda m, seed: maps.arccos(kernels.ArcCosine(0), 3, m, seed),
    "arccos 1": lambda m, seed: maps.arccos(kernels.ArcCosine(1), 3, m, seed),
    "arccos 2": lambda m, seed: maps.arccos(kernels.ArcCosine(2), 3, m, seed, orthogonal=False),
    "positive": lambda m, seed: maps.positive(kernels.ExponentialDotProduct(1.5), 3, m, seed),
    "positive Gaussian": lambda m, seed: maps.positive(Gaussian(1.5), 3, m, seed, orthogonal=False),
    "tensor_sketch": lambda m, seed: maps.tensor_sketch(kernels.Polynomial(3, 0.5), 3, m, seed),
    "tensor_sketch linear": lambda m, seed: maps.tensor_sketch(kernels.Linear(), 3, m, seed),
    "maclaurin": lambda m, seed: maps.maclaurin(kernels.Polynomial(2, 0.5), 3, m, seed),
    "maclaurin exponential": lambda m, seed: maps.maclaurin(kernels.ExponentialDotProduct(1.5), 3, m, seed),
    "Sum": lambda m, seed: maps.Sum(
        (maps.fourier(Gaussian(1.0), 3, m // 2, seed), maps.arccos(kernels.ArcCosine(1), 3, m // 2, seed + 10_000))
    ),
    "Product": lambda m, seed: maps.Product(
        (maps.fourier(Gaussian(2.0), 3, 8, seed), maps.arccos(kernels.ArcCosine(1), 3, m // 8, seed + 10_000))
    ),
    "Scaled": lambda m, seed: maps.Scaled(2.5, maps.fourier(Gaussian(1.0), 3, m, seed)),
}

# Without randomness: unbiased they are not.
SAMPLED_MAPS: dict[str, MakeMap] = {
    "chi2": lambda m, seed: maps.chi2(kernels.AdditiveChi2(), 3, samples=max(1, m // 8)),
    "chi2 of intersections": lambda m, seed: maps.chi2(kernels.Intersection(), 3, samples=max(1, m // 8)),
}

# From m to a selector of at most m landmarks.
SELECTORS: dict[str, Callable[[int], Selector]] = {
    "Uniform": landmarks.Uniform,
    "SphericalKMeans": landmarks.SphericalKMeans,
    "SphericalKMeans, small blocks": lambda m: landmarks.SphericalKMeans(m, block=7),
    "KMeansPlusPlus": landmarks.KMeansPlusPlus,
    "KMeansPlusPlus, one trial": lambda m: landmarks.KMeansPlusPlus(m, trials=1),
    "KMeans": landmarks.KMeans,
    "KMeans, small blocks": lambda m: landmarks.KMeans(m, block=7),
    "CellMeans": landmarks.CellMeans,
    "CellMeans, small samples": lambda m: landmarks.CellMeans(m, each=1),
    "MiniBatchKMeans": landmarks.MiniBatchKMeans,
    "MiniBatchKMeans, small batches": lambda m: landmarks.MiniBatchKMeans(m, batch=7, rounds=2),
    "RPCholesky": landmarks.RPCholesky,
    "RPCholesky, one row at a time": lambda m: landmarks.RPCholesky(m, block=1),
    "RPCholesky, small blocks": lambda m: landmarks.RPCholesky(m, block=3),
    "Greedy": landmarks.Greedy,
    "RidgeLeverage": landmarks.RidgeLeverage,
    "RidgeLeverage, small blocks": lambda m: landmarks.RidgeLeverage(m, block=7),
    "BLESS": landmarks.BLESS,
    "BLESS, small blocks": lambda m: landmarks.BLESS(m, block=7),
}

POOLS: tuple[Any, ...] = (
    pooling.Gaussian(1),
    pooling.Gaussian(2),
    pooling.Gaussian(3),
    pooling.Mean(2),
    pooling.Mean(3, stride=1),
    pooling.Mean(),
    pooling.Sum(2),
    pooling.Sum(3, stride=2),
    pooling.Sum(),
    pooling.Max(2),
    pooling.Max(3, stride=2),
    pooling.Max(),
)

GRIDS: dict[int, tuple[Grid, ...]] = {
    1: (
        Grid(3),
        Grid(4),
        Grid(2, stride=3),
        Grid(3, padding="valid", dilation=2),
        Grid((5,), stride=(2,), padding=(3,), dilation=(2,)),
    ),
    2: (
        Grid(3),
        Grid(2),
        Grid(1, padding="valid"),
        Grid(4, dilation=2),
        Grid(3, stride=2, padding="valid"),
        Grid((2, 3), stride=(1, 2), padding=(0, 2), dilation=(2, 1)),
    ),
    3: (
        Grid(2),
        Grid(3, stride=2),
        Grid((1, 2, 3), stride=(2, 1, 1), padding=(0, 1, 2), dilation=(1, 2, 1)),
    ),
}
ALL_GRIDS = tuple((rank, grid) for rank, grids in GRIDS.items() for grid in grids)

# Large enough for every grid of that rank.
SHAPES: dict[int, tuple[int, ...]] = {1: (2, 11, 3), 2: (2, 7, 9, 2), 3: (2, 4, 5, 6, 2)}


def rows(n: int, d: int, seed: int, zero_rows: int = 0) -> np.ndarray:
    """Random rows, the last `zero_rows` of them zero."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    x[n - zero_rows :, :] = 0
    return x

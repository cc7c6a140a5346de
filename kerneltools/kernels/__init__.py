"""Kernels: frozen dataclasses that are called on two sets of rows, (n, d), (m, d) -> (n, m)."""

from kerneltools.kernels import profiles, spectral
from kerneltools.kernels.base import InnerProductKernel, Kernel, Product, Scaled, Sum
from kerneltools.kernels.distances import Radial, square_distances
from kerneltools.kernels.dot_product import Linear, Polynomial
from kerneltools.kernels.homogeneous import Homogeneous
from kerneltools.kernels.per_column import Cauchy, Laplacian, Periodic
from kerneltools.kernels.stationary import Exponential, Gaussian, Matern, RationalQuadratic

__all__ = [
    "Cauchy",
    "Exponential",
    "Gaussian",
    "Homogeneous",
    "InnerProductKernel",
    "Kernel",
    "Laplacian",
    "Linear",
    "Matern",
    "Periodic",
    "Polynomial",
    "Product",
    "Radial",
    "RationalQuadratic",
    "Scaled",
    "Sum",
    "profiles",
    "spectral",
    "square_distances",
]

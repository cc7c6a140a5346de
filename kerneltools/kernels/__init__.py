"""Kernels: frozen dataclasses that are called on two sets of rows, (n, d), (m, d) -> (n, m)."""

from kerneltools.kernels import profiles
from kerneltools.kernels.base import InnerProductKernel, Kernel, Product, Scaled, Sum
from kerneltools.kernels.dot_product import Linear, Polynomial
from kerneltools.kernels.gaussian import Gaussian, square_distances
from kerneltools.kernels.homogeneous import Homogeneous

__all__ = [
    "Gaussian",
    "Homogeneous",
    "InnerProductKernel",
    "Kernel",
    "Linear",
    "Polynomial",
    "Product",
    "Scaled",
    "Sum",
    "profiles",
    "square_distances",
]

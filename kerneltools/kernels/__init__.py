"""Kernels: frozen dataclasses, called on two sets of rows: (n, d), (m, d) -> (n, m)."""

from kerneltools.kernels import graphs, profiles, series, spectral, strings
from kerneltools.kernels.arc_cosine import ArcCosine
from kerneltools.kernels.base import InnerProductKernel, Kernel, Power, Product, Scaled, Sum
from kerneltools.kernels.composite import Function, GaussianOf, Normalised, On, Precomputed, as_kernel
from kerneltools.kernels.counting import CountingKernel, Counts
from kerneltools.kernels.distances import Radial, square_distances
from kerneltools.kernels.dot_product import Cosine, ExponentialDotProduct, Linear, Polynomial, Sigmoid
from kerneltools.kernels.histogram import AdditiveChi2, Chi2, HistogramKernel, Intersection
from kerneltools.kernels.homogeneous import Homogeneous
from kerneltools.kernels.objects import Pairwise, pairwise
from kerneltools.kernels.per_column import Cauchy, Laplacian, Periodic
from kerneltools.kernels.stationary import Exponential, Gaussian, Matern, RationalQuadratic
from kerneltools.kernels.wendland import Wendland

__all__ = [
    "AdditiveChi2",
    "ArcCosine",
    "Cauchy",
    "Chi2",
    "Cosine",
    "CountingKernel",
    "Counts",
    "Exponential",
    "ExponentialDotProduct",
    "Function",
    "Gaussian",
    "GaussianOf",
    "HistogramKernel",
    "Homogeneous",
    "InnerProductKernel",
    "Intersection",
    "Kernel",
    "Laplacian",
    "Linear",
    "Matern",
    "Normalised",
    "On",
    "Pairwise",
    "Periodic",
    "Polynomial",
    "Power",
    "Precomputed",
    "Product",
    "Radial",
    "RationalQuadratic",
    "Scaled",
    "Sigmoid",
    "Sum",
    "Wendland",
    "as_kernel",
    "graphs",
    "pairwise",
    "profiles",
    "series",
    "spectral",
    "square_distances",
    "strings",
]

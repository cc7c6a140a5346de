"""Finite maps of kernels: prepared once, then phi(x): (..., d) -> (..., m) with <phi(x), phi(y)> about k(x, y)."""

from kerneltools.maps.chi2 import Chi2Samples, chi2
from kerneltools.maps.composite import Product, Sum
from kerneltools.maps.fourier import Fourier, fourier
from kerneltools.maps.nystrom import Nystrom, nystrom
from kerneltools.maps.sketch import Maclaurin, TensorSketch, maclaurin, tensor_sketch
from kerneltools.maps.suggest import Suggestion, suggest
from kerneltools.maps.units import ArcCosineUnits, PositiveUnits, arccos, positive

__all__ = [
    "ArcCosineUnits",
    "Chi2Samples",
    "Fourier",
    "Maclaurin",
    "Nystrom",
    "PositiveUnits",
    "Product",
    "Suggestion",
    "Sum",
    "TensorSketch",
    "arccos",
    "chi2",
    "fourier",
    "maclaurin",
    "nystrom",
    "positive",
    "suggest",
    "tensor_sketch",
]

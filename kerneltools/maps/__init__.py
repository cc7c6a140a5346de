"""Feature maps: prepared once, then φ(x): (..., d) -> (..., m), with φ(x)·φ(y) close to k(x, y)."""

from kerneltools.maps.arccos import ArcCosineFeatures, arccos
from kerneltools.maps.base import Map
from kerneltools.maps.chi2 import HomogeneousMap, chi2
from kerneltools.maps.composite import Product, Scaled, Sum
from kerneltools.maps.counts import CountFeatures, HashedCounts, counts
from kerneltools.maps.fourier import Fourier, StructuredFourier, fourier
from kerneltools.maps.maclaurin import Maclaurin, maclaurin
from kerneltools.maps.nystrom import Nystrom, nystrom
from kerneltools.maps.positive import Positive, positive
from kerneltools.maps.signature import SignatureFeatures, signature
from kerneltools.maps.suggest import Candidate, Suggestion, suggest
from kerneltools.maps.tensor_sketch import TensorSketch, tensor_sketch
from kerneltools.maps.warping import OfWarping, RandomWarping, random_warping

__all__ = [
    "ArcCosineFeatures",
    "Candidate",
    "CountFeatures",
    "Fourier",
    "HashedCounts",
    "HomogeneousMap",
    "Maclaurin",
    "Map",
    "Nystrom",
    "OfWarping",
    "Positive",
    "Product",
    "RandomWarping",
    "Scaled",
    "SignatureFeatures",
    "StructuredFourier",
    "Suggestion",
    "Sum",
    "TensorSketch",
    "arccos",
    "chi2",
    "counts",
    "fourier",
    "maclaurin",
    "nystrom",
    "positive",
    "random_warping",
    "signature",
    "suggest",
    "tensor_sketch",
]

"""Selectors of landmarks: selector(kernel, x, rng) -> Landmarks."""

from kerneltools.landmarks.base import Landmarks, ReducedWarning, Selector
from kerneltools.landmarks.given import Given
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans
from kerneltools.landmarks.uniform import Uniform

__all__ = ["Given", "Landmarks", "ReducedWarning", "Selector", "SphericalKMeans", "Uniform"]

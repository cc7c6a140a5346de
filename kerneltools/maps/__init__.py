"""Feature maps: prepared once, then φ(x): (..., d) -> (..., m), with φ(x)·φ(y) close to k(x, y)."""

from kerneltools.maps.base import Map
from kerneltools.maps.nystrom import Nystrom, nystrom

__all__ = ["Map", "Nystrom", "nystrom"]

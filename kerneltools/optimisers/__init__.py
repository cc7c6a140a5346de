"""Steps downhill on trees of parameters, each in the geometry it lives in."""

from kerneltools.optimisers.first_order import SGD, Adam, Optimiser, clip
from kerneltools.optimisers.geometry import Euclidean, Geometry, Positive, Sphere
from kerneltools.optimisers.schedules import Constant, Cosine, Schedule, Steps, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "Constant",
    "Cosine",
    "Euclidean",
    "Geometry",
    "Optimiser",
    "Positive",
    "Schedule",
    "Sphere",
    "Steps",
    "WarmUp",
    "clip",
]

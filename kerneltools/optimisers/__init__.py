"""First-order optimisers on trees of parameters, each in its own geometry."""

from kerneltools.optimisers.first_order import SGD, Adam, Optimiser, clip
from kerneltools.optimisers.geometry import Euclidean, Geometry, Interval, Positive, Sphere, Spheres
from kerneltools.optimisers.schedules import Constant, Cosine, Schedule, Steps, WarmUp

__all__ = [
    "SGD",
    "Adam",
    "Constant",
    "Cosine",
    "Euclidean",
    "Geometry",
    "Interval",
    "Optimiser",
    "Positive",
    "Schedule",
    "Sphere",
    "Spheres",
    "Steps",
    "WarmUp",
    "clip",
]

"""Kernel methods on the array library of your choice: kernels, landmarks, maps and solvers."""

from kerneltools import (
    arrays,
    forecasting,
    kernels,
    landmarks,
    linalg,
    maps,
    optimisers,
    patches,
    pooling,
    primitives,
    progress,
    random,
    solvers,
    streaming,
    structures,
    trees,
)
from kerneltools.backend import Backend, available, backend, backend_of
from kerneltools.storing import load, save

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "arrays",
    "available",
    "backend",
    "backend_of",
    "forecasting",
    "kernels",
    "landmarks",
    "linalg",
    "load",
    "maps",
    "optimisers",
    "patches",
    "pooling",
    "primitives",
    "progress",
    "random",
    "save",
    "solvers",
    "streaming",
    "structures",
    "trees",
]

"""Kernel methods on the array library of your choice: kernels, landmarks, maps and solvers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from kerneltools.reporting.estimators import report

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
    "report",
    "save",
    "solvers",
    "streaming",
    "structures",
    "trees",
]


def __getattr__(name: str) -> Any:
    # scikit-learn, which it needs, takes a second to import, and is an extra.
    if name == "report":
        return import_module("kerneltools.reporting.estimators").report
    raise AttributeError(f"module 'kerneltools' has no attribute {name!r}")

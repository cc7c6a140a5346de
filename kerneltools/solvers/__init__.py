"""Solvers of learning problems on features."""

from kerneltools.solvers.lbfgs import Minimum, minimise
from kerneltools.solvers.linear import NotConvergedWarning, fit_linear
from kerneltools.solvers.losses import CrossEntropy, Loss, Squared, SquaredHinge
from kerneltools.solvers.ridge import LinearModel, RidgePath, ridge, ridge_path

__all__ = [
    "CrossEntropy",
    "LinearModel",
    "Loss",
    "Minimum",
    "NotConvergedWarning",
    "RidgePath",
    "Squared",
    "SquaredHinge",
    "fit_linear",
    "minimise",
    "ridge",
    "ridge_path",
]

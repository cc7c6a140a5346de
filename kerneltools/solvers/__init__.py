"""Solvers of learning problems on features."""

from kerneltools.solvers.convergence import NotConvergedWarning
from kerneltools.solvers.lbfgs import Minimum, minimise
from kerneltools.solvers.linear import fit_linear
from kerneltools.solvers.losses import CrossEntropy, Logistic, Loss, Squared, SquaredHinge
from kerneltools.solvers.ridge import LinearModel, RidgePath, path_of, ridge, ridge_path
from kerneltools.solvers.sums import RidgeSums, ridge_sums

__all__ = [
    "CrossEntropy",
    "LinearModel",
    "Logistic",
    "Loss",
    "Minimum",
    "NotConvergedWarning",
    "RidgePath",
    "RidgeSums",
    "Squared",
    "SquaredHinge",
    "fit_linear",
    "minimise",
    "path_of",
    "ridge",
    "ridge_path",
    "ridge_sums",
]

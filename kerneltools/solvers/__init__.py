"""Solvers of learning problems on kernels and features."""

from kerneltools.solvers.choice import Choice, choose
from kerneltools.solvers.convergence import NotConvergedWarning, PrecisionWarning
from kerneltools.solvers.exact import ExactPath, InterceptModel, exact_path, exact_ridge
from kerneltools.solvers.falkon import falkon, kernel_ridge
from kerneltools.solvers.features import KernelModel
from kerneltools.solvers.forecasting import forecast
from kerneltools.solvers.lbfgs import Minimum, minimise
from kerneltools.solvers.linear import Blocks, fit_linear
from kerneltools.solvers.losses import CrossEntropy, Logistic, Loss, Squared, SquaredHinge
from kerneltools.solvers.newton import fit_kernel
from kerneltools.solvers.newton_cg import Moments, moments, newton_cg
from kerneltools.solvers.nystrom_pcg import nystrom_pcg
from kerneltools.solvers.preconditioners import LandmarkRows, Preconditioner, SignedSums
from kerneltools.solvers.ridge import LinearModel, RidgePath, path_of, ridge, ridge_path
from kerneltools.solvers.sums import RidgeSums, ridge_sums

__all__ = [
    "Blocks",
    "Choice",
    "CrossEntropy",
    "ExactPath",
    "InterceptModel",
    "KernelModel",
    "LandmarkRows",
    "LinearModel",
    "Logistic",
    "Loss",
    "Minimum",
    "Moments",
    "NotConvergedWarning",
    "PrecisionWarning",
    "Preconditioner",
    "RidgePath",
    "RidgeSums",
    "SignedSums",
    "Squared",
    "SquaredHinge",
    "choose",
    "exact_path",
    "exact_ridge",
    "falkon",
    "fit_kernel",
    "fit_linear",
    "forecast",
    "kernel_ridge",
    "minimise",
    "moments",
    "newton_cg",
    "nystrom_pcg",
    "path_of",
    "ridge",
    "ridge_path",
    "ridge_sums",
]

"""Learning on features beyond regression: hyperparameters, principal components, clusters, tests of samples."""

from kerneltools.learning import hyper
from kerneltools.learning.calibration import Temperature, fit_temperature
from kerneltools.learning.independence import hsic, independence_test
from kerneltools.learning.kernel_kmeans import KernelKMeans, kernel_kmeans
from kerneltools.learning.objectives import GeneralisedCrossValidation, HoldOut, LeaveOneOut, Objective
from kerneltools.learning.pca import KernelPCA, kernel_pca
from kerneltools.learning.permutation import PermutationTest
from kerneltools.learning.two_sample import mmd, two_sample_test

__all__ = [
    "GeneralisedCrossValidation",
    "HoldOut",
    "KernelKMeans",
    "KernelPCA",
    "LeaveOneOut",
    "Objective",
    "PermutationTest",
    "Temperature",
    "fit_temperature",
    "hsic",
    "hyper",
    "independence_test",
    "kernel_kmeans",
    "kernel_pca",
    "mmd",
    "two_sample_test",
]

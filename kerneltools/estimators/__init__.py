"""Estimators for scikit-learn, built on kernel objects, for arrays of any library. Needs the extra `sklearn`."""

from kerneltools.estimators.classifier import KernelClassifier
from kerneltools.estimators.features import NystromFeatures, RandomFeatures
from kerneltools.estimators.informative import UninformativeKernelWarning
from kerneltools.estimators.pca import KernelPCA
from kerneltools.estimators.ridge import KernelRidge
from kerneltools.estimators.search import KernelSearch
from kerneltools.estimators.work import SlowWarning

__all__ = [
    "KernelClassifier",
    "KernelPCA",
    "KernelRidge",
    "KernelSearch",
    "NystromFeatures",
    "RandomFeatures",
    "SlowWarning",
    "UninformativeKernelWarning",
]

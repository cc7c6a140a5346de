"""The NumPy plugin of kerneltools. Its gradients come from the tape, kerneltools.autodiff."""

from kerneltools_numpy.plugin import BACKEND, NumpyBackend

__all__ = ["BACKEND", "NumpyBackend"]

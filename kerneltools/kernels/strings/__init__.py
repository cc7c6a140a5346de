"""Kernels of strings: collections `kerneltools.structures.Strings`."""

from kerneltools.kernels.strings.spectrum import Spectrum

__all__ = ["Spectrum"]

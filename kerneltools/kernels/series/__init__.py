"""Kernels of series: of the arrays (T, c), of any lengths, in a `kerneltools.structures.Ragged`."""

from kerneltools.kernels.series.alignment import GlobalAlignment
from kerneltools.kernels.series.signature import Signature, SignaturePDE

__all__ = ["GlobalAlignment", "Signature", "SignaturePDE"]

"""Kernels of series: collections `kerneltools.structures.Ragged` of arrays (T, c), of any lengths."""

from kerneltools.kernels.series.alignment import GlobalAlignment
from kerneltools.kernels.series.signature import Signature, SignaturePDE

__all__ = ["GlobalAlignment", "Signature", "SignaturePDE"]

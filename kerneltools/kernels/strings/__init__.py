"""Kernels of strings: of the objects in a `kerneltools.structures.Strings`."""

from kerneltools.kernels.strings.alignment import LocalAlignment
from kerneltools.kernels.strings.gapped import GappedKmer
from kerneltools.kernels.strings.mismatch import Mismatch
from kerneltools.kernels.strings.scores import blosum62, match_scores
from kerneltools.kernels.strings.spectrum import Spectrum
from kerneltools.kernels.strings.subsequence import Subsequence

__all__ = ["GappedKmer", "LocalAlignment", "Mismatch", "Spectrum", "Subsequence", "blosum62", "match_scores"]

"""Kernels of strings with the same short pieces."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.kernels.counting import CountingKernel, Counts, mixed
from kerneltools.kernels.strings.windows import Windows
from kerneltools.structures import Strings
from kerneltools.structures.base import Collection, Host
from kerneltools.trees import static


@dataclass(frozen=True)
class Spectrum(CountingKernel):
    """k(s, t) = Σ_u #u(s) #u(t), over all strings u of k letters: #u(s) is how often u occurs in s.

    (n,), (m,) strings -> (n, m)

    `k` >= 1 letters; `reverse_complement`: the pieces of the other strand count too, for alphabets that have one.
    Pieces with an ambiguous letter are left out, and a string of fewer than k letters has none (Leslie, Eskin and
    Noble 2002). Time is linear in the letters.

    >>> from kerneltools.structures import Strings
    >>> Spectrum(2)(Strings.of(["ACAC"]), Strings.of(["ACA", "GG"]))
    array([[3., 0.]])
    """

    k: int = static(3)
    reverse_complement: bool = static(False)

    def __post_init__(self) -> None:
        require_count("k", self.k)

    @property
    def structure(self) -> type[Collection]:
        return Strings

    def load(self, x: Any) -> Host:
        return x.lengths * (2 if self.reverse_complement else 1)

    def counts(self, x: Strings) -> Counts:
        strands = [x, x.reverse_complement()] if self.reverse_complement else [x]
        found = [pieces(strand, self.k) for strand in strands]
        codes, owners = (np.concatenate(column) for column in zip(*found, strict=True))
        return Counts.of(codes, owners, len(x), like=x.like)


def pieces(x: Strings, k: int) -> tuple[Host, Host]:
    """The pieces of k letters without an ambiguous one: their codes and the string of each, (z,), (z,)"""
    windows = Windows.of(x, k)
    codes, base = np.zeros(len(windows.starts), dtype=np.uint64), np.uint64(len(x.alphabet))
    exact = len(x.alphabet) ** k < 2**63
    for place in range(k):
        letter = windows.letters(x, place).astype(np.uint64)
        # Beyond 63 bits, codes are hashes: two pieces have the same with a probability of 2^-64.
        codes = codes * base + letter if exact else mixed(codes ^ (letter + np.uint64(1)))
    return codes.view(np.int64), windows.owners

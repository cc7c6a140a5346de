"""Kernels of strings with almost the same short pieces."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.kernels.counting import CountingKernel, Counts, mixed
from kerneltools.kernels.strings.windows import Windows
from kerneltools.structures import Strings
from kerneltools.structures.base import Collection, Host
from kerneltools.trees import static


@dataclass(frozen=True)
class Mismatch(CountingKernel):
    """k(s, t) = Σ_u #u(s) #u(t), over strings u of k letters: #u(s) counts pieces of s within m mismatches of u.

    (n,), (m,) strings -> (n, m)

    `k` >= 1 letters, 0 <= `m` <= k; `reverse_complement`: the pieces of the other strand count too, for alphabets that
    have one. Pieces with an ambiguous letter are left out, and a string of fewer than k letters has none (Leslie et al.
    2004). Time is linear in the letters, times Σ_j C(k, j) (A - 1)^j, j = 0..m, for A letters of the alphabet.

    >>> from kerneltools.structures import Strings
    >>> Mismatch(2, 1)(Strings.of(["AC"]), Strings.of(["AC", "AG", "GT"]))
    array([[7., 4., 2.]])
    """

    k: int = static(5)
    m: int = static(1)
    reverse_complement: bool = static(False)

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_count("m", self.m, least=0)
        if self.m > self.k:
            raise ValueError(f"m: expected 0 to k = {self.k}, got {self.m}")

    @property
    def structure(self) -> type[Collection]:
        return Strings

    def load(self, x: Any) -> Host:
        ball = sum(comb(self.k, j) * (len(x.alphabet) - 1) ** j for j in range(self.m + 1))
        return np.maximum(x.lengths - self.k + 1, 0) * ball * (2 if self.reverse_complement else 1)

    def counts(self, x: Strings) -> Counts:
        codes, owners, _ = zip(*self.found(x), strict=True)
        return Counts.of(np.concatenate(codes), np.concatenate(owners), len(x), like=x.like)

    def found(self, x: Strings) -> Iterator[tuple[Host, Host, Host | float]]:
        size = len(x.alphabet)
        code_of = _codes(self.k, size)
        for side in [x, x.reverse_complement()] if self.reverse_complement else [x]:
            windows = Windows.of(side, self.k)
            letters = [windows.letters(side, place) for place in range(self.k)]
            whole = np.zeros(len(windows.starts), dtype=np.uint64)
            for place, letter in enumerate(letters):
                whole += code_of[place][letter]
            for places in (found for count in range(self.m + 1) for found in combinations(range(self.k), count)):
                for steps in product(range(1, size), repeat=len(places)):
                    code = whole
                    for place, step in zip(places, steps, strict=True):
                        code = code - code_of[place][letters[place]] + code_of[place][(letters[place] + step) % size]
                    yield code.view(np.int64), windows.owners, 1.0


def _codes(k: int, size: int) -> Host:
    """The code of each letter at each place; hashes beyond 63 bits, whose sums are almost surely unique: (k, A)"""
    if size**k < 2**63:
        return np.array([[letter * size**place for letter in range(size)] for place in range(k)], dtype=np.uint64)
    return mixed(np.arange(k * size, dtype=np.uint64)).reshape(k, size)

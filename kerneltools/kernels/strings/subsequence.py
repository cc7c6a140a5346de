"""Kernels of strings with the same letters in the same order, with any gaps."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, device_of, holds, namespace, require_beside, require_count
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.strings.pairs import PairKernel
from kerneltools.structures.base import Host
from kerneltools.structures.strings import Alphabet
from kerneltools.trees import static

SHORT = 64
"""Up to this length, decayed sums are products with a matrix of powers."""


@dataclass(frozen=True)
class Subsequence(PairKernel):
    """k(s, t) = Σ_u Σ_i Σ_j λ^(i_k - i_1 + 1) λ^(j_k - j_1 + 1), of all strings u of k letters, at i in s, j in t

    (n,), (m,) strings -> (n, m)

    i_1 < ... < i_k are the places of the letters of u in s, with any gaps, and j_1 < ... < j_k those in t (Lodhi et al.
    2002). `k` >= 1; `decay` λ in (0, 1], a number or an array to differentiate: with 1, gaps do not matter.
    `reverse_complement`: compare both strands. Ambiguous letters match nothing, and all features of a string of fewer
    than k letters are 0. Time and memory grow with the product of two lengths, and time with k too; strings of more
    than `longest` letters are refused.

    >>> from kerneltools.structures import Strings
    >>> Subsequence(2, 0.5)(Strings.of(["CAT"]), Strings.of(["CAT", "CAG"]))
    array([[0.140625, 0.0625  ]])
    """

    k: int = static(3)
    decay: float | Array = 0.5
    reverse_complement: bool = static(False)
    longest: int = static(10_000)

    def __post_init__(self) -> None:
        require_count("k", self.k)
        require_count("longest", self.longest)
        check_positive("decay", self.decay)
        if not holds(namespace(self.decay).all(self.decay <= 1) if hasattr(self.decay, "dtype") else self.decay <= 1):
            raise ValueError(f"decay: expected numbers in (0, 1], got {self.decay!r}")

    def of_pairs(self, a: Host, b: Host, lengths: tuple[Host, Host], alphabet: Alphabet, like: Array) -> Array:
        del lengths, alphabet
        require_beside(like, self.decay)
        match = asarray_like((a[:, :, None] == b[:, None, :]) & (a[:, :, None] >= 0), like) * self.decay**2
        xp = namespace(match)
        found = match
        for _ in range(self.k - 1):
            across = decayed_sums(found, self.decay)
            found = match * xp.matrix_transpose(decayed_sums(xp.matrix_transpose(across), self.decay))
        return xp.sum(found, axis=(1, 2))

    def joined(self, values: list[Array]) -> Array:
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total


def decayed_sums(x: Array, decay: Any) -> Array:
    """Σ_{j < i} decay^(i - 1 - j) x_j along the last axis: (..., S) -> (..., S)"""
    xp = namespace(x)
    size = int(x.shape[-1])
    if size <= SHORT:
        exponents = np.arange(size)[None, :] - 1 - np.arange(size)[:, None]
        return x @ _powers(decay, exponents, x)
    parts = -(-size // SHORT)
    if parts * SHORT > size:
        shape = (*x.shape[:-1], parts * SHORT - size)
        x = xp.concat([x, xp.zeros(shape, dtype=x.dtype, device=device_of(x))], axis=-1)
    pieces = xp.reshape(x, (*x.shape[:-1], parts, SHORT))
    totals = pieces @ _powers(decay, SHORT - 1 - np.arange(SHORT)[:, None], x)
    before = decayed_sums(xp.reshape(totals, totals.shape[:-1]), decay**SHORT)
    inside = decayed_sums(pieces, decay)
    found = inside + before[..., None] * _powers(decay, np.arange(SHORT), x)
    return xp.reshape(found, x.shape)[..., :size]


def _powers(decay: Any, exponents: Host, like: Array) -> Array:
    """The powers decay^e, 0 for e < 0."""
    there = asarray_like((exponents >= 0).astype(float), like)
    return there * decay ** asarray_like(np.maximum(exponents, 0).astype(float), like)

"""Pieces of a fixed length: where they are in strings, and how many letters two of them have in common."""

from dataclasses import dataclass

import numpy as np

from kerneltools.structures import Strings
from kerneltools.structures.base import Host


@dataclass(frozen=True, eq=False)
class Windows:
    """The pieces without an ambiguous letter: where each starts (z,), its string, and its place in it.

    `counts`: how many pieces the string of each has, including those with ambiguous letters.
    """

    starts: Host
    owners: Host
    places: Host
    counts: Host

    @classmethod
    def of(cls, x: Strings, length: int) -> "Windows":
        total = max(0, len(x.tokens) - length + 1)
        owners = np.repeat(np.arange(len(x)), x.lengths)
        bad = np.cumsum(np.concatenate([[0], x.tokens < 0]))
        good = (owners[:total] == owners[len(owners) - total :]) & (bad[len(bad) - total :] == bad[:total])
        starts = good.nonzero()[0]
        owners = owners[starts]
        return cls(starts, owners, starts - x.offsets[owners], (x.lengths - length + 1)[owners])

    def letters(self, x: Strings, place: int) -> Host:
        """The token at a given place of each piece: (z,)"""
        return x.tokens[self.starts + place]


def pair_sums(a: Host, b: Host, length: int, value: Host, weights: Host) -> Host:
    """For each window of a, the sum over those of b of weight · value[common letters], row by row.

    (r, N), (r, S) -> (r, N - l + 1)

    `value` (l + 1,), mostly of zeros at its start; `weights` (r, S - l + 1) of the windows of b. O(r N S), whatever the
    length: from one window of b to the next, one letter is added and one removed (on the diagonals).
    """
    total = a.shape[1] - length + 1
    sums = np.zeros((a.shape[0], max(0, total)))
    if total <= 0 or b.shape[1] < length:
        return sums
    least = int(value.nonzero()[0][0]) if value.any() else length + 1
    common = np.zeros((a.shape[0], total), dtype=np.int8)
    for place in range(length):
        common += a[:, place : place + total] == b[:, place, None]
    across = b.shape[1] - length + 1
    first = sum((a[:, place, None] == b[:, place : place + across]).astype(np.int8) for place in range(length))
    before = np.zeros_like(common)
    here, came, went = sums.reshape(-1), np.zeros(a.shape, dtype=bool), np.zeros(a.shape, dtype=bool)
    for start in range(across):
        if start:
            np.equal(a, b[:, start + length - 1, None], out=came)
            np.equal(a, b[:, start - 1, None], out=went)
            before, common = common, before
            np.add(before[:, :-1], came[:, length:].view(np.int8), out=common[:, 1:])
            common[:, 1:] -= went[:, : total - 1].view(np.int8)
            common[:, 0] = first[:, start]
        found = (common.reshape(-1) >= least).nonzero()[0]
        if len(found):
            weight = weights[found // total, start] if len(weights) > 1 else weights[0, start]
            here[found] += value[common.reshape(-1)[found]] * weight
    return sums

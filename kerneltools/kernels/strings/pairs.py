"""Kernels of strings that are computed pair by pair, many pairs at a time."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.kernels.base import Kernel
from kerneltools.kernels.counting import wider
from kerneltools.precision import in_single
from kerneltools.structures import Strings
from kerneltools.structures.base import Collection, Host
from kerneltools.structures.strings import Alphabet

CELLS = 2**20
"""About how many pairs of letters are worked on at a time."""


class PairKernel(Kernel):
    """A kernel of pairs of strings; a new one defines `of_pairs` and has `reverse_complement` and `longest`."""

    each: ClassVar[float] = 48.0
    """About how many bytes each pair of letters takes."""

    reverse_complement: bool
    longest: int

    @property
    def structure(self) -> type[Collection]:
        return Strings

    @abstractmethod
    def of_pairs(self, a: Host, b: Host, lengths: tuple[Host, Host], alphabet: Alphabet, like: Array) -> Array:
        """Values of pairs: tokens (p, T), (p, S), -1 for ambiguous letters, -2 behind the ends; lengths (p,), (p,)

        -> (p,), in the library, device and type of `like`
        """

    @abstractmethod
    def joined(self, values: list[Array]) -> Array:
        """The joint value of pairs of strands: one pair, or all four with reverse complements: (p,) each -> (p,)"""

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) strings -> (n, m)"""
        self._check(x, "x")
        self._check(y, "y")
        if x.alphabet != y.alphabet:
            raise ValueError(f"x, y: expected strings of one alphabet, got {x!r} and {y!r}")
        n, m = len(x), len(y)
        if x is y:
            rows, columns = np.triu_indices(n)
            numbers = np.zeros((n, n), dtype=np.int64)
            numbers[rows, columns] = numbers[columns, rows] = np.arange(len(rows))
        else:
            numbers = np.arange(n * m).reshape(n, m)
            rows, columns = np.divmod(np.arange(n * m), max(m, 1))
        values = self._values(x, y, rows, columns)
        xp = namespace(values)
        return xp.reshape(xp.take(values, indices_like(numbers.reshape(-1), values)), (n, m))

    @in_single
    def diag(self, x: Any) -> Array:
        """k(x, x) of each string: (n,) -> (n,)"""
        self._check(x, "x")
        return self._values(x, x, np.arange(len(x)), np.arange(len(x)))

    def _values(self, x: Strings, y: Strings, rows: Host, columns: Host) -> Array:
        """Values of pairs of x and y, given by their indices: (p,), (p,) -> (p,)"""
        like = wider(x.like, y.like)
        if len(rows) == 0:
            return asarray_like(np.zeros(0), like)
        order, blocks = _in_blocks(x.lengths[rows], y.lengths[columns])
        found = [self._of_strands(x, y, rows[order[part]], columns[order[part]], like) for part in blocks]
        xp = namespace(*found)
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return xp.take(xp.concat(found), indices_like(back, like))

    def _of_strands(self, x: Strings, y: Strings, rows: Host, columns: Host, like: Array) -> Array:
        lengths = x.lengths[rows], y.lengths[columns]

        def sides(one: Strings, numbers: Host) -> list[Host]:
            strands = [one, one.reverse_complement()] if self.reverse_complement else [one]
            return [_tokens(strand, numbers) for strand in strands]

        return self.joined(
            [self.of_pairs(a, b, lengths, x.alphabet, like) for a in sides(x, rows) for b in sides(y, columns)]
        )

    def _check(self, x: Any, name: str) -> None:
        if not isinstance(x, Strings):
            raise TypeError(
                f"{name}: expected Strings for {self!r}, got {type(x).__name__}; make them with "
                "structures.Strings.of(a list of strings)"
            )
        longest = int(x.lengths.max(initial=0))
        if longest > self.longest:
            raise ValueError(
                f"{name}: string {int(x.lengths.argmax())} has {longest} letters: a value of two of that length takes "
                f"about {2e-7 * longest**2:.2g} s and {self.each * longest**2 / 2**30:.2g} GiB; take pieces of it, a "
                f"kernel that is linear in the letters, such as Spectrum, or allow it: longest={longest}"
            )


def _tokens(x: Strings, numbers: Host) -> Host:
    """The letters, padded with -2: (p, T)"""
    lengths = x.lengths[numbers]
    width = _rounded(int(lengths.max(initial=0)))
    there = np.arange(width) < lengths[:, None]
    found = np.full(there.shape, -2, dtype=np.int32)
    found[there] = x.tokens[(x.offsets[numbers, None] + np.arange(width))[there]]
    return found


def _rounded(length: int) -> int:
    """A width rounded up to three binary digits: a library that compiles for each width then sees few."""
    step = 1 << max(0, length.bit_length() - 3)
    return max(1, -(-length // step) * step)


def _in_blocks(a: Host, b: Host) -> tuple[Host, Iterator[slice]]:
    """An order that brings pairs of similar length together, and its slices of about `CELLS` pairs of letters."""
    widths = np.array([_rounded(int(length)) for length in np.concatenate([a, b])]).reshape(2, -1)
    order = np.lexsort((widths[1], widths[0]))
    cells = (widths[0] * widths[1])[order]
    change = np.ones(len(order), dtype=bool)
    change[1:] = (np.diff(widths[0][order]) != 0) | (np.diff(widths[1][order]) != 0)
    starts = [*change.nonzero()[0].tolist(), len(order)]

    def slices() -> Iterator[slice]:
        for first, last in pairwise(starts):
            size = max(1, CELLS // int(cells[first]))
            yield from (slice(start, min(start + size, last)) for start in range(first, last, size))

    return order, slices()

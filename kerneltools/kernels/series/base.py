"""What kernels of series have in common: checks, and pairs of series in blocks of bounded memory."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kerneltools.arrays import Array, blocks, device_of, indices_like, namespace, on_host, widest_float
from kerneltools.kernels.base import Kernel
from kerneltools.structures import Ragged
from kerneltools.structures.base import Collection, Host, in_type

NANOSECONDS = 10
"""What a pair of points takes, about, where time is predicted."""


class SeriesKernel(Kernel):
    """A kernel of series of points, whose time is a product of two lengths.

    A new one defines `of_pairs`, `of_each` and `area`, and a field `longest`.
    """

    longest: int
    held: ClassVar[int] = 2**16
    """Numbers that are worked on at a time: they stay in a processor's cache."""

    @property
    def structure(self) -> type[Collection]:
        return Ragged

    def checked(self, x: Any, name: str = "x") -> Ragged:
        """The series. Raises TypeError for what is none, ValueError for empty and overlong ones, with the number."""
        if not isinstance(x, Ragged):
            raise TypeError(
                f"{name}: expected Ragged for {self!r}, got {type(x).__name__}; make them with "
                "structures.Ragged.of(a list of arrays (T, d)) or structures.Ragged.of_padded"
            )
        lengths = x.lengths
        if len(lengths) and int(lengths.min()) == 0:
            raise ValueError(f"{name}: series {int(lengths.argmin())} is empty; leave it out")
        if len(lengths) and int(lengths.max()) > self.longest:
            longest = int(lengths.max())
            raise ValueError(
                f"{name}: series {int(lengths.argmax())} has {longest:,} points, more than longest={self.longest:,}: "
                f"one pair of such is {longest**2:,} cells, about {longest**2 * NANOSECONDS * 1e-9:,.1f} s and "
                f"{self.bytes_of(longest) / 2**20:,.0f} MiB, and there are {len(x):,} series; say longest={longest} "
                "to allow it, cut or thin the series, or take maps.signature, which is linear in the length"
            )
        return x

    def bytes_of(self, length: int) -> int:
        """The memory of one pair of series of so many points, about."""
        return 64 * self.area(length, length)

    def _at_a_time(self, x: Ragged) -> int:
        return self.held if on_host(x.values) else self.held * ON_DEVICES

    @abstractmethod
    def area(self, s: int, t: int) -> int:
        """How many numbers are held at a time for a pair of series of these lengths."""

    def by_blocks(self, x: Ragged, y: Ragged, f: Callable[[Ragged, Ragged], Array]) -> Array:
        """f of all pairs, some series at a time, those of like lengths together: (n,), (m,) -> (..., n, m)"""
        same = x is y
        if x.columns != y.columns:
            raise ValueError(
                f"x, y: expected series of as many channels, got {x.columns} and {y.columns}, in {x!r} and {y!r}"
            )
        xp = namespace(x.values, y.values)
        wanted = xp.result_type(x.values, y.values)
        if len(x) == 0 or len(y) == 0:
            return xp.zeros((len(x), len(y)), dtype=wanted, device=device_of(x.values, y.values))
        x_order, y_order = _by_length(x), _by_length(y)
        x = in_type(x.taken(x_order), widest_float(x.values))
        y = x if same else in_type(y.taken(y_order), widest_float(y.values))
        each = max(1, self._at_a_time(x) // self.area(int(x.lengths.max()), int(y.lengths.max())))
        wide = min(len(y), max(1, int(each**0.5) if same else min(each, WIDE)))
        high = wide if same else min(len(x), max(1, each // wide))
        columns = [y[part] for part in blocks(len(y), wide)]
        rows = columns if same else [x[part] for part in blocks(len(x), high)]
        found: list[list[Array]] = []
        for i, some in enumerate(rows):
            found.append([_transposed(found[j][i]) if same and j < i else f(some, y) for j, y in enumerate(columns)])
        values = _joined([_joined(pieces, -1) for pieces in found], -2)
        xp = namespace(values)
        values = xp.take(values, indices_like(np.argsort(x_order), values), axis=-2)
        return xp.astype(xp.take(values, indices_like(np.argsort(y_order), values), axis=-1), wanted)

    def by_each(self, x: Ragged, f: Callable[[Ragged], Array]) -> Array:
        """f of each series, some at a time, those of like lengths together: (n,) -> (n,)"""
        if len(x) == 0:
            return namespace(x.values).zeros((0,), dtype=x.values.dtype, device=device_of(x.values))
        order, wanted = _by_length(x), x.values.dtype
        x = in_type(x.taken(order), widest_float(x.values))
        longest = int(x.lengths.max())
        high = max(1, self._at_a_time(x) // self.area(longest, longest))
        values = _joined([f(x[part]) for part in blocks(len(x), high)], 0)
        xp = namespace(values)
        return xp.astype(xp.take(values, indices_like(np.argsort(order), values), axis=0), wanted)


ON_DEVICES = 256
"""So many times the numbers at a time where each operation costs the start of a program."""

WIDE = 64
"""Series of y in a block, at most."""


def _by_length(x: Ragged) -> Host:
    return np.argsort(x.lengths, kind="stable")


def _transposed(values: Array) -> Array:
    return namespace(values).matrix_transpose(values)


def _joined(pieces: list[Array], axis: int) -> Array:
    return pieces[0] if len(pieces) == 1 else namespace(*pieces).concat(pieces, axis=axis)


def time_first(x: Ragged) -> Array:
    """Points of all series, the last one again behind the end: -> (T, n, c)"""
    xp, lengths = namespace(x.values), x.lengths
    time = np.arange(int(lengths.max()))[:, None]
    place = x.offsets[:-1] + np.minimum(time, lengths - 1)
    flat = xp.take(x.values, indices_like(place.reshape(-1), x.values), axis=0)
    return xp.reshape(flat, (*place.shape, x.columns))

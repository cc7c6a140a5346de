"""Series and pairs of series in blocks of bounded memory, which join those of similar length."""

from collections.abc import Callable

import numpy as np

from kerneltools.arrays import Array, blocks, device_of, indices_like, namespace, on_host, widest_float
from kerneltools.structures import Ragged
from kerneltools.structures.base import Host, in_type

Area = Callable[[int, int], int]
"""How many numbers a pair of series of these lengths keeps in memory at a time."""

ON_DEVICES = 256
"""The factor for more numbers at a time where each operation costs the launch of a program."""

WIDE = 64
"""The most series of y in a block."""


def by_blocks(x: Ragged, y: Ragged, f: Callable[[Ragged, Ragged], Array], area: Area, held: int) -> Array:
    """f on all pairs of series, computed in the widest type, `held` numbers at a time: (n,), (m,) -> (..., n, m)"""
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
    each = max(1, _at_a_time(x, held) // area(int(x.lengths.max()), int(y.lengths.max())))
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


def by_each(x: Ragged, f: Callable[[Ragged], Array], area: Area, held: int, wide: bool = True) -> Array:
    """f on each series, computed in the widest type if `wide`: (n,), f: (b,) -> (b, ...) -> (n, ...)"""
    order, wanted = _by_length(x), x.values.dtype
    x = x.taken(order)
    x = in_type(x, widest_float(x.values)) if wide else x
    longest = int(x.lengths.max())
    high = max(1, _at_a_time(x, held) // area(longest, longest))
    values = _joined([f(x[part]) for part in blocks(len(x), high)], 0)
    xp = namespace(values)
    return xp.astype(xp.take(values, indices_like(np.argsort(order), values), axis=0), wanted)


def _at_a_time(x: Ragged, held: int) -> int:
    return held if on_host(x.values) else held * ON_DEVICES


def _by_length(x: Ragged) -> Host:
    return np.argsort(x.lengths, kind="stable")


def _transposed(values: Array) -> Array:
    return namespace(values).matrix_transpose(values)


def _joined(pieces: list[Array], axis: int) -> Array:
    return pieces[0] if len(pieces) == 1 else namespace(*pieces).concat(pieces, axis=axis)


def time_first(x: Ragged) -> Array:
    """The points of all series with time first, the last point repeated behind the end: -> (T, n, c)"""
    xp, lengths = namespace(x.values), x.lengths
    time = np.arange(int(lengths.max()))[:, None]
    place = x.offsets[:-1] + np.minimum(time, lengths - 1)
    flat = xp.take(x.values, indices_like(place.reshape(-1), x.values), axis=0)
    return xp.reshape(flat, (*place.shape, x.columns))


def require_series(name: str, x: object, of: object) -> Ragged:
    """The series. Raises TypeError for other objects, ValueError for an empty series, with its number."""
    if not isinstance(x, Ragged):
        raise TypeError(
            f"{name}: expected Ragged for {of!r}, got {type(x).__name__}; make them with "
            "structures.Ragged.of(a list of arrays (T, d)) or structures.Ragged.of_padded"
        )
    if len(x) and int(x.lengths.min()) == 0:
        raise ValueError(f"{name}: series {int(x.lengths.argmin())} is empty; leave it out")
    return x

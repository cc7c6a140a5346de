"""Objects that are arrays of different lengths: series, sets of vectors, embedded sequences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from kerneltools.arrays import (
    Array,
    asarray_like,
    device_of,
    holds,
    indices_like,
    namespace,
    require_finite,
    require_floating,
    require_rank,
)
from kerneltools.backend import to_host
from kerneltools.encoding import Host as InFile
from kerneltools.structures.base import Collection, Host, check_offsets, extremes, offsets_of, spans
from kerneltools.trees import static


@dataclass(frozen=True, eq=False, repr=False)
class Ragged(Collection):
    """A collection of arrays (T_i, d) of different lengths: series, sets of vectors, embedded sequences.

    `values` (N, d), floating-point, of any library: one object after the other; `offsets` (n + 1,): where each object
    starts, and where the last ends. Raises ValueError for values and offsets that do not fit together.

    >>> import numpy as np
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of([np.zeros((3, 2)), np.ones((5, 2))])
    >>> x, x[0].shape
    (Ragged(2 arrays of 3 to 5 rows, 2 columns), (3, 2))
    """

    objects: ClassVar[str] = "arrays"

    values: Array
    offsets: Host = static((0,))

    def __post_init__(self) -> None:
        require_rank(2, "(N, d)", values=self.values)
        require_floating(values=self.values)
        object.__setattr__(self, "offsets", check_offsets(self.offsets, int(self.values.shape[0]), "rows of values"))

    @classmethod
    def of(cls, arrays: Iterable[Any], like: Array | None = None) -> Self:
        """A collection of arrays (T_i, d), or (T_i,) for one channel, or of lists of numbers.

        The arrays are of one library; lists, and NumPy's arrays if `like` is given, are converted to that of `like`.
        Integers become floating-point. Raises ValueError if there are no arrays, and, with the number of the array, for
        other columns or axes and for NaN.
        """
        held = [_as_rows(one, number, like) for number, one in enumerate(arrays)]
        if not held:
            raise ValueError("arrays: expected at least one, got none: their columns would not be known")
        columns = held[0].shape[1]
        for number, one in enumerate(held):
            if one.shape[1] != columns:
                raise ValueError(
                    f"arrays: expected {columns} columns (channels) as in the first, got shape {tuple(one.shape)} as "
                    f"number {number}"
                )
        values = namespace(*held).concat(held, axis=0)
        _check_finite(held, values)
        return cls(values, offsets_of([int(one.shape[0]) for one in held]))

    @classmethod
    def of_padded(cls, x: Array, mask: Any = None) -> Self:
        """A collection from padded arrays (n, T, d), and a mask (n, T) of the valid rows; without it all are valid."""
        require_rank(3, "(n, T, d)", x=x)
        n, length = int(x.shape[0]), int(x.shape[1])
        here = np.ones((n, length), dtype=bool) if mask is None else np.asarray(to_host(mask), dtype=bool)
        if here.shape != (n, length):
            raise ValueError(f"mask: expected {(n, length)} as in x of shape {tuple(x.shape)}, got {here.shape}")
        xp = namespace(x)
        flat = xp.reshape(x, (n * length, x.shape[2]))
        kept = indices_like(here.reshape(-1).nonzero()[0], x)
        return cls(xp.take(flat, kept, axis=0), offsets_of(here.sum(axis=1)))

    @property
    def like(self) -> Array:
        return self.values

    @property
    def lengths(self) -> Host:
        """The number of rows of each array: (n,)"""
        return np.diff(self.offsets)

    @property
    def columns(self) -> int:
        """d"""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def taken(self, numbers: Host) -> Self:
        lengths = self.lengths[numbers]
        index = indices_like(spans(self.offsets[numbers], lengths), self.values)
        return type(self)(namespace(self.values).take(self.values, index, axis=0), offsets_of(lengths))

    def joined(self, others: Sequence[Self]) -> Self:
        every = [self, *others]
        if len({one.columns for one in every}) > 1:
            raise ValueError(f"arrays: expected the same columns, got {', '.join(str(one.columns) for one in every)}")
        values = namespace(*(one.values for one in every)).concat([one.values for one in every], axis=0)
        return type(self)(values, offsets_of(np.concatenate([one.lengths for one in every])))

    def differs(self, other: Self) -> str:
        return "" if self.columns == other.columns else f"arrays of {self.columns} columns, got {other.columns}"

    def item(self, number: int) -> Array:
        return self.values[int(self.offsets[number]) : int(self.offsets[number + 1]), :]

    def key(self, number: int) -> bytes:
        found: bytes = (to_host(self.item(number)) + 0.0).tobytes()
        return found

    def padded(self, length: int | None = None) -> tuple[Array, Host]:
        """The values with zeros after the end, and which of them are valid: (n, T, d), (n, T) on the host

        `length`: T, at least that of the longest, which is the default.
        """
        lengths, xp = self.lengths, namespace(self.values)
        longest = int(lengths.max(initial=0))
        width = longest if length is None else length
        if width < longest:
            raise ValueError(f"length: expected at least the {longest} rows of the longest array, got {width}")
        mask = np.arange(width) < lengths[:, None]
        place = np.full(mask.shape, len(self.values), dtype=np.int64)
        place[mask] = np.arange(len(self.values))
        behind = xp.zeros((1, self.columns), dtype=self.values.dtype, device=device_of(self.values))
        flat = xp.take(xp.concat([self.values, behind], axis=0), indices_like(place.reshape(-1), self.values), axis=0)
        return xp.reshape(flat, (len(self), width, self.columns)), mask

    def described(self) -> str:
        return f"{extremes(self.lengths, 'rows')}, {self.columns} columns"

    def _stored(self) -> dict[str, Any]:
        return {"values": self.values, "offsets": InFile(self.offsets)}

    @classmethod
    def _restored(cls, values: Any, offsets: Any) -> Self:
        return cls(values, offsets.tree if isinstance(offsets, InFile) else offsets)


def _check_finite(arrays: list[Array], values: Array) -> None:
    if holds(namespace(values).all(namespace(values).isfinite(values))):
        return
    for number, one in enumerate(arrays):
        try:
            require_finite(arrays=one)
        except ValueError as error:
            raise ValueError(f"{error}, of number {number}; fill in or leave out missing values") from error


def _as_rows(one: Any, number: int, like: Array | None) -> Array:
    """(T, d), floating-point."""
    if not hasattr(one, "dtype") or (isinstance(one, np.ndarray) and (like is not None or one.dtype.kind not in "iuf")):
        try:
            host = np.asarray(one, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"arrays: expected numbers, got {one!r:.40} as number {number}: {error}") from error
        one = host if like is None else asarray_like(host, like)
    if one.ndim not in (1, 2):
        raise ValueError(f"arrays: expected (T, d) or (T,), got shape {tuple(one.shape)} as number {number}")
    xp = namespace(one)
    if not xp.isdtype(one.dtype, "real floating"):
        one = xp.astype(one, xp.float64 if like is None else like.dtype)
    return one if one.ndim == 2 else one[:, None]

"""Cotangents, which are summed if several operations used the same array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kerneltools.arrays import Array, DType, device_of, namespace
from kerneltools.autodiff.array import TapeArray
from kerneltools.autodiff.operation import Operation, each


def _place(values: Array, key: Any, shape: tuple[int, ...]) -> Array:
    whole = namespace(values).zeros(shape, dtype=values.dtype, device=device_of(values))
    whole[key] = values
    return whole


# The adjoint of whole[key], for keys that meet no entry twice.
place = Operation("place", _place, each(lambda xp, whole, values, key, shape: lambda g: g[key]))


@dataclass(frozen=True, slots=True)
class Placed:
    """A cotangent of this shape that is zero outside [key].

    It is spread as late as possible, so that k² slices of one image share one buffer.
    """

    values: Array
    key: Any
    shape: tuple[int, ...]

    @property
    def dtype(self) -> DType:
        return self.values.dtype

    def cast(self, dtype: DType) -> Placed:
        """The same in another type."""
        return Placed(namespace(self.values).astype(self.values, dtype), self.key, self.shape)

    def spread(self) -> Array:
        """The whole array, zeros included."""
        return place(self.values, self.key, self.shape)


@dataclass(slots=True)
class Cotangents:
    """The cotangents found so far, by the place of their array on the tape."""

    totals: dict[int, Array] = field(default_factory=dict)
    # Buffers allocated here, which nobody else sees: these may be added to in place.
    owned: set[int] = field(default_factory=set)

    def add(self, at: int, extra: Array | Placed | None) -> None:
        """Add a contribution (None: zero) to the cotangent at a place."""
        if extra is None:
            return
        if at not in self.totals:
            self._put(at, extra.spread() if isinstance(extra, Placed) else extra, fresh=isinstance(extra, Placed))
            return
        if isinstance(extra, Placed) and _is_plain(extra.values) and _is_plain(self.totals[at]):
            if at not in self.owned:
                self._put(at, copied(self.totals[at]), fresh=True)
            self.totals[at][extra.key] += extra.values
            return
        extra = extra.spread() if isinstance(extra, Placed) else extra
        if at in self.owned and _is_plain(extra):
            self.totals[at] += extra
        else:
            self._put(at, _added(self.totals[at], extra), fresh=True)

    def pop(self, at: int) -> Array | None:
        """Remove and return the cotangent at a place; None if nothing arrived."""
        self.owned.discard(at)
        return self.totals.pop(at, None)

    def _put(self, at: int, total: Array, *, fresh: bool) -> None:
        self.totals[at] = total
        # A traced array is never written to.
        (self.owned.add if fresh and _is_plain(total) else self.owned.discard)(at)


def _added(a: Array, b: Array) -> Array:
    """Their sum, with a traced one first: not every library's arrays leave `plain + traced` to it."""
    return b + a if _is_plain(a) else a + b


def _is_plain(x: Array) -> bool:
    return type(x) is not TapeArray


def copied(x: Array) -> Array:
    """A copy that may be written to (a cotangent may be a view, or broadcast, or shared)."""
    if type(x) is TapeArray:
        return x
    return namespace(x).asarray(x, dtype=x.dtype, device=device_of(x), copy=True)

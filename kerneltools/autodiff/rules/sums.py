"""Sums that undo broadcasting."""

from __future__ import annotations

from typing import Any

from kerneltools.arrays import Array


def sum_to(xp: Any, g: Array | None, shape: tuple[int, ...]) -> Array | None:
    """The sum over the axes along which an array of this shape was broadcast."""
    if g is None:
        return None
    if tuple(g.shape) != shape:
        extra = g.ndim - len(shape)
        kept = tuple(extra + axis for axis, n in enumerate(shape) if n == 1 and g.shape[extra + axis] != 1)
        if kept:
            g = xp.sum(g, axis=kept, keepdims=True)
        if extra:
            g = xp.sum(g, axis=tuple(range(extra)))
    return g


def sum_product(xp: Any, g: Array, factor: Any, shape: tuple[int, ...]) -> Array:
    """g * factor, summed to `shape` early if that spares the product array."""
    whole = tuple(g.shape)
    if shape != whole and shape == (*whole[:-1], 1) and tuple(getattr(factor, "shape", ())) == whole:
        return xp.expand_dims(xp.vecdot(g, factor), axis=-1)
    return g * factor


def restored(xp: Any, y: Array, shape: tuple[int, ...], axis: int | tuple[int, ...] | None, keepdims: bool) -> Array:
    """A reduced array with its reduced axes back, of length 1."""
    if keepdims:
        return y
    reduced = normalized(axis, len(shape))
    return xp.reshape(y, tuple(1 if a in reduced else n for a, n in enumerate(shape)))


def normalized(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """Axes as a tuple of numbers from 0; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in ((axis,) if isinstance(axis, int) else axis))

"""Derivatives of sums, extrema, sorting and running sums."""

from __future__ import annotations

from collections.abc import Callable
from math import nan, prod
from typing import Any

from kerneltools.arrays import Array, device_of, safe_sqrt
from kerneltools.autodiff.operation import Pull, Pulls, each
from kerneltools.autodiff.rules.sums import normalized, restored

Axis = int | tuple[int, ...] | None


def _spread(xp: Any, x: Array, axis: Axis, keepdims: bool, scale: float | None = None) -> Pull:
    shape, dtype = tuple(x.shape), x.dtype

    def pull(g: Array) -> Array:
        g = restored(xp, g if scale is None else g * scale, shape, axis, keepdims)
        return xp.broadcast_to(g if g.dtype == dtype else xp.astype(g, dtype), shape)

    return pull


def _sum(xp: Any, y: Array, x: Array, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Pull:
    return _spread(xp, x, axis, keepdims)


def _mean(xp: Any, y: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Pull:
    return _spread(xp, x, axis, keepdims, scale=1 / max(_count(x, axis), 1))


def _var(xp: Any, y: Array, x: Array, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Pull:
    freedom = _count(x, axis) - correction
    spread = _spread(xp, x, axis, keepdims, scale=2 / freedom if freedom > 0 else nan)
    return lambda g: spread(g) * (x - xp.mean(x, axis=axis, keepdims=True))


def _extremum(xp: Any, y: Array, x: Array, *, axis: Axis = None, keepdims: bool = False) -> Pull:
    """Ties share evenly."""
    shape = tuple(x.shape)

    def pull(g: Array) -> Array:
        hits = xp.astype(x == restored(xp, y, shape, axis, keepdims), x.dtype)
        shares = hits / xp.sum(hits, axis=axis, keepdims=True)
        return restored(xp, g, shape, axis, keepdims) * shares

    return pull


def _cumulative_sum(
    xp: Any, y: Array, x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Pull:
    axis = 0 if axis is None else axis % x.ndim
    later = (*[slice(None)] * axis, slice(1, None), ...) if include_initial else ...

    def pull(g: Array) -> Array:
        return xp.flip(xp.cumulative_sum(xp.flip(g[later], axis=axis), axis=axis), axis=axis)

    return pull


def _sort(xp: Any, y: Array, x: Array, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Pull:
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    back = xp.argsort(order, axis=axis)
    return lambda g: xp.take_along_axis(g, back, axis=axis)


def _count(x: Array, axis: Axis) -> int:
    return prod(x.shape[a] for a in normalized(axis, x.ndim))


RULES: dict[str, Pulls] = {
    "sum": each(_sum),
    "mean": each(_mean),
    "var": each(_var),
    "max": each(_extremum),
    "min": each(_extremum),
    "cumulative_sum": each(_cumulative_sum),
    "sort": each(_sort),
}


def _std(xp: Any, x: Array, /, **settings: Any) -> Array:
    """Derivative 0 where all entries are equal."""
    return safe_sqrt(xp.var(x, **settings))


def _prod(xp: Any, x: Array, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """Halves are multiplied with each other: there is no division, so that zeros do no harm."""
    axes, shape = normalized(axis, x.ndim), tuple(x.shape)
    rest = tuple(a for a in range(x.ndim) if a not in axes)
    x = x if dtype is None else xp.astype(x, dtype)
    x = xp.reshape(xp.permute_dims(x, rest + axes), (*(shape[a] for a in rest), prod(shape[a] for a in axes)))
    if x.shape[-1] == 0:
        x = xp.ones((*x.shape[:-1], 1), dtype=x.dtype, device=device_of(x))
    while (n := x.shape[-1]) > 1:
        product = x[..., : n // 2] * x[..., n // 2 : 2 * (n // 2)]
        x = xp.concat([product, x[..., n - 1 :]], axis=-1) if n % 2 else product
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    return xp.reshape(x, kept if keepdims else tuple(shape[a] for a in rest))


def _cumulative_prod(
    xp: Any, x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Runs of doubled length are multiplied with their neighbours: there is no division, so that zeros do no harm."""
    x = xp.moveaxis(x if dtype is None else xp.astype(x, dtype), 0 if axis is None else axis, -1)
    step, n = 1, x.shape[-1]
    while step < n:
        x = xp.concat([x[..., :step], x[..., step:] * x[..., : n - step]], axis=-1)
        step *= 2
    if include_initial:
        x = xp.concat([xp.ones((*x.shape[:-1], 1), dtype=x.dtype, device=device_of(x)), x], axis=-1)
    return xp.moveaxis(x, -1, 0 if axis is None else axis)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "std": _std,
    "prod": _prod,
    "cumulative_prod": _cumulative_prod,
}

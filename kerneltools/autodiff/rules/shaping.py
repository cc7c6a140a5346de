"""Derivatives of indexing, reshaping, joining and moving: the adjoint puts the entries back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

from kerneltools.arrays import Array, device_of
from kerneltools.autodiff.array import TapeArray, constant, require_real
from kerneltools.autodiff.cotangents import Placed
from kerneltools.autodiff.operation import Operation, Pull, Pulls, each, together
from kerneltools.autodiff.rules.sums import normalized, sum_to
from kerneltools.primitives import segment_sum


def _getitem(xp: Any, y: Array, x: Array, key: Any) -> Pull:
    keys, shape = key if isinstance(key, tuple) else (key,), tuple(x.shape)
    if any(_is_integer_array(xp, k) for k in keys):
        return _gathered(xp, x, key, keys)
    if all(k is None or _is_whole(k) for k in keys):
        return lambda g: xp.reshape(g, shape)
    if any(k is None for k in keys):
        # The standard writes to no x[None]: the new axes go first.
        keys = tuple(k for k in keys if k is not None)
        picked = _picked_shape(x, keys)
        return lambda g: Placed(xp.reshape(g, picked), keys, shape)
    return lambda g: Placed(g, key, shape)


def _picked_shape(x: Array, keys: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of x[keys]."""
    while type(x) is TapeArray:
        x = x.value
    return tuple(x[keys].shape)


def _is_integer_array(xp: Any, k: Any) -> bool:
    if isinstance(k, list):
        raise TypeError("index: expected an integer array of the library, got a list; convert it with xp.asarray")
    return getattr(k, "ndim", 0) > 0 and not xp.isdtype(k.dtype, "bool")


def _gathered(xp: Any, x: Array, key: Any, keys: tuple[Any, ...]) -> Pull:
    """Entries may occur several times: their cotangents are summed."""
    if _is_integer_array(xp, keys[0]) and all(map(_is_whole, keys[1:])):
        return scatter_rows(xp, tuple(x.shape), keys[0], 0)
    shape, size = tuple(x.shape), prod(x.shape)
    places = xp.reshape(xp.arange(size, dtype=xp.int64, device=device_of(x)), shape)[key]
    return lambda g: scatter_entries(xp, g, places, shape)


def _is_whole(k: Any) -> bool:
    return k is Ellipsis or (isinstance(k, slice) and k == slice(None))


def scatter_rows(xp: Any, shape: tuple[int, ...], index: Array, axis: int) -> Pull:
    """The adjoint of taking the rows `index` (of any number of axes) along an axis."""
    count, rest = shape[axis], (*shape[:axis], *shape[axis + 1 :])
    index = xp.reshape(xp.where(index < 0, index + count, index), (-1,))

    def pull(g: Array) -> Array:
        rows = xp.moveaxis(xp.reshape(g, (*shape[:axis], index.shape[0], *shape[axis + 1 :])), axis, 0)
        total = segment_sum(xp.reshape(rows, (index.shape[0], prod(rest))), index, count)
        return xp.moveaxis(xp.reshape(total, (count, *rest)), 0, axis)

    return pull


def scatter_entries(xp: Any, g: Array, places: Array, shape: tuple[int, ...]) -> Array:
    """An array of this shape with g added at the places, counted with the last axis fastest."""
    column = xp.reshape(g, (prod(g.shape), 1))
    return xp.reshape(segment_sum(column, xp.reshape(places, (-1,)), prod(shape)), shape)


def _take(xp: Any, y: Array, x: Array, indices: Array, *, axis: int | None = None) -> Pull:
    return scatter_rows(xp, tuple(x.shape), indices, 0 if axis is None else axis % x.ndim)


def _take_along_axis(xp: Any, y: Array, x: Array, indices: Array, *, axis: int = -1) -> Pull:
    shape = tuple(x.shape)
    places = xp.reshape(xp.arange(prod(shape), dtype=xp.int64, device=device_of(x)), shape)
    places = xp.take_along_axis(places, indices, axis=axis)
    return lambda g: scatter_entries(xp, g, places, shape)


def _reshape(xp: Any, y: Array, x: Array, *_: Any, **__: Any) -> Pull:
    shape = tuple(x.shape)
    return lambda g: xp.reshape(g, shape)


def _broadcast_to(xp: Any, y: Array, x: Array, shape: tuple[int, ...]) -> Pull:
    before = tuple(x.shape)
    return lambda g: sum_to(xp, g, before)


def _permute_dims(xp: Any, y: Array, x: Array, axes: Sequence[int]) -> Pull:
    back = tuple(sorted(range(x.ndim), key=lambda k: axes[k] % x.ndim))
    return lambda g: xp.permute_dims(g, back)


def _concat(xp: Any, y: Array, *arrays: Array, axis: int) -> Pull:
    axis %= y.ndim
    ends = [0]
    for a in arrays:
        ends.append(ends[-1] + a.shape[axis])
    keys = [(*[slice(None)] * axis, slice(*span), ...) for span in pairwise(ends)]
    return lambda g: [g[key] for key in keys]


def _stack(xp: Any, y: Array, *arrays: Array, axis: int) -> Pull:
    axis %= y.ndim
    return lambda g: [g[(*[slice(None)] * axis, k, ...)] for k in range(len(arrays))]


def _same(xp: Any, y: Array, x: Array, *_: Any, **__: Any) -> Pull:
    """The type of a cotangent is that of its argument: operation.py sees to it."""
    return lambda g: g


def _to_device(xp: Any, y: Array, x: Array, *_: Any, **__: Any) -> Pull:
    home = device_of(x)
    return lambda g: xp.operators["to_device"](g, home)


RULES: dict[str, Pulls] = {
    "getitem": each(_getitem),
    "take": each(_take),
    "take_along_axis": each(_take_along_axis),
    "reshape": each(_reshape),
    "expand_dims": each(_reshape),
    "squeeze": each(_reshape),
    "broadcast_to": each(_broadcast_to),
    "permute_dims": each(_permute_dims),
    "matrix_transpose": each(lambda xp, y, x: lambda g: xp.matrix_transpose(g)),
    "linalg.matrix_transpose": each(lambda xp, y, x: lambda g: xp.matrix_transpose(g)),
    "moveaxis": each(lambda xp, y, x, start, end: lambda g: xp.moveaxis(g, end, start)),
    "flip": each(lambda xp, y, x, *, axis=None: lambda g: xp.flip(g, axis=axis)),
    "roll": each(lambda xp, y, x, shift, *, axis=None: lambda g: xp.roll(g, _opposite(shift), axis=axis)),
    "tril": each(lambda xp, y, x, *, k=0: lambda g: xp.tril(g, k=k)),
    "triu": each(lambda xp, y, x, *, k=0: lambda g: xp.triu(g, k=k)),
    "to_device": each(_to_device),
}


def _opposite(shift: int | tuple[int, ...]) -> int | tuple[int, ...]:
    return -shift if isinstance(shift, int) else tuple(-s for s in shift)


# What joins arrays takes them in a list; it is recorded with one argument for each.
_JOIN = {"concat": together(_concat), "stack": together(_stack)}


def _joined(name: str) -> Callable[..., Any]:
    def join(xp: Any, arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
        if axis is None:
            arrays, axis = [xp.reshape(a, (-1,)) for a in arrays], 0
        native = getattr(xp.traced_library, name)
        record = Operation(name, lambda *plain, axis: native(list(plain), axis=axis), _JOIN[name])
        return record(*arrays, axis=axis)

    return join


def _cast(xp: Any, x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    native = xp.traced_library.astype
    require_real("astype", xp, dtype)
    if not xp.isdtype(dtype, "real floating"):
        return native(constant(x), dtype, copy=copy, **({} if device is None else {"device": device}))
    x = x if x.dtype == dtype else Operation("astype", native, each(_same))(x, dtype)
    return x if device is None else x.to_device(device)


def _asarray(xp: Any, x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    if type(x) is not TapeArray:
        raise TypeError("asarray: a list of traced arrays; join them with xp.stack")
    x = x if dtype is None else xp.astype(x, dtype)
    return x if device is None else x.to_device(device)


def _unstack(xp: Any, x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    axis %= x.ndim
    return tuple(x[(*[slice(None)] * axis, k, ...)] for k in range(x.shape[axis]))


def _broadcast_arrays(xp: Any, *arrays: Array) -> list[Array]:
    shape = xp.traced_library.broadcast_arrays(*map(constant, arrays))[0].shape
    return [xp.broadcast_to(a, shape) for a in arrays]


def _meshgrid(xp: Any, *arrays: Array, indexing: str = "xy") -> list[Array]:
    n = len(arrays)
    if n < 2:
        return list(arrays)
    axes = [1, 0, *range(2, n)] if indexing == "xy" else list(range(n))
    shaped = [
        xp.reshape(a, tuple(-1 if axis == at else 1 for axis in range(n))) for a, at in zip(arrays, axes, strict=True)
    ]
    return list(xp.broadcast_arrays(*shaped))


def _tile(xp: Any, x: Array, repetitions: Sequence[int], /) -> Array:
    n = max(len(repetitions), x.ndim)
    shape = (1,) * (n - x.ndim) + tuple(x.shape)
    times = (1,) * (n - len(repetitions)) + tuple(repetitions)
    apart = xp.reshape(x, tuple(m for size in shape for m in (1, size)))
    whole = xp.broadcast_to(apart, tuple(m for pair in zip(times, shape, strict=True) for m in pair))
    return xp.reshape(whole, tuple(t * size for t, size in zip(times, shape, strict=True)))


def _repeat(xp: Any, x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    rows = xp.arange(x.shape[axis], dtype=xp.int64, device=device_of(x))
    return xp.take(x, xp.traced_library.repeat(rows, repeats), axis=axis)


def _diff(
    xp: Any, x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None
) -> Array:
    x = xp.concat([a for a in (prepend, x, append) if a is not None], axis=axis)
    (axis,) = normalized(axis, x.ndim)
    for _ in range(n):
        whole, size = [slice(None)] * axis, x.shape[axis]
        x = x[(*whole, slice(min(1, size), size), ...)] - x[(*whole, slice(0, max(size - 1, 0)), ...)]
    return x


def _full_like(xp: Any, x: Array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    dtype, device = x.dtype if dtype is None else dtype, device_of(x) if device is None else device
    return xp.full(tuple(x.shape), fill_value, dtype=dtype, device=device)


COMPOSITES: dict[str, Callable[..., Any]] = {
    "concat": _joined("concat"),
    "stack": _joined("stack"),
    "astype": _cast,
    "asarray": _asarray,
    "unstack": _unstack,
    "broadcast_arrays": _broadcast_arrays,
    "meshgrid": _meshgrid,
    "tile": _tile,
    "repeat": _repeat,
    "diff": _diff,
    "full_like": _full_like,
}

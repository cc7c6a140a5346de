"""Derivatives of matrix products."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from kerneltools.arrays import Array
from kerneltools.autodiff.operation import Operation, Pull, Pulls, Rule, each
from kerneltools.autodiff.rules.sums import normalized, sum_to


def _left(xp: Any, z: Array, x: Array, y: Array) -> Pull:
    shape = tuple(x.shape)
    if y.ndim == 2:
        return lambda g: xp.reshape(_flat(xp, g) @ xp.matrix_transpose(y), shape)
    return lambda g: sum_to(xp, g @ xp.matrix_transpose(y), shape)


def _right(xp: Any, z: Array, x: Array, y: Array) -> Pull:
    shape = tuple(y.shape)
    if y.ndim == 2:
        # One product over the whole batch, not a batch of products to be summed.
        return lambda g: xp.matrix_transpose(_flat(xp, x)) @ _flat(xp, g)
    return lambda g: sum_to(xp, xp.matrix_transpose(x) @ g, shape)


def _flat(xp: Any, a: Array) -> Array:
    """(..., n) -> (rows, n)"""
    return a if a.ndim == 2 else xp.reshape(a, (prod(a.shape[:-1]), a.shape[-1]))


def _vecdot(other: int, position: int) -> Rule:
    def rule(xp: Any, z: Array, *pair: Array, axis: int = -1) -> Pull:
        factor, shape = pair[other], tuple(pair[position].shape)
        return lambda g: sum_to(xp, xp.expand_dims(g, axis=axis) * factor, shape)

    return rule


_MATMUL = each(_left, _right)
_VECDOT = each(_vecdot(1, 0), _vecdot(0, 1))

RULES: dict[str, Pulls] = {"vecdot": _VECDOT, "linalg.vecdot": _VECDOT}


def _matmul(xp: Any, x: Array, y: Array, /) -> Array:
    """Vectors as matrices of one row or column."""
    rows = x if x.ndim > 1 else xp.expand_dims(x, axis=0)
    columns = y if y.ndim > 1 else xp.expand_dims(y, axis=-1)
    z = Operation("matmul", xp.traced_library.matmul, _MATMUL)(rows, columns)
    z = z if x.ndim > 1 else xp.squeeze(z, axis=-2 if y.ndim > 1 else 0)
    return z if y.ndim > 1 else xp.squeeze(z, axis=-1)


def _tensordot(xp: Any, x: Array, y: Array, /, *, axes: Any = 2) -> Array:
    """One matrix product, with the summed axes of x last and those of y first."""
    if isinstance(axes, int):
        axes = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    xs, ys = normalized(tuple(axes[0]), x.ndim), normalized(tuple(axes[1]), y.ndim)
    x_rest = tuple(a for a in range(x.ndim) if a not in xs)
    y_rest = tuple(a for a in range(y.ndim) if a not in ys)
    x_shape, y_shape = tuple(x.shape[a] for a in x_rest), tuple(y.shape[a] for a in y_rest)
    inner = prod(x.shape[a] for a in xs)
    rows = xp.reshape(xp.permute_dims(x, x_rest + xs), (prod(x_shape), inner))
    columns = xp.reshape(xp.permute_dims(y, ys + y_rest), (inner, prod(y_shape)))
    return xp.reshape(xp.matmul(rows, columns), x_shape + y_shape)


def _outer(xp: Any, x: Array, y: Array, /) -> Array:
    return xp.multiply(xp.expand_dims(x, axis=1), xp.expand_dims(y, axis=0))


COMPOSITES: dict[str, Callable[..., Any]] = {
    "matmul": _matmul,
    "tensordot": _tensordot,
    "linalg.matmul": _matmul,
    "linalg.tensordot": _tensordot,
    "linalg.outer": _outer,
}

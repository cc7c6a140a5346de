"""Derivatives of kerneltools.primitives: each is one node on the tape, and its adjoint is a primitive again.

The values come from the primitive itself, in the body of the traced library's backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kerneltools import primitives
from kerneltools.arrays import Array
from kerneltools.autodiff.operation import Operation, Pull, Pulls, Rule, each, together
from kerneltools.primitives import Window


def _extract_patches(xp: Any, y: Array, x: Array, window: Window) -> Pull:
    grid = tuple(x.shape[1:-1])
    return lambda g: primitives.fold_patches(g, window, grid)


def _fold_patches(xp: Any, y: Array, patches: Array, window: Window, grid: tuple[int, ...]) -> Pull:
    return lambda g: primitives.extract_patches(g, window)


def _segment_sum(xp: Any, y: Array, values: Array, segments: Array, count: int) -> Pull:
    return lambda g: xp.take(g, segments, axis=0)


def _segment_max(xp: Any, y: Array, values: Array, segments: Array, count: int) -> Pull:
    """Ties share evenly."""
    hits = xp.astype(values == xp.take(y, segments, axis=0), values.dtype)
    shares = hits / xp.take(primitives.segment_sum(hits, segments, count), segments, axis=0)
    return lambda g: xp.take(g, segments, axis=0) * shares


def _solve_matrix(xp: Any, x: Array, factor: Array, rhs: Array) -> Pull:
    return lambda g: -xp.tril(_solve_transposed(xp, factor, g) @ xp.matrix_transpose(x))


def _solve_rhs(xp: Any, x: Array, factor: Array, rhs: Array) -> Pull:
    return lambda g: _solve_transposed(xp, factor, g)


def _solve_transposed(xp: Any, factor: Array, g: Array) -> Array:
    """Lᵀ x = g. With rows and columns in reverse order, Lᵀ is lower triangular."""
    reverse = xp.flip(xp.flip(xp.matrix_transpose(factor), axis=0), axis=1)
    return xp.flip(primitives.solve_triangular(reverse, xp.flip(g, axis=0)), axis=0)


def _exponential_response(xp: Any, y: Array, inner: Array, scale: Array, alpha: Any) -> Pull:
    return lambda g: primitives.exponential_response_pull(g, y, inner, scale, alpha)


_RULES: dict[Callable[..., Any], tuple[Rule, ...]] = {
    primitives.extract_patches: (_extract_patches,),
    primitives.fold_patches: (_fold_patches,),
    primitives.segment_sum: (_segment_sum,),
    primitives.owner_sum: (_segment_sum,),
    primitives.index_add: (
        lambda xp, y, target, index, values: lambda g: g,
        lambda xp, y, target, index, values: lambda g: None,
        lambda xp, y, target, index, values: lambda g: xp.take(g, index, axis=0),
    ),
    primitives.segment_max: (_segment_max,),
    primitives.solve_triangular: (_solve_matrix, _solve_rhs),
}


def _recorded(primitive: Any, pulls: Pulls) -> Callable[..., Any]:
    return Operation(primitive.__name__, primitive, pulls)


# patch_gram is not among them: its generic body, traced, is the two products that one would write by hand.
OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    **{primitive: _recorded(primitive, each(*rules)) for primitive, rules in _RULES.items()},
    primitives.exponential_response: _recorded(primitives.exponential_response, together(_exponential_response)),
}

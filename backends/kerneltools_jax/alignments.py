"""The recursions over pairs of series as compiled loops, with few different sizes: one program serves many lengths.

The generic bodies compile each step, which takes a minute for series of 60 points. (benchmarks/primitives.py measures
both after that.)
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from kerneltools import alignments
from kerneltools.arrays import Array


def alignment_logs(
    x: Array, y: Array, x_last: Array, y_last: Array, ends: Iterable[int], window: int | None, exact: bool
) -> Array:
    """By logarithms: a compiled loop computes them as fast as sums that must be rescaled."""
    del ends, exact
    return _padded(x, y, x_last, y_last, window, True)


def warping_costs(x: Array, y: Array, x_last: Array, y_last: Array, ends: Iterable[int]) -> Array:
    """Like `alignment_logs`."""
    del ends
    return _padded(x, y, x_last, y_last, None, False)


def rounded(size: int) -> int:
    """1 or 8, or the next number with at most three digits in base 2 behind the first: at most an eighth more."""
    step = 1 << max(0, size.bit_length() - 4)
    if size < 8:
        return size if size < 2 else 8
    return -(-size // step) * step


def _padded(x: Array, y: Array, x_last: Array, y_last: Array, window: int | None, logs: bool) -> Array:
    """Lengths and numbers of series rounded up with zeros, on which no value before them depends."""
    shape = jnp.broadcast_shapes(x_last.shape, y_last.shape)
    x, y = (jnp.pad(a, [*((0, rounded(n) - n) for n in a.shape[:-1]), (0, 0)]) for a in (x, y))
    x_last, y_last = (jnp.pad(a, [(0, rounded(n) - n) for n in a.shape]) for a in (x_last, y_last))
    return _swept(x, y, x_last, y_last, window, logs)[tuple(slice(n) for n in shape)]


@partial(jax.jit, static_argnums=(4, 5))
def _swept(x: Array, y: Array, x_last: Array, y_last: Array, window: int | None, logs: bool) -> Array:
    s, t = x.shape[0], y.shape[0]
    ring = alignments.LOGS if logs else alignments.LEAST
    i = jnp.arange(s).reshape(s, *[1] * x_last.ndim)
    shape = (s, *jnp.broadcast_shapes(x_last.shape, y_last.shape))
    nothing = jnp.full((1, *shape[1:]), ring.nothing, dtype=x.dtype)
    backwards = jnp.pad(y[::-1], [(s, s), *[(0, 0)] * (y.ndim - 1)])

    def one_more(state: tuple[Array, Array, Array], d: Array) -> tuple[tuple[Array, Array, Array], None]:
        last, before, found = state
        j = d - i
        square = alignments.square_of(x, jax.lax.dynamic_slice_in_dim(backwards, s + t - 1 - d, s))
        weight: Array | float = 1.0
        live = (j >= 0) & (j < t)
        if window is not None:
            live &= jnp.abs(i - j) < window
            weight = jnp.where(live, 1 - jnp.abs(i - j) / window, 1).astype(x.dtype)
        corner = jnp.concatenate([jnp.where(d == 0, ring.one, nothing), before[:-1]])
        new = ring.step(jnp.concatenate([nothing, last[:-1]]), last, corner, square, weight)
        new = jnp.where(live, new, ring.nothing)
        hit = live & (i == x_last) & (j == y_last)
        found = jnp.where(jnp.any(hit, axis=0), jnp.sum(jnp.where(hit, new, 0), axis=0), found)
        return (new, last, found), None

    start = jnp.full(shape, ring.nothing, dtype=x.dtype)
    (_, _, found), _ = jax.lax.scan(one_more, (start, start, nothing[0]), jnp.arange(s + t - 1))
    return found


def goursat(products: Array, refinement: int) -> Array:
    """Like `alignment_logs`; added increments are 0, and change nothing."""
    padded = jnp.pad(products, [(0, rounded(n) - n) for n in products.shape])
    return _solved(padded, refinement)[tuple(slice(n) for n in products.shape[2:])]


@partial(jax.jit, static_argnums=1)
def _solved(products: Array, refinement: int) -> Array:
    pieces = 2**refinement
    s, t = products.shape[0] * pieces, products.shape[1] * pieces
    if not s * t:
        return jnp.ones(products.shape[2:], dtype=products.dtype)
    products = products / pieces**2
    square = products * products / 12
    grow, drop = 1 + products / 2 + square, 1 - square
    i = jnp.arange(s + 1)
    rest = [1] * (products.ndim - 2)

    def one_more(state: tuple[Array, Array], d: Array) -> tuple[tuple[Array, Array], None]:
        last, before = state
        j = d - i
        inside = ((i > 0) & (j > 0) & (j <= t)).reshape(-1, *rest)
        row = jnp.clip(i - 1, 0, s - 1) // pieces
        column = jnp.clip(j - 1, 0, t - 1) // pieces
        new = (last[1:] + last[:-1]) * grow[row[1:], column[1:]] - before[:-1] * drop[row[1:], column[1:]]
        return (jnp.where(inside, jnp.concatenate([last[:1], new]), 1), last), None

    start = jnp.ones((s + 1, *products.shape[2:]), dtype=products.dtype)
    (last, _), _ = jax.lax.scan(one_more, (start, start), jnp.arange(1, s + t + 1))
    return last[-1]


def signature_levels(products: Array, depth: int, order: int) -> Array:
    """Compiled; added increments are 0, and change nothing."""
    padded = jnp.pad(products, [(0, rounded(n) - n) for n in products.shape])
    found: Array = _levels(padded, depth, order)
    return found[(slice(None), *(slice(n) for n in products.shape[2:]))]


_levels = jax.jit(alignments.signature_levels.generic, static_argnums=(1, 2))

OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    alignments.alignment_logs: alignment_logs,
    alignments.warping_costs: warping_costs,
    alignments.goursat: goursat,
    alignments.signature_levels: signature_levels,
}

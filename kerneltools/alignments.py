"""Recursions over the pairs of points of two series, one anti-diagonal after the other, for many pairs at once."""

from collections.abc import Callable, Iterable
from math import log, sqrt
from typing import Any, NamedTuple

from kerneltools.arrays import Array, device_of, index_dtype, namespace
from kerneltools.backend import stop_gradient
from kerneltools.primitives import primitive

NOTHING = -1e30
"""The logarithm of 0 inside a recursion: a finite number, so that differences of two of them are not NaN."""


@primitive
def alignment_logs(
    x: Array, y: Array, x_last: Array, y_last: Array, ends: Iterable[int], window: int | None, exact: bool
) -> Array:
    """log Σ over all alignments of two series of Π φ(x_i, y_j), φ = ωe / (2 - ωe), e = exp(-|x_i - y_j|²).

    (S, *p, c), (T, *q, c), p, q integers -> p and q broadcast

    `x_last`, `y_last`: the index of the last point of each, and `ends`: their sums. ω is 1, or the triangle
    (1 - |i - j| / window)₊. If there is no alignment, the value is that of `NOTHING`. `exact`: with all digits of the
    logarithm, however small the sum is; otherwise, sums below √(k(x, x) k(y, y)) by 30 digits may be lost.
    """
    width = max(x.shape[0], y.shape[0]) if window is None else min(window, max(x.shape[0], y.shape[0]))
    limits = namespace(x).finfo(x.dtype)
    # What is lost are cells below `tiny` times the greatest of their anti-diagonal. By Cauchy-Schwarz, what such a
    # cell adds over √(k(x, x) k(y, y)) is at most tiny (1 + √2)^width, for a sum over n steps is at most (3 + 2√2)^n.
    safe = -log(float(limits.smallest_normal)) - width * log(1 + sqrt(2)) > 72
    return _swept(x, y, x_last, y_last, frozenset(ends), window, LOGS if exact or not safe else SUMS)


@primitive
def warping_costs(x: Array, y: Array, x_last: Array, y_last: Array, ends: Iterable[int]) -> Array:
    """-min over all alignments of two series of Σ |x_i - y_j|², dynamic time warping.

    (S, *p, c), (T, *q, c), p, q whole numbers -> p and q broadcast
    """
    return _swept(x, y, x_last, y_last, frozenset(ends), None, LEAST)


class Semiring(NamedTuple):
    """How the value of a cell follows from three neighbours and the pair of points."""

    nothing: float
    one: float
    step: Callable[[Array, Array, Array, Array, float | Array], Array]
    """Of the neighbours (i - 1, j), (i, j - 1), (i - 1, j - 1), of |x_i - y_j|² and of ω."""


def _of_sums(above: Array, left: Array, before: Array, square: Array, weight: float | Array) -> Array:
    local = weight * namespace(square).exp(-square)
    return (above + left + before) * (local / (2 - local))


def of_logs(above: Array, left: Array, before: Array, square: Array, weight: float | Array) -> Array:
    """The step of `LOGS`."""
    xp = namespace(above, square)
    most = xp.maximum(xp.maximum(above, left), before)
    local = weight * xp.exp(-square)
    total = xp.exp(above - most) + xp.exp(left - most) + xp.exp(before - most)
    return most - square + xp.log(weight * total / (2 - local))


def of_least(above: Array, left: Array, before: Array, square: Array, weight: float | Array) -> Array:
    """The step of `LEAST`."""
    del weight
    xp = namespace(above, square)
    return xp.maximum(xp.maximum(above, left), before) - square


SUMS = Semiring(0.0, 1.0, _of_sums)
LOGS = Semiring(NOTHING, 0.0, of_logs)
LEAST = Semiring(NOTHING, 0.0, of_least)

RESCALED = 32
"""Sums are brought back to 1 after so many steps, in which they grow by (1 + √2)^32 at most."""


def _swept(
    x: Array, y: Array, x_last: Array, y_last: Array, ends: frozenset[int], window: int | None, ring: Semiring
) -> Array:
    """The value at the last points of each pair, from the live cells of one anti-diagonal after the other."""
    xp = namespace(x, y)
    s, t = int(x.shape[0]), int(y.shape[0])
    backwards = xp.flip(y, axis=0)
    row = xp.zeros_like(square_of(x[:1, ...], y[:1, ...]))  # (1, *p)
    nothing, found, scale = row + ring.nothing, row[0, ...] + NOTHING, row
    # The values of two anti-diagonals, with nothing at both ends, and the number of the first cell.
    before, before_first = xp.concat([row + ring.one, nothing], axis=0), -1
    last, last_first = xp.concat([nothing, nothing], axis=0), -1
    for d in range(max(ends, default=-1) + 1):
        lo, hi = live(d, s, t, window)
        if hi < lo:
            break
        start = t - 1 - d
        square = square_of(x[lo:hi, ...], backwards[start + lo : start + hi, ...])
        new = ring.step(
            last[lo - 1 - last_first : hi - 1 - last_first, ...],
            last[lo - last_first : hi - last_first, ...],
            before[lo - 1 - before_first : hi - 1 - before_first, ...],
            square,
            1.0 if window is None else _weights(d, lo, hi, window, square),
        )
        if d in ends and hi > lo:
            hit = reached(d, lo, hi, x_last, y_last)
            at_end = xp.sum(xp.where(hit, new, xp.zeros_like(new)), axis=0)
            if ring is SUMS:
                some = at_end > 0
                at_end = xp.log(xp.where(some, at_end, xp.ones_like(at_end))) + scale[0, ...]
                at_end = xp.where(some, at_end, xp.full_like(at_end, NOTHING))
            found = xp.where(xp.any(hit, axis=0), at_end, found)
        before, before_first = last, last_first
        last, last_first = xp.concat([nothing, new, nothing], axis=0), lo - 1
        if ring is SUMS and d % RESCALED == RESCALED - 1:
            most = stop_gradient(xp.max(last, axis=0, keepdims=True))
            most = xp.where(most > 0, most, xp.ones_like(most))
            last, before, scale = last / most, before / most, scale + xp.log(most)
    return found


def live(d: int, s: int, t: int, window: int | None) -> tuple[int, int]:
    """The first i, and the one behind the last, of the cells with i + j = d inside of (s, t) and |i - j| < window."""
    lo, hi = max(0, d - t + 1), min(d + 1, s)
    return (lo, hi) if window is None else (max(lo, (d - window) // 2 + 1), min(hi, -((-d - window) // 2)))


def square_of(x: Array, y: Array) -> Array:
    """|x - y|²: (*p, c), (*q, c) -> p and q broadcast"""
    total: Array = 0
    for channel in range(x.shape[-1]):
        difference = x[..., channel] - y[..., channel]
        total = total + difference * difference if channel else difference * difference
    return total


def reached(d: int, lo: int, hi: int, x_last: Array, y_last: Array) -> Array:
    """Which of the cells lo..hi - 1 with i + j = d are the ends of which pairs: -> (hi - lo, *p)"""
    xp = namespace(x_last, y_last)
    i = xp.arange(lo, hi, dtype=x_last.dtype, device=device_of(x_last))
    i = xp.reshape(i, (hi - lo, *[1] * x_last.ndim))
    return (i == x_last[None, ...]) & (d - i == y_last[None, ...])


def _weights(d: int, lo: int, hi: int, window: int, like: Array) -> Array:
    xp = namespace(like)
    i = xp.arange(lo, hi, dtype=like.dtype, device=device_of(like))
    return xp.reshape(1 - xp.abs(2 * i - d) / window, (hi - lo, *[1] * (like.ndim - 1)))


@primitive
def goursat(products: Array, refinement: int) -> Array:
    """The solution at the last corner of ∂²K / ∂s∂t = K m, K = 1 where s or t is 0, for increments m (S, T, *p) -> p

    K(i+1, j+1) = (K(i+1, j) + K(i, j+1)) (1 + m/2 + m²/12) - K(i, j) (1 - m²/12), each increment in 2^refinement
    equal pieces along both axes (Salvi et al. 2021).
    """
    xp = namespace(products)
    pieces = 2**refinement
    s, t = int(products.shape[0]), int(products.shape[1])
    flat = xp.reshape(products, (s * t, *products.shape[2:])) / pieces**2
    square = flat * flat / 12
    grow, drop = 1 + flat / 2 + square, 1 - square
    one = xp.ones_like(flat[:1, ...])
    last = before = one
    last_first = before_first = 0
    for d in range(1, (s + t) * pieces + 1):
        # Points i + j = d of the grid of (S 2^r + 1) by (T 2^r + 1); those on its lower edges are 1.
        lo, hi = max(1, d - t * pieces), min(d - 1, s * pieces) + 1
        new = []
        if d <= t * pieces:
            new.append(one)
        if hi > lo:
            cells = _cells(d, lo, hi, t, pieces, flat)
            sides = last[lo - last_first : hi - last_first, ...] + last[lo - 1 - last_first : hi - 1 - last_first, ...]
            corner = before[lo - 1 - before_first : hi - 1 - before_first, ...]
            new.append(sides * xp.take(grow, cells, axis=0) - corner * xp.take(drop, cells, axis=0))
        if d <= s * pieces:
            new.append(one)
        before, before_first = last, last_first
        last, last_first = xp.concat(new, axis=0), 0 if d <= t * pieces else lo
    return last[0, ...]


def _cells(d: int, lo: int, hi: int, t: int, pieces: int, like: Array) -> Array:
    """The number of the increment before each of the points lo..hi - 1 with i + j = d."""
    xp = namespace(like)
    i = xp.arange(lo - 1, hi - 1, dtype=index_dtype(like), device=device_of(like))
    return (i // pieces) * t + (d - 2 - i) // pieces


@primitive
def signature_levels(products: Array, depth: int, order: int) -> Array:
    """The sums over i_1 < ... < i_l and j_1 < ... < j_l of Π m(i_p, j_p), for l = 0..depth, of m (S, T, *p)

    -> (depth + 1, *p)

    Up to `order` numbers in a row may be equal, q of them with the weight 1/q! (Király and Oberhauser 2019, algorithms
    3 and 6).
    """
    xp = namespace(products)
    found, sums = [xp.ones_like(xp.sum(products, axis=(0, 1)))], {(0, 0): products}
    for level in range(1, depth + 1):
        if level > 1:
            sums = _next_level(products, sums, min(level, order))
        found.append(xp.sum(_total(sums.values()), axis=(0, 1)))
    return xp.stack(found)


def _next_level(products: Array, sums: dict[tuple[int, int], Array], most: int) -> dict[tuple[int, int], Array]:
    """The sums over pairs of sequences that end in (i, j), by how often i and j were just repeated: one point more."""
    found = {(0, 0): products * _before(_before(_total(sums.values()), 0), 1)}
    rows = {r for r, _ in sums}
    for r in range(1, most):
        if r - 1 in rows:
            in_x = _total(value for (a, _), value in sums.items() if a == r - 1)
            in_y = _total(value for (_, b), value in sums.items() if b == r - 1)
            found[r, 0] = products * _before(in_x, 1) / (r + 1)
            found[0, r] = products * _before(in_y, 0) / (r + 1)
        for s in range(1, most):
            if (r - 1, s - 1) in sums:
                found[r, s] = products * sums[r - 1, s - 1] / ((r + 1) * (s + 1))
    return found


def _total(values: Any) -> Array:
    first, *others = values
    for other in others:
        first = first + other
    return first


def _before(value: Array, axis: int) -> Array:
    """At each place, the sum of all earlier ones along an axis."""
    xp = namespace(value)
    sums = xp.cumulative_sum(value, axis=axis)
    first = xp.zeros_like(value[:1, ...] if axis == 0 else value[:, :1, ...])
    return xp.concat([first, sums[:-1, ...] if axis == 0 else sums[:, :-1, ...]], axis=axis)

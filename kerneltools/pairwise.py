"""Distances between all pairs of rows, with gradients written by hand.

The error of each is relative to that distance itself, whatever the other rows are: see
docs/decisions/0012-distances.md. The derivative is that of the distances, not that of the way they are computed.
"""

from kerneltools.arrays import Array, blocks, device_of, holds, namespace, widest_float
from kerneltools.backend import custom_vjp, stop_gradient
from kerneltools.columns import square_sums
from kerneltools.primitives import primitive

FEW = 4
"""With so few columns, squares of differences are summed, which is no slower than products."""

SAFE = {16: 0.25, 32: 0.25, 64: 2.0**-10}
"""By bits of a type: if |u - v|² is at least this part of |u|² + |v|², the product is accurate enough."""

BLOCK = 2**20
"""Pairs in a block, all of which are computed from differences if one of them must be."""

SAMPLE = 32
"""Rows that the centre is computed from, at most twice as many."""


@primitive
def scaled_distances(x: Array, y: Array, scale: Array) -> Array:
    """Σ_j (s_j (x_j - y_j))² for all pairs of rows, each exact up to a few roundings.

    (n, d), (m, d), (d,) -> (n, m)

    It computes |u|² + |v|² - 2<u, v> in one product, where u and v are the scaled rows about a centre; its rounding
    errors are those of |u|² + |v|². The nearest pair of each row is computed from differences. If a further pair is too
    inaccurate, so is its block; inside a trace, where numbers are not known, so is everything.
    """
    n, m = x.shape[0], y.shape[0]
    if x.shape[1] <= FEW or not n * m:
        return square_sums.values(x, y, scale)
    v = about(central(y), y, scale)
    found = [_of_block(x[rows, :], y, scale, v) for rows in blocks(n, max(1, BLOCK // m))]
    return found[0] if len(found) == 1 else namespace(found[0]).concat(found)


def _of_block(x: Array, y: Array, scale: Array, v: Array) -> Array:
    square, unsure = product_and_doubts(x, y, scale, v)
    return square_sums.values(x, y, scale) if holds(namespace(unsure).any(unsure)) else square


def product_and_doubts(x: Array, y: Array, scale: Array, v: Array) -> tuple[Array, Array]:
    """The distances by one product, those of the nearest rows by differences, and where they are not accurate enough.

    (n, d), (m, d), (d,), `about(central(y), y, scale)` -> (n, m), (n, m) booleans
    """
    xp = namespace(x, v)
    u = about(central(y), x, scale)
    of_u, of_v = xp.sum(u * u, axis=1)[:, None], xp.sum(v * v, axis=1)[None, :]
    square = of_u + of_v - 2 * (u @ xp.matrix_transpose(v))
    # Among equal sets of rows each has one that coincides with it: no reason to compute all others again.
    nearest = xp.argmin(square, axis=1)
    of_nearest = about(xp.take(y, nearest, axis=0), x, scale)
    numbers = xp.arange(y.shape[0], dtype=nearest.dtype, device=device_of(square))
    is_nearest = numbers[None, :] == nearest[:, None]
    square = xp.where(is_nearest, xp.sum(of_nearest * of_nearest, axis=1)[:, None], square)
    # Written so that what has overflown is in doubt too.
    sure = square >= SAFE[xp.finfo(square.dtype).bits] * (of_u + of_v)
    return square, ~(sure | is_nearest)


def about(centre: Array, x: Array, scale: Array) -> Array:
    """The scaled rows about a centre: (1, d) or (n, d), (n, d), (d,) -> (n, d)"""
    return (x - centre) * scale


def central(y: Array) -> Array:
    """A row amid the rows: the median of some of them, column by column, if it is finite: (m, d) -> (1, d).

    A mean would follow NaN, and a single row that is far away.
    """
    xp = namespace(y)
    step = max(1, y.shape[0] // SAMPLE)
    sample = xp.sort(y[0 : y.shape[0] : step, :], axis=0)
    middle = sample[sample.shape[0] // 2, :][None, :]
    return xp.where(xp.isfinite(middle), middle, xp.zeros_like(middle))


def pull_scaled_distances(cotangent: Array, square: Array, x: Array, y: Array, scale: Array) -> tuple[Array, ...]:
    """The gradients of `scaled_distances`."""
    del square
    xp = namespace(cotangent, x, y, scale)
    if not x.shape[0] * y.shape[0]:
        return xp.zeros_like(x), xp.zeros_like(y), xp.zeros_like(scale)
    gradients: tuple[Array, ...] = weighted_differences(cotangent, x, y, scale)
    return gradients


@primitive
def weighted_differences(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, ...]:
    """2 s² Σ_j g_ij (x_i - y_j), -2 s² Σ_i g_ij (x_i - y_j) and 2 s Σ_ij g_ij (x_i - y_j)².

    (n, m), (n, d), (m, d), (d,) -> (n, d), (m, d), (d,)

    It uses products of rows about a centre, whose rounding errors are those of the farthest row. For rows beyond
    `REACH`, and inside a trace, where numbers are not known, it computes in a type in which these errors do not count,
    or from differences.
    """
    return (exact_differences if holds(beyond_reach(x, y, scale)) else centred_differences)(cotangent, x, y, scale)


def beyond_reach(x: Array, y: Array, scale: Array) -> Array:
    """Whether a row is so far from the centre that products about it lose small differences: ()"""
    x, y, scale = map(stop_gradient, (x, y, scale))
    xp, centre = namespace(x, y, scale), central(y)
    farthest = xp.maximum(*(xp.max(xp.abs(about(centre, rows, scale))) for rows in (x, y)))
    return farthest > REACH[xp.finfo(farthest.dtype).bits]


REACH = {16: 32.0, 32: 32.0, 64: 2.0**16}
"""By bits of a type: how far rows may be from the centre, in each column, in units of its scale."""


def centred_differences(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, ...]:
    """`weighted_differences` by products of the rows about a centre."""
    xp = namespace(cotangent, x, y, scale)
    # Distances do not depend on the centre, so that no gradient flows through it.
    centre = stop_gradient(central(stop_gradient(y)))
    u, v = about(centre, x, scale), about(centre, y, scale)
    across = xp.matrix_transpose(cotangent)
    of_u = xp.sum(cotangent, axis=1)[:, None] * u - cotangent @ v
    of_v = xp.sum(across, axis=1)[:, None] * v - across @ u
    of_scale = xp.sum((x - centre) * of_u, axis=0) + xp.sum((y - centre) * of_v, axis=0)
    return 2 * scale * of_u, 2 * scale * of_v, 2 * of_scale


def exact_differences(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, ...]:
    """`weighted_differences` with errors of the size of differences, wherever the rows lie.

    In float64, the products' errors are below those of rows given in float32.
    """
    given = cotangent, x, y, scale
    xp, wide = namespace(*given), widest_float(x)
    if any(xp.finfo(a.dtype).bits == xp.finfo(wide).bits for a in (x, y)):
        found: tuple[Array, ...] = square_sums.pull(*given)
        return found
    gradients = centred_differences(*(xp.astype(a, wide) for a in given))
    return tuple(xp.astype(gradient, a.dtype) for gradient, a in zip(gradients, given[1:], strict=True))


differentiable_distances = custom_vjp(scaled_distances, pull_scaled_distances)

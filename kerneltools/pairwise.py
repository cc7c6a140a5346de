"""Distances between all pairs of rows, with gradients written by hand.

The derivative is that of the distances, not that of the way they are computed, which passes through differences of
large numbers.
"""

from math import sqrt

from kerneltools.arrays import Array, namespace
from kerneltools.backend import custom_vjp
from kerneltools.primitives import primitive

HEAD = 2.0**11
"""Integer rows of at most this norm have inner products and distances that float32 holds exactly (<= 2²⁴)."""

FEW = 4
"""Of so few columns, squares are added up one by one: no slower than products, and exact."""


@primitive
def centred_distances(x: Array, y: Array) -> Array:
    """|x - y|² for all pairs of rows that lie about the origin, and 0 where rounding cannot tell the rows apart.

    (n, d), (m, d) -> (n, m)

    |x|² + |y|² - 2<x, y> has the rounding errors of |x|², however close x and y are. Rows in float32 are therefore
    cut in two (docs/decisions/0012-distances.md): a head of integers, small enough for distances of heads to be
    exact, and a tail, to whose size the rounding errors shrink.
    """
    xp = namespace(x, y)
    if 0 < x.shape[1] <= FEW:
        return _summed(x, y)
    if xp.finfo(x.dtype).bits > 32 or xp.finfo(y.dtype).bits > 32:
        return _above_noise(_expanded(x, -2 * y, _squares(x), _squares(y)), _squares(x), _squares(y), x.shape[1])
    unit = _unit(x, y)
    return _split_distances(x / unit, y / unit) * (unit * unit)


def _summed(x: Array, y: Array) -> Array:
    total: Array = 0
    for j in range(x.shape[1]):
        difference = x[:, j][:, None] - y[:, j][None, :]
        total = total + difference * difference
    return total


def _split_distances(x: Array, y: Array) -> Array:
    xp = namespace(x, y)
    x_head, y_head = xp.round(x), xp.round(y)
    x_tail, y_tail = x - x_head, y - y_head
    heads = _expanded(x_head, -2 * y_head, _squares(x_head), _squares(y_head))
    # |h + t|² - |h|² = <t, 2h + t>, and <h + t, h' + t'> - <h, h'> = <h, t'> + <t, h' + t'>.
    tails = _expanded(
        xp.concat([x_head, x_tail], axis=1),
        -2 * xp.concat([y_tail, y], axis=1),
        xp.sum(x_tail * (x_head + x), axis=1),
        xp.sum(y_tail * (y_head + y), axis=1),
    )
    return _above_noise(heads + tails, _noise(x_tail, x), _noise(y_tail, y), x.shape[1])


def _expanded(x: Array, y: Array, of_x: Array, of_y: Array) -> Array:
    """<x, y> + a + b with a number a for each x and b for each y, in one product: no pass over memory but its own."""
    xp = namespace(x, y)
    left = xp.concat([x, of_x[:, None], xp.ones_like(of_x)[:, None]], axis=1)
    right = xp.concat([y, xp.ones_like(of_y)[:, None], of_y[:, None]], axis=1)
    return left @ xp.matrix_transpose(right)


def _squares(x: Array) -> Array:
    return namespace(x).sum(x * x, axis=1)


def _noise(tail: Array, x: Array) -> Array:
    """What the rounding errors of <t, 2h + t> are measured against."""
    xp = namespace(x)
    return 2 * xp.sqrt(_squares(tail) * _squares(x))


def _above_noise(square: Array, of_x: Array, of_y: Array, terms: int) -> Array:
    """Squares, and 0 for those that are no more than rounding errors of sums of so many terms of the size a + b."""
    xp = namespace(square)
    factor = (4 + sqrt(terms)) * xp.finfo(square.dtype).eps
    # Written so that NaN stays NaN.
    noise = square <= (factor * of_x)[:, None] + (factor * of_y)[None, :]
    return xp.where(noise, xp.zeros_like(square), square)


def _unit(x: Array, y: Array) -> Array:
    """The unit in which the longest row has the norm HEAD."""
    xp = namespace(x, y)
    squares = xp.concat([_squares(x), _squares(y)])
    # A row with NaN or infinity is no measure for the others.
    greatest = xp.max(xp.where(xp.isfinite(squares), squares, xp.zeros_like(squares)))
    return xp.where(greatest > 0, xp.sqrt(greatest) / HEAD, xp.ones_like(greatest))


def pull_distances(cotangent: Array, square: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """The gradients of `centred_distances`."""
    del square
    xp = namespace(cotangent, x, y)
    across = xp.matrix_transpose(cotangent)
    of_x = xp.sum(cotangent, axis=1)[:, None] * x - cotangent @ y
    of_y = xp.sum(across, axis=1)[:, None] * y - across @ x
    return 2 * of_x, 2 * of_y


differentiable_distances = custom_vjp(centred_distances, pull_distances)

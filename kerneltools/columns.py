"""Sums over columns of a function of two numbers, for all pairs of rows, in bounded memory.

Σ_j t(x_j, y_j) is no matrix product, and all its n m d terms at once would not fit in memory: they are made and
added up block by block, and their derivatives in the same way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kerneltools.arrays import Array, blocks, namespace
from kerneltools.backend import custom_vjp
from kerneltools.primitives import Primitive, primitive, reciprocal

# About the numbers that a core's cache holds: measured on NumPy, smaller and larger blocks are slower.
BLOCK = 2**18


@dataclass(frozen=True)
class Term:
    """t(a, b), entry by entry with broadcasting, and its derivatives in a and in b."""

    value: Callable[[Array, Array], Array]
    slopes: Callable[[Array, Array], tuple[Array, Array]]


def column_sum(name: str, term: Term) -> tuple[Primitive, Callable[[Array, Array], Array]]:
    """Σ_j t(x_j, y_j) as a primitive, which a backend may replace, and as a function with derivatives.

    Each: (n, d), (m, d) -> (n, m)
    """

    def body(x: Array, y: Array) -> Array:
        return _values(term, x, y)

    def backward(cotangent: Array, value: Array, x: Array, y: Array) -> tuple[Array, Array]:
        del value
        return _pull(term, cotangent, x, y)

    body.__name__ = name
    body.__doc__ = f"Σ_j of the {name.replace('_', ' ')} of columns: (n, d), (m, d) -> (n, m)"
    forward = primitive(body)
    return forward, custom_vjp(forward, backward)


def _values(term: Term, x: Array, y: Array) -> Array:
    xp = namespace(x, y)
    across = xp.matrix_transpose(y)
    found = []
    for rows, columns in _tiles(x.shape, y.shape[0]):
        parts = [xp.sum(term.value(*_pairs(x, across, rows, c)), axis=1) for c in columns]
        found.append(_total(parts))
    return _joined(found, axis=0)


def _pull(term: Term, cotangent: Array, x: Array, y: Array) -> tuple[Array, Array]:
    xp = namespace(cotangent, x, y)
    across = xp.matrix_transpose(y)
    of_x, of_y = [], []
    for rows, columns in _tiles(x.shape, y.shape[0]):
        weights = cotangent[rows, :][:, None, :]
        pulled = [[weights * slope for slope in term.slopes(*_pairs(x, across, rows, c))] for c in columns]
        of_x.append(_joined([xp.sum(in_x, axis=2) for in_x, _ in pulled], axis=1))
        of_y.append(_joined([xp.sum(in_y, axis=0) for _, in_y in pulled], axis=0))
    return _joined(of_x, axis=0), xp.matrix_transpose(_total(of_y))


def _tiles(shape: tuple[int, int], m: int) -> Iterator[tuple[slice, list[slice]]]:
    """Blocks of rows, and the blocks of columns in each, with at most BLOCK pairs (or one pair of columns)."""
    n, d = shape
    width = max(1, min(d, BLOCK // max(1, m)))
    height = max(1, BLOCK // max(1, m * width))
    columns = list(blocks(d, width))
    if n <= height:
        yield slice(0, n), columns
    else:
        yield from ((rows, columns) for rows in blocks(n, height))


def _pairs(x: Array, across: Array, rows: slice, columns: slice) -> tuple[Array, Array]:
    """(rows, columns, 1) of x and (1, columns, m) of y."""
    return x[rows, columns][:, :, None], across[columns, :][None, :, :]


def _total(parts: list[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _joined(parts: list[Array], axis: int) -> Array:
    return parts[0] if len(parts) == 1 else namespace(*parts).concat(parts, axis=axis)


def _absolute_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    sign = namespace(a, b).sign(a - b)
    return sign, -sign


def _log_square(a: Array, b: Array) -> Array:
    return namespace(a, b).log1p((a - b) * (a - b))


def _log_square_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    difference = a - b
    slope = 2 * difference / (1 + difference * difference)
    return slope, -slope


def _chi_square(a: Array, b: Array) -> Array:
    return (a - b) * (a - b) / _not_zero(a + b)


def _not_zero(total: Array) -> Array:
    """The sum, where it is 0 the smallest number: the numerator is 0 there. (Values only: slopes have other needs.)"""
    xp = namespace(total)
    return xp.maximum(total, xp.full_like(total, xp.finfo(total.dtype).smallest_normal))


def _chi_square_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    inverse = reciprocal(a + b)
    difference = (a - b) * inverse
    return difference * (a + 3 * b) * inverse, -difference * (b + 3 * a) * inverse


def _harmonic(a: Array, b: Array) -> Array:
    return 2 * a * b / _not_zero(a + b)


def _harmonic_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    inverse = reciprocal(a + b)
    return 2 * (b * inverse) ** 2, 2 * (a * inverse) ** 2


def _minimum_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    """Ties share evenly."""
    share = (1 + namespace(a, b).sign(b - a)) / 2
    return share, 1 - share


absolute_differences, l1_distances = column_sum(
    "absolute_differences", Term(lambda a, b: namespace(a, b).abs(a - b), _absolute_slopes)
)
log_squares, log_square_sums = column_sum("log_squares", Term(_log_square, _log_square_slopes))
chi_squares, chi_square_distances = column_sum("chi_squares", Term(_chi_square, _chi_square_slopes))
harmonic_means, harmonic_sums = column_sum("harmonic_means", Term(_harmonic, _harmonic_slopes))
minima, minimum_sums = column_sum("minima", Term(lambda a, b: namespace(a, b).minimum(a, b), _minimum_slopes))

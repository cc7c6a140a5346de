"""Sums over columns of a function of two numbers, or of their difference, for all pairs of rows, in bounded memory.

Σ_j t(x_j, y_j) is no matrix product, and its n m d terms would not fit in memory together. They are computed and added
block by block, and so are their derivatives.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kerneltools.arrays import Array, blocks, namespace
from kerneltools.backend import custom_vjp
from kerneltools.primitives import primitive, reciprocal, sign

# Measured on NumPy and torch: a block that a core's cache holds, and sums of at least so many columns.
BLOCK = 2**18
WIDTH = 64


@dataclass(frozen=True)
class Term:
    """t(a, b), entry by entry with broadcasting, and its derivatives in a and in b."""

    value: Callable[[Array, Array], Array]
    slopes: Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class OfDifference:
    """f(u), entry by entry, with f(0) = 0, and its derivative."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


class ColumnSum:
    """Σ_j t(x_j, y_j) for all pairs of rows, with derivatives: (n, d), (m, d) -> (n, m).

    `values` and `pull` are its two primitives, which a backend may replace.
    """

    def __init__(self, name: str, term: Term) -> None:
        def values(x: Array, y: Array) -> Array:
            return _values(term, x, y)

        def pull(cotangent: Array, x: Array, y: Array) -> tuple[Array, Array]:
            return _pull(term, cotangent, x, y)

        def backward(cotangent: Array, value: Array, x: Array, y: Array) -> tuple[Array, Array]:
            del value
            found: tuple[Array, Array] = self.pull(cotangent, x, y)
            return found

        values.__name__, pull.__name__ = f"{name}.values", f"{name}.pull"
        self.term = term
        self.values, self.pull = primitive(values), primitive(pull)
        self._differentiable = custom_vjp(self.values, backward)

    def __call__(self, x: Array, y: Array) -> Array:
        """(n, d), (m, d) -> (n, m)"""
        return self._differentiable(x, y)


class DifferenceSum:
    """Σ_j f(s_j (x_j - y_j)) for all pairs of rows, with derivatives: (n, d), (m, d), (d,) -> (n, m).

    Differences are taken of the original rows, so that their errors are those of two numbers, wherever the rows lie.
    `values` and `pull` are its two primitives, which a backend may replace.
    """

    def __init__(self, name: str, of_difference: OfDifference) -> None:
        def values(x: Array, y: Array, scale: Array) -> Array:
            return _difference_values(of_difference, x, y, scale)

        def pull(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, Array, Array]:
            return _difference_pull(of_difference, cotangent, x, y, scale)

        def backward(cotangent: Array, value: Array, x: Array, y: Array, scale: Array) -> tuple[Array, Array, Array]:
            del value
            found: tuple[Array, Array, Array] = self.pull(cotangent, x, y, scale)
            return found

        values.__name__, pull.__name__ = f"{name}.values", f"{name}.pull"
        self.of_difference = of_difference
        self.values, self.pull = primitive(values), primitive(pull)
        self._differentiable = custom_vjp(self.values, backward)

    def __call__(self, x: Array, y: Array, scale: Array) -> Array:
        """(n, d), (m, d), (d,) -> (n, m)"""
        return self._differentiable(x, y, scale)


def _values(term: Term, x: Array, y: Array) -> Array:
    xp = namespace(x, y)
    across = xp.matrix_transpose(y)
    found = []
    for rows, columns in _tiles(x.shape, y.shape[0]):
        total: Array = 0
        for c in columns:
            total = total + xp.sum(term.value(*_pairs(x, across, rows, c)), axis=1)
        found.append(total)
    return _joined(found, axis=0)


def _pull(term: Term, cotangent: Array, x: Array, y: Array) -> tuple[Array, Array]:
    xp = namespace(cotangent, x, y)
    across = xp.matrix_transpose(y)
    of_x: list[Array] = []
    of_y: Array = 0
    for rows, columns in _tiles(x.shape, y.shape[0]):
        weights = cotangent[rows, :][:, None, :]
        pulled = [_pulled(term, weights, *_pairs(x, across, rows, c)) for c in columns]
        of_x.append(_joined([in_x for in_x, _ in pulled], axis=1))
        of_y = of_y + _joined([in_y for _, in_y in pulled], axis=0)
    return _joined(of_x, axis=0), xp.matrix_transpose(of_y)


def _pulled(term: Term, weights: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """(rows, columns) and (columns, m)"""
    xp = namespace(weights, a, b)
    in_a, in_b = term.slopes(a, b)
    return xp.sum(weights * in_a, axis=2), xp.sum(weights * in_b, axis=0)


def _difference_values(f: OfDifference, x: Array, y: Array, scale: Array) -> Array:
    xp = namespace(x, y, scale)
    across = xp.matrix_transpose(y)
    if not x.shape[1]:
        return x @ across
    found = []
    for rows, columns in _tiles(x.shape, y.shape[0]):
        total: Array = 0
        for c in columns:
            total = total + xp.sum(f.value(_scaled(x, across, scale, rows, c)), axis=1)
        found.append(total)
    return _joined(found, axis=0)


def _difference_pull(f: OfDifference, cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, Array, Array]:
    xp = namespace(cotangent, x, y, scale)
    if not x.shape[1]:
        return xp.zeros_like(x), xp.zeros_like(y), xp.zeros_like(scale)
    across = xp.matrix_transpose(y)
    of_x: list[Array] = []
    of_y: Array = 0
    of_scale: Array = 0
    for rows, columns in _tiles(x.shape, y.shape[0]):
        weights = cotangent[rows, :][:, None, :]
        in_rows, in_columns, in_scale = [], [], []
        for c in columns:
            a, b = _pairs(x, across, rows, c)
            difference, s = a - b, scale[c][None, :, None]
            slope = weights * f.slope(s * difference)
            in_rows.append(xp.sum(s * slope, axis=2))
            in_columns.append(-xp.sum(s * slope, axis=0))
            in_scale.append(xp.sum(slope * difference, axis=(0, 2)))
        of_x.append(_joined(in_rows, axis=1))
        of_y = of_y + _joined(in_columns, axis=0)
        of_scale = of_scale + _joined(in_scale, axis=0)
    return _joined(of_x, axis=0), xp.matrix_transpose(of_y), of_scale


def _scaled(x: Array, across: Array, scale: Array, rows: slice, columns: slice) -> Array:
    a, b = _pairs(x, across, rows, columns)
    return scale[columns][None, :, None] * (a - b)


def _tiles(shape: tuple[int, int], m: int) -> Iterator[tuple[slice, list[slice]]]:
    """Blocks of rows, and blocks of columns in each: at most BLOCK terms at once, or those of one row and column."""
    n, d = shape
    width = max(1, min(d, WIDTH, BLOCK // max(1, m)))
    height = max(1, BLOCK // max(1, m * width))
    columns = list(blocks(d, width)) or [slice(0, 0)]  # without columns the sums are 0
    if n <= height:
        yield slice(0, n), columns
    else:
        yield from ((rows, columns) for rows in blocks(n, height))


def _pairs(x: Array, across: Array, rows: slice, columns: slice) -> tuple[Array, Array]:
    """(rows, columns, 1) of x and (1, columns, m) of y."""
    return x[rows, columns][:, :, None], across[columns, :][None, :, :]


def _joined(parts: list[Array], axis: int) -> Array:
    return parts[0] if len(parts) == 1 else namespace(*parts).concat(parts, axis=axis)


def _log_square(u: Array) -> Array:
    return namespace(u).log1p(u * u)


def _log_square_slope(u: Array) -> Array:
    return 2 * u / (1 + u * u)


def _chi_square(a: Array, b: Array) -> Array:
    difference = a - b
    # The quotient first: the square of a small number is soon 0, and that of a great one infinite.
    return difference * (difference / _not_zero(a + b))


def _not_zero(total: Array) -> Array:
    """The sum, or the smallest number where it is 0: the numerator is 0 there. (Only for values, not for slopes.)"""
    xp = namespace(total)
    return xp.maximum(total, xp.full_like(total, xp.finfo(total.dtype).smallest_normal))


def _chi_square_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    inverse = reciprocal(a + b)
    difference = (a - b) * inverse
    return difference * (a + 3 * b) * inverse, -difference * (b + 3 * a) * inverse


def _harmonic(a: Array, b: Array) -> Array:
    return 2 * a * (b / _not_zero(a + b))


def _harmonic_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    inverse = reciprocal(a + b)
    return 2 * (b * inverse) ** 2, 2 * (a * inverse) ** 2


def _minimum_slopes(a: Array, b: Array) -> tuple[Array, Array]:
    """Ties share evenly."""
    share = (1 + sign(b - a)) / 2
    return share, 1 - share


chi_square_distances = ColumnSum("chi_square_distances", Term(_chi_square, _chi_square_slopes))
harmonic_sums = ColumnSum("harmonic_sums", Term(_harmonic, _harmonic_slopes))
minimum_sums = ColumnSum("minimum_sums", Term(lambda a, b: namespace(a, b).minimum(a, b), _minimum_slopes))

SUMS = (chi_square_distances, harmonic_sums, minimum_sums)
"""All sums of functions of two numbers, for a backend that has a better way."""

l1_distances = DifferenceSum("l1_distances", OfDifference(lambda u: namespace(u).abs(u), sign))
log_square_sums = DifferenceSum("log_square_sums", OfDifference(_log_square, _log_square_slope))
square_sums = DifferenceSum("square_sums", OfDifference(lambda u: u * u, lambda u: 2 * u))

DIFFERENCE_SUMS = (l1_distances, log_square_sums, square_sums)
"""All sums of functions of differences."""

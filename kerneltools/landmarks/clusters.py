"""What the k-means rules share: nearest centres, means of clusters, and rows that replace empty clusters.

Matrix products decide wherever their rounding errors are small relative to the distances of a row; differences settle
the other rows, so that rows far away do not spoil the result for a row.
"""

from dataclasses import dataclass, replace
from functools import partial
from math import frexp, inf, sqrt

from kerneltools.arrays import (
    Array,
    asarray_like,
    blocks,
    device_of,
    index_dtype,
    indices_like,
    namespace,
    widest_float,
)
from kerneltools.backend import to_host
from kerneltools.kernels.distances import square_distances
from kerneltools.landmarks.base import Host, distinct
from kerneltools.pairwise import central
from kerneltools.primitives import owner_sum, program, row_maxima
from kerneltools.structures import take
from kerneltools.trees import Tree, static

LOOSE = 100
"""The rounding errors that make up a distance with an error of one percent: enough to tell which centre is nearest."""

ADDED = 8192
"""Rows that are added one after the other before their sums are added, which loses few digits."""

SMALL = 1e-3
"""Rounding errors that add up to no more than this share of all distances do not matter for the means."""


@dataclass(frozen=True, eq=False)
class Cloud(Tree):
    """Rows (n, d), and what products need of them: the rows about an origin (1, d), and their squares (n,).

    `weights` (n,) or None. `rounding`: the error of an inner product of two rows of norm 1, a sum of d products.
    `unit`: all rows and their centres have the norm 1, and the origin is 0.
    """

    points: Array
    weights: Array | None
    origin: Array
    shifted: Array
    squares: Array
    rounding: float = static()
    unit: bool = static(False)

    def part(self, which: Host) -> "Cloud":
        """Some of the rows."""
        numbers, xp = indices_like(which, self.points), namespace(self.points)
        points = xp.take(self.points, numbers, axis=0)
        return replace(
            self,
            points=points,
            weights=None if self.weights is None else xp.take(self.weights, numbers),
            shifted=points if self.unit else xp.take(self.shifted, numbers, axis=0),
            squares=xp.take(self.squares, numbers),
        )

    def block(self, part: slice) -> "Cloud":
        """Some rows, a constant step apart."""
        return replace(
            self,
            points=self.points[part, :],
            weights=None if self.weights is None else self.weights[part],
            shifted=self.shifted[part, :],
            squares=self.squares[part],
        )

    def every(self, step: int) -> "Cloud":
        """Every `step`-th row; the weights have the mean 1 again."""
        part = self.block(slice(0, self.points.shape[0], step))
        weights = part.weights
        return part if weights is None else replace(part, weights=weights / namespace(weights).mean(weights))

    def mean(self, values: Array) -> float:
        """The weighted mean of numbers (n,)."""
        return float(_mean(self, values))


@program
def _mean(data: Cloud, values: Array) -> Array:
    return namespace(values).mean(values if data.weights is None else data.weights * values)


@dataclass(frozen=True, eq=False)
class Assignment:
    """The number of each row's nearest centre (n,), and their squared distance (n,).

    `near`: the numbers of the rows that lie too near their centre for products to tell; their distances are exact. None
    if that does not matter.
    """

    index: Array
    distances: Array
    near: list[int]


def cloud(x: Array, weights: Host | None = None, origin: Array | None = None) -> Cloud:
    """The rows about a given origin, or about one amid them; the weights have the mean 1."""
    origin = central(x) if origin is None else origin
    shifted = x - origin
    return Cloud(x, _beside(x, weights), origin, shifted, _squares(shifted), _rounding(x))


def unit_cloud(x: Array, weights: Host | None = None) -> Cloud:
    """Rows of norm 1."""
    origin = namespace(x).zeros_like(x[:1, :])
    return Cloud(x, _beside(x, weights), origin, x, namespace(x).ones_like(x[:, 0]), _rounding(x), unit=True)


def in_range(x: Array) -> tuple[Array, float]:
    """x times a number, and the inverse of that number: 1 unless squares of x would over- or underflow.

    If the library has a wider type, rows keep their size: small ones would underflow next to great ones.
    """
    if fits(x):
        return x, 1.0
    x = namespace(x).astype(x, widest_float(x))
    if fits(x):
        return x, 1.0
    unit = 2.0 ** frexp(_greatest(x))[1]
    return x / unit, unit


def fits(x: Array) -> bool:
    """Whether squares of x neither over- nor underflow."""
    greatest, limit = _greatest(x), float(namespace(x).finfo(x.dtype).max) ** 0.25
    return greatest == 0 or 1 / limit <= greatest <= limit


def _greatest(x: Array) -> float:
    return float(_greatest_of(x))


@program
def _greatest_of(x: Array) -> Array:
    xp = namespace(x)
    return xp.maximum(xp.max(x), -xp.min(x))


def assigned(data: Cloud, centres: Array, block: int, share: float = 0.0) -> Assignment:
    """The nearest centre of each row.

    Rows near their centre are settled by differences, unless the rounding errors of all of them add up to no more than
    this share of the distances.
    """
    xp = namespace(data.points)
    about, offsets = _about(data, centres)
    found = [_nearest(data.shifted[part, :], about, offsets) for part in blocks(data.points.shape[0], block)]
    index, value = (xp.concat(pieces) for pieces in zip(*found, strict=True))
    square, unsure, clipped, small = _judged(data, value, share)
    if not (near := places(unsure)) or bool(small):
        return Assignment(index, clipped, [])
    pieces = [_settled(data.part(near[part]), centres, about, offsets) for part in blocks(len(near), block)]
    index_near, square_near = (xp.concat(several) for several in zip(*pieces, strict=True))
    return Assignment(put(index, unsure, index_near), put(square, unsure, square_near), near)


@program
def _judged(data: Cloud, value: Array, share: float) -> tuple[Array, Array, Array, Array]:
    """Squared distances from products, (n,); which are unsure, (n,); the distances, no less than 0, (n,); whether the
    rounding errors of the unsure add up to no more than this share, ()."""
    xp = namespace(value)
    square = data.squares - 2 * (value - 0.5 if data.unit else value)
    unsure = square < (LOOSE * data.rounding) * data.squares
    nothing = xp.zeros_like(square)
    errors = _mean(data, xp.where(unsure, data.squares, nothing))
    small = data.rounding * errors <= share * _mean(data, square)
    return square, unsure, xp.maximum(square, nothing), small


def _about(data: Cloud, centres: Array) -> tuple[Array, Array | None]:
    """Centres about the origin, transposed, and half their squares."""
    about = centres if data.unit else centres - data.origin
    return namespace(centres).matrix_transpose(about), None if data.unit else _squares(about) / 2


def _values(shifted: Array, about: Array, offsets: Array | None) -> Array:
    """<x, z> - |z|²/2, greatest for the nearest centre: (n, m)."""
    value = shifted @ about
    return value if offsets is None else value - offsets


@program
def _nearest(shifted: Array, about: Array, offsets: Array | None) -> tuple[Array, Array]:
    index, value = row_maxima(_values(shifted, about, offsets))
    return index, value


def _settled(part: Cloud, centres: Array, about: Array, offsets: Array | None) -> tuple[Array, Array]:
    """The nearest centres of rows near one, with exact distances; if two are too close, all centres are compared."""
    xp, value = namespace(part.points), _values(part.shifted, about, offsets)
    index, best = row_maxima(value)
    numbers = xp.arange(centres.shape[0], dtype=index.dtype, device=device_of(index))
    second = xp.max(xp.where(numbers[None, :] == index[:, None], xp.full_like(value, -inf), value), axis=1)
    square = _squares(part.points - xp.take(centres, index, axis=0))
    alike = best - second <= 4 * part.rounding * part.squares
    if which := places(alike):
        exact = square_distances(take(part.points, which), centres)
        index = put(index, alike, xp.argmin(exact, axis=1))
        square = put(square, alike, xp.min(exact, axis=1))
    return index, square


def put(values: Array, where: Array, new: Array, axis: int = 0) -> Array:
    """The values, with those at True places replaced by the new ones in order: (n,) booleans along the axis."""
    xp, n = namespace(values), values.shape[axis]
    numbers = xp.arange(n, dtype=index_dtype(values), device=device_of(values))
    ranks = xp.cumulative_sum(xp.astype(where, index_dtype(values)), dtype=index_dtype(values))
    return xp.take(xp.concat([values, new], axis=axis), xp.where(where, n - 1 + ranks, numbers), axis=axis)


def members_of(data: Cloud, index: Array, count: int) -> Array:
    """How many rows each cluster has, or their weight: (count,)."""
    xp, points = namespace(data.points), data.points
    ones = xp.ones((points.shape[0], 1), dtype=points.dtype, device=device_of(points))
    return _totals(ones if data.weights is None else data.weights[:, None], None, index, count)[:, 0]


def totals(data: Cloud, index: Array, count: int) -> Array:
    """The sum of each cluster's rows about the origin: (n,) -> (count, d)."""
    return _totals(data.shifted, data.weights, index, count)


def exact_where_tight(found: Array, data: Cloud, assignment: Assignment, centres: Array) -> Array:
    """The means found; in clusters with half their rows near the old centre, by differences from that.

    (m, d) -> (m, d). Sums of almost equal rows would have the rounding errors of their position.
    """
    if not assignment.near:
        return found
    xp, numbers = namespace(data.points), to_host(assignment.index)
    count = partial(namespace(numbers).bincount, minlength=centres.shape[0])
    tight = (near := count(numbers[assignment.near])) * 2 >= count(numbers)
    tight &= near > 0
    if not tight.any():
        return found
    part = data.part(tight[numbers].nonzero()[0].tolist())
    index = asarray_like(numbers[tight[numbers]], assignment.index, assignment.index.dtype)
    members = members_of(part, index, centres.shape[0])
    moves = moves_of(part, index, centres) / xp.where(members > 0, members, xp.ones_like(members))[:, None]
    return xp.where((members > 0)[:, None], centres + moves, found)


def moves_of(data: Cloud, index: Array, centres: Array) -> Array:
    """The sum of the differences of each cluster's rows from its centre: (m, d). Exactly 0 if all are equal to it."""
    differences = data.points - namespace(centres).take(centres, index, axis=0)
    return _totals(differences, data.weights, index, centres.shape[0])


def _totals(x: Array, weights: Array | None, index: Array, count: int) -> Array:
    """The sum of each cluster's rows: (n, d), (n,) -> (count, d)."""
    total: Array = 0
    for part in blocks(x.shape[0], ADDED):
        values = x[part, :] if weights is None else weights[part][:, None] * x[part, :]
        total = total + owner_sum(values, index[part], count)
    return total


def refilled(found: Array, empty: list[int], data: Cloud, centres: Array, block: int) -> Array:
    """The centres found, with empty clusters replaced by the rows that the previous centres served worst.

    They are left out if all rows are served.
    """
    if not empty:
        return found
    kept = sorted(set(range(found.shape[0])) - set(empty))
    worst = _worst_served(data, assigned(data, centres, block).distances, len(empty))
    if not worst:
        return take(found, kept)
    return namespace(found).concat([take(found, kept), take(data.points, worst)])


def _worst_served(data: Cloud, badness: Array, count: int) -> list[int]:
    """At most `count` distinct rows of greatest badness, none already equal to a centre.

    A row counts as equal to its centre if they differ by no more than the rounding errors of its own numbers.
    """
    rounding = 4 * float(namespace(data.points).finfo(data.points.dtype).eps)
    equal = to_host(rounding**2 * _squares(data.points))
    host = to_host(badness) * (to_host(badness) > equal)
    host = host if data.weights is None else host * to_host(data.weights)
    order = [i for i in (-host).argsort(kind="stable").tolist()[: 64 * count] if host[i] > 0]
    return distinct(data.points, order, count) if order else []


def completed(centres: Array, data: Cloud, m: int, block: int) -> Array:
    """The distinct centres, and the worst-served rows if there are fewer than m and than distinct rows.

    There are fewer only if rounding has made means of different rows equal.
    """
    centres = take(centres, distinct(centres, range(centres.shape[0]), m))
    if centres.shape[0] == m:
        return centres
    missing = len(distinct(data.points, range(data.points.shape[0]), m)) - centres.shape[0]
    if missing <= 0:
        return centres
    distances = to_host(assigned(data, centres, block).distances)
    order = [i for i in (-distances).argsort(kind="stable").tolist() if distances[i] > 0]
    return namespace(centres).concat([centres, take(data.points, distinct(data.points, order, missing))])


def zeros_of(values: Array) -> list[int]:
    """Where the values are 0."""
    return [i for i, value in enumerate(to_host(values).tolist()) if value == 0]


def places(where: Array) -> list[int]:
    """The indices of the True entries: (n,) booleans."""
    found: list[int] = to_host(where).nonzero()[0].tolist()
    return found


def _rounding(x: Array) -> float:
    return 4 * float(namespace(x).finfo(x.dtype).eps) * sqrt(x.shape[1])


def _squares(x: Array) -> Array:
    return namespace(x).vecdot(x, x)


def _beside(x: Array, weights: Host | None) -> Array | None:
    return None if weights is None else asarray_like(weights, x)

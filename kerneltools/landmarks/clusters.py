"""What the k-means rules share: nearest centres, sums over clusters, and rows for clusters without any."""

from math import frexp, sqrt

from kerneltools.arrays import Array, blocks, device_of, namespace
from kerneltools.backend import to_host
from kerneltools.landmarks.base import distinct, rows
from kerneltools.primitives import segment_sum


def in_range(x: Array) -> tuple[Array, float]:
    """x over a power of two, and that power: 1 unless squares of x would over- or underflow."""
    xp = namespace(x)
    greatest = max(float(xp.max(x)), -float(xp.min(x)))
    limit = float(xp.finfo(x.dtype).max) ** 0.25
    if greatest == 0 or 1 / limit <= greatest <= limit:
        return x, 1.0
    unit = 2.0 ** frexp(greatest)[1]
    return x / unit, unit


def nearest(x: Array, centres: Array, offsets: Array | None, block: int) -> tuple[Array, Array]:
    """The centre of greatest <x, z> - offset for each row, and that value: (n,), (n,)."""
    xp = namespace(x)
    index, greatest = [], []
    for part in blocks(x.shape[0], block):
        value = x[part, :] @ xp.matrix_transpose(centres)
        if offsets is not None:
            value = value - offsets
        index.append(xp.argmax(value, axis=1))
        greatest.append(xp.max(value, axis=1))
    return xp.concat(index), xp.concat(greatest)


def totals(x: Array, index: Array, count: int, block: int) -> Array:
    """The sum of each cluster's rows: (n, d), (n,) -> (count, d)."""
    total: Array = 0
    for part in blocks(x.shape[0], block):
        total = total + segment_sum(x[part, :], index[part], count)
    return total


def assigned(x: Array, centres: Array, block: int) -> tuple[Array, Array]:
    """The nearest centre of each row and its squared distance: (n,), (n,)."""
    xp = namespace(x)
    index, value = nearest(x, centres, xp.sum(centres * centres, axis=1) / 2, block)
    square = xp.sum(x * x, axis=1) - 2 * value
    return index, xp.maximum(square, xp.zeros_like(square))


def sizes(index: Array, count: int, like: Array) -> Array:
    """How many rows each cluster has: (n,) -> (count,)."""
    xp = namespace(like)
    ones = xp.ones((index.shape[0], 1), dtype=like.dtype, device=device_of(like))
    return segment_sum(ones, index, count)[:, 0]


def refilled(means: Array, empty: list[int], x: Array, badness: Array, exact: float) -> Array:
    """The means with those of empty clusters replaced by the worst-served rows, or left out if all are served."""
    if not empty:
        return means
    kept = sorted(set(range(means.shape[0])) - set(empty))
    worst = _worst_served(badness, exact, x, len(empty))
    return namespace(x).concat([rows(means, kept), rows(x, worst)]) if worst else rows(means, kept)


def _worst_served(badness: Array, exact: float, x: Array, count: int) -> list[int]:
    """At most `count` rows of greatest badness, all different, none already equal to a centre."""
    host = to_host(badness)
    order = [i for i in (-host).argsort(kind="stable").tolist()[: 64 * count] if host[i] > exact]
    return distinct(x, order, count) if order else []


def same_row(x: Array) -> float:
    """Rows that are no further apart, squared, may be equal: distances of equal rows are rounding errors."""
    xp = namespace(x)
    return 2 * rounding_of_products(x) * float(xp.max(xp.sum(x * x, axis=1)))


def rounding_of_products(x: Array) -> float:
    """The rounding error of an inner product of two rows of norm 1: that of a sum of d products."""
    return 4 * float(namespace(x).finfo(x.dtype).eps) * sqrt(x.shape[1])


def zeros_of(values: Array) -> list[int]:
    """Where the values are 0."""
    return [i for i, value in enumerate(to_host(values).tolist()) if value == 0]

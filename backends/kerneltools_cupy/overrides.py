"""Bodies that should be faster on CuPy than the generic ones: additions in place. Not measured."""

from collections.abc import Callable, Mapping
from typing import Any

import cupy
import cupyx

from kerneltools import primitives
from kerneltools.arrays import Array, blocks


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Added in place instead of a product with the membership matrix."""
    total = cupy.zeros((count, *values.shape[1:]), dtype=values.dtype)
    cupyx.scatter_add(total, segments, values)
    return total


def by_rows(x: Array, f: Callable[[Array], Array], block: int) -> Array:
    """Written into one array: no second copy of the result."""
    n = len(x)
    first = f(x[:block])
    if n <= block:
        return first
    if type(first) is not cupy.ndarray:  # the parameters of f may be traced where x is not
        return primitives.by_rows.generic(x, f, block)
    result = cupy.empty((n, *first.shape[1:]), dtype=first.dtype)
    result[:block] = first
    for rows in blocks(n - block, block):
        result[block:][rows] = f(x[block:][rows])
    return result


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.segment_sum: segment_sum,
}

"""Bodies that should be faster on CuPy than the generic ones: additions in place. Not measured."""

from collections.abc import Callable, Mapping
from typing import Any

import cupy
import cupyx

from kerneltools import primitives
from kerneltools.arrays import Array


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Added in place instead of a product with the membership matrix."""
    total = cupy.zeros((count, *values.shape[1:]), dtype=values.dtype)
    cupyx.scatter_add(total, segments, values)
    return total


def by_rows(x: Array, f: Callable[[Array], Array], block: int, *parts: Any) -> Array:
    """Written into one array, unless the parameters of f are traced, even if x is not."""
    return primitives.by_rows_into_one(x, f, block, lambda piece: type(piece) is cupy.ndarray)


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.segment_sum: segment_sum,
    primitives.owner_sum: segment_sum,
}

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


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.segment_sum: segment_sum,
}

"""Bodies that are faster on NumPy than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kerneltools import columns, pairwise, primitives
from kerneltools.arrays import Array
from kerneltools.primitives import Window, pad
from kerneltools_numpy.distances import difference_sums, scaled_distances


def extract_patches(x: Array, window: Window) -> Array:
    """One strided copy instead of one slice for each point of the window."""
    out = window.output_shape(x.shape[1:-1])
    padded = pad(x, ((0, 0), *window.padding, (0, 0)))
    n_stride, *grid, channel = padded.strides
    positions = [g * s for g, s in zip(grid, window.stride, strict=True)]
    points = [g * d for g, d in zip(grid, window.dilation, strict=True)]
    view = as_strided(
        padded,
        (x.shape[0], *out, *window.size, x.shape[-1]),
        (n_stride, *positions, *points, channel),
        writeable=False,
    )
    return np.ascontiguousarray(view).reshape(x.shape[0], *out, prod(window.size), x.shape[-1])


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Sums of sorted runs instead of a product with the membership matrix."""
    return _over_runs(np.add, values, segments, np.zeros((count, *values.shape[1:]), dtype=values.dtype))


def segment_max(values: Array, segments: Array, count: int) -> Array:
    """Maxima of sorted runs instead of comparisons against all segments."""
    lowest = np.full((count, *values.shape[1:]), -np.inf, dtype=values.dtype)
    return _over_runs(np.maximum, values, segments, lowest)


def _over_runs(reduction: np.ufunc, values: Array, segments: Array, initial: Array) -> Array:
    """`initial`, with the reduction of the rows that carry its number in each row that some do."""
    order = np.argsort(segments, kind="stable")
    present, starts = np.unique(segments[order], return_index=True)
    if present.size:
        initial[present] = reduction.reduceat(values[order], starts, axis=0)
    return initial


def exponential_response(inner: Array, scale: Array, alpha: Any) -> Array:
    """In place, in one array."""
    response = np.asarray(inner * (alpha * primitives.reciprocal(scale)))
    response -= np.asarray(alpha, dtype=response.dtype)
    np.exp(response, out=response)
    response *= scale
    return response


def by_rows(x: Array, f: Callable[[Array], Array], block: int) -> Array:
    """Written into one array, unless the parameters of f are traced, which x need not be."""
    return primitives.by_rows_into_one(x, f, block, lambda piece: type(piece) is np.ndarray)


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.extract_patches: extract_patches,
    primitives.segment_sum: segment_sum,
    pairwise.scaled_distances: scaled_distances,
    columns.square_sums.values: difference_sums,
    primitives.exponential_response: exponential_response,
    primitives.segment_max: segment_max,
}

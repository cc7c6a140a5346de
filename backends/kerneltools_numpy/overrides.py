"""Bodies that are faster on NumPy than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from kerneltools import columns, pairwise, patches, primitives
from kerneltools.arrays import Array, blocks
from kerneltools_numpy.cosines import cosine_features, cosines_and_sines
from kerneltools_numpy.distances import difference_sums, scaled_distances
from kerneltools_numpy.patches import extract_patches, patch_response
from kerneltools_numpy.threads import map_blocks


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Sums of sorted runs instead of a product with the membership matrix."""
    return _over_runs(np.add, values, segments, np.zeros((count, *values.shape[1:]), dtype=values.dtype))


def owner_sum(values: Array, owner: Array, count: int) -> Array:
    """A product with the sparse membership matrix; sums of sorted runs without SciPy, which is an extra."""
    sparse = _sparse()
    if sparse is None or values.dtype.kind != "f":
        return segment_sum(values, owner, count)
    n = len(values)
    members = sparse.csc_array((np.ones(n, dtype=values.dtype), owner, np.arange(n + 1)), shape=(count, n))
    return np.asarray(members @ values.reshape(n, prod(values.shape[1:]))).reshape(count, *values.shape[1:])


def row_maxima(values: Array) -> tuple[Array, Array]:
    """Maxima from their places, which NumPy finds several times as fast."""
    index = np.argmax(values, axis=1)
    return index, np.take_along_axis(values, index[:, None], axis=1)[:, 0]


@cache
def _sparse() -> Any:
    return import_module("scipy.sparse") if find_spec("scipy") else None


def segment_max(values: Array, segments: Array, count: int) -> Array:
    """Maxima of sorted runs instead of comparisons against all segments."""
    lowest = np.full((count, *values.shape[1:]), -np.inf, dtype=values.dtype)
    return _over_runs(np.maximum, values, segments, lowest)


def _over_runs(reduction: np.ufunc, values: Array, segments: Array, initial: Array) -> Array:
    """`initial`, with the reduction of its rows for each number that has some."""
    if not (segments[1:] >= segments[:-1]).all():
        order = np.argsort(segments, kind="stable")
        values, segments = values[order], segments[order]
    present, starts = np.unique(segments, return_index=True)
    if not present.size:
        return initial
    if reduction is np.add or values.size < SHORT_RUN * present.size:
        # Pairwise, for sums: run by run, digits would be lost.
        initial[present] = reduction.reduceat(values, starts, axis=0)
        return initial
    # Run by run: several times as fast as `reduceat`, which goes entry by entry.
    for number, start, end in zip(present.tolist(), starts.tolist(), [*starts[1:].tolist(), len(values)], strict=True):
        reduction.reduce(values[start:end], axis=0, out=initial[number, ...])
    return initial


SHORT_RUN = 64
"""The mean run length below which a call for each run costs more than it saves."""


def exponential_response(inner: Array, scale: Array, alpha: Any) -> Array:
    """In place, in one array."""
    response = np.asarray(inner * (alpha * primitives.reciprocal(scale)))
    response -= np.asarray(alpha, dtype=response.dtype)
    np.exp(response, out=response)
    response *= scale
    return response


def by_rows(x: Array, f: Callable[[Array], Array], block: int, *parts: Any) -> Array:
    """Written into one array by all threads, which have as many rows each."""
    n, pairs = len(x), -(-len(x) // (2 * block))
    if SHARED * n <= block:
        return f(x)
    lock, found = Lock(), list[Any]()

    def write(rows: slice) -> None:
        piece = f(x[rows])
        with lock:
            if not found:
                found.append(np.empty((n, *piece.shape[1:]), dtype=piece.dtype))
        found[0][rows] = piece

    for _ in primitives.map_blocks(write, blocks(n, -(-n // (2 * pairs))), x, *parts):
        pass
    return found[0]


SHARED = 4
"""A block of so many times fewer rows is not worth a second thread."""


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.cosine_features: cosine_features,
    primitives.cosines_and_sines: cosines_and_sines,
    primitives.extract_patches: extract_patches,
    primitives.map_blocks: map_blocks,
    patches.responses.patch_response: patch_response,
    primitives.segment_sum: segment_sum,
    primitives.owner_sum: owner_sum,
    primitives.row_maxima: row_maxima,
    pairwise.scaled_distances: scaled_distances,
    columns.square_sums.values: difference_sums,
    primitives.exponential_response: exponential_response,
    primitives.segment_max: segment_max,
}

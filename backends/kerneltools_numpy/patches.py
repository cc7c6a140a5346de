"""Patches of grids as views, and their kernel values, computed a few images at a time in arrays that stay in cache."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kerneltools.arrays import Array, blocks
from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import responses
from kerneltools.primitives import Window, pad, reciprocal, window_sum


def extract_patches(x: Array, window: Window) -> Array:
    """One strided copy instead of one slice for each point of the window."""
    views = patch_views(x, window)
    shape = (*window.output_shape(x.shape[1:-1]), prod(window.size), x.shape[-1])
    return np.ascontiguousarray(views).reshape(x.shape[0], *shape)


def patch_views(x: Array, window: Window) -> Array:
    """All patches, without a copy: (n, *grid, c) -> (n, *positions, *size, c)"""
    out = window.output_shape(x.shape[1:-1])
    padded = pad(x, ((0, 0), *window.padding, (0, 0)))
    n_stride, *grid, channel = padded.strides
    positions = [g * s for g, s in zip(grid, window.stride, strict=True)]
    points = [g * d for g, d in zip(grid, window.dilation, strict=True)]
    shape = (x.shape[0], *out, *window.size, x.shape[-1])
    return as_strided(padded, shape, (n_stride, *positions, *points, channel), writeable=False)


def patch_response(x: Array, filters: Array, kernel: Kernel, window: Window, products: str | None = None) -> Array:
    """In place for the exponential of homogeneous kernels, block by block, with the patches of one block at a time."""
    alpha = _alpha(kernel)
    if alpha is None or products is not None or x.dtype != filters.dtype or not x.size * filters.size:
        return responses.patch_response.generic(x, filters, kernel, window, products)
    views, m = patch_views(x, window), len(filters)
    norms = np.sqrt(window_sum(np.einsum("...c,...c->...", x, x), window))[..., None]
    slopes = alpha * reciprocal(norms)
    shift = x.dtype.type(alpha)
    columns = filters.reshape(m, -1).T
    response = np.empty((*norms.shape[:-1], m), dtype=x.dtype)
    for block in _blocks(response.shape):
        rows = np.ascontiguousarray(views[block]).reshape(-1, len(columns))
        part = response[block]
        np.matmul(rows, columns, out=part.reshape(-1, m))  # a view: the block is contiguous
        part *= slopes[block]
        part -= shift
        np.exp(part, out=part)
        part *= norms[block]
    return response


CACHED_NUMBERS = 2**17
"""Numbers of a block that stay in a core's second-level cache: 512 KiB of float32."""


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Blocks of images, or of rows of one image if that is too large: slices of the first two axes."""
    n, lines, *rest = shape
    one = max(1, prod(rest))
    few = max(1, CACHED_NUMBERS // (one * lines))
    high = lines if few > 1 else max(1, min(lines, CACHED_NUMBERS // one))
    for images in blocks(n, few):
        for rows in blocks(lines, high):
            yield images, rows


def _alpha(kernel: Kernel) -> float | None:
    """α of |p| exp(α (u - 1)); None for other kernels."""
    profile = kernel.profile if isinstance(kernel, Homogeneous) else None
    if isinstance(profile, Exponential) and isinstance(profile.sigma, int | float):
        return 1 / profile.sigma**2
    return None

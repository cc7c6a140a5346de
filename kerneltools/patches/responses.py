"""Kernel values of patches."""

from collections.abc import Callable
from math import prod

from kerneltools.arrays import Array, namespace, safe_sqrt
from kerneltools.kernels.base import Kernel, row_norms
from kerneltools.primitives import Window, patch_gram, primitive, window_sum


@primitive
def patch_response(x: Array, filters: Array, kernel: Kernel, window: Window, products: str | None = None) -> Array:
    """Kernel values of all patches with filters, for a kernel that is a function of inner products.

    (n, *grid, c), (m, points, c) -> (n, *positions, m)

    `products` as for `patch_gram`. The filters of a homogeneous kernel must have norm 1.
    """
    inner, square = patch_gram(x, filters, window, products)
    return kernel.from_inner(inner, safe_sqrt(square)[..., None], _filter_norms(filters, kernel))


@primitive
def pooled_response(
    x: Array,
    filters: Array,
    kernel: Kernel,
    window: Window,
    pool: Callable[[Array], Array],
    products: str | None = None,
) -> Array:
    """`patch_response`, pooled, such as by a `pooling.Gaussian`.

    (n, *grid, c), (m, points, c) -> (n, *positions, m)
    """
    return pool(patch_response(x, filters, kernel, window, products))


def _filter_norms(filters: Array, kernel: Kernel) -> Array | float:
    """The norms of filters, 1 for homogeneous kernels: (m, points, c) -> (m,)."""
    if kernel.homogeneous:
        return 1.0
    return row_norms(namespace(filters).reshape(filters, (filters.shape[0], prod(filters.shape[1:]))))


def patch_norms(x: Array, window: Window) -> Array:
    """The norms of all patches: (n, *grid, c) -> (n, *positions)."""
    return safe_sqrt(window_sum(namespace(x).sum(x * x, axis=-1), window))

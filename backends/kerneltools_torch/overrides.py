"""Bodies that are faster on torch than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from kerneltools import linalg, pairwise, patches, pooling, primitives
from kerneltools.arrays import Array
from kerneltools.primitives import Window
from kerneltools_torch import convolutions, iterations
from kerneltools_torch.gradients import custom_vjp, custom_vjp_keeping, is_transformed
from kerneltools_torch.responses import Patches, patch_response, pooled_response


def patch_gram(x: Array, filters: Array, window: Window, products: str | None = None) -> tuple[Array, Array]:
    """A convolution, without patches in memory, for short products and wherever else it is faster."""
    if products is None and not convolutions.pays(x, filters):
        whole: tuple[Array, Array] = primitives.patch_gram.generic(x, filters, window)
        return whole
    shaped = filters.reshape(filters.shape[0], *window.size, filters.shape[-1])
    return Patches(window, products).inner(x, shaped), convolutions.box_sums(_squares(x), window)


# torch's own gradient of a product with itself takes three passes over memory.
_squares = custom_vjp(lambda x: torch.linalg.vecdot(x, x), lambda g, y, x: (x * (2 * g)[..., None],))


def mix_channels(x: Array, matrix: Array) -> Array:
    """By torch's convolution, which on some processors is faster than its matrix product, for images on the host."""
    if (x.ndim, matrix.ndim) != (4, 2) or not convolutions.pays(x, matrix):
        return primitives.mix_channels.generic(x, matrix)
    return convolutions.convolve(x, matrix.mT[:, None, None, :], POINT)


POINT = Window((1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1))


def smoothed(x: Array, pool: pooling.Gaussian) -> Array:
    """One pass for both axes instead of a product for each, for images on the host."""
    if not convolutions.smooths(x, pool.subsampling):
        return pooling.smoothed.generic(x, pool)
    return convolutions.smooth(x, pool.weights, pool.subsampling)


def exponential_response(inner: Array, scale: Array, alpha: Any) -> Array:
    """In place, in one array, with the gradient from its value."""
    if isinstance(alpha, torch.Tensor):
        return _exponential_of_alpha(inner, scale, alpha)
    # Numbers are no tensors, which a rule's arguments must be.
    return custom_vjp(
        lambda inner, scale: _exponential(inner, scale, alpha),
        lambda g, y, inner, scale: primitives.exponential_response_pull(g, y, inner, scale, alpha)[:2],
    )(inner, scale)


def _exponential(inner: torch.Tensor, scale: torch.Tensor, alpha: Any) -> torch.Tensor:
    response: torch.Tensor = inner * (alpha * primitives.reciprocal(scale))
    return response.sub_(alpha).exp_().mul_(scale)


_exponential_of_alpha = custom_vjp(_exponential, primitives.exponential_response_pull)


def sign(x: Array) -> Array:
    """Without the mask of array-api-compat, which torch.func.vmap does not follow."""
    return torch.where(torch.isnan(x), x, torch.sign(x))


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Added in place instead of a product with the membership matrix."""
    return values.new_zeros((count, *values.shape[1:])).index_add(0, segments, values)


def row_maxima(values: Array) -> tuple[Array, Array]:
    """Both from one pass."""
    found, index = values.max(dim=1)
    return index, found


def segment_max(values: Array, segments: Array, count: int) -> Array:
    """Compared in place instead of against all segments."""
    lowest = values.new_full((count, *values.shape[1:]), -float("inf"))
    return lowest.scatter_reduce(0, segments[:, None].expand_as(values), values, "amax")


def solve_triangular(factor: Array, rhs: Array) -> Array:
    """Substitution instead of a factorisation."""
    return torch.linalg.solve_triangular(factor, rhs, upper=False)


def inverse_root(definite: Array) -> Array:
    """By products on CUDA, where eigendecompositions are slow."""
    found = iterations.inverse_root(definite) if _iterates(definite) else None
    return linalg.inverse_root.generic(definite) if found is None else found


def inverse_sqrt_of_definite(definite: Array) -> Array:
    """On the host the gradient uses the eigenvectors from the root, unless it is itself differentiated."""
    if is_transformed(definite) or _iterates(definite):
        return linalg.inverse_sqrt_of_definite.generic(definite)
    return _with_eigenvectors(definite)


def _root_and_spectrum(definite: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The root; the eigenvectors with the root's eigenvalues as a last row."""
    eigenvalues, vectors = torch.linalg.eigh(definite)
    roots = eigenvalues.rsqrt()[..., None, :]
    return (vectors * roots) @ vectors.mT, torch.cat([vectors, roots], -2)


def _pull_root(
    cotangent: torch.Tensor, of_kept: None, root: torch.Tensor, kept: torch.Tensor, definite: torch.Tensor
) -> tuple[Array | None, ...]:
    if torch.is_grad_enabled():  # derivatives of eigenvectors do not exist everywhere
        return linalg.pull_inverse_sqrt(cotangent, root, definite)
    vectors, roots = kept[..., :-1, :], kept[..., -1, :]
    products = roots[..., :, None] * roots[..., None, :]
    slopes = products * products / (roots[..., :, None] + roots[..., None, :])
    symmetric = (cotangent + cotangent.mT) / 2
    return (vectors @ ((vectors.mT @ symmetric @ vectors) * -slopes) @ vectors.mT,)


_with_eigenvectors = custom_vjp_keeping(_root_and_spectrum, _pull_root)


def lyapunov_solution(root: Array, rhs: Array) -> Array:
    """By products on CUDA, where eigendecompositions are slow."""
    found = iterations.lyapunov_solution(root, rhs) if _iterates(root) else None
    return linalg.lyapunov_solution.generic(root, rhs) if found is None else found


def _iterates(matrix: torch.Tensor) -> bool:
    return matrix.device.type == "cuda" and matrix.dtype == torch.float64


def by_rows(x: Array, f: Callable[[Array], Array], block: int, *parts: Any) -> Array:
    """Written into one tensor, if no gradient is recorded."""
    return f(x) if torch.compiler.is_compiling() else primitives.by_rows_into_one(x, f, block, _writable)


def _writable(piece: Array) -> bool:
    # What transforms put in place of tensors cannot be written into others.
    return type(piece) is torch.Tensor and not piece.requires_grad and not is_transformed(piece)


def _scaled_distances(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    square: torch.Tensor
    if torch.compiler.is_compiling():
        square = _compiled_distances(x, y, scale)
    # Under vmap a tensor has no numbers of its own.
    elif x.device.type != "cpu" or y.device.type != "cpu" or is_transformed(x, y, scale):
        square = pairwise.scaled_distances.generic(x, y, scale)
    else:
        square = torch.from_numpy(pairwise.scaled_distances(*(array.detach().numpy() for array in (x, y, scale))))
    return square


@torch.library.custom_op("kerneltools::scaled_distances", mutates_args=())
def _compiled_distances(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """A call that a compiled program makes: the numbers decide which way is right."""
    return _scaled_distances(x, y, scale)


@_compiled_distances.register_fake
def _shape_of_distances(x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), scale.dtype)
    return x.new_empty((x.shape[0], y.shape[0]), dtype=dtype)


scaled_distances = custom_vjp(_scaled_distances, pairwise.pull_scaled_distances)
"""On the host, the body for NumPy, whose arrays share their memory with torch's."""


def weighted_differences(
    cotangent: torch.Tensor, x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor
) -> tuple[Array, ...]:
    """Like `scaled_distances`: a compiled program makes a call, since the numbers decide which way is right."""
    body = _compiled_differences if torch.compiler.is_compiling() else pairwise.weighted_differences.generic
    found: tuple[Array, ...] = body(cotangent, x, y, scale)
    return found


@torch.library.custom_op("kerneltools::weighted_differences", mutates_args=())
def _compiled_differences(
    cotangent: torch.Tensor, x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    of_x, of_y, of_scale = pairwise.weighted_differences.generic(cotangent, x, y, scale)
    return of_x, of_y, of_scale


@_compiled_differences.register_fake
def _shapes_of_differences(
    cotangent: torch.Tensor, x: torch.Tensor, y: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    del cotangent
    return torch.empty_like(x), torch.empty_like(y), torch.empty_like(scale)


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.patch_gram: patch_gram,
    primitives.mix_channels: mix_channels,
    pooling.smoothed: smoothed,
    patches.responses.patch_response: patch_response,
    patches.responses.pooled_response: pooled_response,
    primitives.exponential_response: exponential_response,
    primitives.sign: sign,
    primitives.segment_sum: segment_sum,
    primitives.owner_sum: segment_sum,
    primitives.row_maxima: row_maxima,
    pairwise.scaled_distances: scaled_distances,
    pairwise.weighted_differences: weighted_differences,
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
    linalg.inverse_root: inverse_root,
    linalg.inverse_sqrt_of_definite: inverse_sqrt_of_definite,
    linalg.lyapunov_solution: lyapunov_solution,
}

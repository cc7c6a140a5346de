"""Bodies that are faster on torch than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from kerneltools import linalg, pairwise, primitives
from kerneltools.arrays import Array
from kerneltools.primitives import Window
from kerneltools_torch import iterations
from kerneltools_torch.gradients import custom_vjp

CONVOLUTIONS: tuple[Callable[..., torch.Tensor], ...] = (functional.conv1d, functional.conv2d, functional.conv3d)


def patch_gram(x: Array, filters: Array, window: Window, products: str | None = None) -> tuple[Array, Array]:
    """A convolution, without patches in memory, for short products, and for float32 on the host.

    In float64 torch's convolution is no faster than patches and a product; on CUDA it would round float32 to
    TF32, which a product does not.
    """
    if products is not None:
        narrow = primitives.short_dtype(torch, products)
        shaped = filters.reshape(filters.shape[0], *window.size, filters.shape[-1])
        inner = _convolve(x.to(narrow), shaped.to(narrow), window).to(x.dtype)
        return inner, _box_sums(_squares(x), window)
    if x.dtype != torch.float32 or x.device.type != "cpu":
        whole: tuple[Array, Array] = primitives.patch_gram.generic(x, filters, window)
        return whole
    shaped = filters.reshape(filters.shape[0], *window.size, filters.shape[-1])
    return _convolve(x, shaped, window), _box_sums(_squares(x), window)


# torch's own gradient of a product with itself takes three passes over memory.
_squares = custom_vjp(lambda x: torch.linalg.vecdot(x, x), lambda g, y, x: (x * (2 * g)[..., None],))


def _convolve(x: torch.Tensor, filters: torch.Tensor, window: Window) -> torch.Tensor:
    """(n, *grid, c), (m, *size, c) -> (n, *positions, m); torch has channels first, so these are views."""
    padding = [before for before, _ in window.padding]
    if any(before != after for before, after in window.padding):
        x, padding = functional.pad(x, [0, 0, *_widths(window)]), [0] * len(padding)
    found = CONVOLUTIONS[len(padding) - 1](
        x.movedim(-1, 1), filters.movedim(-1, 1), None, window.stride, padding, window.dilation
    )
    return found.movedim(1, -1)


def _box_sums(x: torch.Tensor, window: Window) -> torch.Tensor:
    """The sum over the window, one axis after the other: (n, *grid) -> (n, *positions)."""
    x = functional.pad(x, _widths(window))
    for axis, (size, stride, dilation) in enumerate(zip(window.size, window.stride, window.dilation, strict=True), 1):
        x = x.unfold(axis, (size - 1) * dilation + 1, stride)[..., ::dilation].sum(-1)
    return x


def _widths(window: Window) -> list[int]:
    """The padding as torch wants it: the last axis first."""
    return [width for before_after in reversed(window.padding) for width in before_after]


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


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """Added in place instead of a product with the membership matrix."""
    return values.new_zeros((count, *values.shape[1:])).index_add(0, segments, values)


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


def lyapunov_solution(root: Array, rhs: Array) -> Array:
    """By products on CUDA, where eigendecompositions are slow."""
    found = iterations.lyapunov_solution(root, rhs) if _iterates(root) else None
    return linalg.lyapunov_solution.generic(root, rhs) if found is None else found


def _iterates(matrix: torch.Tensor) -> bool:
    return matrix.device.type == "cuda" and matrix.dtype == torch.float64


def by_rows(x: Array, f: Callable[[Array], Array], block: int) -> Array:
    """Written into one tensor, where no gradient is recorded."""
    return f(x) if torch.compiler.is_compiling() else primitives.by_rows_into_one(x, f, block, _writable)


def _writable(piece: Array) -> bool:
    # Transforms (torch.func) wrap their tensors, and those cannot be written into others.
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return type(piece) is torch.Tensor and not piece.requires_grad and not wrapped(piece)


def _centred_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if x.device.type == "cpu" and y.device.type == "cpu" and not torch.compiler.is_compiling():
        try:
            return torch.from_numpy(pairwise.centred_distances(x.detach().numpy(), y.detach().numpy()))
        except RuntimeError:  # under vmap a tensor has no numbers of its own
            pass
    whole: torch.Tensor = pairwise.centred_distances.generic(x, y)
    return whole


centred_distances = custom_vjp(_centred_distances, pairwise.pull_distances)
"""On the host by the body for NumPy, whose arrays share their memory with torch's."""


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.patch_gram: patch_gram,
    primitives.exponential_response: exponential_response,
    primitives.segment_sum: segment_sum,
    pairwise.centred_distances: centred_distances,
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
    linalg.inverse_root: inverse_root,
    linalg.lyapunov_solution: lyapunov_solution,
}

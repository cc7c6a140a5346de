"""Kernel values of patches, computed in the array that a convolution returns.

A new array costs many passes over an existing one, so the arithmetic is done in place and the gradients are written by
hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, prod
from typing import Any

import torch

from kerneltools.arrays import Array, blocks, safe_sqrt
from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches import responses
from kerneltools.pooling import Gaussian
from kerneltools.primitives import Window, by_rows_into_one, reciprocal, short_dtype
from kerneltools_torch.convolutions import (
    box_sums,
    convolve,
    pays,
    pull_box_sums,
    pull_convolution,
    pull_smooth,
    smooth,
    smooths,
)
from kerneltools_torch.gradients import SavingRule, custom_vjp_keeping, is_transformed

Tensor = torch.Tensor
Gradients = tuple[Tensor | None, Tensor]


def patch_response(x: Array, filters: Array, kernel: Kernel, window: Window, products: str | None = None) -> Array:
    """In place for homogeneous kernels of exponential and power profiles, if a convolution is faster."""
    chosen = _in_place(kernel, Patches(window, products))
    if chosen is None or is_transformed(x, filters) or not (products or pays(x, filters)):
        return responses.patch_response.generic(x, filters, kernel, window, products)
    shaped = filters.reshape(filters.shape[0], *window.size, filters.shape[-1])
    return custom_vjp_keeping(chosen.forward, chosen.backward)(x, shaped)


def pooled_response(
    x: Array,
    filters: Array,
    kernel: Kernel,
    window: Window,
    pool: Callable[[Array], Array],
    products: str | None = None,
) -> Array:
    """Some images at a time where a gradient is recorded in the filters alone: no array is as large as all values.

    The C library maps arrays above 32 MB each on its own, and fresh pages cost more than the arithmetic in them.
    """
    in_blocks = _in_blocks(x, filters, _in_place(kernel, Patches(window, products)), window, pool)
    if in_blocks is None:
        return responses.pooled_response.generic(x, filters, kernel, window, pool, products)
    apply: Callable[..., Array] = SavingRule.apply
    return apply(in_blocks, x, filters.reshape(filters.shape[0], *window.size, filters.shape[-1]))


BLOCK = 2**20
"""Kernel values of a block (4 MiB of float32)."""


@dataclass(frozen=True)
class Patches:
    """The parts of a response: the patches' inner products with filters and their norms.

    `products`: the name of the type in which they are multiplied, None for that of the arrays.
    """

    window: Window
    products: str | None = None

    def inner(self, x: Tensor, filters: Tensor) -> Tensor:
        """(n, *grid, c), (m, *size, c) -> (n, *positions, m), an array of its own"""
        return convolve(self._short(x), self._short(filters), self.window).to(x.dtype)

    def norms(self, x: Tensor) -> Tensor:
        """(n, *grid, c) -> (n, *positions, 1)"""
        norms: Tensor = safe_sqrt(box_sums(torch.linalg.vector_norm(x, dim=-1).square(), self.window))
        return norms[..., None]

    def pull(
        self, of_inner: Tensor, of_norms: Tensor | None, inverse_norms: Tensor, x: Tensor, filters: Tensor
    ) -> Gradients:
        """The gradients in x, if one in the norms is given, and in the filters."""
        in_x, in_filters = pull_convolution(
            self._short(of_inner), self._short(x), self._short(filters), self.window, of_norms is not None
        )
        if in_x is not None and of_norms is not None:
            of_squares = pull_box_sums((of_norms * inverse_norms)[..., 0], self.window, tuple(x.shape[1:-1]))
            in_x = in_x.to(x.dtype).addcmul_(x, of_squares[..., None])
        return in_x, in_filters.to(filters.dtype)

    def _short(self, x: Tensor) -> Tensor:
        return x if self.products is None else x.to(short_dtype(torch, self.products))


@dataclass(frozen=True)
class InPlaceExponential:
    """|p| exp(α (<p, z> / |p| - 1)) for patches p and filters z of norm 1; its gradient needs only its value."""

    patches: Patches
    alpha: float

    def forward(self, x: Tensor, filters: Tensor) -> tuple[Tensor, None]:
        """The response."""
        # torch's powers of 2 take half the time of its exponentials.
        norms, doublings = self.patches.norms(x), self.alpha / log(2)
        inner = self.patches.inner(x, filters)
        return inner.mul_(doublings * reciprocal(norms)).sub_(doublings).exp2_().mul_(norms), None

    def backward(
        self, cotangent: Tensor, of_kept: None, response: Tensor, kept: Tensor | None, x: Tensor, filters: Tensor
    ) -> Gradients:
        """The gradients in x, if it requires one, and in the filters."""
        inverse = reciprocal(self.patches.norms(x))
        of_inner = (cotangent * response).mul_(self.alpha * inverse)
        of_norms = None
        if x.requires_grad:
            # α (u - 1), where the response has not become 0; there nothing of it counts.
            exponent = (response * inverse).clamp_min_(torch.finfo(response.dtype).tiny).log_()
            weighted = torch.linalg.vecdot(exponent, of_inner)[..., None]
            of_norms = ((1 - self.alpha) * of_inner.sum(-1, keepdim=True) - weighted) / self.alpha
        return self.patches.pull(of_inner, of_norms, inverse, x, filters)


@dataclass(frozen=True)
class InPlacePower:
    """|p| (<p, z> / |p|)^degree, degree >= 2; the inner products are kept, since their signs may be lost."""

    patches: Patches
    degree: int

    def forward(self, x: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
        """The response and the inner products."""
        inner = self.patches.inner(x, filters)
        return _power(inner * reciprocal(self.patches.norms(x)), self.degree - 1).mul_(inner), inner

    def backward(
        self, cotangent: Tensor, of_kept: Tensor | None, response: Tensor, kept: Tensor, x: Tensor, filters: Tensor
    ) -> Gradients:
        """The gradients in x, if it requires one, and in the filters."""
        inner, inverse = kept, reciprocal(self.patches.norms(x))
        of_inner = (cotangent * inner).mul_(self.degree * inverse)
        if self.degree > 2:
            of_inner = of_inner.mul_(_power(inner * inverse, self.degree - 2))
        of_norms = None
        if x.requires_grad:
            of_norms = (1 / self.degree - 1) * torch.linalg.vecdot(of_inner, inner)[..., None] * inverse
        return self.patches.pull(of_inner if of_kept is None else of_inner + of_kept, of_norms, inverse, x, filters)


InPlace = InPlaceExponential | InPlacePower


@dataclass(frozen=True)
class PooledInBlocks:
    """A response and its pool, of so many images at a time."""

    response: InPlace
    pool: Gaussian
    images: int

    def forward(self, x: Tensor, filters: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The pooled response, and of each block what the response's gradient needs."""
        saved: list[Tensor] = []

        def of_block(some: Tensor) -> Tensor:
            value, kept = self.response.forward(some, filters)
            saved.append(value if kept is None else kept)
            return self._smooth(value)

        return by_rows_into_one(x, of_block, self.images, lambda piece: True), saved

    def backward(self, cotangent: Tensor, saved: Sequence[Tensor], x: Tensor, filters: Tensor) -> Tensor:
        """The gradient in the filters."""
        parts = [
            self.response.backward(self._pull(cotangent[rows], kept), None, kept, kept, x[rows], filters)[1]
            for rows, kept in zip(blocks(x.shape[0], self.images), saved, strict=True)
        ]
        return sum(parts[1:], start=parts[0])

    def plain(self, x: Tensor, filters: Tensor) -> Tensor:
        """The pooled response, of all images at once."""
        return self._smooth(custom_vjp_keeping(self.response.forward, self.response.backward)(x, filters))

    def _smooth(self, response: Tensor) -> Tensor:
        return smooth(response, self.pool.weights, self.pool.subsampling)

    def _pull(self, cotangent: Tensor, response: Tensor) -> Tensor:
        return pull_smooth(cotangent, response, self.pool.weights, self.pool.subsampling)


def _in_blocks(
    x: Tensor, filters: Tensor, response: InPlace | None, window: Window, pool: Any
) -> PooledInBlocks | None:
    """For several blocks of images on the host that need no gradient, beside filters that do."""
    if response is None or not isinstance(pool, Gaussian) or is_transformed(x, filters):
        return None
    recorded = torch.is_grad_enabled() and filters.requires_grad and not x.requires_grad
    if not (recorded and pays(x, filters) and pool.subsampling > 1 and smooths(x, pool.subsampling)):
        return None
    values = prod(window.output_shape(tuple(x.shape[1:-1]))) * filters.shape[0]
    images = max(1, BLOCK // max(1, values))
    return PooledInBlocks(response, pool, images) if images < x.shape[0] else None


def _power(cosine: Tensor, exponent: int) -> Tensor:
    return cosine if exponent == 1 else cosine**exponent


def _in_place(kernel: Kernel, patches: Patches) -> InPlace | None:
    profile = kernel.profile if isinstance(kernel, Homogeneous) else None
    if isinstance(profile, Exponential) and isinstance(profile.sigma, int | float):
        return InPlaceExponential(patches, 1 / profile.sigma**2)
    if isinstance(profile, Power) and profile.degree > 1:
        return InPlacePower(patches, profile.degree)
    return None

"""Kernel values of patches, computed in the array that a convolution returns.

A new array costs many passes over an existing one, so the arithmetic is done in place and the gradients are written by
hand.
"""

from dataclasses import dataclass
from math import log

import torch

from kerneltools.arrays import Array, safe_sqrt
from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches import responses
from kerneltools.primitives import Window, reciprocal, short_dtype
from kerneltools_torch.convolutions import box_sums, convolve, pays, pull_box_sums, pull_convolution
from kerneltools_torch.gradients import custom_vjp_keeping, is_transformed

Tensor = torch.Tensor
Gradients = tuple[Tensor | None, Tensor]


def patch_response(x: Array, filters: Array, kernel: Kernel, window: Window, products: str | None = None) -> Array:
    """In place for homogeneous kernels of exponential and power profiles, if a convolution is faster."""
    chosen = _in_place(kernel, Patches(window, products))
    if chosen is None or is_transformed(x, filters) or not (products or pays(x, filters)):
        return responses.patch_response.generic(x, filters, kernel, window, products)
    shaped = filters.reshape(filters.shape[0], *window.size, filters.shape[-1])
    return custom_vjp_keeping(chosen.forward, chosen.backward)(x, shaped)


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
        self, cotangent: Tensor, of_kept: None, response: Tensor, kept: None, x: Tensor, filters: Tensor
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


def _power(cosine: Tensor, exponent: int) -> Tensor:
    return cosine if exponent == 1 else cosine**exponent


def _in_place(kernel: Kernel, patches: Patches) -> InPlaceExponential | InPlacePower | None:
    profile = kernel.profile if isinstance(kernel, Homogeneous) else None
    if isinstance(profile, Exponential) and isinstance(profile.sigma, int | float):
        return InPlaceExponential(patches, 1 / profile.sigma**2)
    if isinstance(profile, Power) and profile.degree > 1:
        return InPlacePower(patches, profile.degree)
    return None

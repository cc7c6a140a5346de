"""Convolutional kernel networks as one would write them in PyTorch, from the formulas: what ours are measured beside.

A layer is |p| κ(z'p / |p|), a convolution, a division and an exponential or a square; Gaussian pooling, a convolution
of each channel with stride; and the product with (κ(z'z) + ε)^(-1/2). Channels first, batches of 128, nothing in
place, autograd through the eigendecomposition.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = 128


@dataclass(frozen=True, eq=False)
class PlainLayer:
    """`filters` (m, c, p, p) of norm 1; `alpha` of exp(α (u - 1)), or None for u²; `step` of the pooling."""

    filters: Any
    alpha: float | None
    step: int
    epsilon: float = 1e-2

    def profile(self, u: Any) -> Any:
        """κ(u)"""
        return u**2 if self.alpha is None else (self.alpha * (u - 1)).exp()

    def root(self) -> Any:
        """(κ(z'z) + ε)^(-1/2): (m, m)"""
        import torch

        z = self.filters.flatten(1)
        values, vectors = torch.linalg.eigh(self.profile(z @ z.T) + self.epsilon * torch.eye(len(z)).to(z))
        return vectors @ torch.diag(values.clamp(min=self.epsilon / 10).rsqrt()) @ vectors.T

    def maps(self, x: Any, root: Any) -> Any:
        """(n, c, h, w) -> (n, m, h', w')"""
        import torch
        from torch.nn.functional import conv2d

        side = self.filters.shape[-1]
        ones = torch.ones(1, x.shape[1], side, side, device=x.device)
        norms = conv2d(x**2, ones, padding=side // 2).clamp(min=1e-6).sqrt()
        y = norms * self.profile(conv2d(x, self.filters, padding=side // 2) / norms)
        if self.step > 1:
            y = conv2d(y, self._gaussian(y), stride=self.step, padding=self.step, groups=y.shape[1])
        n, m, h, w = y.shape
        return torch.bmm(root.expand(n, m, m), y.flatten(2)).view(n, m, h, w)

    def _gaussian(self, y: Any) -> Any:
        import torch

        t = torch.arange(-self.step, self.step + 1, device=y.device, dtype=y.dtype)
        weights = (-(t**2) / self.step**2).exp()
        weights = torch.outer(weights, weights)
        return (weights / weights.sum()).expand(y.shape[1], 1, -1, -1)


def layers_of(network: Any) -> list[PlainLayer]:
    """The same layers as those of a `ckn.Network` of images on PyTorch."""
    return [
        PlainLayer(
            layer.filters.movedim(-1, 1).contiguous(),
            1 / float(profile.sigma) ** 2 if hasattr(profile := layer.kernel.profile, "sigma") else None,
            layer.subsampling,
            layer.reg,
        )
        for layer in network.bare_layers
    ]


def encoder(layers: Sequence[PlainLayer], images: Any, batch: int = BATCH) -> Callable[[], Any]:
    """The features of images (n, h, w, c), those of a batch at a time: (n, h' w' m), the channels first."""
    import torch

    x = images.movedim(-1, 1).contiguous()
    with torch.no_grad():
        roots = [layer.root() for layer in layers]

    def encode() -> Any:
        with torch.no_grad():
            return torch.cat(list(pieces()))

    def pieces() -> Iterator[Any]:
        for block in x.split(batch):
            for layer, root in zip(layers, roots, strict=True):
                block = layer.maps(block, root)
            yield block.flatten(1)

    return encode


def stepper(layers: Sequence[PlainLayer], images: Any, labels: Any, rate: float = 1e-3) -> Callable[[], Any]:
    """One step of a training with labels: features, squared hinge, gradients by autograd, SGD with momentum, norms 1.

    `images` (n, h, w, c), `labels` (n,) from 0 to 9; returns the loss.
    """
    import torch
    from torch.nn.functional import normalize, one_hot

    x = images.movedim(-1, 1).contiguous()
    targets = 2.0 * one_hot(labels, 10) - 1
    filters = [torch.nn.Parameter(layer.filters.clone()) for layer in layers]
    moving = [PlainLayer(z, layer.alpha, layer.step, layer.epsilon) for z, layer in zip(filters, layers, strict=True)]
    columns = encoder(layers, images[:1])().shape[1]
    head = torch.nn.Linear(columns, 10).to(x.device)
    optimiser = torch.optim.SGD([*filters, *head.parameters()], lr=rate, momentum=0.9)

    def step() -> Any:
        optimiser.zero_grad()
        block = x
        for layer in moving:
            block = layer.maps(block, layer.root())
        loss = (1 - targets * head(block.flatten(1))).clamp(min=0).square().sum(1).mean() / 2
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for z in filters:
                z.copy_(normalize(z.flatten(1)).view_as(z))
        return loss.detach()

    return step


def network(name: str, like: Any, seed: int = 0) -> Any:
    """The named `ckn` architecture for images of three channels, with random filters of norm 1, on the library of
    `like`."""
    import ckn
    from kerneltools.arrays import asarray_like

    rng, channels, made = np.random.default_rng(seed), 3, []
    for spec in ckn.architectures[name].grids:
        z = rng.standard_normal((spec.filters, spec.patch, spec.patch, channels))
        z /= np.sqrt((z**2).sum(axis=(1, 2, 3), keepdims=True))
        z = asarray_like(z.astype(np.float32), like)
        made.append(ckn.Layer(z, spec.kernel, spec.subsampling, spec.padding, spec.reg, spec.dilation))
        channels = spec.filters
    return ckn.Network(tuple(made))


def images(n: int, side: int = 32, seed: int = 1) -> Any:
    """Random ones, in float32: (n, side, side, 3)"""
    return np.random.default_rng(seed).standard_normal((n, side, side, 3), dtype=np.float32)

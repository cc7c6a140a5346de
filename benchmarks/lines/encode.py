"""Encoding images with `unsup-64-256`, beside layers in plain PyTorch, and beside its matrix products alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import TORCH, AtLeast, AtMost, Line, Rate, Seconds, plain_torch

IMAGES, ARCHITECTURE = 512, "unsup-64-256"
AT_ONCE = 16


def ours(library: str, device: str | None = None, n: int = IMAGES) -> Callable[[], Any]:
    """`Network.encode`."""
    import kerneltools

    backend = kerneltools.backend(library)
    x = backend.asarray(plain_torch.images(n), device=device)
    network = plain_torch.network(ARCHITECTURE, x).prepare()

    def encode() -> Any:
        features = network.encode(x)
        backend.synchronize(features)
        return features

    return encode


def plain(device: str = "cpu", n: int = IMAGES) -> Callable[[], Any]:
    """The same features, in the order of channels first."""
    import torch

    x = torch.from_numpy(plain_torch.images(n)).to(device)
    encode = plain_torch.encoder(plain_torch.layers_of(plain_torch.network(ARCHITECTURE, x)), x)

    def waited() -> Any:
        features = encode()
        if x.is_cuda:
            torch.cuda.synchronize()
        return features

    return waited


def products() -> Callable[[], Any]:
    """The products of patches with filters and of maps with inverse roots, sixteen images at a time; no patches made,
    nothing pooled."""
    import torch

    sizes = ((32 * 32, 27, 64), (16 * 16, 64, 64), (16 * 16, 576, 256), (3 * 3, 256, 256))
    arrays = [
        (torch.rand(AT_ONCE * rows, depth), torch.rand(depth, columns), torch.empty(AT_ONCE * rows, columns))
        for rows, depth, columns in sizes
    ]

    def run() -> None:
        for _ in range(IMAGES // AT_ONCE):
            for x, y, out in arrays:
                torch.mm(x, y, out=out)

    return run


RATE = Rate(IMAGES, "images/s")
ON_TORCH = partial(ours, "torch")

LINES = (
    Line(
        "encode-torch",
        f"`{ARCHITECTURE}`, PyTorch",
        ON_TORCH,
        plain,
        AtLeast(3.0),
        "plain PyTorch layers",
        measure=RATE,
        quick=True,
        needs=(TORCH,),
    ),
    Line(
        "encode-numpy",
        f"`{ARCHITECTURE}`, NumPy",
        partial(ours, "numpy"),
        plain,
        AtLeast(2.3),
        "plain PyTorch layers",
        measure=RATE,
        quick=True,
        needs=(TORCH,),
    ),
    Line(
        "encode-torch-floor",
        f"`{ARCHITECTURE}`, PyTorch, 512 images, in times of its products",
        ON_TORCH,
        products,
        AtMost(1.4),
        "products alone",
        measure=Seconds(),
        quick=True,
        needs=(TORCH,),
    ),
)

"""One step of a training with labels: `ckn-5`, batch 128, PyTorch on the host."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import TORCH, AtMost, Line, plain_torch

ARCHITECTURE, BATCH = "ckn-5", 128


def ours(keep: bool, device: str = "cpu") -> Callable[[], Any]:
    """Forward, gradient and update, by `ckn.fit_supervised`'s own step."""
    import ckn

    if keep:
        ckn.keep_freed_memory()
    import numpy as np
    import torch

    from ckn.supervised.data import Data
    from ckn.supervised.parameters import spheres
    from ckn.supervised.state import TrainingState
    from ckn.supervised.trainer import Trainer, zero_head

    x = torch.from_numpy(plain_torch.images(BATCH)).to(device)
    network = plain_torch.network(ARCHITECTURE, x)
    data = Data(x, torch.from_numpy(np.arange(BATCH) % 10).to(device), 10, 0)
    trainer = Trainer(data, ckn.Supervised(reg=1e-5), network, spheres(network))
    params = trainer.parameters(TrainingState(network, zero_head(network, data), None, trainer.spaces))
    optimiser = trainer.settings.optimiser.start(params)

    def step() -> None:
        nonlocal params, optimiser
        params, optimiser, _ = trainer.step(params, optimiser, x, data.targets, 1e-3)
        if x.is_cuda:
            torch.cuda.synchronize()

    return step


def plain(device: str = "cpu") -> Callable[[], Any]:
    """The same layers with autograd."""
    import torch

    x = torch.from_numpy(plain_torch.images(BATCH)).to(device)
    layers = plain_torch.layers_of(plain_torch.network(ARCHITECTURE, x))
    step = plain_torch.stepper(layers, x, torch.arange(BATCH, device=device) % 10)

    def waited() -> Any:
        loss = step()
        if x.is_cuda:
            torch.cuda.synchronize()
        return loss

    return waited


def products() -> Callable[[], Any]:
    """The convolutions and products of the layers on random maps, with their gradients (none of the images)."""
    import ckn

    ckn.keep_freed_memory()
    import torch
    from torch.nn.functional import conv2d

    grid: tuple[int, ...] = (32, 32)
    work: list[tuple[Any, Any, int]] = []

    def maps(channels: int) -> Any:
        return torch.rand(BATCH, *grid, channels).movedim(-1, 1)

    for layer in plain_torch.network(ARCHITECTURE, torch.zeros(1)).bare_layers:
        m, patch, _, c = layer.filters.shape
        filters = layer.filters.movedim(-1, 1).detach().requires_grad_()
        work.append((maps(c).requires_grad_(bool(work)), filters, patch // 2))
        grid = layer.output_shape(grid)
        work.append((maps(m).requires_grad_(), torch.rand(m, m, 1, 1, requires_grad=True), 0))

    def run() -> None:
        for x, filters, padding in work:
            found = conv2d(x, filters, None, 1, padding)
            torch.autograd.grad(found, [array for array in (x, filters) if array.requires_grad], found.detach())

    return run


LINES = (
    Line(
        "step",
        f"`{ARCHITECTURE}`, one step, batch {BATCH}",
        partial(ours, False),
        plain,
        AtMost(0.5),
        "plain PyTorch layers with autograd",
        quick=True,
        needs=(TORCH,),
        runs=7,
    ),
    Line(
        "step-floor",
        f"`{ARCHITECTURE}`, one step, batch {BATCH}, with `keep_freed_memory()`, in times of its products",
        partial(ours, True),
        products,
        AtMost(1.3),
        "products alone",
        quick=True,
        needs=(TORCH,),
        runs=7,
    ),
)

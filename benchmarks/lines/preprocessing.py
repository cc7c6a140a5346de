"""Whitening images and drawing patches."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import CIFAR10, TORCH, AtMost, Line, Seconds

ARCHITECTURE, PATCHES, FEW = "unsup-64-256", 100_000, 500


def _images(library: str) -> Any:
    """All training images of CIFAR-10 in [0, 1], float32."""
    import numpy as np

    import kerneltools

    with np.load(CIFAR10.path) as data:
        return kerneltools.backend(library).asarray(data["X_train"].astype(np.float32) / 255)


def whitening(library: str) -> Callable[[], Any]:
    """What `ckn train --whiten` does before anything else, from bytes."""
    import numpy as np

    import kerneltools
    from ckn.model import preprocess
    from ckn.preprocessing import Scale, Whiten

    like = kerneltools.backend(library).asarray(np.zeros(1, np.float32))
    with np.load(CIFAR10.path) as data:
        x = data["X_train"]
    return lambda: preprocess((Scale(255.0), Whiten()), x, like)


def patches(library: str) -> Callable[[], Any]:
    """100,000 patches of the maps that the first layer makes of all images."""
    import numpy as np

    import ckn
    from ckn.sampling import sample_patches
    from kerneltools.landmarks import Uniform
    from kerneltools.patches import Grid

    x, architecture = _images(library), ckn.architectures[ARCHITECTURE]
    network = ckn.fit_unsupervised(
        architecture, x[:FEW, ...], 0, patches=10_000, selector=lambda spec: Uniform(spec.filters)
    )
    below, grid = ckn.Network(network.layers[:1]).prepare(), Grid(3, padding="valid")
    batch = below.batch_for(x)
    return lambda: sample_patches(below, x, grid, PATCHES, np.random.default_rng(0), batch, lambda done, of: None)


def _lines(library: str, *needs: Any) -> tuple[Line, ...]:
    needed = (CIFAR10, *needs)
    return (
        Line(
            f"patches-{library}",
            f"patches of the second layer, 100,000 of 50,000 images, {library}",
            partial(patches, library),
            None,
            AtMost(3, absolute=True),
            measure=Seconds(),
            quick=True,
            needs=needed,
            runs=2,
            warm_up=0,
        ),
        Line(
            f"whitening-{library}",
            f"whitening 50,000 images, {library}",
            partial(whitening, library),
            None,
            AtMost(8, absolute=True),
            measure=Seconds(),
            needs=needed,
            runs=2,
            warm_up=0,
        ),
    )


LINES: tuple[Line, ...] = (*_lines("torch", TORCH), *_lines("numpy"))

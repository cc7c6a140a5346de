"""Filters: learning them without labels, in seconds and in times of the product of all patches with all filters."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import CIFAR10, TORCH, AtLeast, AtMost, Line, Seconds, Value

ARCHITECTURE, IMAGES, PATCHES = "unsup-64-256", 1_000, 100_000
PRODUCTS = 20
SUBSET, TESTED, SEEDS = 10_000, 2_000, 3


def whitened(library: str, rows: slice) -> Any:
    """The first training images of CIFAR-10, whitened, float32."""
    import numpy as np

    import kerneltools
    from ckn.model import preprocess
    from ckn.preprocessing import Scale, Whiten

    like = kerneltools.backend(library).asarray(np.zeros(1, np.float32))
    with np.load(CIFAR10.path) as data:
        return preprocess((Scale(255.0), Whiten()), data["X_train"][rows], like)


def filters(library: str) -> Callable[[], Any]:
    """`fit_unsupervised`: patches drawn, and the layer below encoded, too."""
    import ckn

    x, architecture = whitened(library, slice(0, IMAGES)), ckn.architectures[ARCHITECTURE]
    return lambda: ckn.fit_unsupervised(architecture, x, 0, patches=PATCHES)


def products(library: str) -> Callable[[], Any]:
    """Products of 100,000 patches (3, 3, 64) with 256 filters, which round after round would need."""
    import numpy as np

    import kerneltools

    draws, backend = np.random.default_rng(0), kerneltools.backend(library)
    x, z = (backend.asarray(draws.standard_normal((n, 576)).astype(np.float32)) for n in (PATCHES, 256))

    def run() -> None:
        for _ in range(PRODUCTS):
            x @ z.T

    return run


def accuracy() -> Callable[[], dict[str, float]]:
    """Ridge regression on the first 10,000 training images, on the first 2,000 test images: mean of three seeds."""

    def run() -> dict[str, float]:
        from dataclasses import replace
        from statistics import mean

        import numpy as np

        from ckn import training
        from ckn.readers import read

        path, found = str(CIFAR10.path), []
        for seed in range(SEEDS):
            whole = training.split(read(path), path, seed)
            train, test = whole.train.taken(np.arange(SUBSET)), whole.test.taken(np.arange(TESTED))
            settings = training.Settings(path, ARCHITECTURE, whiten=True, seed=seed, backend="torch")
            found.append(training.run(replace(whole, train=train, test=test), settings).test_accuracy)
        return {"accuracy": 100 * mean(found)}

    return run


def _lines(library: str, *needs: Any) -> tuple[Line, ...]:
    what = f"filters of {IMAGES:,} images, `{ARCHITECTURE}`, {library}"
    ours, options = partial(filters, library), {"quick": True, "needs": (CIFAR10, *needs), "runs": 3}
    floor = partial(products, library)
    return (
        Line(
            f"filters-{library}",
            what,
            ours,
            floor,
            AtMost(4, absolute=True),
            "20 products",
            measure=Seconds(),
            **options,
        ),
        Line(
            f"filters-{library}-floor",
            f"{what}, in times of 20 products of the second layer's patches with its filters",
            ours,
            floor,
            AtMost(1),
            "20 products",
            measure=Seconds(),
            **options,
        ),
    )


LINES: tuple[Line, ...] = (
    *_lines("torch", TORCH),
    *_lines("numpy"),
    Line(
        "filters-accuracy",
        "test accuracy of 10,000 training and 2,000 test images of CIFAR-10, mean of seeds 0, 1, 2",
        accuracy,
        None,
        AtLeast(69.7, absolute=True),
        measure=Value("%", "accuracy"),
        needs=(CIFAR10, TORCH),
        runs=1,
        warm_up=0,
    ),
)

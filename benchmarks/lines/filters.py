"""Filters: learning them without labels, in seconds and in times of the product of all patches with all filters."""

from collections.abc import Callable
from functools import partial
from typing import Any

from lines import CIFAR10, TORCH, AtLeast, AtMost, Line, Seconds, Value

ARCHITECTURE, IMAGES, PATCHES = "unsup-64-256", 1_000, 100_000
PRODUCTS = 20
SUBSET, TESTED, SEEDS = 10_000, 2_000, 3
HELD_OUT, ROUNDS, GAIN = 20_000, 300, 1e-6
STARTS = (3, 1)
"""Seeds of each layer: of the second a start takes half a minute."""


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


def plain_rounds(x: Any, centres: Any) -> Any:
    """Spherical k-means of unit rows (n, d) from centres (m, d), all rows in all rounds, until they gain no more."""
    import numpy as np

    before = -np.inf
    for _ in range(ROUNDS):
        index, cosine = nearest(x, centres)
        if cosine - before <= GAIN * abs(cosine):
            break
        order = np.argsort(index, kind="stable")
        some, first = np.unique(index[order], return_index=True)
        total = np.add.reduceat(x[order], first, axis=0)
        centres = centres.copy()  # those of empty clusters stay
        centres[some], before = total / np.linalg.norm(total, axis=1, keepdims=True), cosine
    return centres


def nearest(x: Any, centres: Any) -> tuple[Any, float]:
    """Of each row the number of the centre of greatest cosine, (n,), and the mean of these cosines."""
    import numpy as np

    from kerneltools.arrays import blocks

    values = [x[part] @ centres.T for part in blocks(len(x), 8192)]
    index = np.concatenate([np.argmax(each, axis=1) for each in values])
    return index, float(np.mean(np.concatenate([np.max(each, axis=1) for each in values]), dtype=np.float64))


def cosines() -> Callable[[], dict[str, float]]:
    """By how much the mean cosine of other images' patches with their nearest filter is less than after plain rounds
    to the end, from the same patches to begin with."""

    def run() -> dict[str, float]:
        import numpy as np

        import ckn
        from ckn.sampling import sample_patches
        from ckn.unsupervised import default_selector, inner_patches
        from kerneltools.landmarks.base import drawn
        from kerneltools.landmarks.spherical_kmeans import unit_rows

        images, others = (whitened("numpy", part) for part in (slice(IMAGES), slice(IMAGES, 2 * IMAGES)))
        architecture = ckn.architectures[ARCHITECTURE]
        network = ckn.fit_unsupervised(architecture, images, 0, patches=PATCHES)
        found = {}
        for number, spec in enumerate(architecture.grids):
            below, grid = ckn.Network(network.layers[:number]).prepare(), inner_patches(spec)
            x, new = (
                unit_rows(sample_patches(below, data, grid, many, 0, below.batch_for(data), lambda done, total: None))
                for data, many in ((images, PATCHES), (others, HELD_OUT))
            )
            less = []
            for seed in range(STARTS[number]):
                ours = default_selector(spec)(spec.kernel, x, seed).points
                theirs = plain_rounds(x, x[drawn(x, None, spec.filters, np.random.default_rng(seed))])
                less.append(nearest(new, theirs)[1] - nearest(new, ours)[1])
            found[f"layer {number + 1}"] = float(np.mean(less))
        return found

    return run


def _lines(library: str, *needs: Any) -> tuple[Line, ...]:
    what = f"filters of {IMAGES:,} images, `{ARCHITECTURE}`, {library}"
    ours, options = partial(filters, library), {"quick": library == "numpy", "needs": (CIFAR10, *needs), "runs": 3}
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
    *(
        Line(
            f"filters-cosine-{number}",
            f"filters of layer {number}, mean cosine with the nearest of 20,000 patches of other images: how much less "
            f"than after plain rounds to convergence{', mean of 3 seeds' if number == 1 else ''}",
            cosines,
            None,
            AtMost(1e-3, absolute=True),
            measure=Value("", f"layer {number}"),
            needs=(CIFAR10,),
            runs=1,
            warm_up=0,
        )
        for number in (1, 2)
    ),
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

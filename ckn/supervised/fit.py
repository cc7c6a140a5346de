"""Learning the filters end to end, with labels (Mairal 2016, §3)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ckn.checks import check_images
from ckn.network import Network, Progress, silent
from ckn.supervised.data import Data
from ckn.supervised.settings import Supervised
from ckn.supervised.start import begin
from ckn.supervised.state import TrainingState, in_row_order
from ckn.supervised.trainer import Trainer
from kerneltools.arrays import Array, asarray_like, namespace, require_floating

DEFAULT = Supervised()


def fit_supervised(
    network: Network,
    images: Array,
    labels: Sequence[int],
    classes: int,
    rng: int,
    settings: Supervised = DEFAULT,
    *,
    start: TrainingState | None = None,
    validation: tuple[Array, Sequence[int]] | None = None,
    progress: Progress = silent,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> TrainingState:
    """Train the filters of a network (best one from `fit_unsupervised`) with a linear head on top.

    (n, *grid, c), n class numbers in 0..classes-1 -> state with the trained network and head

    `images` are preprocessed, of the library, type and device of the network. `rng` is a seed: each epoch draws
    its order and its augmentation from the seed and its own number, so a training that continues from a
    `start` gives the numbers of one that was never interrupted. `validation` images are only measured.
    `on_epoch(state)` is called after each epoch.

    Raises ValueError for wrong shapes, labels outside the classes, a class without images, a batch greater
    than the data and NaN in the images; DivergedError, with the last good state and advice, when the loss
    does not stay finite; MemoryError, with a batch to try, when the device has no room.
    """
    numbers = _check(network, images, labels, classes, settings)
    data = Data(images, asarray_like(numbers, images, namespace(images).int64), classes, rng)
    # An inverse of PyTorch's is in column order, and the metrics of the spheres are inverses.
    state = in_row_order(begin(network, data, settings, progress) if start is None else start)
    trainer = Trainer(data, replace(settings, reg=state.reg), state.network, state.spaces)
    while state.epoch < settings.epochs:
        state = trainer.epoch(state, validation, progress)
        on_epoch(state)
    return state


def _check(network: Network, images: Array, labels: Sequence[int], classes: int, settings: Supervised) -> list[int]:
    check_images(images)
    require_floating(images=images)
    namespace(images, network.like)
    numbers = [int(label) for label in labels]
    n = images.shape[0]
    if len(numbers) != n:
        raise ValueError(f"labels: expected {n}, one for each image, got {len(numbers)}")
    if min(numbers) < 0 or max(numbers) >= classes:
        raise ValueError(f"labels: expected numbers in 0..{classes - 1}, got {min(numbers)}..{max(numbers)}")
    if missing := sorted(set(range(classes)) - set(numbers)):
        raise ValueError(f"labels: no image of class {', '.join(map(str, missing))} among the {n} training images")
    if settings.batch > n:
        raise ValueError(f"batch: {settings.batch} images asked for at a time, and there are {n}; choose at most {n}")
    return numbers

"""Learning the filters end to end, with labels (Mairal 2016, §3)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from ckn.checks import check_count, check_images
from ckn.layers.grid import Layer
from ckn.network import Network, Progress
from ckn.supervised.data import Data
from ckn.supervised.settings import Supervised
from ckn.supervised.start import begin
from ckn.supervised.state import StartError, TrainingState, in_row_order
from ckn.supervised.trainer import Trainer
from kerneltools.arrays import Array, indices_like, namespace, require_floating
from kerneltools.backend import to_host
from kerneltools.progress import silent
from kerneltools.trees import map_leaves, named_leaves

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
    `start` gives the numbers of one that was never interrupted. `validation`: images and class numbers that are
    only measured, before the first epoch and after each. `on_epoch(state)` is called after each epoch.

    Raises ValueError for wrong shapes, labels outside the classes, a class without images, a batch greater
    than the data, NaN in the images; StartError, a ValueError, for a `start` of another architecture, number of classes
    or optimiser; DivergedError, with the last good state and advice, when the loss does not stay finite; MemoryError,
    with a batch to try, when the device has no room.
    """
    numbers = _check(network, images, labels, classes, settings)
    if validation is not None:
        _check_validation(images, *validation, classes)
    data = Data(images, indices_like(numbers, images), classes, rng)
    if start is None:
        trainer, state = begin(network, data, settings, progress, validation)
    else:
        _check_start(start, network, classes, images)
        state = in_row_order(start)
        trainer = Trainer(data, replace(settings, reg=state.reg), state.network, state.spaces)
        _check_optimiser(state, trainer)
    while state.epoch < settings.epochs:
        state = trainer.epoch(state, validation, progress)
        on_epoch(state)
    return trainer.finished(state, progress)


def _check_start(start: TrainingState, network: Network, classes: int, images: Array) -> None:
    """Raise unless the state is of networks like that one, for such images, and of as many classes."""
    ours, theirs = (list(map(_structure, each.bare_layers)) for each in (network, start.network))
    if ours != theirs:
        raise StartError(
            f"start: its network is of another architecture, with filters of shapes {[one[0] for one in theirs]} for "
            f"{[one[0] for one in ours]}, or with other kernels or pooling; begin without it, or with its network"
        )
    if start.head.weights.shape[1] != classes:
        raise StartError(f"start: its head has {start.head.weights.shape[1]} classes, and classes={classes} was given")

    filters = start.network.like
    if (filters.ndim, filters.shape[-1], filters.dtype) != (images.ndim, images.shape[-1], images.dtype):
        raise StartError(
            f"start: its filters of shape {tuple(filters.shape)} and {filters.dtype} are not for images of shape "
            f"{tuple(images.shape)} and {images.dtype}"
        )


def _check_optimiser(state: TrainingState, trainer: Trainer) -> None:
    """Raise unless the state of the optimiser is as one that begins, and the head is for the images' features."""
    try:
        features = state.network.features(tuple(trainer.data.images.shape[1:-1]))
    except ValueError as error:
        raise StartError(f"start: its network is not for the images: {error}") from error
    if state.head.weights.shape[0] != features:
        raise StartError(f"start: its head is for {state.head.weights.shape[0]} features, the network has {features}")
    wanted = _leaves(trainer.settings.optimiser.start(trainer.parameters(state)))
    if (found := _leaves(state.optimiser)) != wanted:
        raise StartError(
            f"start: the state of its optimiser is of another one or of other parameters: expected {_listed(wanted)}, "
            f"got {_listed(found)}"
        )


def _leaves(tree: Any) -> dict[str, str]:
    """The shapes and types of the leaves by name; a count of steps may be a number or an array of one."""
    return {
        name: f"{tuple(leaf.shape)} {leaf.dtype}" if getattr(leaf, "shape", ()) else "()"
        for name, leaf in named_leaves(tree)
    }


def _listed(leaves: dict[str, str]) -> str:
    return ", ".join(f"{name} {form}" for name, form in leaves.items())[:300]


def _structure(layer: Layer) -> tuple[Any, ...]:
    """All of a layer that training leaves as it is."""
    kernel = map_leaves(lambda leaf: None, layer.kernel)
    return tuple(layer.filters.shape), kernel, layer.subsampling, layer.padding, layer.dilation, layer.reg


def _check(network: Network, images: Array, labels: Sequence[int], classes: int, settings: Supervised) -> list[int]:
    check_count("classes", classes)
    check_images(images)
    require_floating(images=images)
    namespace(images, network.like)
    numbers, n = _numbers("labels", labels, images, classes), images.shape[0]
    if missing := sorted(set(range(classes)) - set(numbers)):
        raise ValueError(f"labels: no image of class {', '.join(map(str, missing))} among the {n} training images")
    if settings.batch is not None and settings.batch > n:
        raise ValueError(f"batch: {settings.batch} images asked for at a time, and there are {n}; choose at most {n}")
    return numbers


def _check_validation(images: Array, measured: Array, labels: Sequence[int], classes: int) -> None:
    try:
        check_images(measured)
        require_floating(images=measured)
        namespace(images, measured)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"validation: {error}") from error
    if measured.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"validation: expected images of shape {tuple(images.shape[1:])}, as in training, "
            f"got {tuple(measured.shape[1:])}"
        )
    _numbers("validation: labels", labels, measured, classes)


def _numbers(name: str, labels: Sequence[int], images: Array, classes: int) -> list[int]:
    """The labels as Python integers; an error that says what is wrong with them, under that name."""
    values: list[Any] = to_host(labels).tolist() if hasattr(labels, "shape") else list(labels)
    n = images.shape[0]
    if len(values) != n:
        raise ValueError(f"{name}: expected {n}, one for each image, got {len(values)}")
    if wrong := [value for value in values if not (isinstance(value, Real) and value % 1 == 0)]:
        raise ValueError(f"{name}: expected whole numbers in 0..{classes - 1}, got {wrong[0]!r}")
    numbers = [int(value) for value in values]
    if min(numbers) < 0 or max(numbers) >= classes:
        raise ValueError(f"{name}: expected numbers in 0..{classes - 1}, got {min(numbers)}..{max(numbers)}")
    return numbers

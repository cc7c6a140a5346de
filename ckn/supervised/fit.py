"""Learning the filters end to end, with labels (Mairal 2016, §3)."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from ckn.architecture import Architecture, LayerSpec
from ckn.checks import check_count, check_images, check_objects
from ckn.layers.grid import Layer
from ckn.layers.readouts import Joined, Standardised
from ckn.layers.transport import Transport, TransportPool
from ckn.network import Network, Progress
from ckn.supervised.data import Data
from ckn.supervised.settings import Supervised
from ckn.supervised.start import begin
from ckn.supervised.state import StartError, TrainingState, in_row_order
from ckn.supervised.trainer import Trainer
from kerneltools.arrays import Array, asarray_like, indices_like, namespace, require_floating
from kerneltools.backend import backend_of, to_host
from kerneltools.patches import PartMean
from kerneltools.primitives import program
from kerneltools.progress import silent
from kerneltools.solvers import Squared
from kerneltools.structures import count
from kerneltools.structures.base import is_collection
from kerneltools.trees import map_leaves, named_leaves

DEFAULT = Supervised()


def fit_supervised(
    network: Network,
    data: Any,
    labels: Any,
    classes: int | None,
    rng: int,
    settings: Supervised = DEFAULT,
    *,
    start: TrainingState | None = None,
    validation: tuple[Any, Any] | None = None,
    progress: Progress = silent,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> TrainingState:
    """Train the filters of a network (best one from `fit_unsupervised`) with a linear head on top.

    images (n, *grid, c) or n objects, n class numbers in 0..classes-1 -> state with the trained network and head

    `data`: preprocessed images in the library, type and device of the network, or a collection of objects. `classes`:
    their number; None means that `labels` are numbers to predict, (n,) or (n, q) for q outputs, best with mean 0 and
    variance 1, with the loss `Squared`; the accuracy in reports is then R². `rng` is a seed: each epoch draws its order
    and its augmentation from the seed and its own number, so that a training resumed from a `start` gives the numbers
    of one that was never interrupted. `validation`: data and labels that are only measured, before the first epoch and
    after each. `on_epoch(state)` is called after each epoch.

    Raises ValueError for wrong shapes, labels outside the classes, a class without images, a batch greater than the
    data, NaN in the images, and augmentation of objects; StartError, a ValueError, for a `start` of another
    architecture, number of classes or optimiser; DivergedError, with the last good state and advice, if the loss does
    not stay finite; MemoryError, with a batch to try, if the device has no room.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> import ckn
    >>> labels = np.arange(20) % 2
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4),)), images, rng=0, patches=200)
    >>> settings = ckn.Supervised(epochs=1, batch=10, rate=0.1, reg=1e-3)
    >>> state = fit_supervised(network, images, labels, classes=2, rng=0, settings=settings)
    >>> len(state.history), state.network(images).shape
    (1, (20, 4, 4, 4))
    """
    wanted = _check(network, data, labels, classes, settings)
    measured = None if validation is None else _check_validation(network, data, *validation, classes)
    held = Data(data, wanted, classes, rng, network.like)
    if start is None:
        trainer, state = begin(network, held, settings, progress, measured)
    else:
        _check_start(start, network, held)
        state = in_row_order(start)
        trainer = Trainer(held, replace(settings, reg=state.reg), state.network, state.spaces)
        _check_optimiser(state, trainer)
    while state.epoch < settings.epochs:
        state = trainer.epoch(state, measured, progress)
        on_epoch(state)
    return trainer.finished(state, progress)


def _check_start(start: TrainingState, network: Network, data: Data) -> None:
    """Raise unless the state is for networks like this one, for such images or objects, and for as many classes."""
    ours, theirs = (list(map(_structure, each.bare_layers)) for each in (network, start.network))
    if ours != theirs or network.beside != start.network.beside:
        raise StartError(
            f"start: its network is of another architecture, with filters of shapes {[one[0] for one in theirs]} for "
            f"{[one[0] for one in ours]}, or with other kernels or pooling; begin without it, or with its network"
        )
    if start.head.weights.shape[1] != data.outputs:
        raise StartError(
            f"start: its head has {start.head.weights.shape[1]} classes, and classes={data.outputs} was given"
        )
    if repr(start.network.embedding) != repr(network.embedding):
        raise StartError(
            f"start: its network takes {start.network.embedding!r:.60}, and this one {network.embedding!r:.60}; begin "
            "without it, or with its network"
        )
    mine, its = ((_shapes(each.readout), each.strands, each.beside) for each in (network, start.network))
    if mine != its:
        raise StartError(
            f"start: its network has the readout {start.network.readout!r:.80} and strands={its[1]}, and this one "
            f"{network.readout!r:.80} and strands={mine[1]}; begin without it, or with its network"
        )
    if network.embedding is not None:
        return
    filters, images = start.network.like, data.examples
    if (filters.ndim, filters.shape[-1], filters.dtype) != (images.ndim, images.shape[-1], images.dtype):
        raise StartError(
            f"start: its filters of shape {tuple(filters.shape)} and {filters.dtype} are not for images of shape "
            f"{tuple(images.shape)} and {images.dtype}"
        )


def require_architecture(network: Network, architecture: Architecture) -> None:
    """Raise StartError for the network of a state with another architecture; some filters may be missing."""
    bare = network.unprepared()
    of_grids = bare.embedding is None
    if of_grids != architecture.of_grids:
        raise StartError(
            "start: its network and the architecture are one of images, the other of objects; begin without it"
        )
    wanted: Any = [(spec,) for spec in architecture.grids] if of_grids else architecture.stages
    stages = bare.stages
    alike = list(map(len, stages)) == list(map(len, wanted)) and bare.strands == architecture.strands
    pairs = enumerate(zip(chain(*stages), chain(*wanted), strict=alike), start=1)
    other = "" if alike else "it has other numbers of layers, or other strands"
    for number, (layer, spec) in () if other else pairs:
        if not _is_of(layer, spec):
            other = f"its layer {number} is no {spec!r:.200}"
            break
    if other:
        raise StartError(
            f"start: its network is of another architecture: {other}; begin without it, or with the architecture that "
            "it was begun with"
        )
    default = None if of_grids else PartMean()
    ours = _form(default if architecture.readout is None else architecture.readout)
    if ours != (theirs := _form(bare.readout)):
        raise StartError(
            f"start: its network has the readout {theirs}, and the architecture {ours}; begin without it, or with the "
            "readout that it was begun with"
        )


def _is_of(layer: Any, spec: Any) -> bool:
    filters, sides = layer.filters, tuple(layer.filters.shape[1:-1])
    if isinstance(spec, LayerSpec):
        made: Any = Layer(filters, spec.kernel, spec.subsampling, spec.padding, spec.reg, spec.dilation)
        same_sides = sides == tuple(np.broadcast_to(spec.patch, len(sides)).tolist())
    else:
        made, same_sides = spec.layer(filters), sides == (getattr(spec, "size", sides[0]),)
    same = type(made) is type(layer) and _structure(made) == _structure(layer)
    return same and same_sides and filters.shape[0] <= spec.filters


def _form(readout: Any) -> str:
    """The form of a readout, whether it has learnt or not."""
    if isinstance(readout, Standardised):
        return _form(readout.readout)
    if isinstance(readout, Joined):
        return f"Joined({', '.join(map(_form, readout.readouts))})"
    if isinstance(readout, Transport | TransportPool):
        return f"Transport(eps={readout.eps}, iterations={readout.iterations}, position={readout.position})"
    return repr(readout)


def _shapes(readout: Any) -> str:
    """A readout without the numbers that it has learnt."""
    return repr(map_leaves(lambda leaf: tuple(getattr(leaf, "shape", ())), readout))


def _check_optimiser(state: TrainingState, trainer: Trainer) -> None:
    """Raise unless the state fits the optimiser, and the head fits the images' features."""
    try:
        features = state.network.features_of(trainer.data.examples)
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


def _structure(layer: Any) -> tuple[Any, ...]:
    """All of a layer that training leaves unchanged."""
    kernel = map_leaves(lambda leaf: None, layer.kernel)
    shape, *others = layer.structure
    return shape, kernel, *others


def _check(network: Network, data: Any, labels: Any, classes: int | None, settings: Supervised) -> Array:
    """The labels as an array in the library of the network."""
    _check_data(network, data)
    n = count(data)
    if settings.batch is not None and settings.batch > n:
        raise ValueError(f"batch: {settings.batch} images asked for at a time, and there are {n}; choose at most {n}")
    if network.embedding is not None and settings.augmentation:
        raise ValueError(f"augmentation: {settings.augmentation!r:.60} is of images, got {data!r:.60}; leave it out")
    if network.embedding is not None and settings.jit:
        _check_jit(network.like)
    if classes is None:
        if not isinstance(settings.loss, Squared):
            raise ValueError(f"loss: numbers to predict need Squared(), got {settings.loss!r}")
        return _targets("labels", labels, n, network.like)
    check_count("classes", classes)
    numbers = _numbers("labels", labels, n, classes)
    if missing := sorted(set(range(classes)) - set(numbers)):
        raise ValueError(f"labels: no image of class {', '.join(map(str, missing))} among the {n} training images")
    return indices_like(numbers, network.like)


def _check_jit(like: Array) -> None:
    """Raise ValueError if a library would compile a step anew for the sizes of each batch of objects."""
    owner = backend_of(like)
    if owner is None or owner.overrides.get(program) is None:
        name = "this library" if owner is None else owner.name
        raise ValueError(
            f"jit: batches of objects differ in size, and {name} does not compile, or does so anew for each size; "
            "leave it out"
        )


def _check_data(network: Network, data: Any) -> None:
    if network.embedding is not None:
        check_objects(data)
        network.embedding.check(data)
        return
    if is_collection(data):
        raise TypeError(f"data: expected images, as the network was made for, got {data!r:.80}")
    check_images(data)
    require_floating(images=data)
    namespace(data, network.like)


def _check_validation(network: Network, data: Any, measured: Any, labels: Any, classes: int | None) -> tuple[Any, Any]:
    try:
        _check_data(network, measured)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"validation: {error}") from error
    if network.embedding is None and measured.shape[1:] != data.shape[1:]:
        raise ValueError(
            f"validation: expected images of shape {tuple(data.shape[1:])}, as in training, "
            f"got {tuple(measured.shape[1:])}"
        )
    n = count(measured)
    if classes is None:
        return measured, _targets("validation: labels", labels, n, network.like)
    return measured, _numbers("validation: labels", labels, n, classes)


def _targets(name: str, labels: Any, n: int, like: Array) -> Array:
    """Numbers to predict as (n, q). Raises ValueError for another number of rows, and for NaN and infinity."""
    host = np.asarray(to_host(labels) if hasattr(labels, "shape") else labels, dtype=np.float64)
    if host.ndim not in (1, 2) or host.shape[0] != n:
        raise ValueError(f"{name}: expected ({n},) or ({n}, q) numbers, got shape {host.shape}")
    if not np.isfinite(host).all():
        raise ValueError(f"{name}: NaN or infinity in row {int(np.argwhere(~np.isfinite(host))[0][0])}")
    return asarray_like(host.reshape(n, -1), like)


def _numbers(name: str, labels: Any, n: int, classes: int) -> list[int]:
    """The labels as Python integers; an error with that name tells what is wrong with them."""
    values: list[Any] = to_host(labels).tolist() if hasattr(labels, "shape") else list(labels)
    if len(values) != n:
        raise ValueError(f"{name}: expected {n}, one for each image, got {len(values)}")
    if wrong := [value for value in values if not (isinstance(value, Real) and value % 1 == 0)]:
        raise ValueError(f"{name}: expected whole numbers in 0..{classes - 1}, got {wrong[0]!r}")
    numbers = [int(value) for value in values]
    if min(numbers) < 0 or max(numbers) >= classes:
        raise ValueError(f"{name}: expected numbers in 0..{classes - 1}, got {min(numbers)}..{max(numbers)}")
    return numbers

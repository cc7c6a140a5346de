"""A trained classifier: preprocessing, network, linear head. Needs no scikit-learn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from operator import eq
from typing import Any

import numpy as np

from ckn.checks import channels_first, check_batch, check_images, check_objects, require_moderate
from ckn.layers.readouts import Standardised
from ckn.network import Network, Progress, batches, of_one_size
from ckn.preprocessing import Step, normalise_features
from ckn.readers.images import Pictures, pictures_of
from ckn.targets import Targets, explained
from kerneltools.arrays import Array, namespace
from kerneltools.backend import move, to_host
from kerneltools.learning import Temperature
from kerneltools.primitives import map_blocks, program
from kerneltools.progress import silent
from kerneltools.solvers import LinearModel
from kerneltools.structures import count
from kerneltools.structures.base import is_collection
from kerneltools.trees import Tree, shown, static

PREPROCESSING_BATCH = 32

PIECE_NUMBERS = 2**24
"""Numbers that are joined at a time (64 MiB of float32)."""


@dataclass(frozen=True, eq=False)
class Model(Tree):
    """A trained model that turns images, or objects, into classes or numbers.

    `preprocessing`: a tuple of steps; `network`: its features of each image are centred and scaled to norm 1; `head`:
    linear, with one output per class; `classes`: the labels (int or str) of the outputs; `image_shape`: (h, w, c) in
    the training, () for objects; `pictures`: if images were picture files, how these became images:
    `ckn.readers.read(files, pictures=model.as_trained)` treats others in the same way; `calibration`: turns scores into
    probabilities. A model of numbers has `targets` instead of classes: its head has one output for each, standardised.

    Images are (n, h, w, c) of any array library, integer or floating-point, scaled as in the training; they are moved,
    a batch at a time, to the library, type and device of the network. Methods raise ValueError for images of another
    shape, NaN and infinity.

    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.solvers import ridge
    >>> images, labels = np.random.default_rng(0).random((20, 8, 8, 1)), np.arange(20) % 2
    >>> images[labels == 1, :4, :4, :] += 1.0
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = ridge(ckn.preprocessing.normalise_features(network.encode(images)), np.eye(2)[labels, :], reg=1e-3)
    >>> model = ckn.Model(network, head, classes=("cat", "dog"), image_shape=(8, 8, 1))
    >>> model.predict(images[:2]), model.decision_function(images[:2]).shape
    (['cat', 'dog'], (2, 2))
    """

    network: Network
    head: LinearModel
    preprocessing: tuple[Step, ...] = ()
    classes: tuple[int | str, ...] = static(())
    image_shape: tuple[int, ...] = static(())
    pictures: Pictures | None = static(None)
    calibration: Temperature | None = static(None)
    targets: Targets | None = static(None)

    @property
    def as_trained(self) -> Pictures | None:
        """How picture files become images for the model; None if it takes no images of one or three channels."""
        return self.pictures or pictures_of(self.image_shape)

    def __repr__(self) -> str:
        most, n = 5, len(self.classes)
        names = ", ".join(map(repr, self.classes[:most]))
        return shown(self, classes=f"({names}, ... {n - most} more)") if n > most else shown(self)

    def _repr_html_(self) -> str:
        return str(import_module("ckn.describing").as_html(self))  # which knows models

    @property
    def features(self) -> int:
        """How many features the network makes of each image or object."""
        grid = self.image_shape[:-1]
        return self.network.features(grid) if self.network.embedding is None else self.network.dimension

    def prepare(self) -> "Model":
        """The model with the network's inverse square roots computed, for many calls."""
        return replace(self, network=self.network.prepare())

    def unprepared(self) -> "Model":
        """The model without what `prepare` computed."""
        return replace(self, network=self.network.unprepared())

    def transform(self, images: Any, batch: int | None = None, progress: Progress = silent) -> Array:
        """The features, `batch` images at a time: (n, h, w, c), or (n, h, w) for one channel -> (n, features)."""
        images = self._checked(images)
        if tuple(images.shape[1:]) != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            first = (*self.image_shape[-1:], *self.image_shape[:-1])
            hint = f", {channels_first(len(first) - 1)}" if tuple(images.shape[1:]) == first else ""
            raise ValueError(f"images: expected (n, {wanted}), as in training, got shape {tuple(images.shape)}{hint}")
        return encode(self.network, self.preprocessing, images, batch, progress)

    def _checked(self, images: Any) -> Any:
        """Images with an axis for channels, or objects as a collection. Raises TypeError and ValueError for others."""
        if self.network.embedding is not None:
            found = self.network.embedding.collected(images)
            check_objects(found)
            return found
        if is_collection(images):
            raise TypeError(f"images: expected (n, {', '.join(map(str, self.image_shape))}), got {images!r:.80}")
        xp = namespace(images)
        if self.image_shape[-1:] == (1,) and images.ndim == len(self.image_shape):
            images = xp.expand_dims(images, axis=-1)
        check_images(images)
        return images

    def decision_function(self, images: Any, batch: int | None = None, progress: Progress = silent) -> Array:
        """The score of each class, or the standardised prediction of each target: (n, h, w, c) -> (n, classes)."""
        return self.head(self.transform(images, batch, progress))

    def predict_proba(self, images: Any, batch: int | None = None, progress: Progress = silent) -> Array:
        """The probability of each class: (n, h, w, c) -> (n, classes); rows add up to 1.

        Raises ValueError for a model of numbers, and for one without a `calibration`, as in files of earlier versions.
        """
        if self.targets is not None:
            raise ValueError("model: it predicts numbers, which have no probabilities; use predict")
        if self.calibration is None:
            raise ValueError(
                "model: it has no calibration, which makes probabilities of scores; fit it again, or set one: "
                "dataclasses.replace(model, calibration=kerneltools.learning.fit_temperature(scores, labels)), with "
                "the scores of images that it has not seen and the numbers of their classes"
            )
        return self.calibration(self.decision_function(images, batch, progress))

    def predict(self, images: Any, batch: int | None = None, progress: Progress = silent) -> Any:
        """The classes of highest score: (n, h, w, c) -> n classes; or the numbers, (n,) or (n, q), in float64."""
        scores = self.decision_function(images, batch, progress)
        if self.targets is not None:
            return self.targets.original(scores)
        best = namespace(scores).argmax(scores, axis=1)
        return [self.classes[i] for i in to_host(best).tolist()]

    def score(self, images: Any, labels: Any, batch: int | None = None, progress: Progress = silent) -> float:
        """The share of images whose class is predicted: (n, h, w, c), n labels -> number in [0, 1].

        For numbers: R², at most 1, a mean over the targets. Labels that are no classes of the model count as wrong.
        Raises ValueError unless there is one for each of at least one image, TypeError for words in place of numbers or
        numbers in place of words.
        """
        images = self._checked(images)
        if self.targets is not None:
            wanted = self.targets.checked(labels, count(images), "image")
            return explained(self.decision_function(images, batch, progress), self.targets.standardised(wanted))
        wanted = to_host(labels).tolist() if hasattr(labels, "dtype") else list(labels)
        if len(wanted) != count(images) or not wanted:
            raise ValueError(f"labels: expected one for each of {count(images)} images, got {len(wanted)}")
        for label in wanted:
            if isinstance(label, str) != isinstance(self.classes[0], str) or not isinstance(label, str | int | float):
                raise TypeError(f"labels: expected classes such as {self.classes[0]!r}, got {label!r:.60}")
        found = self.predict(images, batch, progress)
        return float(sum(map(eq, found, wanted)) / len(wanted))


def preprocess(steps: tuple[Step, ...], images: Any, like: Array) -> Array:
    """Pixels of any library after the steps, in the library, type and device of `like`; objects after theirs.

    (n, h, w, c) -> (n, h, w, c)
    """
    if is_collection(images):
        return _through(steps, images, like)

    def of_piece(piece: tuple[slice, slice]) -> Array:
        whole, new = piece
        return _through(steps, images[whole, ...], like)[new, ...]

    return _joined(map_blocks(of_piece, of_one_size(images.shape[0], PREPROCESSING_BATCH), like, steps), like)


def _joined(parts: Iterator[Array], like: Array) -> Array:
    """Arrays joined, first in pieces: many small ones leave holes in the process's memory."""
    concat = namespace(like).concat
    pieces, few, numbers = list[Array](), list[Array](), 0
    for part in parts:
        few.append(part)
        numbers += prod(part.shape)
        if numbers >= PIECE_NUMBERS:
            pieces.append(concat(few))
            few, numbers = [], 0
    return concat([*pieces, *few])


def encode(
    network: Network, steps: tuple[Step, ...], images: Any, batch: int | None = None, progress: Progress = silent
) -> Array:
    """Features of images or objects, centred and of norm 1; patches are in memory for one `batch` at a time.

    n of them -> (n, features)
    """
    return namespace(network.like).concat(list(encode_blocks(network, steps, images, batch, progress)))


def encode_blocks(
    network: Network, steps: tuple[Step, ...], images: Any, batch: int | None = None, progress: Progress = silent
) -> Iterator[Array]:
    """The features of `batch` images or objects at a time, for features that do not fit in memory together."""
    return _blocks(lambda features: head_features(network, features), network, steps, images, batch, progress)


def bare_features(network: Network, data: Any, batch: int | None = None, progress: Progress = silent) -> Array:
    """The features as the network returns them, neither centred nor scaled: n examples -> (n, features)"""
    blocks = _blocks(lambda features: features, network, (), data, batch, progress)
    return namespace(network.like).concat(list(blocks))


def head_features(network: Network, features: Array) -> Array:
    """Features as a head takes them: each row centred and of norm 1, unless the network standardises columns."""
    return features if isinstance(network.readout, Standardised) else normalise_features(features)


def _blocks(
    finish: Callable[[Array], Array],
    network: Network,
    steps: tuple[Step, ...],
    data: Any,
    batch: int | None,
    progress: Progress,
) -> Iterator[Array]:
    """What `finish` returns for the features of one block after the other."""
    check_batch(batch)
    prepared = network.prepare()
    if is_collection(data):  # how many go at a time is seen of what the network takes
        data, steps = _through(steps, data, network.like), ()

    def of_piece(piece: tuple[Any, slice, int]) -> tuple[Array, int]:
        block, new, stop = piece
        block = block if is_collection(block) else _through(steps, block, network.like)
        features = prepared.flat(block)
        _require_norms(features, stop, "image" if network.embedding is None else "object")
        return finish(features)[new, :], stop

    pieces = batches(data, batch or prepared.batch_for(data))
    for features, stop in map_blocks(of_piece, pieces, prepared, steps):
        yield features
        progress("encoding", stop, count(data))


def _require_norms(features: Array, stop: int, noun: str) -> None:
    """Raise ValueError, with the image's number, for a norm that is not finite; `stop`: the last number + 1."""
    finite = to_host(_have_finite_norms(features))
    if not finite.all():
        first = stop - int(features.shape[0]) + int(finite.argmin())
        raise ValueError(
            f"{noun}s: the features of {noun} {first} (counted from 0) overflow {features.dtype}; "
            f"scale the {noun}s as in the training"
        )


@program
def _have_finite_norms(features: Array) -> Array:
    xp = namespace(features)
    return xp.isfinite(xp.sum(features * features, axis=1))


def _through(steps: tuple[Step, ...], images: Any, like: Array) -> Array:
    of_objects = is_collection(images)
    x = _moved(images, like) if of_objects else move(images, like)
    for step in steps:
        x = step(x)
    if of_objects:
        require_moderate(x)
    return x


def _moved(objects: Any, like: Array) -> Any:
    """Objects in the library, type and device of `like`. Raises ValueError for numbers out of its type's range."""
    most = float(namespace(like).finfo(like.dtype).max)
    with np.errstate(over="ignore"):  # it becomes an error
        found = objects.to(like)
    require_moderate(found, most)
    return found

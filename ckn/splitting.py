"""Images with labels, and those of them that are held out of a training: of each class as many as its share."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ckn.checks import check_images, check_labels, with_channels
from kerneltools.arrays import indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.random import Rng, generator, stream


def held_out(labels: Any, share: float, rng: Rng) -> npt.NDArray[np.bool_]:
    """Which rows are held out: a `share` in (0, 1) of each class.

    (n,) labels on the host -> (n,)

    Of a class with two images or more at least one is held out and at least one is kept; a single one is kept.
    Raises ValueError for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share}")
    drawn = generator(rng)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        chosen[drawn.permutation(rows)[:count]] = True
    return chosen


def validation_rows(labels: Any, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which rows of a training measure its epochs: the same ones for the same labels and seed."""
    return held_out(labels, share, stream(seed, "validation"))


def as_images(X: Any) -> Any:
    """Arrays as they are; nested lists as an array. Raises ValueError for images or series of several sizes."""
    if isinstance(X, np.ndarray) and X.dtype == np.object_ and X.ndim == 1:
        X = X.tolist()
    if hasattr(X, "shape"):
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(f"images: expected all of one size, got {_sizes(X)}") from error


def _sizes(X: Any) -> str:
    """What is unequal in a list of arrays or lists."""
    shapes = [tuple(x.shape) if hasattr(x, "shape") else (len(x),) if isinstance(x, list | tuple) else () for x in X]
    if len(set(shapes)) == 1:
        return "nested lists of unequal lengths"
    if len(lengths := {shape[0] for shape in shapes if shape}) > 1:
        return f"lengths from {min(lengths)} to {max(lengths)}: cut, pad or resample them first"
    first, other = list(dict.fromkeys(shapes))[:2]
    return f"shapes {first} and {other}: cut, pad or resize them first"


def labelled(X: Any, y: Any, axes: int | None, name: str = "") -> tuple[Any, Any]:
    """Images and their labels on the host; those without an axis for the channels get it, see `with_channels`.

    Raises what `as_images`, `with_channels`, `check_images` and `check_labels` raise, after the name.
    """
    try:
        X, y = as_images(X), to_host(y) if hasattr(y, "shape") else np.asarray(y)
        X = with_channels(X, axes)
        check_images(X)
        check_labels(y, X.shape[0], least=1 if name else 2)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}{error}") from error
    return X, y


def split_off(
    validation: float | tuple[Any, Any] | None, X: Any, y: Any, seed: int, axes: int | None = None
) -> tuple[Any, Any, tuple[Any, Any] | None]:
    """What to train on, and what to measure: a pair as given, or a share in (0, 1) of each class, drawn with the seed.

    (n, h, w, c), (n,) -> images, labels, and a pair of these or None

    `axes`: of the grid, for images (n, h, w) in the pair; see `labelled`.

    Raises ValueError for a pair that is wrong and where no class has two images.
    """
    if validation is None:
        return X, y, None
    if isinstance(validation, tuple | list):
        return X, y, labelled(*validation, axes, "validation: ")
    rows = validation_rows(y, validation, seed)
    if not rows.any():
        raise ValueError("validation: no class has two images, so none can be held out")
    return _taken(X, ~rows), y[~rows], (_taken(X, rows), y[rows])


def numbers_of(measured: tuple[Any, Any], classes: Any, shape: tuple[int, ...]) -> list[int]:
    """The labels of validation images as positions in the classes.

    Raises ValueError for images of another shape than in training, and for classes without a training image.
    """
    X, y = measured
    if tuple(X.shape[1:]) != shape:
        raise ValueError(f"validation: expected images of shape {shape}, as in training, got {tuple(X.shape[1:])}")
    place = {label: number for number, label in enumerate(classes.tolist())}
    if strangers := sorted({label for label in y.tolist() if label not in place}):
        raise ValueError(f"validation: classes without a training image: {', '.join(map(str, strangers[:5]))}")
    return [place[label] for label in y.tolist()]


def _taken(X: Any, chosen: Any) -> Any:
    """The images of the rows that are True."""
    xp = namespace(X)
    return xp.take(X, indices_like(np.flatnonzero(chosen), X), axis=0)

"""Checks of data from every reader, including those of third parties."""

from typing import Any

import numpy as np

from ckn.readers.examples import Examples
from ckn.readers.images import DataError, Dataset, Images, listed
from kerneltools.structures import Collection


def checked(data: Dataset, source: str) -> Dataset:
    """The same data. Raises DataError, naming the source, if they cannot be used."""
    _check_split(data, source)
    if data.test is not None:
        _check_split(data.test, f"{source}, test split")
        _check_pair(data, data.test, source)
    return data


def require_alike(train: Dataset, other: Dataset, source: str, of: str = "test") -> None:
    """Raise DataError, naming the source, if others differ from a training in kind, size or alphabet."""
    if isinstance(train, Images) and isinstance(other, Images):
        if train.images.shape[1:] != other.images.shape[1:]:
            raise DataError(
                f"{source}: training images of shape (h, w, c) = {train.images.shape[1:]}, "
                f"but {of} images of {other.images.shape[1:]}"
            )
    elif type(train.data) is not type(other.data):
        raise DataError(f"{source}: {of} {other.nouns}, but training {train.nouns}")
    elif isinstance(train, Examples) and (difference := train.data.differs(_objects(other))):
        raise DataError(f"{source}: {of} {other.nouns} that do not fit the training: expected {difference}")


def _objects(data: Dataset) -> Any:
    return data.data


def _check_split(data: Dataset, source: str) -> None:
    if isinstance(data, Images):
        _check_array(data, source)
        _check_finite(data, source)
    else:
        _check_objects(data, source)
    if data.names is not None and len(data.names) != len(data):
        raise DataError(f"{source}: {len(data)} {data.nouns}, but {len(data.names)} names")
    if data.labels is not None:
        _check_labels(data, source)


def _check_objects(data: Examples, source: str) -> None:
    if not isinstance(data.data, Collection):
        raise DataError(f"{source}: expected a collection of kerneltools.structures, got {type(data.data).__name__}")
    if len(data) == 0:
        raise DataError(f"{source}: there is no {data.noun} in it")
    offsets = getattr(data.data, "offsets", None)
    if offsets is not None and not (lengths := np.diff(offsets)).all():
        first = int(lengths.argmin())
        name = f" ({data.names[first]})" if data.names else ""
        raise DataError(
            f"{source}: {np.count_nonzero(lengths == 0)} of {data.described} are empty, the first is {data.noun} "
            f"{first}{name}; leave them out"
        )


def _check_array(data: Images, source: str) -> None:
    shape, dtype = data.images.shape, data.images.dtype
    if len(shape) != 4:
        raise DataError(f"{source}: expected images of shape (n, h, w, c), got shape {shape}")
    if shape[0] == 0:
        raise DataError(f"{source}: there is no image in it")
    if 0 in shape:
        raise DataError(f"{source}: images without pixels, of shape (n, h, w, c) = {shape}")
    if dtype != np.uint8 and not np.issubdtype(dtype, np.floating):
        raise DataError(f"{source}: expected images of type uint8 or floating-point, got {dtype}")


def _check_finite(data: Images, source: str) -> None:
    if data.images.dtype == np.uint8:
        return
    finite = np.isfinite(data.images).all(axis=(1, 2, 3))
    if not finite.all():
        first = int(np.argmin(finite))
        name = f" ({data.names[first]})" if data.names else ""
        raise DataError(
            f"{source}: NaN or infinity in {np.count_nonzero(~finite)} of {len(data)} images, "
            f"the first is image {first}{name}; remove them or replace the values"
        )


def _check_labels(data: Dataset, source: str) -> None:
    labels, k = np.asarray(data.labels), len(data.classes)
    if labels.shape != (len(data),):
        raise DataError(
            f"{source}: {len(data)} {data.nouns}, but labels of shape {labels.shape}; "
            f"expected one label per {data.noun}"
        )
    if labels.dtype != np.int64:
        raise DataError(f"{source}: expected labels of type int64, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= k:
        raise DataError(f"{source}: expected labels in 0..{k - 1} ({k} classes), got {labels.min()}..{labels.max()}")
    if len(set(data.classes)) != k:
        twice = sorted({name for name in data.classes if data.classes.count(name) > 1})
        raise DataError(f"{source}: classes named twice: {listed(twice)}")


def _check_pair(train: Dataset, test: Dataset, source: str) -> None:
    require_alike(train, test, source)
    if isinstance(train, Images) and isinstance(test, Images) and train.maximum != test.maximum:
        raise DataError(
            f"{source}: white is {train.maximum} in the training images ({train.images.dtype}), "
            f"but {test.maximum} in the test images ({test.images.dtype}); save both in one type and scale"
        )
    if train.classes != test.classes or (train.labels is None) != (test.labels is None):
        raise DataError(
            f"{source}: training classes ({listed(train.classes)}) and test classes ({listed(test.classes)}) differ"
        )
    if train.labels is not None and test.labels is not None:
        unknown = np.setdiff1d(test.labels, train.labels)
        if unknown.size:
            names = listed(train.classes[i] for i in unknown)
            raise DataError(f"{source}: test {train.nouns} of classes without a training {train.noun}: {names}")

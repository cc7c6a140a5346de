"""What holds for images from every reader, those of third parties too."""

import numpy as np

from ckn.readers.images import DataError, Images, listed


def checked(data: Images, source: str) -> Images:
    """The same images. Raises DataError, naming the source, when they cannot be used."""
    _check_split(data, source)
    if data.test is not None:
        _check_split(data.test, f"{source}, test split")
        _check_pair(data, data.test, source)
    return data


def _check_split(data: Images, source: str) -> None:
    _check_array(data, source)
    _check_finite(data, source)
    if data.names is not None and len(data.names) != len(data):
        raise DataError(f"{source}: {len(data)} images, but {len(data.names)} file names")
    if data.labels is not None:
        _check_labels(data, source)


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


def _check_labels(data: Images, source: str) -> None:
    labels, k = np.asarray(data.labels), len(data.classes)
    if labels.shape != (len(data),):
        raise DataError(
            f"{source}: {len(data)} images, but labels of shape {labels.shape}; expected one label per image"
        )
    if labels.dtype != np.int64:
        raise DataError(f"{source}: expected labels of type int64, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= k:
        raise DataError(f"{source}: expected labels in 0..{k - 1} ({k} classes), got {labels.min()}..{labels.max()}")
    if len(set(data.classes)) != k:
        twice = sorted({name for name in data.classes if data.classes.count(name) > 1})
        raise DataError(f"{source}: classes named twice: {listed(twice)}")


def _check_pair(train: Images, test: Images, source: str) -> None:
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{source}: training images of shape (h, w, c) = {train.images.shape[1:]}, "
            f"but test images of {test.images.shape[1:]}"
        )
    if train.maximum != test.maximum:
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
            raise DataError(f"{source}: test images of classes without a training image: {names}")

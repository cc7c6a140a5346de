"""NumPy .npz archives of images and labels."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ckn.readers.images import DataError, HostArray, Images, Source
from ckn.readers.labels import Coding, plain_labels


class _Names(NamedTuple):
    """The names under which an archive keeps images, labels, test images and test labels."""

    images: str
    labels: str
    test_images: str
    test_labels: str


_LAYOUTS = (
    _Names("images", "labels", "", ""),
    _Names("X_train", "y_train", "X_test", "y_test"),
    _Names("X", "y", "", ""),
)
# What zipfile, zlib and NumPy raise for damaged archives; RuntimeError for ones that look encrypted.
_DAMAGES = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
_WANTED = "images and labels, or X_train, y_train, X_test and y_test, or X and y; and, if you like, classes"


@dataclass(frozen=True)
class Npz:
    """Arrays `images` and `labels`, or `X_train`, `y_train`, `X_test`, `y_test`, or `X` and `y`.

    Upper and lower case are the same. Images (n, h, w) or (n, h, w, c): uint8 (white is 255), uint16
    (65535) or floating-point; other integers must lie in 0..255. `images` and `X` may come without labels.
    Labels: integers or strings, classes in sorted order. An array `classes` sets the names and their
    order; labels are then names, or, if they are integers and the classes are strings, counted from 0.
    """

    name: str = "npz"
    accepts: str = "a .npz file with the arrays " + _WANTED

    def recognises(self, source: Source) -> bool:
        return str(source).lower().endswith(".npz") and Path(source).is_file()

    def read(self, source: Source) -> Images:
        path = Path(source)
        with _archive(path) as arrays:
            names = _layout(arrays, path)
            train, maximum = _pixels(arrays[names.images], arrays.where(names.images))
            if names.labels not in arrays:
                return Images(train, maximum=maximum)
            labels = arrays.labels(names.labels)
            coding = Coding.of(labels, arrays.labels("classes") if "classes" in arrays else None)
            return Images(
                train,
                coding.encode(labels, arrays.where(names.labels)),
                coding.names,
                maximum,
                _test_split(arrays, names, coding),
            )


class _Arrays:
    """The arrays of an open archive; upper and lower case are the same."""

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file = path, file
        self._keys = {key.lower(): key for key in file.files}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._keys

    def __getitem__(self, name: str) -> HostArray:
        try:
            return np.asarray(self._file[self._keys[name.lower()]])
        except _DAMAGES as error:
            if "Object arrays" in str(error):
                raise DataError(
                    f"{self.where(name)} holds Python objects, which are not loaded (they can run code); "
                    "save plain numbers or strings, all images of one size"
                ) from error
            raise DataError(f"{self.where(name)} is damaged: {error}") from error

    def labels(self, name: str) -> HostArray:
        return plain_labels(self[name], self.where(name))

    def where(self, name: str) -> str:
        return f"{self._path}: {self._keys[name.lower()]}"

    def __str__(self) -> str:
        return ", ".join(sorted(self._keys.values())) or "no array"


@contextmanager
def _archive(path: Path) -> Iterator[_Arrays]:
    # A truncated archive has lost its directory, which stands at the end.
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not a .npz archive, or truncated; save it again with numpy.savez")
    try:
        file = np.load(path, allow_pickle=False)
    except _DAMAGES as error:
        raise DataError(f"{path}: damaged .npz archive: {error}") from error
    with file:
        yield _Arrays(path, file)


def _layout(arrays: _Arrays, path: Path) -> _Names:
    present = [names for names in _LAYOUTS if names.images in arrays]
    if len(present) != 1:
        raise DataError(f"{path}: found {arrays}; expected {_WANTED}")
    names = present[0]
    if names.test_images:
        together = ((names.images, names.labels), (names.test_images, names.test_labels))
        alone = [pair for pair in together if (pair[0] in arrays) != (pair[1] in arrays)]
        if alone:
            raise DataError(f"{path}: found {arrays}; expected both {' and '.join(alone[0])}")
    return names


def _test_split(arrays: _Arrays, names: _Names, coding: Coding) -> Images | None:
    if not names.test_images or names.test_images not in arrays:
        return None
    pixels, maximum = _pixels(arrays[names.test_images], arrays.where(names.test_images))
    labels = coding.encode(arrays.labels(names.test_labels), arrays.where(names.test_labels))
    return Images(pixels, labels, coding.names, maximum)


def _pixels(array: HostArray, where: str) -> tuple[HostArray, float | None]:
    """(n, h, w) or (n, h, w, c) of any type -> (n, h, w, c), uint8 or floating-point, and the value of white."""
    if array.ndim not in (3, 4):
        raise DataError(f"{where}: expected images of shape (n, h, w) or (n, h, w, c), got shape {array.shape}")
    images = array if array.ndim == 4 else array[..., np.newaxis]
    _refuse_channels_first(images, where)
    if images.dtype == np.uint8:
        return images, 255.0
    if images.dtype == np.uint16:
        return images.astype(np.float32), 65535.0
    if images.dtype.kind == "b":
        return images.astype(np.uint8), 1.0
    if images.dtype.kind in "iu":
        return _bytes(images, where), 255.0
    if images.dtype.kind == "f":
        return images.astype(images.dtype.newbyteorder("="), copy=False), None
    raise DataError(f"{where}: expected images of integers or floating-point numbers, got {images.dtype}")


def _bytes(images: HostArray, where: str) -> HostArray:
    if images.size and (images.min() < 0 or images.max() > 255):
        raise DataError(
            f"{where}: expected {images.dtype} images in 0..255, got {images.min()}..{images.max()}; "
            "save them as uint8, uint16 or floating-point"
        )
    return images.astype(np.uint8)


def _refuse_channels_first(images: HostArray, where: str) -> None:
    _, c, h, w = images.shape
    if c in (1, 3) and h == w and w > 4:
        raise DataError(
            f"{where}: shape {images.shape} looks like (n, c, h, w); expected (n, h, w, c): "
            "save numpy.moveaxis(x, 1, -1)"
        )

"""NumPy .npz archives of images and labels."""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ckn.readers.images import DataError, HostArray, Images, Source
from ckn.readers.labels import Coding, plain_labels
from ckn.readers.streams import at_most


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
# zipfile unpacks other methods without a bound, a million bytes and more for each one in the file.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_HEADER = 1 << 16  # bytes in which the header of an array must end; NumPy's end within 10,000
_WANTED = "images and labels, or X_train, y_train, X_test and y_test, or X and y; and, if you like, classes"


@dataclass(frozen=True)
class Npz:
    """Arrays `images` and `labels`, or `X_train`, `y_train`, `X_test`, `y_test`, or `X` and `y`.

    Names may be in upper or lower case. Images (n, h, w) or (n, h, w, c): uint8 (white is 255), uint16
    (65535) or floating-point; other integers must lie in 0..255. `images` and `X` may come without labels.
    Labels: integers or strings, classes in sorted order. An array `classes` sets the names and their
    order; labels are then names, or, if they are integers and the classes are strings, counted from 0. `numbers`:
    labels may be any numbers, whose classes are then their digits.
    """

    name: str = "npz"
    accepts: str = "a .npz file with the arrays " + _WANTED
    numbers: bool = False

    def recognises(self, source: Source) -> bool:
        return str(source).lower().endswith(".npz") and Path(source).is_file()

    def read(self, source: Source) -> Images:
        path = Path(source)
        with _archive(path, self.numbers) as arrays:
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
    """The arrays of an open archive; names may be in upper or lower case."""

    def __init__(self, path: Path, file: zipfile.ZipFile, numbers: bool) -> None:
        self._path, self._file, self._numbers = path, file, numbers
        self._members: dict[str, list[zipfile.ZipInfo]] = {}
        for member in file.infolist():
            self._members.setdefault(_key(member).lower(), []).append(member)

    def __contains__(self, name: str) -> bool:
        return bool(name) and bool(self._member(name))

    def __getitem__(self, name: str) -> HostArray:
        member = self._member(name)[0]
        try:
            if member.compress_type not in _METHODS:
                raise ValueError("packed as NumPy never does; save it again with numpy.savez_compressed")
            with self._file.open(member) as stream:
                return _array(stream, member.file_size)
        except MemoryError:
            raise
        except _ObjectsError as error:
            raise DataError(
                f"{self.where(name)} holds Python objects, which are not loaded (they can run code); "
                "save plain numbers or strings, all images of one size"
            ) from error
        except Exception as error:  # zipfile, its decompressors and NumPy's header, which is Python code, raise many
            raise DataError(f"{self.where(name)} is damaged: {_words(error)}") from error

    def _member(self, name: str) -> list[zipfile.ZipInfo]:
        """The array of that name, or nothing; raises DataError for several, none of which is the right one."""
        members = self._members.get(name.lower(), [])
        if len(members) > 1:
            keys = " and ".join(sorted(_key(member) for member in members))
            raise DataError(f"{self._path}: found {keys}, which differ in upper and lower case only; keep one")
        return members

    def labels(self, name: str) -> HostArray:
        return plain_labels(self[name], self.where(name), self._numbers)

    def where(self, name: str) -> str:
        return f"{self._path}: {_key(self._member(name)[0])}"

    def __str__(self) -> str:
        return ", ".join(sorted(_key(m) for members in self._members.values() for m in members)) or "no array"


class _ObjectsError(ValueError):
    """An array of Python objects, which only unpickling would read."""


def _key(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


@contextmanager
def _archive(path: Path, numbers: bool) -> Iterator[_Arrays]:
    # A truncated archive has lost its directory, which stands at the end.
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not a .npz archive, or truncated; save it again with numpy.savez")
    try:
        file = zipfile.ZipFile(path)
    except MemoryError:
        raise
    except Exception as error:  # BadZipFile, and struct.error, UnicodeError and others for what it does not look at
        raise DataError(f"{path}: damaged .npz archive: {_words(error)}") from error
    with file:
        yield _Arrays(path, file, numbers)


def _array(stream: IO[bytes], size: int) -> HostArray:
    """The array of a stream that should have `size` bytes. Raises any error for one that is damaged."""
    beginning = at_most(stream, _HEADER)
    shape, columns_first, dtype, offset = _header(beginning)
    wanted = prod(shape) * dtype.itemsize
    if wanted != size - offset:
        raise ValueError(
            f"the header says {'x'.join(map(str, shape))} items of {dtype} = {wanted} bytes, got {size - offset}"
        )
    body = at_most(stream, wanted, beginning[offset:])
    stream.read(1)  # zipfile compares the checksum at the end
    if len(body) != wanted:
        raise ValueError(f"truncated: expected {wanted} bytes, got {len(body)}")
    flat = np.frombuffer(body, dtype) if wanted else np.empty(0, dtype)
    return flat.reshape(shape[::-1]).T if columns_first else flat.reshape(shape)


def _header(content: bytearray) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether columns come first, type, and where the items begin."""
    stream = BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in _READ_HEADER:
        raise ValueError(f"the array is of version {version[0]}.{version[1]}, which is for records")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers of Python 2, which NumPy repairs, and of odd literals
            shape, columns_first, dtype = _READ_HEADER[version](stream)
    except MemoryError as error:  # of Python's parser, for thousands of brackets
        raise ValueError("the header of the array is nested too deeply") from error
    if dtype.hasobject:
        raise _ObjectsError
    # True counts as an integer for NumPy; items of no bytes, or of many values each, are no labels and no pixels.
    if not all(type(n) is int and n >= 0 for n in shape) or not dtype.itemsize or dtype.subdtype:
        raise ValueError(f"the header says shape {shape} and type {dtype}")
    return shape, columns_first, dtype, stream.tell()


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
    if images.dtype.kind == "u" and images.dtype.itemsize == 2:  # of either byte order
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

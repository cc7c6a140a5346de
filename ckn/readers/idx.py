"""The IDX format of MNIST and Fashion-MNIST (LeCun, Cortes and Burges 1998), plain or gzipped."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path

import numpy as np

from ckn.readers.images import DataError, HostArray, Images, Source
from ckn.readers.labels import Coding
from ckn.readers.streams import at_most

_Bytes = BufferedReader | gzip.GzipFile
_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTES = 0x0800  # the magic number without its last byte, the number of axes


@dataclass(frozen=True)
class Idx:
    """A folder with train-images-idx3-ubyte and its companions, with .gz or not, or one file of images.

    The labels of a single file are in the labels file of the same name in its folder, if there is one.
    """

    name: str = "idx"
    accepts: str = (
        "MNIST or Fashion-MNIST: a folder with train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz] "
        "and, for a test split, t10k-...; or one ...images-idx3-ubyte[.gz] file"
    )

    def recognises(self, source: Source) -> bool:
        path = Path(source)
        if path.is_dir():
            return any(_find(path, split, "images-idx3") for split in ("train", "t10k"))
        return "images" in path.name and "idx3" in path.name and path.is_file()

    def read(self, source: Source) -> Images:
        path = Path(source)
        if path.is_file():
            return _read_single(path)
        images, labels = _required(path, "train")
        pixels, values = _read_images(images), _read_labels(labels)
        coding = Coding.of(values)
        test = _read_test(path, coding) if _find(path, "t10k", "images-idx3") else None
        return Images(pixels, coding.encode(values, str(labels)), coding.names, 255.0, test)


def _read_single(path: Path) -> Images:
    pixels = _read_images(path)
    beside = path.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    labels = _first_file(path.parent, [beside, f"{beside}.gz"])
    if labels is None:
        return Images(pixels, maximum=255.0)
    values = _read_labels(labels)
    coding = Coding.of(values)
    return Images(pixels, coding.encode(values, str(labels)), coding.names, 255.0)


def _read_test(folder: Path, coding: Coding) -> Images:
    images, labels = _required(folder, "t10k")
    return Images(_read_images(images), coding.encode(_read_labels(labels), str(labels)), coding.names, 255.0)


def _required(folder: Path, split: str) -> tuple[Path, Path]:
    """The files of images and labels of a split; raises DataError if one does not exist."""
    images, labels = (_find(folder, split, kind) for kind in ("images-idx3", "labels-idx1"))
    if images is None or labels is None:
        missing = f"{split}-images-idx3-ubyte" if images is None else f"{split}-labels-idx1-ubyte"
        raise DataError(f"{folder}: no file {missing} or {missing}.gz in it")
    return images, labels


def _find(folder: Path, split: str, kind: str) -> Path | None:
    names = [f"{split}-{kind}-ubyte", f"{split}-{kind.replace('-', '.')}-ubyte"]
    return _first_file(folder, [name + end for name in names for end in ("", ".gz")])


def _first_file(folder: Path, names: list[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _read_images(path: Path) -> HostArray:
    """(n, h, w, 1) uint8"""
    return _read_array(path, 3, "images")[..., np.newaxis]


def _read_labels(path: Path) -> HostArray:
    """(n,) int64"""
    return _read_array(path, 1, "labels").astype(np.int64)


def _read_array(path: Path, rank: int, what: str) -> HostArray:
    """A uint8 array of that many axes; raises DataError if the header or the size differs."""
    with _content(path) as stream:
        shape = _shape(stream, rank, path, what)
        size = prod(shape)
        # One byte more shows whether there is more, and that the checksum at the end of a gzip is right.
        body = at_most(stream, size + 1)
        if len(body) != size:
            raise DataError(
                f"{path}: the header says {'x'.join(map(str, shape))} = {size} bytes of {what}, "
                f"got {_found(stream, path, len(body), size)}: truncated, or not one whole file"
            )
    if not size:  # here already, since NumPy has no array of shape (0, 2^32 - 1, 2^32 - 1)
        raise DataError(f"{path}: there is no image in it: the header says {'x'.join(map(str, shape))} bytes of {what}")
    return np.frombuffer(body, dtype=np.uint8).reshape(shape)


def _shape(stream: _Bytes, rank: int, path: Path, what: str) -> list[int]:
    header = at_most(stream, 4 * (1 + rank))
    if len(header) < 4 * (1 + rank):
        raise DataError(f"{path}: {len(header)} bytes are less than the header of an IDX file of {what}: truncated")
    magic, *shape = (int(v) for v in np.frombuffer(header, dtype=">u4"))
    if magic != _UNSIGNED_BYTES + rank:
        raise DataError(f"{path}: expected the magic number {_UNSIGNED_BYTES + rank} (IDX {what}), got {magic}")
    return shape


def _found(stream: _Bytes, path: Path, got: int, size: int) -> str:
    """How many bytes follow the header; a packed file is not unpacked further than needed to count them."""
    if got <= size:
        return str(got)
    if isinstance(stream, gzip.GzipFile):
        return f"at least {got}"
    return str(got + path.stat().st_size - stream.tell())


@contextmanager
def _content(path: Path) -> Iterator[_Bytes]:
    """The bytes of the file, unpacked as they are read if they are gzipped, whatever its name."""
    with path.open("rb") as raw:
        packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        if not packed:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        except DataError:
            raise
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: truncated or corrupt gzip file ({error}); get it again") from error

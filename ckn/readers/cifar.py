"""The binary version of CIFAR-10 (Krizhevsky 2009): one byte of label, 3072 of pixels, for each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ckn.readers.images import DataError, HostArray, Images, Source

SIDE = 32
_ROW = 1 + 3 * SIDE * SIDE
_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_NAMES_FILE = "batches.meta.txt"
_NAMES_SIZE = 1 << 16  # bytes, far more than ten names take


@dataclass(frozen=True)
class Cifar10:
    """A folder with data_batch_*.bin (training) and test_batch.bin (test), or one such file.

    Class names are those of batches.meta.txt in the same folder, if it exists, otherwise those of CIFAR-10.
    """

    name: str = "cifar10"
    accepts: str = "CIFAR-10, binary version: a folder with data_batch_*.bin and test_batch.bin, or one .bin file"

    def recognises(self, source: Source) -> bool:
        path = Path(source)
        if path.is_dir():
            return bool(_batches(path)) or any((path / f).is_file() for f in ("test_batch.bin", "data_batch_1"))
        return path.suffix.lower() == ".bin" and path.is_file()

    def read(self, source: Source) -> Images:
        path = Path(source)
        if path.is_file():
            return _read([path], _class_names(path.parent))
        classes, train, test = _class_names(path), _batches(path), path / "test_batch.bin"
        if not train:
            pickled = "; this is the Python version (pickles)" if (path / "data_batch_1").is_file() else ""
            raise DataError(f"{path}: no data_batch_*.bin in it{pickled}; get the binary version of CIFAR-10")
        return _read(train, classes, _read([test], classes) if test.is_file() else None)


def _batches(folder: Path) -> list[Path]:
    return sorted(folder.glob("data_batch_*.bin"))


def _class_names(folder: Path) -> tuple[str, ...]:
    path = folder / _NAMES_FILE
    if not path.is_file():
        return _CLASSES
    with path.open("rb") as file:
        content = file.read(_NAMES_SIZE)
    try:
        names = tuple(content.decode().split())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected {len(_CLASSES)} class names in UTF-8: {error}") from error
    if len(names) != len(_CLASSES):
        raise DataError(f"{path}: expected {len(_CLASSES)} class names, got {len(names)}")
    return names


def _read(files: Sequence[Path], classes: tuple[str, ...], test: Images | None = None) -> Images:
    counts = [_count(file) for file in files]
    images = np.empty((sum(counts), SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.empty(sum(counts), dtype=np.int64)
    start = 0
    for file, count in zip(files, counts, strict=True):
        part = slice(start, start + count)
        images[part], labels[part] = _batch(file)
        start += count
    return Images(images, labels, classes, 255.0, test)


def _count(file: Path) -> int:
    size = file.stat().st_size
    if size == 0 or size % _ROW:
        raise DataError(
            f"{file}: {size} bytes is not a whole number of rows of {_ROW} bytes (a label and 3x32x32 pixels): "
            "truncated, or not the binary version of CIFAR-10"
        )
    return size // _ROW


def _batch(file: Path) -> tuple[HostArray, npt.NDArray[np.uint8]]:
    """The images (n, 32, 32, 3), a view, and the labels (n,) of one file."""
    rows = np.fromfile(file, dtype=np.uint8).reshape(-1, _ROW)
    labels = rows[:, 0]
    if labels.max() >= len(_CLASSES):
        first = int(np.argmax(labels >= len(_CLASSES)))
        raise DataError(f"{file}: expected labels in 0..9, got {labels[first]} in row {first}")
    return rows[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels

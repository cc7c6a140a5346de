"""Picture files -> one array. Pillow is imported when the first file is."""

import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ckn.readers.images import DataError, HostArray, Pictures, Report, listed, optional_module, unwatched

USUAL_SIDE = 64
"""Pixels a side of pictures that differ in size or are large, if no size is asked for."""

AS_THEY_ARE = 256
"""Pixels a side up to which files of one size are unchanged."""

WHITE = (255, 255, 255)

_COMMON = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Pillow only knows these by name, or has another program draw them.
_NOT_DECODED = ("BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF")
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places
_GREY = ("1", "L", "LA", "La")
_LISTED = 50
_LAYERED = ("MPO", "PSD")  # their first picture is the whole one


@dataclass(frozen=True)
class Decoded:
    """The pixels (n, h, w, c) of the files that could be read, their places in the list, and what was done."""

    pixels: HostArray
    kept: tuple[int, ...]
    pictures: Pictures


@cache
def extensions() -> tuple[str, ...]:
    """The endings of picture files' names, in lower case: all formats of Pillow; a few if it is not installed."""
    try:
        pillow: Any = import_module("PIL.Image")
    except ImportError:
        return _COMMON
    pillow.init()
    return tuple(end for end, kind in pillow.registered_extensions().items() if kind in _formats(pillow))


def decode(
    files: Sequence[Path], wanted: Pictures, skip_unreadable: bool = False, report: Report = unwatched
) -> Decoded:
    """The pixels of files as `wanted`; by default grey if all files are grey, red, green and blue otherwise.

    n files -> (n, h, w, 1) or (n, h, w, 3), uint8

    Warnings tell what was reduced or chosen. Memory grows as files are read.

    Raises DataError, which lists all files that cannot be read, or, with `skip_unreadable`, only if none can.
    """
    if wanted.size is None:
        try:
            return _decoded(files, wanted, skip_unreadable, report, _Told())
        except _SizesDifferError:
            told = _Told()
            wanted = replace(wanted, size=_size_for(files, told))
            return _decoded(files, wanted, skip_unreadable, report, told)
    return _decoded(files, wanted, skip_unreadable, report, _Told())


class _SizesDifferError(Exception):
    """The files have several sizes, or are large, and no size was asked for."""


@dataclass(eq=False)
class _Told:
    """What warnings say about files, sorted by what it is."""

    lines: list[str] = field(default_factory=list)
    files: dict[str, list[Path]] = field(default_factory=dict)

    def of(self, what: str, file: Path) -> None:
        """Note it for this file."""
        self.files.setdefault(what, []).append(file)

    def say(self, count: int) -> None:
        """Issue the warnings, one for each kind."""
        shown = [f"{len(f)} of {count} pictures {what}: {listed(f, 3)}" for what, f in self.files.items()]
        for line in [*self.lines, *shown]:
            warnings.warn(line, stacklevel=6)


def _decoded(files: Sequence[Path], wanted: Pictures, skip_unreadable: bool, report: Report, told: _Told) -> Decoded:
    content, shape = bytearray(), (0, 0, 0)
    kept: list[int] = []
    failures: list[str] = []
    for number, file in enumerate(files):
        report("reading pictures", number, len(files))
        try:
            pixels = _pixels(file, wanted, told)
        except DataError as error:
            failures.append(str(error))
            continue
        shape = shape if kept else pixels.shape
        if pixels.shape[:2] != shape[:2]:
            raise _SizesDifferError
        if pixels.shape[2] > shape[2]:  # grey so far, colour from here on
            content, shape = bytearray(np.repeat(np.frombuffer(content, np.uint8), 3)), pixels.shape
        content += (pixels if pixels.shape == shape else np.broadcast_to(pixels, shape)).tobytes()
        kept.append(number)
    report("reading pictures", len(files), len(files))
    if failures and not (skip_unreadable and kept):
        raise DataError(_unreadable(failures, len(files)))
    if failures:
        told.lines.append(f"left out {len(failures)} of {len(files)} pictures: {'; '.join(failures[:_LISTED])}")
    told.say(len(files))
    pixels = np.frombuffer(content, np.uint8).reshape(len(kept), *shape)
    done = Pictures((shape[0], shape[1]), shape[2], wanted.background or WHITE)
    return Decoded(pixels, tuple(kept), done)


def _unreadable(failures: Sequence[str], count: int) -> str:
    advice = "repair or remove {0}, or leave {0} out with --skip-unreadable (skip_unreadable=True)"
    if count == 1:
        return failures[0]
    if len(failures) == 1:
        return f"{failures[0]}; {advice.format('it')}"
    more = [f"and {len(failures) - _LISTED} more"] if len(failures) > _LISTED else []
    lines = "\n  ".join([*failures[:_LISTED], *more])
    return f"{len(failures)} of {count} pictures cannot be read; {advice.format('them')}:\n  {lines}"


def _size_for(files: Sequence[Path], told: _Told) -> tuple[int, int]:
    """(height, width) for pictures of several sizes, or large ones, from their headers."""
    sizes = [size for file in files if (size := _size(file))]
    usual, count = Counter(sizes).most_common(1)[0]
    side = min(USUAL_SIDE, int(median(map(min, sizes))))
    width, height = usual if 2 * count > len(sizes) and max(usual) <= AS_THEY_ARE else (side, side)
    least, most = min(sizes, key=_area), max(sizes, key=_area)
    found = _shown(least) if least == most else f"{_shown(least)} to {_shown(most)}"
    told.lines.append(
        f"{len(files)} pictures of {found} pixels (width x height) become {_shown((width, height))}: scaled, and "
        "cropped in the middle; --size WIDTHxHEIGHT, or Pictures(size=(height, width)), takes another size"
    )
    return height, width


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height as the camera was held, from the header; None if it cannot be read."""
    try:
        with _opened(path) as picture:
            width, height = picture.size
            return (height, width) if _turned(picture) else (width, height)
    except DataError:
        return None


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _pixels(path: Path, wanted: Pictures, told: _Told) -> HostArray:
    """(h, w, 1) or (h, w, 3), uint8, turned as the camera was held, of the wanted size."""
    with _opened(path) as picture:
        if wanted.size is None and max(picture.size) > AS_THEY_ARE:
            raise _SizesDifferError
        if wanted.size is not None:
            _draft(picture, wanted.size)
        if getattr(picture, "is_animated", False) and picture.format not in _LAYERED:
            told.of("have several frames, of which the first is read", path)
        deep = any(";16" in str(tile[3]) for tile in picture.tile)
        picture.load()
        operations = optional_module("PIL.ImageOps", "Pillow")
        operations.exif_transpose(picture, in_place=True)
        plain = _plain(_of_bytes(picture, deep, path, told), wanted, path, told)
        if wanted.size is not None:
            height, width = wanted.size
            plain = operations.fit(plain, (width, height), optional_module("PIL.Image", "Pillow").Resampling.BICUBIC)
        array = np.asarray(plain)
    return array if array.ndim == 3 else array[..., np.newaxis]


def _draft(picture: Any, size: tuple[int, int]) -> None:
    """Decode a JPEG at a smaller scale, which is much faster, but at least twice the final size."""
    width, height = picture.size
    wanted = size if _turned(picture) else size[::-1]
    scale = 2 * max(wanted[0] / width, wanted[1] / height)
    if scale < 1:
        picture.draft(None, (ceil(scale * width), ceil(scale * height)))


def _turned(picture: Any) -> bool:
    return bool(picture.getexif().get(_ORIENTATION, 1) >= 5)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The picture, not yet decoded; whatever Pillow raises becomes a DataError that names the file."""
    pillow = optional_module("PIL.Image", "Pillow")
    pillow.init()
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe waits for somebody to write
            raise DataError(f"{path}: not a file but a folder, pipe, socket or device; remove it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which say nothing of the pixels
            with pillow.open(path, formats=_formats(pillow)) as picture:
                yield picture
    except (DataError, MemoryError, _SizesDifferError):
        raise
    except Exception as error:  # damaged files raise OSError, SyntaxError, struct.error, zlib.error and others
        raise _failure(path, error) from error


def _formats(pillow: Any) -> list[str]:
    return [kind for kind in pillow.OPEN if kind not in _NOT_DECODED]


def _failure(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file")
    if isinstance(error, OSError) and error.errno:  # the system's, not Pillow's
        return DataError(f"{path}: cannot be read: {error.strerror}")
    if isinstance(error, ValueError) and not os.path.exists(path):  # no name of a file: NUL, or half a character
        return DataError(f"{str(path)!r}: no such file: {error}")
    if path.stat().st_size == 0:
        return DataError(f"{path}: the file is empty")
    if type(error).__name__ == "UnidentifiedImageError":
        return DataError(f"{path}: not a picture that Pillow knows, or damaged from its beginning on")
    return DataError(f"{path}: cannot be read as a picture: {error or type(error).__name__}")


def _of_bytes(picture: Any, deep: bool, path: Path, told: _Told) -> Any:
    """The same picture with 8 bits a channel."""
    if picture.mode.startswith("I"):
        if not picture.mode.startswith("I;16") and picture.format not in ("PNG", "PPM"):
            raise DataError(
                f"{path}: integers of 32 bits, whose value of white is unknown; save 8 or 16 bits, or an .npz file"
            )
        told.of(_DEEP, path)
        return _upper_bits(picture, path, told)
    if picture.mode == "F":
        raise DataError(f"{path}: floating-point numbers, whose value of white is unknown; save them in an .npz file")
    if deep:  # Pillow has colour of 16 bits as RGB of 8, the upper ones; how a file packs its pixels says it
        told.of(_DEEP, path)
    return picture


_DEEP = "have 16 bits a channel, of which the upper 8 are read (for all 16, save them as uint16 in an .npz file)"
_DARK = "use less than a 16th of their 16 bits, and become nearly black; save them brighter, or in an .npz file"


def _upper_bits(picture: Any, path: Path, told: _Told) -> Any:
    pillow = optional_module("PIL.Image", "Pillow")
    values = np.asarray(picture.convert("I"))
    if values.max() < 2**12:
        told.of(_DARK, path)
    grey = pillow.fromarray((values >> 8).astype(np.uint8))
    if (clear := picture.info.get("transparency")) is not None:
        grey.putalpha(pillow.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def _plain(picture: Any, wanted: Pictures, path: Path, told: _Told) -> Any:
    """The picture as 8 bits of grey, or of red, green and blue, on its background."""
    grey = picture.mode in _GREY
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema()[0] < 255:  # an opaque alpha says nothing
            background = wanted.background or WHITE
            grey = grey and len(set(background)) == 1
            if wanted.background is None:
                told.of("have transparent pixels, put on white (--background takes another colour)", path)
            below = optional_module("PIL.Image", "Pillow").new("RGBA", picture.size, (*background, 255))
            below.alpha_composite(picture)
            picture = below
    if wanted.channels == 1 and not grey:
        told.of("in colour are read as grey", path)
    mode = {1: "L", 3: "RGB", None: "L" if grey else "RGB"}[wanted.channels]
    return picture if picture.mode == mode else picture.convert(mode)

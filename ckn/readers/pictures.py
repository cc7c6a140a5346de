"""PNG and JPEG files -> one array. Pillow is imported when the first file is."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ckn.readers.images import DataError, HostArray, optional_module

EXTENSIONS = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
_GREY = ("1", "L", "LA")


# No image has more pixels for each byte of its file: one bit each in a PNG, whose compression is at most 1032:1.
_PIXELS_PER_BYTE = 8 * 1032


class _Header(NamedTuple):
    """What a file says before its pixels: width and height, the way the camera was held, and whether it is grey."""

    size: tuple[int, int]
    grey: bool


def decode(files: Sequence[Path]) -> HostArray:
    """The pixels of files of one size: grey if all are grey, red, green and blue otherwise.

    n files -> (n, h, w, 1) or (n, h, w, 3), uint8

    All headers are read before the pixels of any: memory is asked for when the sizes are known to be one.

    Raises DataError, naming the file, for one that is unreadable, truncated, transparent, of more than
    8 bits, or of another size than most.
    """
    headers = [_header(file) for file in files]
    sizes = [header.size for header in headers]
    try:
        return _decoded(files, sizes, all(header.grey for header in headers))
    except _OddSizeError:
        # The orientation may stand behind the pixels: some programs that edit metadata put it there.
        sizes = [_header(file, whole=True).size for file in files]
        return _decoded(files, sizes, all(header.grey for header in headers))


def _decoded(files: Sequence[Path], sizes: Sequence[tuple[int, int]], grey: bool) -> HostArray:
    if len(set(sizes)) > 1:
        raise _odd_size(files, sizes)
    width, height = sizes[0]
    images = np.empty((len(files), height, width, 1 if grey else 3), dtype=np.uint8)
    for image, file in zip(images, files, strict=True):
        pixels = _pixels(file)
        if pixels.shape[:2] != (height, width):
            raise _OddSizeError(f"{file}: {pixels.shape[1]}x{pixels.shape[0]} pixels, its header says {width}x{height}")
        image[...] = pixels  # grey among colours becomes three channels
    return images


class _OddSizeError(DataError):
    """A file of another size than the others, or than its header says."""


def _header(path: Path, whole: bool = False) -> _Header:
    """What the file says before its pixels; `whole`: behind them too, which takes as long as decoding."""
    with _opened(path) as picture:
        _check_depth(picture, path)
        width, height = picture.size
        size = path.stat().st_size
        if width * height > _PIXELS_PER_BYTE * size:
            raise DataError(f"{path}: the header says {width}x{height} pixels, but the file has {size} bytes: damaged")
        if whole and width != height:
            picture.load()
        turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) >= 5
        return _Header((height, width) if turned else (width, height), picture.mode in _GREY)


def _check_depth(picture: Any, path: Path) -> None:
    # Pillow has colour of 16 bits as RGB of 8, the upper ones; how a file packs its pixels says what it holds.
    packed = [tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in picture.tile]
    if picture.mode not in (*_GREY, *_COLOUR) or any(";16" in str(name) for name in packed):
        raise DataError(
            f"{path}: Pillow mode {picture.mode} from {', '.join(packed)} (more than 8 bits, or no picture of light); "
            "save it with 8 bits of grey or of red, green and blue; for 16 bits, save all as uint16 in an .npz file"
        )


def _pixels(path: Path) -> HostArray:
    """(h, w, 1) or (h, w, 3), uint8, turned the way the camera was held."""
    with _opened(path) as picture:
        picture.load()
        if "exif" in picture.info:
            optional_module("PIL.ImageOps", "Pillow").exif_transpose(picture, in_place=True)
        array = np.asarray(_plain(picture, path))
    return array if array.ndim == 3 else array[..., np.newaxis]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The picture, not yet decoded; whatever Pillow raises becomes a DataError that names the file."""
    pillow = optional_module("PIL.Image", "Pillow")
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe waits for somebody to write
            raise DataError(f"{path}: not a file but a folder, pipe, socket or device; remove it")
        with pillow.open(path, formats=_FORMATS) as picture:
            yield picture
    except (DataError, MemoryError):
        raise
    except Exception as error:  # damaged files raise OSError, SyntaxError, struct.error, zlib.error and others
        raise _failure(path, error) from error


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
        return DataError(f"{path}: not a PNG or JPEG file, or damaged from its beginning on")
    return DataError(f"{path}: cannot be read as PNG or JPEG: {error or type(error).__name__}")


def _plain(picture: Any, path: Path) -> Any:
    """The picture as 8 bits of grey, or of red, green and blue."""
    mode = "L" if picture.mode in _GREY else "RGB"
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        # What lies behind a transparent pixel is not for a reader to guess; an opaque alpha says nothing.
        if picture.getchannel("A").getextrema()[0] < 255:
            raise DataError(f"{path}: it has transparent pixels; put it on a background first")
    return picture if picture.mode == mode else picture.convert(mode)


def _odd_size(files: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> _OddSizeError:
    usual, count = Counter(sizes).most_common(1)[0]
    odd = next(i for i, size in enumerate(sizes) if size != usual)
    return _OddSizeError(
        f"{files[odd]}: {_pixel_size(sizes[odd])} pixels, but expected {_pixel_size(usual)} (width x height) as in "
        f"{count} of the {len(files)} files; crop or resize all to one size"
    )


def _pixel_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

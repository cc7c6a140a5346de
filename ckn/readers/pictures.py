"""PNG and JPEG files -> one array. Pillow is imported when the first file is."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ckn.readers.images import DataError, HostArray, optional_module

EXTENSIONS = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_ORIENTATION = 0x0112  # the EXIF tag; from 5 on, width and height change places
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
_GREY = ("1", "L", "LA")


def decode(files: Sequence[Path]) -> HostArray:
    """The pixels of files of one size: grey if all are grey, red, green and blue otherwise.

    n files -> (n, h, w, 1) or (n, h, w, 3), uint8

    Memory grows as files are read: a large first one among small ones asks for no more than its own.

    Raises DataError, naming the file, for one that is unreadable, truncated, transparent, of more than
    8 bits, or of another size than most.
    """
    content, shape = bytearray(), (0, 0, 0)
    for file in files:
        pixels = _pixels(file)
        shape = shape if content else pixels.shape
        if pixels.shape[:2] != shape[:2]:
            raise _odd_size(files)
        if pixels.shape[2] > shape[2]:  # grey so far, colour from here on
            content, shape = bytearray(np.repeat(np.frombuffer(content, np.uint8), 3)), pixels.shape
        content += (pixels if pixels.shape == shape else np.broadcast_to(pixels, shape)).tobytes()
    return np.frombuffer(content, np.uint8).reshape(len(files), *shape)


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
        _check_depth(picture, path)
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


def _odd_size(files: Sequence[Path]) -> DataError:
    """The error for the first file whose size is not that of most."""
    sizes = [_size(file) for file in files]
    usual, count = Counter(sizes).most_common(1)[0]
    odd = next(i for i, size in enumerate(sizes) if size != usual)
    return DataError(
        f"{files[odd]}: {_pixel_size(sizes[odd])} pixels, but expected {_pixel_size(usual)} (width x height) as in "
        f"{count} of the {len(files)} files; crop or resize all to one size"
    )


def _size(path: Path) -> tuple[int, int]:
    """Width and height, the way the camera was held; only files that may be turned are read beyond their header."""
    with _opened(path) as picture:
        width, height = picture.size
        if width != height and "exif" not in picture.info:
            picture.load()  # some programs write the orientation behind the pixels
        turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) >= 5
        return (height, width) if turned else (width, height)


def _pixel_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

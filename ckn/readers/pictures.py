"""PNG and JPEG files -> one array. Pillow is imported when the first file is."""

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

    Raises DataError, naming the file, for one that is unreadable, truncated, transparent, of more than
    8 bits, or of another size than most.
    """
    first = _pixels(files[0])
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    images[0] = first
    for i, file in enumerate(files[1:], start=1):
        pixels = _pixels(file)
        if pixels.shape[:2] != images.shape[1:3]:
            raise _odd_size(files)
        if pixels.shape[2] > images.shape[3]:
            images = np.repeat(images, 3, axis=3)  # grey so far, colour from here on
        images[i] = pixels
    return images


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
        with pillow.open(path, formats=_FORMATS) as picture:
            yield picture
    except DataError:
        raise
    except Exception as error:  # damaged files raise OSError, SyntaxError, struct.error, zlib.error and others
        raise _failure(path, error) from error


def _failure(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file")
    if path.is_file() and path.stat().st_size == 0:
        return DataError(f"{path}: the file is empty")
    if type(error).__name__ == "UnidentifiedImageError":
        return DataError(f"{path}: not a PNG or JPEG file, or damaged from its beginning on")
    return DataError(f"{path}: cannot be read as PNG or JPEG: {error}")


def _plain(picture: Any, path: Path) -> Any:
    """The picture as 8 bits of grey, or of red, green and blue."""
    if picture.mode not in (*_GREY, *_COLOUR):
        raise DataError(
            f"{path}: Pillow mode {picture.mode} (more than 8 bits, or no picture of light); "
            "save it with 8 bits of grey or of red, green and blue"
        )
    mode = "L" if picture.mode in _GREY else "RGB"
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        # What lies behind a transparent pixel is not for a reader to guess; an opaque alpha says nothing.
        if picture.getchannel("A").getextrema()[0] < 255:
            raise DataError(f"{path}: it has transparent pixels; put it on a background first")
    return picture if picture.mode == mode else picture.convert(mode)


def _odd_size(files: Sequence[Path]) -> DataError:
    """The error for the first file whose size is not that of most; reads headers only."""
    sizes = [_size(file) for file in files]
    usual, count = Counter(sizes).most_common(1)[0]
    odd = next(i for i, size in enumerate(sizes) if size != usual)
    return DataError(
        f"{files[odd]}: {_pixel_size(sizes[odd])} pixels, but expected {_pixel_size(usual)} (width x height) as in "
        f"{count} of the {len(files)} files; crop or resize all to one size"
    )


def _size(path: Path) -> tuple[int, int]:
    with _opened(path) as picture:
        width, height = picture.size
        turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) >= 5
    return (height, width) if turned else (width, height)


def _pixel_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

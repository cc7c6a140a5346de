"""Images and labels from files: one reader for each format.

>>> from ckn.readers import read
>>> digits = read("digits")
>>> digits.images.shape, digits.maximum, len(digits.classes)
((1797, 8, 8, 1), 16.0, 10)
"""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from ckn.readers.checks import checked
from ckn.readers.cifar import Cifar10
from ckn.readers.digits import Digits
from ckn.readers.folders import ImageFile, ImageFolder
from ckn.readers.idx import Idx
from ckn.readers.images import DataError, Images, Pictures, Reader, Report, Source, SourceNotFoundError
from ckn.readers.npz import Npz

__all__ = ["READERS", "DataError", "Images", "Pictures", "Reader", "Source", "SourceNotFoundError", "read"]

# From the general to the special: later ones are asked first.
READERS: tuple[Reader, ...] = (ImageFolder(), ImageFile(), Npz(), Idx(), Cifar10(), Digits())

_Path = str | PathLike[str]


def read(
    source: _Path | Iterable[_Path],
    readers: tuple[Reader, ...] = READERS,
    *,
    pictures: Pictures | None = None,
    skip_unreadable: bool = False,
    report: Report | None = None,
) -> Images:
    """The images of a file, a folder, an embedded data set ("digits") or a list of image files.

    readers: the last one that recognises the source reads it, so `(*READERS, MyReader())` adds a format.
    pictures: how picture files become images of one shape; `read(more, pictures=data.pictures)` treats them as `data`.
    skip_unreadable: leave out picture files that cannot be read, with a warning that lists them.
    report: `report(stage, done, total)` is told how far the reading of picture files is.

    What was chosen, reduced or left out is said in warnings.

    Raises SourceNotFoundError when nothing of that name is there, DataError when no reader recognises it or
    the data are damaged (it lists all pictures that cannot be read), and ImportError, with the install line, when a
    reader's package is missing.
    """
    several = [source] if isinstance(source, str | PathLike) else _paths(source)
    if len(several) != 1:
        reader: ImageFile = _as_asked(ImageFile(), pictures, skip_unreadable, report)
        return checked(reader.read_all([Path(path) for path in several]), f"{len(several)} files")
    readers = tuple(
        _as_asked(reader, pictures, skip_unreadable, report) if isinstance(reader, ImageFile | ImageFolder) else reader
        for reader in readers
    )
    return _read_one(several[0] if isinstance(several[0], str) else Path(several[0]), readers)


def _as_asked(
    reader: ImageFile | ImageFolder, pictures: Pictures | None, skip_unreadable: bool, report: Report | None
) -> Any:
    """The reader of picture files with what was asked for, and its own of what was not."""
    return replace(
        reader,
        pictures=pictures or reader.pictures,
        skip_unreadable=skip_unreadable or reader.skip_unreadable,
        report=report or reader.report,
    )


def _paths(source: object) -> list[_Path]:
    wanted = "source: expected a path, the name of a data set or several paths (str or os.PathLike)"
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise DataError(f"{wanted}, got {type(source).__name__}")
    several = list(source)
    for path in several:
        if not isinstance(path, str | PathLike):
            raise DataError(f"{wanted}, got one with {type(path).__name__} in it")
    return several


def _read_one(source: Source, readers: tuple[Reader, ...]) -> Images:
    # An empty word would be taken for the current folder.
    reader = next((r for r in reversed(readers) if _recognises(r, source)), None) if str(source) else None
    if reader is None:
        raise _unknown(source, readers)
    try:
        return checked(reader.read(source), str(source))
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{error.filename or source}: cannot be read: {error.strerror or error}") from error


def _recognises(reader: Reader, source: Source) -> bool:
    try:
        return reader.recognises(source)
    except (OSError, ValueError):  # a name that is too long, a folder that may not be entered
        return False


def _unknown(source: Source, readers: tuple[Reader, ...]) -> DataError:
    formats = "\n".join(f"  {reader.name}: {reader.accepts}" for reader in readers)
    wanted = f"expected one of\n{formats}"
    try:
        if str(source) and Path(source).stat():
            return DataError(f"{source}: not a format that a reader recognises; {wanted}")
    except (FileNotFoundError, NotADirectoryError):
        pass  # told below, with names that are near
    except OSError as error:
        return DataError(f"{str(source)!r}: cannot be read: {error.strerror or error}; {wanted}")
    except ValueError as error:  # a NUL, or half a character
        return SourceNotFoundError(f"{str(source)!r}: no file can have this name: {error}; {wanted}")
    near = _near_names(source, readers)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return SourceNotFoundError(f"{str(source)!r}: no such file, folder or data set{hint}; {wanted}")


def _near_names(source: Source, readers: tuple[Reader, ...]) -> list[str]:
    """Embedded data sets, and what lies in the same folder, with a name much like this one."""
    path = Path(source)
    embedded = [reader.name for reader in readers if reader.recognises(reader.name)]
    beside = [p.name for p in path.parent.glob("[!.]*")] if path.name else []
    files = [str(path.with_name(name)) for name in get_close_matches(path.name, beside)]
    return [*get_close_matches(str(source), embedded), *files]

"""Images, sequences, graphs and series, with their labels, from files: one reader for each format.

>>> from ckn.readers import read
>>> digits = read("digits")
>>> digits.data.shape, digits.maximum, len(digits.classes)
((1797, 8, 8, 1), 16.0, 10)
"""

from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from ckn.readers.checks import checked
from ckn.readers.cifar import Cifar10
from ckn.readers.digits import Digits
from ckn.readers.examples import Examples
from ckn.readers.fasta import Fasta
from ckn.readers.folders import ImageFile, ImageFolder
from ckn.readers.idx import Idx
from ckn.readers.images import DataError, Dataset, Images, Pictures, Reader, Report, Source, SourceNotFoundError
from ckn.readers.npz import Npz
from ckn.readers.series import Ts, Ucr
from ckn.readers.tables import LabelTable
from ckn.readers.tudataset import TUDataset
from kerneltools.structures import Alphabet

__all__ = [
    "READERS",
    "DataError",
    "Dataset",
    "Examples",
    "Images",
    "LabelTable",
    "Pictures",
    "Reader",
    "Source",
    "SourceNotFoundError",
    "read",
]

# From the general to the special: later ones are asked first.
READERS: tuple[Reader, ...] = (
    *(ImageFolder(), ImageFile(), Npz(), Idx(), Cifar10()),
    *(Fasta(), TUDataset(), Ucr(), Ts()),
    Digits(),
)

_TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
_TABLE = (
    "\nA table of numbers is for the estimators, in Python: KernelClassifier().fit(x, labels), "
    "from kerneltools.estimators"
)

_Path = str | PathLike[str]


def read(
    source: _Path | Iterable[_Path],
    readers: tuple[Reader, ...] = READERS,
    *,
    pictures: Pictures | None = None,
    skip_unreadable: bool = False,
    labels: _Path | LabelTable | None = None,
    alphabet: Alphabet | None = None,
    report: Report | None = None,
    numbers: bool = False,
) -> Dataset:
    """Read a file, a folder, an embedded data set ("digits") or a list of image files: `Images` or `Examples`.

    readers: the last one that recognises the source reads it, so `(*READERS, MyReader())` adds a format.
    pictures: how picture files become images of one shape; `read(more, pictures=data.pictures)` treats them as `data`.
    skip_unreadable: leave out picture files that cannot be read, with a warning that lists them.
    labels: a table of names and classes, for sequences: a file, or the result of `LabelTable.of_file`. With a file, a
    warning tells of labels for records that are not in the source.
    alphabet: the alphabet of the sequences, such as that of a training; guessed from their letters if it is not given.
    report: `report(stage, done, total)` is called as picture files are read.
    numbers: labels of an .npz file may be any numbers, for a model that predicts numbers.

    Warnings tell what was chosen, reduced or left out.

    Raises SourceNotFoundError if nothing of that name exists, DataError if no reader recognises it, if the data are
    damaged (it lists all pictures that cannot be read), or if they take no labels from a table, and ImportError, with
    the install line, if a reader's package is missing.

    >>> digits = read("digits")
    >>> digits.images.shape, digits.labels[:4]
    ((1797, 8, 8, 1), array([0, 1, 2, 3]))
    """
    several = [source] if isinstance(source, str | PathLike) else _paths(source)
    table = labels if isinstance(labels, LabelTable) or labels is None else LabelTable.of_file(labels)
    wanted: dict[str, Any] = {"pictures": pictures, "skip_unreadable": skip_unreadable or None, "labels": table}
    wanted |= {"alphabet": alphabet, "report": report, "numbers": numbers or None}
    told = tuple(_as_asked(reader, wanted) for reader in readers)
    if len(several) != 1:
        return _read_several([Path(path) for path in several], told, wanted)
    found = _read_one(several[0] if isinstance(several[0], str) else Path(several[0]), told, table)
    if table is not None and table is not labels:
        table.warn_of_others(_all_names(found), str(several[0]))
    return found


def _as_asked(reader: Any, wanted: dict[str, Any]) -> Any:
    """The reader with those of the options that it has."""
    if not is_dataclass(reader) or isinstance(reader, type):
        return reader
    known = {f.name for f in fields(reader)}
    return replace(reader, **{name: value for name, value in wanted.items() if value is not None and name in known})


def _all_names(data: Dataset) -> tuple[str, ...]:
    return (*(data.names or ()), *((data.test and data.test.names) or ()))


def _read_several(files: list[Path], readers: tuple[Reader, ...], wanted: dict[str, Any]) -> Dataset:
    """Picture files."""
    for path in files:
        reader = next((r for r in reversed(readers) if _recognises(r, path)), None)
        if reader is not None and not isinstance(reader, ImageFile | ImageFolder):
            raise DataError(
                f"{path}: several files are read at once where they are pictures only; give one, or join them"
            )
    if wanted["labels"] is not None:
        raise DataError(_no_labels(wanted["labels"], f"{len(files)} files"))
    pictures: ImageFile = _as_asked(ImageFile(), wanted)
    return checked(pictures.read_all(files), f"{len(files)} files")


def _no_labels(table: LabelTable, source: str) -> str:
    return (
        f"{table.path}: labels from a table are for sequences in a FASTA file only; {source} has its classes, if any, "
        "in its own way"
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


def _read_one(source: Source, readers: tuple[Reader, ...], table: LabelTable | None = None) -> Dataset:
    # An empty word would be taken for the current folder.
    reader = next((r for r in reversed(readers) if _recognises(r, source)), None) if str(source) else None
    if reader is None:
        raise _unknown(source, readers)
    if table is not None and getattr(reader, "labels", None) is not table:
        raise DataError(_no_labels(table, str(source)))
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
            table = _TABLE if Path(source).suffix.lower() in _TABLES else ""
            return DataError(f"{source}: not a format that a reader recognises; {wanted}{table}")
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
    """Embedded data sets, and files in the same folder, with a similar name."""
    path = Path(source)
    embedded = [reader.name for reader in readers if reader.recognises(reader.name)]
    beside = [p.name for p in path.parent.glob("[!.]*")] if path.name else []
    files = [str(path.with_name(name)) for name in get_close_matches(path.name, beside)]
    return [*get_close_matches(str(source), embedded), *files]

"""Series in the files of the UEA and UCR archives."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isfinite, isnan
from pathlib import Path
from warnings import warn

import numpy as np

from ckn.readers.examples import Examples
from ckn.readers.images import DataError, HostArray, Source, listed
from ckn.readers.labels import Coding, plain_labels
from kerneltools.structures import Ragged, read_ts

_Labelled = tuple[Ragged, HostArray | None]


@dataclass(frozen=True)
class Ts:
    """A .ts file, compressed or not, or a folder with NAME_TRAIN.ts and NAME_TEST.ts; see
    `kerneltools.structures.read_ts`."""

    name: str = "ts"
    accepts: str = (
        "series: a .ts or .ts.gz file of the UEA and UCR archives, or a folder with NAME_TRAIN.ts and NAME_TEST.ts"
    )

    def recognises(self, source: Source) -> bool:
        path = Path(source)
        return bool(_splits(path, ("ts", "ts.gz"))) if path.is_dir() else _ends(path, (".ts", ".ts.gz"))

    def read(self, source: Source) -> Examples:
        return _read(Path(source), ("ts", "ts.gz"), _of_ts)


@dataclass(frozen=True)
class Ucr:
    """A table of series, one a line, the class first, and tabs, commas or blanks in between; or a folder with
    NAME_TRAIN.tsv and NAME_TEST.tsv, or .txt.

    NaN at the end of a series is padding, and is dropped.
    """

    name: str = "ucr"
    accepts: str = (
        "series: a .tsv file of the UCR archive, a series a line with its class in front (or NAME_TRAIN.txt, "
        "NAME_TEST.txt), or a folder with NAME_TRAIN.tsv and NAME_TEST.tsv"
    )

    def recognises(self, source: Source) -> bool:
        path = Path(source)
        if path.is_dir():
            return bool(_splits(path, ("tsv", "txt")))
        return _ends(path, (".tsv", "_train.txt", "_test.txt"))

    def read(self, source: Source) -> Examples:
        return _read(Path(source), ("tsv", "txt"), _of_table)


def _ends(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(endings) and path.is_file()


def _splits(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files of training and test of a folder, or nothing."""
    for end in endings:
        train = sorted(folder.glob(f"*_TRAIN.{end}"))
        if train:
            test = [path.with_name(path.name.replace(f"_TRAIN.{end}", f"_TEST.{end}")) for path in train]
            return [path for pair in zip(train, test, strict=True) for path in pair if path.is_file()]
    return []


def _read(path: Path, endings: tuple[str, ...], reader: Callable[[Path], _Labelled]) -> Examples:
    if path.is_file():
        series, labels = _checked(path, reader)
        return _examples(series, labels, None, path)
    files = _splits(path, endings)
    if len(files) > 2:
        raise DataError(f"{path}: expected one data set in the folder, got {listed(p.name for p in files)}")
    series, labels = _checked(files[0], reader)
    coding = None if labels is None else Coding.of(labels)
    train = _examples(series, labels, coding, files[0])
    return train if len(files) == 1 else replace(train, test=_examples(*_checked(files[1], reader), coding, files[1]))


def _examples(series: Ragged, labels: HostArray | None, coding: Coding | None, path: Path) -> Examples:
    if labels is None:
        return Examples(series)
    coding = coding or Coding.of(labels)
    return Examples(series, coding.encode(labels, str(path)), coding.names)


def _checked(path: Path, reader: Callable[[Path], _Labelled]) -> _Labelled:
    try:
        return reader(path)
    except DataError:
        raise
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: truncated or corrupt gzip file ({error}); get it again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected text in UTF-8: {error}") from error
    except ValueError as error:
        said, _, advice = str(error).partition("; set `fill`")
        raise DataError(f"{said}; write a number in its place, or leave the series out" if advice else said) from error


def _of_ts(path: Path) -> _Labelled:
    series, labels = read_ts(path)
    if labels is not None and labels.dtype.kind == "f":
        warn(f"{path}: its series have numbers to predict, and no classes: the numbers are left out", stacklevel=2)
        return series, None
    return series, None if labels is None else _plain(labels.tolist(), path)


def _of_table(path: Path) -> _Labelled:
    arrays, labels = [], []
    for label, values in _lines(path):
        arrays.append(values)
        labels.append(label)
    if not arrays:
        raise DataError(f"{path}: there is no series in it; expected lines of a class and numbers")
    return Ragged.of(arrays), _plain(labels, path)


def _lines(path: Path) -> Iterator[tuple[str, HostArray]]:
    """Classes and values."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        values = [_number(word, f"{path}, line {number}") for word in words[1:]]
        while values and isnan(values[-1]):
            values.pop()
        if any(map(isnan, values)):
            at = next(place for place, value in enumerate(values) if isnan(value))
            raise DataError(
                f"{path}, line {number}: value {at} is missing; write a number in its place, or leave the series out"
            )
        yield words[0], np.asarray(values, dtype=np.float64)


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise DataError(f"{where}: expected a class and numbers, got {word!r:.40}") from error
    if not isfinite(value) and not isnan(value):
        raise DataError(f"{where}: expected finite numbers, got {word}")
    return value


def _plain(labels: list[str], path: Path) -> HostArray:
    """Labels as integers if all are, such as 1.0000e+00 in older files; otherwise unchanged."""
    try:
        numbers = np.asarray([float(label) for label in labels])
        whole = bool(np.isfinite(numbers).all()) and bool((numbers == np.round(numbers)).all())
    except ValueError:
        whole = False
    return plain_labels(numbers if whole else np.asarray(labels, dtype=np.str_), str(path))

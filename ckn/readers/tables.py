"""Tables of names and labels, for files that hold only names."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from os import PathLike
from pathlib import Path
from re import fullmatch
from typing import NamedTuple, Self
from warnings import warn

import numpy as np

from ckn.readers.images import DataError, HostArray, listed
from kerneltools.trees import Shown

NAMES = ("name", "id", "record", "sequence_id", "sequence")
LABELS = ("label", "class", "target", "y")
"""Names of the two columns in the first line, in any case."""


class _Columns(NamedTuple):
    """The places of the names and labels, and whether the first line gives them."""

    name: int
    label: int
    headed: bool


@dataclass(frozen=True, eq=False)
class LabelTable(Shown):
    """The label of each name, from a table of two columns, `path`: CSV, or tabs between the columns.

    A first line with `name` and `label` (or `id`, `class` and the like) tells which columns these are, and other
    columns are skipped; without it, the table has two columns, names and labels. Labels are words or integers.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "labels.csv").write_text("a,yes\\nb,no\\n")
    ...     table = LabelTable.of_file(f"{folder}/labels.csv")
    >>> table.labels_of(("b", "a"), "two.fa").tolist()
    ['no', 'yes']
    """

    path: Path
    entries: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_file(cls, path: str | PathLike[str]) -> Self:
        """Raises DataError, with the line, for what is no such table, a name without a label, and one that is there
        twice."""
        found: dict[str, str] = {}
        lines: dict[str, int] = {}
        for line, name, label in _entries(Path(path)):
            if name in found:
                raise DataError(f"{path}: line {line}: {name!r} is in line {lines[name]} too; keep one")
            found[name], lines[name] = label, line
        if not found:
            raise DataError(f"{path}: there is no label in it; expected lines of a name and a label")
        return cls(Path(path), found)

    def labels_of(self, names: Sequence[str], source: str) -> HostArray:
        """The labels of these names, (n,) int64 if all of the table are integers, strings otherwise.

        Raises DataError for names that are not in the table.
        """
        missing = [name for name in names if name not in self.entries]
        if missing:
            of = "each" if len(missing) == len(names) else f"{len(missing)}"
            hint = f"; its names are {listed(self.entries, 3)}" if len(missing) == len(names) else ""
            raise DataError(
                f"{self.path}: no label for {of} of the {len(names)} records of {source}: {listed(missing)}; "
                f"add them, or leave the records out{hint}"
            )
        held = [self.entries[name] for name in names]
        whole = all(fullmatch(r"0|-?[1-9]\d{0,17}", label) for label in self.entries.values())
        return np.asarray(held, dtype=np.int64 if whole else np.str_)

    def warn_of_others(self, names: Sequence[str], source: str) -> None:
        """Warn if the table has labels of other names than these."""
        if others := sorted(set(self.entries).difference(names)):
            warn(
                f"{self.path}: {len(others)} of {len(self.entries)} labels are of records that are not in {source}, "
                f"and are left out: {listed(others)}",
                stacklevel=2,
            )


def _entries(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines, counted from 1, names and labels."""
    rows = _rows(path)
    columns: _Columns | None = None
    for line, row in rows:
        if columns is None:
            columns = _columns(row, f"{path}: line {line}")
            if columns.headed:
                width = len(row)
                continue
            width = 2
        if len(row) != width:
            raise DataError(f"{path}: line {line}: expected {width} columns, got {len(row)}: {', '.join(row):.60}")
        name, label = row[columns.name].strip(), row[columns.label].strip()
        if not name or not label:
            raise DataError(f"{path}: line {line}: expected a name and its label, got {name!r} and {label!r}")
        yield line, name, label


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, with their lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.lstrip().partition("\n")[0]
        reader = csv.reader(StringIO(text, newline=""), delimiter="\t" if "\t" in first else ",", strict=True)
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected a table of names and labels in UTF-8: {error}") from error
    except csv.Error as error:
        raise DataError(f"{path}: not a table of names and labels: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _columns(row: list[str], where: str) -> _Columns:
    words = [word.strip().lower() for word in row]
    places = [next((words.index(word) for word in known if word in words), None) for known in (NAMES, LABELS)]
    name, label = places
    if name is not None and label is not None:
        return _Columns(name, label, headed=True)
    if len(row) == 2:
        return _Columns(0, 1, headed=False)
    raise DataError(
        f"{where}: expected two columns, names and labels, or a first line that says which these are, such as "
        f"name,label; got {', '.join(row):.60}"
    )

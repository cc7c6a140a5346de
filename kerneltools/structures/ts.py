"""Series in `.ts` files, the format of the UEA and UCR archives."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerneltools.arrays import Array
from kerneltools.structures.base import Host
from kerneltools.structures.ragged import Ragged

MISSING = ("?", "nan")


def read_ts(path: str | Path, fill: float | None = None, like: Array | None = None) -> tuple[Ragged, Host | None]:
    """The series of a `.ts` file, plain or `.gz`, and their classes.

    -> series (n), and classes (n,) as written, or targets (n,) floating-point, or None for a file without either.

    Lengths may differ. Missing values, `?`, in all channels at the end of a series are its padding, and are dropped;
    others become `fill`, if it is given. Channels follow one another in the file, and are the columns of a series (T,
    c).

    Raises ValueError, with the file and line, for a missing value without `fill`, channels of different lengths,
    channels, lengths or classes that differ from the file's header, values that are no numbers, and time stamps.

    >>> import pathlib, tempfile
    >>> text = "@problemName Two\\n@classLabel true up down\\n@data\\n1,2,4:0,0,1:up\\n3,1:0,0:down\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "two.ts").write_text(text)
    ...     x, y = read_ts(f"{folder}/two.ts")
    >>> x, y.tolist(), x[1].tolist()
    (Ragged(2 arrays of 2 to 3 rows, 2 columns), ['up', 'down'], [[3.0, 0.0], [1.0, 0.0]])
    """
    path = Path(path)
    with (
        gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file
    ):
        lines = [(number, line.strip()) for number, line in enumerate(file, 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith(("#", "%"))]
    start = next((place for place, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    if start is None:
        raise ValueError(f"{path}: expected a line @data, got none: it is no .ts file, or is truncated")
    header = _Header.of(path, lines[:start])
    arrays: list[Host] = []
    ends = []
    for number, line in lines[start + 1 :]:
        try:
            array, end = header.read(line, fill)
            if arrays and array.shape[1] != arrays[0].shape[1]:
                raise ValueError(f"expected {arrays[0].shape[1]} channels as in the first series, got {array.shape[1]}")
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        arrays.append(array)
        ends.append(end)
    if not arrays:
        raise ValueError(f"{path}: expected series behind @data, got none")
    series = Ragged.of(arrays, like)
    if not header.labelled:
        return series, None
    return series, np.asarray(ends, dtype=np.float64 if header.classes is None else np.str_)


@dataclass(frozen=True)
class _Header:
    """The header of a file."""

    labelled: bool
    classes: frozenset[str] | None
    dimensions: int | None
    length: int | None

    @classmethod
    def of(cls, path: Path, lines: list[tuple[int, str]]) -> "_Header":
        tags: dict[str, list[str]] = {}
        for number, line in lines:
            if not line.startswith("@"):
                raise ValueError(
                    f"{path}, line {number}: expected a tag such as @problemName before @data, got {line!r:.40}"
                )
            tag, *words = line.split()
            tags[tag.lower()] = words
        if _is_true(tags, "@timestamps"):
            raise ValueError(f"{path}: @timeStamps true is not read; resample the series, and leave the times out")
        targets = _is_true(tags, "@targetlabel")
        classes = frozenset(tags["@classlabel"][1:]) if _is_true(tags, "@classlabel") else None
        dimensions = 1 if _is_true(tags, "@univariate") else _whole(path, tags, "@dimensions", "@dimension")
        length = _whole(path, tags, "@serieslength") if _is_true(tags, "@equallength") else None
        return cls(targets or classes is not None, classes, dimensions, length)

    def read(self, line: str, fill: float | None) -> tuple[Host, Any]:
        """A series (T, c), and its class or target."""
        parts = [part.strip() for part in line.split(":")]
        end: Any = parts.pop() if self.labelled else None
        if self.classes is not None and self.classes and end not in self.classes:
            raise ValueError(
                f"expected one of the classes {', '.join(sorted(self.classes))} at the end, got {end!r:.40}"
            )
        if self.labelled and self.classes is None:
            end = float(end)
        if self.dimensions is not None and len(parts) != self.dimensions:
            raise ValueError(f"expected {self.dimensions} channels, got {len(parts)}")
        channels = [_numbers(part) for part in parts]
        lengths = sorted({len(channel) for channel in channels})
        if len(lengths) > 1 or not channels:
            raise ValueError(f"expected channels of one length, got {', '.join(map(str, lengths)) or 'no channel'}")
        if self.length is not None and lengths != [self.length]:
            raise ValueError(f"expected @seriesLength {self.length} values, got {lengths[0]}")
        series = np.stack(channels, axis=1)
        missing = np.isnan(series)
        kept = int((~missing.all(axis=1)).nonzero()[0].max(initial=-1)) + 1
        series, missing = series[:kept], missing[:kept]
        if missing.any() and fill is None:
            point, channel = np.argwhere(missing)[0].tolist()
            raise ValueError(f"value {point} of channel {channel} is missing; set `fill` to a number that replaces it")
        return (series if fill is None else np.where(missing, fill, series)), end


def _numbers(part: str) -> Host:
    words = ["nan" if word.strip() in MISSING else word for word in part.split(",")]
    found = np.asarray(words, dtype=np.float64) if words != [""] else np.zeros(0)
    if np.isinf(found).any():
        raise ValueError(f"expected finite numbers, got {part.split(',')[int(np.isinf(found).argmax())]}")
    return found


def _is_true(tags: dict[str, list[str]], tag: str) -> bool:
    return [word.lower() for word in tags.get(tag, [])[:1]] == ["true"]


def _whole(path: Path, tags: dict[str, list[str]], *names: str) -> int | None:
    words = next((tags[name] for name in names if name in tags), None)
    if words is None:
        return None
    if len(words) != 1 or not words[0].isdigit():
        raise ValueError(f"{path}: expected a whole number behind {names[0]}, got {' '.join(words)!r:.40}")
    return int(words[0])

"""What was measured, in one file: each line with its date, its machine and the commit."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any

from lines import Line, Package

RESULTS = Path(__file__).parent / "results.json"
Range = tuple[float, float, float]
"""Median, least and greatest."""


@dataclass(frozen=True)
class Record:
    """One line's numbers, and where and when they were measured."""

    ours: Range
    theirs: Range | None
    ratio: Range | None
    unit: str
    runs: int
    threads: int
    others: float
    """How many processors other programs used meanwhile."""
    date: str
    commit: str
    processor: str
    cores: int
    versions: Mapping[str, str]
    points: Any = None
    """What a line of several sizes measured at each: (size, seconds, MB)."""

    def judged(self, line: Line) -> tuple[float | None, bool | None]:
        """The number that the line's target is of, and whether it holds; None where there is none."""
        value = self.ours if line.target is None or line.target.absolute else self.ratio
        if line.target is None or value is None:
            return None, None
        return value[0], line.target.holds(value[0])


def record(line: Line, ours: Sequence[float], theirs: Sequence[float], threads: int, others: float) -> Record:
    """Of runs that took turns: the ratio is the median of theirs, run by run; none where the other side is 0."""
    ratio = [a / b for a, b in zip(ours, theirs, strict=True)] if theirs and all(theirs) else []
    return Record(
        _range(ours),
        _range(theirs) if theirs else None,
        _range(ratio) if ratio else None,
        line.measure.unit,
        len(ours),
        threads,
        round(others, 2),
        datetime.now(UTC).strftime("%Y-%m-%d"),
        commit(),
        processor(),
        os.cpu_count() or 1,
        versions(line),
    )


def _range(values: Sequence[float]) -> Range:
    middle, low, high = (float(f"{value:.4g}") for value in (median(values), min(values), max(values)))
    return middle, low, high


def read(path: Path) -> dict[str, Record]:
    """The records by the names of their lines; none where there is no file. SystemExit for a file of something else."""
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: Record(**{key: _tuple(value) for key, value in held.items()}) for name, held in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SystemExit(
            f"{path}: no results of benchmarks ({error}); repair or remove it, or name another file by --results"
        ) from error


def require_place(path: Path) -> None:
    """SystemExit, before anything is measured, where it cannot be kept, or would not go with what is there."""
    if path.is_dir():
        raise SystemExit(f"--results: {path} is a folder; name a file in it")
    read(path)
    try:
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SystemExit(f"--results: {path} cannot be written: {error.strerror}; name another place") from error


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def keep(path: Path, name: str, found: Record) -> None:
    """One record more; the file is whole at every moment, and has a line for each."""
    write(path, read(path) | {name: found})


def write(path: Path, records: Mapping[str, Record]) -> None:
    """All of them, under a temporary name that is then renamed."""
    rows = (f"{json.dumps(name)}: {json.dumps(asdict(records[name]), ensure_ascii=False)}" for name in sorted(records))
    temporary = path.with_suffix(".tmp")
    temporary.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    os.replace(temporary, path)


def commit() -> str:
    """The short name of the commit; with a + where files differ from it, the results apart."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=RESULTS.parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=9", "HEAD") + "+" * bool(git("status", "--porcelain", "-uno", "--", ":/*.py"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions(line: Line) -> dict[str, str]:
    """Of Python, NumPy and the packages that the line needs."""
    needed = [need.install for need in line.needs if isinstance(need, Package)]
    return {"python": platform.python_version()} | {name: version(name) for name in dict.fromkeys(("numpy", *needed))}

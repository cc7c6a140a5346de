"""What a row of the table of structured data is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """What was done, what it took and reached, what was to be reached, and what another project reaches."""

    task: str
    found: str
    wanted: str
    met: bool
    other: str


HEAD = "| task | here | wanted | | others |\n|---|---|---|---|---|"


def text(row: Callable[[Path], Row], folder: Path) -> str:
    """A row of the table, of its function and the folder of the data."""
    try:
        done = row(folder)
    except FileNotFoundError as error:
        return f"| {row.__name__} | not measured: {error.filename} is not there | | | |"
    return f"| {done.task} | {done.found} | {done.wanted} | {'yes' if done.met else '**no**'} | {done.other} |"

"""What a row of the table of structured data is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """What was done, what it took and reached, what was to be reached, whether it is, and what others reach.

    `met`: None where there is no aim.
    """

    task: str
    found: str
    wanted: str
    met: bool | None
    other: str


HEAD = "| task | here | wanted | | others |\n|---|---|---|---|---|"


def text(row: Callable[[Path], Row], folder: Path) -> str:
    """A row of the table, of its function and the folder of the data."""
    try:
        done = row(folder)
    except FileNotFoundError as error:
        return f"| {row.__name__} | not measured: {error.filename} is not there | | | |"
    verdict = {True: "yes", False: "**no**", None: ""}[done.met]
    return f"| {done.task} | {done.found} | {done.wanted} | {verdict} | {done.other} |"

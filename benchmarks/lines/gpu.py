"""The same on a GPU."""

from lines import Line

LINES: tuple[Line, ...] = ()

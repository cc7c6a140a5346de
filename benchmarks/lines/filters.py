"""Filters: learning them without labels."""

from lines import Line

LINES: tuple[Line, ...] = ()

"""One step of a training with labels."""

from lines import Line

LINES: tuple[Line, ...] = ()

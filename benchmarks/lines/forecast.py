"""How long a fit will take, told beforehand."""

from lines import Line

LINES: tuple[Line, ...] = ()

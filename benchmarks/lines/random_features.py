"""Random features beside scikit-learn's."""

from lines import Line

LINES: tuple[Line, ...] = ()

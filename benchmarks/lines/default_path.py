"""What estimators do by default, beside scikit-learn."""

from lines import Line

LINES: tuple[Line, ...] = ()

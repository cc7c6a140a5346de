"""Gaussian processes, lazy kernel sums, strings, graphs and series, beside the libraries for them."""

from lines import Line

LINES: tuple[Line, ...] = ()

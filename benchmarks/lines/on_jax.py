"""Encoding with JAX and NumPy."""

from lines import Line

LINES: tuple[Line, ...] = ()

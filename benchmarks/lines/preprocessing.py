"""Whitening images and drawing patches."""

from lines import Line

LINES: tuple[Line, ...] = ()

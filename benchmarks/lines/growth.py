"""Time and memory against rows, landmarks, images and threads."""

from lines import Line

LINES: tuple[Line, ...] = ()

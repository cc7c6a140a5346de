"""All of CIFAR-10, from the file to the test accuracy."""

from lines import Line

LINES: tuple[Line, ...] = ()

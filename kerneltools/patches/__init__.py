"""From an object to its parts."""

from kerneltools.patches.grid import Grid, Padding

__all__ = ["Grid", "Padding"]

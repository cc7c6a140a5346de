"""Patches of regular grids: series (1-d), images (2-d), volumes (3-d)."""

from dataclasses import dataclass
from typing import Literal

from kerneltools import primitives
from kerneltools.arrays import Array, namespace, require_floating, require_rank
from kerneltools.primitives import Window

PerAxis = int | tuple[int, ...]
Padding = Literal["same", "valid"] | PerAxis


@dataclass(frozen=True)
class Grid:
    """Patches of a grid of any number of axes, channels last.

    Each of `size`, `stride`, `dilation` (all >= 1) is one number for all axes or one per axis, in grid
    points. `padding`: "same" (a grid of n points has ceil(n / stride) positions, for even sizes too, where
    the extra zero goes last), "valid" (none), or the number of zeros on each side, for all axes or one per
    axis.

    >>> import numpy as np
    >>> Grid(3).extract(np.ones((1, 8, 8, 2))).shape
    (1, 8, 8, 18)
    >>> Grid(5, padding="valid").extract(np.ones((4, 30, 2))).shape
    (4, 26, 10)
    """

    size: PerAxis
    stride: PerAxis = 1
    padding: Padding = "same"
    dilation: PerAxis = 1

    def __post_init__(self) -> None:
        for name in ("size", "stride", "dilation"):
            _check(name, getattr(self, name), least=1)
        if self.padding not in ("same", "valid"):
            _check("padding", self.padding, least=0)

    def window(self, grid: tuple[int, ...]) -> Window:
        """The window on a grid of that shape.

        Raises ValueError if no window fits, or if a tuple has another length than the grid has axes.
        """
        rank = len(grid)
        size = _per_axis("size", self.size, rank)
        stride = _per_axis("stride", self.stride, rank)
        dilation = _per_axis("dilation", self.dilation, rank)
        spans = tuple((p - 1) * d for p, d in zip(size, dilation, strict=True))
        window = Window(size, stride, self._widths(spans), dilation)
        if min(grid, default=0) < 1 or min(window.output_shape(grid)) < 1:
            raise ValueError(f"no {_by(size)} window fits {_describe(grid)}{self._note()}")
        return window

    def extract(self, x: Array) -> Array:
        """All patches, as vectors.

        (n, *grid, c) -> (n, *positions, points * c)

        The points of a patch are in row-major order, with channels last. Raises ValueError if no window fits.
        """
        require_grid(x, "x")
        patches = primitives.extract_patches(x, self.window(tuple(x.shape[1:-1])))
        return namespace(x).reshape(patches, (*patches.shape[:-2], patches.shape[-2] * patches.shape[-1]))

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The number of positions along each axis of a grid of that shape."""
        return self.window(grid).output_shape(grid)

    def _widths(self, spans: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        if self.padding == "same":
            return tuple((span // 2, span - span // 2) for span in spans)
        if self.padding == "valid":
            return tuple((0, 0) for _ in spans)
        return tuple((side, side) for side in _per_axis("padding", self.padding, len(spans)))

    def _note(self) -> str:
        return "" if self.dilation == 1 else f" (dilation {self.dilation})"


def require_grid(x: Array, name: str) -> None:
    """Raise unless x is floating-point and (n, *grid, c) with one to three axes of grid."""
    require_rank((3, 4, 5), "(n, *grid, c) with 1 to 3 axes of grid, (n, h, w, c) for images", **{name: x})
    require_floating(**{name: x})


def _check(name: str, value: PerAxis | str, least: int) -> None:
    entries = value if isinstance(value, tuple) else (value,)
    if not entries or any(isinstance(v, bool) or not isinstance(v, int) or v < least for v in entries):
        raise ValueError(f"{name}: expected an integer >= {least}, or one per axis, got {value!r}")


def _per_axis(name: str, value: PerAxis, rank: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        raise ValueError(f"{name}: expected one number or {rank}, one for each axis of the grid, got {value}")
    return value


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(str(s) for s in sizes)


def _describe(grid: tuple[int, ...]) -> str:
    if len(grid) == 2:
        return f"an image of {_by(grid)} pixels"
    return f"a grid of {_by(grid)} points"

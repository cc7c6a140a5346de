"""Crops of images: all that some patches of later maps see of the images."""

from dataclasses import dataclass
from math import prod
from typing import Any

from ckn.network import Network
from kerneltools.arrays import Array, namespace
from kerneltools.primitives import Window, program

WORTH = 2**22
"""The points of images whose maps take a second: with fewer, crops would save little."""


@dataclass(frozen=True)
class Crops:
    """Where the crops lie on the images, and how many points of its map precede a patch in the middle of one.

    They begin at multiples of the layers' strides, and end at an edge where the last one does: a patch sees the same of
    an edge in its crop.
    """

    window: Window
    before: tuple[int, ...]

    def placed(self, grid: tuple[int, ...], places: Any) -> tuple[Any, Any]:
        """For patches at these places on the map of an image, (P, axes): the place of the crop, and that in its map."""
        most = [n - 1 for n in self.window.output_shape(grid)]
        crops = (places - list(self.before)).clip(0, most)
        return crops, places - crops


def crops_for(below: Network, grid: tuple[int, ...], patch: Window) -> Crops:
    """The smallest crops, all of one size, of images of that grid for patches of the last map."""
    axes = [_axis(below, axis, grid, patch) for axis in range(len(grid))]
    size, step, before = (tuple(values) for values in zip(*axes, strict=True))
    return Crops(Window(size, step, ((0, 0),) * len(grid), (1,) * len(grid)), before)


def _axis(below: Network, axis: int, grid: tuple[int, ...], patch: Window) -> tuple[int, int, int]:
    """Along one axis: the size of crops, the step between them, and how many points of the map come before a patch."""
    first, last, step = 0, (patch.size[axis] - 1) * patch.dilation[axis], 1
    grids = [grid]
    for layer in below.bare_layers:
        grids.append(layer.output_shape(grids[-1]))
    for layer, seen in zip(reversed(below.bare_layers), reversed(grids[:-1]), strict=True):
        window, s = layer.grid.window(seen), layer.subsampling
        reach = s if s > 1 else 0
        first, last, step = s * first - reach, s * last + reach, s * step
        first = first - window.padding[axis][0]
        last = last - window.padding[axis][0] + (window.size[axis] - 1) * window.dilation[axis]
    before = -(first // step)
    needed = last + before * step + 1
    # What is left beside a crop is a number of steps, so that the last one ends with the image.
    return grid[axis] - max(0, (grid[axis] - needed) // step) * step, step, before


def crops_pay(below: Network, crops: Crops, grid: tuple[int, ...], patches: int, images: int) -> bool:
    """Whether the crops of so many patches take less than half the work of whole images, and that saves much.

    Only for homogeneous layers, which map zeros to zeros: blank regions are visible in the images.
    """
    whole = images * prod(grid)
    return (
        whole >= WORTH
        and 2 * patches * prod(crops.window.size) <= whole
        and all(layer.kernel.homogeneous for layer in below.bare_layers)
    )


@program
def greatest_squares(images: Array) -> Array:
    """The greatest square of a number of each image: (n, *grid, c) -> (n,)"""
    xp = namespace(images)
    greatest = xp.max(xp.abs(xp.reshape(images, (images.shape[0], -1))), axis=1)
    return greatest * greatest


@program
def cut(images: Array, points: Array, greatest: Array, shape: tuple[int, ...]) -> Array:
    """Crops by the numbers of their points; 0 where there is only rounding error of the image.

    (n, *grid, c), (k, points), (k,) -> (k, *shape, c)
    """
    xp, channels = namespace(images), images.shape[-1]
    flat = xp.take(xp.reshape(images, (-1, channels)), xp.reshape(points, (-1,)), axis=0)
    crops = xp.reshape(flat, (points.shape[0], -1))
    shown = xp.sum(crops * crops, axis=1) > xp.finfo(images.dtype).eps * greatest
    crops = xp.where(shown[:, None], crops, xp.zeros_like(crops))
    return xp.reshape(crops, (points.shape[0], *shape, channels))

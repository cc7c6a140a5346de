"""Random patches of the maps that reach a layer."""

from collections.abc import Callable
from math import ceil, prod
from typing import Any

from ckn.network import Network
from kerneltools.arrays import Array, asarray_like, blocks, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.patches import Grid
from kerneltools.primitives import Window, window_sum
from kerneltools.random import Rng, choice, generator
from kerneltools.structures import take

# Told how many of how many images have been encoded.
Report = Callable[[int, int], None]


def sample_patches(
    below: Network, images: Array, grid: Grid, count: int, rng: Rng, batch: int, report: Report
) -> Array:
    """Random patches of the maps that the layers below make of the images, as vectors.

    (n, *grid, c) -> (count, points * c), or all there are if fewer

    Uniform without replacement over the patches that are not blank: positions are drawn among all, those of
    blank patches dropped, and others drawn until there are enough. `batch` images are encoded at a time.

    Raises ValueError when every patch is blank.
    """
    shape = below.output_shape(tuple(images.shape[1:-1]))
    window = grid.window(shape)
    per_image = prod(window.output_shape(shape))
    total = images.shape[0] * per_image
    generator_ = generator(rng)
    tried: set[int] = set()
    found: list[Array] = []
    kept = 0
    while kept < count and len(tried) < total:
        share = max(kept / len(tried), 0.01) if tried else 1.0
        drawn = _untried(generator_, total, tried, ceil((count - kept) / share))
        tried.update(drawn)
        for part in _at(below, images, window, drawn, per_image, batch, report):
            found.append(part)
            kept += part.shape[0]
    if not kept:
        raise ValueError(f"images: all {total} patches of {images.shape[0]} images are blank; nothing can be learnt")
    patches = namespace(images).concat(found)
    return patches if kept <= count else take(patches, sorted(choice(generator_, kept, count).tolist()))


def _untried(rng: Rng, total: int, tried: set[int], count: int) -> list[int]:
    """`count` numbers below `total` that were not tried, uniformly; all of them if fewer; sorted."""
    drawn = choice(rng, total, min(total, count + len(tried))).tolist()
    return sorted([i for i in drawn if i not in tried][:count])


def _at(
    below: Network, images: Array, window: Window, positions: list[int], per_image: int, batch: int, report: Report
) -> list[Array]:
    """The patches at sorted positions, numbered image after image, without the blank ones.

    Only images with such a position are encoded.
    """
    of_image: dict[int, list[int]] = {}
    for position in positions:
        of_image.setdefault(position // per_image, []).append(position % per_image)
    numbers, found = list(of_image), []
    for block in blocks(len(numbers), batch):
        chosen = numbers[block]
        here = [i * per_image + place for i, number in enumerate(chosen) for place in of_image[number]]
        found.append(_gather(below(take(images, chosen)), window, here))
        report(block.stop, len(numbers))
    return found


def _gather(maps: Array, window: Window, positions: list[int]) -> Array:
    """The patches at these positions: (n, *grid, c) -> (P, points * c), blank ones left out."""
    xp = namespace(maps)
    shown = _not_blank(maps, window)
    kept = indices_like([p for p in positions if shown[p]], maps)
    points = xp.reshape(_points(tuple(maps.shape[1:-1]), window, kept), (-1,))
    channels = maps.shape[-1]
    values = xp.take(xp.reshape(maps, (-1, channels)), points, axis=0)
    return xp.reshape(values, (kept.shape[0], prod(window.size) * channels))


def _not_blank(maps: Array, window: Window) -> Any:
    """For each position, on the host, whether the patch is more than the image's rounding error."""
    xp = namespace(maps)
    square = window_sum(xp.sum(maps * maps, axis=-1), window)
    square = xp.reshape(square, (maps.shape[0], -1))
    greatest = xp.max(square, axis=1, keepdims=True)
    if not bool(xp.all(xp.isfinite(greatest))):
        raise ValueError(f"images: squares of pixels overflow {maps.dtype}; divide the images by their greatest value")
    noise = xp.finfo(maps.dtype).eps * greatest
    return to_host(square > noise).reshape(-1)


def _points(grid: tuple[int, ...], window: Window, positions: Array) -> Array:
    """The numbers of the patches' points in the list of all points of all images: (P,) -> (P, points)."""
    out = window.output_shape(grid)
    strides = [prod(grid[axis + 1 :]) for axis in range(len(grid))]
    start = (positions // prod(out)) * prod(grid)
    for axis, stride in enumerate(strides):
        start = start + (positions // prod(out[axis + 1 :])) % out[axis] * (stride * window.stride[axis])
    steps = [sum(o * stride for o, stride in zip(offset, strides, strict=True)) for offset in window.offsets()]
    return start[:, None] + asarray_like(steps, positions)[None, :]

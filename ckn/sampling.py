"""Random patches of the maps that reach a layer."""

from collections.abc import Callable
from math import ceil, prod
from typing import Any

from ckn.network import Network, of_one_size
from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.backend import move, to_host
from kerneltools.patches import Grid
from kerneltools.primitives import Window, program, window_sum
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
    patches = namespace(*found).concat(found)
    if kept > count:
        patches = patches[sorted(choice(generator_, kept, count).tolist()), :]
    return move(patches, images)


def _untried(rng: Rng, total: int, tried: set[int], count: int) -> list[int]:
    """`count` numbers below `total` that were not tried, uniformly; all of them if fewer; sorted."""
    drawn = choice(rng, total, min(total, count + len(tried))).tolist()
    return sorted([i for i in drawn if i not in tried][:count])


def _at(
    below: Network, images: Array, window: Window, positions: list[int], per_image: int, batch: int, report: Report
) -> list[Array]:
    """The patches at sorted positions, numbered image after image, without the blank ones, on the host.

    Only images with such a position are encoded.
    """
    of_image: dict[int, list[int]] = {}
    for position in positions:
        of_image.setdefault(position // per_image, []).append(position % per_image)
    numbers, found = list(of_image), []
    for whole, new in of_one_size(len(numbers), batch):
        chosen = numbers[whole]
        fresh = list(enumerate(chosen))[new]
        here = [i * per_image + place for i, number in fresh for place in of_image[number]]
        found.append(_gather(below(take(images, chosen)), window, here))
        report(whole.stop, len(numbers))
    return found


def _gather(maps: Array, window: Window, positions: list[int]) -> Array:
    """The patches at these positions: (n, *grid, c) -> (P, points * c) on the host, blank ones left out."""
    shown = _not_blank(maps, window)
    kept = [p for p in positions if shown[p]]
    length = prod(window.size) * maps.shape[-1]
    # What is chosen is computed on the host, and more is taken than that: to libraries that compile, sizes are few.
    more = indices_like(kept + [0] * (_few_sizes(len(kept)) - len(kept)), shown)
    points = _points(tuple(maps.shape[1:-1]), window, more)
    values = to_host(_taken(maps, indices_like(points.reshape(-1), maps)))
    return values.reshape(len(more), length)[: len(kept), :]


@program
def _taken(maps: Array, points: Array) -> Array:
    xp = namespace(maps)
    return xp.take(xp.reshape(maps, (-1, maps.shape[-1])), points, axis=0)


def _few_sizes(count: int) -> int:
    """At least so many, and at most a quarter more: one of four sizes between a power of two and the next."""
    step = 1 << max(0, count.bit_length() - 3)
    return -(-count // step) * step


def _not_blank(maps: Array, window: Window) -> Any:
    """For each position, on the host, whether the patch is more than the image's rounding error."""
    shown, finite = _above_rounding(maps, window)
    if not bool(finite):
        raise ValueError(f"images: squares of pixels overflow {maps.dtype}; divide the images by their greatest value")
    return to_host(shown).reshape(-1)


@program
def _above_rounding(maps: Array, window: Window) -> tuple[Array, Array]:
    """(n, *grid, c) -> (n, positions), (): which patches are not blank, and whether all squares are finite"""
    xp = namespace(maps)
    square = window_sum(xp.sum(maps * maps, axis=-1), window)
    square = xp.reshape(square, (maps.shape[0], -1))
    greatest = xp.max(square, axis=1, keepdims=True)
    noise = xp.finfo(maps.dtype).eps * greatest
    return square > noise, xp.all(xp.isfinite(greatest))


def _points(grid: tuple[int, ...], window: Window, positions: Array) -> Array:
    """The numbers of the patches' points in the list of all points of all images: (P,) -> (P, points)."""
    out = window.output_shape(grid)
    strides = [prod(grid[axis + 1 :]) for axis in range(len(grid))]
    start = (positions // prod(out)) * prod(grid)
    for axis, stride in enumerate(strides):
        start = start + (positions // prod(out[axis + 1 :])) % out[axis] * (stride * window.stride[axis])
    steps = [sum(o * stride for o, stride in zip(offset, strides, strict=True)) for offset in window.offsets()]
    return start[:, None] + asarray_like(steps, positions)[None, :]

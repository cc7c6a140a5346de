"""Random patches of the maps that reach a layer."""

from collections.abc import Callable, Iterator
from math import ceil, prod
from typing import Any

import numpy as np

from ckn.cropping import Crops, crops_for, crops_pay, cut, greatest_squares
from ckn.layers.laid import ObjectSpec
from ckn.layers.parts import PartSpec, channels, channels_of
from ckn.network import Network, batches, of_one_size
from kerneltools.arrays import Array, asarray_like, blocks, indices_like, namespace, points_of
from kerneltools.backend import move, to_host
from kerneltools.patches import Grid
from kerneltools.primitives import Window, few_sizes, map_blocks, program, window_sum
from kerneltools.random import Rng, choice, generator
from kerneltools.structures import count, take
from kerneltools.structures.base import Host, offsets_of

# Told how many of how many images have been encoded.
Report = Callable[[int, int], None]


def sample_patches(
    below: Network, images: Array, grid: Grid, count: int, rng: Rng, batch: int, report: Report
) -> Array:
    """Random patches of the maps that the layers below make of the images, as vectors.

    (n, *grid, c) -> (count, points * c), or all there are if fewer

    Uniform without replacement over the patches that are not blank: positions are drawn among all, those of
    blank patches dropped, and others drawn until there are enough. `batch` images are encoded at a time; of very many
    images not more of each than the patches see.

    Raises ValueError when every patch is blank.
    """
    shape = below.output_shape(tuple(images.shape[1:-1]))
    window = grid.window(shape)
    per_image = prod(window.output_shape(shape))
    total = images.shape[0] * per_image
    generator_ = generator(rng)
    tried = np.zeros(0, dtype=np.int64)
    found: list[Host] = []
    kept = 0
    while kept < count and len(tried) < total:
        share = max(kept / len(tried), 0.01) if len(tried) else 1.0
        drawn = _untried(generator_, total, tried, ceil((count - kept) / share))
        tried = np.concatenate([tried, drawn])
        found.append(_joined(_at(below, images, window, drawn, per_image, batch, report), len(drawn)))
        kept += len(found[-1])
    if not kept:
        raise ValueError(f"images: all {total} patches of {images.shape[0]} images are blank; nothing can be learnt")
    patches = found.pop() if len(found) == 1 else np.concatenate(found)
    found.clear()
    if kept > count:
        patches = patches[np.sort(choice(generator_, kept, count)), :]
    return move(patches, images)


def _joined(parts: Iterator[Host], most: int) -> Host:
    """Rows that come in parts, `most` of them at most, in one array that each goes to at once: none is there twice."""
    rows, size = np.empty((0, 0)), 0
    for part in parts:
        if not size:
            rows = np.empty((most, part.shape[1]), part.dtype)
        rows[size : size + len(part)] = part
        size += len(part)
    return rows[:size]


def _untried(rng: Rng, total: int, tried: Host, count: int) -> Host:
    """`count` numbers below `total` that were not tried, uniformly; all of them if fewer; sorted."""
    drawn = choice(rng, total, min(total, count + len(tried)))
    return np.sort(drawn[~np.isin(drawn, tried)][:count])


def _at(
    below: Network, images: Array, window: Window, positions: Host, per_image: int, batch: int, report: Report
) -> Iterator[Host]:
    """The patches at sorted positions, numbered image after image, without the blank ones, on the host.

    Only images with such a position are encoded, and not more of them than the patches see where that is much less.
    """
    grid = tuple(images.shape[1:-1])
    numbers, owners = np.unique(positions // per_image, return_inverse=True)
    crops = crops_for(below, grid, window)
    if crops_pay(below, crops, grid, len(positions), len(numbers)):
        yield from _at_crops(below, images, window, crops, positions, batch, report)
        return
    places, ends = positions % per_image, np.searchsorted(owners, np.arange(len(numbers) + 1))

    def of_piece(piece: tuple[slice, slice]) -> tuple[Host, int]:
        whole, new = piece
        fresh = slice(ends[whole.start + new.start], ends[whole.stop])
        here = (owners[fresh] - whole.start) * per_image + places[fresh]
        return _gather(below(take(images, numbers[whole])), window, here), whole.stop

    for found, stop in map_blocks(of_piece, of_one_size(len(numbers), batch), below, images):
        yield found
        report(stop, len(numbers))


def _at_crops(
    below: Network, images: Array, window: Window, crops: Crops, positions: Host, batch: int, report: Report
) -> Iterator[Host]:
    """The same from crops of the images, each with one patch."""
    grid, size = tuple(images.shape[1:-1]), crops.window.size
    out = window.output_shape(below.output_shape(grid))
    image, place = np.divmod(positions, prod(out))
    places = np.stack(np.unravel_index(place, out), axis=1)
    starts, inside = crops.placed(grid, places)
    starts = np.ravel_multi_index((image, *starts.T), (images.shape[0], *crops.window.output_shape(grid)))
    within = window.output_shape(below.output_shape(size))
    inside = np.ravel_multi_index(tuple(inside.T), within)
    greatest = _greatest(images)[image]
    at_a_time = max(1, batch * 2 * prod(grid) // prod(size))  # small products gain by more rows

    def of_piece(piece: tuple[slice, slice]) -> tuple[Host, int]:
        whole, new = piece
        points = indices_like(_points(grid, crops.window, starts[whole]), images)
        cropped = cut(images, points, asarray_like(greatest[whole], images), size)
        parts = of_one_size(int(cropped.shape[0]), at_a_time)
        maps = namespace(images).concat([below(cropped[part, ...])[fresh, ...] for part, fresh in parts])
        here = np.arange(int(cropped.shape[0])) * prod(within) + inside[whole]
        return _gather(maps, window, here[new]), whole.stop

    for found, stop in map_blocks(of_piece, of_one_size(len(positions), CROPS), below, images):
        yield found
        report(stop, len(positions))


CROPS = 1024
"""Crops that are cut out, and whose patches are gathered, at a time."""


def _greatest(images: Array) -> Host:
    """The greatest square of a number of each image, on the host. Raises ValueError where it is not finite."""

    def of_piece(piece: tuple[slice, slice]) -> Host:
        part, new = piece
        return to_host(greatest_squares(images[part, ...]))[new]

    found = np.concatenate(list(map_blocks(of_piece, of_one_size(int(images.shape[0]), CROPS), images)))
    if not np.isfinite(found).all():
        raise _overflow(images)
    return found


def _overflow(maps: Array) -> ValueError:
    return ValueError(f"images: squares of pixels overflow {maps.dtype}; divide the images by their greatest value")


def _gather(maps: Array, window: Window, positions: Host) -> Host:
    """The patches at these positions: (n, *grid, c) -> (P, points * c) on the host, blank ones left out."""
    shown = _not_blank(maps, window)
    kept = positions[shown[positions]]
    length = prod(window.size) * maps.shape[-1]
    # What is chosen is computed on the host, and more is taken than that: to libraries that compile, sizes are few.
    more = np.concatenate([kept, np.zeros(few_sizes(len(kept), maps) - len(kept), dtype=kept.dtype)])
    points = _points(tuple(maps.shape[1:-1]), window, more)
    values = to_host(_taken(maps, indices_like(points.reshape(-1), maps)))
    return values.reshape(len(more), length)[: len(kept), :]


@program
def _taken(maps: Array, points: Array) -> Array:
    xp = namespace(maps)
    return xp.take(xp.reshape(maps, (-1, maps.shape[-1])), points, axis=0)


def _not_blank(maps: Array, window: Window) -> Any:
    """For each position, on the host, whether the patch is more than the image's rounding error."""
    shown, finite = _above_rounding(maps, window)
    if not bool(finite):
        raise _overflow(maps)
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


def sample_parts(below: Network, x: Any, spec: ObjectSpec, count: int, rng: Rng, batch: int, report: Report) -> Array:
    """Random parts of what the layers below make of objects, on the sphere, without blank ones: (count, k, d)

    Objects come in random order, `batch` at a time, until there are enough. Raises ValueError where none has a part,
    and where all are blank.
    """
    draws = generator(rng)
    order, found, kept, seen = draws.permutation(len(x)), list[Array](), 0, 0
    sides = channels_of(below.unprepared().stages) if isinstance(spec, PartSpec) else 1
    share = -(-count * batch // (len(x) * sides))
    for rows in blocks(len(x), batch):
        reached, structure = below.reached(take(x, order[rows]))
        index = spec.extractor(structure).sample(max(1, share), draws)
        seen += len(index)
        for channel in channels(reached, int(reached.shape[1]) // sides):
            found.append(spec.normalised(_parts_of(channel, index)))
            kept += int(found[-1].shape[0])
        report(rows.stop, len(x))
        if kept >= count:
            break
    if not seen:
        raise ValueError(f"x: none of {len(x)} {x.objects} has a part for {spec.extractor!r}; nothing can be learnt")
    if not kept:
        raise ValueError(
            f"x: all {seen} parts of {len(x)} {x.objects} that were looked at are blank (zeros, or constant windows "
            "less their mean); nothing can be learnt"
        )
    return namespace(*found).concat(found, axis=0)


def parts_drawn(count: int, objects: int, each: float, batch: int) -> int:
    """How many parts `sample_parts` finds among so many objects, which have so many each, about."""
    kept = 0.0
    for rows in blocks(objects, batch):
        kept += min(-(-count * batch // objects), each * (rows.stop - rows.start))
        if kept >= count:
            break
    return round(kept)


def merged(rows: Array) -> tuple[Array, Array | None]:
    """Rows of which each is there once, and how often it was, where that leaves less than half of them; else the same.

    Of letters and labels there are few different windows and paths. (n, d) -> (n', d), (n',) or None
    """
    host = to_host(rows)
    # Equal rows have equal sums; should others have one too, nothing is merged. (Cosines of whole numbers are linearly
    # independent over the rationals, so that letters and labels never have.)
    sums = np.sum(host * np.cos(np.arange(host.shape[1])), axis=1)
    _, first, inverse, counts = np.unique(sums, return_index=True, return_inverse=True, return_counts=True)
    if 2 * len(first) > len(host) or not np.array_equal(host[first[inverse]], host):
        return rows, None
    order = np.argsort(first)
    return take(rows, first[order]), asarray_like(counts[order].astype(np.float64), rows)


def some_items(network: Network, x: Any, rng: Rng, batch: int | None, most: int = 1000) -> tuple[Array, Host]:
    """The last items, or points of maps, of some images or objects drawn at random: (N, m), (n + 1,) on the host"""
    drawn = choice(rng, count(x), min(most, count(x)))
    found, lengths = list[Array](), list[Host]()
    for block, new, _ in batches(take(x, np.sort(drawn)), batch or network.batch_for(x)):
        if network.embedding is None:
            maps = network(block)[new, ...]
            found.append(points_of(maps))
            lengths.append(np.full(maps.shape[0], prod(maps.shape[1:-1])))
        else:
            values, structure = network.reached(block)
            found.append(values)
            lengths.append(np.diff(structure.offsets))
    return namespace(*found).concat(found, axis=0), offsets_of(np.concatenate(lengths))


def _parts_of(values: Array, index: Host) -> Array:
    """The vectors of parts that are not blank, zeros for items that are not there: (N, d), (P, k) -> (P', k, d)"""
    xp, (p, k) = namespace(values), index.shape
    flat = take(values, np.maximum(index, 0).reshape(-1)) if p else values[:0, :]
    there = asarray_like((index >= 0).astype(np.float64), values)
    parts = xp.reshape(flat, (p, k, values.shape[1])) * there[:, :, None]
    return take(parts, np.flatnonzero(to_host(xp.sum(parts * parts, axis=(1, 2))) > 0))

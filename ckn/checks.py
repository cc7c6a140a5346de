"""Checks of images and labels, in one place."""

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from kerneltools.arrays import Array, holds, namespace
from kerneltools.backend import to_host
from kerneltools.structures.base import is_collection, require_known

MARGIN = 1e3
"""The factor by which items must stay below the root of the greatest number: parts have the squares of several."""


def check_images(images: Array) -> None:
    """Raise unless images are real numbers (n, h, w, c), or (n, *grid, c), with n >= 1, all finite.

    Raises ValueError for another rank, an empty axis, NaN and infinity (with the first image that has them),
    TypeError for anything but integers and real floating-point numbers.
    """
    xp = namespace(images)
    shape = tuple(images.shape)
    if len(shape) not in (3, 4, 5):
        hint = "; add an axis for the images or the channels: images[None, ...] or images[..., None]"
        raise ValueError(f"images: expected (n, h, w, c), got shape {shape}{hint if len(shape) < 3 else ''}")
    if min(shape) == 0:
        raise ValueError(f"images: expected at least one image, pixel and channel, got shape {shape}")
    if xp.isdtype(images.dtype, "integral"):
        return
    if not xp.isdtype(images.dtype, "real floating"):
        raise TypeError(f"images: expected integers or real floating-point numbers, got {images.dtype}")
    finite = xp.isfinite(images)
    if not bool(xp.all(finite)):
        whole = xp.all(xp.reshape(finite, (shape[0], -1)), axis=1)
        first = int(xp.argmin(xp.astype(whole, xp.int8)))
        raise ValueError(f"images: NaN or infinity in image {first} (counted from 0) of {shape[0]}")


def check_objects(x: Any) -> None:
    """Raise unless x is a collection of at least one object without NaN and infinity: TypeError for anything else."""
    if not is_collection(x):
        raise TypeError(
            f"x: expected a collection such as kerneltools.structures.Strings, Graphs or Ragged, got {type(x).__name__}"
            "; make one with kerneltools.structures.of(list)"
        )
    if not len(x):
        raise ValueError(f"x: expected at least one of the {x.objects}, got none")
    require_known(x=x)


def require_moderate(x: Any, most: float | None = None) -> None:
    """Raise ValueError, with the number of the object, for vectors of items whose squares overflow their type.

    `most`: the greatest number allowed, if not that of squares in range. Strings and labels always pass.
    """
    values = getattr(x, "values", getattr(x, "attributes", None))
    if values is None or not hasattr(values, "dtype") or min(values.shape) == 0:
        return
    xp = namespace(values)
    limit = float(xp.finfo(values.dtype).max) ** 0.5 / MARGIN if most is None else most
    if not holds(xp.max(xp.abs(values)) <= limit):
        rows = to_host(xp.max(xp.abs(values), axis=1))
        row = int((rows <= limit).argmin())
        number = int(np.searchsorted(x.offsets, row, side="right")) - 1
        raise ValueError(
            f"objects: the numbers of object {number} (counted from 0) of {len(x)} are up to {rows[row]:.3g}, too "
            f"great for {values.dtype}; divide the numbers of all objects, also of the training, by one factor"
        )


def with_channels(images: Array, axes: int | None) -> Array:
    """Images (n, h, w), series (n, t) and volumes (n, d, h, w) with an axis for one channel; others unchanged.

    `axes`: the number of axes of the grid; if it is unknown (None), that of images. Raises what `require_channels_last`
    raises, and ValueError if it is unknown and the shape looks like that of series, or of volumes without channels.
    """
    shape = tuple(images.shape)
    require_channels_last(shape, axes)
    if axes is None:
        _require_of_images(shape)
    return namespace(images).expand_dims(images, axis=-1) if len(shape) == (axes or 2) + 1 else images


def require_channels_last(shape: tuple[int, ...], axes: int | None, name: str = "images") -> None:
    """Raise ValueError for images (n, c, h, w), series (n, c, t) and volumes (n, c, d, h, w).

    They are recognised by an axis of 1, 3 or 4 points next to larger ones, since no image is so low; series, with
    `axes` 1, by at most 4.
    """
    rank = len(shape) - 2
    few = (1, 2, 3, 4) if rank == 1 else (1, 3, 4)
    expected = rank in (2, 3) if axes is None else rank == axes
    if expected and shape[1] in few and min(shape[2:]) > 4:
        raise ValueError(f"{name}: expected {LAYOUTS[rank]}, got shape {shape}, {channels_first(rank, name)}")


LAYOUTS = {1: "(n, t, c)", 2: "(n, h, w, c)", 3: "(n, d, h, w, c)"}
"""The shapes of series, images and volumes, by the axes of their grids."""


def channels_first(axes: int, name: str = "images") -> str:
    """What to do about a shape that has the channels first."""
    layout = f"(n, c, {LAYOUTS[axes].removeprefix('(n, ').removesuffix(', c)')})"
    return f"which looks like {layout}: move the channels to the end, with xp.moveaxis({name}, 1, -1)"


def _require_of_images(shape: tuple[int, ...]) -> None:
    if len(shape) == 3 and 0 < min(shape[1:]) <= 4 < max(shape[1:]):
        moved = ", moved there by xp.moveaxis(images, 1, -1)" if shape[1] < shape[2] else ""
        raise ValueError(
            f"images: expected (n, h, w, c), or (n, h, w) for grey ones, got shape {shape}, which looks like series: "
            f"for (n, t, c){moved}, give the architecture a patch of one axis, such as LayerSpec(64, patch=(3,)); for "
            "images as thin as this add an axis of channels, images[..., None]"
        )
    if len(shape) == 4 and shape[1] == shape[2] == shape[3] > 4:
        raise ValueError(
            f"images: expected (n, h, w, c), got shape {shape}, which looks like volumes (n, d, h, w) without an axis "
            f"for the channels: add it, images[..., None]; for images of {shape[3]} channels give the architecture a "
            "patch of two axes, such as LayerSpec(64, patch=(3, 3))"
        )


def check_labels(labels: Any, n: int, least: int = 2, noun: str = "image") -> None:
    """Raise ValueError unless each of n images has a label on the host, and there are at least that many classes.

    Labels are all strings or all finite numbers. `noun`: what one example is called.
    """
    if len(labels.shape) != 1 or labels.shape[0] != n:
        raise ValueError(f"labels: expected shape ({n},), one for each {noun}, got shape {tuple(labels.shape)}")
    values = labels.tolist()
    kinds = {_kind(value) for value in values}
    if kinds != {"str"} and not kinds <= {"bool", "int", "float"}:
        raise ValueError(f"labels: expected all strings or all finite numbers, got {', '.join(sorted(kinds))}")
    if len(set(values)) < least:
        raise ValueError(f"labels: expected at least two classes, got only {values[0]} for all {n} {noun}s")


def _kind(label: Any) -> str:
    return type(label).__name__ if not isinstance(label, float) or isfinite(label) else "NaN or infinity"


def check_batch(batch: Any) -> None:
    """Raise ValueError unless the number of images per batch is None or an integer >= 1."""
    if batch is not None:
        check_count("batch", batch)


def check_count(name: str, value: Any) -> None:
    """Raise ValueError unless the value is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")


def check_regs(regs: Any) -> None:
    """Raise ValueError unless `regs` are values of λ: one or more finite numbers > 0."""
    # An iterator would be empty at the second fit.
    values = tuple(regs) if hasattr(regs, "__len__") and isinstance(regs, Iterable) else ()
    if not values or not all(_is_reg(value) for value in values):
        raise ValueError(f"regs: expected at least one number, all > 0, got {regs!r}")


def _is_reg(reg: Any) -> bool:
    return isinstance(reg, Real) and 0 < float(reg) < float("inf")

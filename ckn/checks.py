"""What is asked of images and labels, in one place."""

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any

from kerneltools.arrays import Array, namespace


def check_images(images: Array) -> None:
    """Raise unless images are real numbers (n, h, w, c), or (n, *grid, c), with n >= 1, all finite.

    Raises ValueError for another rank, an empty axis, NaN and infinity (with the first image that has them),
    TypeError for other than integers and real floating-point numbers.
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


def with_channels(images: Array, axes: int | None) -> Array:
    """Grey images (n, h, w) as (n, h, w, 1); others as they are, and series (n, t, c) where the grid has one axis.

    `axes`: of the grid, None where nothing says. Raises ValueError for images (n, c, h, w) with the channels first.
    """
    shape = tuple(images.shape)
    if axes in (None, 2) and channels_first(shape):
        raise ValueError(f"images: expected (n, h, w, c), got shape {shape}, {CHANNELS_FIRST}")
    return namespace(images).expand_dims(images, axis=-1) if axes in (None, 2) and len(shape) == 3 else images


CHANNELS_FIRST = "which looks like (n, c, h, w): move the channels to the end, with xp.moveaxis(images, 1, -1)"


def channels_first(shape: tuple[int, ...]) -> bool:
    """Whether it is the shape of images (n, c, h, w): 1, 3 or 4 beside two larger numbers, as no image is high."""
    return len(shape) == 4 and shape[1] in (1, 3, 4) and min(shape[2:]) > 4


def check_labels(labels: Any, n: int, least: int = 2) -> None:
    """Raise ValueError unless there is one label on the host for each of n images, of at least that many classes.

    Labels are all strings or all finite numbers.
    """
    if len(labels.shape) != 1 or labels.shape[0] != n:
        raise ValueError(f"labels: expected shape ({n},), one for each image, got shape {tuple(labels.shape)}")
    values = labels.tolist()
    kinds = {_kind(value) for value in values}
    if kinds != {"str"} and not kinds <= {"bool", "int", "float"}:
        raise ValueError(f"labels: expected all strings or all finite numbers, got {', '.join(sorted(kinds))}")
    if len(set(values)) < least:
        raise ValueError(f"labels: expected at least two classes, got only {values[0]} for all {n} images")


def _kind(label: Any) -> str:
    return type(label).__name__ if not isinstance(label, float) or isfinite(label) else "NaN or infinity"


def check_batch(batch: Any) -> None:
    """Raise ValueError unless the number of images to take at a time is None or an integer >= 1."""
    if batch is not None:
        check_count("batch", batch)


def check_count(name: str, value: Any) -> None:
    """Raise ValueError unless the value is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name}: expected an integer >= 1, got {value!r}")


def check_regs(regs: Any) -> None:
    """Raise ValueError unless these are values of λ: one or more finite numbers > 0."""
    # An iterator would be empty at the second fit.
    values = tuple(regs) if hasattr(regs, "__len__") and isinstance(regs, Iterable) else ()
    if not values or not all(_is_reg(value) for value in values):
        raise ValueError(f"regs: expected at least one number, all > 0, got {regs!r}")


def _is_reg(reg: Any) -> bool:
    return isinstance(reg, Real) and 0 < float(reg) < float("inf")

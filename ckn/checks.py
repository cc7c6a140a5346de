"""What is asked of images and labels, in one place."""

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


def check_labels(labels: Any, n: int) -> None:
    """Raise ValueError unless there is one label for each of n images and there are at least two classes."""
    if len(labels.shape) != 1 or labels.shape[0] != n:
        raise ValueError(f"labels: expected shape ({n},), one for each image, got shape {tuple(labels.shape)}")
    first = labels[0]
    if all(label == first for label in labels.tolist()):
        raise ValueError(f"labels: expected at least two classes, got only {first} for all {n} images")

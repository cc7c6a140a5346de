"""Steps between the pixels and the first layer, each image by itself: frozen, (n, h, w, c) -> (n, h, w, c)."""

from dataclasses import dataclass
from functools import reduce
from math import prod
from operator import add

from ckn.preprocessing.base import Step, check_finite, minus_first, minus_mean
from kerneltools.arrays import Array, namespace, widest_float
from kerneltools.kernels.base import check_positive
from kerneltools.patches import Grid
from kerneltools.patches.grid import PerAxis
from kerneltools.precision import in_single
from kerneltools.primitives import Window, pad, program
from kerneltools.trees import static


@dataclass(frozen=True)
class Scale(Step):
    """Divide by the white value: pixels in [0, maximum] -> [0, 1].

    >>> import numpy as np
    >>> Scale(255.0)(np.full((1, 1, 1, 1), 51.0)).ravel()
    array([0.2])
    """

    maximum: float = static(255.0)

    def __post_init__(self) -> None:
        check_positive("maximum", self.maximum)

    def __call__(self, images: Array) -> Array:
        """(n, *grid, c) -> (n, *grid, c)"""
        return images / self.maximum


@dataclass(frozen=True)
class ContrastNormalise(Step):
    """Each image minus its mean, divided by its standard deviation.

    `floor` >= 0, in the units of the pixels, is added to the deviation, so that nearly blank images stay so.
    A constant image becomes 0.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> ContrastNormalise()(images).std(axis=(1, 2, 3)).round(2)
    array([0.97, 0.97])
    """

    floor: float = static(1e-2)

    def __post_init__(self) -> None:
        check_finite("floor", self.floor)
        if self.floor < 0:
            raise ValueError(f"floor: expected a number >= 0, got {self.floor!r}")

    @in_single
    def __call__(self, images: Array) -> Array:
        """(n, *grid, c) -> (n, *grid, c)"""
        xp = namespace(images)
        axes = tuple(range(1, images.ndim))
        centred = minus_mean(images, axes)
        deviation = xp.sqrt(xp.mean(centred * centred, axis=axes, keepdims=True)) + self.floor
        return centred / xp.where(deviation > 0, deviation, xp.ones_like(deviation))


@dataclass(frozen=True)
class Whiten(Step):
    """Patches of each image decorrelated: its own covariance to the power `exponent`, overlaps averaged.

    Patches of side `patch` lose their mean (each channel by itself) and are averaged back to an image; the
    patches of that image are multiplied by C^exponent, with C their uncentred covariance in this image, and
    averaged back. -1/4 leaves the spectrum half as steep (the pre-whitening of the published CIFAR-10
    results of CKNs), -1/2 whitens fully. Directions without variance, up to rounding, are set to 0; a
    constant image becomes 0. Not differentiable.

    Raises ValueError for images smaller than the patch.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> Whiten()(images).shape
    (2, 8, 8, 1)
    """

    patch: PerAxis = static(3)
    exponent: float = static(-0.25)

    def __post_init__(self) -> None:
        check_finite("exponent", self.exponent)
        _ = Grid(self.patch)  # it checks the patch

    def check_grid(self, grid: tuple[int, ...]) -> None:
        """Raise ValueError unless the patch fits."""
        Grid(self.patch, padding="valid").window(grid)

    @in_single
    def __call__(self, images: Array) -> Array:
        """(n, *grid, c) -> (n, *grid, c)"""
        self.check_grid(tuple(images.shape[1:-1]))
        return _whitened(self, images)

    def powers(self, covariances: Array) -> Array:
        """C^exponent on the directions with variance: (n, d, d) -> (n, d, d)."""
        xp = namespace(covariances)
        values, vectors = xp.linalg.eigh(xp.astype(covariances, widest_float(covariances)))
        # What rounding in the type of the images leaves of a direction without variance.
        noise = covariances.shape[-1] * xp.finfo(covariances.dtype).eps * xp.max(values, axis=-1, keepdims=True)
        kept = values > noise
        powers = xp.where(kept, xp.where(kept, values, xp.ones_like(values)) ** self.exponent, xp.zeros_like(values))
        return xp.astype((vectors * powers[:, None, :]) @ xp.matrix_transpose(vectors), covariances.dtype)


@program
def _whitened(step: Whiten, images: Array) -> Array:
    xp, axes = namespace(images), tuple(range(1, images.ndim - 1))
    window = Grid(step.patch, padding="valid").window(tuple(images.shape[1:-1]))
    # The mean per channel of each patch goes in any case; a constant channel is exactly 0 from here on.
    images = minus_first(images, axes)
    # In planes of one channel, in which rows of points are longer than the few channels of one.
    planes = _in_order(images, (0, images.ndim - 1, *axes))
    means = _boxes(planes, window) / prod(window.size)
    cover = _spread(xp.ones_like(means[:1, :1, ...]), window)
    patches = _patches(planes - _spread(means, window) / cover, window)
    flat = xp.reshape(patches, (patches.shape[0], prod(patches.shape[1 : images.ndim]), -1))
    # Of two arrays: a product with the transpose of the same one takes NumPy twice the time at these sizes.
    flat = step.powers((flat / flat.shape[2]) @ xp.matrix_transpose(flat)) @ flat
    whitened = _folded(xp.reshape(flat, patches.shape), window) / cover
    return _in_order(whitened, (0, *(axis + 1 for axis in axes), 1))


def _in_order(x: Array, axes: tuple[int, ...]) -> Array:
    """The axes in that order, in memory too."""
    xp = namespace(x)
    moved = xp.permute_dims(x, axes)
    return xp.reshape(xp.reshape(moved, (-1,)), moved.shape)


def _patches(planes: Array, window: Window) -> Array:
    """(n, c, *grid) -> (n, *size, c, *positions)"""
    xp, out = namespace(planes), window.output_shape(tuple(planes.shape[2:]))
    views = [planes[(..., *window.slices(offset, out))] for offset in window.offsets()]
    found = xp.stack(views, axis=1)
    return xp.reshape(found, (found.shape[0], *window.size, *found.shape[2:]))


def _folded(patches: Array, window: Window) -> Array:
    """Sums of patches over the points they cover, axis by axis: (n, *size, c, *positions) -> (n, c, *grid)"""
    for axis, size in reversed(list(enumerate(window.size))):
        place = patches.ndim - len(window.size) + axis
        around = pad(patches, tuple((size - 1, size - 1) if a == place else (0, 0) for a in range(patches.ndim)))
        before, length = (slice(None),) * (axis + 1), patches.shape[place] + size - 1
        pieces = (
            around[(*before, i, ..., *_of_axis(axis, window, slice(size - 1 - i, size - 1 - i + length)))]
            for i in range(size)
        )
        patches = reduce(add, pieces)
    return patches


def _spread(values: Array, window: Window) -> Array:
    """`_folded` of patches that hold one number each: (n, c, *positions) -> (n, c, *grid)"""
    return _boxes(pad(values, ((0, 0), (0, 0), *((size - 1, size - 1) for size in window.size))), window)


def _boxes(planes: Array, window: Window) -> Array:
    """The sum over each patch, one axis after the other: (n, c, *grid) -> (n, c, *positions)"""
    for axis, size in enumerate(window.size):
        length = planes.shape[2 + axis] - size + 1
        planes = reduce(add, (planes[(..., *_of_axis(axis, window, slice(i, i + length)))] for i in range(size)))
    return planes


def _of_axis(axis: int, window: Window, part: slice) -> tuple[slice, ...]:
    """That part along an axis of the grid, and all along those behind it."""
    return (part, *(slice(None),) * (len(window.size) - axis - 1))

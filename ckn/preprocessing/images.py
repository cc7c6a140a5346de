"""Steps between the pixels and the first layer, each image by itself: frozen, (n, h, w, c) -> (n, h, w, c)."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from ckn.preprocessing.base import Step, check_finite, minus_first, minus_mean
from kerneltools.arrays import Array, namespace, widest_float
from kerneltools.kernels.base import check_positive
from kerneltools.patches import Grid
from kerneltools.patches.grid import PerAxis
from kerneltools.precision import in_single
from kerneltools.primitives import extract_patches, fold_patches
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
        xp = namespace(images)
        # The mean per channel of each patch goes in any case; a constant channel is exactly 0 from here on.
        images = minus_first(images, tuple(range(1, images.ndim - 1)))
        centred = self._over_patches(images, lambda p: p - xp.mean(p, axis=-2, keepdims=True))
        return self._over_patches(centred, self._decorrelate)

    def _over_patches(self, images: Array, f: Callable[[Array], Array]) -> Array:
        """Patches -> f -> back to images, each pixel the mean over the patches that cover it."""
        xp = namespace(images)
        grid = tuple(images.shape[1:-1])
        window = Grid(self.patch, padding="valid").window(grid)
        changed = fold_patches(f(extract_patches(images, window)), window, grid)
        one = xp.ones_like(images[:1, ..., :1])
        return changed / fold_patches(extract_patches(one, window), window, grid)

    def _decorrelate(self, patches: Array) -> Array:
        xp = namespace(patches)
        shape = tuple(patches.shape)
        flat = xp.reshape(patches, (shape[0], prod(shape[1:-2]), shape[-2] * shape[-1]))
        covariance = xp.matrix_transpose(flat) @ flat / flat.shape[1]
        return xp.reshape(flat @ self._power(covariance), shape)

    def _power(self, covariance: Array) -> Array:
        """C^exponent on the directions with variance: (n, d, d) -> (n, d, d)."""
        xp = namespace(covariance)
        values, vectors = xp.linalg.eigh(xp.astype(covariance, widest_float(covariance)))
        # What rounding in the type of the images leaves of a direction without variance.
        noise = covariance.shape[-1] * xp.finfo(covariance.dtype).eps * xp.max(values, axis=-1, keepdims=True)
        kept = values > noise
        powers = xp.where(kept, xp.where(kept, values, xp.ones_like(values)) ** self.exponent, xp.zeros_like(values))
        return xp.astype((vectors * powers[:, None, :]) @ xp.matrix_transpose(vectors), covariance.dtype)

"""Random changes of training images that keep their class.

All choices are drawn on the host, so every library sees the same images from the same generator.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.primitives import pad
from kerneltools.random import Rng, generator
from kerneltools.trees import Tree, static


class Augmentation(Tree, ABC):
    """A random change of each image.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools.random import generator
    >>> @dataclass(frozen=True)
    ... class Brightness(Augmentation):
    ...     spread: float = 0.1
    ...     def __call__(self, images, rng):
    ...         return images + generator(rng).normal(0.0, self.spread, (images.shape[0], 1, 1, 1))
    >>> Brightness()(np.zeros((2, 8, 8, 1)), 0)[:, 0, 0, 0].round(3)
    array([ 0.013, -0.013])
    """

    @abstractmethod
    def __call__(self, images: Array, rng: Rng) -> Array:
        """(n, h, w, c) -> (n, h, w, c)"""


@dataclass(frozen=True)
class Flip(Augmentation):
    """Exchange left and right, with a probability in [0, 1].

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> Flip(1.0)(images, 0)[0, 0, 0] == images[0, 0, -1]
    array([ True])
    """

    probability: float = static(0.5)

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability: expected a number in [0, 1], got {self.probability}")

    def __call__(self, images: Array, rng: Rng) -> Array:
        """(n, h, w, c) -> (n, h, w, c)"""
        xp = namespace(images)
        chosen = generator(rng).random(images.shape[0]) < self.probability
        mask = asarray_like(chosen, images, xp.bool)
        return xp.where(mask[:, None, None, None], xp.flip(images, axis=2), images)


@dataclass(frozen=True)
class Crop(Augmentation):
    """A random window of the image's own size, from the image with `padding` >= 0 zeros on each side.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> Crop(2)(images, 0).shape
    (2, 8, 8, 1)
    """

    padding: int = static(4)

    def __post_init__(self) -> None:
        if self.padding < 0:
            raise ValueError(f"padding: expected an integer >= 0, got {self.padding}")

    def __call__(self, images: Array, rng: Rng) -> Array:
        """(n, h, w, c) -> (n, h, w, c)"""
        n, h, w, c = images.shape
        side = self.padding
        xp = namespace(images)
        corners = generator(rng).integers(0, 2 * side + 1, size=(2, n))
        down, across = (indices_like(corner, images) for corner in corners)
        row = down[:, None] + indices_like(list(range(h)), images)[None, :]
        column = across[:, None] + indices_like(list(range(w)), images)[None, :]
        image = indices_like(list(range(n)), images)[:, None, None] * (h + 2 * side)
        numbers = (image + row[:, :, None]) * (w + 2 * side) + column[:, None, :]
        points = xp.reshape(pad(images, ((0, 0), (side, side), (side, side), (0, 0))), (-1, c))
        return xp.reshape(xp.take(points, xp.reshape(numbers, (-1,)), axis=0), (n, h, w, c))


@dataclass(frozen=True)
class Cutout(Augmentation):
    """A square of `size` >= 1 pixels set to 0, with its centre anywhere in the image (DeVries and Taylor 2017).

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> bool((Cutout(4)(images, 0) == 0).any())
    True
    """

    size: int = static(8)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: expected an integer >= 1, got {self.size}")

    def __call__(self, images: Array, rng: Rng) -> Array:
        """(n, h, w, c) -> (n, h, w, c)"""
        n, h, w, _ = images.shape
        drawn = generator(rng)
        xp = namespace(images)
        rows = self._covered(drawn.integers(0, h, size=n), h, images)
        columns = self._covered(drawn.integers(0, w, size=n), w, images)
        hidden = xp.logical_and(rows[:, :, None, None], columns[:, None, :, None])
        return xp.where(hidden, xp.zeros_like(images), images)

    def _covered(self, centres: Sequence[int], points: int, images: Array) -> Array:
        """Which points of an axis the square covers: (n, points)."""
        xp = namespace(images)
        start = indices_like(centres, images)[:, None] - self.size // 2
        point = indices_like(list(range(points)), images)[None, :]
        return xp.logical_and(point >= start, point < start + self.size)


def augment(steps: Sequence[Augmentation], images: Array, rng: Rng) -> Array:
    """All steps, one after the other: (n, h, w, c) -> (n, h, w, c)."""
    drawn = generator(rng)
    for step in steps:
        images = step(images, drawn)
    return images

"""What a step of preprocessing is, and what steps share."""

from abc import ABC, abstractmethod
from math import isfinite
from numbers import Real
from typing import Any, Self

from kerneltools.arrays import Array, namespace, safe_sqrt
from kerneltools.precision import in_single
from kerneltools.primitives import program
from kerneltools.trees import Tree


class Step(Tree, ABC):
    """One step of preprocessing.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Negative(Step):
    ...     def __call__(self, images):
    ...         return 1.0 - images
    >>> Negative()(np.full((1, 2, 2, 1), 0.25)).ravel()
    array([0.75, 0.75, 0.75, 0.75])
    """

    @abstractmethod
    def __call__(self, images: Any) -> Any:
        """(n, *grid, c) -> (n, *grid, c), each image by itself; or a collection -> a collection."""

    @property
    def of_objects(self) -> bool:
        """Whether the step is for collections, and not for images."""
        return False

    def fitted(self, x: Any) -> Self:
        """The step with what it learns from a training; the step itself if there is nothing to learn."""
        return self

    def check_grid(self, grid: tuple[int, ...]) -> None:
        """Raise ValueError if the step cannot work on images of that grid."""


@in_single
@program
def normalise_features(features: Array) -> Array:
    """Each row minus its mean, divided by its norm; a constant row becomes 0.

    (n, d) -> (n, d)

    >>> import numpy as np
    >>> normalise_features(np.asarray([[1.0, 3.0], [2.0, 2.0]])).round(4)
    array([[-0.7071,  0.7071],
           [ 0.    ,  0.    ]])
    """
    xp = namespace(features)
    centred = minus_mean(features, (1,))
    norms = safe_sqrt(xp.sum(centred * centred, axis=1, keepdims=True))
    return centred / xp.where(norms > 0, norms, xp.ones_like(norms))


def minus_mean(x: Array, axes: tuple[int, ...]) -> Array:
    """x minus its mean over the axes; exactly 0 if x is constant, though the mean may be an ulp off."""
    shifted = minus_first(x, axes)
    return shifted - namespace(x).mean(shifted, axis=axes, keepdims=True)


def minus_first(x: Array, axes: tuple[int, ...]) -> Array:
    """x minus its first entry along the axes."""
    return x - x[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(x.ndim))]


def check_finite(name: str, value: Any) -> None:
    """Raise ValueError unless the value is a finite number."""
    if not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value!r}")

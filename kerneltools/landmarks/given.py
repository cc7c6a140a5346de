"""Landmarks that the user gives."""

from dataclasses import dataclass

from kerneltools.arrays import Array, require_together
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks
from kerneltools.random import Rng
from kerneltools.structures.base import like_of, require_alike, require_examples, require_known
from kerneltools.trees import Shown


@dataclass(frozen=True, eq=False)
class Given(Shown):
    """The given points themselves, whatever the data and their weights.

    `points` (m, d), floating-point, or objects, m >= 1. Raises ValueError if there are no points, for NaN among them,
    with its place, and if the data have another number of columns.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> Given(x[:5])(Gaussian(1.0), x, rng=0).points.shape
    (5, 2)
    """

    points: Array

    def __post_init__(self) -> None:
        require_examples("(m, d)", points=self.points)
        if self.points.shape[0] == 0:
            raise ValueError(f"points: expected at least one, got shape {tuple(self.points.shape)}")
        require_known(points=self.points)

    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d) -> (m, d)"""
        require_together(x=like_of(x), points=like_of(self.points))
        require_alike(x, self.points, "points")
        return Landmarks(self.points)

"""Landmarks that the user has."""

from dataclasses import dataclass

from kerneltools.arrays import Array, device_of, namespace, require_finite, require_floating, require_rank
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks
from kerneltools.random import Rng
from kerneltools.trees import Shown


@dataclass(frozen=True, eq=False)
class Given(Shown):
    """The points themselves, whatever the data and their weights.

    `points` (m, d), floating-point, m >= 1. Raises ValueError for no points, for NaN among them with its place, and
    when the data have other columns.
    """

    points: Array

    def __post_init__(self) -> None:
        require_rank(2, "(m, d)", points=self.points)
        require_floating(points=self.points)
        if self.points.shape[0] == 0:
            raise ValueError(f"points: expected at least one, got shape {tuple(self.points.shape)}")
        require_finite(points=self.points)

    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d) -> (m, d)"""
        namespace(x, self.points)
        device_of(x, self.points)
        if x.shape[-1] != self.points.shape[1]:
            raise ValueError(
                f"points: expected {x.shape[-1]} columns as in x of shape {tuple(x.shape)}, "
                f"got shape {tuple(self.points.shape)}"
            )
        return Landmarks(self.points)

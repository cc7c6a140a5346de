"""The kernel of convolutional kernel networks."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_floating, require_rank
from kerneltools.kernels.base import InnerProductKernel, row_norms
from kerneltools.kernels.distances import chords
from kerneltools.kernels.profiles import Profile
from kerneltools.precision import in_single


@dataclass(frozen=True)
class Homogeneous(InnerProductKernel):
    """k(x, y) = |x| |y| κ(<x, y> / (|x| |y|)), and 0 when x or y is 0 (Mairal 2016, eq. 2).

    Homogeneous of degree one: the contrast of x scales the value. Positive semi-definite for every admissible κ.

    >>> import numpy as np
    >>> from kerneltools.kernels import Homogeneous, profiles
    >>> k = Homogeneous(profiles.Exponential(sigma=0.6))
    >>> k(np.array([[0.0, 2.0]]), np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[2., 0.]])
    """

    profile: Profile

    def __post_init__(self) -> None:
        if not isinstance(self.profile, Profile):
            raise TypeError(f"profile: expected one of kerneltools.kernels.profiles, got {self.profile!r}")

    @property
    def degree(self) -> int:
        return 1

    @property
    def homogeneous(self) -> bool:
        return True

    @in_single
    def diag(self, x: Array) -> Array:
        require_rank(2, "(n, d)", x=x)
        require_floating(x=x)
        # κ(1) = 1, without the rounding of a cosine.
        return namespace(x).sum(x * x, axis=1)

    def _of_rows(self, x: Array, y: Array) -> Array:
        if not self.profile.steep:
            return super()._of_rows(x, y)
        scale = row_norms(x)[:, None] * row_norms(y)[None, :]
        return scale * self.profile.of_chords(*chords(x, y))

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return self.profile.response(inner, x_norm * y_norm)

"""The arc-cosine kernel: that of one infinite layer of random units."""

from dataclasses import dataclass
from typing import ClassVar

from kerneltools.arrays import Array, namespace, require_floating, require_rank
from kerneltools.kernels import profiles
from kerneltools.kernels.base import InnerProductKernel, greatest_entries, step
from kerneltools.kernels.distances import chords
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.trees import static


@dataclass(frozen=True)
class ArcCosine(InnerProductKernel):
    """k(x, y) = 2 E[f(<w, x>) f(<w, y>)] over w ~ N(0, I), with f(t) = t^order for t > 0 and 0 else.

    `order` 0 (steps), 1 (ReLU) or 2 (squared ReLU). With the angle θ of x and y: 1 - θ/π for order 0,
    |x| |y| (sin θ + (π - θ) cos θ) / π for order 1, |x|² |y|² (3 sin θ cos θ + (π - θ)(1 + 2 cos² θ)) / π for
    order 2; 0 when x or y is 0. Positive semi-definite. Cho and Saul 2009, eq. 1-6.
    Raises ValueError for another order.

    >>> import numpy as np
    >>> ArcCosine(order=0)(np.asarray([[1.0, 0.0]]), np.asarray([[0.0, 2.0]]))
    array([[0.5]])
    """

    stored_as: ClassVar[str] = "kernels.ArcCosine"  # a profile has the plain name

    order: int = static(1)

    def __post_init__(self) -> None:
        profiles.ArcCosine(self.order)

    @property
    def homogeneous(self) -> bool:
        return self.order == 1

    @property
    def degree(self) -> int:
        return self.order

    @in_single
    def diag(self, x: Array) -> Array:
        require_rank(2, "(n, d)", x=x)
        require_floating(x=x)
        if self.order == 0:
            return step(greatest_entries(x))
        square = namespace(x).sum(x * x, axis=1)
        return square if self.order == 1 else 3 * square * square

    def _of_rows(self, x: Array, y: Array) -> Array:
        if self.order:
            return super()._of_rows(x, y)
        value = profiles.ArcCosine(0).of_chords(*chords(x, y))
        return value * (step(greatest_entries(x))[:, None] * step(greatest_entries(y))[None, :])

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        profile, scale = profiles.ArcCosine(self.order), x_norm * y_norm
        if self.order:
            response = profile.response(inner, scale)
            return response if self.order == 1 else 3 * scale * response
        if isinstance(scale, float | int):
            return profile(inner / scale) if scale else 0 * inner
        value = profile(inner * reciprocal(scale))
        # Written so that NaN stays NaN.
        return namespace(value).where(scale <= 0, namespace(value).zeros_like(value), value)

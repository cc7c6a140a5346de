"""The Gaussian kernel."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_floating
from kerneltools.kernels.base import Kernel, check_positive, check_rows
from kerneltools.precision import in_single


@dataclass(frozen=True)
class Gaussian(Kernel):
    """k(x, y) = exp(-|x - y|² / (2 bandwidth²)).

    `bandwidth` > 0, in the units of x. Values in (0, 1]; positive definite; translation-invariant.
    Raises ValueError for a bandwidth that is not a finite number > 0.

    >>> import numpy as np
    >>> Gaussian(bandwidth=1.0)(np.zeros((1, 2)), np.ones((1, 2))).round(4)
    array([[0.3679]])
    """

    bandwidth: float | Array

    def __post_init__(self) -> None:
        check_positive("bandwidth", self.bandwidth)

    @property
    def by_inner_products(self) -> bool:
        return True

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        check_rows(x, y)
        return self._of(square_distances(x, y))

    def diag(self, x: Array) -> Array:
        require_floating(x=x)
        return namespace(x).ones_like(x[:, 0])

    def from_inner(self, inner: Array, x_norm: Array | float, y_norm: Array | float) -> Array:
        return self._of(_positive(x_norm * x_norm + y_norm * y_norm - 2 * inner))

    def _of(self, square: Array) -> Array:
        exponent = square * (-0.5 / self.bandwidth**2)
        return namespace(exponent).exp(exponent)


def square_distances(x: Array, y: Array) -> Array:
    """|x - y|² for all pairs of rows, by one matrix product.

    (n, d), (m, d) -> (n, m)

    Both are centred first: |x|² + |y|² - 2<x, y> then loses digits to the spread of the data only,
    not to their distance from the origin.
    """
    xp = namespace(x, y)
    centre = xp.mean(y, axis=0, keepdims=True)
    x, y = x - centre, y - centre
    norms = xp.sum(x * x, axis=1)[:, None] + xp.sum(y * y, axis=1)[None, :]
    return _positive(norms - 2 * (x @ xp.matrix_transpose(y)))


def _positive(square: Array) -> Array:
    xp = namespace(square)
    return xp.maximum(square, xp.zeros_like(square))

"""Kernels of histograms: rows of numbers >= 0, such as counts, frequencies or spectra."""

from abc import abstractmethod
from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_everywhere, require_floating, require_rank
from kerneltools.columns import chi_square_distances, harmonic_sums, minimum_sums
from kerneltools.kernels.base import Kernel, check_positive, check_rows
from kerneltools.precision import in_single


class HistogramKernel(Kernel):
    """A kernel of rows of numbers >= 0; a new one defines `of_rows` and `of_diagonal`.

    Raises ValueError, with the row and the column, for a number that is negative or NaN (except inside a trace, where
    numbers are not known). Time and memory: n m d operations without a matrix product, in blocks.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Bhattacharyya(HistogramKernel):
    ...     def of_rows(self, x, y):
    ...         return np.sqrt(x) @ np.sqrt(y).T
    ...     def of_diagonal(self, x):
    ...         return np.sum(x, axis=1)
    >>> Bhattacharyya()(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5], [1.0, 0.0]])).round(4)
    array([[1.    , 0.7071]])
    """

    @abstractmethod
    def of_rows(self, x: Array, y: Array) -> Array:
        """Kernel values of all pairs of checked rows: (n, d), (m, d) -> (n, m)."""

    @abstractmethod
    def of_diagonal(self, x: Array) -> Array:
        """k(x, x) for each checked row: (n, d) -> (n,)."""

    @in_single
    def __call__(self, x: Array, y: Array) -> Array:
        check_rows(x, y)
        _check_signs(x=x, y=y)
        return self.of_rows(x, y)

    @in_single
    def diag(self, x: Array) -> Array:
        require_floating(x=x)
        require_rank(2, "(n, d)", x=x)
        _check_signs(x=x)
        return self.of_diagonal(x)


@dataclass(frozen=True)
class Chi2(HistogramKernel):
    """k(x, y) = exp(-gamma Σ_j (x_j - y_j)² / (x_j + y_j)), for rows >= 0; 0/0 counts as 0.

    `gamma` > 0, in inverse units of x. Values in (0, 1]; positive definite (Zhang et al. 2007, eq. 6).
    Raises ValueError for a gamma that is not finite and > 0.

    >>> import numpy as np
    >>> Chi2(gamma=1.0)(np.asarray([[1.0, 0.0]]), np.asarray([[1.0, 0.0], [0.0, 1.0]])).round(4)
    array([[1.    , 0.1353]])
    """

    gamma: float | Array = 1.0

    def __post_init__(self) -> None:
        check_positive("gamma", self.gamma)

    def of_rows(self, x: Array, y: Array) -> Array:
        distances = chi_square_distances(x, y)
        return namespace(distances, self.gamma).exp(-self.gamma * distances)

    def raised(self, exponent: float) -> "Chi2":
        return Chi2(self.gamma * exponent)

    def of_diagonal(self, x: Array) -> Array:
        return namespace(x).ones_like(x[:, 0])


@dataclass(frozen=True)
class AdditiveChi2(HistogramKernel):
    """k(x, y) = Σ_j 2 x_j y_j / (x_j + y_j), for rows >= 0; 0/0 counts as 0.

    Values in [0, (|x|₁ + |y|₁) / 2]; positive semi-definite; k(c x, c y) = c k(x, y) for c >= 0.
    Vedaldi and Zisserman 2012, table 1. It is (|x|₁ + |y|₁ - Σ_j (x_j - y_j)² / (x_j + y_j)) / 2.

    >>> import numpy as np
    >>> AdditiveChi2()(np.asarray([[1.0, 2.0]]), np.asarray([[1.0, 0.0]]))
    array([[1.]])
    """

    def of_rows(self, x: Array, y: Array) -> Array:
        return harmonic_sums(x, y)

    def of_diagonal(self, x: Array) -> Array:
        return namespace(x).sum(x, axis=1)


@dataclass(frozen=True)
class Intersection(HistogramKernel):
    """k(x, y) = Σ_j min(x_j, y_j), for rows >= 0: what two histograms share.

    Values in [0, min(|x|₁, |y|₁)]; positive semi-definite; k(c x, c y) = c k(x, y) for c >= 0 (Barla et al. 2003).
    The derivative jumps where x_j = y_j; there each of x_j and y_j gets half of it.

    >>> import numpy as np
    >>> Intersection()(np.asarray([[1.0, 2.0]]), np.asarray([[3.0, 1.0]]))
    array([[2.]])
    """

    def of_rows(self, x: Array, y: Array) -> Array:
        return minimum_sums(x, y)

    def of_diagonal(self, x: Array) -> Array:
        return namespace(x).sum(x, axis=1)


def _check_signs(**named: Array) -> None:
    for name, array in named.items():
        require_everywhere(array >= 0, "numbers >= 0 for a kernel of histograms", name, array)

"""The rule to take when none is given."""

from typing import Any

from kerneltools.arrays import is_whole, require_count
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import Selector
from kerneltools.landmarks.cell_means import CellMeans
from kerneltools.landmarks.forecasting import law_of, number_of
from kerneltools.landmarks.minibatch_kmeans import MiniBatchKMeans
from kerneltools.landmarks.rpcholesky import RPCholesky
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans
from kerneltools.landmarks.uniform import Uniform

FACTOR = 15.0
"""The cost of eigenvectors of k(Z, Z) beyond that of its Cholesky factor, in m³ operations."""

LITTLE = 0.1
"""Of what choosing may take: batches of k-means take ten times as long as means of cells, for a little less error."""


def default(kernel: Kernel, m: int, shape: tuple[int, int] | None = None) -> Selector:
    """The rule that suits the kernel; for the Euclidean distance, the best one that is worth its time.

    `SphericalKMeans` for homogeneous kernels, `RPCholesky` for all others that are no function of the Euclidean
    distance, from kernel values only. Kernels that are indefinite have no Cholesky factor: `Uniform` for them. For
    functions of the Euclidean distance `MiniBatchKMeans`; where the `shape` (n, d) of the rows is given, that if its
    `operations` are within a tenth of the `allowance`, `CellMeans` if they are within all of it, or `Uniform`
    (docs/decisions/0031-landmarks-worth-their-time.md).

    Raises ValueError for m < 1 and for what is no shape of rows, TypeError for what is no kernel.

    >>> from kerneltools.kernels import Gaussian, Polynomial
    >>> default(Gaussian(1.0), 100)
    MiniBatchKMeans(m=100, batch=1024, rounds=5)
    >>> default(Gaussian(1.0), 100, (1000, 50))
    CellMeans(m=100, each=10)
    >>> default(Polynomial(degree=2), 100)
    RPCholesky(m=100, block=None, tolerance=None)
    """
    kernel = as_kernel(kernel)
    require_count("m", m)
    if kernel.homogeneous:
        return SphericalKMeans(m)
    if not kernel.euclidean:
        return Uniform(m) if kernel.indefinite else RPCholesky(m)
    if shape is None:
        return MiniBatchKMeans(m)
    n, d = _sizes(shape)
    for rule, share in ((MiniBatchKMeans(m), LITTLE), (CellMeans(m), 1.0)):
        if operations(rule, n, d) <= share * allowance(n, m):
            return rule
    return Uniform(m)


def _sizes(shape: Any) -> tuple[int, int]:
    if not isinstance(shape, tuple | list) or len(shape) != 2 or not all(map(is_whole, shape)):
        raise ValueError(f"shape: expected that of the rows, (n, d), two integers >= 1, got {shape!r:.80}")
    return int(shape[0]), int(shape[1])


def operations(rule: Selector, n: int, d: int) -> float:
    """The operations of a rule for n rows of d columns; 10⁹ take a processor core about 20 milliseconds."""
    terms: tuple[float, ...] = law_of(rule, d)({"n": n, "m": number_of(rule)})
    return float(sum(terms))


def allowance(n: int, m: int) -> float:
    """The operations that choosing may take: n m² / 2 + 15 m³, which triangular features save over symmetric ones."""
    return n * m**2 / 2 + FACTOR * m**3

"""Which rule to take when none is asked for."""

from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Selector
from kerneltools.landmarks.cell_means import CellMeans
from kerneltools.landmarks.forecasting import law_of, number_of
from kerneltools.landmarks.minibatch_kmeans import MiniBatchKMeans
from kerneltools.landmarks.rpcholesky import RPCholesky
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans
from kerneltools.landmarks.uniform import Uniform

FACTOR = 15.0
"""In m³ operations: what eigenvectors of k(Z, Z) would take beyond the Cholesky factor that there is."""


def default(kernel: Kernel, m: int, shape: tuple[int, int] | None = None) -> Selector:
    """The rule that suits the kernel; of those for the Euclidean distance the best that is worth its time.

    `SphericalKMeans` for homogeneous kernels, `RPCholesky` for all others that are no function of the Euclidean
    distance, from kernel values only. Kernels that are indefinite have no Cholesky factor: `Uniform` for them. For
    functions of the Euclidean distance `MiniBatchKMeans`; where the `shape` (n, d) of the rows is given, that or
    `CellMeans` or `Uniform`, the first of these whose `operations` are within `allowance`
    (docs/decisions/0031-landmarks-worth-their-time.md).

    >>> from kerneltools.kernels import Gaussian, Polynomial
    >>> default(Gaussian(1.0), 100)
    MiniBatchKMeans(m=100, batch=1024, rounds=5)
    >>> default(Gaussian(1.0), 100, (1000, 50))
    CellMeans(m=100, each=10)
    >>> default(Polynomial(degree=2), 100)
    RPCholesky(m=100, block=None, tolerance=None)
    """
    if kernel.homogeneous:
        return SphericalKMeans(m)
    if not kernel.euclidean:
        return Uniform(m) if kernel.indefinite else RPCholesky(m)
    if shape is None:
        return MiniBatchKMeans(m)
    n, d = shape
    for rule in (MiniBatchKMeans(m), CellMeans(m)):
        if operations(rule, n, d) <= allowance(n, m):
            return rule
    return Uniform(m)


def operations(rule: Selector, n: int, d: int) -> float:
    """What a rule takes for n rows of d columns, of about 20 milliseconds for 10⁹ on a processor core."""
    terms: tuple[float, ...] = law_of(rule, d)({"n": n, "m": number_of(rule)})
    return float(sum(terms))


def allowance(n: int, m: int) -> float:
    """What choosing may take: n m² / 2 + 15 m³ operations, which triangular features save beside symmetric ones."""
    return n * m**2 / 2 + FACTOR * m**3

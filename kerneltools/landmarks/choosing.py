"""Which rule to take when none is asked for."""

from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Selector
from kerneltools.landmarks.minibatch_kmeans import MiniBatchKMeans
from kerneltools.landmarks.rpcholesky import RPCholesky
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans
from kerneltools.landmarks.uniform import Uniform


def default(kernel: Kernel, m: int) -> Selector:
    """The rule of least error that suits the kernel.

    `SphericalKMeans` for homogeneous kernels, `MiniBatchKMeans` for functions of the Euclidean distance, `RPCholesky`
    for all others, from kernel values only. Kernels that are indefinite have no Cholesky factor: `Uniform` for them.

    >>> from kerneltools.kernels import Gaussian, Polynomial
    >>> default(Gaussian(1.0), 100)
    MiniBatchKMeans(m=100, batch=1024, rounds=5)
    >>> default(Polynomial(degree=2), 100)
    RPCholesky(m=100, block=None, tolerance=None)
    """
    if kernel.homogeneous:
        return SphericalKMeans(m)
    if kernel.euclidean:
        return MiniBatchKMeans(m)
    return Uniform(m) if kernel.indefinite else RPCholesky(m)

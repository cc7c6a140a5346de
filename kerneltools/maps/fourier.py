"""Random Fourier features: stationary kernels as means of cosines."""

from dataclasses import dataclass
from typing import Any, ClassVar

from kerneltools.arrays import Array, require_count
from kerneltools.kernels import Kernel
from kerneltools.kernels.distances import check_columns
from kerneltools.kernels.spectral import Spectral
from kerneltools.maps import frequencies
from kerneltools.maps.base import Map, check_even, in_type_of, placed
from kerneltools.primitives import cosine_features
from kerneltools.random import Rng
from kerneltools.trees import child_names


@dataclass(frozen=True, eq=False)
class Fourier(Map):
    """φ(x) = √(2/m) (cos Ωx/ℓ, sin Ωx/ℓ), prepared by `fourier`.

    `frequencies` Ω (m/2, d), in units of the kernel's inverse lengthscale ℓ: a leaf, so that they can be learned by
    gradient, as the lengthscale can.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> phi = Fourier(Gaussian(2.0), np.array([[1.0], [2.0]]))  # frequencies of one's own
    >>> phi(np.array([[0.0], [np.pi]])).round(3)
    array([[ 0.707,  0.707,  0.   ,  0.   ],
           [ 0.   , -0.707,  0.707,  0.   ]])
    """

    kernel: Kernel
    frequencies: Array
    at_once: ClassVar[int] = 2**62  # `cosine_features` goes block by block

    @property
    def dimension(self) -> int:
        """m, two for each frequency."""
        return 2 * int(self.frequencies.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return int(self.frequencies.shape[1])

    def of_rows(self, x: Array) -> Array:
        lengths = self.kernel.lengths  # type: ignore[attr-defined]  # `fourier` has looked at it
        check_columns(child_names(self.kernel)[0], lengths, x)
        return cosine_features(x, in_type_of(self.frequencies, x), lengths, (2 / self.dimension) ** 0.5)


def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    orthogonal: bool = True,
    quasi: bool = False,
    like: Array | None = None,
) -> Fourier:
    """Random Fourier features of a stationary kernel (Rahimi and Recht 2007), in pairs of cosine and sine.

    -> map of (..., d) -> (..., m)

    `kernel`: Gaussian, Matern, Exponential, RationalQuadratic, Laplacian or Cauchy. `m`: even. The diagonal is exact;
    elsewhere the error of a value has the mean 0 and a standard deviation of at most 1/√(m/2), whatever d is.
    `orthogonal`: frequencies orthogonal in groups of d, where the law of the frequencies is isotropic (Yu et al.
    2016): a smaller error at no cost. `quasi`: scrambled Sobol points in their place (Avron et al. 2016), by SciPy.
    `like`: an array of the library, type and device that the frequencies are to be of; NumPy's float64 without it.
    Pairs have less error than cosines with an offset, at half the products (Sutherland and Schneider 2015).

    Raises TypeError for a kernel whose law is not known, ValueError for an odd m.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> phi = fourier(Gaussian(1.0), d=3, m=2000, rng=0)
    >>> x = np.random.default_rng(1).standard_normal((4, 3))
    >>> bool(np.abs(phi(x) @ phi(x).T - Gaussian(1.0)(x, x)).max() < 0.05)
    True
    """
    require_count("d", d)
    check_even(m)
    law = kernel.spectral if isinstance(kernel, Spectral) else None
    if law is None:
        raise TypeError(
            f"kernel: the law of the frequencies of {kernel!r} is not known; take a Gaussian, Matern, Exponential, "
            "RationalQuadratic, Laplacian or Cauchy kernel, or maps.nystrom"
        )
    drawn: Any = frequencies.quasi(law, rng, m // 2, d) if quasi else frequencies.draw(law, rng, m // 2, d, orthogonal)
    return Fourier(kernel, placed(drawn, like))

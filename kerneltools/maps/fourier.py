"""Random Fourier features: cosines and sines at random frequencies."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.kernels.spectral import Isotropic, Law, Spectral
from kerneltools.maps.draws import as_rows, check_sizes, directions, placed
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class Fourier(Tree):
    """φ(x) = √(2/m) [cos W x/ℓ, sin W x/ℓ], prepared by `fourier`; |φ(x)| = 1.

    `frequencies` W (m / 2, d), for lengthscale 1: a leaf that may be learnt by gradient.
    """

    kernel: Kernel
    frequencies: Array

    @property
    def dimension(self) -> int:
        """How many features: m."""
        return 2 * int(self.frequencies.shape[0])

    @in_single
    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., m)"""
        rows, batch = as_rows(x, self.frequencies.shape[1])
        xp = namespace(rows, self.frequencies)
        angles = (rows / _spectral(self.kernel).lengths) @ xp.matrix_transpose(self.frequencies)
        phi = sqrt(2 / self.dimension) * xp.concat([xp.cos(angles), xp.sin(angles)], axis=1)
        return xp.reshape(phi, (*batch, self.dimension))


def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    *,
    orthogonal: bool = True,
    quasi: bool = False,
    like: Array | None = None,
) -> Fourier:
    """Random Fourier features of a translation-invariant kernel (Rahimi and Recht 2007).

    -> map of (..., d) -> (..., m) with E <φ(x), φ(y)> = k(x, y)

    `kernel`: Gaussian, Matern, Exponential, RationalQuadratic, Laplacian, Cauchy, or another with a `spectral` law.
    `m`: an even number of features, cosines and sines in pairs: a smaller variance than with random offsets
    (Sutherland and Schneider 2015). `orthogonal`: frequencies orthogonal in blocks of d, which lowers the variance
    further (Yu et al. 2016); laws that are not isotropic (Laplacian, Cauchy) are drawn independently. `quasi`: points
    of a scrambled Halton sequence in place of independent ones (Avron et al. 2016), instead of `orthogonal`.
    `like`: an array whose library, type and device the frequencies get; NumPy float64 without one.

    Raises TypeError for a kernel without a law of frequencies, ValueError for sizes out of range.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.random.default_rng(0).standard_normal((5, 3))
    >>> phi = fourier(Gaussian(2.0), d=3, m=4000, rng=0)
    >>> bool(np.abs(phi(x) @ phi(x).T - Gaussian(2.0)(x, x)).max() < 0.05)
    True
    """
    check_sizes(d, m, 2)
    law = _spectral(kernel).spectral
    if law is None:
        raise TypeError(f"kernel: no law of frequencies is known for {kernel!r}")
    drawn = _quasi(law, rng, m // 2, d) if quasi else _drawn(law, rng, m // 2, d, orthogonal)
    return Fourier(kernel, placed(drawn, like))


def _spectral(kernel: Kernel) -> Spectral:
    if not isinstance(kernel, Spectral):
        raise TypeError(
            "kernel: expected a translation-invariant kernel with a law of frequencies (Gaussian, Matern, "
            f"Exponential, RationalQuadratic, Laplacian, Cauchy), got {type(kernel).__name__}; for sums and products "
            "make a map of each part and join them with maps.Sum or maps.Product"
        )
    return kernel


def _drawn(law: Law, rng: Rng, count: int, d: int, orthogonal: bool) -> Any:
    rng = generator(rng)
    if orthogonal and isinstance(law, Isotropic):
        return directions(rng, count, d) * law.radii(rng, count, d)[:, None]
    return law.draw(rng, count, d)


def _quasi(law: Law, rng: Rng, count: int, d: int) -> Any:
    try:
        from scipy.stats import qmc
    except ModuleNotFoundError as error:
        raise ImportError("quasi: Halton points need SciPy; install it with: pip install scipy") from error
    points = qmc.Halton(law.uniforms(d), scramble=True, seed=generator(rng)).random(count)
    xp = namespace(points)
    # The open cube: an inverse distribution function is infinite at its ends.
    tiny = xp.finfo(points.dtype).eps
    return law.from_uniform(xp.clip(points, tiny, 1 - tiny))

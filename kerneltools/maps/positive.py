"""Positive features of exponentials of inner products."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_count
from kerneltools.kernels import ExponentialDotProduct, Gaussian, Kernel
from kerneltools.kernels.distances import check_columns
from kerneltools.kernels.spectral import Normal
from kerneltools.maps import frequencies
from kerneltools.maps.base import Map, check_even, inner_products, placed
from kerneltools.random import Rng
from kerneltools.trees import child_names


@dataclass(frozen=True, eq=False)
class Positive(Map):
    """φ(x) = (exp(Wu - c|u|²), exp(-Wu - c|u|²)) / √m with u = x/ℓ, prepared by `positive`.

    c = 1/2 for the exponential of inner products, 1 for the Gaussian kernel. `weights` W (m/2, d).

    >>> import numpy as np
    >>> from kerneltools.kernels import ExponentialDotProduct
    >>> phi = Positive(ExponentialDotProduct(1.0), np.array([[1.0, 0.0], [0.0, 2.0]]))  # weights of one's own
    >>> phi.logarithms(np.array([[1.0, 0.5]]))
    array([[ 0.375,  0.375, -1.625, -1.625]])
    """

    kernel: Kernel
    weights: Array

    @property
    def dimension(self) -> int:
        """m"""
        return 2 * int(self.weights.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return int(self.weights.shape[1])

    def logarithms(self, x: Array) -> Array:
        """log φ(x) of rows: (n, d) -> (n, m). In attention, a term that all keys share may be subtracted."""
        gaussian = isinstance(self.kernel, Gaussian)
        lengths = getattr(self.kernel, child_names(self.kernel)[0])
        check_columns(child_names(self.kernel)[0], lengths, x)
        u = x / lengths
        t = inner_products(u, self.weights)
        xp = namespace(t)
        size = (1.0 if gaussian else 0.5) * xp.sum(u * u, axis=1, keepdims=True)
        return xp.concat([t - size, -t - size], axis=1)

    def of_rows(self, x: Array) -> Array:
        logarithms = self.logarithms(x)
        return namespace(logarithms).exp(logarithms) / self.dimension**0.5


def positive(kernel: Kernel, d: int, m: int, rng: Rng, orthogonal: bool = True, like: Array | None = None) -> Positive:
    """Positive features (FAVOR+, Choromanski et al. 2021, lemma 1) of `ExponentialDotProduct` or `Gaussian`.

    -> map of (..., d) -> (..., m)

    Unbiased, and all features are > 0, so that sums of kernel values that must be positive, such as the denominators of
    attention, are positive. `m` is even, since w and -w come in pairs. The relative error grows as exp(|x + y|²/2ℓ²):
    take it for rows of norms up to some ℓ; beyond that, `fourier` has less error. The exponents are added before the
    exponential is taken. `orthogonal`, `like`: as in `fourier`.

    Raises TypeError for another kernel, ValueError for an odd m.

    >>> import numpy as np
    >>> from kerneltools.kernels import ExponentialDotProduct
    >>> phi, x = positive(ExponentialDotProduct(2.0), d=4, m=2000, rng=0), np.ones((1, 4))
    >>> bool(abs((phi(x) @ phi(x).T).item() - np.exp(1.0)) < 0.2)
    True
    """
    if not isinstance(kernel, Gaussian | ExponentialDotProduct):
        raise TypeError(f"kernel: expected kernels.ExponentialDotProduct or kernels.Gaussian, got {kernel!r}")
    require_count("d", d)
    check_even(m)
    return Positive(kernel, placed(frequencies.draw(Normal(), rng, m // 2, d, orthogonal), like))

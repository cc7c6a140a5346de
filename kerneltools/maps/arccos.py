"""Features of the arc-cosine kernels: one layer of random units."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_count
from kerneltools.kernels import ArcCosine
from kerneltools.kernels.base import step
from kerneltools.kernels.spectral import Normal
from kerneltools.maps import frequencies
from kerneltools.maps.base import Map, inner_products, placed
from kerneltools.random import Rng


@dataclass(frozen=True, eq=False)
class ArcCosineFeatures(Map):
    """φ(x) = √(2/m) f(Wx) with f(t) = t^order for t > 0 and 0 else, prepared by `arccos`. `weights` W (m, d).

    >>> import numpy as np
    >>> phi = ArcCosineFeatures(ArcCosine(1), np.array([[1.0, 0.0], [0.0, 1.0]]))  # weights of one's own: two ReLUs
    >>> phi(np.array([[3.0, -1.0], [0.5, 2.0]]))
    array([[3. , 0. ],
           [0.5, 2. ]])
    """

    kernel: ArcCosine
    weights: Array

    @property
    def dimension(self) -> int:
        """m"""
        return int(self.weights.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return int(self.weights.shape[1])

    def of_rows(self, x: Array) -> Array:
        t = inner_products(x, self.weights)
        xp = namespace(t)
        scale = (2 / self.dimension) ** 0.5
        if self.kernel.order == 0:
            return scale * step(t)
        # Written so that NaN stays NaN.
        positive = xp.where(t <= 0, xp.zeros_like(t), t)
        return scale * (positive if self.kernel.order == 1 else positive * positive)


def arccos(
    kernel: ArcCosine, d: int, m: int, rng: Rng, orthogonal: bool = True, like: Array | None = None
) -> ArcCosineFeatures:
    """Features of the arc-cosine kernel of order 0, 1 or 2 (Cho and Saul 2009): steps, ReLUs, squared ReLUs.

    -> map of (..., d) -> (..., m)

    Unbiased. `orthogonal`: weights are orthogonal in groups of d. `like`: as in `fourier`. The error relative to
    |x|^order |y|^order falls as 1/√m, with a factor that grows with the order. The derivative of steps is 0.

    Raises TypeError for another kernel.

    >>> import numpy as np
    >>> from kerneltools.kernels import ArcCosine
    >>> phi, x = arccos(ArcCosine(1), d=3, m=4000, rng=0), np.ones((1, 3))
    >>> bool(abs((phi(x) @ phi(x).T).item() - 3.0) < 0.1)
    True
    """
    if not isinstance(kernel, ArcCosine):
        raise TypeError(f"kernel: expected kernels.ArcCosine, got {kernel!r}")
    require_count("d", d)
    require_count("m", m)
    return ArcCosineFeatures(kernel, placed(frequencies.draw(Normal(), rng, m, d, orthogonal), like))

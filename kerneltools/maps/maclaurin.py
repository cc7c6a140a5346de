"""Random Maclaurin features of functions of the inner product, power by power."""

from dataclasses import dataclass
from math import comb, factorial

from kerneltools.arrays import Array, device_of, namespace, require_count
from kerneltools.kernels import ExponentialDotProduct, Kernel, Linear, Polynomial
from kerneltools.maps.base import Map, inner_products, placed
from kerneltools.random import Rng, generator
from kerneltools.trees import static


@dataclass(frozen=True, eq=False)
class Maclaurin(Map):
    """φ_i(x) = √(a_N / m q_N) Π_{j<=N} <s_ij, x> with signs s_ij, for k = Σ a_N <x, y>^N; prepared by `maclaurin`.

    `signs`: for each j, the rows s_ij of all features of at least that degree. `counts`: how many features have each
    degree, from the greatest down. `shares`: the probability q_N of each of these degrees.

    >>> from kerneltools.kernels import Polynomial
    >>> phi = maclaurin(Polynomial(3, 1.0), d=5, m=100, rng=0)
    >>> phi.counts  # (degree, how many features have it)
    ((3, 5), (2, 39), (1, 42), (0, 14))
    """

    kernel: Kernel
    signs: tuple[Array, ...]
    counts: tuple[tuple[int, int], ...] = static(())
    shares: tuple[float, ...] = static(())
    d: int = static(0)

    @property
    def dimension(self) -> int:
        """m"""
        return sum(count for _, count in self.counts)

    @property
    def columns(self) -> int:
        """d"""
        return self.d

    def of_rows(self, x: Array) -> Array:
        xp = namespace(x)
        product = x[:, :0]
        for signs in reversed(self.signs):
            factor = inner_products(x, signs)
            done = product.shape[1]
            product = xp.concat([product * factor[:, :done], factor[:, done:]], axis=1)
        missing = self.dimension - product.shape[1]
        if missing:
            product = xp.concat([product, xp.broadcast_to(xp.ones_like(x[:, :1]), (x.shape[0], missing))], axis=1)
        return product * self._weights(x)

    def _weights(self, x: Array) -> Array:
        """√(a_N / m q_N) for each feature: -> (1, m)"""
        xp = namespace(x)
        one = xp.ones((1, 1), dtype=x.dtype, device=device_of(x))
        parts = []
        for (degree, count), share in zip(self.counts, self.shares, strict=True):
            weight = (coefficient(self.kernel, degree) * one / (share * self.dimension)) ** 0.5
            parts.append(xp.broadcast_to(weight, (1, count)))
        return xp.concat(parts, axis=1)


def maclaurin(kernel: Kernel, d: int, m: int, rng: Rng, norm: float = 1.0, like: Array | None = None) -> Maclaurin:
    """Random Maclaurin features (Kar and Karnick 2012) of `Polynomial`, `ExponentialDotProduct` or `Linear`.

    -> map of (..., d) -> (..., m)

    Unbiased for rows of any size. Degrees N are drawn in proportion to a_N norm^2N, their share in k, and not by halves
    as in the paper: give the norm of typical rows as `norm`. The variance of a value grows like powers of |x|₁;
    `tensor_sketch` has less for polynomials, `positive` for exponentials. `like`: as in `fourier`.

    Raises TypeError for another kernel, ValueError for a norm that is not > 0.

    >>> import numpy as np
    >>> from kerneltools.kernels import Polynomial
    >>> phi, x = maclaurin(Polynomial(2, 1.0), d=2, m=4000, rng=0), np.full((1, 2), 0.5)
    >>> bool(abs((phi(x) @ phi(x).T).item() - 2.25) < 0.2)
    True
    """
    require_count("d", d)
    require_count("m", m)
    if not 0 < norm < float("inf"):
        raise ValueError(f"norm: expected a finite number > 0, got {norm}")
    shares = _shares(kernel, float(norm))
    rng = generator(rng)
    found = rng.multinomial(m, shares).tolist()
    counts = tuple((degree, found[degree]) for degree in reversed(range(len(found))) if found[degree])
    signs = []
    for level in range(1, counts[0][0] + 1):
        size = sum(count for degree, count in counts if degree >= level)
        signs.append(placed(2.0 * rng.integers(0, 2, (size, d)) - 1.0, like))
    return Maclaurin(kernel, tuple(signs), counts, tuple(shares[degree] for degree, _ in counts), d)


def coefficient(kernel: Kernel, degree: int) -> float | Array:
    """The coefficient a_N of k = Σ a_N <x, y>^N."""
    if isinstance(kernel, Linear):
        return 1.0 if degree == 1 else 0.0
    if isinstance(kernel, Polynomial):
        return (
            0.0 if degree > kernel.degree else comb(kernel.degree, degree) * kernel.offset ** (kernel.degree - degree)
        )
    if isinstance(kernel, ExponentialDotProduct):
        return 1 / (factorial(degree) * kernel.sigma ** (2 * degree))
    raise TypeError(
        f"kernel: expected kernels.Polynomial, kernels.ExponentialDotProduct or kernels.Linear, got {kernel!r}"
    )


DEGREES = 100
"""Greater powers are left out: their sum is below rounding for |<x, y>| up to some 30 sigma²."""


def _shares(kernel: Kernel, norm: float) -> list[float]:
    """The probabilities of the degrees from 0 on."""
    sizes = [float(coefficient(kernel, degree)) * norm ** (2 * degree) for degree in range(DEGREES)]
    # Degrees that are hardly ever drawn would have weights without bound.
    kept = max(degree for degree, size in enumerate(sizes) if size > 1e-17 * sum(sizes)) + 1
    return [size / sum(sizes[:kept]) for size in sizes[:kept]]

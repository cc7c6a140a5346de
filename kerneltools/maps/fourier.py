"""Random Fourier features: stationary kernels as means of cosines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, overload

from kerneltools.arrays import Array, device_of, namespace, require_count
from kerneltools.kernels import Kernel
from kerneltools.kernels.distances import check_columns
from kerneltools.kernels.spectral import Isotropic, Spectral
from kerneltools.maps import frequencies, hadamard
from kerneltools.maps.base import Map, check_even, in_type_of, placed
from kerneltools.primitives import by_rows, cosine_features, cosines_and_sines, pad
from kerneltools.random import Rng
from kerneltools.trees import child_names, static


@dataclass(frozen=True, eq=False)
class Fourier(Map):
    """φ(x) = √(2/m) (cos Ωx/ℓ, sin Ωx/ℓ), prepared by `fourier`.

    `frequencies` Ω (m/2, d), in units of the inverse lengthscale 1/ℓ of the kernel. They are a leaf, so that a gradient
    can learn them, like the lengthscale.

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


@dataclass(frozen=True, eq=False)
class StructuredFourier(Map):
    """Structured φ(x) = √(2/m) (cos Ωx/ℓ, sin Ωx/ℓ), Ω = R H D₁ H D₂ H D₃, prepared by `fourier(..., structured=True)`.

    H: the orthogonal Hadamard matrix of p columns, a power of two; x is padded with zeros. `signs`: the diagonals of
    D₁, D₂ and D₃ for each p frequencies (blocks, 3, p). `radii`: the diagonal of R, norms of the frequencies (m/2,).

    >>> from kerneltools.kernels import Gaussian
    >>> phi = fourier(Gaussian(2.0), d=100, m=1000, rng=0, structured=True)
    >>> phi.signs.shape, phi.radii.shape, phi.frequencies.shape
    ((4, 3, 128), (500,), (500, 100))
    """

    kernel: Kernel
    signs: Array
    radii: Array
    d: int = static(0)
    at_once: ClassVar[int] = 2**62  # `of_rows` goes block by block

    @property
    def dimension(self) -> int:
        """m, two for each frequency."""
        return 2 * int(self.radii.shape[0])

    @property
    def columns(self) -> int:
        """d"""
        return self.d

    @property
    def frequencies(self) -> Array:
        """The frequencies Ω, computed from the signs: (m/2, d)"""
        xp = namespace(self.signs)
        unit = xp.eye(self.d, dtype=self.signs.dtype, device=device_of(self.signs))
        return xp.matrix_transpose(self._angles(unit)(unit))

    def of_rows(self, x: Array) -> Array:
        lengths = self.kernel.lengths  # type: ignore[attr-defined]  # `fourier` has looked at it
        check_columns(child_names(self.kernel)[0], lengths, x)
        angles, scale = self._angles(x), (2 / self.dimension) ** 0.5
        blocks, _, p = self.signs.shape

        def of_block(rows: Array) -> Array:
            return cosines_and_sines(angles(rows / lengths), scale)

        return by_rows(x, of_block, max(1, NEAR // (blocks * p)), self)

    def _angles(self, like: Array) -> Callable[[Array], Array]:
        """(n, d) -> (n, m/2)"""
        signs, radii = in_type_of(self.signs, like), in_type_of(self.radii, like)
        blocks, three, p = signs.shape
        if three != 3 or p & (p - 1) or not (p >= self.d and blocks * p >= radii.shape[0]):
            raise ValueError(
                f"signs: expected (blocks, 3, p) for {self.d} columns and {radii.shape[0]} frequencies, p a power of 2 "
                f">= the columns and blocks p >= the frequencies, got {tuple(signs.shape)}; prepare it by `fourier`"
            )
        matrices = hadamard.factors(p, like)

        def of_rows(rows: Array) -> Array:
            z = pad(rows, ((0, 0), (0, p - self.d)))[:, None, :]
            for diagonal in (2, 1, 0):
                z = hadamard.transformed(z * signs[None, :, diagonal, :], matrices)
            return namespace(z).reshape(z, (-1, blocks * p))[:, : radii.shape[0]] * radii[None, :]

        return of_rows


NEAR = 2**16
"""Angles that are worked on at a time, so that they stay in a near cache."""


@overload
def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    orthogonal: bool = True,
    quasi: bool = False,
    structured: Literal[False] = False,
    like: Array | None = None,
) -> Fourier: ...


@overload
def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    orthogonal: bool = True,
    quasi: bool = False,
    *,
    structured: Literal[True],
    like: Array | None = None,
) -> StructuredFourier: ...


@overload
def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    orthogonal: bool = True,
    quasi: bool = False,
    structured: bool = False,
    like: Array | None = None,
) -> Fourier | StructuredFourier: ...


def fourier(
    kernel: Kernel,
    d: int,
    m: int,
    rng: Rng,
    orthogonal: bool = True,
    quasi: bool = False,
    structured: bool = False,
    like: Array | None = None,
) -> Fourier | StructuredFourier:
    """Random Fourier features of a stationary kernel (Rahimi and Recht 2007), in pairs of cosine and sine.

    -> map of (..., d) -> (..., m)

    `kernel`: Gaussian, Matern, Exponential, RationalQuadratic, Laplacian or Cauchy. `m`: even. The diagonal is exact;
    elsewhere the error of a value has the mean 0 and a standard deviation of at most 1/√(m/2), whatever d is.
    `orthogonal`: frequencies are orthogonal in groups of d if their law is isotropic (Yu et al. 2016), which makes the
    error smaller at no cost. `quasi`: frequencies from scrambled Sobol points instead (Avron et al. 2016), which needs
    SciPy. `structured`: orthogonal frequencies from random signs and Hadamard matrices (Yu et al. 2016), for isotropic
    laws: d frequencies take d log d operations instead of d², and each 3 signs instead of d numbers; faster from about
    d = 500 on, if m is at least d. They are as good as orthogonal ones; their mean differs from the kernel by some
    thousandths. `like`: an array whose library, type and device the frequencies get; None for NumPy's float64. Pairs
    have less error than cosines with an offset, at half the products (Sutherland and Schneider 2015).

    Raises TypeError for a kernel whose law is not known, or not isotropic although `structured` is set, and ValueError
    for an odd m and for `structured` with `quasi` or without `orthogonal`.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> phi = fourier(Gaussian(1.0), d=3, m=2000, rng=0)
    >>> x = np.random.default_rng(1).standard_normal((4, 3))
    >>> bool(np.abs(phi(x) @ phi(x).T - Gaussian(1.0)(x, x)).max() < 0.05)
    True
    >>> fourier(Gaussian(50.0), d=3000, m=8192, rng=0, structured=True).signs.shape  # in place of (4096, 3000) numbers
    (1, 3, 4096)
    """
    require_count("d", d)
    check_even(m)
    law = kernel.spectral if isinstance(kernel, Spectral) else None
    if law is None:
        raise TypeError(
            f"kernel: the law of the frequencies of {kernel!r} is not known; take a Gaussian, Matern, Exponential, "
            "RationalQuadratic, Laplacian or Cauchy kernel, or maps.nystrom"
        )
    if structured:
        if quasi or not orthogonal:
            raise ValueError(
                f"structured: such frequencies are orthogonal and not quasi-Monte Carlo, got orthogonal={orthogonal}, "
                f"quasi={quasi}; leave these out, or take structured=False"
            )
        if not isinstance(law, Isotropic):
            raise TypeError(
                f"kernel: structured frequencies need a law that is the same in all directions, and that of {kernel!r} "
                "is not; take structured=False, or a Gaussian, Matern, Exponential or RationalQuadratic kernel"
            )
        signs, radii = frequencies.structured(law, rng, m // 2, d)
        return StructuredFourier(kernel, placed(signs, like), placed(radii, like), d)
    drawn: Any = frequencies.quasi(law, rng, m // 2, d) if quasi else frequencies.draw(law, rng, m // 2, d, orthogonal)
    return Fourier(kernel, placed(drawn, like))

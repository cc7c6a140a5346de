"""TensorSketch: features of polynomial kernels by circular convolutions of count sketches."""

from dataclasses import dataclass, field

from kerneltools.arrays import Array, asarray_like, indices_like, namespace, require_count, safe_sqrt
from kerneltools.backend import custom_vjp
from kerneltools.kernels import Linear, Polynomial
from kerneltools.maps.base import Map
from kerneltools.primitives import segment_sum
from kerneltools.random import Rng, generator


@dataclass(frozen=True, eq=False)
class TensorSketch(Map):
    """φ(x) = s₁(x) * ... * s_p(x), circular convolutions of p count sketches of (x, √offset).

    Prepared by `tensor_sketch`. `places` and `signs`: the place and the sign of each column in each sketch.

    >>> import numpy as np
    >>> from kerneltools.kernels import Polynomial
    >>> phi, x = tensor_sketch(Polynomial(3, 1.0), d=100, m=8192, rng=0), np.full((1, 100), 0.1)
    >>> phi(x).shape, (phi(x) @ phi(x).T).round(1), Polynomial(3, 1.0)(x, x)
    ((1, 8192), array([[7.9]]), array([[8.]]))
    """

    kernel: Polynomial | Linear
    size: int = field(metadata={"static": True})
    places: tuple[tuple[int, ...], ...] = field(metadata={"static": True})
    signs: tuple[tuple[int, ...], ...] = field(metadata={"static": True})

    @property
    def dimension(self) -> int:
        """m"""
        return self.size

    @property
    def columns(self) -> int:
        """d"""
        return len(self.places[0]) - 1

    def of_rows(self, x: Array) -> Array:
        extended = self._extended(x)
        features = self._sketch(extended, 0)
        for number in range(1, len(self.places)):
            features = circular_product(features, self._sketch(extended, number))
        return features

    def _extended(self, x: Array) -> Array:
        """(x, √offset), whose inner products are those of x plus the offset."""
        offset = self.kernel.offset if isinstance(self.kernel, Polynomial) else 0.0
        root = safe_sqrt(offset) if hasattr(offset, "dtype") else offset**0.5
        xp = namespace(x)
        return xp.concat([x, xp.ones_like(x[:, :1]) * root], axis=1)

    def _sketch(self, x: Array, number: int) -> Array:
        """The sketch of each row, to which each column is added, with its sign, at its place: (n, d + 1) -> (n, m)"""
        xp = namespace(x)
        places = indices_like(self.places[number], x)
        signed = xp.matrix_transpose(x * asarray_like(self.signs[number], x)[None, :])
        return xp.matrix_transpose(segment_sum(signed, places, self.size))


def _convolve(a: Array, b: Array) -> Array:
    xp = namespace(a, b)
    return xp.astype(xp.fft.irfft(xp.fft.rfft(a) * xp.fft.rfft(b), n=a.shape[-1]), a.dtype)


def _pull(cotangent: Array, product: Array, a: Array, b: Array) -> tuple[Array, Array]:
    del product
    return circular_product(cotangent, _reversed(b)), circular_product(cotangent, _reversed(a))


def _reversed(a: Array) -> Array:
    """a[-k mod m], which turns a convolution into its adjoint."""
    xp = namespace(a)
    return xp.roll(xp.flip(a, axis=-1), 1, axis=-1)


circular_product = custom_vjp(_convolve, _pull)
circular_product.__doc__ = """Circular convolutions of rows, by Fourier transforms: (n, m), (n, m) -> (n, m)."""


def tensor_sketch(kernel: Polynomial | Linear, d: int, m: int, rng: Rng) -> TensorSketch:
    """TensorSketch of a polynomial kernel (Pham and Pagh 2013), in d + m log m operations per row and degree.

    -> map of (..., d) -> (..., m)

    Unbiased; the variance of a value is at most 2·3^degree (|x|² + offset)^degree (|y|² + offset)^degree / m, so that
    m must grow with the degree. It holds no arrays of a library, and works for any library, type and device.

    Raises TypeError for another kernel.

    >>> import numpy as np
    >>> from kerneltools.kernels import Polynomial
    >>> phi, x = tensor_sketch(Polynomial(2, 1.0), d=5, m=4096, rng=0), np.ones((1, 5))
    >>> bool(abs((phi(x) @ phi(x).T).item() - 36.0) < 3.0)
    True
    """
    if not isinstance(kernel, Polynomial | Linear):
        raise TypeError(f"kernel: expected kernels.Polynomial or kernels.Linear, got {kernel!r}")
    require_count("d", d)
    require_count("m", m)
    rng = generator(rng)
    degree = kernel.degree if isinstance(kernel, Polynomial) else 1
    places = rng.integers(0, m, (degree, d + 1)).tolist()
    signs = (2 * rng.integers(0, 2, (degree, d + 1)) - 1).tolist()
    return TensorSketch(kernel, m, tuple(map(tuple, places)), tuple(map(tuple, signs)))

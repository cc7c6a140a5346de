"""Sketches of dot-product kernels: TensorSketch and random Maclaurin features."""

from dataclasses import dataclass
from math import comb, exp, sqrt
from typing import Any

from kerneltools.arrays import Array, asarray_like, namespace
from kerneltools.kernels import ExponentialDotProduct, Kernel, Polynomial
from kerneltools.maps.base import Map, in_type_of, placed
from kerneltools.maps.draws import check_sizes
from kerneltools.primitives import segment_sum
from kerneltools.random import Rng, generator
from kerneltools.trees import static


@dataclass(frozen=True, eq=False)
class TensorSketch(Map):
    """The circular convolution of count sketches, prepared by `tensor_sketch`.

    `signs` (degree, d + 1), +1 or -1; `places` (degree, d + 1), integers in 0..m-1.
    """

    kernel: Polynomial
    signs: Array
    places: Array
    features: int = static()

    @property
    def dimension(self) -> int:
        """How many features: m."""
        return self.features

    @property
    def columns(self) -> int:
        """d"""
        return int(self.signs.shape[1]) - 1

    def of_rows(self, x: Array) -> Array:
        xp = namespace(x, self.signs)
        signs, offset = in_type_of(self.signs, x), asarray_like(1.0, x) * self.kernel.offset
        extended = xp.concat([x, xp.sqrt(offset) * xp.ones_like(x[:, :1])], axis=1)
        spectrum = None
        for number in range(self.signs.shape[0]):
            signed = xp.matrix_transpose(extended * signs[number, :][None, :])
            sketch = xp.matrix_transpose(segment_sum(signed, self.places[number, :], self.dimension))
            factor = xp.fft.rfft(sketch, axis=1)
            spectrum = factor if spectrum is None else spectrum * factor
        return xp.astype(xp.fft.irfft(spectrum, n=self.dimension, axis=1), x.dtype)


def tensor_sketch(kernel: Polynomial, d: int, m: int, rng: Rng, *, like: Array | None = None) -> TensorSketch:
    """TensorSketch of a polynomial kernel (Pham and Pagh 2013).

    -> map of (..., d) -> (..., m) with E <φ(x), φ(y)> = (<x, y> + offset)^degree

    Costs O(n degree (d + m log m)). `like`: an array whose library, type and device the signs get; NumPy float64
    without. Values everywhere; gradients on PyTorch and JAX (the tape has no rule for the Fourier transform).
    Raises TypeError for another kernel, ValueError for sizes out of range.

    >>> from kerneltools.kernels import Polynomial
    >>> tensor_sketch(Polynomial(degree=3, offset=1.0), d=4, m=32, rng=0).dimension
    32
    """
    check_sizes(d, m)
    if not isinstance(kernel, Polynomial):
        raise TypeError(f"kernel: expected kernels.Polynomial, got {type(kernel).__name__}")
    rng = generator(rng)
    signs = 2.0 * rng.integers(2, size=(kernel.degree, d + 1)) - 1.0
    places = rng.integers(m, size=(kernel.degree, d + 1))
    numbers = places if like is None else asarray_like(places, like, namespace(like).int64)
    return TensorSketch(kernel, placed(signs, like), numbers, m)


@dataclass(frozen=True, eq=False)
class Maclaurin(Map):
    """√(f(1)/m) times products of random signs' inner products with x, prepared by `maclaurin`.

    `signs`: for each degree in `degrees`, (degree, features of it, d), +1 or -1.
    """

    kernel: Kernel
    signs: tuple[Array, ...]
    total: float = static()
    constants: int = static()

    @property
    def dimension(self) -> int:
        """How many features: m."""
        return self.constants + sum(int(signs.shape[1]) for signs in self.signs)

    @property
    def columns(self) -> int:
        """d"""
        return int(self.signs[0].shape[2])

    def of_rows(self, x: Array) -> Array:
        xp = namespace(x, *self.signs)
        parts = [xp.ones_like(x[:, :1])] * self.constants
        for signs in self.signs:
            product = xp.ones_like(x[:, :1])
            for number in range(signs.shape[0]):
                product = product * (x @ xp.matrix_transpose(in_type_of(signs[number, ...], x)))
            parts.append(product)
        return sqrt(self.total / self.dimension) * xp.concat(parts, axis=1)


def maclaurin(
    kernel: Polynomial | ExponentialDotProduct, d: int, m: int, rng: Rng, *, like: Array | None = None
) -> Maclaurin:
    """Random Maclaurin features of a kernel f(<x, y>) = Σ aₙ <x, y>ⁿ, aₙ >= 0 (Kar and Karnick 2012).

    -> map of (..., d) -> (..., m) with E <φ(x), φ(y)> = k(x, y)

    The degree of a feature is drawn with probability aₙ / f(1), which suits rows of norm about 1. `like`: an array
    whose library, type and device the signs get; NumPy float64 without. The kernel's parameters must be numbers.
    Raises TypeError for another kernel, ValueError for sizes out of range.

    >>> from kerneltools.kernels import Polynomial
    >>> maclaurin(Polynomial(degree=2, offset=1.0), d=4, m=32, rng=0).dimension
    32
    """
    check_sizes(d, m)
    total, degrees = _degrees(kernel, generator(rng), m)
    rng = generator(rng)
    # Where only constants were drawn, an array without features tells the number of columns.
    found = sorted(set(degrees) - {0}) or [1]
    signs = [2.0 * rng.integers(2, size=(n, degrees.count(n), d)) - 1.0 for n in found]
    return Maclaurin(kernel, tuple(placed(part, like) for part in signs), total, degrees.count(0))


def _degrees(kernel: Kernel, rng: Any, m: int) -> tuple[float, list[int]]:
    """f(1) and m degrees with probabilities aₙ / f(1)."""
    if isinstance(kernel, Polynomial):
        offset, degree = float(kernel.offset), kernel.degree
        weights = [comb(degree, n) * offset ** (degree - n) for n in range(degree + 1)]
        total = sum(weights)
        return total, rng.choice(degree + 1, size=m, p=[w / total for w in weights]).tolist()
    if isinstance(kernel, ExponentialDotProduct):
        mean = 1 / float(kernel.scale) ** 2
        return exp(mean), rng.poisson(mean, m).tolist()
    raise TypeError(f"kernel: expected kernels.Polynomial or ExponentialDotProduct, got {type(kernel).__name__}")

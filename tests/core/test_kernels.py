"""Kernels one by one: formulas, parameters out of range, what is particular to each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from kerneltools import autodiff, backend, kernels
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear, Matern, Polynomial, square_distances
from kerneltools.kernels.profiles import Exponential
from tests.strict import assert_close

X, Y = np.random.default_rng(0).standard_normal((2, 4, 3))


def slow(formula: Any) -> np.ndarray:
    return np.array([[formula(x, y) for y in Y] for x in X])


def test_formulas() -> None:
    norm = np.linalg.norm
    for kernel, formula in (
        (Gaussian(0.7), lambda x, y: np.exp(-(norm(x - y) ** 2) / (2 * 0.7**2))),
        (Linear(), lambda x, y: x @ y),
        (Polynomial(3, 0.5), lambda x, y: (x @ y + 0.5) ** 3),
        (
            Homogeneous(Exponential(0.6)),
            lambda x, y: norm(x) * norm(y) * np.exp((x @ y / (norm(x) * norm(y)) - 1) / 0.36),
        ),
    ):
        assert_close(kernel(X, Y), slow(formula), 1e-14)


def test_gaussian_far_from_the_origin() -> None:
    # |x|² + |y|² - 2<x, y> of the points as they are would have no digit left.
    far = 1e8
    assert_close(Gaussian(1.0)(X + far, Y + far), Gaussian(1.0)(X, Y), 1e-6)


def test_square_distances_are_never_negative() -> None:
    x = np.repeat(X[:1] * 1e3 + 1 / 3, 50, axis=0)
    assert square_distances(x, x).min() >= 0


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_parameters_out_of_range(value: float) -> None:
    with pytest.raises(ValueError, match="bandwidth: expected a finite number > 0, got"):
        Gaussian(value)
    with pytest.raises(ValueError, match="scale: expected a finite number > 0, got"):
        value * Linear()


def test_parameters_that_are_no_numbers() -> None:
    for value in ("1", None, [1.0]):
        with pytest.raises(TypeError, match="bandwidth: expected a number > 0 or an array, got"):
            Gaussian(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"profile: expected one of kerneltools\.kernels\.profiles, got 2"):
        Homogeneous(2)  # type: ignore[arg-type]


def test_polynomial_out_of_range() -> None:
    with pytest.raises(ValueError, match="degree: expected an integer >= 1, got 0"):
        Polynomial(0)
    with pytest.raises(ValueError, match=r"degree: expected an integer >= 1, got 2\.5"):
        Polynomial(2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"offset: expected a finite number >= 0, got -0\.1"):
        Polynomial(2, -0.1)


@dataclass(frozen=True)
class Cosh(Kernel):
    """A kernel of one's own that is no function of inner products."""

    def __call__(self, x: Any, y: Any) -> Any:
        return np.exp(-np.abs(x[:, None, :] - y[None, :, :]).sum(axis=-1))

    def diag(self, x: Any) -> Any:
        return np.ones(len(x))


def test_composites_of_a_kernel_that_needs_more_than_inner_products() -> None:
    for kernel in (Cosh(), Cosh() + Linear(), Linear() * Cosh(), 2.0 * Cosh()):
        assert not kernel.by_inner_products
        assert not kernel.homogeneous
        with pytest.raises(TypeError, match="Cosh is not a function of inner products and norms"):
            kernel.from_inner(X @ Y.T, 1.0, 1.0)


def test_a_kernel_is_added_to_kernels_only() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Linear() + 1  # type: ignore[operator]


def test_an_array_scales_a_kernel() -> None:
    for kernel in (np.float64(2.0) * Linear(), np.array(2.0) * Linear()):
        assert_close(kernel(X, Y), 2 * Linear()(X, Y), 1e-15)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("scale", [1e-30, 1e-23, 1e10, 1e25])
@pytest.mark.parametrize(
    ("kernel", "degree", "within"),
    [
        (kernels.Cosine(), 0, 1e-6),
        (kernels.ArcCosine(0), 0, 4e-4),  # the angle of parallel rows is the root of a rounding error
        (kernels.ArcCosine(1), 1, 1e-6),
        (kernels.Homogeneous(kernels.profiles.Exponential(0.6)), 1, 1e-6),
    ],
    ids=str,
)
def test_rows_of_any_scale(library: str, scale: float, kernel: Any, degree: int, within: float) -> None:
    # Squares of such rows leave the range of float32; the kernel's values beside rows of size 1 do not.
    owner = backend(library)
    x = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    x[3] = 0
    scaled = owner.asarray(x * np.float32(scale))
    got = owner.to_numpy(kernel(scaled, owner.asarray(x))) / np.float32(scale) ** degree
    np.testing.assert_allclose(got, kernel(x.astype(float), x.astype(float)), atol=within, rtol=within)
    if degree == 0:
        assert owner.to_numpy(kernel.diag(scaled)).tolist() == [1, 1, 1, 0, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 4.5, 10.5, 20.5, 50.5])
def test_matern_at_any_distance(nu: float, dtype: str) -> None:
    special = pytest.importorskip("scipy.special")
    for r in (1e-3, 1.0, 10.0, 50.0, 200.0, 1e3, 1e6, 1e20, np.inf):
        x = np.asarray([[r]], dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            value, slope = autodiff.value_and_grad(lambda t: Matern(nu, 1.0)(t, np.zeros((1, 1), dtype))[0, 0])(x)
        z = np.sqrt(2 * nu) * min(r, 1e4)
        log = (1 - nu) * np.log(2) - special.gammaln(nu) + nu * np.log(z) + np.log(special.kve(nu, z)) - z
        np.testing.assert_allclose(value, np.exp(log) if r < 1e4 else 0.0, rtol=2e-5, atol=1e-30)
        assert np.all(np.isfinite(slope)) or r == np.inf

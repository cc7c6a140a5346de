"""Kernels that are functions of an angle: what float32 keeps of it near 0 and near π."""

from typing import Any

import numpy as np
import pytest

from kerneltools import autodiff, backend, kernels
from kerneltools.arrays import namespace
from kerneltools.kernels import Cosine, Homogeneous, Kernel
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from tests.strict import to_numpy, to_strict

LIBRARIES = ("numpy", "torch", "jax", "array_api_strict")
STEPS = (kernels.ArcCosine(0), Homogeneous(ArcCosine(0)))
EPS = float(np.finfo("float32").eps)

# With the greatest |κ'|, by which rounding errors of cosines are multiplied; order 0 has its angles from differences.
SLOPES: tuple[tuple[Kernel, float], ...] = (
    *((kernel, 1.0) for kernel in STEPS),
    (Cosine(), 1.0),
    (kernels.ArcCosine(1), 1.0),
    (kernels.ArcCosine(2), 4 / 3),
    (Homogeneous(ArcCosine(1)), 1.0),
    (Homogeneous(ArcCosine(2)), 4 / 3),
    (Homogeneous(Exponential(0.2)), 25.0),
    (Homogeneous(Power(3)), 3.0),
)
every = pytest.mark.parametrize(("kernel", "slope"), SLOPES, ids=[str(kernel) for kernel, _ in SLOPES])


def on(library: str, x: np.ndarray) -> Any:
    return to_strict(x) if library == "array_api_strict" else backend(library).asarray(x)


def cone(n: int, d: int, spread: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and rows that are close to them, some of them opposite; in float32."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)).astype("float32")
    y = x + spread * rng.standard_normal((n, d)).astype("float32")
    y[1::2] *= -1
    return x, y


@every
def test_a_row_with_itself_in_float32(kernel: Kernel, slope: float) -> None:
    x = cone(60, 8)[0]
    diag = kernel.diag(x)
    # A sum of d products, two norms, a product of them and a quotient.
    assert np.all(np.abs(np.diag(kernel(x, x)) - diag) <= slope * (x.shape[1] + 4) * EPS * diag)


@every
def test_rows_that_are_nearly_parallel_in_float32(kernel: Kernel, slope: float) -> None:
    x, y = cone(60, 8)
    wide = x.astype(float), y.astype(float)
    greatest = np.sqrt(kernel.diag(wide[0])[:, None] * kernel.diag(wide[1])[None, :])
    assert np.all(np.abs(kernel(x, y) - kernel(*wide)) <= slope * (x.shape[1] + 4) * EPS * greatest)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kernel", STEPS, ids=str)
def test_angles_and_their_gradients_on_every_library(kernel: Kernel, library: str) -> None:
    x, y = cone(7, 50)
    y[2], y[3] = x[2], -x[3]
    weights = np.random.default_rng(1).standard_normal((7, 7)).astype("float32")

    def total(x: Any, y: Any, weights: Any) -> Any:
        return namespace(x, y).sum(kernel(x, y) * weights)

    derive = autodiff.value_and_grad if library == "array_api_strict" else backend(library).value_and_grad
    got = np.asarray(kernel(on(library, x), on(library, y)))
    gradients = derive(total, argnums=(0, 1))(on(library, x), on(library, y), on(library, weights))[1]
    wide = [a.astype(float) for a in (x, y, weights)]
    scale = np.sqrt(np.outer(kernel.diag(wide[0]), kernel.diag(wide[1])))
    assert got.dtype == np.float32
    assert np.all(np.abs(got - kernel(*wide[:2])) <= 8 * EPS * scale)
    # Of an angle of 1e-3 the direction is as right as that of the difference of two rounded unit vectors.
    for gradient, wanted in zip(gradients, autodiff.value_and_grad(total, argnums=(0, 1))(*wide)[1], strict=True):
        assert np.abs(to_numpy(gradient) - wanted).max() <= 8 * EPS / 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("kernel", STEPS, ids=str)
def test_gradients_between_equal_rows_are_those_of_the_norms(kernel: Kernel) -> None:
    x = cone(3, 5)[0].astype(float)

    def total(x: Any) -> Any:
        return namespace(x).sum(kernel(x, x[:1, :])[:1, :])

    gradient = autodiff.value_and_grad(total)(x)[1]
    wanted = np.zeros_like(x)
    wanted[0] = 2 * x[0] if kernel.homogeneous else 0
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-14)

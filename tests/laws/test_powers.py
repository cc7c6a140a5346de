"""Powers of kernels: any exponent > 0 where the kernel is infinitely divisible, integers alone for all others."""

import itertools
from math import inf

import numpy as np
import pytest

from kerneltools import kernels, maps, trees
from kerneltools.kernels import Gaussian, Kernel, Linear
from tests.laws.members import HISTOGRAM, INDEFINITE, KERNELS, rows
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

DIVISIBLE: tuple[Kernel, ...] = (
    Gaussian(0.7),
    Gaussian(np.asarray([0.5, 1.0, 2.0])),
    kernels.Matern(0.5, 1.1),
    kernels.Matern(inf, 1.3),
    kernels.Exponential(1.2),
    kernels.RationalQuadratic(0.9, alpha=0.6),
    kernels.Laplacian(1.5),
    kernels.Periodic(period=2.7, lengthscale=0.9),
    kernels.ExponentialDotProduct(3.0),
    kernels.Chi2(0.8),
    kernels.On((0, 2), Gaussian(1.0)) * kernels.On((1,), kernels.Laplacian(2.0)),
    2.5 * kernels.Exponential(2.0) * Gaussian(1.0),
    Gaussian(1.5) ** 2,
    kernels.GaussianOf(kernels.Polynomial(2, 0.5), 2.0),
)
TYPES = {type(kernel) for kernel in DIVISIBLE}
OTHERS = tuple(k for k in (*KERNELS, *HISTOGRAM, *INDEFINITE) if k.raised(0.5) is None)
divisible = pytest.mark.parametrize("kernel", DIVISIBLE, ids=repr)


@divisible
@pytest.mark.parametrize("exponent", [0.1, 2.5])
def test_values_are_powers(kernel: Kernel, exponent: float) -> None:
    x, y = np.abs(rows(6, 3, seed=0, zero_rows=1)), np.abs(rows(5, 3, seed=1))
    power = kernel**exponent
    assert_close(power(x, y), kernel(x, y) ** exponent)
    assert_close(power.diag(x), kernel.diag(x) ** exponent)
    assert (power.euclidean, power.by_inner_products) == (kernel.euclidean, kernel.by_inner_products)


@divisible
@pytest.mark.parametrize("exponent", [0.1, 0.5, 0.9, 1.7])
def test_positive_semi_definite(kernel: Kernel, exponent: float) -> None:
    # 3 values in each column: many rows at the same distances, where functions that are not definite show it.
    x = np.asarray(list(itertools.product((0.0, 0.5, 2.0), repeat=3)))
    gram = (kernel**exponent)(x, x)
    assert np.linalg.eigvalsh(gram).min() >= -1e-12 * np.abs(gram).max()


@divisible
def test_by_the_standard_alone(kernel: Kernel) -> None:
    x = np.abs(rows(4, 3, seed=0))
    there = trees.map_leaves(lambda leaf: to_strict(np.asarray(leaf, float), DEVICES[1]), kernel) ** 0.3
    assert_same_on(DEVICES[1], there(to_strict(x, DEVICES[1]), to_strict(x, DEVICES[1])), (kernel**0.3)(x, x))


def test_powers_far_away_keep_what_values_lose() -> None:
    x, y = np.zeros((1, 1)), np.full((1, 1), 50.0)
    assert Gaussian(1.0)(x, y) == 0
    assert_close((Gaussian(1.0) ** 0.01)(x, y), np.exp([[-12.5]]))


def test_a_power_has_fourier_features() -> None:
    assert maps.fourier(Gaussian(3.0) ** 0.25, 2, 10, 0).kernel == Gaussian(6.0)


@pytest.mark.parametrize("kernel", OTHERS, ids=repr)
def test_others_refuse_by_name(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match=r"exponent: expected an integer >= 1, got 0\.5, for ") as caught:
        kernel**0.5
    assert repr(kernel) in str(caught.value)
    assert kernels.Power(kernel, 2).raised(0.5) is None


def test_who_is_divisible() -> None:
    found = {type(k) for k in (*KERNELS, *HISTOGRAM, *INDEFINITE) if k.raised(0.5) is not None}
    assert found <= TYPES
    assert (Gaussian(1.0) + Gaussian(2.0)).raised(0.5) is (Gaussian(1.0) * Linear()).raised(0.5) is None


@pytest.mark.parametrize("exponent", [0.0, -1.5, inf, float("nan"), True, "2", 0])
def test_exponents_out_of_range(exponent: object) -> None:
    with pytest.raises(ValueError, match=r"exponent: expected an integer >= 1, got .*: other powers > 0"):
        Gaussian(1.0) ** exponent  # type: ignore[operator]

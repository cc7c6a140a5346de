"""What is suggested meets the wanted error, and says why."""

from typing import Any

import numpy as np
import pytest

from kerneltools import kernels, maps
from kerneltools.backend import backend
from tests.laws.members import rows


def relative(phi: Any, kernel: Any, x: Any) -> float:
    exact = kernel(x, x)
    return float(np.linalg.norm(exact - phi(x) @ phi(x).T) / np.linalg.norm(exact))


@pytest.mark.parametrize("error", [0.3, 0.05])
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.Gaussian(2.0),
        kernels.Laplacian(20.0),
        kernels.ArcCosine(1),
        kernels.Polynomial(2, 1.0),
        kernels.ExponentialDotProduct(3.0),
        kernels.Linear() + kernels.Gaussian(3.0),
    ],
    ids=str,
)
def test_the_error_is_met_on_other_rows(kernel: Any, error: float) -> None:
    x = rows(1500, 5, seed=0)
    found = maps.suggest(kernel, x[:1000], error, 0, pilot=600)
    assert found.reached
    assert found.chosen.m == found.map.dimension
    # Errors of random features scatter about those that were measured.
    assert relative(found.map, kernel, x[1000:]) <= 1.3 * error
    assert "the cheapest that meets the relative error" in str(found)


def test_histograms() -> None:
    x = np.abs(rows(300, 5, seed=0))
    found = maps.suggest(kernels.AdditiveChi2(), x, 0.02, 0)
    assert {c.name for c in found.candidates} == {"chi2", "nystrom"}
    assert relative(found.map, kernels.AdditiveChi2(), x) <= 0.03


def test_random_features_where_the_spectrum_is_flat() -> None:
    """Many landmarks for a narrow kernel: m² operations are more than those of many cosines."""
    found = maps.suggest(kernels.Gaussian(1.0), rows(2000, 10, seed=0), 0.6, 0)
    assert found.chosen.name == "fourier"


def test_what_cannot_be_met_is_said() -> None:
    found = maps.suggest(kernels.Gaussian(0.05), rows(100, 10, seed=0), 1e-6, 0)
    assert not found.reached
    assert "none meets" in str(found)


def test_of_any_library() -> None:
    x = backend("torch").asarray(rows(200, 3, seed=0), dtype="float32")
    assert maps.suggest(kernels.Gaussian(1.0), x, 0.3, 0).map(x).dtype == x.dtype


def test_errors() -> None:
    x = rows(20, 3, seed=0)
    with pytest.raises(ValueError, match="error: expected a finite number > 0, got 0"):
        maps.suggest(kernels.Gaussian(1.0), x, 0, 0)
    with pytest.raises(ValueError, match=r"x, pilot: expected at least 4 rows, got 2 and pilot=1000"):
        maps.suggest(kernels.Gaussian(1.0), x[:2], 0.1, 0)
    with pytest.raises(ValueError, match="is indefinite"):
        maps.suggest(kernels.Sigmoid(1.0), x, 0.1, 0)


def test_rows_on_which_the_kernel_is_zero() -> None:
    with pytest.raises(ValueError, match="x: the kernel is 0 for all pairs of 10 rows"):
        maps.suggest(kernels.Linear(), np.zeros((20, 3)), error=0.1)

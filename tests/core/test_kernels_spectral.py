"""Laws of frequencies: the mean of cos(<ω, x - y>) is the kernel of lengthscale 1."""

import builtins
import sys
from typing import Any

import numpy as np
import pytest
from scipy.stats import qmc

from kerneltools import kernels
from kerneltools.kernels import Kernel, spectral

KERNELS: tuple[Kernel, ...] = (
    kernels.Gaussian(1.0),
    kernels.Exponential(1.0),
    kernels.Matern(0.5, 1.0),
    kernels.Matern(1.5, 1.0),
    kernels.Matern(3.5, 1.0),
    kernels.Matern(float("inf"), 1.0),
    kernels.RationalQuadratic(1.0, alpha=0.7),
    kernels.RationalQuadratic(1.0, alpha=np.asarray(4.0)),
    kernels.Laplacian(1.0),
    kernels.Cauchy(1.0),
)
every = pytest.mark.parametrize("kernel", KERNELS, ids=str)
COUNT = 100_000


def law(kernel: Kernel) -> Any:
    assert isinstance(kernel, spectral.Spectral)
    return kernel.spectral


def points(d: int) -> np.ndarray:
    """Distances from 0.2 to 3."""
    x = np.random.default_rng(0).standard_normal((12, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True) * np.linspace(0.2, 3, 12)[:, None]


def assert_law_of(kernel: Kernel, frequencies: np.ndarray) -> None:
    """Within five standard errors of the mean; a law with a scale that is wrong by 2 % would not be."""
    x = points(frequencies.shape[1])
    cosines = np.cos(frequencies @ x.T)
    error = 5 * cosines.std(axis=0) / np.sqrt(len(frequencies))
    assert frequencies.dtype == np.float64
    assert error.max() < 0.012
    assert np.all(np.abs(cosines.mean(axis=0) - kernel(x, np.zeros((1, x.shape[1])))[:, 0]) <= error)


@every
@pytest.mark.parametrize("d", [1, 4])
def test_draws(kernel: Kernel, d: int) -> None:
    found = law(kernel).draw(0, COUNT, d)
    assert found.shape == (COUNT, d)
    assert_law_of(kernel, found)
    assert np.array_equal(law(kernel).draw(np.random.default_rng(0), COUNT, d), found)


@pytest.mark.parametrize("kernel", [k for k in KERNELS if isinstance(law(k), spectral.Isotropic)], ids=str)
@pytest.mark.parametrize("d", [1, 4])
def test_radii_with_directions_of_their_own(kernel: Kernel, d: int) -> None:
    directions = np.random.default_rng(1).standard_normal((COUNT, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert_law_of(kernel, directions * law(kernel).radii(0, COUNT, d)[:, None])


def test_which_are_isotropic() -> None:
    assert [isinstance(law(k), spectral.Isotropic) for k in KERNELS] == [True] * 8 + [False] * 2


@every
def test_from_uniform_numbers(kernel: Kernel) -> None:
    u = np.random.default_rng(2).random((COUNT, law(kernel).uniforms(3)))
    found = law(kernel).from_uniform(u)
    assert found.shape == (COUNT, 3)
    assert_law_of(kernel, found)


def test_quasi_monte_carlo_is_closer() -> None:
    kernel, x = kernels.Gaussian(1.0), points(3)
    wanted = kernel(x, np.zeros((1, 3)))[:, 0]

    def error(frequencies: np.ndarray) -> float:
        return float(np.abs(np.cos(frequencies @ x.T).mean(axis=0) - wanted).max())

    u = qmc.Sobol(3, seed=0).random(4096)
    assert error(law(kernel).from_uniform(u)) < 0.3 * error(law(kernel).draw(0, 4096, 3))


def test_kernels_without_a_known_law() -> None:
    assert kernels.Wendland(1.0).spectral is None
    assert not isinstance(kernels.Linear(), spectral.Spectral)


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_scipy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("scipy"):
            raise ModuleNotFoundError("No module named 'scipy'", name="scipy")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_scipy)
    monkeypatch.delitem(sys.modules, "scipy.special", raising=False)
    with pytest.raises(ImportError, match=r"need SciPy's inverse distribution functions; .* pip install scipy"):
        spectral.Normal().from_uniform(np.full((1, 1), 0.5))
    assert spectral.ProductCauchy().from_uniform(np.full((1, 1), 0.75)) == pytest.approx(1.0)
    assert spectral.ProductLaplace().from_uniform(np.full((1, 1), 0.5)) == 0

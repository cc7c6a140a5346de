"""Random maps are unbiased within an interval that their own spread gives; the one without randomness keeps a bound."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerneltools import backend, kernels, maps
from kerneltools.kernels import (
    AdditiveChi2,
    ArcCosine,
    Cauchy,
    Exponential,
    ExponentialDotProduct,
    Gaussian,
    Kernel,
    Laplacian,
    Matern,
    Polynomial,
    RationalQuadratic,
)

D, M, SEEDS = 3, 16, 400
LENGTHS = np.asarray([0.5, 1.0, 3.0])

SPECTRAL: tuple[Kernel, ...] = (
    Gaussian(1.3),
    Gaussian(LENGTHS),
    Matern(1.5, 0.9),
    Matern(2.5, LENGTHS),
    Exponential(1.1),
    RationalQuadratic(1.2, 0.8),
    Laplacian(2.0),
    Cauchy(1.5),
)
MAKERS: dict[str, tuple[Kernel, Callable[[Kernel, int, int], Any]]] = {
    **{f"fourier {k}": (k, lambda k, m, seed: maps.fourier(k, D, m, seed)) for k in SPECTRAL},
    "fourier, independent": (Gaussian(1.3), lambda k, m, seed: maps.fourier(k, D, m, seed, orthogonal=False)),
    "fourier, quasi": (Matern(1.5, 0.9), lambda k, m, seed: maps.fourier(k, D, m, seed, quasi=True)),
    **{f"arccos {q}": (ArcCosine(q), lambda k, m, seed: maps.arccos(k, D, m, seed)) for q in (0, 1, 2)},
    "tensor sketch": (Polynomial(3, 0.5), lambda k, m, seed: maps.tensor_sketch(k, D, m, seed)),
    "tensor sketch, degree 1": (Polynomial(1), lambda k, m, seed: maps.tensor_sketch(k, D, m, seed)),
    "maclaurin": (Polynomial(3, 0.5), lambda k, m, seed: maps.maclaurin(k, D, m, seed)),
    "maclaurin of an exponential": (
        ExponentialDotProduct(1.5),
        lambda k, m, seed: maps.maclaurin(k, D, m, seed),
    ),
    "positive": (ExponentialDotProduct(1.5), lambda k, m, seed: maps.positive(k, D, m, seed)),
    "positive of a Gaussian": (Gaussian(1.5), lambda k, m, seed: maps.positive(k, D, m, seed)),
    "sum": (
        Gaussian(1.3) + ArcCosine(1),
        lambda k, m, seed: maps.Sum(
            (maps.fourier(k.terms[0], D, m, seed), maps.arccos(k.terms[1], D, m, seed + 10_000))
        ),
    ),
    "product": (
        Gaussian(1.3) * ArcCosine(1),
        lambda k, m, seed: maps.Product(
            (maps.fourier(k.factors[0], D, m, seed), maps.arccos(k.factors[1], D, m, seed + 10_000))
        ),
    ),
}


def data(n: int = 5) -> np.ndarray:
    return 0.7 * np.random.default_rng(7).standard_normal((n, D))


def assert_unbiased(kernel: Kernel, make: Callable[[int], Any], x: np.ndarray, seeds: int) -> None:
    """The mean over seeds is within 5 standard errors of the kernel, entry by entry, and on the whole within 2."""
    estimates = np.stack([(phi := make(seed))(x) @ phi(x).T for seed in range(seeds)])
    error = estimates.mean(axis=0) - kernel(x, x)
    spread = estimates.std(axis=0, ddof=1) / np.sqrt(seeds) + 1e-12
    assert np.abs(error / spread).max() < 5, np.abs(error / spread).max()
    assert np.sqrt(np.mean((error / spread) ** 2)) < 2


@pytest.mark.parametrize("name", MAKERS)
def test_unbiased(name: str) -> None:
    kernel, make = MAKERS[name]
    assert_unbiased(kernel, lambda seed: make(kernel, M, seed), data(), SEEDS)


def test_a_wrong_bandwidth_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_unbiased(Gaussian(1.3), lambda seed: maps.fourier(Gaussian(1.4), D, M, seed), data(), SEEDS)


@pytest.mark.parametrize("name", MAKERS)
def test_many_features_come_near(name: str) -> None:
    kernel, make = MAKERS[name]
    x = data()
    few, many = (np.abs((phi := make(kernel, m, 0))(x) @ phi(x).T - kernel(x, x)).max() for m in (32, 512))
    assert many < 0.5 * np.abs(kernel(x, x)).max()
    assert many < few + 1e-12


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("name", MAKERS)
def test_libraries_agree(name: str, library: str) -> None:
    kernel, make = MAKERS[name]
    if "Sum" in str(type(kernel)) or "Product" in str(type(kernel)) or "0.5 1" in str(kernel) or "[" in str(kernel):
        pytest.skip("parameters that are arrays, and parts, are moved leaf by leaf in tests/agreement")
    phi, there = make(kernel, M, 3), backend(library)
    from kerneltools.trees import map_leaves

    moved = map_leaves(lambda leaf: there.asarray(leaf) if hasattr(leaf, "dtype") else leaf, phi)
    x = data()
    np.testing.assert_allclose(there.to_numpy(moved(there.asarray(x))), phi(x), atol=1e-12)


def test_fourier_features_have_norm_one_and_orthogonal_frequencies() -> None:
    phi = maps.fourier(Gaussian(1.0), D, 2 * D, 0)
    np.testing.assert_allclose(np.sum(phi(data()) ** 2, axis=1), 1.0)
    gram = phi.frequencies @ phi.frequencies.T
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-12)


def test_orthogonal_frequencies_lower_the_variance() -> None:
    kernel, x = Gaussian(1.3), data()
    spreads = [
        np.stack([(phi := maps.fourier(kernel, D, 6, s, orthogonal=o))(x) @ phi(x).T for s in range(SEEDS)])
        .var(0)
        .sum()
        for o in (True, False)
    ]
    assert spreads[0] < spreads[1]


@pytest.mark.parametrize("samples", [1, 2, 3, 6])
def test_chi2(samples: int) -> None:
    x = np.random.default_rng(0).uniform(0.2, 1, (20, 4))
    phi, exact = maps.chi2(AdditiveChi2(), 4, samples), AdditiveChi2()(x, x)
    # What is cut off of the spectrum, and what sampling it folds back: sech(t/2) at t beyond 2π/L less log 5.
    j = np.arange(samples + 1, 200)
    cut = np.sum(2 * phi.period / np.cosh(np.pi * j * phi.period))
    folded = 2 * sum(1 / np.cosh((2 * np.pi * k / phi.period - np.log(5)) / 2) for k in range(1, 9))
    roots = np.sqrt(x) @ np.sqrt(x).T
    assert np.all(np.abs(phi(x) @ phi(x).T - exact) <= (cut + folded) * roots)
    assert np.all(phi(np.zeros((1, 4))) == 0)
    with pytest.raises(ValueError, match="x"):
        phi(-x)


def test_frequencies_can_be_learnt() -> None:
    phi, x = maps.fourier(Gaussian(1.0), D, 8, 0), data()
    value, gradient = backend("numpy").value_and_grad(lambda phi: (phi(x)[0:1, :] @ phi(x)[1:2, :].mT)[0, 0])(phi)
    assert np.isfinite(value)
    assert np.abs(gradient.frequencies).max() > 0


def test_shapes() -> None:
    x = data(6).reshape(2, 3, D)
    for kernel, make in MAKERS.values():
        phi = make(kernel, M, 0)
        assert phi(x).shape == (2, 3, phi.dimension)


def test_suggest() -> None:
    x = np.random.default_rng(0).standard_normal((600, 3))
    loose, tight = (maps.suggest(Gaussian(2.0), x, error, 0) for error in (0.3, 0.01))
    assert loose.reached
    assert tight.reached
    assert loose.phi.dimension <= tight.phi.dimension
    assert not maps.suggest(Gaussian(0.05), x, 1e-3, 0, largest=64).reached
    assert "nystrom" in str(tight)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maps.fourier(Gaussian(1.0), 3, 7, 0), "m: expected a multiple of 2"),
        (lambda: maps.fourier(Gaussian(1.0), 0, 8, 0), "d: expected an integer >= 1"),
        (lambda: maps.fourier(Gaussian(1.0), 3, 8, 0)(np.ones((2, 4))), r"x: expected \(..., 3\)"),
        (lambda: maps.suggest(Gaussian(1.0), np.ones((9, 2)), 2.0, 0), "error: expected a number in"),
        (lambda: maps.chi2(AdditiveChi2(), 3, 2, -1.0), "period"),
    ],
)
def test_wrong_sizes(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: maps.fourier(Polynomial(), 3, 8, 0),
        lambda: maps.arccos(Gaussian(1.0), 3, 8, 0),
        lambda: maps.tensor_sketch(Gaussian(1.0), 3, 8, 0),
        lambda: maps.maclaurin(Gaussian(1.0), 3, 8, 0),
        lambda: maps.positive(kernels.Linear(), 3, 8, 0),
        lambda: maps.chi2(Gaussian(1.0), 3),
        lambda: maps.Sum(()),
    ],
)
def test_wrong_kernels(make: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="expected"):
        make()

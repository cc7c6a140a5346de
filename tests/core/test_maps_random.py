"""Maps other than Nyström: unbiased, as exact as they say, and what they refuse."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from kerneltools import kernels, maps
from kerneltools.arrays import namespace
from kerneltools.backend import backend
from kerneltools.kernels import Gaussian
from kerneltools.learning import LeaveOneOut
from kerneltools.maps import Map
from kerneltools.optimisers import Adam, Euclidean
from tests.laws.members import FOURIER_MAPS, RANDOM_MAPS, MakeMap, rows

every = pytest.mark.parametrize("make", RANDOM_MAPS.values(), ids=RANDOM_MAPS)


def assert_unbiased(make: Callable[[int], Map], kernel: Any, x: np.ndarray, seeds: int, risk: float = 1e-6) -> None:
    """The mean and the greatest error of Gram matrices, over the seeds, are no more than chance makes them.

    Bernstein's bound for the means of independent matrices' entries, with the variance estimated from them and all
    entries at once; the mean of the errors over the entries is one more such number. A mistake in the law of the
    features, however small, exceeds it when there are seeds enough: `resolution` is what it then tells apart.
    """
    exact = kernel(x, x)
    grams = np.stack([(phi := make(seed)(x)) @ phi.T for seed in range(seeds)])
    errors = np.concatenate([(grams - exact).reshape(seeds, -1), (grams - exact).mean(axis=(1, 2))[:, None]], axis=1)
    level = log(2 * errors.shape[1] / risk)
    spread, largest = errors.std(axis=0, ddof=1), np.abs(errors).max(axis=0)
    within = np.sqrt(2 * spread**2 * level / seeds) + largest * level / (3 * seeds) + 1e-12
    assert np.all(np.abs(errors.mean(axis=0)) <= within), "the mean is off"
    resolution = within.max() / np.abs(exact).max()
    assert resolution <= 0.15, f"too few seeds to see anything: {resolution}"


def points() -> np.ndarray:
    return 0.6 * rows(6, 3, seed=0)


@every
def test_unbiased(make: MakeMap) -> None:
    assert_unbiased(lambda seed: make(256, seed), make(256, 0).kernel, 0.6 * points(), 400)


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("orthogonal", [True, False])
def test_the_helper_sees_a_wrong_bandwidth(factor: float, orthogonal: bool) -> None:
    with pytest.raises(AssertionError, match=r"the mean is off"):
        assert_unbiased(
            lambda seed: maps.fourier(Gaussian(factor * 1.3), 3, 64, seed, orthogonal), Gaussian(1.3), points(), 400
        )


@pytest.mark.parametrize("name", FOURIER_MAPS)
def test_the_error_of_fourier_features_is_as_derived(name: str) -> None:
    """Hoeffding: means of m/2 cosines, of all pairs and seeds at once; the diagonal is exact."""
    m, x = 4096, rows(10, 3, seed=1)
    for seed in range(3):
        phi = RANDOM_MAPS[name](m, seed)
        features = phi(x)
        error = np.abs(features @ features.T - phi.kernel(x, x))
        assert error.max() <= sqrt(2 * log(2 * 45 * 3 / 1e-6) / (m / 2))
        assert np.diag(error).max() <= 1e-12


@pytest.mark.parametrize("better", [{"orthogonal": True}, {"quasi": True}], ids=str)
def test_orthogonal_and_quasi_frequencies_have_less_error(better: Any) -> None:
    x, kernel = 0.5 * rows(30, 8, seed=0), Gaussian(2.0)
    exact = kernel(x, x)

    def error(**how: bool) -> float:
        found = [maps.fourier(kernel, 8, 64, seed, **how)(x) for seed in range(20)]
        return float(np.mean([np.linalg.norm(phi @ phi.T - exact) for phi in found]))

    assert error(**better) <= 0.85 * error(orthogonal=False)


@pytest.mark.parametrize(("d", "p"), [(3, 64), (64, 64), (65, 128), (300, 512)])
def test_structured_frequencies_are_those_of_the_formula(d: int, p: int) -> None:
    """Root-p H D₁ H D₂ H D₃ with norms, a few columns of it; three blocks, the last of one frequency."""
    phi = maps.fourier(Gaussian(np.asarray(1.5)), d, 2 * (2 * p + 1), 0, structured=True)
    h = hadamard(p) / sqrt(p)
    blocks = [h @ np.diag(a) @ h @ np.diag(b) @ h @ np.diag(c) for a, b, c in phi.signs]
    frequencies = (phi.radii[:, None] * np.concatenate(blocks)[: 2 * p + 1])[:, :d]
    np.testing.assert_allclose(phi.frequencies, frequencies, atol=1e-12)
    x = rows(20, d, seed=1)
    np.testing.assert_allclose(phi(x), maps.Fourier(phi.kernel, frequencies)(x), atol=1e-11)
    library = backend("torch")
    drawn = maps.fourier(Gaussian(1.5), d, 4 * p + 2, 0, structured=True, like=library.asarray(x))
    np.testing.assert_allclose(drawn(library.asarray(x)), phi(x), atol=1e-11)


@pytest.mark.parametrize("kernel", [Gaussian(8.0), kernels.Matern(1.5, 8.0), kernels.RationalQuadratic(8.0, 1.0)])
def test_structured_frequencies_are_as_good_as_orthogonal_ones(kernel: Any) -> None:
    x = 0.7 * rows(20, 64, seed=0)
    x[1, :] = x[0, :]
    x[1, 5] += 8.0  # a difference along one axis, which signs turn least
    exact = kernel(x, x)

    def found(m: int, **how: bool) -> np.ndarray:
        features = [maps.fourier(kernel, 64, m, seed, **how)(x) for seed in range(40)]
        return np.stack([phi @ phi.T for phi in features]) - exact

    errors, more, dense = found(128, structured=True), found(2048, structured=True), found(128)
    assert np.linalg.norm(errors) <= 1.15 * np.linalg.norm(dense)
    assert np.linalg.norm(more) <= 0.3 * np.linalg.norm(errors)  # a quarter, by the law 1/√m
    assert np.abs(more.mean(axis=0)).max() <= 6 / sqrt(2 * 40 * 1024)
    assert np.abs(np.diagonal(errors, axis1=1, axis2=2)).max() <= 1e-12


def test_structured_frequencies_refuse_what_they_are_not() -> None:
    for settings in ({"quasi": True}, {"orthogonal": False}):
        with pytest.raises(ValueError, match=r"structured: such frequencies are orthogonal .*; leave these out"):
            maps.fourier(Gaussian(1.0), 3, 8, 0, structured=True, **settings)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"kernel: structured .* in all directions, and that of Laplacian.*; take"):
        maps.fourier(kernels.Laplacian(1.0), 3, 8, 0, structured=True)
    phi = maps.fourier(Gaussian(1.0), 3, 8, 0, structured=True)
    for wrong in (phi.signs[:, :, :48], phi.signs[:, :2, :], phi.signs[:, :, :2]):
        with pytest.raises(ValueError, match=r"signs: expected \(blocks, 3, p\) for 3 columns and 4 frequencies"):
            replace(phi, signs=wrong)(points())
    with pytest.raises(MemoryError, match=r"m: random signs for 5\d* frequencies of 64 numbers .* take at most \d"):
        maps.fourier(Gaussian(1.0), 3, 10**15, 0, structured=True)


def test_frequencies_and_lengthscale_are_learned_by_gradient() -> None:
    library, x = backend("numpy"), points()
    phi = maps.fourier(Gaussian(np.asarray(1.0)), 3, 8, 0)

    def loss(phi: Any) -> Any:
        return namespace(phi.frequencies).sum(phi(x)[:, :3])

    _, gradient = library.value_and_grad(loss)(phi)
    assert gradient.frequencies.shape == (4, 3)
    assert np.any(gradient.frequencies)
    assert float(gradient.kernel.bandwidth) != 0


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_learned_frequencies_find_those_of_the_target(name: str) -> None:
    library = backend(name)
    x = library.asarray(rows(100, 3, seed=0))
    y = namespace(x).sin(3 * x[:, :1])
    drawn = maps.fourier(Gaussian(2.0), 3, 20, 0, like=x)
    judged = library.value_and_grad(lambda w: LeaveOneOut()(replace(drawn, frequencies=w), x, y, 1e-3))
    loss = library.jit(judged) if name == "jax" else judged
    optimiser, frequencies = Adam(), drawn.frequencies
    state = optimiser.start(frequencies)
    errors = []
    for _ in range(60):
        error, gradient = loss(frequencies)
        frequencies, state = optimiser.step(frequencies, gradient, state, 0.05, [Euclidean()])
        errors.append(float(error))
    assert errors[-1] < 0.5 * errors[0]


def test_like_gives_library_and_type() -> None:
    library = backend("torch")
    like = library.asarray([0.0], dtype="float32")
    for phi in (
        maps.fourier(Gaussian(1.0), 3, 8, 0, like=like),
        maps.fourier(Gaussian(1.0), 3, 8, 0, structured=True, like=like),
        maps.arccos(kernels.ArcCosine(1), 3, 8, 0, like=like),
        maps.positive(Gaussian(1.0), 3, 8, 0, like=like),
        maps.maclaurin(kernels.Polynomial(2, 1.0), 3, 8, 0, like=like),
    ):
        assert phi(library.asarray(points(), dtype="float32")).dtype == like.dtype


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_tensor_sketch_against_the_exact_kernel(degree: int) -> None:
    """Chebyshev, with the variance bound of Pham and Pagh 2013, lemma 9, for the mean of 200 seeds."""
    kernel, x, m, seeds = kernels.Polynomial(degree, 1.0), points(), 512, 200
    exact = kernel(x, x)
    mean = sum((phi := maps.tensor_sketch(kernel, 3, m, seed)(x)) @ phi.T for seed in range(seeds)) / seeds
    deviation = np.sqrt(2 * 3**degree * np.outer(np.diag(exact), np.diag(exact)) / (m * seeds))
    assert np.all(np.abs(mean - exact) <= 6 * deviation)


@pytest.mark.parametrize("kernel", [kernels.AdditiveChi2(), kernels.Intersection()], ids=str)
def test_homogeneous_maps_converge(kernel: Any) -> None:
    x = np.abs(rows(8, 5, seed=0)) + 0.05
    exact = kernel(x, x)
    errors = []
    for samples in (1, 2, 3, 12, 40) if isinstance(kernel, kernels.AdditiveChi2) else (3, 12, 40):
        phi = maps.chi2(kernel, 5, samples)
        assert phi.dimension == 5 * (2 * samples + 1)
        errors.append(float(np.linalg.norm(phi(x) @ phi(x).T - exact) / np.linalg.norm(exact)))
    assert all(b < a for a, b in pairwise(errors)), errors
    assert errors[-1] < (1e-4 if isinstance(kernel, kernels.AdditiveChi2) else 0.05)


def test_the_homogeneous_map_of_chi2_is_that_of_scikit_learn() -> None:
    from sklearn.kernel_approximation import AdditiveChi2Sampler

    x = np.abs(rows(4, 5, seed=0))
    for steps in (1, 2, 3):
        theirs = AdditiveChi2Sampler(sample_steps=steps).fit(x).transform(x)
        ours = maps.chi2(kernels.AdditiveChi2(), 5, steps - 1 or 1, {1: 0.8, 2: 0.5, 3: 0.4}[steps])(x)
        if steps > 1:  # theirs counts the frequency 0 among its steps
            np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, rtol=1e-10)


def test_histograms_with_zeros_and_negative_numbers() -> None:
    phi = maps.chi2(kernels.AdditiveChi2(), 2)
    assert not np.any(phi(np.zeros((1, 2))))
    with pytest.raises(ValueError, match=r"x: expected numbers >= 0 .* got -1.0 in row 1, column 0"):
        phi(np.asarray([[1.0, 2.0], [-1.0, 0.0]]))


def test_positive_features_are_positive_and_finite() -> None:
    x = 30 * rows(5, 3, seed=0)
    assert np.all(maps.positive(Gaussian(1.0), 3, 64, 0)(points()) > 0)
    assert np.all(np.isfinite(maps.positive(Gaussian(1.0), 3, 64, 0)(x.astype(np.float32))))


@pytest.mark.parametrize("settings", [{}, {"orthogonal": False}, {"quasi": True}], ids=str)
def test_what_does_not_fit_is_refused_before_it_is_drawn(settings: Any) -> None:
    with pytest.raises(MemoryError, match=r"m: 5\d* random vectors of 3 numbers need .* GB are free; take at most \d"):
        maps.fourier(Gaussian(1.0), 3, 10**15, 0, **settings)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"m: expected an even number, .* got 7; take 8"):
        maps.fourier(Gaussian(1.0), 3, 7, 0)
    with pytest.raises(ValueError, match=r"d: expected an integer >= 1, got 0"):
        maps.fourier(Gaussian(1.0), 0, 8, 0)
    with pytest.raises(TypeError, match=r"the law of the frequencies of Linear\(\) is not known; take"):
        maps.fourier(kernels.Linear(), 3, 8, 0)
    with pytest.raises(TypeError, match=r"kernel: expected kernels.ArcCosine, got Linear\(\)"):
        maps.arccos(kernels.Linear(), 3, 8, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected kernels.Polynomial"):
        maps.tensor_sketch(Gaussian(1.0), 3, 8, 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"expected kernels.Polynomial"):
        maps.maclaurin(Gaussian(1.0), 3, 8, 0)
    with pytest.raises(TypeError, match=r"expected kernels.ExponentialDotProduct or kernels.Gaussian"):
        maps.positive(kernels.Linear(), 3, 8, 0)
    with pytest.raises(TypeError, match=r"expected kernels.AdditiveChi2 or kernels.Intersection"):
        maps.chi2(kernels.Linear(), 3)
    with pytest.raises(
        ValueError, match=r"x: expected \(\.\.\., 3\) for a map that was made for 3 columns, got \(5, 2\)"
    ):
        maps.fourier(Gaussian(1.0), 3, 8, 0)(np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"bandwidth: expected a number, or one for each of the 3 columns"):
        maps.fourier(Gaussian(np.ones(2)), 3, 8, 0)(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"terms: expected maps of the same rows, got maps of \[3, 2\] columns"):
        maps.Sum((maps.fourier(Gaussian(1.0), 3, 8, 0), maps.fourier(Gaussian(1.0), 2, 8, 0)))
    with pytest.raises(ValueError, match=r"factors: expected at least one map"):
        maps.Product(())
    with pytest.raises(ValueError, match=r"map: expected at least one map, and nothing else, got \(3,\)"):
        maps.Scaled(2.0, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"interval: expected a number > 0 or an array, got 'a'"):
        maps.chi2(kernels.AdditiveChi2(), 3, 2, "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"several libraries in one call: numpy.ndarray, torch.Tensor"):
        maps.fourier(Gaussian(torch.ones(3)), 3, 8, 0)(np.ones((5, 3)))
    parts = [maps.fourier(Gaussian(1.0), 3, 8, 0)]
    assert maps.Sum(parts).terms == tuple(parts)  # type: ignore[arg-type]

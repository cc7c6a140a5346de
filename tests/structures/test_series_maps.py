"""Maps of series: what they are close to, all libraries, files and estimators."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools import maps
from kerneltools.kernels import Gaussian, Linear, Matern
from kerneltools.kernels.series import Signature
from kerneltools.structures import Ragged
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

DRAWS = np.random.default_rng(0)
SERIES = Ragged.of([DRAWS.standard_normal((length, 2)) for length in (5, 3, 8, 1)])
KERNEL = Signature(3, Gaussian(1.5))
MAPS: dict[str, Any] = {
    "diagonal": maps.signature(KERNEL, 2, 60, 0),
    "projected": maps.signature(KERNEL, 2, 60, 0, projected=True),
    "normalised": maps.signature(Signature(2, Matern(1.5, 2.0), normalised=True), 2, 60, 0),
    "warping": maps.random_warping(1.0, 2, 20, 0, lengths=(2, 9)),
}


@pytest.fixture(params=MAPS)
def phi(request: pytest.FixtureRequest) -> Any:
    return MAPS[request.param]


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("kernel", [KERNEL, Signature(2, Matern(1.5, np.asarray([1.0, 2.0])))], ids=str)
def test_features_of_signatures_are_unbiased(kernel: Signature, projected: bool) -> None:
    seeds = np.random.default_rng(1)
    values = []
    for _ in range(400):
        features = maps.signature(kernel, 2, 200, seeds, projected)(SERIES)
        values.append(features @ features.T)
    # The mean of 400 independent values is normal: none of 10 is off by 5 of its standard deviations by chance.
    off = np.mean(values, axis=0) - kernel(SERIES, SERIES)
    assert (np.abs(off) <= 5 * np.std(values, axis=0) / 20 + 1e-12).all()
    assert (np.std(values, axis=0) < 0.7 * kernel(SERIES, SERIES).max()).all()


def test_more_features_have_less_error() -> None:
    wanted = KERNEL(SERIES, SERIES)
    errors = []
    for m in (15, 1401):
        found = [maps.signature(KERNEL, 2, m, seed)(SERIES) for seed in range(20)]
        errors.append(np.mean([np.sum((f @ f.T - wanted) ** 2) for f in found]))
    assert errors[1] < 0.1 * errors[0]


def test_levels_of_normalised_kernels_have_one_norm() -> None:
    features = MAPS["normalised"](SERIES)
    assert_close(np.sum(features**2, axis=1), np.asarray([1, 1, 1, 1 / 3]))


def test_warping_costs_are_those_of_the_recursion() -> None:
    phi = MAPS["warping"]
    wanted = np.zeros((4, 20))
    for i, x in enumerate(SERIES):
        for j, y in enumerate(phi.series):
            cost = np.full((len(x) + 1, len(y) + 1), np.inf)
            cost[0, 0] = 0
            for a, b in np.ndindex(len(x), len(y)):
                least = min(cost[a, b], cost[a + 1, b], cost[a, b + 1])
                cost[a + 1, b + 1] = np.sum((x[a] - y[b]) ** 2) + least
            wanted[i, j] = cost[-1, -1] / 20**0.5
    assert_close(phi(SERIES), wanted)
    assert_close(phi.kernel(SERIES, SERIES[:2]), wanted @ wanted[:2].T)
    assert_close(phi.kernel.diag(SERIES), np.sum(wanted**2, axis=1))


def test_series_are_seen_one_by_one(phi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = phi(SERIES)
    assert whole.shape == (4, phi.dimension)
    assert phi.dimension <= 60
    assert_close(phi(SERIES[[2, 0]]), whole[[2, 0]])
    monkeypatch.setattr(sys.modules[type(phi).__module__], "HELD", 1)
    assert_close(phi(SERIES), whole)
    assert phi(SERIES[:0]).shape == (0, phi.dimension)


@pytest.mark.parametrize("device", DEVICES)
def test_in_the_standard_alone(phi: Any, device: Any) -> None:
    like = to_strict(0.0, device)
    there = kerneltools.trees.map_leaves(
        lambda leaf: to_strict(leaf, device) if getattr(leaf, "ndim", 0) else leaf, phi
    )
    assert_same_on(device, there(SERIES.to(like)), phi(SERIES))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_numbers_and_gradients_of_libraries(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    backend = kerneltools.backend(library)
    for like in (np.zeros(()), backend.asarray(0.0, dtype=backend.namespace.float64)):
        owner = backend if like.shape == () and not isinstance(like, np.ndarray) else kerneltools.backend("numpy")
        x = SERIES.to(like)

        def total(parameter: Any, x: Ragged = x, like: Any = like) -> Any:
            phi = maps.signature(Signature(2, Gaussian(parameter)), 2, 30, 0, like=like)
            return kerneltools.arrays.namespace(found := phi(x)).sum(found**2)

        value, gradient = owner.value_and_grad(total)(owner.asarray(1.3, dtype=like.dtype))
        assert np.isclose(float(value), total(1.3, SERIES, np.zeros(())), rtol=1e-12)
        wanted = total(1.3 + 1e-6, SERIES, np.zeros(())) - total(1.3 - 1e-6, SERIES, np.zeros(()))
        assert np.isclose(float(gradient), wanted / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["projected", "warping"])
def test_programs_of_jax_give_the_same(name: str) -> None:
    pytest.importorskip("jax", reason="jax is not installed")
    like = kerneltools.backend("jax").asarray(0.0, dtype=kerneltools.backend("jax").namespace.float64)
    x = SERIES.to(like)
    there = kerneltools.trees.map_leaves(lambda leaf: kerneltools.backend("jax").asarray(leaf), MAPS[name])
    assert_close(np.asarray(there(x)), MAPS[name](SERIES))


def test_a_file_keeps_them(phi: Any, tmp_path: Path) -> None:
    kerneltools.save(phi, tmp_path / "map.safetensors")
    again = kerneltools.load(tmp_path / "map.safetensors")
    assert np.array_equal(again(SERIES), phi(SERIES))


def test_an_estimator_draws_them() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from kerneltools.estimators import RandomFeatures

    time = np.arange(30) / 4
    x = [np.sin(speed * time[: 20 + number % 7]) for number, speed in enumerate([1.0, 1.5] * 12)]
    labels = ["slow", "fast"] * 12
    features = RandomFeatures(Signature(3, Gaussian(1.0)), m=100, draw=maps.signature)
    model = make_pipeline(features, LogisticRegression(C=1e3)).fit(x, labels)
    assert model.score(x, labels) == 1.0
    with pytest.raises(TypeError, match=r"draw: expected another function .* for Strings"):
        RandomFeatures(kerneltools.kernels.strings.Spectrum(2)).fit(["AC", "GT"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: maps.signature(Signature(2, Linear()), 2, 50, 0), "stationary kernel.*maps.nystrom"),
        (lambda: maps.signature(Signature(2, Gaussian(1.0), 2), 2, 50, 0), "of order 1"),
        (lambda: maps.signature(KERNEL, 2, 10, 0), "m: expected at least 15 .* got 10"),
        (lambda: maps.random_warping(1.0, 2, 10, 0, lengths=(5, 4)), "lengths: expected an integer >= 5, got 4"),
        (lambda: MAPS["diagonal"](np.zeros((3, 2))), "x: expected Ragged"),
        (lambda: MAPS["diagonal"](Ragged.of([np.zeros((3, 1))])), "expected series of 2 channels"),
        (lambda: MAPS["warping"](Ragged.of([np.zeros((3, 1))])), "as many channels, got 1 and 2"),
        (lambda: MAPS["warping"](Ragged(np.zeros((3, 2)), (0, 3, 3))), "x: series 1 is empty"),
    ],
)
def test_what_is_wrong_is_named(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()

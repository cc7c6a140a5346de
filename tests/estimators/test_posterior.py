"""Standard deviations of `KernelRidge`: those of a Gaussian process, and what they promise."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

import kerneltools
from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian
from kerneltools.kernels.strings import Spectrum
from kerneltools.solvers import falkon

RNG = np.random.default_rng(0)
X = RNG.uniform(-3, 3, (120, 2))
Y = np.stack([np.sin(X[:, 0]), X[:, 1]], axis=1) + RNG.normal(0, 0.3, (120, 2))
NEW = np.concatenate([RNG.uniform(-3, 3, (20, 2)), [[40.0, 0.0]]])
KERNEL = Gaussian(1.5)
COUNTS = 1 + np.arange(120) % 3


def deviations(model: KernelRidge, at: Any = NEW) -> Any:
    return model.predict(at, return_std=True)[1]


def test_scikit_learn_has_the_same_of_all_rows() -> None:
    model = KernelRidge(KERNEL, landmarks=X, reg=1e-2).fit(X, Y[:, 0])
    prior = model.noise_variance_ / (1e-2 * 120)
    # A constant of unknown size, as nearly as one of known size is; of their mean, that moves nothing.
    theirs = GaussianProcessRegressor(
        prior * RBF(1.5) + ConstantKernel(1e4 * prior), alpha=model.noise_variance_, optimizer=None
    )
    mean, std = theirs.fit(X, Y[:, 0]).predict(NEW, return_std=True)
    values, ours = model.predict(NEW, return_std=True)
    np.testing.assert_allclose(values, mean, atol=1e-4)
    np.testing.assert_allclose(ours**2 - model.noise_variance_, std**2, rtol=1e-4)
    np.testing.assert_array_equal(values, model.predict(NEW))


@pytest.mark.parametrize("reg", [1e-2, None])
def test_features_of_all_rows_have_them_too(reg: Any) -> None:
    exact = KernelRidge(KERNEL, landmarks=X, reg=reg).fit(X, Y)
    features = KernelRidge(KERNEL, landmarks=X, reg=reg).partial_fit(X, Y)
    assert deviations(exact).shape == (21, 2)
    np.testing.assert_allclose(deviations(features), deviations(exact), rtol=1e-6)
    np.testing.assert_allclose(features.noise_variance_, exact.noise_variance_, rtol=1e-6)


@pytest.mark.parametrize("landmarks", [X[:30], X], ids=["some", "all"])
def test_whole_weights_are_repeated_rows(landmarks: Any) -> None:
    weighted = KernelRidge(KERNEL, landmarks=landmarks, reg=1e-2).fit(X, Y, COUNTS)
    repeated = KernelRidge(KERNEL, landmarks=landmarks, reg=1e-2).fit(np.repeat(X, COUNTS, 0), np.repeat(Y, COUNTS, 0))
    np.testing.assert_allclose(deviations(weighted), deviations(repeated), rtol=1e-8)


def test_shares_are_of_the_rows() -> None:
    of_shares = KernelRidge(KERNEL, landmarks=X[:30], reg=1e-2).fit(X, Y, np.full(120, 1 / 120))
    np.testing.assert_allclose(
        deviations(of_shares), deviations(KernelRidge(KERNEL, landmarks=X[:30], reg=1e-2).fit(X, Y))
    )


def test_streams_files_and_pickles(tmp_path: Path) -> None:
    whole = KernelRidge(KERNEL, landmarks=X[:30]).fit(X, Y)
    parts = [KernelRidge(KERNEL, landmarks=X[:30]).fit(X[rows], Y[rows]) for rows in (slice(0, 50), slice(50, None))]
    np.testing.assert_allclose(deviations(parts[0].merge(parts[1])), deviations(whole), rtol=1e-8)
    np.testing.assert_allclose(deviations(parts[0].partial_fit(X[50:], Y[50:])), deviations(whole), rtol=1e-8)
    for model in (whole, KernelRidge(KERNEL, landmarks=X, reg=1e-2).fit(X, Y)):
        wanted = deviations(model)
        kerneltools.save(model, tmp_path / "model.safetensors")
        np.testing.assert_array_equal(deviations(kerneltools.load(tmp_path / "model.safetensors")), wanted)
        np.testing.assert_array_equal(deviations(pickle.loads(pickle.dumps(model))), wanted)


@pytest.mark.parametrize("landmarks", [30, X], ids=["some", "all"])
def test_other_types_and_libraries(landmarks: Any) -> None:
    wanted = deviations(KernelRidge(KERNEL, landmarks=landmarks, reg=1e-2).fit(X, Y[:, 0]))
    single = KernelRidge(KERNEL, landmarks=landmarks, reg=1e-2).fit(X.astype(np.float32), Y[:, 0])
    found = deviations(single, NEW.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    of_torch = KernelRidge(KERNEL, landmarks=landmarks, reg=1e-2).fit(torch.asarray(X), torch.asarray(Y[:, 0]))
    np.testing.assert_allclose(deviations(of_torch, torch.asarray(NEW)).numpy(), wanted, rtol=1e-8)


def test_objects() -> None:
    words = ["".join(word) for word in RNG.choice(list("ACGT"), (40, 12))]
    counts = [float(word.count("A")) for word in words]
    model = KernelRidge(Spectrum(2), landmarks=12, reg=1e-2).fit(words, counts)
    assert deviations(model, words[:3]).shape == (3,)
    assert (deviations(model, words[:3]) >= model.noise_variance_**0.5).all()


@pytest.mark.parametrize("how", ["all rows", "some rows", "nothing given"])
def test_intervals_cover_what_they_promise(how: str) -> None:
    """On ten draws of the process itself, of 90 %; with what is estimated in place of what is true."""
    given: dict[str, Any] = {"kernel": KERNEL, "reg": 0.25 / 200} if how != "nothing given" else {}
    covered = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-3, 3, (500, 2))
        root = np.linalg.cholesky(KERNEL(x, x) + 1e-9 * np.eye(500))
        y = 2 + root @ rng.standard_normal(500) + 0.5 * rng.standard_normal(500)
        given |= {"all rows": {"landmarks": x[:200]}, "some rows": {"landmarks": 80}}.get(how, {})
        values, std = KernelRidge(**given).fit(x[:200], y[:200]).predict(x[200:], return_std=True)
        covered.append(np.mean(np.abs(values - y[200:]) <= 1.645 * std))
    assert 0.85 <= np.mean(covered) <= 0.95


def test_solvers_have_none() -> None:
    model = KernelRidge(KERNEL, landmarks=20, reg=1e-2, solver=falkon).fit(X, Y)
    with pytest.raises(ValueError, match="return_std: a fit with a solver has no posterior"):
        model.predict(NEW, return_std=True)
    with pytest.raises(ValueError, match="solver"):
        _ = model.noise_variance_


@pytest.mark.parametrize("wanted", ["yes", 2.5, 1, None, np.ones(2)], ids=str)
def test_what_is_no_bool_is_refused_by_name(wanted: Any) -> None:
    model = KernelRidge(KERNEL, landmarks=20, reg=1e-2).fit(X, Y)
    with pytest.raises(TypeError, match="return_std: expected True or False, got "):
        model.predict(NEW, return_std=wanted)

"""Where all rows are landmarks, `KernelRidge` solves with their kernel matrix, and all else goes on as it did."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kerneltools
from kerneltools.estimators import KernelRidge, NystromFeatures
from kerneltools.estimators.exact import Exact
from kerneltools.kernels import Gaussian
from kerneltools.landmarks import MiniBatchKMeans, ReducedWarning
from kerneltools.maps import nystrom
from kerneltools.solvers import ridge, ridge_path

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 3))
Y = np.sin(X[:, :2]) + 3
WEIGHTS = np.where(np.arange(50) % 5 == 2, 0.0, RNG.random(50) + 0.1)
KERNEL = Gaussian(1.5)
NEW = RNG.standard_normal((9, 3))
REGS = (1e-6, 1e-3, 1.0)


def is_exact(model: KernelRidge) -> bool:
    return isinstance(model._found, Exact)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("reg", [1e-4, REGS])
def test_it_is_the_regression_on_features_of_all_rows(reg: Any, weights: Any) -> None:
    model = KernelRidge(KERNEL, landmarks=X, reg=reg).fit(X, Y, weights)
    phi = nystrom(KERNEL, X)
    wanted = ridge(phi(X), Y, model.reg_, weights=weights)(phi(NEW))
    assert is_exact(model)
    np.testing.assert_allclose(model.predict(NEW), wanted, rtol=1e-8)
    regs = (reg,) if isinstance(reg, float) else reg
    errors = ridge_path(phi(X), Y, weights=weights).generalised_cross_validation(regs).mean(axis=1)
    np.testing.assert_allclose(model.errors_, errors, rtol=1e-6)
    assert model.reg_ == regs[int(errors.argmin())]
    assert model.shift_ == 0


def test_rows_that_are_equal_count_together() -> None:
    twice, y = np.concatenate([X, X[:20, :] + 0.0]), np.concatenate([Y, Y[:20, :] + 1])
    model = KernelRidge(KERNEL, landmarks=X, reg=REGS).fit(twice, y)
    phi = nystrom(KERNEL, X)
    assert is_exact(model)
    np.testing.assert_allclose(model.predict(NEW), ridge(phi(twice), y, model.reg_)(phi(NEW)), rtol=1e-8)
    errors = ridge_path(phi(twice), y).generalised_cross_validation(REGS).mean(axis=1)
    np.testing.assert_allclose(model.errors_, errors, rtol=1e-6)
    np.testing.assert_allclose(model.sums_.model(1e-3)(NEW), ridge(phi(twice), y, 1e-3)(phi(NEW)), rtol=1e-8)


def test_the_landmarks_decide() -> None:
    assert is_exact(KernelRidge(KERNEL, landmarks=np.concatenate([NEW, X]), reg=1e-3).fit(X, Y))
    assert is_exact(KernelRidge(KERNEL, landmarks=X[WEIGHTS > 0], reg=1e-3).fit(X, Y, WEIGHTS))
    assert not is_exact(KernelRidge(KERNEL, landmarks=X[:-1, :], reg=1e-3).fit(X, Y))
    minus = np.where(X[0, 0] == X, -0.0, X)
    assert is_exact(KernelRidge(KERNEL, landmarks=np.where(X[0, 0] == X, 0.0, X), reg=1e-3).fit(minus, Y))


def test_rows_are_added_and_fits_merged(tmp_path: Path) -> None:
    make = lambda: KernelRidge(KERNEL, landmarks=X, reg=1e-4)  # noqa: E731
    whole = make().partial_fit(X, Y).predict(NEW)
    begun = KernelRidge(KERNEL, landmarks=X[:30, :], reg=1e-4).fit(X[:30, :], Y[:30, :])
    assert is_exact(begun)
    streamed = KernelRidge(KERNEL, landmarks=X[:30, :], reg=1e-4).partial_fit(X, Y).predict(NEW)
    kerneltools.save(begun, tmp_path / "begun")
    for model in (kerneltools.load(tmp_path / "begun"), begun):
        np.testing.assert_allclose(model.partial_fit(X[30:, :], Y[30:, :]).predict(NEW), streamed, rtol=1e-8)
    halves = [make().fit(X[part, :], Y[part, :]) for part in (slice(0, 20), slice(20, 50))]
    np.testing.assert_allclose(halves[0].merge(halves[1]).predict(NEW), whole, rtol=1e-8)


@pytest.mark.parametrize("reg", [1e-4, REGS])
def test_a_file_has_it(reg: Any, tmp_path: Path) -> None:
    model = KernelRidge(KERNEL, landmarks=torch.asarray(X), reg=reg).fit(torch.asarray(X), Y)
    kerneltools.save(model, tmp_path / "model")
    found = kerneltools.load(tmp_path / "model", backend="torch")
    assert torch.equal(found.predict(torch.asarray(NEW)), model.predict(torch.asarray(NEW)))
    assert found.reg_ == model.reg_
    np.testing.assert_allclose(found.errors_, model.errors_, rtol=1e-12)


def test_a_number_beyond_the_rows_takes_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MiniBatchKMeans, "__call__", lambda *_, **__: pytest.fail("rows need no clusters"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model = KernelRidge(KERNEL, landmarks=60, reg=1e-3).fit(X, Y)
    assert [str(one.message) for one in told] == ["landmarks: 60 asked for, 50 made: 50 rows hold no more rows"]
    assert is_exact(model)
    np.testing.assert_array_equal(model.landmarks_, X[np.lexsort(X.T[::-1])])
    twice = np.concatenate([X, X[:5, :]])
    with pytest.warns(ReducedWarning, match="55 asked for, 50 made: 55 rows hold no more distinct rows"):
        features = NystromFeatures(KERNEL, landmarks=55).fit(twice)
    np.testing.assert_array_equal(features.landmarks_, model.landmarks_)
    np.testing.assert_array_equal(
        KernelRidge(KERNEL, reg=1e-3).fit(X, Y, WEIGHTS).landmarks_,
        model.landmarks_[WEIGHTS[np.lexsort(X.T[::-1])] > 0],
    )

"""Arrays of any library go in and come out: the same numbers, library, device and type."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from kerneltools import backend, kernels, landmarks, maps
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, RandomFeatures
from kerneltools.solvers import SquaredHinge, falkon
from tests.agreement.libraries import CUPY, JAX, JAX_CUDA, NUMPY, STRICT, STRICT_DEVICE1, TORCH, TORCH_CUDA, Library
from tests.agreement.libraries import parameters as libraries

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = np.sin(X @ RNG.standard_normal(3))
LABELS = (3 * X[:, 0] > X[:, 1]).astype(np.int64) + (X[:, 2] > 0.5)
KERNEL = kernels.Gaussian(np.array([1.0, 2.0, 1.5]))
SELECTOR = landmarks.Uniform(20)
ESTIMATORS = {
    "nystrom": (NystromFeatures(KERNEL, landmarks=SELECTOR), ("transform",)),
    "nystrom-reg": (NystromFeatures(KERNEL, landmarks=X[:9, :], reg=1e-3), ("transform",)),
    "fourier": (RandomFeatures(KERNEL, m=30), ("transform",)),
    "sketch": (RandomFeatures(kernels.Polynomial(2), m=16, draw=maps.tensor_sketch), ("transform",)),
    "ridge": (KernelRidge(KERNEL, landmarks=SELECTOR, reg=(1e-4, 1e-2)), ("predict",)),
    "falkon": (KernelRidge(KERNEL, landmarks=SELECTOR, solver=falkon), ("predict",)),
    "logistic": (KernelClassifier(KERNEL, landmarks=SELECTOR), ("decision_function", "predict_proba", "predict")),
    "hinge": (KernelClassifier(KERNEL, landmarks=SELECTOR, loss=SquaredHinge()), ("decision_function", "predict")),
    "pca": (KernelPCA(3, kernel=KERNEL, landmarks=SELECTOR), ("transform",)),
}
OTHERS = (TORCH, JAX, STRICT, STRICT_DEVICE1, TORCH_CUDA, JAX_CUDA, CUPY)


def fitted(name: str, library: Library, dtype: str) -> tuple[Any, Any]:
    estimator, _ = ESTIMATORS[name]
    x = library.array(X.astype(dtype))
    if "logistic" in name or "hinge" in name:
        return clone(estimator).fit(x, library.array(LABELS)), x
    y = library.array(Y.astype(dtype))
    return clone(estimator).fit(x, y, *([library.array(1 + 0 * Y)] if name == "ridge" else [])), x


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "float64") for name in ESTIMATORS), ("nystrom", "float32"), ("ridge", "float32")]
)
@pytest.mark.parametrize("library", libraries(OTHERS))
def test_agrees_with_numpy(library: Library, name: str, dtype: str) -> None:
    if library.missing():
        pytest.skip(library.missing())
    estimator, x = fitted(name, library, dtype)
    reference, host = fitted(name, NUMPY, dtype)
    for method in ESTIMATORS[name][1]:
        found, expected = getattr(estimator, method)(x), getattr(reference, method)(host)
        assert library.owns(found)
        assert library.numpy(found).dtype == expected.dtype
        atol = 1e-7 if dtype == "float64" else 2e-3
        np.testing.assert_allclose(library.numpy(found), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("library", libraries((NUMPY, TORCH, JAX)))
def test_pickle(library: Library, name: str) -> None:
    estimator, x = fitted(name, library, "float64")
    again = pickle.loads(pickle.dumps(estimator))
    for method in ESTIMATORS[name][1]:
        found, expected = getattr(again, method)(x), getattr(estimator, method)(x)
        np.testing.assert_array_equal(library.numpy(found), library.numpy(expected))


@pytest.mark.parametrize("library", libraries((TORCH, JAX)))
def test_labels_that_are_words_come_in_numpy(library: Library) -> None:
    words = np.array(["a", "b", "c"])[LABELS]
    x = library.array(X)
    model = KernelClassifier(KERNEL, landmarks=SELECTOR).fit(x, words)
    assert set(model.predict(x)) <= {"a", "b", "c"}
    assert model.score(x, words) > 0.8


@pytest.mark.parametrize("library", libraries((TORCH, JAX, STRICT)))
def test_targets_may_be_numpy(library: Library) -> None:
    x = library.array(X)
    model = KernelRidge(KERNEL, landmarks=SELECTOR).fit(x, Y)
    assert model.score(x, Y) == pytest.approx(KernelRidge(KERNEL, landmarks=SELECTOR).fit(X, Y).score(X, Y))


def test_wrong_libraries_are_named() -> None:
    model = NystromFeatures(KERNEL, landmarks=SELECTOR).fit(TORCH.array(X))
    with pytest.raises(
        TypeError, match=r"X: expected an array of the library of the fit; arrays of several .*numpy.ndarray"
    ):
        model.transform(X)
    with pytest.raises(TypeError, match=r"X: .* arrays of several libraries"):
        model.transform(JAX.array(X))


@pytest.mark.parametrize("library", libraries((TORCH, JAX, STRICT)))
def test_other_libraries_are_checked_too(library: Library) -> None:
    broken = X.copy()
    broken[7, 2] = np.nan
    model = NystromFeatures(KERNEL, landmarks=SELECTOR)
    with pytest.raises(ValueError, match="X: expected finite numbers, got nan in row 7, column 2"):
        model.fit(library.array(broken))
    with pytest.raises(ValueError, match=r"X: Expected 2D array \(n, d\) for NystromFeatures, got shape \(3,\)"):
        model.fit(library.array(X[0, :]))
    with pytest.raises(ValueError, match="at least 1 sample"):
        model.fit(library.array(X[:0, :]))
    with pytest.raises(TypeError, match="X: expected a real floating-point array"):
        model.fit(library.array(LABELS[:, None]))
    model.fit(library.array(X))
    with pytest.raises(ValueError, match="X has 2 features, but NystromFeatures is expecting 3"):
        model.transform(library.array(X[:, :2]))


def test_what_is_learnt_keeps_no_graph() -> None:
    x = torch.asarray(X[:40, :]).requires_grad_(True)
    y = torch.sin(x[:, 0])
    found = KernelRidge(kernels.Gaussian(1.0), landmarks=5).fit(x, y, torch.ones_like(y)).partial_fit(x, y)
    assert not found.sums_.sums.gram.requires_grad
    assert not found.predict(x.detach()).requires_grad
    assert found.predict(x).requires_grad
    KernelClassifier(kernels.Gaussian(1.0), landmarks=5).fit(x, (y > 0).to(torch.int64))


def test_half_precision_stays() -> None:
    x = backend("torch").asarray(X, dtype="float16")
    found = NystromFeatures(kernels.Gaussian(1.0), landmarks=SELECTOR).fit_transform(x)
    assert str(found.dtype) == "torch.float16"

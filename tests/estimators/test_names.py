"""scikit-learn's names of parameters are answered with ours, and names inside of what is not given are taken."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge as Theirs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from ckn import ImageClassifier
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, RandomFeatures
from kerneltools.estimators.foreign import FOREIGN, KERNELS
from kerneltools.kernels import Gaussian, Linear
from kerneltools.solvers import SquaredHinge
from tests.strict import assert_close

EVERY = (KernelRidge, KernelClassifier, KernelPCA, NystromFeatures, RandomFeatures)
X = np.random.default_rng(0).standard_normal((30, 2))
HINTS: tuple[tuple[Any, dict[str, Any], str], ...] = (
    (KernelRidge, {"alpha": 1.0}, r"'alpha' for KernelRidge: here it is reg, with reg = alpha / n for n rows"),
    (
        KernelClassifier,
        {"C": 1.0},
        r"'C' for KernelClassifier: here it is reg, with reg = 1 / \(2 C n\) .* 1 / \(4 C n\) with SquaredHinge",
    ),
    (NystromFeatures, {"n_components": 9}, "'n_components' for NystromFeatures: here it is landmarks"),
    (RandomFeatures, {"n_components": 9}, "'n_components' for RandomFeatures: here it is m$"),
    (
        ImageClassifier,
        {"alpha": 1.0},
        "'alpha' for ImageClassifier: here it is regs, .* alpha / n",
    ),
    *((cls, {"gamma": 1.0}, "'gamma' for .*kernel=Gaussian.* bandwidth = 1 / sqrt") for cls in EVERY),
)


@pytest.mark.parametrize(("cls", "given", "message"), HINTS, ids=str)
def test_hints(cls: Callable[..., Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match="Invalid parameter " + message):
        cls(**given)
    with pytest.raises(ValueError, match="Invalid parameter " + message):
        cls().set_params(**given)


def test_hints_name_parameters_that_are_there() -> None:
    names = {name for cls in (*EVERY, ImageClassifier) for name in cls._get_param_names()}
    assert {ours for ways in FOREIGN.values() for ours, _ in ways} <= names


def test_other_names_are_answered_as_before() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        KernelRidge(colour=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        KernelRidge().set_params(colour=1)
    with pytest.raises(ValueError, match="Invalid parameter 'alpha' for estimator KernelPCA"):
        KernelPCA().set_params(alpha=1)
    with pytest.raises(ValueError, match="Invalid parameter 'alpha' for estimator NystromFeatures"):
        NystromFeatures().set_params(alpha=1)  # its `reg` is no λ
    assert KernelPCA(n_components=3).n_components == 3


def test_alpha_is_what_the_hint_says() -> None:
    y, alpha = np.sin(X[:, 0]), 0.3
    values = KernelRidge(Gaussian(1.5), landmarks=X, reg=alpha / 30).fit(X, y).predict(X)
    # Theirs has no intercept: it gets that of ours, which is what the residuals leave of the mean.
    gram = Gaussian(1.5)(X, X)
    intercept = float(np.mean(values - gram @ (y - values) / alpha))
    theirs = Theirs(kernel="rbf", gamma=1 / (2 * 1.5**2), alpha=alpha).fit(X, y - intercept)
    assert_close(values, theirs.predict(X) + intercept, 1e-8)


def test_C_is_what_the_hint_says() -> None:
    labels, C = (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0.2).astype(int), 0.7
    theirs = LogisticRegression(C=C, fit_intercept=False, tol=1e-10).fit(X, labels)
    ours = KernelClassifier(Linear(), landmarks=np.eye(2), reg=1 / (2 * C * 30)).fit(X, labels)
    assert_close(ours.decision_function(X), theirs.decision_function(X), 1e-4)
    theirs = LinearSVC(C=C, fit_intercept=False, tol=1e-10, max_iter=10**5).fit(X, labels)
    ours = KernelClassifier(Linear(), landmarks=np.eye(2), loss=SquaredHinge(), reg=1 / (4 * C * 30)).fit(X, labels)
    assert_close(ours.decision_function(X), theirs.decision_function(X), 1e-4)


def test_words_for_kernels() -> None:
    for word in KERNELS:
        with pytest.raises(TypeError, match=f"got '{word}'; here it is kernels.{KERNELS[word].partition('(')[0]}"):
            KernelRidge(word).fit(X, X[:, 0])


def test_a_bandwidth_where_no_kernel_is_given() -> None:
    model = KernelRidge(landmarks=10)
    model.set_params(kernel__bandwidth=2.0, landmarks__m=12)
    assert (model.kernel, model.landmarks) == (Gaussian(2.0), 12)
    with pytest.raises(ValueError, match="bandwidth: expected a finite number > 0"):
        clone(model).set_params(kernel=None).set_params(kernel__bandwidth=-1.0)
    grid = {"kernel__bandwidth": [0.1, 2.0], "landmarks__m": [5, 8]}
    search = GridSearchCV(KernelRidge(), grid, cv=2).fit(X, X[:, 0])
    assert search.best_params_["kernel__bandwidth"] == search.best_estimator_.kernel_.bandwidth == 2.0
    assert search.best_estimator_.landmarks_.shape[0] in (5, 8)

"""Equal to scikit-learn's kernels, features and estimators, in its parameters."""

from typing import Any

import numpy as np
import pytest
from sklearn import decomposition, kernel_approximation, kernel_ridge
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise
from sklearn.svm import LinearSVC

from kerneltools import kernels, maps, solvers
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures

RNG = np.random.default_rng(0)
X = RNG.random((50, 4))
Y = np.sin(4 * X @ RNG.random((4, 2)))
GAMMA = 0.7

PAIRS: dict[str, tuple[kernels.Kernel, str, dict[str, Any]]] = {
    "rbf": (kernels.Gaussian((2 * GAMMA) ** -0.5), "rbf", {"gamma": GAMMA}),
    "laplacian": (kernels.Laplacian(1 / GAMMA), "laplacian", {"gamma": GAMMA}),
    "polynomial": (
        GAMMA**3 * kernels.Polynomial(3, offset=2.0 / GAMMA), "polynomial", {"gamma": GAMMA, "degree": 3, "coef0": 2.0}
    ),
    "sigmoid": (kernels.Sigmoid(GAMMA, 0.5), "sigmoid", {"gamma": GAMMA, "coef0": 0.5}),
    "linear": (kernels.Linear(), "linear", {}),
    "cosine": (kernels.Cosine(), "cosine", {}),
    "chi2": (kernels.Chi2(GAMMA), "chi2", {"gamma": GAMMA}),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_kernels(name: str) -> None:
    kernel, theirs, parameters = PAIRS[name]
    expected = pairwise.pairwise_kernels(X, X[:7, :], metric=theirs, **parameters)
    np.testing.assert_allclose(kernel(X, X[:7, :]), expected, rtol=1e-10, atol=1e-12)


def test_additive_chi2_is_theirs_up_to_a_term_of_each_row() -> None:
    # Theirs, -Σ (x-y)²/(x+y), is conditionally definite; ours, Σ 2xy/(x+y), is definite: (x+y)/2 - (x-y)²/2(x+y).
    theirs = pairwise.additive_chi2_kernel(X, X[:7, :])
    sums = X.sum(axis=1)
    expected = (sums[:, None] + sums[None, :7]) / 2 + theirs / 2
    np.testing.assert_allclose(kernels.AdditiveChi2()(X, X[:7, :]), expected, rtol=1e-10)


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "sigmoid"])
def test_nystrom_features_of_the_same_landmarks(name: str) -> None:
    kernel, theirs, parameters = PAIRS[name]
    peer = kernel_approximation.Nystroem(theirs, **parameters, n_components=3, random_state=0).fit(X)
    ours = NystromFeatures(kernel, landmarks=peer.components_, reg=1e-12).fit(X)
    # Both roots of the landmarks' inverse matrix are the symmetric one.
    np.testing.assert_allclose(ours.transform(X), peer.transform(X), atol=1e-6)
    triangular = NystromFeatures(kernel, landmarks=peer.components_).fit_transform(X)
    theirs_again = peer.transform(X)
    np.testing.assert_allclose(triangular @ triangular.T, theirs_again @ theirs_again.T, atol=1e-8)


def test_default_kernel() -> None:
    peer = kernel_approximation.Nystroem(n_components=8, random_state=0).fit(X)
    ours = NystromFeatures(landmarks=peer.components_).fit_transform(X)
    np.testing.assert_allclose(ours @ ours.T, peer.transform(X) @ peer.transform(X).T, atol=1e-8)


def test_random_fourier_features_estimate_the_same_kernel() -> None:
    phi = maps.fourier(kernels.Gaussian((2 * GAMMA) ** -0.5), d=4, m=20_000, rng=0)
    exact = pairwise.rbf_kernel(X, gamma=GAMMA)
    # The mean of 10,000 independent terms in [-1, 1], for 50² / 2 pairs: Hoeffding's bound at 1e-6 in all.
    bound = (2 * np.log(2 * 1250 / 1e-6) / 10_000) ** 0.5
    assert np.abs(phi(X) @ phi(X).T - exact).max() < bound


def test_kernel_ridge_with_all_rows_as_landmarks() -> None:
    alpha, centred = 0.1, Y - Y.mean(axis=0)
    peer = kernel_ridge.KernelRidge(alpha=alpha, kernel="rbf", gamma=GAMMA).fit(X, centred)
    ours = KernelRidge(PAIRS["rbf"][0], landmarks=X, reg=alpha / 50, solver=solvers.kernel_ridge).fit(X, Y)
    np.testing.assert_allclose(ours.predict(X) - Y.mean(axis=0), peer.predict(X), atol=1e-6)


def test_kernel_pca_with_all_rows_as_landmarks() -> None:
    peer = decomposition.KernelPCA(3, kernel="rbf", gamma=GAMMA).fit(X)
    ours = KernelPCA(3, kernel=PAIRS["rbf"][0], landmarks=X).fit(X)
    np.testing.assert_allclose(np.abs(ours.transform(X)), np.abs(peer.transform(X)), atol=1e-6)
    np.testing.assert_allclose(ours.eigenvalues_, peer.eigenvalues_, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "peer", "share"),
    [
        (solvers.Logistic(), LogisticRegression(C=3.0, fit_intercept=False, tol=1e-10, max_iter=10_000), 2),
        (solvers.SquaredHinge(), LinearSVC(C=3.0, fit_intercept=False, tol=1e-10, dual=False), 4),
    ],
    ids=["logistic", "squared hinge"],
)
def test_classifiers_on_the_same_features(loss: Any, peer: Any, share: int) -> None:
    kernel, points, labels = PAIRS["rbf"][0], X[:10, :], Y[:, 0] > Y[:, 1]
    features = maps.nystrom(kernel, points)(X)
    ours = KernelClassifier(kernel, landmarks=points, loss=loss, reg=1 / (share * 50 * 3.0)).fit(X, labels)
    np.testing.assert_allclose(
        ours.decision_function(X), peer.fit(features, labels).decision_function(features), atol=1e-4
    )

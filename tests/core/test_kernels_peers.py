"""Kernels against scikit-learn's, with its parameters translated as in docs/kernels.md."""

from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import kernels as gp
from sklearn.metrics import pairwise

from kerneltools import kernels
from kerneltools.kernels import Kernel
from tests.strict import assert_close

rng = np.random.default_rng(0)
X, Y = rng.standard_normal((6, 3)), rng.standard_normal((5, 3))
P, Q = np.abs(X), np.abs(Y)
P[0, 1] = Q[0, 1] = 0
LENGTHS = np.asarray([0.5, 1.0, 2.5])


def l1_norms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x.sum(axis=1)[:, None] + y.sum(axis=1)[None, :]


SIGNED: tuple[tuple[Kernel, Any], ...] = (
    (kernels.Gaussian(0.7), lambda x, y: pairwise.rbf_kernel(x, y, gamma=1 / (2 * 0.7**2))),
    (kernels.Gaussian(0.7), gp.RBF(0.7)),
    (kernels.Gaussian(LENGTHS), gp.RBF(LENGTHS)),
    (kernels.Laplacian(0.7), lambda x, y: pairwise.laplacian_kernel(x, y, gamma=1 / 0.7)),
    (kernels.Exponential(0.7), gp.Matern(0.7, nu=0.5)),
    (kernels.Matern(0.5, 0.7), gp.Matern(0.7, nu=0.5)),
    (kernels.Matern(1.5, 0.7), gp.Matern(0.7, nu=1.5)),
    (kernels.Matern(2.5, LENGTHS), gp.Matern(LENGTHS, nu=2.5)),
    (kernels.Matern(3.5, 0.7), gp.Matern(0.7, nu=3.5)),
    (kernels.Matern(7.5, 0.7), gp.Matern(0.7, nu=7.5)),
    (kernels.Matern(float("inf"), 0.7), gp.Matern(0.7, nu=np.inf)),
    (kernels.RationalQuadratic(0.7, 1.3), gp.RationalQuadratic(0.7, 1.3)),
    (kernels.Linear(), pairwise.linear_kernel),
    (kernels.Polynomial(3, 0.5), lambda x, y: pairwise.polynomial_kernel(x, y, degree=3, gamma=1, coef0=0.5)),
    (kernels.Polynomial(2, 1.0), lambda x, y: pairwise.polynomial_kernel(x * 0.3, y, degree=2, gamma=1 / 0.3, coef0=1)),
    (
        0.3**2 * kernels.Polynomial(2, 1 / 0.3),
        lambda x, y: pairwise.polynomial_kernel(x, y, degree=2, gamma=0.3, coef0=1),
    ),
    (kernels.Sigmoid(0.3, -0.2), lambda x, y: pairwise.sigmoid_kernel(x, y, gamma=0.3, coef0=-0.2)),
    (kernels.Cosine(), pairwise.cosine_similarity),
    (kernels.Gaussian(0.7) + kernels.Linear(), gp.RBF(0.7) + gp.DotProduct(sigma_0=0)),
    (kernels.Gaussian(0.7) * kernels.Matern(1.5, 2.0), gp.RBF(0.7) * gp.Matern(2.0, nu=1.5)),
    (kernels.Matern(1.5, 2.0) ** 3, gp.Exponentiation(gp.Matern(2.0, nu=1.5), 3)),
    (2.5 * kernels.Gaussian(0.7), gp.ConstantKernel(2.5) * gp.RBF(0.7)),
)
HISTOGRAMS: tuple[tuple[Kernel, Any], ...] = (
    (kernels.Chi2(0.7), lambda x, y: pairwise.chi2_kernel(x, y, gamma=0.7)),
    (kernels.AdditiveChi2(), lambda x, y: (l1_norms(x, y) + pairwise.additive_chi2_kernel(x, y)) / 2),
    (kernels.Intersection(), lambda x, y: (l1_norms(x, y) - pairwise.manhattan_distances(x, y)) / 2),
)


@pytest.mark.parametrize(("kernel", "theirs"), SIGNED, ids=[str(kernel) for kernel, _ in SIGNED])
def test_signed(kernel: Kernel, theirs: Any) -> None:
    assert_close(kernel(X, Y), theirs(X, Y), 1e-12)


@pytest.mark.parametrize(("kernel", "theirs"), HISTOGRAMS, ids=[str(kernel) for kernel, _ in HISTOGRAMS])
def test_histograms(kernel: Kernel, theirs: Any) -> None:
    assert_close(kernel(P, Q), theirs(P, Q), 1e-12)


def test_periodic_on_a_line() -> None:
    # Of several columns, theirs takes the Euclidean distance, ours the product over columns.
    x, y = X[:, :1], Y[:, :1]
    assert_close(kernels.Periodic(1.7, 0.6)(x, y), gp.ExpSineSquared(0.6, 1.7)(x, y), 1e-12)


def test_diagonals() -> None:
    for kernel, theirs in SIGNED:
        if hasattr(theirs, "diag"):
            assert_close(kernel.diag(X), theirs.diag(X), 1e-12)


def test_arc_cosine_by_its_features() -> None:
    w = np.random.default_rng(1).standard_normal((200_000, 3))
    for order in (0, 1, 2):

        def features(x: np.ndarray, order: int = order) -> np.ndarray:
            return (x @ w.T > 0) * (x @ w.T) ** order

        products = 2 * features(X)[:, None, :] * features(Y)[None, :, :]
        found, error = products.mean(axis=-1), products.std(axis=-1) / np.sqrt(len(w))
        assert np.all(np.abs(kernels.ArcCosine(order)(X, Y) - found) <= 5 * error)


def test_wendland_by_its_integrals() -> None:
    # Wendland 1995: φ_k(r) is the integral of t φ_(k-1)(t) over t from r to 1, scaled to φ_k(0) = 1.
    r = np.linspace(0, 1, 20_001)
    for dimension in (1, 2, 3, 5):
        for smoothness in (1, 2, 3):
            j = dimension // 2 + smoothness + 1
            phi = (1 - r) ** j
            for _ in range(smoothness):
                cells = (r[1:] * phi[1:] + r[:-1] * phi[:-1]) / 2 * (r[1] - r[0])
                phi = np.append(np.cumsum(cells[::-1])[::-1], 0)
            got = kernels.Wendland(1.0, smoothness, dimension)(np.zeros((1, 1)), r[:, None])[0]
            np.testing.assert_allclose(got, phi / phi[0], rtol=0, atol=1e-6)

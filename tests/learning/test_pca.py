"""Kernel PCA on features, against scikit-learn's on kernel matrices."""

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA as Dense

from kerneltools.kernels import Gaussian, Linear
from kerneltools.landmarks import ReducedWarning
from kerneltools.learning import kernel_pca
from kerneltools.maps import nystrom

RNG = np.random.default_rng(0)
X, NEW = RNG.standard_normal((40, 3)), RNG.standard_normal((7, 3))
# All rows as landmarks: the features are exact up to 40 eps.
EXACT = nystrom(Gaussian(1.5), X)


def test_it_is_that_of_the_kernel_matrix() -> None:
    found = kernel_pca(EXACT, X, 5)
    dense = Dense(5, kernel="rbf", gamma=1 / (2 * 1.5**2), eigen_solver="dense").fit(X)
    wanted = dense.transform(np.concatenate([X, NEW]))
    signs = np.sign(np.sum(wanted[:40] * found(X), axis=0))
    assert np.allclose(found(np.concatenate([X, NEW])) * signs, wanted, atol=1e-9)
    assert np.allclose(40 * found.variances, dense.eigenvalues_, rtol=1e-10)


def test_variances_are_those_of_the_components() -> None:
    found = kernel_pca(EXACT, X, 40 - 1)
    assert np.allclose(np.mean(found(X) ** 2, axis=0), found.variances, atol=1e-12)
    assert np.allclose(np.mean(found(X), axis=0), 0, atol=1e-12)
    gram = Gaussian(1.5)(X, X)
    assert float(found.total) == pytest.approx((np.trace(gram) - gram.mean() * 40) / 40, rel=1e-10)
    assert float(np.sum(found.shares)) == pytest.approx(1, rel=1e-9)
    assert np.all(np.diff(found.variances) <= 0)


def test_blocks_and_batches_change_nothing() -> None:
    one, other = kernel_pca(EXACT, X, 4), kernel_pca(EXACT, X, 4, block=7)
    assert np.allclose(one.directions, other.directions, atol=1e-9)
    assert np.allclose(one(X.reshape(4, 10, 3)), one(X).reshape(4, 10, 4), atol=1e-12)


def test_float32_far_from_the_origin() -> None:
    far = (X + 1000).astype(np.float32)
    found = kernel_pca(lambda rows: rows, far, 3)
    wanted = kernel_pca(lambda rows: rows, far.astype(float), 3)
    assert found(far).dtype == np.float32
    assert np.allclose(found.variances, wanted.variances, rtol=1e-12)
    assert np.allclose(found(far), wanted(far.astype(float)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fewer_components_than_asked_for(dtype: type) -> None:
    rank_two = (X[:, :2] @ RNG.standard_normal((2, 6))).astype(dtype)
    with pytest.warns(ReducedWarning, match="components: 4 asked for, 2 made: 40 rows vary in no more directions"):
        found = kernel_pca(lambda rows: rows, rank_two, 4)
    assert found(rank_two).shape == (40, 2)


def test_wrong_input() -> None:
    phi = nystrom(Linear(), X[:3])
    with pytest.raises(ValueError, match="components: expected an integer from 1 to 3, the number of features, got 4"):
        kernel_pca(phi, X, 4)
    with pytest.raises(ValueError, match=r"x: expected at least 2 rows, got shape \(1, 3\)"):
        kernel_pca(phi, X[:1], 1)
    with pytest.raises(ValueError, match=r"x: expected finite numbers, got nan in row 0, column 0"):
        kernel_pca(phi, X * np.nan, 1)
    with pytest.raises(ValueError, match=r"phi: expected \(40, m\) for 40 rows, got shape \(40,\)"):
        kernel_pca(lambda rows: rows[:, 0], X, 1)

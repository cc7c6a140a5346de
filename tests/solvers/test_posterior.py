"""Variances of ridge regression as the posterior of a Gaussian process: against its formula and scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel as TheirKernel

from kerneltools.kernels import Gaussian, Linear
from kerneltools.maps import nystrom
from kerneltools.solvers import exact_path, path_of, ridge_path, ridge_sums
from tests.solvers.problems import regression
from tests.strict import DEVICES, assert_same_on, to_strict

P = regression(n=40)
NEW = np.concatenate([P.points, 30 + P.points[:2]])  # and far from all rows
WEIGHTS = np.where(np.arange(40) % 7 == 3, 0.0, P.weights)
KERNEL = Gaussian(1.5)
BOTH = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
REGS = pytest.mark.parametrize("reg", [1e-5, 1e-2, 10.0])


def seen(weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows that count, their targets, and how often they do: at least once each, on the average."""
    w = np.ones(40) if weights is None else weights
    x, y, w = P.x[w > 0], P.y[w > 0], w[w > 0]
    return x, y, w * max(1.0, len(w) / w.sum())


def posterior(kernel: Any, reg: float, weights: Any) -> np.ndarray:
    """Rasmussen and Williams (2006), equation 2.42: a constant of unknown size beside a process with k / (λ n), where
    the noise of a row is 1 over its weight."""
    x, _, w = seen(weights)
    prior = 1 / (reg * w.sum())
    noisy = prior * kernel(x, x) + np.diag(1 / w)
    cross, one = prior * kernel(x, NEW), np.ones(len(x))
    left = 1 - one @ np.linalg.solve(noisy, cross)
    known = prior * kernel.diag(NEW) - np.einsum("ij,ij->j", cross, np.linalg.solve(noisy, cross))
    return known + left**2 / (one @ np.linalg.solve(noisy, one))


class Centred(TheirKernel):  # type: ignore[misc]  # an untyped base
    """Of a process less its mean over the rows: what a constant of unknown size leaves to be learnt."""

    def __init__(self, kernel: Any, prior: float, x: Any, w: Any) -> None:
        self.kernel, self.prior, self.x, self.w = kernel, prior, x, w

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        Y, of = X if Y is None else Y, lambda x: self.kernel(x, self.x) @ self.w / self.w.sum()
        whole = self.w @ of(self.x) / self.w.sum()
        return self.prior * (self.kernel(X, Y) - of(X)[:, None] - of(Y)[None, :] + whole)

    def diag(self, X: Any) -> Any:
        return np.diag(self(X))

    def is_stationary(self) -> bool:
        return False


@BOTH
@REGS
def test_all_rows(reg: float, weights: Any) -> None:
    found = exact_path(KERNEL, P.x, P.y, weights=weights).variance(NEW, reg)
    np.testing.assert_allclose(found, posterior(KERNEL, reg, weights), rtol=1e-8)
    x, y, w = seen(weights)
    theirs = GaussianProcessRegressor(
        Centred(KERNEL, 1 / (reg * w.sum()), x, w), alpha=1 / w, optimizer=None, normalize_y=False
    )
    mean, std = theirs.fit(x, y - w @ y / w.sum()).predict(NEW, return_std=True)
    np.testing.assert_allclose(found, std[:, 0] ** 2 + 1 / w.sum(), rtol=1e-8)
    np.testing.assert_allclose(
        exact_path(KERNEL, P.x, P.y, weights=weights).model(reg)(NEW), mean + w @ y / w.sum(), atol=1e-8
    )


@BOTH
@REGS
def test_features_of_all_rows_and_what_they_miss(reg: float, weights: Any) -> None:
    phi = nystrom(KERNEL, P.x)
    total = seen(weights)[2].sum()
    path = ridge_path(phi(P.x), P.y, weights=weights)
    found = path.variance(phi(NEW), reg) + phi.residual(NEW) / (reg * total)
    np.testing.assert_allclose(found, posterior(KERNEL, reg, weights), rtol=1e-8)
    of_sums = path_of(ridge_sums(phi(P.x), P.y, weights))
    np.testing.assert_allclose(of_sums.variance(phi(NEW), reg), path.variance(phi(NEW), reg), rtol=1e-12)
    np.testing.assert_allclose(of_sums.noise_variance(reg), path.noise_variance(reg), rtol=1e-12)


@BOTH
@pytest.mark.parametrize("qr", [True, False])
def test_more_columns_than_rows(weights: Any, qr: bool) -> None:
    x = np.random.default_rng(0).standard_normal((40, 60))
    new = np.random.default_rng(1).standard_normal((5, 60))
    found = ridge_path(x, P.y, weights=weights, qr=qr)
    wanted = exact_path(Linear(), x, P.y, weights=weights)
    np.testing.assert_allclose(found.variance(new, 1e-2), wanted.variance(new, 1e-2), rtol=1e-9)
    np.testing.assert_allclose(found.noise_variance(1e-2), wanted.noise_variance(1e-2), rtol=1e-9)


@BOTH
@REGS
def test_noise_is_the_squared_residual_over_what_is_left_of_the_rows(reg: float, weights: Any) -> None:
    x, y, w = seen(weights)
    n = w.sum()
    gram, alpha, one = KERNEL(x, x), reg * n, np.ones((len(w), 1))
    inverse = np.linalg.inv(gram + alpha * np.diag(1 / w))
    missed = alpha * (inverse - inverse @ one @ one.T @ inverse / (one.T @ inverse @ one)) / w[:, None]
    wanted = w @ (missed @ y) ** 2 / (n - len(w) + np.trace(missed))
    np.testing.assert_allclose(exact_path(KERNEL, P.x, P.y, weights=weights).noise_variance(reg), wanted, rtol=1e-8)
    phi = nystrom(KERNEL, P.x)
    np.testing.assert_allclose(
        ridge_path(phi(P.x), P.y, weights=weights).noise_variance(reg), wanted, rtol=1e-6 if reg > 1e-4 else 1e-4
    )


def test_other_libraries() -> None:
    numbers = np.asarray(P.x), np.asarray(P.y), np.asarray(NEW)
    for device in DEVICES:
        x, y, new = (to_strict(a, device) for a in numbers)
        pairs = (
            (ridge_path(x, y), ridge_path(P.x, P.y)),
            (exact_path(KERNEL, x, y), exact_path(KERNEL, P.x, P.y)),
        )
        for path, own in pairs:
            assert_same_on(device, path.variance(new, 0.1, block=5), own.variance(NEW, 0.1))
            assert_same_on(device, path.noise_variance(0.1), own.noise_variance(0.1))


def test_no_rows() -> None:
    for path in (ridge_path(P.x, P.y), exact_path(KERNEL, P.x, P.y)):
        assert path.variance(P.x[:0], 0.1).shape == (0,)


def test_wrong_rows() -> None:
    for path in (ridge_path(P.x, P.y), exact_path(KERNEL, P.x, P.y)):
        with pytest.raises(ValueError, match=r"x: expected .*3.*, got .*1\)"):
            path.variance(P.x[:, :1], 0.1)
        with pytest.raises(ValueError, match="reg"):
            path.variance(P.x, 0.0)
        with pytest.raises(ValueError, match="reg"):
            path.noise_variance(-1.0)

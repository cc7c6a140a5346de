"""Kernel ridge regression on all rows, against features that lose nothing, scikit-learn, and fits without each row."""

from typing import Any

import numpy as np
import pytest
import sklearn.kernel_ridge

from kerneltools.kernels import Gaussian, Linear, Polynomial, Precomputed, Sigmoid
from kerneltools.maps import nystrom
from kerneltools.solvers import exact, exact_path, exact_ridge, ridge, ridge_path
from tests.solvers.problems import regression

P = regression(n=40)
Y = P.y + np.asarray([100.0, 0.0])
WEIGHTS = np.where(np.arange(40) % 7 == 3, 0.0, P.weights)
KERNEL = Gaussian(1.5)
BOTH = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])


@BOTH
@pytest.mark.parametrize("reg", [1e-5, 1e-2, 1e6])
def test_features_of_all_rows_have_the_same_regression(reg: float, weights: Any) -> None:
    phi = nystrom(KERNEL, P.x)
    wanted = ridge(phi(P.x), Y, reg, weights=weights)(phi(P.points))
    np.testing.assert_allclose(exact_ridge(KERNEL, P.x, Y, reg, weights=weights)(P.points), wanted, atol=1e-8)
    np.testing.assert_allclose(
        exact_path(KERNEL, P.x, Y, weights=weights).model(reg)(P.points), wanted, rtol=0, atol=1e-8
    )


def test_scikit_learn_finds_the_same_function_of_targets_less_the_intercept() -> None:
    found = exact_ridge(KERNEL, P.x, Y, 1e-3, weights=WEIGHTS)
    theirs = sklearn.kernel_ridge.KernelRidge(kernel="rbf", gamma=0.5 / 1.5**2, alpha=1e-3 * WEIGHTS.sum())
    seen = WEIGHTS > 0
    theirs.fit(P.x[seen], (Y - found.intercept)[seen], sample_weight=WEIGHTS[seen])
    np.testing.assert_allclose(found(P.points), theirs.predict(P.points) + found.intercept, rtol=1e-10)
    np.testing.assert_array_equal(found.model.coefficients[~seen], 0)
    np.testing.assert_allclose(found.model.coefficients.sum(axis=0), 0, atol=1e-10)  # least in the intercept too


@pytest.mark.parametrize("reg", [1e-3, 1e-10])
def test_directions_that_are_nearly_0_are_not_mistaken_for_the_intercept(reg: float) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (300, 2))
    y = np.sin(2 * x[:, :1])
    path, model = exact_path(KERNEL, x, y), exact_ridge(KERNEL, x, y, reg)
    np.testing.assert_allclose(path.model(reg)(x), model(x), rtol=0, atol=1e-7)
    np.testing.assert_allclose(
        path.model(reg).model.coefficients.sum() / np.abs(model.model.coefficients).sum(), 0, atol=1e-14
    )


@BOTH
def test_errors_of_rows_left_out_are_those_of_fits_without_them(weights: Any) -> None:
    rows, w = slice(0, 12), np.ones(40) if weights is None else weights
    x, y, w = P.x[rows], Y[rows], w[rows]
    found = exact_path(KERNEL, x, y, weights=None if weights is None else w).leave_one_out([1e-3, 0.1])
    for reg, of_reg in zip((1e-3, 0.1), found, strict=True):
        for i in range(12):
            others = np.delete(np.arange(12), i)
            share = reg * w.sum() / w[others].sum()  # λ Σw stays
            left = exact_ridge(KERNEL, x[others], y[others], share, weights=w[others])
            np.testing.assert_allclose(of_reg[i], left(x[i]), rtol=1e-9)


@BOTH
def test_generalised_cross_validation_is_that_of_the_features(weights: Any) -> None:
    regs = (1e-5, 1e-2, 10.0)
    wanted = ridge_path(nystrom(KERNEL, P.x)(P.x), Y, weights=weights).generalised_cross_validation(regs)
    found = exact_path(KERNEL, P.x, Y, weights=weights).generalised_cross_validation(regs)
    np.testing.assert_allclose(found, wanted, rtol=1e-7)


@pytest.mark.parametrize("kernel", [Linear(), Polynomial(2, 1.0)])
def test_a_reg_below_rounding_leaves_out_what_is_rounding(kernel: Any) -> None:
    columns = P.x if isinstance(kernel, Linear) else nystrom(kernel, P.x[:15])(P.x)
    wanted = ridge(columns, Y, 1e-30)(columns)
    np.testing.assert_allclose(exact_ridge(kernel, P.x, Y, 1e-30)(P.x), wanted, rtol=1e-7)


@BOTH
def test_tiles_make_no_difference(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = exact_ridge(KERNEL, P.x, Y, 1e-4, weights=weights)(P.points)
    monkeypatch.setattr(exact, "TILE", 7)
    np.testing.assert_allclose(exact_ridge(KERNEL, P.x, Y, 1e-4, weights=weights)(P.points), whole, rtol=1e-9)


def test_rows_in_float32_have_the_function_of_the_same_rows_in_float64() -> None:
    x, y = P.x.astype("float32"), Y.astype("float32")
    found = exact_ridge(KERNEL, x, y, 1e-6)(P.points)
    np.testing.assert_allclose(found, exact_ridge(KERNEL, x.astype(float), y.astype(float), 1e-6)(P.points), rtol=1e-12)


@pytest.mark.parametrize("solve", [lambda *a: exact_ridge(*a, 1e-3), exact_path])
@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (Sigmoid(0.1), "is not positive semi-definite"),
        (lambda x, y: -(x @ y.T), "is not positive semi-definite"),
        (lambda x, y: np.abs(x[:, :1] - y[:, 0]) + 0.01, "has no Cholesky factor: its least eigenvalue is -"),
        (Precomputed(np.full((40, 40), np.inf)), "has values that are not finite"),
    ],
)
def test_kernels_that_are_no_inner_products(kernel: Any, message: str, solve: Any) -> None:
    x = np.arange(40.0)[:, None] if isinstance(kernel, Precomputed) else P.x
    with pytest.raises(ValueError, match=message):
        solve(kernel, x, Y)


@pytest.mark.parametrize("bandwidth", [300.0, 1e4])
def test_values_that_are_nearly_equal_keep_their_directions(bandwidth: float) -> None:
    x = np.random.default_rng(1).standard_normal((200, 10))
    y = x[:, :1] + x[:, 1:2]
    path = exact_path(Gaussian(bandwidth), x, y)
    reg = 1e-3 / bandwidth**2
    np.testing.assert_allclose(path.model(reg)(x), exact_ridge(Gaussian(bandwidth), x, y, reg)(x), atol=1e-6)
    # So wide a kernel is the linear one over its bandwidth squared.
    np.testing.assert_allclose(path.model(reg)(x), ridge(x / bandwidth, y, reg)(x / bandwidth), atol=0.01)


@pytest.mark.parametrize("weights", [None, np.eye(3)[1]])
def test_of_a_single_row_none_is_left_out(weights: Any) -> None:
    rows = slice(0, 1 if weights is None else 3)
    with pytest.raises(ValueError, match="leave_one_out: expected at least 2 rows of weight > 0, got 1"):
        exact_path(KERNEL, P.x[rows], Y[rows], weights=weights).leave_one_out([1e-3])

"""Newton's method for the classes of many rows: the minimum that others find, in memory or block by block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from kerneltools.solvers import (
    CrossEntropy,
    LinearModel,
    Logistic,
    Loss,
    NotConvergedWarning,
    Squared,
    SquaredHinge,
    fit_linear,
    moments,
    newton_cg,
    ridge,
    ridge_sums,
)
from tests.strict import DEVICES, assert_same_on, to_strict

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 4, 300)
X = 3 + RNG.standard_normal((300, 12)) * np.logspace(0, -2, 12) + 0.7 * RNG.standard_normal((4, 12))[CLASSES]
TARGETS = np.where(CLASSES[:, None] == np.arange(4), 1.0, -1.0)
REG = 1e-4
KNOWN = moments(ridge_sums(X, TARGETS), 2 * REG / 0.5)


def objective(model: LinearModel, loss: Loss, weights: Any = None) -> float:
    return float(np.average(loss(model(X), TARGETS), weights=weights) + REG * np.sum(model.weights**2))


@pytest.mark.parametrize("loss", [SquaredHinge(), Logistic(), CrossEntropy(), Squared()], ids=repr)
def test_the_minimum_of_other_solvers(loss: Loss) -> None:
    found = newton_cg(X, TARGETS, loss, REG, KNOWN, tolerance=1e-13)
    others = fit_linear(X, TARGETS, loss, REG, tolerance=1e-10)
    wanted = ridge(X, TARGETS, REG) if isinstance(loss, Squared) else others
    np.testing.assert_allclose(found.weights, wanted.weights, atol=1e-4 * np.abs(wanted.weights).max())
    assert objective(found, loss) == pytest.approx(objective(wanted, loss), rel=1e-10)


def test_the_objective_of_scikit_learn() -> None:
    # Its loss is twice ours and summed, its penalty half of |w|^2, with that of the intercept, which is made cheap.
    svc = LinearSVC(C=1 / (4 * REG * len(X)), dual=False, intercept_scaling=1e3, tol=1e-9, max_iter=10_000)
    svc.fit(X, CLASSES)
    theirs = LinearModel(svc.coef_.T, svc.intercept_)
    found = newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, tolerance=1e-13)
    assert objective(found, SquaredHinge()) <= objective(theirs, SquaredHinge())
    assert objective(found, SquaredHinge()) == pytest.approx(objective(theirs, SquaredHinge()), rel=1e-4)


def test_blocks_weights_and_rows_that_do_not_count() -> None:
    def visit() -> Iterator[np.ndarray]:
        yield from (X[:100], X[100:101], X[101:])

    whole = newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, tolerance=1e-12)
    streamed = newton_cg(visit, TARGETS, SquaredHinge(), REG, KNOWN, tolerance=1e-12)
    np.testing.assert_allclose(streamed.weights, whole.weights, rtol=1e-6, atol=1e-9)
    counted = RNG.integers(0, 3, 300)
    repeated = np.repeat(np.arange(300), counted)
    weighted = newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, weights=counted.astype(float), tolerance=1e-13)
    plain = newton_cg(X[repeated], TARGETS[repeated], SquaredHinge(), REG, KNOWN, tolerance=1e-13)
    np.testing.assert_allclose(weighted.weights, plain.weights, atol=1e-5)


def test_few_passes_from_ridge_regression() -> None:
    x = RNG.standard_normal((600, 30)) * np.logspace(0, -2, 30)
    classes = np.argmax(x[:, :4] + RNG.standard_normal((600, 4)), axis=1)
    targets = np.where(classes[:, None] == np.arange(4), 1.0, -1.0)
    known, passes = moments(ridge_sums(x, targets), 2 * REG / 0.5), []

    def visit() -> Iterator[np.ndarray]:
        passes.append(1)
        yield x

    found = newton_cg(visit, targets, SquaredHinge(), REG, known, start=ridge(x, targets, REG), tolerance=1e-3)
    assert len(passes) <= 12
    passes.clear()
    newton_cg(visit, targets, SquaredHinge(), REG, known, start=found, tolerance=1e-3)
    assert len(passes) == 2


def test_float32_and_a_tiny_penalty() -> None:
    x, targets = X.astype(np.float32), TARGETS.astype(np.float32)
    known = moments(ridge_sums(x, targets), 1e-12, x.dtype)
    found = newton_cg(x, targets, SquaredHinge(), 1e-9, known, tolerance=1e-5)
    exact = newton_cg(X, TARGETS, SquaredHinge(), 1e-9, moments(ridge_sums(X, TARGETS), 2e-9), tolerance=1e-6)
    assert found.weights.dtype == found.intercept.dtype == np.float32
    of_found, of_exact = (np.mean(SquaredHinge()(model(X), TARGETS)) for model in (found, exact))
    assert of_found == pytest.approx(of_exact, rel=1e-3)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    x, targets = to_strict(X, device), to_strict(TARGETS, device)
    known = moments(ridge_sums(x, targets), 2 * REG / 0.5)
    found = newton_cg(x, targets, SquaredHinge(), REG, known, tolerance=1e-12)
    wanted = newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, tolerance=1e-12)
    assert_same_on(device, found.weights, wanted.weights, 1e-5)


def test_all_rows_beyond_their_margin_and_a_class_without_rows() -> None:
    x = np.asarray([[-2.0], [2.0], [-3.0], [3.0]])
    targets = np.asarray([[-1.0, -1.0], [1.0, -1.0], [-1.0, -1.0], [1.0, -1.0]])
    known = moments(ridge_sums(x, targets), 1e-6)
    found = newton_cg(x, targets, SquaredHinge(), 1e-8, known, tolerance=1e-9)
    assert (found(x) * targets > 0.99).all()


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="x, targets: expected as many rows in both, got 300 and 299"):
        newton_cg(lambda: [X], TARGETS[:299], SquaredHinge(), REG, KNOWN)
    with pytest.raises(ValueError, match=r"start: expected weights of shape \(12, 4\), got \(3, 4\)"):
        newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, start=LinearModel(np.zeros((3, 4)), np.zeros(4)))
    wrong = X.copy()
    wrong[7, 3] = np.nan
    with pytest.raises(ValueError, match="block 0: x: expected finite numbers, got nan in row 7, column 3"):
        newton_cg(wrong, TARGETS, SquaredHinge(), REG, KNOWN)
    with pytest.raises(ValueError, match="shift: expected a number > 0"):
        moments(ridge_sums(X, TARGETS), 0.0)
    with pytest.warns(NotConvergedWarning, match="newton_cg: promised decrease .* after 1 steps"):
        newton_cg(X, TARGETS, SquaredHinge(), REG, KNOWN, tolerance=1e-12, iterations=1)

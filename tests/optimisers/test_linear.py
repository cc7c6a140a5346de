"""Linear models of any loss against ridge regression, optimality conditions and other libraries."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.solvers import (
    CrossEntropy,
    LinearModel,
    Logistic,
    Loss,
    NotConvergedWarning,
    Squared,
    SquaredHinge,
    fit_linear,
    linear,
    ridge,
)
from kerneltools.solvers.class_steps import Lines
from tests.strict import DEVICES, assert_same_on, to_strict

Data = tuple[np.ndarray, np.ndarray]
LOSSES: tuple[Loss, ...] = (SquaredHinge(), CrossEntropy(), Squared())
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def data(n: int = 120, d: int = 10, k: int = 3, decades: float = 0.0, seed: int = 0) -> Data:
    """Classes that overlap; features from scale 1 down to 10^-decades, in mixed directions, off the origin."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, k, n)
    x = rng.standard_normal((n, d)) + rng.standard_normal((k, d))[classes]
    x = x * np.logspace(0, -decades, d) @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    return x + 2, np.where(classes[:, None] == np.arange(k), 1.0, -1.0)


def gradient_of(model: LinearModel, x: np.ndarray, targets: np.ndarray, loss: Loss, reg: float) -> np.ndarray:
    """The objective's gradient, with the intercept's below."""
    slopes = loss.gradient(model(x), targets) / len(x)
    return np.concatenate([x.T @ slopes + 2 * reg * model.weights, slopes.sum(axis=0, keepdims=True)])


@settings(max_examples=25)
@given(n=st.integers(2, 30), d=st.integers(1, 12), reg=st.sampled_from([1e-6, 1e-3, 1.0]), seed=st.integers(0, 1000))
def test_squared_is_ridge(n: int, d: int, reg: float, seed: int) -> None:
    x, targets = data(n, d, seed=seed)
    model, wanted = fit_linear(x, targets, Squared(), reg, tolerance=1e-9), ridge(x, targets, reg)
    np.testing.assert_allclose(model.weights, wanted.weights, atol=1e-6)
    np.testing.assert_allclose(model.intercept, wanted.intercept, atol=1e-6)


@every_loss
@pytest.mark.parametrize("decades", [0, 4])
@pytest.mark.parametrize("reg", [1e-2, 1e-6])
def test_the_gradient_is_zero(loss: Loss, decades: float, reg: float) -> None:
    x, targets = data(decades=decades)
    model = fit_linear(x, targets, loss, reg, tolerance=1e-9)
    assert np.abs(gradient_of(model, x, targets, loss, reg)).max() <= 1e-8


@every_loss
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(loss: Loss, device: Any) -> None:
    x, targets = data()
    model = fit_linear(x, targets, loss, 1e-2, tolerance=1e-9)
    strict = fit_linear(to_strict(x, device), to_strict(targets, device), loss, 1e-2, tolerance=1e-9)
    assert_same_on(device, strict.weights, model.weights, 1e-7)
    assert_same_on(device, strict.intercept, model.intercept, 1e-7)


@every_loss
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_in_every_library(loss: Loss, library: str) -> None:
    b = backend(library)
    x, targets = data(n=60, d=5)
    model = fit_linear(b.asarray(x), b.asarray(targets), loss, 1e-2, tolerance=1e-9)
    wanted = fit_linear(x, targets, loss, 1e-2, tolerance=1e-9)
    np.testing.assert_allclose(b.to_numpy(model.weights), wanted.weights, atol=1e-8)


@every_loss
def test_blocks_make_no_difference(loss: Loss) -> None:
    x, targets = data()
    wanted = fit_linear(x, targets, loss, 1e-2, tolerance=1e-9)

    def visit() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows in (slice(0, 7), slice(7, 80), slice(80, 120)):
            yield x[rows], targets[rows]

    for model in (fit_linear(visit, None, loss, 1e-2, tolerance=1e-9),
                  fit_linear(x, targets, loss, 1e-2, tolerance=1e-9, block=11)):  # fmt: skip
        np.testing.assert_allclose(model.weights, wanted.weights, atol=1e-8)
        np.testing.assert_allclose(model.intercept, wanted.intercept, atol=1e-8)


def test_each_step_is_about_one_pass() -> None:
    x, targets = data()
    passes = []

    def visit() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        passes.append(1)
        yield x, targets

    fit_linear(visit, None, Squared(), 1e-6)
    # The first block, the Hessian, the start and two or three steps.
    assert len(passes) <= 6


@every_loss
def test_bad_scaling_costs_no_steps(loss: Loss) -> None:
    # Plain L-BFGS stops far away after 100 steps (its condition number is 10^6).
    x, targets = data(n=400, d=30, decades=3)
    model = fit_linear(x, targets, loss, 1e-6, iterations=100)
    assert np.abs(gradient_of(model, x, targets, loss, 1e-6)).max() <= 1e-6


def test_classes_that_can_be_separated() -> None:
    # Nearly all rows meet their margin in the end: the Hessian at the start is of no use there.
    x, targets = data(n=300, d=100, decades=2)
    model = fit_linear(x, targets, SquaredHinge(), 1e-5)
    assert (np.argmax(model(x), axis=1) == np.argmax(targets, axis=1)).all()
    assert np.abs(gradient_of(model, x, targets, SquaredHinge(), 1e-5)).max() <= 1e-6


@every_loss
def test_warm_start(loss: Loss) -> None:
    x, targets = data()
    model = fit_linear(x, targets, loss, 1e-2, tolerance=1e-8)
    # A single step is enough to see that none is needed.
    again = fit_linear(x, targets, loss, 1e-2, start=model, tolerance=1e-7, iterations=1)
    np.testing.assert_allclose(again.weights, model.weights, atol=1e-7)


@every_loss
def test_float32(loss: Loss) -> None:
    x, targets = data(decades=2)
    wanted = fit_linear(x, targets, loss, 1e-4)
    narrow = fit_linear(x.astype(np.float32), targets.astype(np.float32), loss, 1e-4)
    assert narrow.weights.dtype == narrow.intercept.dtype == np.float32
    np.testing.assert_allclose(narrow(x), wanted(x), atol=1e-3)


@every_loss
@pytest.mark.parametrize("largest", [5, 100], ids=["diagonal", "shared"])
def test_too_large_for_hessians(loss: Loss, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, targets = data()
    wanted = fit_linear(x, targets, loss, 1e-2, tolerance=1e-9)
    monkeypatch.setattr(linear, "LARGEST", largest)
    model = fit_linear(x, targets, loss, 1e-2, tolerance=1e-9)
    np.testing.assert_allclose(model.weights, wanted.weights, atol=1e-7)


def test_the_intercept_is_not_penalised() -> None:
    x, targets = data()
    model = fit_linear(x, targets, SquaredHinge(), 1e6)
    moved = fit_linear(x + 100, targets, SquaredHinge(), 1e6)
    np.testing.assert_allclose(moved(x + 100), model(x), atol=1e-6)
    assert np.abs(model.weights).max() < 1e-5 < np.abs(model.intercept).min()


@every_loss
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("reg", [1e-17, 1e-300])
def test_features_that_depend_on_one_another(loss: Loss, library: str, reg: float) -> None:
    # Their Hessian has no Cholesky factor, and the penalty is less than rounding.
    x, targets = data(60, 3)
    twice = np.concatenate([x, x, x[:, :1] + x[:, 1:2]], axis=1)
    convert = backend(library).asarray
    model = fit_linear(convert(twice), convert(targets), loss, reg)
    wanted = fit_linear(x, targets, loss, 1e-14)
    got = np.asarray(model.weights), np.asarray(model.intercept)
    values = [np.mean(loss(m(z), targets)) for m, z in ((LinearModel(*got), twice), (wanted, x))]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_errors() -> None:
    x, targets = data()
    for wrong in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="reg: expected a finite number > 0, got"):
            fit_linear(x, targets, Squared(), wrong)
    with pytest.raises(ValueError, match="x, targets: expected as many rows in both, and at least 1, got 120 and 119"):
        fit_linear(x, targets[:119], Squared(), 1.0)
    with pytest.raises(ValueError, match="targets: expected an array"):
        fit_linear(x, None, Squared(), 1.0)
    with pytest.raises(ValueError, match="and None with a function"):
        fit_linear(lambda: [(x, targets)], targets, Squared(), 1.0)
    with pytest.raises(ValueError, match="x: expected at least one row of weight > 0, got none"):
        fit_linear(list, None, Squared(), 1.0)
    with pytest.raises(ValueError, match="x, targets: expected as many rows in both, and at least 1, got 0 and 0"):
        fit_linear(x[:0], targets[:0], Squared(), 1.0)
    with pytest.raises(TypeError, match="targets: expected a real floating-point array, got int64"):
        fit_linear(x, targets.astype(np.int64), Squared(), 1.0)
    with pytest.raises(ValueError, match=r"start: expected weights of shape \(10, 3\), got \(9, 3\)"):
        fit_linear(x, targets, Squared(), 1.0, start=LinearModel(np.zeros((9, 3)), np.zeros(3)))
    broken = x.copy()
    broken[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"^x: expected finite numbers, got nan in row 3, column 4$"):
        fit_linear(broken, targets, Squared(), 1.0)


def test_errors_of_weights() -> None:
    x, targets = data(20, 3)
    for weights, message in (
        (-np.ones(20), r"weights: expected finite numbers >= 0, got -1\.0 at \(0,\)"),
        (np.zeros(20), "weights: expected at least 1 > 0, got 0"),
        (np.ones(19), "weights: expected one for each of 20 rows, got 19"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_linear(x, targets, Squared(), 1.0, weights=weights)
    with pytest.raises(ValueError, match="weights: expected None with a function x"):
        fit_linear(lambda: [(x, targets)], None, Squared(), 1.0, weights=np.ones(20))
    with pytest.raises(ValueError, match="x: expected at least one row of weight > 0"):
        fit_linear(lambda: [(x, targets, np.zeros(20))], None, Squared(), 1.0)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (lambda x, t: (np.where(x > x[3, 1], np.nan, x), t), r"block 1: x: expected finite numbers, got nan in row"),
        (
            lambda x, t: (x, np.where(np.arange(20)[:, None] == 3, 0, t)),
            r"block 1: targets: expected \+1 and -1",
        ),
        (lambda x, t: (x, backend("torch").asarray(t)), "block 1: x, targets: arrays of several libraries"),
        (lambda x, t: (x[:, :2], t), "block 1: x, targets: expected 3 and 3 columns as before, got 2 and 3"),
        (lambda x, t: (x, t, -np.ones(20)), "block 1: weights: expected finite numbers >= 0"),
        (lambda x, t: x, r"block 1: expected \(features, targets\) or \(features, targets, weights\), got ndarray"),
    ],
    ids=["x", "targets", "library", "columns", "weights", "no tuple"],
)
def test_errors_of_blocks(block: Any, message: str) -> None:
    x, targets = data(20, 3)
    with pytest.raises((ValueError, TypeError), match=message):
        fit_linear(lambda: [(x, targets), block(x, targets)], None, SquaredHinge(), 1.0)


def test_warns_when_it_has_not_converged() -> None:
    x, targets = data()
    with pytest.warns(NotConvergedWarning, match="after 2 steps, above the tolerance"):
        fit_linear(x, targets, SquaredHinge(), 1e-6, iterations=2)


@every_loss
@pytest.mark.parametrize("reg", [1e-1, 1e-3])
def test_more_features_than_rows(loss: Loss, reg: float) -> None:
    # Blocks are solved as they stand, an array in the span of its rows.
    x, targets = data(n=20, d=60)
    model = fit_linear(x, targets, loss, reg, tolerance=1e-9)
    wanted = fit_linear(lambda: [(x, targets)], None, loss, reg, tolerance=1e-9)
    assert model.weights.shape == (60, 3)
    np.testing.assert_allclose(model.weights, wanted.weights, atol=1e-6)
    np.testing.assert_allclose(model.intercept, wanted.intercept, atol=1e-6)
    again = fit_linear(x, targets, loss, reg, start=model, tolerance=1e-7, iterations=1)
    np.testing.assert_allclose(again.weights, model.weights, atol=1e-6)


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-6), (np.float32, 2e-3)])
@pytest.mark.parametrize("loss", [SquaredHinge(), Logistic(), CrossEntropy()], ids=repr)
def test_nearly_all_rows_at_the_margin(loss: Loss, dtype: type, within: float) -> None:
    # More features than rows and next to no penalty: from step to step other rows miss their margin.
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, 80)
    x = rng.standard_normal((80, 150)) + 0.3 * rng.standard_normal((5, 150))[classes]
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    targets = np.where(classes[:, None] == np.arange(5), 1.0, -1.0)
    model = fit_linear(x.astype(dtype), targets.astype(dtype), loss, 1e-8)
    exact = fit_linear(x, targets, loss, 1e-8, tolerance=1e-9, iterations=5000)
    assert np.abs(gradient_of(exact, x, targets, loss, 1e-8)).max() <= 1e-12

    def objective(m: LinearModel) -> float:
        return float(np.mean(loss(m(x), targets)) + 1e-8 * np.sum(m.weights.astype(np.float64) ** 2))

    assert objective(model) == pytest.approx(objective(exact), rel=within)


def test_each_class_goes_to_the_minimum_on_its_line() -> None:
    rng = np.random.default_rng(0)
    scores, changes = rng.standard_normal((2, 30, 4))
    targets = np.where(rng.random((30, 4)) < 0.5, 1.0, -1.0)
    curvature = np.asarray([1e-3, 1.0, 1e-6, 10.0])
    lines = Lines(SquaredHinge(), scores, changes, targets, np.zeros(4), curvature, np.full(30, 1 / 30))
    changes *= -np.sign(lines.slopes(np.zeros(4)))
    lengths = lines.lowest()
    assert (lengths > 0).all()
    np.testing.assert_allclose(lines.slopes(lengths), 0, atol=1e-9)


def test_more_features_than_rows_in_float32_and_with_equal_rows() -> None:
    x, targets = data(n=20, d=60)
    x[10:], targets[10:] = x[:10], targets[:10]
    wanted = fit_linear(lambda: [(x, targets)], None, SquaredHinge(), 1e-2, tolerance=1e-9)
    model = fit_linear(x.astype(np.float32), targets.astype(np.float32), SquaredHinge(), 1e-2)
    assert model.weights.dtype == model.intercept.dtype == np.float32
    np.testing.assert_allclose(model.weights, wanted.weights, atol=1e-3)
    with pytest.raises(ValueError, match=r"start: expected weights of shape \(60, 3\), got \(9, 3\)"):
        fit_linear(x, targets, SquaredHinge(), 1.0, start=LinearModel(np.zeros((9, 3)), np.zeros(3)))


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_more_features_than_rows_by_the_standard_alone(device: Any) -> None:
    x, targets = data(n=12, d=30)
    model = fit_linear(x, targets, SquaredHinge(), 1e-2, tolerance=1e-9)
    strict = fit_linear(to_strict(x, device), to_strict(targets, device), SquaredHinge(), 1e-2, tolerance=1e-9)
    assert_same_on(device, strict.weights, model.weights, 1e-6)

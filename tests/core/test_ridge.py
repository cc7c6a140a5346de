"""Ridge regression against dense solves and refits."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.solvers import LinearModel, path_of, ridge, ridge_path, ridge_sums
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

Data = tuple[np.ndarray, np.ndarray]

# More rows than columns, fewer, as many; a column without variance; equal columns; equal rows.
SHAPES = {"n > d": (30, 5), "n < d": (8, 20), "n = d": (9, 9), "n = 2": (2, 3), "d = 1": (10, 1)}


def data(n: int, d: int, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) + 3, rng.standard_normal((n, 2)) - 5


def degenerate(kind: str) -> Data:
    x, y = data(12, 6)
    if kind == "constant column":
        x[:, 2] = 7
    elif kind == "equal columns":
        x[:, 1] = x[:, 0]
    elif kind == "equal rows":
        x[6:], y[6:] = x[:6], y[:6]
    elif kind == "few directions":
        x = x[:, :2] @ np.random.default_rng(1).standard_normal((2, 20))
    elif kind == "constant data":
        x = np.ones((12, 20))
    return x, y


CASES: dict[str, Data] = {
    **{name: data(*shape) for name, shape in SHAPES.items()},
    **{k: degenerate(k) for k in ("constant column", "equal columns", "equal rows", "few directions", "constant data")},
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
REGS = (1e-3, 0.1, 10.0)


def dense(x: np.ndarray, y: np.ndarray, reg: float) -> LinearModel:
    """The normal equations of weights and intercept, solved as they stand."""
    n, d = x.shape
    extended = np.concatenate([x, np.ones((n, 1))], axis=1)
    penalty = n * reg * np.diag([1.0] * d + [0.0])
    solution = np.linalg.solve(extended.T @ extended + penalty, extended.T @ y)
    return LinearModel(solution[:-1], solution[-1])


@every_case
@pytest.mark.parametrize("reg", REGS)
def test_against_a_dense_solve(case: Data, reg: float) -> None:
    model, wanted = ridge(*case, reg), dense(*case, reg)
    np.testing.assert_allclose(model.weights, wanted.weights, rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.intercept, wanted.intercept, rtol=0, atol=1e-9)


# One row left is too few to fit on.
@pytest.mark.parametrize("case", [c for c in CASES.values() if len(c[0]) > 2], ids=[k for k in CASES if k != "n = 2"])
def test_leave_one_out_against_refits(case: Data) -> None:
    x, y = case
    left_out = ridge_path(x, y).leave_one_out(REGS)
    assert left_out.shape == (len(REGS), *y.shape)
    n = len(x)
    for r, reg in enumerate(REGS):
        for i in range(n):
            others = np.arange(n) != i
            # λ stands for a mean over the rows: n λ must stay what it was.
            model = dense(x[others], y[others], reg * n / (n - 1))
            assert_close(left_out[r, i], model(x[i]), 1e-9)


@settings(max_examples=20)
@given(n=st.integers(2, 20), d=st.integers(1, 12), seed=st.integers(0, 1000), block=st.integers(1, 7))
def test_blocks_make_no_difference(n: int, d: int, seed: int, block: int) -> None:
    x, y = data(n, d, seed)
    whole, blocked = ridge_path(x, y), ridge_path(x, y, block=block)
    assert_close(blocked.model(0.1).weights, whole.model(0.1).weights, 1e-10)
    assert_close(blocked.leave_one_out([0.1], block=block), whole.leave_one_out([0.1]), 1e-10)


def test_the_intercept_is_not_penalised() -> None:
    x, y = data(30, 5)
    assert_close(ridge(x, y, 1e8).intercept, y.mean(axis=0), 1e-6)
    moved = ridge(x + 100, y + 7, 0.1)
    assert_close(moved.weights, ridge(x, y, 0.1).weights, 1e-10)
    assert_close(moved(x + 100), ridge(x, y, 0.1)(x) + 7, 1e-10)


def test_a_model_of_many_axes() -> None:
    x, y = data(30, 5)
    model = ridge(x, y, 0.1)
    assert_close(model(x.reshape(2, 15, 5)), model(x).reshape(2, 15, 2), 1e-14)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_float32_is_summed_in_float64(shape: tuple[int, int]) -> None:
    # Far from the origin, products in float32 would have no digit of the variance left.
    x, y = data(*shape)
    narrow = (x + 1000).astype(np.float32), y.astype(np.float32)
    model = ridge(*narrow, 0.1)
    wanted = dense(*(a.astype(float) for a in narrow), 0.1)
    assert model.weights.dtype == model.intercept.dtype == np.float32
    assert_close(model.weights.astype(float), wanted.weights, 1e-6)
    left_out = ridge_path(*narrow).leave_one_out([0.1])
    assert left_out.dtype == np.float64
    assert_close(left_out, ridge_path(*(a.astype(float) for a in narrow)).leave_one_out([0.1]), 1e-9)


@every_case
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(case: Data, device: Any) -> None:
    path, strict = ridge_path(*case), ridge_path(*(to_strict(a, device) for a in case))
    assert_same_on(device, strict.model(0.1).weights, path.model(0.1).weights, 1e-10)
    assert_same_on(device, strict.model(0.1).intercept, path.model(0.1).intercept, 1e-10)
    assert_same_on(device, strict.leave_one_out(REGS), path.leave_one_out(REGS), 1e-10)


def test_leaves_its_inputs_alone() -> None:
    x, y = data(30, 5)
    for array in (x, y):
        array.flags.writeable = False
    ridge_path(x, y).leave_one_out([0.1])
    assert np.array_equal(x, data(30, 5)[0])


def test_errors() -> None:
    x, y = data(10, 3)
    with pytest.raises(ValueError, match="x, y: expected as many rows in both, and at least 2, got 10 and 9"):
        ridge_path(x, y[:9])
    with pytest.raises(ValueError, match="at least 2, got 1 and 1"):
        ridge_path(x[:1], y[:1])
    with pytest.raises(ValueError, match=r"y: expected \(n, t\), got shape \(10,\)"):
        ridge_path(x, y[:, 0])
    with pytest.raises(ValueError, match=r"x: expected \(n, d\), got shape \(10,\)"):
        ridge_path(x[:, 0], y)
    with pytest.raises(TypeError, match="y: expected a real floating-point array, got int64"):
        ridge_path(x, y.astype(np.int64))
    for reg in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="reg: expected a number > 0, got"):
            ridge_path(x, y).model(reg)


WAYS = {"gram": False, "rows": True}
each_way = pytest.mark.parametrize("qr", WAYS.values(), ids=list(WAYS))


def weighted_dense(x: np.ndarray, y: np.ndarray, w: np.ndarray, reg: float) -> LinearModel:
    """The weighted normal equations, solved as they stand."""
    extended = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    penalty = w.sum() * reg * np.diag([1.0] * x.shape[1] + [0.0])
    solution = np.linalg.solve((w[:, None] * extended).T @ extended + penalty, (w[:, None] * extended).T @ y)
    return LinearModel(solution[:-1], solution[-1])


@every_case
@each_way
def test_weights(case: Data, qr: bool) -> None:
    w = np.random.default_rng(3).random(len(case[0])) + 0.1
    for reg in REGS:
        model, wanted = ridge(*case, reg, weights=w, qr=qr), weighted_dense(*case, w, reg)
        np.testing.assert_allclose(model.weights, wanted.weights, rtol=0, atol=1e-8)
        np.testing.assert_allclose(model.intercept, wanted.intercept, rtol=0, atol=1e-7)


@each_way
@pytest.mark.parametrize("shape", [(12, 4), (6, 20)], ids=str)
def test_whole_weights_are_repeated_rows(qr: bool, shape: tuple[int, int]) -> None:
    x, y = data(*shape)
    times = np.arange(shape[0]) % 3
    repeated = np.repeat(x, times, axis=0), np.repeat(y, times, axis=0)
    path, wanted = ridge_path(x, y, weights=times.astype(float), qr=qr), ridge_path(*repeated)
    assert_close(path.model(0.1).weights, wanted.model(0.1).weights, 1e-9)
    np.testing.assert_allclose(path.beyond, wanted.beyond, atol=1e-12)


@each_way
@pytest.mark.parametrize("case", [c for c in CASES.values() if len(c[0]) > 2], ids=[k for k in CASES if k != "n = 2"])
def test_leave_one_out_with_weights_against_refits(case: Data, qr: bool) -> None:
    x, y = case
    n = len(x)
    w = np.random.default_rng(4).random(n) + 0.5
    left_out = ridge_path(x, y, weights=w, qr=qr).leave_one_out(REGS, block=5)
    for r, reg in enumerate(REGS):
        for i in range(n):
            others = np.arange(n) != i
            model = weighted_dense(x[others], y[others], w[others], reg * w.sum() / w[others].sum())
            assert_close(left_out[r, i], model(x[i]), 1e-8)


@every_case
@each_way
def test_generalised_cross_validation_by_its_definition(case: Data, qr: bool) -> None:
    x, y = case
    n = len(x)
    w = np.random.default_rng(5).random(n) + 0.1
    scores = ridge_path(x, y, weights=w, qr=qr).generalised_cross_validation(REGS)
    assert scores.shape == (len(REGS), 2)
    for r, reg in enumerate(REGS):
        hat = np.stack([weighted_dense(x, column[:, None], w, reg)(x)[:, 0] for column in np.eye(n)], axis=1)
        residual = y - hat @ y
        wanted = (w @ residual**2 / w.sum()) / (1 - np.trace(hat) / n) ** 2
        assert_close(scores[r], wanted, 1e-7)


def test_cross_validation_of_equal_leverages_is_leave_one_out() -> None:
    # The columns of a Fourier basis give every row the same leverage.
    t = 2 * np.pi * np.arange(16)[:, None] / 16
    x = np.concatenate([np.cos(t), np.sin(t), np.cos(2 * t), np.sin(2 * t)], axis=1)
    y = np.random.default_rng(0).standard_normal((16, 2))
    path = ridge_path(x, y)
    left_out = np.mean((path.leave_one_out(REGS) - y) ** 2, axis=1)
    assert_close(path.generalised_cross_validation(REGS), left_out, 1e-12)


@settings(max_examples=30)
@given(
    n=st.integers(2, 20), d=st.integers(1, 6), cut=st.integers(1, 19), seed=st.integers(0, 1000), far=st.floats(0, 1e6)
)
def test_sums_add_up(n: int, d: int, cut: int, seed: int, far: float) -> None:
    x, y = data(n, d, seed)
    x = x + far
    # Blocks without any weight too.
    w = np.random.default_rng(seed).integers(0, 3, n).astype(float)
    whole, rest = ridge_sums(x, y, w), slice(min(cut, n - 1), n)
    first = ridge_sums(x[: rest.start], y[: rest.start], w[: rest.start])
    added, merged = first.add(x[rest], y[rest], w[rest]), ridge_sums(x[rest], y[rest], w[rest]).merge(first)
    for sums in (added, merged, ridge_sums(x, y, w, block=3)):
        for name in ("rows", "weight", "x_mean", "y_mean"):
            assert_close(getattr(sums, name), getattr(whole, name), 1e-12)
        np.testing.assert_allclose(sums.gram, whole.gram, rtol=0, atol=1e-9 * (1 + far * 1e-3) * n)
        np.testing.assert_allclose(sums.cross, whole.cross, rtol=0, atol=1e-9 * (1 + far * 1e-3) * n)
        np.testing.assert_allclose(sums.square, whole.square, rtol=0, atol=1e-9 * n)


def test_a_path_of_sums() -> None:
    x, y = data(30, 5)
    path, wanted = path_of(ridge_sums(x[:10], y[:10]).add(x[10:], y[10:])), ridge_path(x, y)
    assert_close(path.model(0.1).weights, wanted.model(0.1).weights, 1e-12)
    assert_close(path.generalised_cross_validation(REGS), wanted.generalised_cross_validation(REGS), 1e-11)
    assert path_of(ridge_sums(x, y), dtype=np.float32).model(0.1).weights.dtype == np.float32
    with pytest.raises(ValueError, match="leave_one_out: this path was made of sums and has no rows"):
        path.leave_one_out(REGS)


def test_the_rows_keep_what_their_products_lose() -> None:
    # A direction of variance 1e-20 of the greatest decides y.
    rng = np.random.default_rng(0)
    x, y = np.asarray(rng.standard_normal((200, 2))), np.zeros((200, 1))
    y[:, 0] = x[:, 1]
    x = x * np.asarray([1.0, 1e-10]) @ np.linalg.qr(rng.standard_normal((2, 2)))[0]
    errors = [float(np.mean((ridge(x, y, 1e-26, qr=qr)(x) - y) ** 2)) for qr in WAYS.values()]
    assert errors[0] > 0.5  # the direction is below the rounding of the sums, and left out
    assert errors[1] < 1e-6


def test_nearly_no_penalty_is_least_squares() -> None:
    for name, (x, y) in CASES.items():
        extended = np.concatenate([x - x.mean(axis=0), np.ones((len(x), 1))], axis=1)
        wanted = extended @ np.linalg.lstsq(extended, y, rcond=1e-12)[0]
        for qr in WAYS.values():
            np.testing.assert_allclose(ridge(x, y, 1e-300, qr=qr)(x), wanted, atol=1e-6, err_msg=name)


def test_a_float32_without_float64_uses_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where a library has no float64, products would lose all but three digits.
    x, y = (a.astype(np.float32) for a in data(200, 3))
    x = x * np.asarray([1, 1e-3, 1e-3], dtype=np.float32)
    wanted = ridge(x.astype(float), y.astype(float), 1e-9)
    for module in ("ridge", "sums"):
        monkeypatch.setattr(import_module(f"kerneltools.solvers.{module}"), "widest_float", lambda a: a.dtype)
    model = ridge(x, y, 1e-9)
    assert model.weights.dtype == np.float32
    assert_close(model.weights.astype(float), wanted.weights, 1e-2)


@every_case
@each_way
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_with_weights_by_the_standard_alone(case: Data, qr: bool, device: Any) -> None:
    w = np.random.default_rng(3).random(len(case[0])) + 0.1
    path = ridge_path(*case, weights=w, qr=qr)
    strict = ridge_path(*(to_strict(a, device) for a in case), weights=to_strict(w, device), qr=qr)
    assert_same_on(device, strict.model(0.1).weights, path.model(0.1).weights, 1e-9)
    assert_same_on(device, strict.generalised_cross_validation(REGS), path.generalised_cross_validation(REGS), 1e-8)
    assert_same_on(device, strict.leave_one_out(REGS), path.leave_one_out(REGS), 1e-8)


def test_one_value_of_reg_and_none() -> None:
    path = ridge_path(*data(10, 3))
    for alone in (0.1, np.float64(0.1), np.asarray(0.1)):
        assert_close(path.generalised_cross_validation(alone), path.generalised_cross_validation([0.1]))  # type: ignore[arg-type]
        assert_close(path.leave_one_out(alone), path.leave_one_out([0.1]))  # type: ignore[arg-type]
    for judge in (path.generalised_cross_validation, path.leave_one_out):
        with pytest.raises(ValueError, match="regs: expected at least one number > 0, got none"):
            judge([])
    with pytest.raises(TypeError, match="reg: expected a number > 0, got 'a'"):
        path.model("a")  # type: ignore[arg-type]


def test_a_model_says_what_rows_it_takes() -> None:
    model = ridge(*data(10, 3), reg=0.1)
    with pytest.raises(ValueError, match=r"x: expected \(\.\.\., 3\) for a model of 3 columns, got \(4, 2\)"):
        model(np.ones((4, 2)))
    with pytest.raises(TypeError, match=r"several libraries in one call: numpy.ndarray, torch.Tensor"):
        model(torch.ones((4, 3)))


@pytest.mark.parametrize("n", [10, 2])
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_squares_that_overflow(n: int) -> None:
    x, y = data(n, 3)
    with pytest.raises(ValueError, match="x: its squares overflow float64; scale the columns down"):
        ridge(1e200 * x, y, 0.1)


def test_errors_of_weights_and_numbers() -> None:
    x, y = data(10, 3)
    with pytest.raises(ValueError, match=r"x: expected at least one column, got shape \(10, 0\)"):
        ridge_path(x[:, :0], y)
    with pytest.raises(ValueError, match="block: expected an integer >= 1, got 0"):
        ridge_path(x, y, block=0)
    for weights, message in [
        (np.ones(9), "weights: expected one for each of 10 rows, got 9"),
        (np.ones((10, 1)), r"weights: expected \(10,\), a number for each row, got shape \(10, 1\)"),
        (-np.ones(10), r"weights: expected finite numbers >= 0, got -1\.0 at \(0,\)"),
        (np.full(10, np.inf), r"weights: expected finite numbers >= 0, got inf at \(0,\)"),
        (np.eye(10)[0], "weights: expected at least 2 > 0, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            ridge_path(x, y, weights=weights)
    for qr in WAYS.values():
        for name, spoilt in (("x", (x.copy(), y)), ("y", (x, y.copy()))):
            spoilt["xy".index(name)][4, 1] = np.nan
            with pytest.raises(ValueError, match=f"{name}: expected finite numbers, got nan in row 4, column 1"):
                ridge_path(*spoilt, qr=qr)
    with pytest.raises(
        ValueError, match=r"reg: expected a number > 0 that does not underflow, at least 2\.2e-308, got 1e-320"
    ):
        ridge_path(x, y).model(1e-320)
    with pytest.raises(
        ValueError, match=r"merge: expected sums of as many features and targets, got \(3, 2\) and \(2, 2\)"
    ):
        ridge_sums(x, y).merge(ridge_sums(x[:, :2], y))
    with pytest.raises(ValueError, match="sums: expected those of at least 2 rows of weight > 0, got 1"):
        path_of(ridge_sums(x[:1], y[:1]))
    with pytest.raises(ValueError, match="sums: expected finite numbers"):
        path_of(replace(ridge_sums(x, y), x_mean=x[0] * np.nan))
    with pytest.raises(ValueError, match="y: expected finite numbers, got inf in row 3, column 0"):
        ridge_sums(x, np.where(np.arange(10)[:, None] == 3, np.inf, y))

"""Ridge regression against dense solves and refits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.solvers import LinearModel, ridge, ridge_path
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

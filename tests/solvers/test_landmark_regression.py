"""Falkon and the direct solver against dense least squares."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.kernels import Kernel, Linear, Sigmoid
from kerneltools.linalg import upper_product
from kerneltools.solvers import (
    KernelModel,
    LandmarkRows,
    NotConvergedWarning,
    PrecisionWarning,
    Preconditioner,
    SignedSums,
    falkon,
    kernel_ridge,
)
from tests.solvers.problems import Regression, dense, regression
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

Solver = Callable[..., KernelModel]


def tight(*args: Any, **settings: Any) -> KernelModel:
    """Falkon to the last digits."""
    return falkon(*args, **{"tolerance": 1e-11, "iterations": 300, **settings})


both = pytest.mark.parametrize("solver", [tight, kernel_ridge])


def solve(solver: Solver, p: Regression, reg: float, **settings: Any) -> KernelModel:
    return solver(p.kernel, p.points, p.x, p.y, reg, **settings)


@both
@settings(max_examples=15)
@given(
    n=st.integers(1, 60),
    m=st.integers(1, 15),
    t=st.integers(1, 3),
    reg=st.sampled_from([1e-6, 1e-3, 1.0]),
    seed=st.integers(0, 1000),
    weighted=st.booleans(),
)
def test_against_least_squares(solver: Solver, n: int, m: int, t: int, reg: float, seed: int, weighted: bool) -> None:
    # Fewer rows than landmarks too.
    p = regression(n, m, t=t, seed=seed)
    weights = p.weights if weighted else None
    new = np.random.default_rng(1).standard_normal((5, 3))
    model = solve(solver, p, reg, weights=weights)
    assert model.converged
    assert_close(model(p.x), dense(p, reg, weights, p.x), 1e-6)
    assert_close(model(new), dense(p, reg, weights, new), 1e-6)


@both
def test_blocks_make_no_difference(solver: Solver) -> None:
    p = regression()
    wanted = solve(solver, p, 1e-4, weights=p.weights)
    blocked = solve(solver, p, 1e-4, weights=p.weights, block=7)
    assert_close(blocked.coefficients, wanted.coefficients, 1e-6)
    assert_close(blocked(p.x, block=11), wanted(p.x), 1e-9)


@both
def test_whole_weights_are_repeated_rows(solver: Solver) -> None:
    p = regression(20)
    times = np.random.default_rng(0).integers(0, 4, 20)
    repeated = Regression(p.kernel, p.points, *(np.repeat(a, times, axis=0) for a in (p.x, p.y, p.weights)))
    weighted = solve(solver, p, 1e-3, weights=times.astype(float))
    assert_close(weighted(p.x), solve(solver, repeated, 1e-3)(p.x), 1e-8)


# Smooth functions on a plane: of 300 eigenvalues, less than 60 rise above the rounding of float64.
@both
@pytest.mark.parametrize(("dtype", "reg"), [("float64", 1e-6), ("float32", 1e-6), ("float32", 1e-4)])
def test_a_gram_matrix_that_is_numerically_singular(solver: Solver, dtype: str, reg: float) -> None:
    p = regression(n=900, m=300, d=2, bandwidth=5.0).cast(dtype)
    assert np.linalg.matrix_rank(p.kernel(p.points, p.points)) < 60
    model = solve(solver, p, reg, **({"tolerance": 1e-6} if solver is tight else {}))
    assert model.converged
    assert model(p.x).dtype == dtype
    # The direct solver knows the kernel's values in float64, whatever the type of the rows.
    wanted = dense(p.cast("float64") if solver is kernel_ridge else p, reg, None, p.x)
    # The roundings of the kernel's values, times the norm of the whitening that is 1 / sqrt(300 eps).
    within = 10 * np.sqrt(np.finfo(dtype).eps / 300) * np.sqrt(300) if dtype == "float32" else 1e-3
    assert np.abs(model(p.x) - wanted).max() <= within * np.abs(wanted).max()
    errors = [np.mean((found - p.y) ** 2) for found in (model(p.x), wanted)]
    assert errors[0] <= errors[1] * (1 + 1e-3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("reg", "at_once"), [(1e-1, True), (1e-3, True), (1e-5, True), (1e-9, False)])
def test_whitening_of_sums_loses_nothing(
    dtype: str, reg: float, at_once: bool, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = regression(n=900, m=100, d=2, bandwidth=0.4).cast(dtype)
    weights, module = p.weights if weighted else None, sys.modules[kernel_ridge.__module__]
    products = []
    monkeypatch.setattr(module, "upper_product", lambda x, u: products.append(x.shape[0]) or upper_product(x, u))
    found = solve(kernel_ridge, p, reg, weights=weights)(p.x)
    assert set(products) == ({100} if at_once else {900})
    monkeypatch.setattr(module, "sums_will_do", lambda *arguments: False)
    wanted = solve(kernel_ridge, p, reg, weights=weights)(p.x)
    assert_close(found, wanted, 1e-6 if dtype == "float32" else 1e-7)


def test_rows_of_greater_kernel_values_than_landmarks_are_whitened_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.concatenate([np.eye(3), np.random.default_rng(0).standard_normal((50, 3)), [[1e7, 2e7, 0.0]]])
    y, module = x @ np.ones((3, 1)), sys.modules[kernel_ridge.__module__]
    found = kernel_ridge(Linear(), x[:3, :], x, y, 1e-4)(x[:-1, :])
    monkeypatch.setattr(module, "sums_will_do", lambda *arguments: False)
    np.testing.assert_array_equal(found, kernel_ridge(Linear(), x[:3, :], x, y, 1e-4)(x[:-1, :]))


def test_a_penalty_below_all_rounding() -> None:
    # Directions whose eigenvalue is rounding error are left out: the solution stays that of a small λ.
    p = regression(n=900, m=300, d=2, bandwidth=5.0)
    tiny, small = (solve(kernel_ridge, p, reg)(p.x) for reg in (1e-300, 1e-16))
    assert_close(tiny, small, 1e-2)
    assert np.mean((tiny - p.y) ** 2) <= np.mean((dense(p, 1e-6, None, p.x) - p.y) ** 2)


@both
def test_identical_landmarks(solver: Solver) -> None:
    p = regression(m=6)
    doubled = Regression(p.kernel, np.concatenate([p.points, p.points]), p.x, p.y, p.weights)
    model = solve(solver, doubled, 1e-3, **({"tolerance": 1e-7} if solver is tight else {}))
    assert_close(model(p.x), solve(solver, p, 1e-3)(p.x), 1e-6)


@both
def test_a_great_penalty_leaves_nothing(solver: Solver) -> None:
    p = regression()
    assert np.abs(solve(solver, p, 1e10)(p.x)).max() < 1e-9


@both
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_in_every_library(solver: Solver, library: str) -> None:
    b, p = backend(library), regression()
    args = [b.asarray(a) for a in (p.points, p.x, p.y)]
    model = solver(p.kernel, *args, 1e-4, weights=b.asarray(p.weights))
    assert b.owns(model(args[1]))
    assert_close(b.to_numpy(model(args[1])), solve(solver, p, 1e-4, weights=p.weights)(p.x), 1e-8)


@both
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(solver: Solver, device: Any) -> None:
    p = regression()
    points, x, y, weights = (to_strict(a, device) for a in (p.points, p.x, p.y, p.weights))
    model = solver(p.kernel, points, x, y, 1e-4, weights=weights, block=25)
    assert_same_on(device, model(x), solve(solver, p, 1e-4, weights=p.weights)(p.x), 1e-8)


@both
def test_half_precision_is_computed_in_single(solver: Solver) -> None:
    p = regression().cast("float16")
    model = solve(solver, p, 1e-3)
    assert model(p.x).dtype == np.float16
    wanted = solve(solver, p.cast("float32"), 1e-3)(p.x.astype("float32"))
    np.testing.assert_allclose(model(p.x), wanted, atol=2e-3)


@pytest.mark.parametrize("preconditioner", [SignedSums(), SignedSums(2, 1), LandmarkRows()], ids=repr)
def test_the_preconditioner_decides_the_steps_only(preconditioner: Preconditioner) -> None:
    p = regression(n=200, m=20)
    assert isinstance(preconditioner, Preconditioner)
    model = solve(tight, p, 1e-5, preconditioner=preconditioner)
    assert_close(model(p.x), dense(p, 1e-5, None, p.x), 1e-7)


@pytest.mark.parametrize("reg", [1e-3, 1e-6, 1e-10])
def test_few_steps_whatever_the_penalty(reg: float) -> None:
    # Landmarks in one cluster of two: the landmarks do not stand for the rows, the sums do.
    p = regression(n=3000, m=50)
    far = Regression(p.kernel, p.points - 1, np.concatenate([p.x[:200] - 1, p.x[200:]]), p.y, p.weights)
    assert solve(falkon, far, reg).iterations <= 25


def test_more_rows_mean_fewer_steps() -> None:
    p = regression(n=3000, m=50)
    steps = [solve(falkon, p, 1e-8, preconditioner=SignedSums(rows)).iterations for rows in (2, 4, 16)]
    assert steps[0] > steps[1] > steps[2]


def test_all_rows_in_the_preconditioner_mean_one_or_two_steps() -> None:
    p = regression(n=60, m=20)
    assert solve(falkon, p, 1e-6).iterations <= 2


def test_the_signs_come_from_the_seed() -> None:
    p = regression(n=200, m=10)
    first, again, other = (solve(falkon, p, 1e-6, rng=seed).coefficients for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_model_of_many_axes_and_of_no_rows() -> None:
    p = regression()
    model = solve(kernel_ridge, p, 0.1)
    assert_close(model(p.x.reshape(3, 20, 3)), model(p.x).reshape(3, 20, 2), 1e-14)
    assert model(p.x[0]).shape == (2,)
    assert model(p.x[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match=r"x: expected \(\.\.\., 3\) for landmarks of shape \(10, 3\), got \(4, 2\)"):
        model(np.ones((4, 2)))


def test_warns_when_it_has_not_converged() -> None:
    p = regression(n=500, m=50)
    with pytest.warns(NotConvergedWarning, match=r"falkon: residual .* after 2 steps, above the tolerance; raise reg"):
        model = solve(falkon, p, 1e-8, iterations=2)
    assert not model.converged
    assert model.residual > 1e-6


def test_says_when_rounding_decides_more_than_the_penalty() -> None:
    p = regression(n=900, m=300, d=2, bandwidth=5.0)
    with pytest.warns(PrecisionWarning, match=r"reg: 1\.0e-11 is below .*, for regression, kernel_ridge"):
        falkon(p.kernel, p.points, p.x, p.y, 1e-11)
    # Where k(Z, Z) is regular, or λ greater, there is nothing to say (and warnings are errors).
    falkon(p.kernel, p.points, p.x, p.y, 1e-7)
    q = regression(n=200, m=10)
    assert_close(falkon(q.kernel, q.points, q.x, q.y, 1e-11, tolerance=1e-11)(q.x), dense(q, 1e-11, None, q.x), 1e-6)


@dataclass(frozen=True)
class Negative(Kernel):
    """-<x, y>"""

    def __call__(self, x: Any, y: Any) -> Any:
        return -Linear()(x, y)

    def diag(self, x: Any) -> Any:
        return -Linear().diag(x)


@both
def test_wrong_input(solver: Solver) -> None:
    p = regression()
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"y": p.y[:59]}, "x, y: expected as many rows in both, and at least 1, got 60 and 59"),
        ({"y": p.y[:, 0]}, r"y: expected \(n, t\), got shape \(60,\)"),
        (
            {"points": p.points[:, :2]},
            r"points: expected 3 columns as in x of shape \(60, 3\), got shape \(10, 2\)",
        ),
        ({"points": p.points[:0]}, r"points: expected at least one landmark, got shape \(0, 3\)"),
        ({"weights": p.weights[:5]}, "weights: expected one for each of 60 rows, got 5"),
        ({"weights": np.where(np.arange(60) == 7, -1.0, 1.0)}, r"weights: expected .* >= 0, got -1\.0 at \(7,\)"),
        ({"weights": np.where(np.arange(60) == 7, np.nan, 1.0)}, r"weights: expected .* >= 0, got nan at \(7,\)"),
        ({"weights": np.zeros(60)}, "weights: expected at least 1 > 0, got 0"),
        ({"reg": 0.0}, "reg: expected a number > 0, got 0"),
        ({"reg": -1.0}, "reg: expected a number > 0, got -1"),
        ({"reg": float("nan")}, "reg: expected a number > 0, got nan"),
        ({"reg": float("inf")}, "reg: expected a number > 0, got inf"),
        ({"reg": 1e-320}, "reg: expected a number > 0 that does not underflow, at least 2.2e-308"),
        ({"block": 0}, "block: expected an integer >= 1, or None, got 0"),
        ({"x": np.where(np.arange(180).reshape(60, 3) == 31, np.nan, p.x)}, "x: .* got nan in row 10, column 1"),
        ({"y": np.where(np.arange(120).reshape(60, 2) == 31, np.inf, p.y)}, "y: .* got inf in row 15, column 1"),
        ({"points": p.points * np.nan}, "points: expected finite numbers, got nan in row 0, column 0"),
        (
            {"kernel": Negative()},
            "kernel: .* for .*Negative.* is not positive semi-definite .*; take a positive definite",
        ),
        ({"kernel": Sigmoid(1.0, -2.0)}, "kernel: .* for Sigmoid.* is not positive semi-definite"),
    ]
    for change, message in wrong:
        given = {"kernel": p.kernel, "points": p.points, "x": p.x, "y": p.y, "reg": 0.1, **change}
        with pytest.raises(ValueError, match=message):
            solver(**given)


def test_wrong_preconditioners() -> None:
    with pytest.raises(ValueError, match="rows, repeats: expected at least 2 and 1, got 1 and 2"):
        SignedSums(rows=1)

"""Hyperparameters by gradients: what they find, what stays, and the same on every library."""

from typing import Any

import numpy as np
import pytest

from kerneltools.kernels import Gaussian, Matern, Polynomial, Precomputed
from kerneltools.learning import GeneralisedCrossValidation, HoldOut, LeaveOneOut, Objective, hyper
from kerneltools.maps import nystrom
from kerneltools.solvers import ridge
from tests.agreement.libraries import LIBRARIES, Library, parameters


def relevant_column(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Five columns, of which y is a function of the second, and noise of variance 0.01."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5))
    return x, np.sin(2 * x[:, 1:2]) + 0.1 * rng.standard_normal((n, 1))


X, Y = relevant_column(150, 0)
NEW, TRUE = relevant_column(500, 1)
ARD = Gaussian(np.full(5, 2.0))
SMALL: dict[str, Any] = {"kernel": ARD, "points": X[:6], "x": X[:40], "y": Y[:40], "reg": 1e-2}


def error(found: hyper.Tuned) -> float:
    model = ridge(found.map(X), Y, found.reg)
    return float(np.mean((model(found.map(NEW)) - TRUE) ** 2))


@pytest.mark.parametrize(
    "objective",
    [LeaveOneOut(), GeneralisedCrossValidation(), HoldOut(X[100:], Y[100:])],
    ids=lambda o: type(o).__name__,
)
def test_it_finds_the_relevant_column(objective: Objective) -> None:
    rows = slice(100 if isinstance(objective, HoldOut) else 150)
    found = hyper.fit(ARD, X[:15], X[rows], Y[rows], 1e-2, objective=objective, fixed=("points",))
    lengths = found.kernel.bandwidth
    assert int(np.argmin(lengths)) == 1
    assert np.all(np.delete(lengths, 1) > 3 * lengths[1])
    before = ridge(nystrom(ARD, X[:15])(X), Y, 1e-2)
    assert error(found) < 0.02 < 0.1 < np.mean((before(nystrom(ARD, X[:15])(NEW)) - TRUE) ** 2)


def test_landmarks_move_to_where_they_help() -> None:
    still = hyper.fit(ARD, X[:3], X, Y, 1e-2, fixed=("points",))
    moved = hyper.fit(ARD, X[:3], X, Y, 1e-2)
    assert moved.loss < 0.5 * still.loss
    assert error(moved) < 0.5 * error(still)
    assert not np.allclose(moved.points, X[:3])
    assert np.array_equal(still.points, X[:3])


@pytest.mark.parametrize("m", [4, 6])
def test_landmarks_that_may_move_are_no_worse(m: int) -> None:
    still = hyper.fit(ARD, X[:m], X, Y, 1e-2, fixed=("points",))
    assert hyper.fit(ARD, X[:m], X, Y, 1e-2).loss <= still.loss * (1 + 1e-9)


def test_what_is_returned_is_what_was_judged() -> None:
    found = hyper.fit(Gaussian(1.0) + 0.5 * Matern(1.5, 2.0), X[:10], X, Y, 1e-2, method=hyper.LBFGS(iterations=5))
    assert found.loss == pytest.approx(float(LeaveOneOut()(found.map, X, Y, found.reg)), rel=1e-9)
    assert found.loss == min(found.history) < found.history[0]
    assert found.history[0] == pytest.approx(
        float(LeaveOneOut()(nystrom(Gaussian(1.0) + 0.5 * Matern(1.5, 2.0), X[:10], reg=1e-6), X, Y, 1e-2)), rel=1e-9
    )
    assert not found.converged


def test_numbers_and_types_are_kept() -> None:
    low = X.astype(np.float32)
    found = hyper.fit(0.5 * Gaussian(np.full(5, 2.0, np.float32)), low[:6], low, Y.astype(np.float32), 1e-2)
    assert isinstance(found.kernel.scale, float)
    assert isinstance(found.reg, float)
    assert found.kernel.kernel.bandwidth.dtype == found.points.dtype == np.float32


def test_what_is_fixed_stays() -> None:
    found = hyper.fit(0.5 * Gaussian(2.0), X[:6], X, Y, 1e-2, fixed=("kernel.scale", "reg", "points"))
    assert (found.kernel.scale, found.reg) == (0.5, 1e-2)
    assert found.kernel.kernel.bandwidth != 2.0


def test_a_matrix_computed_elsewhere() -> None:
    numbers = np.arange(60.0)[:, None]
    kernel = 2.0 * Precomputed(Gaussian(1.5)(X[:60], X[:60]))
    found = hyper.fit(kernel, numbers[:10], numbers, Y[:60], fixed=("points", "kernel.kernel.matrix"))
    assert found.loss < found.history[0]
    assert np.array_equal(found.points, numbers[:10])


def test_the_unit_of_the_targets_does_not_matter() -> None:
    one, other = (hyper.fit(ARD, X[:6], X, unit * Y, 1e-2, method=hyper.LBFGS(10)) for unit in (1.0, 2.0**-20))
    assert np.allclose(one.kernel.bandwidth, other.kernel.bandwidth, rtol=1e-6)
    assert other.loss == pytest.approx(2.0**-40 * one.loss, rel=1e-6)


def test_descent_on_batches() -> None:
    method = hyper.Descent(steps=200, rate=0.05, batch=50, rng=3)
    found = hyper.fit(ARD, X[:15], X, Y, 1e-2, method=method)
    assert int(np.argmin(found.kernel.bandwidth)) == 1
    assert error(found) < 0.02
    assert len(found.history) == 200
    assert hyper.fit(ARD, X[:15], X, Y, 1e-2, method=method).history == found.history


@pytest.mark.parametrize("library", parameters(tuple(x for x in LIBRARIES if not x.cuda and not x.jit)))
def test_the_same_on_every_library(library: Library) -> None:
    wanted = hyper.fit(**SMALL, method=hyper.LBFGS(iterations=2))
    moved = {name: library.tree(value) for name, value in SMALL.items()}
    found = hyper.fit(**moved, method=hyper.LBFGS(iterations=2))
    assert library.owns(found.points)
    assert np.allclose(library.numpy(found.points), wanted.points, rtol=1e-6, atol=1e-8)
    assert np.allclose(library.numpy(found.kernel.bandwidth), wanted.kernel.bandwidth, rtol=1e-6)
    assert found.reg == pytest.approx(wanted.reg, rel=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fixed": ("bandwidth",)}, r"fixed: expected some of kernel\.bandwidth, points, reg, got bandwidth"),
        ({"fixed": ("kernel.bandwidth", "points", "reg")}, "fixed: nothing is left to learn"),
        ({"kernel": Polynomial(2, 0.0)}, r'kernel\.offset: expected numbers > 0, .*fixed=\("kernel\.offset",\)'),
        ({"y": Y[:39]}, "x, y: expected as many rows in both, .*got 40 and 39"),
        ({"y": Y[:40, 0]}, r"y: expected \(n, t\), got shape \(40,\)"),
        ({"points": X[:6, :4]}, r"points: expected 5 columns as in x of shape \(40, 5\), got shape \(6, 4\)"),
        ({"reg": 0.0}, "reg: expected a number > 0, got 0"),
        ({"shift": 0.0}, "shift: expected a number > 0, got 0"),
        ({"fixed": "bandwidth"}, r"fixed: expected some of kernel\.bandwidth, points, reg, got bandwidth"),
        ({"x": np.where(np.arange(200).reshape(40, 5) == 7, np.nan, X[:40])}, "x: .*nan in row 1, column 2"),
    ],
)
def test_wrong_input(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hyper.fit(**{**SMALL, **changed})


def test_wrong_settings_of_descent() -> None:
    with pytest.raises(ValueError, match="batch: expected an integer >= 2, got 1"):
        hyper.Descent(batch=1)
    with pytest.raises(ValueError, match="rate: expected a number > 0, got 0"):
        hyper.Descent(rate=0.0)

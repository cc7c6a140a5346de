"""Conjugate gradient against dense solves."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.linalg import conjugate_gradient
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def system(m: int, columns: int = 2, seed: int = 0, decades: float = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((m, m)))[0]
    return (basis * np.logspace(0, -decades, m)) @ basis.T, rng.standard_normal((m, columns))


@settings(max_examples=30)
@given(m=st.integers(1, 12), columns=st.integers(1, 3), seed=st.integers(0, 1000), refresh=st.integers(1, 5))
def test_against_a_dense_solve(m: int, columns: int, seed: int, refresh: int) -> None:
    a, b = system(m, columns, seed)
    found = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-10, refresh=refresh)
    assert found.converged
    assert_close(found.x, np.linalg.solve(a, b), 1e-5)
    assert np.linalg.norm(a @ found.x - b, axis=0).max() <= 1e-9 * np.linalg.norm(b, axis=0).max()


def test_an_exact_preconditioner_takes_one_step() -> None:
    a, b = system(8)
    found = conjugate_gradient(lambda v: a @ v, b, precondition=lambda r: np.linalg.solve(a, r), tolerance=1e-8)
    assert found.iterations == 1
    assert found.converged
    assert_close(found.x, np.linalg.solve(a, b), 1e-8)


def test_a_preconditioner_saves_steps() -> None:
    a, b = system(60, decades=6)
    near = np.linalg.inv(a + 1e-5 * np.eye(60))
    plain = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-6, iterations=60)
    steered = conjugate_gradient(lambda v: a @ v, b, precondition=lambda r: near @ r, tolerance=1e-6, iterations=60)
    assert steered.converged
    assert steered.iterations < plain.iterations / 2


def test_columns_do_not_meet() -> None:
    a, b = system(10, 3)
    b[:, 1] = 0
    b[:, 2] *= 1e8
    found = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-10)
    assert (found.x[:, 1] == 0).all()
    for c in (0, 2):
        assert_close(found.x[:, c], np.linalg.solve(a, b[:, c]), 1e-5)


def test_rounding_that_grows() -> None:
    # The product errs by more than the least eigenvalue: steps beyond the first few make it worse, and are not kept.
    a, b = system(20, decades=12)
    noise = 1e-6 * np.random.default_rng(1).standard_normal((20, 20))
    near = np.linalg.inv(a)
    found = conjugate_gradient(
        lambda v: a @ v + noise @ (noise.T @ v), b, precondition=lambda r: near @ r, tolerance=1e-12
    )
    start = conjugate_gradient(
        lambda v: a @ v + noise @ (noise.T @ v), b, precondition=lambda r: near @ r, iterations=0
    )
    assert found.residual <= start.residual == 1


def test_the_residual_is_true() -> None:
    # A product in float32 has a residual that the recurrence does not know of.
    a, b = system(30, decades=5)
    found = conjugate_gradient(lambda v: a @ v, b, tolerance=1e-6, iterations=7)
    left = b - a @ found.x
    assert not found.converged
    assert found.iterations == 7
    assert found.residual == pytest.approx(np.sqrt(((left**2).sum(axis=0) / (b**2).sum(axis=0)).max()), rel=1e-6)


def test_nothing_to_solve() -> None:
    a, b = system(4)
    found = conjugate_gradient(lambda v: a @ v, 0 * b)
    assert found.converged
    assert found.iterations == 0
    assert (found.x == 0).all()


def test_an_indefinite_matrix() -> None:
    a, b = system(4)
    with pytest.raises(ValueError, match=r"v' A v = -.* at step 1, and conjugate gradient needs a positive definite A"):
        conjugate_gradient(lambda v: -a @ v, b)
    with pytest.raises(ValueError, match="v' A v = nan"):
        conjugate_gradient(lambda v: np.nan * v, b)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    a, b = system(6)
    strict_a, strict_b = to_strict(a, device), to_strict(b, device)
    found = conjugate_gradient(lambda v: strict_a @ v, strict_b, tolerance=1e-10)
    assert_same_on(device, found.x, conjugate_gradient(lambda v: a @ v, b, tolerance=1e-10).x, 1e-9)

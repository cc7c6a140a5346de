"""Full kernel ridge regression against a dense solve."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.kernels import Gaussian, Kernel, Linear
from kerneltools.landmarks import Landmarks, RPCholesky, Uniform
from kerneltools.random import Rng
from kerneltools.solvers import NotConvergedWarning, nystrom_pcg
from tests.laws.members import rows
from tests.solvers.problems import Regression, regression
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def dense(p: Regression, reg: float, weights: np.ndarray | None, at: np.ndarray) -> np.ndarray:
    """k(., X) (K + λ Σw D^-1)^-1 y"""
    d = np.ones(len(p.x)) if weights is None else weights
    gram = p.kernel(p.x, p.x)
    return p.kernel(at, p.x) @ np.linalg.solve(gram + reg * d.sum() * np.diag(1 / d), p.y)


@settings(max_examples=15)
@given(
    n=st.integers(1, 80),
    t=st.integers(1, 3),
    reg=st.sampled_from([1e-4, 1e-2, 1.0]),
    rank=st.sampled_from([None, 1, 10, 200]),
    seed=st.integers(0, 1000),
    weighted=st.booleans(),
)
def test_against_a_dense_solve(n: int, t: int, reg: float, rank: int | None, seed: int, weighted: bool) -> None:
    # More landmarks than rows are as many as rows.
    p = regression(n, t=t, seed=seed)
    weights = p.weights if weighted else None
    new = np.random.default_rng(1).standard_normal((5, 3))
    model = nystrom_pcg(p.kernel, p.x, p.y, reg, rank=rank, weights=weights, tolerance=1e-10, block=17)
    assert model.converged
    assert_close(model(new), dense(p, reg, weights, new), 1e-7)


def test_rows_of_weight_zero_do_not_count() -> None:
    p = regression(60)
    weights = np.where(np.arange(60) < 40, 1.0, 0.0)
    few = Regression(p.kernel, p.points, p.x[:40], p.y[:40], p.weights[:40])
    model = nystrom_pcg(p.kernel, p.x, p.y, 1e-3, weights=weights, tolerance=1e-10)
    assert (model.coefficients[40:] == 0).all()
    assert_close(model(p.x), dense(few, 1e-3, None, p.x), 1e-7)


def test_a_higher_rank_saves_steps() -> None:
    p = regression(400, d=2, bandwidth=1.0)
    steps = [nystrom_pcg(p.kernel, p.x, p.y, 1e-5, rank=rank).iterations for rank in (5, 20, 60)]
    assert steps[0] > steps[1] > steps[2]


def test_the_rank_is_found() -> None:
    p = regression(400, d=2, bandwidth=1.0)
    assert nystrom_pcg(p.kernel, p.x, p.y, 1e-6).iterations <= 15


def test_other_landmarks() -> None:
    p = regression(100)
    model = nystrom_pcg(p.kernel, p.x, p.y, 1e-3, selector=Uniform(20), tolerance=1e-10)
    assert_close(model(p.x), dense(p, 1e-3, None, p.x), 1e-7)


def test_a_kernel_of_low_rank() -> None:
    p = regression(50, kernel=Linear())
    model = nystrom_pcg(p.kernel, p.x, p.y, 1e-3, tolerance=1e-9)
    assert_close(model(p.x), dense(p, 1e-3, None, p.x), 1e-7)


def test_float32() -> None:
    p = regression(500, bandwidth=5.0)
    narrow = p.cast("float32")
    model = nystrom_pcg(p.kernel, narrow.x, narrow.y, 1e-5)
    assert model.converged
    assert model(narrow.x).dtype == np.float32
    assert_close(model(narrow.x), dense(p, 1e-5, None, p.x), 1e-3)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_in_every_library(library: str) -> None:
    b, p = backend(library), regression(40)
    model = nystrom_pcg(p.kernel, b.asarray(p.x), b.asarray(p.y), 1e-3, weights=b.asarray(p.weights), tolerance=1e-10)
    assert_close(b.to_numpy(model(b.asarray(p.x))), dense(p, 1e-3, p.weights, p.x), 1e-7)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    p = regression(40)
    x, y, weights = (to_strict(a, device) for a in (p.x, p.y, p.weights))
    model = nystrom_pcg(p.kernel, x, y, 1e-3, weights=weights, tolerance=1e-10)
    assert_same_on(device, model(x), dense(p, 1e-3, p.weights, p.x), 1e-7)


def test_warns_when_it_has_not_converged() -> None:
    p = regression(200)
    with pytest.warns(NotConvergedWarning, match="nystrom_pcg: residual .* after 1 steps, above the tolerance"):
        assert not nystrom_pcg(p.kernel, p.x, p.y, 1e-6, rank=2, iterations=1).converged


def test_wrong_input() -> None:
    p = regression(30)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"y": p.y[:29]}, "x, y: expected as many rows in both, and at least 1, got 30 and 29"),
        ({"x": p.x * np.nan}, "x: expected finite numbers, got nan in row 0, column 0"),
        ({"weights": -p.weights}, "weights: expected finite numbers >= 0"),
        ({"reg": 0}, "reg: expected a number > 0, got 0"),
        ({"reg": 1e-320}, "that does not underflow"),
        ({"rank": 0}, "rank: expected an integer >= 1, or None, got 0"),
        ({"rng": -1}, "rng: expected a seed of 0 or more"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            nystrom_pcg(**{"kernel": p.kernel, "x": p.x, "y": p.y, "reg": 0.1, **change})


def test_the_preconditioner_follows_the_weights() -> None:
    x = np.concatenate([rows(60, 2, seed=0), 20 + 6 * rows(540, 2, seed=1)])
    weights = np.where(np.arange(600) < 60, 1e4, 1e-2)
    y = np.sin(x[:, :1])

    def without_weights(kernel: Kernel, x: Any, rng: Rng) -> Landmarks:
        return RPCholesky(40)(kernel, x, rng)

    kernel = Gaussian(1.0)
    with_weights = nystrom_pcg(kernel, x, y, 1e-4, rank=40, weights=weights)
    without = nystrom_pcg(kernel, x, y, 1e-4, selector=without_weights, weights=weights)
    assert with_weights.converged
    assert 2 * with_weights.iterations < without.iterations

"""L-BFGS against closed forms, on trees, in every library, and where it must give up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.arrays import namespace
from kerneltools.solvers import minimise
from kerneltools.solvers.line_search import Trial, search
from kerneltools.trees import Tree
from tests.strict import DEVICES, to_numpy, to_strict


def rosenbrock(x: Any) -> tuple[Any, Any]:
    a, b = x[:-1], x[1:]
    value = (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a**2)
    return value, gradient


@settings(max_examples=40)
@given(d=st.integers(1, 12), decades=st.floats(0, 4), seed=st.integers(0, 10_000))
def test_quadratics(d: int, decades: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a = basis * np.logspace(0, -decades, d) @ basis.T
    wanted, offset = rng.standard_normal(d), rng.standard_normal()
    found = minimise(
        lambda x: ((x - wanted) @ a @ (x - wanted) / 2 + offset, a @ (x - wanted)), np.zeros(d), tolerance=1e-9
    )
    assert found.converged
    assert found.gradient_norm <= 1e-9 * max(1, np.linalg.norm(a @ wanted))
    np.testing.assert_allclose(found.point, wanted, atol=1e-8 * 10**decades)
    assert found.value == pytest.approx(offset)


@pytest.mark.parametrize("d", [2, 10])
def test_rosenbrock(d: int) -> None:
    found = minimise(rosenbrock, np.full(d, -1.2), tolerance=1e-10)
    assert found.converged
    assert found.iterations < 150
    np.testing.assert_allclose(found.point, np.ones(d), atol=1e-7)


def logistic(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, 4))
    return x, np.sign(x @ rng.standard_normal(4) + rng.standard_normal(60))


def newton(x: np.ndarray, t: np.ndarray, reg: float) -> np.ndarray:
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(t * (x @ w)))
        hessian = x.T @ (x * (p * (1 - p))[:, None]) / len(x) + reg * np.eye(len(w))
        w = w - np.linalg.solve(hessian, -x.T @ (t * p) / len(x) + reg * w)
    return w


@pytest.mark.parametrize("seed", range(3))
def test_logistic_regression_against_newton(seed: int) -> None:
    x, t = logistic(seed)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margins = t * (x @ w)
        p = 1 / (1 + np.exp(margins))
        return float(np.logaddexp(0, -margins).mean() + 0.005 * w @ w), -x.T @ (t * p) / len(x) + 0.01 * w

    found = minimise(objective, np.zeros(4), tolerance=1e-10)
    assert found.converged
    np.testing.assert_allclose(found.point, newton(x, t, 0.01), atol=1e-8)


@dataclass(frozen=True, eq=False)
class Params(Tree):
    """Arrays of several shapes, and a constant."""

    a: Any
    b: tuple[Any, ...]
    scale: float


def of_tree(params: Params) -> Any:
    xp = namespace(params.a)
    first, second = params.a - 1, params.b[0] + 2
    value = params.scale * (xp.sum(first * first) + xp.sum(second * second * second * second))
    return value + (params.a[0, 0] * second[0]) ** 2


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_trees_in_every_library(library: str) -> None:
    b = backend(library)
    start = Params(b.asarray(np.zeros((2, 3))), (b.asarray(np.array([0.5, 1.0])),), 0.5)
    found = minimise(b.value_and_grad(of_tree), start, tolerance=1e-10)
    assert found.converged
    assert isinstance(found.point, Params)
    assert found.point.scale == 0.5
    assert b.owns(found.point.a)
    on_numpy = backend("numpy")
    wanted = minimise(on_numpy.value_and_grad(of_tree), Params(np.zeros((2, 3)), (np.array([0.5, 1.0]),), 0.5),
                      tolerance=1e-10)  # fmt: skip
    np.testing.assert_allclose(b.to_numpy(found.point.a), wanted.point.a, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    wanted = to_strict(np.array([[1.0, -2.0]]), device)
    xp = wanted.__array_namespace__()
    found = minimise(lambda x: (xp.sum((x - wanted) ** 2), 2 * (x - wanted)), xp.zeros_like(wanted))
    assert found.point.device == device
    np.testing.assert_allclose(to_numpy(found.point), to_numpy(wanted), atol=1e-6)


def test_float32_is_kept_for_the_function() -> None:
    wanted = np.linspace(1, 2, 5).astype(np.float32)

    def function(x: np.ndarray) -> tuple[Any, np.ndarray]:
        assert x.dtype == np.float32
        return ((x - wanted) ** 2).sum() + 1000, 2 * (x - wanted)

    # The values differ by less than float32 tells beside 1000; the slopes still lead to the minimum.
    found = minimise(function, np.zeros(5, dtype=np.float32), tolerance=1e-5)
    assert found.converged
    assert found.point.dtype == np.float32
    np.testing.assert_allclose(found.point, wanted, atol=1e-5)


def test_starts_at_the_minimum() -> None:
    found = minimise(lambda x: ((x * x).sum(), 2 * x), np.zeros(3))
    assert (found.iterations, found.converged, found.gradient_norm) == (0, True, 0.0)


def test_says_when_it_has_not_converged() -> None:
    found = minimise(rosenbrock, np.full(10, -1.2), iterations=3)
    assert (found.iterations, found.converged) == (3, False)
    assert found.value < rosenbrock(np.full(10, -1.2))[0]


def test_a_gradient_of_the_wrong_sign_ends() -> None:
    start = np.ones(2)
    found = minimise(lambda x: ((x * x).sum(), -2 * x), start)
    assert not found.converged
    assert np.array_equal(found.point, start)


def test_steps_back_from_where_the_function_is_infinite() -> None:
    def barrier(x: np.ndarray) -> tuple[float, np.ndarray]:
        inside = float(x[0]) > 0
        return (float(x[0] - 1e-3 * np.log(x[0])), 1 - 1e-3 / x) if inside else (float("inf"), np.full(1, np.nan))

    found = minimise(barrier, np.ones(1), tolerance=1e-8)
    assert found.converged
    assert found.point == pytest.approx([1e-3])


def test_not_finite() -> None:
    with pytest.raises(FloatingPointError, match=r"iteration 0: value nan .* look for NaN in the data"):
        minimise(lambda x: (float("nan"), x), np.ones(2))
    calls = []

    def breaks(x: np.ndarray) -> tuple[Any, np.ndarray]:
        calls.append(x)
        return rosenbrock(x) if len(calls) < 6 else (float("nan"), x)

    with pytest.raises(FloatingPointError, match=r"iteration [1-6]: value nan"):
        minimise(breaks, np.full(3, -1.2))


def test_gradient_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"arrays of the shapes \[\(2,\)\], got \[\(3,\)\]"):
        minimise(lambda x: ((x * x).sum(), np.ones(3)), np.ones(2))


@settings(max_examples=100)
@given(scale=st.floats(-6, 6), first=st.floats(-4, 4), wave=st.floats(0, 0.4))
def test_search_meets_the_strong_wolfe_conditions(scale: float, first: float, wave: float) -> None:
    minimum = 10**scale

    def along(length: float) -> Trial:
        z = length / minimum
        value = (z - 1) ** 2 + wave * np.sin(6 * z)
        return Trial(length, float(value), float(2 * (z - 1) + 6 * wave * np.cos(6 * z)) / minimum)

    origin = along(0.0)
    if origin.slope >= 0:
        return
    found = search(along, origin, 10**first)
    assert found is not None
    assert found.value <= origin.value + 1e-4 * found.length * origin.slope
    assert abs(found.slope) <= 0.9 * abs(origin.slope)

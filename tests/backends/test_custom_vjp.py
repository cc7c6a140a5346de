"""Gradients written by hand: the rule is what counts, at every order, and never the body."""

from typing import Any

import numpy as np
import pytest

from kerneltools.arrays import namespace
from kerneltools.backend import Backend, custom_vjp
from kerneltools.linalg import inverse_sqrt, lyapunov


def cube(x: Any) -> Any:
    return x * x * x


def ten_times(cotangent: Any, output: Any, x: Any) -> tuple[Any]:
    """Ten times the derivative, so that nobody takes it for that of the body."""
    return (cotangent * 30 * square(x),)


def square_forward(x: Any) -> Any:
    return x * x


def hundred_times(cotangent: Any, output: Any, x: Any) -> tuple[Any]:
    return (cotangent * 200 * x,)


ruled = custom_vjp(cube, ten_times)
square = custom_vjp(square_forward, hundred_times)


def gradient(library: Backend, f: Any) -> Any:
    return lambda x: library.value_and_grad(f)(x)[1]


def test_first_derivative_is_the_rule(library: Backend) -> None:
    x = library.asarray(2.0, dtype="float64")
    assert float(ruled(x)) == 8.0
    assert float(gradient(library, ruled)(x)) == 120.0


def test_second_derivative_is_that_of_the_rule(library: Backend) -> None:
    x = library.asarray(2.0, dtype="float64")
    assert float(gradient(library, gradient(library, ruled))(x)) == 30 * 200 * 2.0


def test_the_output_seen_by_the_rule_is_differentiated(library: Backend) -> None:
    def exponential(x: Any) -> Any:
        return namespace(x).exp(x)

    rule = custom_vjp(exponential, lambda cotangent, output, x: (2 * cotangent * output,))
    x = library.asarray(0.5, dtype="float64")
    third = gradient(library, gradient(library, gradient(library, rule)))
    assert float(third(x)) == pytest.approx(8 * np.exp(0.5), rel=1e-14)


def test_an_integer_input_gets_no_gradient(library: Backend) -> None:
    def taken(x: Any, index: Any) -> Any:
        return namespace(x).take(x, index)

    rule = custom_vjp(taken, lambda cotangent, output, x, index: (namespace(x).zeros_like(x) + 7.0, None))
    x, index = library.asarray([1.0, 2.0, 3.0], dtype="float64"), library.asarray([2, 0], dtype="int64")
    value, found = library.value_and_grad(lambda x: namespace(x).sum(rule(x, index)))(x)
    assert (float(value), library.to_numpy(found).tolist()) == (4.0, [7.0, 7.0, 7.0])


MATRICES = {
    "identity": np.eye(4),
    "repeated eigenvalues": np.diag([2.0, 2.0, 2.0, 0.5, 0.5]),
    "two equal filters": np.array([[1.0, 1.0, 0.3], [1.0, 1.0, 0.3], [0.3, 0.3, 1.0]]),
    "rank one": np.ones((3, 3)),
}


def central_difference(f: Any, x: np.ndarray, direction: np.ndarray, step: float = 1e-5) -> float:
    return float((f(x + step * direction) - f(x - step * direction)) / (2 * step))


@pytest.mark.parametrize("name", MATRICES)
def test_inverse_sqrt_where_eigenvalues_repeat(library: Backend, name: str) -> None:
    matrix, rng = MATRICES[name], np.random.default_rng(0)
    weights = rng.standard_normal(matrix.shape)

    def f(matrix: Any) -> Any:
        xp = namespace(matrix)
        return xp.sum(inverse_sqrt(matrix, 0.1) * library.asarray(weights))

    found = library.to_numpy(library.value_and_grad(f)(library.asarray(matrix))[1])
    assert np.all(np.isfinite(found))
    for _ in range(3):
        direction = rng.standard_normal(matrix.shape)
        expected = central_difference(lambda m: np.sum(inverse_sqrt(m, 0.1) * weights), matrix, direction)
        assert np.sum(found * direction) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", MATRICES)
def test_second_derivative_where_eigenvalues_repeat(library: Backend, name: str) -> None:
    matrix, rng = MATRICES[name], np.random.default_rng(1)
    weights, towards, direction = rng.standard_normal((3, *matrix.shape))

    def weighted(matrix: Any) -> Any:
        return namespace(matrix).sum(inverse_sqrt(matrix, 0.3) * library.asarray(weights))

    def slope(matrix: Any) -> Any:
        first = library.value_and_grad(weighted)(matrix)[1]
        return namespace(first).sum(first * library.asarray(towards))

    found = library.to_numpy(library.value_and_grad(slope)(library.asarray(matrix))[1])
    expected = central_difference(lambda m: float(slope(library.asarray(m))), matrix, direction)
    assert np.sum(found * direction) == pytest.approx(expected, rel=1e-6)


def test_lyapunov_solves_its_equation(library: Backend) -> None:
    root = library.asarray([[2.0, 0.5], [0.5, 1.0]], dtype="float64")
    rhs = library.asarray([[1.0, -1.0], [-1.0, 3.0]], dtype="float64")
    solution = lyapunov(root, rhs)
    np.testing.assert_allclose(library.to_numpy(root @ solution + solution @ root - rhs), 0, atol=1e-14)

"""Traced arrays as arrays: attributes, operators beside plain arrays, and what they refuse."""

import operator
from collections.abc import Callable
from typing import Any

import array_api_compat
import array_api_strict
import numpy as np
import pytest

from kerneltools.arrays import device_of, namespace
from kerneltools.autodiff import LeakedArrayError, TapeArray, grad, stop_gradient, value_and_grad
from kerneltools.backend import backend_of

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def traced(check: Callable[[Any], object], x: Any = X) -> None:
    """Run a check on a traced array."""

    def f(x: Any) -> Any:
        check(x)
        return namespace(x).sum(x)

    value_and_grad(f)(x)


def test_attributes_are_those_of_the_value(library: Any) -> None:
    plain = library.array(X)

    def check(x: Any) -> None:
        assert (x.shape, x.ndim, x.size) == ((2, 3), 2, 6)
        assert (x.dtype, x.device, len(x)) == (plain.dtype, plain.device, 2)
        assert array_api_compat.device(x) == device_of(x) == plain.device
        assert array_api_compat.is_array_api_obj(x)
        assert (
            array_api_compat.array_namespace(x) is x.__array_namespace__() is namespace(x, plain) is namespace(plain, x)
        )
        assert namespace(x).pi == np.pi
        assert namespace(x).float32 is library.xp.float32
        assert repr(x) == f"TapeArray({plain!r})"

    traced(check, plain)


def test_a_reduced_array_has_a_device_too() -> None:
    traced(lambda x: np.testing.assert_equal(namespace(x).sum(x).device, "cpu"))


def test_transpose_of_a_stack_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a matrix, got shape \(1, 2, 3\)"):
        traced(lambda x: x.T, X[None])


OPERATORS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a % b,
    lambda a, b: a @ b.T,
    lambda a, b: abs(a) ** b,
]


@pytest.mark.parametrize("combine", OPERATORS)
def test_operators_meet_plain_arrays_on_both_sides(combine: Any) -> None:
    both = grad(lambda x, y: namespace(x).sum(combine(x, y)), (0, 1))(X, X + 0.1)
    right = grad(lambda y: namespace(y).sum(combine(X, y)))(X + 0.1)
    left = grad(lambda x: namespace(x).sum(combine(x, X + 0.1)))(X)
    np.testing.assert_array_equal(both, (left, right))


def test_operators_meet_numpy_scalars_and_numbers() -> None:
    gradient = grad(lambda x: namespace(x).sum(np.float64(2.0) * x + x * 3 - 1 / (x * np.float64(4.0))))(X)
    np.testing.assert_allclose(gradient, 5 + 1 / (4 * X * X), rtol=1e-15)


def test_augmented_assignment_makes_a_new_array() -> None:
    def f(x: Any) -> Any:
        y = x
        y *= 2.0
        y += x
        return namespace(x).sum(y)

    np.testing.assert_array_equal(grad(f)(X), np.full((2, 3), 3.0))


def test_comparisons_give_plain_arrays() -> None:
    def check(x: Any) -> None:
        for result in (x < 1.0, x <= X, x > x, x <= X, x == X, x != 0.0, x // 2.0):
            assert type(result) is np.ndarray
        assert bool(namespace(x).all(x == X))

    traced(check)


@pytest.mark.parametrize(
    "lose",
    [
        np.asarray,
        np.exp,
        np.sum,
        float,
        int,
        bool,
        complex,
        np.from_dlpack,
        lambda x: [1, 2][x],
        lambda x: np.add(X, x),
        lambda x: np.concatenate([x, x]),
        lambda x: namespace(x).asarray([x, x]),
    ],
)
def test_what_would_lose_the_gradient_is_refused(lose: Any) -> None:
    with pytest.raises(TypeError):
        traced(lambda x: lose(x[0, 0]))


def test_the_refusal_gives_advice() -> None:
    with pytest.raises(TypeError, match=r"float\(x\) of a traced array would lose its gradient.*stop_gradient"):
        traced(lambda x: float(x[0, 0]))
    with pytest.raises(TypeError, match=r"numpy\.asarray.*would lose its gradient"):
        traced(lambda x: backend_of(x) and np.asarray(x))


def test_writing_in_place_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be written in place"):
        traced(lambda x: x.__setitem__((0, 0), 1.0))


def test_a_list_is_no_operand() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        traced(lambda x: operator.add(x, [1.0, 2.0, 3.0]))


def test_a_list_is_no_index() -> None:
    with pytest.raises(TypeError, match="got a list"):
        traced(lambda x: x[[0, 1], :])


def test_an_array_that_outlives_its_call_is_refused() -> None:
    kept: list[Any] = []
    traced(kept.append)
    (leaked,) = kept
    assert isinstance(leaked, TapeArray)
    for use in (
        lambda: leaked + 1.0,
        lambda: leaked < 1.0,
        lambda: leaked[0, 0],
        lambda: namespace(leaked).exp(leaked),
        lambda: stop_gradient(leaked),
        lambda: grad(lambda x: namespace(x).sum(x * leaked))(X),
    ):
        with pytest.raises(LeakedArrayError, match="after its value_and_grad, grad or vjp call had ended"):
            use()


def test_an_array_stays_usable_when_a_call_failed() -> None:
    with pytest.raises(ZeroDivisionError):
        grad(lambda x: 1 / 0)(X)
    np.testing.assert_array_equal(grad(lambda x: namespace(x).sum(x))(X), np.ones((2, 3)))


def test_boolean_masks_place_their_gradient() -> None:
    np.testing.assert_array_equal(grad(lambda x: namespace(x).sum(x[X > 0] ** 2))(X), np.where(X > 0, 2 * X, 0))


def test_integers_take_no_gradient() -> None:
    def f(x: Any) -> Any:
        xp = namespace(x)
        whole = xp.astype(x, xp.int64)
        assert type(whole) is np.ndarray
        return xp.sum(x * xp.astype(whole, xp.float64))

    np.testing.assert_array_equal(grad(f)(X), np.trunc(X))


def test_mixed_types_give_each_gradient_in_its_own() -> None:
    def f(x: Any, y: Any) -> Any:
        xp = namespace(x, y)
        return xp.sum(x @ y.T) + xp.sum(x * y) + xp.sum(xp.concat([x, y], axis=0)) + xp.sum(xp.astype(x, xp.float64))

    gradients = grad(f, (0, 1))(X.astype(np.float32), X)
    assert [g.dtype for g in gradients] == [np.float32, np.float64]


def test_sums_in_another_type_give_the_gradient_in_their_own() -> None:
    gradient = grad(lambda x: namespace(x).sum(x * x, dtype=np.float64))(X.astype(np.float32))
    assert gradient.dtype == np.float32


def test_asarray_keeps_the_trace() -> None:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.sum(xp.asarray(xp.asarray(x), dtype=xp.float64) ** 2)

    gradient = grad(f)(X.astype(np.float32))
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, 2 * X)


def test_moving_to_a_device_moves_the_gradient_back() -> None:
    here, there = array_api_strict.Device("CPU_DEVICE"), array_api_strict.Device("device1")

    def f(x: Any) -> Any:
        moved = x.to_device(there)
        assert moved.device == there
        xp = namespace(x)
        return xp.sum(moved * moved) + xp.sum(xp.asarray(x, device=there))

    gradient = grad(f)(array_api_strict.asarray(X, device=here))
    assert gradient.device == here
    np.testing.assert_array_equal(np.asarray(gradient), 2 * X + 1)


def test_an_array_of_no_axes_has_no_length_and_no_entries() -> None:
    for lose in (iter, len):
        with pytest.raises(TypeError, match="0-d array"):
            traced(lambda x: lose(x[0, 0]))  # noqa: B023


def test_rows_are_iterated_over(library: Any) -> None:
    gradient = grad(lambda x: sum(namespace(x).sum(row * row) for row in x))(library.array(X))
    np.testing.assert_array_equal(library.numpy(gradient), 2 * X)


def test_integer_arrays_are_bounds_of_slices_and_indices(library: Any) -> None:
    two, one = library.array(np.asarray(2)), library.array(np.asarray(1))
    gradient = grad(lambda x: namespace(x).sum(x[:two, :]) + 3 * namespace(x).sum(x[one, ::two]))(library.array(X))
    np.testing.assert_array_equal(library.numpy(gradient), [[1, 1, 1], [4, 1, 4]])


def test_unknown_versions_of_the_standard_are_refused(library: Any) -> None:
    def check(x: Any) -> None:
        assert x.__array_namespace__(api_version="2024.12") is namespace(x)
        with pytest.raises(ValueError, match=r"1999\.01"):
            x.__array_namespace__(api_version="1999.01")

    traced(check, library.array(X))

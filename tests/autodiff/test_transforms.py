"""value_and_grad, grad, vjp, custom_vjp and stop_gradient."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kerneltools.arrays import device_of, namespace
from kerneltools.autodiff import BACKEND, TapeArray, custom_vjp, grad, stop_gradient, value_and_grad, vjp
from kerneltools.backend import Backend, backend_of
from kerneltools.backend import custom_vjp as hand_written
from kerneltools.backend import stop_gradient as held
from kerneltools.trees import Tree, static

X = np.array([1.0, 2.0, -3.0])


def total(x: Any) -> Any:
    return namespace(x).sum(x)


@dataclass(frozen=True)
class Model(Tree):
    weights: Any
    parts: dict[str, Any]
    degree: int = static(2)


def test_gradient_is_a_tree_like_the_argument(library: Any) -> None:
    model = Model(library.array(X), {"a": (library.array(2 * X), 5.0), "b": None})

    def f(model: Model) -> Any:
        a, number = model.parts["a"]
        return total(model.weights**model.degree * a) * number

    value, gradient = value_and_grad(f)(model)
    assert float(value) == 10 * np.sum(X**3)
    assert isinstance(gradient, Model)
    assert (gradient.degree, gradient.parts["a"][1], gradient.parts["b"]) == (2, None, None)
    np.testing.assert_array_equal(library.numpy(gradient.weights), 20 * X * X)
    np.testing.assert_array_equal(library.numpy(gradient.parts["a"][0]), 5 * X * X)


def test_argnums_choose_the_arguments() -> None:
    f = lambda x, y, scale: total(x * y * y) * scale  # noqa: E731
    assert grad(f, 1)(X, X, 2.0).tolist() == (4 * X * X).tolist()
    assert grad(f, -2)(X, X, 2.0).tolist() == (4 * X * X).tolist()
    gradients = grad(f, (1, 0))(X, X, 2.0)
    assert isinstance(gradients, tuple)
    np.testing.assert_array_equal(gradients, [4 * X * X, 2 * X * X])
    assert isinstance(grad(f, (0,))(X, X, 2.0), tuple)


def test_settings_go_through_by_keyword() -> None:
    assert grad(lambda x, power: total(x**power))(X, power=2).tolist() == (2 * X).tolist()


def test_value_is_plain_and_exact() -> None:
    value, gradient = value_and_grad(lambda x: total(x * x))(X)
    assert not isinstance(value, TapeArray)
    assert not isinstance(gradient, TapeArray)
    assert value == 14.0


def test_gradients_are_arrays_of_their_own() -> None:
    first, second = grad(lambda x, y: total(x + y), (0, 1))(X, X)
    first *= 2.0
    second += 1.0
    assert (first.tolist(), second.tolist()) == ([2.0] * 3, [2.0] * 3)


def test_what_the_function_does_not_depend_on_has_gradient_zero() -> None:
    assert grad(lambda x, y: total(y), 0)(X, X).tolist() == [0.0] * 3
    value, gradient = value_and_grad(lambda x: np.float64(3.0))(X)
    assert (value, gradient.tolist()) == (3.0, [0.0] * 3)


def test_a_scalar_has_a_scalar_gradient() -> None:
    gradient = grad(lambda x: x**3)(np.asarray(2.0))
    assert (gradient.shape, float(gradient)) == ((), 12.0)


@pytest.mark.parametrize(
    ("arguments", "argnums", "message"),
    [
        ((np.arange(3),), 0, r"argument 0: expected a real floating-point array.*got int64"),
        ((X, X > 0), 1, r"argument 1: expected a real floating-point array.*got bool"),
        ((X + 1j,), 0, r"argument 0: expected a real floating-point array.*got complex128"),
        (({"a": [X, np.arange(3)]},), 0, r"argument 0, a\.1: expected a real floating-point array"),
        ((2.0,), 0, r"argument 0: expected at least one array.*got float"),
    ],
)
def test_what_cannot_be_differentiated_is_named(arguments: Any, argnums: int, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        grad(lambda *_: None, argnums)(*arguments)


def test_argnums_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="argnums: expected positions among the 1 positional arguments, got 1"):
        grad(total, 1)(X)


def test_a_function_must_give_a_scalar() -> None:
    with pytest.raises(ValueError, match=r"expected a function that returns a scalar, got an array of shape \(3,\)"):
        grad(lambda x: x * x)(X)


def test_vjp_gives_a_pullback_for_several_cotangents() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    output, pullback = vjp(lambda a, x, n: (a @ x) * n, matrix, X, 2)
    np.testing.assert_array_equal(output, 2 * matrix @ X)
    for cotangent in (np.array([1.0, 0.0]), np.array([-1.0, 2.0])):
        ga, gx, gn = pullback(cotangent)
        np.testing.assert_array_equal(ga, 2 * np.outer(cotangent, X))
        np.testing.assert_array_equal(gx, 2 * matrix.T @ cotangent)
        assert gn is None


def test_vjp_names_a_wrong_cotangent() -> None:
    _, pullback = vjp(lambda x: x * x, X)
    with pytest.raises(ValueError, match=r"cotangent: expected the output's shape \(3,\), got \(2,\)"):
        pullback(np.ones(2))


def test_pullback_is_differentiated_in_its_turn() -> None:
    _, pullback = vjp(lambda x: x * x, X)
    found = grad(lambda g: total(pullback(g)[0] ** 2))(X)
    np.testing.assert_array_equal(found, 2 * (2 * X) ** 2 * X)


def test_nested_calls_do_not_confuse_their_variables() -> None:
    # d/dx [x d/dy (x + y)] = 1, d/dx [x d/dy (x y)] = 2 x
    scalar = np.asarray(3.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(np.asarray(1.0)))(scalar) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(np.asarray(1.0)))(scalar) == 6.0
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(scalar) == 6.0
    assert grad(lambda x: grad(lambda x: x**4)(x) * x)(scalar) == 16 * 27.0


def test_derivatives_of_high_order() -> None:
    f = lambda x: namespace(x).exp(2 * x)  # noqa: E731
    derivative = f
    for _ in range(4):
        derivative = grad(derivative)
    np.testing.assert_allclose(derivative(np.asarray(0.5)), 16 * np.exp(1.0), rtol=1e-14)


def test_hessian_vector_product_is_that_of_jax(library: Any) -> None:
    def f(xp: Any, w: Any, x: Any) -> Any:
        hidden = xp.tanh(x @ w[:-1, :] + w[-1:, :])
        norms = xp.sqrt(xp.sum(hidden * hidden, axis=-1, keepdims=True) + 0.1)
        gram = (hidden / norms) @ xp.matrix_transpose(hidden / norms)
        chol = xp.linalg.cholesky(gram + 0.5 * xp.eye(5, dtype=x.dtype, device=device_of(x)))
        return xp.sum(xp.log(xp.linalg.diagonal(chol))) + xp.max(hidden) * xp.mean(hidden[1:, ::2])

    rng = np.random.default_rng(0)
    w, x, v = rng.standard_normal((5, 4)), rng.standard_normal((5, 4)), rng.standard_normal((5, 4))
    lw, lx, lv = map(library.array, (w, x, v))
    found = grad(lambda w: total(grad(lambda w: f(namespace(w), w, total(w) * lx))(w) * lv))(lw)
    wanted = jax.jit(jax.grad(lambda w: jnp.sum(jax.grad(lambda w: f(jnp, w, x * jnp.sum(w)))(w) * v)))(w)
    np.testing.assert_allclose(library.numpy(found), wanted, rtol=0, atol=1e-10 * np.abs(wanted).max())


def test_stop_gradient_makes_a_constant() -> None:
    assert grad(lambda x: total(x * stop_gradient(x)))(X).tolist() == X.tolist()
    # Inside all the recordings.
    assert grad(lambda x: total(grad(lambda y: total(y * stop_gradient(x)))(x)))(X).tolist() == [0.0] * 3
    assert stop_gradient(X) is X


def cube_forward(x: Any) -> Any:
    return x * x * x


def cube_backward(g: Any, y: Any, x: Any) -> tuple[Any]:
    return (g * 3 * y / x,)


cube = custom_vjp(cube_forward, cube_backward)


def test_custom_vjp_is_used_and_differentiated(library: Any) -> None:
    x = library.array(X)
    assert library.numpy(cube(x)).tolist() == (X**3).tolist()
    np.testing.assert_allclose(library.numpy(grad(lambda x: total(cube(x)))(x)), 3 * X**2, rtol=1e-15)
    second = grad(lambda x: total(grad(lambda x: total(cube(x)))(x)))(x)
    np.testing.assert_allclose(library.numpy(second), 6 * X, rtol=1e-14)


def test_custom_vjp_overrules_the_derivative() -> None:
    odd = custom_vjp(lambda x, y: x * y, lambda g, out, x, y: (g * 100, None))
    np.testing.assert_array_equal(grad(lambda x, y: total(odd(x, y)), (0, 1))(X, X), [[100.0] * 3, [0.0] * 3])
    assert grad(lambda y: total(odd(X, y)))(X).tolist() == [0.0] * 3


def test_custom_vjp_goes_by_the_backend() -> None:
    odd = hand_written(lambda x: x * x, lambda g, out, x: (g * 100,))
    assert odd(X).tolist() == (X * X).tolist()
    assert grad(lambda x: total(odd(x)))(X).tolist() == [100.0] * 3
    assert grad(lambda x: total(x * held(x)))(X).tolist() == X.tolist()


def test_custom_vjp_checks_its_cotangents() -> None:
    few = custom_vjp(lambda x, y: x * y, lambda g, out, x, y: (g,))
    with pytest.raises(ValueError, match=r"expected 2 cotangents, one for each input \(None for zero\), got 1"):
        grad(lambda x: total(few(x, x)))(X)
    flat = custom_vjp(lambda x: x * 1.0, lambda g, out, x: (g[:1],))
    with pytest.raises(ValueError, match=r"cotangent 0 has shape \(1,\), its input \(3,\)"):
        grad(lambda x: total(flat(x)))(X)


def test_custom_vjp_gives_cotangents_in_the_type_of_the_input() -> None:
    wide = custom_vjp(lambda x: x * x, lambda g, out, x: (np.full(3, 2.0),))
    assert grad(lambda x: total(wide(x)))(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_contributions_to_one_array_add_up_in_any_order(order: tuple[int, ...], library: Any) -> None:
    # Slices, with constant and with traced cotangents in the outer gradient, and whole arrays of both kinds.
    terms = [
        lambda x: 3.0 * total(x[1:]),
        lambda x: total(x[:-1] ** 3),
        lambda x: 5.0 * total(x),
        lambda x: total(x**3),
    ]

    def f(x: Any) -> Any:
        return sum((terms[k](x) for k in order), start=total(x[1:] * x[:-1]))

    x = library.array(X)
    first, second = grad(f)(x), grad(lambda x: total(grad(f)(x)))(x)
    head, tail = np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])
    neighbours = np.array([X[1], X[0] + X[2], X[1]])
    np.testing.assert_allclose(library.numpy(first), 3 * tail + 3 * head * X**2 + 5 + 3 * X**2 + neighbours, rtol=1e-14)
    np.testing.assert_allclose(library.numpy(second), 6 * head * X + 6 * X + head + tail, rtol=1e-14)


def test_backend_follows_the_protocol() -> None:
    assert isinstance(BACKEND, Backend)
    assert (BACKEND.name, BACKEND.devices()) == ("kerneltools", ())
    assert not BACKEND.owns(X)
    assert BACKEND.value_and_grad(total)(X)[1].tolist() == [1.0] * 3
    assert BACKEND.jit(total) is total


def test_backend_owns_traced_arrays() -> None:
    def f(x: Any) -> Any:
        assert BACKEND.owns(x)
        assert backend_of(X, x) is BACKEND
        BACKEND.synchronize(x)
        with pytest.raises(TypeError, match="would lose its gradient"):
            BACKEND.to_numpy(x)
        xp = BACKEND.namespace
        return xp.sum(xp.concat([BACKEND.asarray(x, dtype="float32"), BACKEND.stop_gradient(x)]))

    assert grad(f)(X).tolist() == [1.0] * 3
    with pytest.raises(TypeError, match="expected a traced array, got ndarray"):
        BACKEND.asarray(X)

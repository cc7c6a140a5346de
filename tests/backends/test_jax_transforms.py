"""JAX's transforms go through every rule written by hand: forward, backward, one in the other, over batches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ckn
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Matern, profiles
from kerneltools.linalg import inverse_sqrt
from kerneltools.maps import nystrom
from tests.laws.members import HISTOGRAM, INDEFINITE, KERNELS, POOLS

Function = Callable[[Any], Any]
rng = np.random.default_rng(0)
X, Y = jnp.asarray(rng.random((4, 3))), jnp.asarray(rng.random((5, 3)))
IMAGES = jnp.asarray(rng.random((1, 5, 5, 2)))
FILTERS = rng.standard_normal((4, 3, 3, 2))
FILTERS = jnp.asarray(FILTERS / np.sqrt(np.sum(FILTERS**2, axis=(1, 2, 3), keepdims=True)))


def of_rows(kernel: Kernel) -> Function:
    return lambda x: kernel(x, Y)


def layer(kernel: Kernel) -> Function:
    return lambda x: ckn.Layer(FILTERS, kernel, 2)(x)


EXPONENTIAL = Homogeneous(profiles.Exponential(0.6))
FUNCTIONS: dict[str, tuple[Function, Any]] = {
    **{str(kernel): (of_rows(kernel), X) for kernel in (*KERNELS, *HISTOGRAM, *INDEFINITE)},
    "nystrom": (lambda x: nystrom(Matern(1.5, 1.0), x, reg=1e-2)(Y), X),
    "inverse_sqrt": (lambda x: inverse_sqrt(x @ x.T, 0.1), X),
    **{f"layer of {k}": (layer(k), IMAGES) for k in (EXPONENTIAL, Homogeneous(profiles.Power(3)), Gaussian(1.0))},
    "filters": (lambda z: ckn.Layer(z, EXPONENTIAL, 2)(IMAGES), FILTERS),
    **{str(pool): (pool, IMAGES) for pool in POOLS},
}
CHEAP = ("Matern(nu=2.5", "Chi2(", "inverse_sqrt")
every_function = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n.startswith(CHEAP) else pytest.mark.heavy) for n in FUNCTIONS]
)


def scalar(f: Function) -> Function:
    """Of a second derivative that is not 0."""

    def call(x: Any) -> Any:
        value = f(x)
        return jnp.vdot(jnp.sin(value + 1), jnp.cos(jnp.arange(value.size)).reshape(value.shape))

    return call


def close(found: Any, expected: Any) -> None:
    size = 1 + float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * size)


@every_function
def test_forward_is_the_transpose_of_backward(name: str) -> None:
    f, x = FUNCTIONS[name]
    towards = jnp.cos(jnp.arange(x.size)).reshape(x.shape)
    value, pull = jax.vjp(f, x)
    weights = jnp.sin(jnp.arange(value.size)).reshape(value.shape)
    pushed = jax.jvp(f, (x,), (towards,))[1]
    close(jnp.vdot(pushed, weights), jnp.vdot(towards, pull(weights)[0]))
    close(pull(np.asarray(weights))[0], pull(weights)[0])
    close(jax.jit(jax.jacfwd(f))(x), jax.jit(jax.jacrev(f))(x))


@every_function
def test_hessian(name: str) -> None:
    f, x = FUNCTIONS[name]
    g, towards, step = jax.jit(jax.grad(scalar(f))), jnp.cos(jnp.arange(x.size)).reshape(x.shape), 1e-5
    found = jax.jit(jax.hessian(scalar(f)))(x)
    close(found, jax.jit(jax.jacrev(jax.jacrev(scalar(f))))(x))
    numeric = (g(x + step * towards) - g(x - step * towards)) / (2 * step)
    exact = jnp.tensordot(found, towards, axes=x.ndim)
    np.testing.assert_allclose(exact, numeric, rtol=0, atol=1e-5 * (1 + float(jnp.max(jnp.abs(exact)))))


@every_function
def test_over_batches(name: str) -> None:
    f, x = FUNCTIONS[name]
    many, g = jnp.stack([x, x + 0.1]), jax.jit(jax.grad(scalar(f)))
    each = jnp.stack([g(one) for one in many])
    close(jax.jit(jax.vmap(jax.grad(scalar(f))))(many), each)
    close(jax.jit(jax.grad(lambda many: jnp.sum(jax.vmap(scalar(f))(many))))(many), each)


def test_one_of_two_arguments_in_a_batch() -> None:
    kernel, many = Matern(2.5, 1.0), jnp.stack([X, X + 0.1])

    def f(x: Any, y: Any) -> Any:
        return jnp.sum(jnp.sin(kernel(x, y)))

    found = jax.grad(lambda many, y: jnp.sum(jax.vmap(f, in_axes=(0, None))(many, y)), argnums=(0, 1))(many, Y)
    each = [jax.grad(f, argnums=(0, 1))(x, Y) for x in many]
    close(found[0], jnp.stack([of_x for of_x, _ in each]))
    close(found[1], each[0][1] + each[1][1])


def test_hessian_where_eigenvalues_repeat() -> None:
    def f(matrix: Any) -> Any:
        return jnp.sum(inverse_sqrt(matrix, 0.3) ** 3)

    identity = jnp.eye(3)
    found = jax.jacfwd(jax.jacrev(f))(identity)
    assert bool(jnp.all(jnp.isfinite(found)))
    close(found, jax.jacrev(jax.jacrev(f))(identity))

"""Gradients of functions, and gradients written by hand, on JAX's own differentiation."""

from collections.abc import Callable

import jax

from kerneltools.arrays import Array
from kerneltools.backend import Backward, Forward


def differentiate(f: Callable[..., Array], arrays: list[Array]) -> tuple[Array, tuple[Array, ...]]:
    """f(*arrays) and its gradient for each array."""
    value, gradients = jax.value_and_grad(f, argnums=tuple(range(len(arrays))))(*arrays)
    return value, gradients


def custom_vjp(forward: Forward, backward: Backward) -> Forward:
    """`forward` with a gradient written by hand; see kerneltools.backend.custom_vjp.

    `backward` is differentiated in its turn. JAX has no forward mode (jvp, jacfwd) through such a function.
    """
    rule = jax.custom_vjp(forward)

    def with_residuals(*arrays: Array) -> tuple[Array, tuple[Array, ...]]:
        # The rule itself, not `forward`: so second derivatives know it too.
        output = rule(*arrays)
        return output, (output, *arrays)

    def pull(residuals: tuple[Array, ...], cotangent: Array) -> tuple[Array | None, ...]:
        return tuple(backward(cotangent, *residuals))

    rule.defvjp(with_residuals, pull)
    return rule

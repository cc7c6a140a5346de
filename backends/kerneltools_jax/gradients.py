"""Gradients of functions, and gradients written by hand, by JAX's own differentiation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from kerneltools.arrays import Array
from kerneltools.backend import Backward, Forward


def differentiate(f: Callable[..., Array], arrays: list[Array]) -> tuple[Array, tuple[Array, ...]]:
    """f(*arrays) and its gradient for each array."""
    value, gradients = jax.value_and_grad(f, argnums=tuple(range(len(arrays))))(*arrays)
    return value, gradients


def custom_vjp(forward: Forward, backward: Backward) -> Forward:
    """`forward` with a gradient written by hand; see kerneltools.backend.custom_vjp.

    `backward` can itself be differentiated. Forward mode (jvp, jacfwd, hessian) takes the adjoint of `backward`.
    jax.custom_vjp has no forward mode, and jax.custom_jvp transposes what is computed within the rule in place of
    `backward` itself, so that gradients of gradients would not know the rules in it.
    """
    rule = jax.custom_jvp(forward)

    @rule.defjvp
    def push(arrays: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        # The rule itself, not `forward`: so second derivatives know it too.
        output = rule(*arrays)
        moving = tuple(i for i, array in enumerate(arrays) if jnp.issubdtype(jnp.result_type(array), jnp.inexact))
        pull = Pull(backward, moving)
        return output, pushed.bind(*(tangents[i] for i in moving), output, *arrays, pull=pull)

    return rule


@dataclass(frozen=True)
class Pull:
    """The gradients of a rule in its inputs that are no integers; `moving`: their numbers."""

    backward: Backward
    moving: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many gradients."""
        return len(self.moving)

    def __call__(self, cotangent: Array, output: Array, *arrays: Array) -> tuple[Array, ...]:
        """(cotangent, output, inputs) -> gradients, zeros for None"""
        found = self.backward(jnp.asarray(cotangent), output, *arrays)
        wanted = [(found[i], arrays[i]) for i in self.moving]
        return tuple(jnp.zeros_like(x) if g is None else jnp.asarray(g, dtype=x.dtype) for g, x in wanted)


@dataclass(frozen=True)
class BatchedPull:
    """A pull for each entry of a batch; the first axis of arrays not in `axes` is shared."""

    pull: "Pull | BatchedPull"
    axes: tuple[int | None, ...]

    @property
    def count(self) -> int:
        """How many gradients."""
        return self.pull.count

    def __call__(self, cotangent: Array, *rest: Array) -> tuple[Array, ...]:
        """(cotangent, output, inputs) -> gradients, each with a first axis for the batch"""
        found: tuple[Array, ...] = jax.vmap(self.pull, in_axes=(0, *self.axes))(cotangent, *rest)
        return found


# tangents of the inputs, output, inputs -> the tangent of the output
pushed = Primitive("kerneltools_pushed")


def _push(*operands: Array, pull: Pull | BatchedPull) -> Array:
    """The adjoint of the pull, which is linear in its cotangent."""
    tangents, (output, *arrays) = operands[: pull.count], operands[pull.count :]
    adjoint = jax.linear_transpose(lambda cotangent: pull(cotangent, output, *arrays), output)
    (tangent,) = adjoint(tangents)
    return tangent


def _transposed(cotangent: Any, *operands: Any, pull: Pull | BatchedPull) -> list[Any]:
    tangents, rest = operands[: pull.count], operands[pull.count :]
    if type(cotangent) is ad.Zero:
        return [None] * len(operands)
    gradients = pull(cotangent, *rest)
    wanted = [g if ad.is_undefined_primal(t) else None for g, t in zip(gradients, tangents, strict=True)]
    return [*wanted, *[None] * len(rest)]


def _differentiated(operands: tuple[Any, ...], tangents: tuple[Any, ...], *, pull: Pull | BatchedPull) -> Any:
    moved = [ad.instantiate_zeros(t) for t in tangents]
    return jax.jvp(lambda *arrays: _push(*arrays, pull=pull), operands, tuple(moved))


def _batched(operands: tuple[Array, ...], axes: tuple[Any, ...], *, pull: Pull | BatchedPull) -> tuple[Array, int]:
    size = next(x.shape[a] for x, a in zip(operands, axes, strict=True) if a is not None)
    first = [x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(operands, axes, strict=True)]
    tangents, rest = first[: pull.count], first[pull.count :]
    where = axes[: pull.count], axes[pull.count :]
    tangents = [
        jnp.broadcast_to(t, (size, *t.shape)) if a is None else t for t, a in zip(tangents, where[0], strict=True)
    ]
    # The output is what a cotangent looks like, so it must have the axis.
    if where[1][0] is None:
        rest[0] = jnp.broadcast_to(rest[0], (size, *rest[0].shape))
    shared = (0, *(None if a is None else 0 for a in where[1][1:]))
    return pushed.bind(*tangents, *rest, pull=BatchedPull(pull, shared)), 0


pushed.def_impl(_push)
pushed.def_abstract_eval(lambda *operands, pull: operands[pull.count])
mlir.register_lowering(pushed, mlir.lower_fun(_push, multiple_results=False))
ad.primitive_transposes[pushed] = _transposed
ad.primitive_jvps[pushed] = _differentiated
batching.primitive_batchers[pushed] = _batched

"""Gradients of functions, and gradients written by hand, on torch.func."""

from collections.abc import Callable
from typing import Any

import torch

from kerneltools.arrays import Array
from kerneltools.backend import Backward, Forward


def differentiate(f: Callable[..., Array], arrays: list[Array]) -> tuple[Array, tuple[Array, ...]]:
    """f(*arrays) and its gradient for each array."""
    values = [_taken_at_its_value(array) for array in arrays]
    gradients, value = torch.func.grad_and_value(f, argnums=tuple(range(len(values))))(*values)
    return value, gradients


def _taken_at_its_value(array: Array) -> torch.Tensor:
    if not isinstance(array, torch.Tensor):
        raise TypeError(
            f"expected torch tensors, got {type(array).__module__}.{type(array).__name__}; move it with "
            "kerneltools.backend('torch').asarray(x)"
        )
    # A parameter would tie the gradient to its own, and each step of a descent to all before it.
    return array.detach() if isinstance(array, torch.nn.Parameter) else array


def custom_vjp(forward: Forward, backward: Backward) -> Forward:
    """`forward` with a gradient written by hand; see kerneltools.backend.custom_vjp.

    Works under torch.func (grad, vmap) and torch.compile; `backward` is differentiated in its turn.
    """

    def call(*arrays: torch.Tensor) -> Array:
        apply: Callable[..., Array] = Rule.apply
        return apply(forward, backward, *arrays) if _recorded(arrays) else forward(*arrays)

    return call


def _recorded(arrays: tuple[torch.Tensor, ...]) -> bool:
    """Whether a gradient may be asked for: a rule that nobody records costs as much as a small product."""
    if not torch.is_grad_enabled():
        return False
    # Under transforms a tensor that requires no gradient here may still require one in a gradient around this one.
    within = not torch.compiler.is_compiling() and torch._C._functorch.maybe_current_level() is not None
    # torch.compile (2.13) mistakes the arguments of a Rule that needs no gradient.
    return within or any(array.requires_grad for array in arrays)


class Rule(torch.autograd.Function):
    """forward(*arrays), whose gradient is backward(cotangent, output, *arrays).

    One class for all rules: torch.compile can trace a function of it, but not the making of a class.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(forward: Forward, backward: Backward, *arrays: torch.Tensor) -> Array:
        return forward(*arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _, backward, *arrays = inputs
        ctx.pull = backward
        ctx.save_for_backward(output, *arrays)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, None, *ctx.pull(cotangent, *ctx.saved_tensors)

"""Gradients of functions, and gradients written by hand, on torch.func."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from kerneltools.arrays import Array
from kerneltools.backend import Backward, Forward

Keeping = Callable[..., tuple[Array, Array | None]]


def differentiate(f: Callable[..., Array], arrays: list[Array]) -> tuple[Array, tuple[Array, ...]]:
    """f(*arrays) and its gradient for each array."""
    values = [_taken_at_its_value(array) for array in arrays]
    gradients, value = torch.func.grad_and_value(f, argnums=tuple(range(len(values))))(*values)
    return value, gradients


def differentiate_alone(f: Callable[..., Array], arrays: list[Array]) -> tuple[Array, tuple[Array, ...]]:
    """`differentiate` without recording the gradient itself, which costs memory and time."""
    leaves = [_taken_at_its_value(array) for array in arrays]
    if torch.is_inference_mode_enabled() or is_transformed(*leaves) or any(map(_has_a_past, leaves)):
        return differentiate(f, arrays)
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    with torch.enable_grad():
        value = f(*leaves)
    if not value.requires_grad:
        return value, tuple(map(torch.zeros_like, leaves))
    return value.detach(), torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)


def _has_a_past(array: torch.Tensor) -> bool:
    return array.requires_grad or array.is_inference()


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

    Works under torch.func and torch.compile; `backward` can itself be differentiated. Forward mode (jvp, jacfwd,
    hessian) takes the adjoint of `backward`.
    """

    def call(*arrays: torch.Tensor) -> Array:
        # torch.compile (2.13) knows no function that has a forward mode of its own.
        apply: Callable[..., Array] = Rule.apply if torch.compiler.is_compiling() else PushedRule.apply
        return apply(forward, backward, *_distinct(arrays)) if _recorded(arrays) else forward(*arrays)

    return call


def _distinct(arrays: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The arrays as distinct objects, since torch.compile (2.13) refuses a Rule that gets the same array twice."""
    if not torch.compiler.is_compiling():
        return arrays
    return tuple(a.view_as(a) if any(a is b for b in arrays[:i]) else a for i, a in enumerate(arrays))


def _recorded(arrays: tuple[torch.Tensor, ...]) -> bool:
    """Whether a gradient may be needed: a rule that nobody records costs as much as a small product."""
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
    def backward(ctx: Any, cotangent: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        if cotangent is None:
            return (None,) * (len(ctx.saved_tensors) + 1)
        return None, None, *ctx.pull(cotangent, *ctx.saved_tensors)


NO_FORWARD = (
    "forward mode over the gradient of an inverse root (torch.func.hessian, jacfwd of a gradient) is not known to "
    "torch: take torch.func.jacrev(torch.func.jacrev(f)), or JAX"
)


class PushedRule(Rule):
    """A Rule with a forward mode: the adjoint of the gradient, which is linear in the cotangent."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        Rule.setup_context(ctx, inputs, output)
        ctx.save_for_forward(output, *inputs[2:])
        # Zeros in place of no tangent would be pushed through the rules within the gradient, and so for ever.
        ctx.set_materialize_grads(False)

    @staticmethod
    def jvp(ctx: Any, forward: None, backward: None, *tangents: torch.Tensor | None) -> torch.Tensor:
        output, *arrays = ctx.saved_tensors
        moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
        if not moving:
            return torch.zeros_like(output)

        def pulled(cotangent: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found = ctx.pull(cotangent, output, *arrays)
            return tuple(found[i] for i in moving)

        try:
            tangent: torch.Tensor
            (tangent,) = torch.func.vjp(pulled, torch.zeros_like(output))[1](tuple(tangents[i] for i in moving))
        except RecursionError as error:  # of a rule that is its own adjoint
            raise NotImplementedError(NO_FORWARD) from error
        return tangent


def custom_vjp_keeping(forward: Keeping, backward: Backward) -> Forward:
    """`custom_vjp` for a forward that also passes an array, or None, to its backward.

    forward(*arrays) -> value, kept; backward(cotangent, that of kept or None, value, kept, *arrays).
    """

    def call(*arrays: torch.Tensor) -> Array:
        apply: Keeping = KeepingRule.apply
        value, _ = apply(forward, backward, *_distinct(arrays)) if _recorded(arrays) else forward(*arrays)
        return value

    return call


class KeepingRule(torch.autograd.Function):
    """forward(*arrays) -> value, kept; the gradient is backward(of value, of kept or None, value, kept, *arrays)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(forward: Keeping, backward: Backward, *arrays: torch.Tensor) -> tuple[Array, Array | None]:
        return forward(*arrays)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor | None]) -> None:
        _, backward, *arrays = inputs
        ctx.pull = backward
        # The array kept gets a cotangent only where the gradient itself is differentiated.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*output, *arrays)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor | None, of_kept: torch.Tensor | None) -> tuple[Any, ...]:
        value, kept, *arrays = ctx.saved_tensors
        whole = torch.zeros_like(value) if cotangent is None else cotangent
        return None, None, *ctx.pull(whole, of_kept, value, kept, *arrays)


class Saving(Protocol):
    """A function of two arrays with a gradient in the second, made of what its forward saved."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The value, and arrays to save."""

    def backward(
        self, cotangent: torch.Tensor, saved: Sequence[torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """The gradient in y."""

    def plain(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The value, by operations that torch can differentiate as often as asked."""


class SavingRule(torch.autograd.Function):
    """f.forward(x, y), of arrays that no transform has touched, with a gradient in y alone."""

    @staticmethod
    def forward(ctx: Any, f: Saving, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        value, saved = f.forward(x, y)
        ctx.f = f
        ctx.save_for_backward(x, y, *saved)
        return value

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, y, *saved = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated, and what was saved has no past
            (gradient,) = torch.autograd.grad(ctx.f.plain(x, y), y, cotangent, create_graph=True)
        else:
            gradient = ctx.f.backward(cotangent, saved, x, y)
        return None, None, gradient


def is_transformed(*arrays: torch.Tensor) -> bool:
    """Whether torch.compile or a transform of torch.func sees something other than the arrays themselves."""
    if torch.compiler.is_compiling():
        return True
    return any(map(torch._C._functorch.is_functorch_wrapped_tensor, arrays))

"""Gradients of functions of trees of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.autodiff.arguments import Argnums, is_array, is_floating, positions, require_scalar
from kerneltools.autodiff.array import TapeArray, constant, lifted, newest
from kerneltools.autodiff.cotangents import copied
from kerneltools.autodiff.graph import Tape
from kerneltools.autodiff.operation import Operation, together
from kerneltools.backend import Backward, Forward
from kerneltools.trees import flatten, map_leaves


def value_and_grad(f: Callable[..., Array], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that returns (f(*args), gradient) for a scalar f.

    The gradient is a tree like the argument (a tuple of trees when `argnums` is a tuple): an array for each floating
    array, None for each other leaf (Python numbers are constants). Calls may be nested, for gradients of gradients.

    Raises TypeError, with the argument and the leaf, for integer or boolean arrays and for an argument without any
    array; ValueError if f returns no scalar.

    >>> from kerneltools.backend import backend
    >>> x = backend("numpy").asarray([1.0, 2.0])
    >>> value, gradient = value_and_grad(lambda x: (x * x) @ x)(x)
    >>> float(value), gradient.tolist()
    (9.0, [3.0, 12.0])
    """

    @wraps(f)
    def call(*args: Any, **settings: Any) -> tuple[Array, Any]:
        output, pull = _recorded(f, args, positions(argnums, args), settings)
        require_scalar(output)
        gradients = pull(namespace(output).ones_like(output), keep=False)
        return output, gradients if isinstance(argnums, tuple) else gradients[0]

    return call


def grad(f: Callable[..., Array], argnums: Argnums = 0) -> Callable[..., Any]:
    """Make the function that returns the gradient of a scalar f; see value_and_grad.

    >>> from kerneltools.backend import backend
    >>> x = backend("numpy").asarray(3.0)
    >>> float(grad(grad(lambda x: x**3))(x))
    18.0
    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def call(*args: Any, **settings: Any) -> Any:
        return both(*args, **settings)[1]

    return call


def vjp(f: Callable[..., Array], *args: Any) -> tuple[Array, Callable[[Array], tuple[Any, ...]]]:
    """Compute f(*args) and the function from a cotangent of that shape to the gradients, a tree for each argument.

    The function may be called several times. Leaves that are no floating arrays get None.
    Raises ValueError for a cotangent of another shape than the output's.

    >>> import numpy as np
    >>> from kerneltools.arrays import namespace
    >>> value, pull = vjp(lambda x: namespace(x).sum(x**2), np.asarray([1.0, 2.0]))
    >>> value, pull(np.asarray(1.0))
    (np.float64(5.0), (array([2., 4.]),))
    """
    output, pull = _recorded(f, args, tuple(range(len(args))), {})

    def pullback(cotangent: Array) -> tuple[Any, ...]:
        if tuple(cotangent.shape) != tuple(output.shape):
            raise ValueError(
                f"cotangent: expected the output's shape {tuple(output.shape)}, got {tuple(cotangent.shape)}"
            )
        if not is_floating(cotangent):
            raise TypeError(f"cotangent: expected a real floating-point array, got {cotangent.dtype}")
        xp = namespace(cotangent, output)
        return pull(xp.astype(cotangent, output.dtype, copy=False), keep=True)

    return output, pullback


def custom_vjp(forward: Forward, backward: Backward) -> Forward:
    """`forward` with a gradient written by hand.

    `forward(*arrays) -> array`; `backward(cotangent, output, *arrays)` returns an array, or None for zero, for
    each input. If gradients are nested, `backward` itself is recorded and differentiated.

    >>> import numpy as np
    >>> from kerneltools.autodiff import value_and_grad
    >>> rounded = custom_vjp(lambda x: np.round(x), lambda g, output, x: (g,))  # its gradient is that of x
    >>> value_and_grad(lambda x: rounded(x) @ x)(np.array([1.4, 2.6]))
    (array(9.2), array([2.4, 5.6]))
    """
    name = getattr(forward, "__name__", "custom_vjp")

    def rule(xp: Any, output: Array, *arrays: Array) -> Callable[[Array], tuple[Array | None, ...]]:
        return lambda g: _checked(name, arrays, backward(g, output, *arrays))

    return Operation(name, forward, together(rule))


def stop_gradient(array: Array) -> Array:
    """The same numbers as a plain, constant array.

    >>> import numpy as np
    >>> from kerneltools.arrays import namespace
    >>> from kerneltools.autodiff import grad
    >>> grad(lambda x: namespace(x).sum(x * stop_gradient(x)))(np.asarray([1.0, 2.0]))
    array([1., 2.])
    """
    return constant(array)


def _recorded(
    f: Callable[..., Array], args: Sequence[Any], numbers: tuple[int, ...], settings: dict[str, Any]
) -> tuple[Array, Callable[..., tuple[Any, ...]]]:
    """The output of f, and the pull from its cotangent to the gradients of the arguments `numbers`."""
    tape = Tape()
    traced = list(args)
    for number in numbers:
        traced[number] = map_leaves(lambda leaf: tape.trace(leaf) if is_floating(leaf) else leaf, args[number])
    try:
        result = f(*traced, **settings)
    finally:
        tape.close()
    on_tape = is_on(tape, result)
    trees = [traced[number] for number in numbers]

    def pull(cotangent: Array, *, keep: bool) -> tuple[Any, ...]:
        wanted = {leaf.place for tree in trees for leaf in flatten(tree)[0] if is_on(tape, leaf)}
        found = tape.sweep(result.place, _beside(result.value, cotangent), wanted, keep=keep) if on_tape else {}
        return tuple(map_leaves(lambda leaf: _gradient(tape, leaf, found), tree) for tree in trees)

    return (result.value if type(result) is TapeArray and result.tape is tape else result), pull


def _beside(value: Array, cotangent: Array) -> Array:
    """The cotangent, traced if the value is, so that the operators of rules meet no array of another kind."""
    outer = newest((value,))
    return cotangent if outer is None else lifted(cotangent, outer)


def is_on(tape: Tape, leaf: Any) -> bool:
    """Whether a leaf was traced on this very tape."""
    return type(leaf) is TapeArray and leaf.tape is tape and leaf.place is not None


def _gradient(tape: Tape, leaf: Any, found: dict[int, Array]) -> Array | None:
    if not is_on(tape, leaf):
        return None
    if leaf.place not in found:
        return namespace(leaf.value).zeros_like(leaf.value)
    return copied(found[leaf.place])


def _checked(name: str, arrays: Sequence[Array], cotangents: Sequence[Array | None]) -> tuple[Array | None, ...]:
    if len(cotangents) != len(arrays):
        raise ValueError(
            f"backward of {name}: expected {len(arrays)} cotangents, one for each input (None for zero), "
            f"got {len(cotangents)}"
        )
    return tuple(_fitted(name, k, *pair) for k, pair in enumerate(zip(arrays, cotangents, strict=True)))


def _fitted(name: str, number: int, array: Array, g: Array | None) -> Array | None:
    """A cotangent of the shape and in the type of its input."""
    if g is None or not is_array(array):
        return g
    if tuple(g.shape) != tuple(array.shape):
        raise ValueError(
            f"backward of {name}: cotangent {number} has shape {tuple(g.shape)}, its input {tuple(array.shape)}"
        )
    return g if g.dtype == array.dtype else namespace(g).astype(g, array.dtype)

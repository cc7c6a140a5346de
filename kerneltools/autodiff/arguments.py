"""Which arguments and leaves a gradient is taken with respect to, the same in every backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from kerneltools.arrays import Array, namespace
from kerneltools.trees import map_leaves, named_leaves

Argnums = int | tuple[int, ...]
# differentiate(g, arrays) -> (g(*arrays), the gradient for each array), for a g that gives a scalar.
Differentiate = Callable[[Callable[..., Array], list[Array]], tuple[Array, tuple[Array, ...]]]


def over_trees(differentiate: Differentiate, f: Callable[..., Array], argnums: Argnums) -> Callable[..., Any]:
    """`value_and_grad` of the Backend protocol, from a library's own for functions of several arrays."""

    @wraps(f)
    def call(*args: Any, **settings: Any) -> tuple[Array, Any]:
        numbers = positions(argnums, args)
        trees = tuple(args[number] for number in numbers)
        arrays: list[Array] = []
        map_leaves(lambda leaf: arrays.append(leaf) if is_array(leaf) else None, trees)

        def of_arrays(*values: Array) -> Array:
            supply = iter(values)
            replaced = dict(zip(numbers, map_leaves(lambda x: next(supply) if is_array(x) else x, trees), strict=True))
            output = f(*(replaced.get(number, arg) for number, arg in enumerate(args)), **settings)
            require_scalar(output)
            return output

        value, found = differentiate(of_arrays, arrays)
        supply = iter(found)
        gradients = map_leaves(lambda leaf: next(supply) if is_array(leaf) else None, trees)
        return value, gradients if isinstance(argnums, tuple) else gradients[0]

    return call


def positions(argnums: Argnums, args: tuple[Any, ...]) -> tuple[int, ...]:
    """`argnums` as numbers >= 0, each of an argument that can be differentiated with respect to.

    Raises ValueError for a position beyond the arguments and for equal ones, and TypeError like
    `require_differentiable`.
    """
    count = len(args)
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if not -count <= number < count:
            raise ValueError(f"argnums: expected positions among the {count} positional arguments, got {number}")
    numbers = tuple(number % count for number in numbers)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"argnums: expected different positions, got {argnums}")
    for number in numbers:
        require_differentiable(number, args[number])
    return numbers


def require_differentiable(number: int, argument: Any) -> None:
    """Raise TypeError, with argument and leaf, for integer or boolean arrays and for a tree without arrays."""
    leaves = [(f"argument {number}" + (f", {path}" if path else ""), leaf) for path, leaf in named_leaves(argument)]
    arrays = [(name, leaf) for name, leaf in leaves if is_array(leaf)]
    for name, leaf in arrays:
        if not is_floating(leaf):
            raise TypeError(
                f"{name}: expected a real floating-point array to differentiate with respect to, got {leaf.dtype}; "
                "convert it, or pass it as an argument outside argnums"
            )
    if not arrays:
        raise TypeError(
            f"argument {number}: expected at least one array to differentiate with respect to, got "
            f"{type(argument).__name__}; Python numbers are constants, convert them with xp.asarray"
        )


def require_scalar(output: Array) -> None:
    """Raise TypeError if the output of a function to differentiate is no array, ValueError if it is no scalar."""
    if not is_array(output):
        raise TypeError(f"f: expected a function that returns a scalar array, got {type(output).__name__}")
    if tuple(output.shape) != ():
        raise ValueError(
            f"f: expected a function that returns a scalar, got an array of shape {tuple(output.shape)}; "
            "sum it, or use vjp"
        )


def is_floating(leaf: Any) -> bool:
    """Whether a leaf is an array that can be differentiated with respect to."""
    return is_array(leaf) and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))


def is_array(leaf: Any) -> bool:
    """Whether a leaf is an array of any library."""
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")

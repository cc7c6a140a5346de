"""Functions of trees compiled as one program, where JAX would compile each of their operations."""

from collections.abc import Callable
from functools import partial
from numbers import Number
from typing import Any

import jax

from kerneltools.trees import Tree, child_names
from kerneltools_jax.pytrees import static_names

Typed = tuple[type, Any]


def as_program(body: Callable[..., Any]) -> Callable[..., Any]:
    """The body, compiled for each structure and shape of its arguments.

    Python numbers are constants of the program, since `if` in the body may test them: another number makes another
    program. If arguments hold anything else (arrays of other libraries, structure that cannot be compared), the body is
    called without compiling.
    """

    @partial(jax.jit, static_argnums=(0, 1))
    def compiled(structure: Any, constants: tuple[Typed | None, ...], arrays: list[jax.Array]) -> Any:
        supply = iter(arrays)
        leaves = [next(supply) if constant is None else constant[1] for constant in constants]
        return body(*jax.tree.unflatten(structure, leaves))

    def call(*arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(arguments)
        # With their types: 1 and 1.0 and True are equal, and would be one program.
        constants = tuple(None if isinstance(leaf, jax.Array) else (type(leaf), leaf) for leaf in leaves)
        known = all(constant is None or issubclass(constant[0], Number | str) for constant in constants)
        if not known or not _is_comparable(arguments):
            return body(*arguments)
        return compiled(structure, constants, [leaf for leaf in leaves if isinstance(leaf, jax.Array)])

    return call


def _is_comparable(value: Any) -> bool:
    """Whether the static fields of all trees inside can be compared."""
    if isinstance(value, tuple | list):
        return all(map(_is_comparable, value))
    if isinstance(value, dict):
        return all(map(_is_comparable, value.values()))
    if not isinstance(value, Tree):
        return True
    try:
        hash(tuple(getattr(value, name) for name in static_names(type(value))))
    except TypeError:
        return False
    return all(_is_comparable(getattr(value, name)) for name in child_names(value))

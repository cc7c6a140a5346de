"""How long functions are differentiated in the tests of all backends."""

from collections.abc import Callable
from typing import Any

from kerneltools.backend import Backend


def differentiated(library: Backend, f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """value_and_grad; compiled on JAX, which would otherwise compile each operation by itself, for half a minute."""
    found = library.value_and_grad(f, argnums)
    return library.jit(found) if library.name == "jax" else found

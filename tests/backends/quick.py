"""What compiled functions need in the tests of the backends."""

from collections.abc import Callable
from typing import Any

import pytest

from kerneltools.backend import Backend


def differentiated(library: Backend, f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """value_and_grad; compiled on JAX, which would otherwise compile each operation by itself, for half a minute."""
    found = library.value_and_grad(f, argnums)
    return library.jit(found) if library.name == "jax" else found


def own_warnings_of_compilation(test: Callable[..., None]) -> Callable[..., None]:
    """Torch's compiler warns of caches in array-api-compat that it looks through, and of a thing it does itself."""
    for message in ("ignore:Dynamo detected a call to a `functools.lru_cache`", "ignore:.* should not be instantiated"):
        test = pytest.mark.filterwarnings(message)(test)
    return test

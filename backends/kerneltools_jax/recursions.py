"""Recursions as compiled loops, where the generic bodies compile each step."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from kerneltools import transport
from kerneltools.arrays import Array
from kerneltools.patches import gapped


@partial(jax.jit, static_argnums=3)
def gapped_ends(responses: Array, places: Array, decay: Array | float, greatest: bool) -> Array:
    """One program for all sequences of a length."""
    n, (k, m) = places.shape[0], responses.shape[1:]
    join = jnp.maximum if greatest else jnp.add
    one = jnp.ones((n, 1, m), dtype=responses.dtype)

    def one_more(state: Array, place: Array) -> tuple[Array, Array]:
        b, before = responses[place], jnp.concatenate([one, state], axis=1)
        new = (before * b)[:, : k - 1]
        return join(decay * state, new).astype(state.dtype), before[:, k - 1] * b[:, k - 1]

    _, ends = jax.lax.scan(one_more, jnp.zeros((n, k - 1, m), dtype=responses.dtype), places.T)
    return ends


@jax.jit
def greatest_in_turn(values: Array) -> Array:
    """Like `gapped_ends`."""
    found: Array = jax.lax.scan(lambda best, new: (jnp.maximum(best, new), None), jnp.zeros_like(values[0]), values)[0]
    return found


@partial(jax.jit, static_argnums=2)
def sinkhorn(log_k: Array, log_a: Array, iterations: int) -> Array:
    """The same program for any number of iterations."""

    def one_more(logs: Array, _: None) -> tuple[Array, None]:
        return transport.sinkhorn_step(logs, log_a), None

    found: Array = jax.lax.scan(one_more, transport.sinkhorn_start(log_k, log_a), length=iterations - 1)[0]
    return found


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    gapped.gapped_ends: gapped_ends,
    gapped.greatest_in_turn: greatest_in_turn,
    transport.sinkhorn: sinkhorn,
}

"""Bodies that are faster on JAX than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax

from kerneltools import pairwise, primitives
from kerneltools.arrays import Array
from kerneltools_jax.gradients import custom_vjp


def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """JAX's own, instead of a product with the membership matrix."""
    return jax.ops.segment_sum(values, segments, num_segments=count)


def segment_max(values: Array, segments: Array, count: int) -> Array:
    """JAX's own, with the derivative that it lacks."""
    return _segment_max(count)(values, segments)


@cache
def _segment_max(count: int) -> Callable[..., Array]:
    def forward(values: Array, segments: Array) -> Array:
        return jax.ops.segment_max(values, segments, num_segments=count)

    def backward(cotangent: Array, greatest: Array, values: Array, segments: Array) -> tuple[Array, None]:
        hits = (values == greatest[segments]).astype(values.dtype)
        # Ties share evenly, as in the generic body.
        return hits / segment_sum(hits, segments, count)[segments] * cotangent[segments], None

    return custom_vjp(forward, backward)


def solve_triangular(factor: Array, rhs: Array) -> Array:
    """Substitution instead of a factorisation."""
    return jax.scipy.linalg.solve_triangular(factor, rhs, lower=True)


centred_distances = jax.jit(pairwise.centred_distances.generic)
centred_distances.__doc__ = """Compiled: the passes over memory between its two products become one."""


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.segment_sum: segment_sum,
    pairwise.centred_distances: centred_distances,
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
}

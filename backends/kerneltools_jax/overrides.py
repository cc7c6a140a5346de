"""Bodies that are faster on JAX than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax

from kerneltools import primitives
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


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.segment_sum: segment_sum,
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
}

"""Bodies that are faster on JAX than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from kerneltools import columns, pairwise, primitives
from kerneltools.arrays import Array
from kerneltools.columns import Term
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


def by_rows(x: Array, f: Callable[[Array], Array], block: int) -> Array:
    """In one piece: compiled blocks would be compiled one by one, and joining them takes as much memory."""
    return f(x)


def solve_triangular(factor: Array, rhs: Array) -> Array:
    """Substitution instead of a factorisation."""
    return jax.scipy.linalg.solve_triangular(factor, rhs, lower=True)


centred_distances = jax.jit(pairwise.centred_distances.generic)
centred_distances.__doc__ = """Compiled: the passes over memory between its two products become one."""


def column_sums(term: Term) -> Callable[..., Array]:
    """Compiled: the sum is taken as its terms are made, which blocks would only make long to compile."""

    @jax.jit
    def values(x: Array, y: Array) -> Array:
        return jnp.sum(term.value(x[:, :, None], y.T[None, :, :]), axis=1)

    return values


def column_pulls(term: Term) -> Callable[..., tuple[Array, Array]]:
    """One column after the other in a compiled loop: two sums of the same terms would be kept whole in memory."""

    @jax.jit
    def pull(cotangent: Array, x: Array, y: Array) -> tuple[Array, Array]:
        def of_column(pair: tuple[Array, Array]) -> tuple[Array, Array]:
            in_x, in_y = term.slopes(pair[0][:, None], pair[1][None, :])
            return jnp.sum(cotangent * in_x, axis=1), jnp.sum(cotangent * in_y, axis=0)

        of_x, of_y = jax.lax.map(of_column, (x.T, y.T))
        return of_x.T, of_y.T

    return pull


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.by_rows: by_rows,
    primitives.segment_sum: segment_sum,
    pairwise.centred_distances: centred_distances,
    **{s.values: column_sums(s.term) for s in columns.SUMS},
    **{s.pull: column_pulls(s.term) for s in columns.SUMS},
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
}

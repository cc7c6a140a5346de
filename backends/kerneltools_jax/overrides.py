"""Bodies that are faster on JAX than the generic ones (benchmarks/primitives.py measures them)."""

from collections.abc import Callable, Mapping
from functools import cache, partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

from kerneltools import columns, pairwise, pooling, primitives
from kerneltools.arrays import Array
from kerneltools.columns import OfDifference, Term
from kerneltools_jax import alignments, recursions
from kerneltools_jax.gradients import custom_vjp
from kerneltools_jax.programs import as_program


@partial(jax.jit, static_argnums=2)
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


def by_rows(x: Array, f: Callable[[Array], Array], block: int, *parts: Any) -> Array:
    """In one piece: compiled blocks would be compiled one by one, and joining them takes as much memory."""
    return f(x)


def smoothed(x: Array, pool: pooling.Gaussian) -> Array:
    """Weighted slices, which XLA sums as it computes them: products with small matrices take several passes."""
    body = partial(pooling.smoothed.generic, pool=pool)
    if pool.subsampling > LARGEST_SLICED:
        whole: Array = body(x)
        return whole

    def pull(cotangent: Array, found: Array, x: Array) -> tuple[Array]:
        # By products: slices would be spread and added one by one.
        (of_x,) = jax.linear_transpose(body, x)(cotangent)
        return (of_x,)

    return custom_vjp(partial(_sliced, pool), pull)(x)


LARGEST_SLICED = 8


@partial(jax.jit, static_argnums=0)
def _sliced(pool: pooling.Gaussian, x: Array) -> Array:
    s = pool.subsampling
    for axis in range(1, x.ndim - 1):
        reach = (pool.positions(x.shape[axis]) - 1) * s + 1
        padded = jnp.pad(x, [(s, s) if i == axis else (0, 0) for i in range(x.ndim)])
        slices = [jax.lax.slice_in_dim(padded, t, t + reach, s, axis) for t in range(2 * s + 1)]
        x = reduce(jnp.add, (weight * part for weight, part in zip(pool.weights, slices, strict=True)))
    return x


def solve_triangular(factor: Array, rhs: Array) -> Array:
    """Substitution instead of a factorisation."""
    return jax.scipy.linalg.solve_triangular(factor, rhs, lower=True)


@jax.jit
def scaled_distances(x: Array, y: Array, scale: Array) -> Array:
    """By one product, and from differences in blocks where it leaves too few digits; compiled, one of both for all."""
    n, m = x.shape[0], y.shape[0]
    if x.shape[1] <= FEW or not n * m:
        return _by_columns(x, y, scale)
    v = pairwise.about(pairwise.central(y), y, scale)

    def of_block(rows: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            square, unsure = pairwise.product_and_doubts(rows, y, scale, v)
        return jax.lax.cond(jnp.any(unsure), lambda: columns.square_sums.values(rows, y, scale), lambda: square)

    height = min(n, max(1, pairwise.BLOCK // m))
    whole = n // height * height
    found = jax.lax.map(of_block, x[:whole].reshape(-1, height, x.shape[1])).reshape(whole, m)
    return found if whole == n else jnp.concatenate([found, of_block(x[whole:])])


def weighted_differences(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, ...]:
    """A condition inside the compiled program chooses one of two ways."""
    far = pairwise.beyond_reach(x, y, scale)
    given = cotangent, x, y, scale
    found: tuple[Array, ...] = jax.lax.cond(far, pairwise.exact_differences, pairwise.centred_differences, *given)
    return found


FEW = 40
"""With so few columns, differences are as fast as a product and its many doubtful pairs."""


def _by_columns(x: Array, y: Array, scale: Array) -> Array:
    total = jnp.zeros((x.shape[0], y.shape[0]), dtype=jnp.result_type(x, y, scale))
    for j in range(x.shape[1]):
        total = total + jnp.square((x[:, j, None] - y[None, :, j]) * scale[j])
    return total


def column_sums(term: Term) -> Callable[..., Array]:
    """Compiled: the sum is taken as its terms are computed; blocks would only take long to compile."""

    @jax.jit
    def values(x: Array, y: Array) -> Array:
        return jnp.sum(term.value(x[:, :, None], y.T[None, :, :]), axis=1)

    return values


def difference_sums(f: OfDifference) -> Callable[..., Array]:
    """Like `column_sums`."""

    @jax.jit
    def values(x: Array, y: Array, scale: Array) -> Array:
        # XLA is some ten times as fast where the axis of the sum is the last.
        return jnp.sum(f.value((x[:, None, :] - y[None, :, :]) * scale), axis=2)

    return values


def difference_pulls(f: OfDifference) -> Callable[..., tuple[Array, Array, Array]]:
    """Like `column_pulls`."""

    @jax.jit
    def pull(cotangent: Array, x: Array, y: Array, scale: Array) -> tuple[Array, Array, Array]:
        def of_column(column: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            difference, s = column[0][:, None] - column[1][None, :], column[2]
            slope = cotangent * f.slope(s * difference)
            return s * jnp.sum(slope, axis=1), -s * jnp.sum(slope, axis=0), jnp.sum(slope * difference)

        of_x, of_y, of_scale = jax.lax.map(of_column, (x.T, y.T, scale))
        return of_x.T, of_y.T, of_scale

    return pull


def column_pulls(term: Term) -> Callable[..., tuple[Array, Array]]:
    """One column after the other in a compiled loop: two sums of the same terms would keep them all in memory."""

    @jax.jit
    def pull(cotangent: Array, x: Array, y: Array) -> tuple[Array, Array]:
        def of_column(pair: tuple[Array, Array]) -> tuple[Array, Array]:
            in_x, in_y = term.slopes(pair[0][:, None], pair[1][None, :])
            return jnp.sum(cotangent * in_x, axis=1), jnp.sum(cotangent * in_y, axis=0)

        of_x, of_y = jax.lax.map(of_column, (x.T, y.T))
        return of_x.T, of_y.T

    return pull


OVERRIDES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    primitives.program: as_program,
    **alignments.OVERRIDES,
    **recursions.OVERRIDES,
    primitives.by_rows: by_rows,
    primitives.segment_sum: segment_sum,
    primitives.owner_sum: segment_sum,
    pairwise.scaled_distances: scaled_distances,
    pairwise.weighted_differences: weighted_differences,
    **{s.values: column_sums(s.term) for s in columns.SUMS},
    **{s.pull: column_pulls(s.term) for s in columns.SUMS},
    **{s.values: difference_sums(s.of_difference) for s in columns.DIFFERENCE_SUMS},
    **{s.pull: difference_pulls(s.of_difference) for s in columns.DIFFERENCE_SUMS},
    pooling.smoothed: smoothed,
    primitives.segment_max: segment_max,
    primitives.solve_triangular: solve_triangular,
}

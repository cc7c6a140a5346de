"""All subsequences with gaps, without a table of them: recurrent kernel networks (Chen, Jacob and Mairal 2019)."""

from functools import reduce

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.precision import in_single


@in_single
def gapped_sum(values: Array, decay: Array | float) -> Array:
    """Σ over positions t₁ < ... < t_k of decay^gaps Π_j b_j(t_j): what a table of `Subsequences` sums.

    b (n, T, k, m), decay in [0, 1] -> (n, m)

    b_j(t): the response of item t to the filters' position j, 0 where there is no item. k products with a matrix
    (T, T) of powers of the decay, in place of binomially many terms. Differentiable in both.

    >>> import numpy as np
    >>> gapped_sum(np.ones((1, 3, 2, 1)), 0.5)  # two pairs without a gap, one with
    array([[2.5]])
    """
    xp = namespace(values, decay)
    weights = _powers(values, decay)
    # c_j(t) = b_j(t) Σ_{s < t} decay^(t - s - 1) c_{j - 1}(s)
    return xp.sum(reduce(lambda c, b: b * _before(weights, c), _positions(values)), axis=1)


@in_single
def gapped_max(values: Array, decay: Array | float, whitening: Array) -> Array:
    """The greatest projected value of the recursion with a maximum in the place of the sum, and no less than 0.

    b (n, T, k, m), decay, whitening (m, m) -> (n, m): with h_0 = 1, a_j(t) = h_{j - 1}(t - 1) b_j(t) and
    h_j(t) = max(decay h_j(t - 1), a_j(t)); what is pooled is a_k(t) W (Chen, Jacob and Mairal 2019, §3.3).
    """
    xp = namespace(values, decay, whitening)
    n, length, k, m = values.shape
    one = xp.ones((n, 1, m), dtype=values.dtype, device=device_of(values))
    state = xp.zeros((n, k, m), dtype=values.dtype, device=device_of(values))
    best = xp.zeros((n, m), dtype=values.dtype, device=device_of(values))
    for t in range(length):
        new = xp.concat([one, state[:, : k - 1, :]], axis=1) * values[:, t, :, :]
        state, best = xp.maximum(decay * state, new), xp.maximum(best, new[:, k - 1, :] @ whitening)
    return best


def _positions(values: Array) -> list[Array]:
    return [values[:, :, j, :] for j in range(values.shape[2])]


def _before(weights: Array, c: Array) -> Array:
    return namespace(weights, c).matmul(weights, c)


def _powers(like: Array, decay: Array | float) -> Array:
    """decay^(t - s - 1) for s < t, 0 elsewhere: (T, T)"""
    xp, length = namespace(like, decay), like.shape[1]
    t = xp.arange(length, dtype=like.dtype, device=device_of(like))
    gaps = t[:, None] - t[None, :] - 1
    # Of no gap the power is 1 for decay = 0 too, and its slope 0.
    powers = xp.where(gaps > 0, decay ** xp.where(gaps > 0, gaps, xp.ones_like(gaps)), xp.ones_like(gaps))
    return xp.where(gaps >= 0, powers, xp.zeros_like(gaps))

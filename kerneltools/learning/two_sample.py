"""Do two samples have the same distribution? The maximum mean discrepancy, on features."""

from typing import Any

from kerneltools.arrays import Array, asarray_like, device_of, namespace, require_together
from kerneltools.learning.features import FeatureMap, features_of
from kerneltools.learning.permutation import PermutationTest, permutation_test
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.structures.base import like_of, require_examples


def mmd(phi: FeatureMap, x: Array, y: Array, block: int = 4096) -> Array:
    """The squared maximum mean discrepancy |E φ(x) - E φ(y)|², estimated without bias.

    map of (n, d) -> (n, m), x (n, d), y (p, d) -> (), in float64 if the library has it

    The estimate MMD²_u of Gretton et al. 2012, Lemma 6, for the kernel φ(x)·φ(y): means over pairs of different rows,
    from sums of features in time linear in n + p. It is negative about half the time if both samples have the same
    distribution. Memory is O((n + p) m). Differentiable in x, y and the map.

    Raises ValueError for fewer than 2 rows in either and for NaN with its place.

    >>> import numpy as np
    >>> x, y = np.asarray([[0.0], [2.0]]), np.asarray([[3.0], [5.0]])
    >>> float(mmd(lambda rows: rows, x, y))  # 0 * 2 + 3 * 5 - 2 * (0 + 2) / 2 * (3 + 5) / 2
    7.0
    """
    pooled, n = _pooled(phi, x, y, block)
    xp = namespace(pooled)
    first = xp.ones((1, n), dtype=pooled.dtype, device=device_of(pooled))
    second = xp.zeros((1, pooled.shape[0] - n), dtype=pooled.dtype, device=device_of(pooled))
    return _unbiased(pooled, xp.concat([first, second], axis=1), n)[0]


def two_sample_test(
    phi: FeatureMap,
    x: Array,
    y: Array,
    rng: Rng,
    *,
    permutations: int = 499,
    block: int = 4096,
    progress: Progress = silent,
) -> PermutationTest:
    """Test the hypothesis that x and y have the same distribution, by `mmd` under permutations of the pooled rows.

    map of (n, d) -> (n, m), x (n, d), y (p, d) -> p-value

    A small p-value speaks against the hypothesis. The level holds for any map that was not fitted to the division into
    samples. The map decides which differences are detected: all of them, in the limit, for features of a characteristic
    kernel such as the Gaussian. Time is O(permutations (n + p) m). `progress`: is told of the stage "permutations".

    Raises ValueError for fewer than 2 rows in either, for permutations < 1 and for NaN with its place.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((50, 1))
    >>> two_sample_test(lambda rows: rows, x[:25, :], x[25:, :] + 2.0, rng=0).p_value
    0.002
    """
    pooled, n = _pooled(phi, x, y, block)

    def statistic(orders: Any) -> Array:
        return _unbiased(pooled, asarray_like((orders < n).astype(float), pooled), n)

    return permutation_test(statistic, pooled, permutations, rng, progress=progress)


def _pooled(phi: FeatureMap, x: Array, y: Array, block: int) -> tuple[Array, int]:
    """The features of both, minus their common mean, on which the statistic does not depend."""
    require_examples(x=x)
    require_examples("(p, d)", y=y)
    require_together(x=like_of(x), y=like_of(y))
    first, second = features_of(phi, x, block, 2), features_of(phi, y, block, 2, "y")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"y: expected the columns of x of shape {tuple(x.shape)}, got shape {tuple(y.shape)}")
    xp = namespace(first, second)
    pooled = xp.concat([first, second])
    return pooled - xp.mean(pooled, axis=0), x.shape[0]


def _unbiased(pooled: Array, first: Array, n: int) -> Array:
    """MMD²_u, where the rows with a 1 are the first sample: (N, m), (b, N) with n ones in each row -> (b,)"""
    xp, p = namespace(pooled, first), pooled.shape[0] - n
    norms, total = xp.sum(pooled * pooled, axis=1), xp.sum(pooled, axis=0)
    sums, own = xp.matmul(first, pooled), xp.matmul(first, norms)
    other, others = total - sums, xp.sum(norms) - own
    within = (xp.sum(sums * sums, axis=1) - own) / (n * (n - 1))
    within_other = (xp.sum(other * other, axis=1) - others) / (p * (p - 1))
    return within + within_other - 2 * xp.sum(sums * other, axis=1) / (n * p)

"""Are two variables independent? The Hilbert-Schmidt independence criterion, on features."""

from typing import Any

from kerneltools.arrays import Array, indices_like, namespace, require_together
from kerneltools.learning.features import FeatureMap, features_of
from kerneltools.learning.permutation import PermutationTest, permutation_test
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.structures.base import like_of, require_examples
from kerneltools.trees import together


def hsic(phi: FeatureMap, psi: FeatureMap, x: Array, y: Array, block: int = 4096) -> Array:
    """The squared norm of the covariance between the features φ(x) and ψ(y).

    maps of (n, d) -> (n, m) and (n, e) -> (n, l), x (n, d), y (n, e) -> (), in float64 if the library has it

    |Φ'HΨ|² / n² with H = I - 11'/n: tr(K H L H) / n² for the kernels φ(x)·φ(x') and ψ(y)·ψ(y'), the estimate of
    Gretton et al. 2005 with n² in place of (n - 1)². Memory is O(n (m + l)), time O(n m l). Differentiable in x, y
    and the maps.

    Raises ValueError for fewer than 2 rows, for unequal numbers of rows and for NaN with its place.

    >>> import numpy as np
    >>> x = np.asarray([[-1.0], [1.0], [-1.0], [1.0]])
    >>> float(hsic(lambda rows: rows, lambda rows: rows, x, 3 * x))
    9.0
    """
    return _criterion(*_both(phi, psi, x, y, block))


def independence_test(
    phi: FeatureMap,
    psi: FeatureMap,
    x: Array,
    y: Array,
    rng: Rng,
    *,
    permutations: int = 499,
    block: int = 4096,
    progress: Progress = silent,
) -> PermutationTest:
    """Test the hypothesis that x and y are independent, by `hsic` under permutations of the rows of y.

    maps of (n, d) -> (n, m) and (n, e) -> (n, l), x (n, d), y (n, e) -> p-value

    A small p-value speaks against the hypothesis. The level holds for any maps that were not fitted to the pairs.
    Features of characteristic kernels detect all dependences in the limit. Time is O(permutations n m l). `progress`:
    is told of the stage "permutations".

    Raises ValueError for fewer than 2 rows, for unequal numbers of rows, for permutations < 1 and for NaN, with
    its place.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((60, 1))
    >>> independence_test(np.abs, np.abs, x, -x, rng=0).p_value
    0.002
    """
    first, second = _both(phi, psi, x, y, block)
    xp = namespace(first, second)

    def statistic(orders: Any) -> Array:
        values = [_criterion(first, xp.take(second, indices_like(order, second), axis=0)) for order in orders]
        return xp.stack(values)

    return permutation_test(statistic, first, permutations, rng, progress=progress)


def _both(phi: FeatureMap, psi: FeatureMap, x: Array, y: Array, block: int) -> tuple[Array, Array]:
    """The features of both, each minus their mean."""
    require_examples(x=x)
    require_examples("(n, e)", y=y)
    require_together(x=like_of(x), y=like_of(y))
    first, second = features_of(phi, x, block, 2), features_of(psi, y, block, 2, "y")
    if first.shape[0] != second.shape[0]:
        raise ValueError(f"x, y: expected as many rows in both, got {first.shape[0]} and {second.shape[0]}")
    xp = namespace(first, second)
    return first - xp.mean(first, axis=0), second - xp.mean(second, axis=0)


def _criterion(first: Array, second: Array) -> Array:
    first, second = together(first, second)
    xp = namespace(first)
    covariance = xp.matrix_transpose(first) @ second / first.shape[0]
    return xp.sum(covariance * covariance)

"""Recursive sampling by ridge leverage scores."""

from dataclasses import dataclass
from math import ceil, log

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, check_examples, drawn_by_weight, seen, warn_reduced
from kerneltools.landmarks.leverage import Dictionary, LeverageScores, leverage_scores
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class RidgeLeverage:
    """m rows, drawn without replacement in proportion to their estimated ridge leverage scores.

    Musco and Musco 2017, Algorithm 3: the scores of all rows are estimated from a sample of a random half of them,
    the scores of that half from a sample of a half of the half, and so on. The ridge is the mean of the eigenvalues
    beyond the k-th, k ≈ m / (4 log m). For any positive semi-definite kernel, from O(n m) of its values in O(n m²)
    operations; `block` rows at a time, so that memory is O(block m).

    With weights, scores are those of the matrix of entries sqrt(w_i w_j) k(x_i, x_j). Equal rows make one landmark: if
    fewer than m differ, fewer are returned, with a ReducedWarning. Raises ValueError for m < 1, for x with NaN, for
    weights that are negative, not finite or all 0, and for a kernel that turns out to be indefinite.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> RidgeLeverage(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    block: int = 8192

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_examples(x, self.m)
        draws, data = generator(rng), seen(x, weights)
        leverage, n = leverage_scores(kernel, data, self.block), data.x.shape[0]
        order = draws.permutation(n)
        sizes = [n]
        while sizes[-1] > self.m:
            sizes.append(-(-sizes[-1] // 2))
        picks = order[: sizes.pop()]
        scores = namespace(leverage.diagonal).ones_like(leverage.diagonal[picks])
        dictionary, k = Dictionary(picks, scores), ceil(self.m / (4 * log(self.m + 1)))
        for step, size in enumerate(reversed(sizes), start=1):
            scores = leverage(dictionary, _ridge(leverage, dictionary, k), order[:size])
            progress("landmarks", step, len(sizes))
            probabilities = (scores * log(k + 1)).clip(0.0, 1.0)
            kept = draws.random(size) < probabilities
            if kept.any():
                dictionary = Dictionary(order[:size][kept], probabilities[kept])
        indices = drawn_by_weight(data.x, scores[order.argsort()], self.m, draws)
        warn_reduced(self.m, len(indices), "distinct rows", data.x.shape[0])
        return data.landmarks(indices)


def _ridge(leverage: LeverageScores, dictionary: Dictionary, k: int) -> Host:
    """The sum of the eigenvalues beyond the k-th, divided by k, of the matrix that the dictionary stands for."""
    host = namespace(dictionary.probabilities)
    weights = 1 / host.sqrt(dictionary.probabilities)
    values = host.linalg.eigvalsh(weights[:, None] * leverage.gram(dictionary.picks) * weights)
    return max(float(values[: max(len(values) - k, 0)].sum()) / k, leverage.least_ridge)

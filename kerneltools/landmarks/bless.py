"""Ridge leverage scores computed from the bottom up."""

from dataclasses import dataclass
from math import ceil
from typing import Any

from kerneltools.arrays import Array, namespace, require_number
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Host, Landmarks, Seen, check_examples, drawn_by_weight, seen, warn_reduced
from kerneltools.landmarks.leverage import Dictionary, leverage_scores
from kerneltools.precision import in_single
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class BLESS:
    """m rows, drawn by their ridge leverage scores at a ridge that is halved until it is small enough for m.

    Rudi, Calandriello, Carratino and Rosasco 2018, in the form BLESS-R: at each ridge λ n, a uniform sample of
    `oversampling` k_max / λ rows gets scores from the sample of the previous ridge, and is thinned by them. It ends
    when the scores of all rows would add up to m / `oversampling`. For any positive semi-definite kernel. Only the
    diagonal is computed for all rows, so that the cost does not depend on n while k_max / λ is below n; above, it is
    that of `RidgeLeverage`. `block` rows at a time: memory is O(block m).

    With weights, the matrix has the entries sqrt(w_i w_j) k(x_i, x_j). Equal rows make one landmark: if fewer than m
    differ, fewer are returned, with a ReducedWarning. Raises ValueError for m < 1, for oversampling < 1, for x with
    NaN, for weights that are negative, not finite or all 0, and for a kernel that turns out to be indefinite.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> BLESS(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int
    oversampling: float = 2.0
    block: int = 8192

    def __post_init__(self) -> None:
        require_number("oversampling", self.oversampling, least=1.0)

    @in_single
    def __call__(
        self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None, progress: Progress = silent
    ) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_examples(x, self.m)
        draws, data = generator(rng), seen(x, weights)
        indices = drawn_by_weight(data.x, self._scores(kernel, data, draws, progress), self.m, draws)
        warn_reduced(self.m, len(indices), "distinct rows", data.x.shape[0])
        return data.landmarks(indices)

    def _scores(self, kernel: Kernel, data: Seen, draws: Any, progress: Progress) -> Host:
        """The scores of all rows; 0 for rows that are not in the last sample."""
        leverage, n = leverage_scores(kernel, data, self.block), data.x.shape[0]
        greatest = float(leverage.diagonal.max())
        nothing = draws.permutation(n)[:0]
        dictionary, level = Dictionary(nothing, leverage.diagonal[nothing]), greatest
        step = 0
        while True:
            step, level = step + 1, level / 2
            among = draws.choice(n, size=min(n, ceil(self.oversampling * greatest / level)), replace=False)
            scores, share = leverage(dictionary, level * n, among), len(among) / n
            progress("landmarks", step, 0)
            if self.oversampling * scores.sum() >= share * self.m or level * n <= leverage.least_ridge:
                everywhere = namespace(scores).zeros_like(leverage.diagonal)
                everywhere[among] = scores
                return everywhere
            probabilities = (self.oversampling * scores).clip(0.0, share)
            kept = share * draws.random(len(among)) < probabilities
            dictionary = Dictionary(among[kept], probabilities[kept])

"""Landmarks drawn at random."""

from dataclasses import dataclass

from kerneltools.arrays import Array
from kerneltools.kernels import Kernel
from kerneltools.landmarks.base import Landmarks, check_examples, drawn, seen, warn_reduced
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class Uniform:
    """m distinct rows, drawn uniformly without replacement, or in proportion to their weights.

    Equal rows make one landmark. Raises ValueError for m < 1, for x without rows or with NaN, and for weights that are
    negative, not finite or all 0.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> Uniform(10)(Gaussian(1.0), x, rng=0).points.shape
    (10, 2)
    """

    m: int

    def __call__(self, kernel: Kernel, x: Array, rng: Rng, *, weights: Array | None = None) -> Landmarks:
        """(n, d), weights (n,) >= 0 or None -> (m, d)"""
        check_examples(x, self.m)
        part = seen(x, weights)
        picked = drawn(part.x, part.weights, self.m, generator(rng))
        warn_reduced(self.m, len(picked), "distinct rows", part.x.shape[0])
        return part.landmarks(picked)

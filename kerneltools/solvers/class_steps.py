"""How far each class goes along its own direction: the exact minimum on each line, at the cost of one pass."""

from dataclasses import dataclass
from math import inf

from kerneltools.arrays import Array, namespace
from kerneltools.primitives import reciprocal
from kerneltools.solvers.losses import Loss

TRIALS = 100
"""The most lengths that are tried."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The objective on one line for each class; the lines are independent for a loss that is `by_class`.

    `scores`, `changes` (n, k): at length 0, and what a length 1 adds; `slope`, `curvature` (k,): of the penalty;
    `shares` (n,): the weights of the rows, of sum 1. For other losses there is one line for all classes: then these are
    (1,), and so are lengths.
    """

    loss: Loss
    scores: Array
    changes: Array
    targets: Array
    slope: Array
    curvature: Array
    shares: Array

    def value(self, lengths: Array) -> float:
        """The mean loss at a length for each class, without the penalty."""
        return float(self.shares @ self.loss(self.scores + lengths * self.changes, self.targets))

    def slopes(self, lengths: Array) -> Array:
        """The derivative on each line: (k,) -> (k,)"""
        return self._slopes_and_bends(lengths)[0]

    def lowest(self) -> Array:
        """The length >= 0 of the least value on each line, which goes down at 0: (k,)

        The slope grows with the length, so the length lies between one that is too short and one that is too long. It
        is found by Newton's method while that stays between them, with every third step half way.
        """
        xp = namespace(self.scores)
        short, long = xp.zeros_like(self.slope), xp.full_like(self.slope, inf)
        length, rounding = xp.ones_like(self.slope), 4 * xp.finfo(self.slope.dtype).eps
        for number in range(TRIALS):
            slopes, bends = self._slopes_and_bends(length)
            down = slopes < 0
            short, long = xp.where(down, length, short), xp.where(down, long, length)
            halfway = xp.where(long < inf, (short + xp.where(long < inf, long, short)) / 2, 2 * length)
            newton = length - slopes * reciprocal(bends)
            trusted = (newton > short) & (newton < long) & (newton < 10 * length)
            following = halfway if number % 3 == 2 else xp.where(trusted, newton, halfway)
            following = xp.where(slopes == 0, length, following)
            settled = bool(xp.all(xp.abs(following - length) <= rounding * length))
            length = following
            if settled:
                break
        return length

    def _slopes_and_bends(self, lengths: Array) -> tuple[Array, Array]:
        """The first and the second derivative: (k,) -> (k,), (k,)"""
        xp, scores = namespace(self.scores), self.scores + lengths * self.changes
        slopes = self.shares @ (self.loss.gradient(scores, self.targets) * self.changes)
        bends = self.shares @ (self.loss.hessian(scores, self.targets, self.changes) * self.changes)
        if not self.loss.by_class:
            slopes, bends = xp.sum(slopes, keepdims=True), xp.sum(bends, keepdims=True)
        return slopes + self.slope + lengths * self.curvature, bends + self.curvature


def curved(x: Array, curvature: Array) -> tuple[Array, Array]:
    """The rows with a curvature: few, once most meet their margin. (n, d), (n,) -> (b, d), (b,)"""
    xp = namespace(x, curvature)
    # Powers of 2: a library that compiles for each shape meets few, and rows of curvature 0 add nothing.
    count = min(1 << int(xp.count_nonzero(curvature)).bit_length(), x.shape[0])
    if count == x.shape[0]:
        return x, curvature
    rows = xp.argsort(curvature, descending=True)[:count]
    return xp.take(x, rows, axis=0), xp.take(curvature, rows, axis=0)

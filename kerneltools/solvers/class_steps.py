"""How far each class goes along its own direction: the exact minimum on each line, at the cost of one pass."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace
from kerneltools.solvers.losses import Loss

DOUBLINGS, HALVINGS = 60, 40


@dataclass(frozen=True, eq=False)
class Lines:
    """The objective on one line for each class, which are independent for a loss that is `by_class`.

    `scores`, `changes` (n, k): at length 0, and what a length 1 adds; `slope`, `curvature` (k,): of the penalty;
    `shares` (n,): the weights of the rows, of sum 1.
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
        gradient = self.loss.gradient(self.scores + lengths * self.changes, self.targets)
        return self.shares @ (gradient * self.changes) + self.slope + lengths * self.curvature

    def lowest(self) -> Array:
        """The length >= 0 of the least value on each line, which goes down at 0: (k,)

        The slope grows with the length, so that it is found between a length that is too short and one too long.
        """
        xp = namespace(self.scores)
        short, long = xp.zeros_like(self.slope), xp.ones_like(self.slope)
        for _ in range(DOUBLINGS):
            down = self.slopes(long) < 0
            if not bool(xp.any(down)):
                break
            short, long = xp.where(down, long, short), xp.where(down, 2 * long, long)
        for _ in range(HALVINGS):
            middle = (short + long) / 2
            down = self.slopes(middle) < 0
            short, long = xp.where(down, middle, short), xp.where(down, long, middle)
        return (short + long) / 2


def curved(x: Array, curvature: Array) -> tuple[Array, Array]:
    """The rows that have a curvature: few, once most meet their margin. (n, d), (n,) -> (b, d), (b,)"""
    xp = namespace(x, curvature)
    # Powers of 2: a library that compiles for each shape meets few, and rows of curvature 0 add nothing.
    count = min(1 << int(xp.count_nonzero(curvature)).bit_length(), x.shape[0])
    if count == x.shape[0]:
        return x, curvature
    rows = xp.argsort(curvature, descending=True)[:count]
    return xp.take(x, rows, axis=0), xp.take(curvature, rows, axis=0)

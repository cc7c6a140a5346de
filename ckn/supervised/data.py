"""What a training learns from."""

from dataclasses import dataclass

from ckn.head import one_vs_rest
from kerneltools.arrays import Array


@dataclass(frozen=True, eq=False)
class Data:
    """Training images (n, *grid, c), their class numbers (n,), and the seed of all draws."""

    images: Array
    numbers: Array
    classes: int
    seed: int

    @property
    def targets(self) -> Array:
        """+1 in the column of the class, -1 elsewhere: (n, classes)."""
        return one_vs_rest(self.numbers, self.classes, self.images)

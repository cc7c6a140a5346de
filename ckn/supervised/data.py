"""The data of a training."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ckn.head import one_vs_rest
from ckn.targets import explained
from kerneltools.arrays import Array, namespace
from kerneltools.structures import count, take


@dataclass(frozen=True, eq=False)
class Data:
    """Training images (n, *grid, c) or n objects, their targets, and the seed of all draws.

    `wanted`: their class numbers (n,), below `classes`; or, if `classes` is None, numbers to predict (n, q). `place`:
    an array in the library, type and device to compute in; by default the images.
    """

    examples: Any
    wanted: Array
    classes: int | None
    seed: int
    place: Array | None = None

    def __len__(self) -> int:
        return count(self.examples)

    @property
    def like(self) -> Array:
        """An array in the library, type and device to compute in."""
        return self.examples if self.place is None else self.place

    @property
    def targets(self) -> Array:
        """+1 in the column of the class, -1 elsewhere (n, classes), or the numbers to predict (n, q)."""
        return self.wanted if self.classes is None else one_vs_rest(self.wanted, self.classes, self.like)

    @property
    def outputs(self) -> int:
        """How many scores each example has."""
        return int(self.wanted.shape[1]) if self.classes is None else self.classes

    def quality(self, pairs: Iterable[tuple[Array, Array]]) -> float:
        """How good scores (b, k) are for targets (b, k): the share in their class, or R² for numbers to predict."""
        return share_right(pairs) if self.classes is not None else explained_by(pairs)

    def taken(self, numbers: Any) -> tuple[Any, Array]:
        """The examples with these numbers, and their targets."""
        return take(self.examples, numbers), take(self.targets, numbers)


def share_right(pairs: Iterable[tuple[Array, Array]]) -> float:
    """The share of examples that are put in their class, from pairs of scores (b, k) and targets (b, k)."""
    right = seen = 0
    for scores, targets in pairs:
        xp = namespace(scores)
        right += int(xp.count_nonzero(xp.argmax(scores, axis=1) == xp.argmax(targets, axis=1)))
        seen += int(scores.shape[0])
    return right / seen


def explained_by(pairs: Iterable[tuple[Array, Array]]) -> float:
    """R² of predictions, from pairs of them (b, q) and targets (b, q)."""
    held = [(scores, targets) for scores, targets in pairs]
    xp = namespace(held[0][0])
    return explained(*(xp.concat([pair[i] for pair in held]) for i in range(2)))

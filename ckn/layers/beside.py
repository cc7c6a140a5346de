"""Layers that see the same items, side by side: windows of several sizes, or with several dilations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckn.layers.laid import ObjectSpec
from kerneltools.arrays import is_whole


@dataclass(frozen=True)
class Beside:
    """Layers beside each other: each sees the items of the layer below, and the items of all stand side by side.

    (N, d) -> (owners, filters of all)

    Their parts have the same owners: windows of several sizes or dilations with `by_item=True`, one of which begins at
    each item; or paths, some of which begin at each node. Each layer learns filters of its own. The next layer, if
    there is one, sees the columns of all as one item. Raises ValueError for fewer than two layers, TypeError for layers
    that are not for objects.

    >>> import numpy as np
    >>> from ckn import Architecture, PartSpec, fit_unsupervised
    >>> from kerneltools.patches import PartMax, Windows
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of_padded(np.random.default_rng(0).standard_normal((5, 20, 1)))
    >>> scales = Beside(tuple(PartSpec(4, Windows(5, dilation=d, by_item=True)) for d in (1, 2, 4)))
    >>> fit_unsupervised(Architecture((scales,), PartMax()), x, rng=0)(x).shape
    (5, 12)
    """

    specs: tuple[ObjectSpec, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.specs, tuple | list) or len(self.specs) < 2:
            raise ValueError(f"specs: expected a tuple of at least two layers, got {self.specs!r:.80}")
        for spec in self.specs:
            if not isinstance(spec, ObjectSpec) or isinstance(spec, type):
                raise TypeError(f"specs: expected layers for objects, such as PartSpec(...), got {spec!r:.80}")
        object.__setattr__(self, "specs", tuple(self.specs))

    @property
    def filters(self) -> int:
        """How many filters all layers learn together."""
        return sum(spec.filters for spec in self.specs)


def grouped(layers: Sequence[Any], beside: tuple[int, ...]) -> tuple[tuple[Any, ...], ...]:
    """Layers in order, with those beside each other together; () if none are.

    >>> grouped("abcd", (3, 1))
    (('a', 'b', 'c'), ('d',))
    """
    ends = np.cumsum(beside or (1,) * len(layers)).tolist()
    return tuple(tuple(layers[start:end]) for start, end in zip([0, *ends], ends, strict=False))


def require_groups(layers: Sequence[Any], beside: Any) -> None:
    """Raise ValueError unless `beside` divides so many layers into groups beside each other."""
    whole = isinstance(beside, tuple) and all(is_whole(count) for count in beside)
    if not whole or (beside and sum(beside) != len(layers)):
        raise ValueError(f"beside: expected integers >= 1 with the sum {len(layers)}, got {beside!r:.80}")


def left_by(stage: Sequence[Any], structures: Sequence[Any]) -> Any:
    """The structure that layers beside each other leave. Raises ValueError if they leave several."""
    first = structures[0]
    for layer, other in zip(stage, structures, strict=True):
        if not np.array_equal(first.offsets, other.offsets):
            raise ValueError(
                f"layers beside each other: expected parts of the same owners, got {int(first.offsets[-1])} of "
                f"{stage[0].structure!r:.80} and {int(other.offsets[-1])} of {layer.structure!r:.80}; windows have "
                "those of their sequences with by_item=True and one stride"
            )
    return first

"""Parts of sequences: windows, elements, and subsequences with gaps."""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.patches.parts import NOTHING, Parts, empty, of_counts
from kerneltools.random import Rng
from kerneltools.structures import Graphs
from kerneltools.structures.base import offsets_of
from kerneltools.trees import Tree, static

LARGEST_TABLE = 2**24
"""The most subsequences of a table."""


@dataclass(frozen=True)
class Windows(Tree):
    """Windows of `size` items, every `stride` items, with items `dilation` apart; each window is its own owner.

    An object of T items has (T - (size - 1) dilation - 1) // stride + 1 windows, or none if it is shorter. `partial`:
    include windows that begin inside an object and extend beyond its end, where items are missing. `by_item`: the
    owners are every `stride`-th item, of the window that begins there, if there is one, so that windows of several
    sizes and dilations have the same owners. With a dilation, windows are the delay vectors of a series (Takens 1981).

    >>> from kerneltools.structures import Strings
    >>> Windows(2)(Strings.of(["ACG", "T"])).index.tolist()
    [[0, 1], [1, 2]]
    >>> Windows(2)(Strings.of(["ACG", "T"])).owners, Windows(2, by_item=True)(Strings.of(["ACG", "T"])).owners
    (2, 4)
    """

    size: int = static(3)
    stride: int = static(1)
    dilation: int = static(1)
    partial: bool = static(False)
    by_item: bool = static(False)

    def __post_init__(self) -> None:
        for name in ("size", "stride", "dilation"):
            require_count(name, getattr(self, name))

    def __call__(self, x: Any, rng: Rng = 0) -> Parts:
        """Sequences (strings or arrays) -> parts, sorted by their items. Raises TypeError for graphs."""
        _require_sequences(x, self)
        lengths, reach = x.lengths, 0 if self.partial else (self.size - 1) * self.dilation
        counts = np.maximum((lengths - reach - 1) // self.stride + 1, 0)
        run, place = of_counts(counts)
        first = place * self.stride
        within = first[:, None] + np.arange(self.size) * self.dilation
        index = np.where(within < lengths[run][:, None], x.offsets[run][:, None] + within, NOTHING)
        offsets = offsets_of((lengths - 1) // self.stride + 1 if self.by_item else counts)
        return Parts(index, offsets[:-1][run] + place, offsets)


@dataclass(frozen=True)
class Elements(Tree):
    """Each item is a part and its own owner: for sets, and for a layer on single points.

    >>> from kerneltools.structures import Strings
    >>> Elements()(Strings.of(["ACG", "T"])).index.tolist()
    [[0], [1], [2], [3]]
    """

    def __call__(self, x: Any, rng: Rng = 0) -> Parts:
        """Any collection of items with `offsets` -> parts"""
        numbers = np.arange(int(x.offsets[-1]))
        return Parts(numbers[:, None], numbers, x.offsets)


@dataclass(frozen=True)
class Subsequences(Tree):
    """All tuples of `size` items in order, with the weight decay^gaps; their owner is the object.

    The slow reference for recursions over gaps: there are binomially many, and a table of more than 2²⁴ is refused.

    >>> from kerneltools.structures import Strings
    >>> pairs = Subsequences(2, decay=0.5)(Strings.of(["ACG"]))
    >>> pairs.index.tolist(), pairs.weight
    ([[0, 1], [0, 2], [1, 2]], array([1. , 0.5, 1. ]))
    """

    size: int = static(3)
    decay: float = static(0.5)

    def __post_init__(self) -> None:
        require_count("size", self.size)
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay: expected a number in [0, 1], got {self.decay!r}")

    def __call__(self, x: Any, rng: Rng = 0) -> Parts:
        """Sequences -> parts. Raises ValueError if there are too many, TypeError for graphs."""
        _require_sequences(x, self)
        objects, counts = offsets_of(np.ones(len(x), dtype=np.int64)), [comb(int(t), self.size) for t in x.lengths]
        if sum(counts) > LARGEST_TABLE:
            raise ValueError(
                f"x: {sum(counts):.1e} subsequences of {self.size} items are more than the {LARGEST_TABLE:.1e} of a "
                f"table, for sequences of up to {int(x.lengths.max())} items; take the recursion over gaps"
            )
        tables = [np.array(list(combinations(range(int(t)), self.size)), dtype=np.int64) for t in x.lengths]
        tables = [table.reshape(-1, self.size) + start for table, start in zip(tables, x.offsets[:-1], strict=True)]
        if not sum(counts):
            return empty(self.size, objects)
        index = np.concatenate(tables)
        gaps = index[:, -1] - index[:, 0] - (self.size - 1)
        return Parts(index, np.repeat(np.arange(len(x)), counts), objects, float(self.decay) ** gaps)


def _require_sequences(x: Any, extractor: Any) -> None:
    if isinstance(x, Graphs):
        raise TypeError(
            f"x: expected sequences, for {extractor!r}, got {x!r:.80}, whose nodes have no order; parts of graphs are "
            "those of kerneltools.patches.Paths, Walks, Neighbours and Elements"
        )

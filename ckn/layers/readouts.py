"""Readouts made of others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckn.layers.laid import AnyReadout, ReadoutSpec, Runs, ends_of, width_of
from kerneltools.arrays import Array, namespace
from kerneltools.structures.base import Host
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class Joined(Tree):
    """Several readouts of the same items, with their features one behind the other.

    items (N, d), which end with zeros, tables -> (n or more, features of all)

    Means tell how much there is of each motif, maxima whether it is there at all: `Joined((PartMean(), PartMax()))`.
    Raises ValueError for fewer than two.

    >>> import numpy as np
    >>> from ckn import Architecture, PartSpec, fit_unsupervised
    >>> from kerneltools.patches import PartMax, PartMean, Windows
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of_padded(np.random.default_rng(0).standard_normal((5, 20, 1)))
    >>> both = Joined((PartMean(), PartMax()))
    >>> fit_unsupervised(Architecture((PartSpec(4, Windows(5)),), both), x, rng=0)(x).shape
    (5, 8)
    """

    readouts: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.readouts, tuple) or len(self.readouts) < 2:
            raise ValueError(f"readouts: expected a tuple of at least two, got {self.readouts!r:.80}")

    def fitted(self, items: Array, offsets: Host, rng: np.random.Generator, progress: Callable[..., None]) -> "Joined":
        """The same, with those that learn from items having learnt."""

        def one(readout: Any) -> AnyReadout:
            return readout.fitted(items, offsets, rng, progress) if isinstance(readout, ReadoutSpec) else readout

        return Joined(tuple(map(one, self.readouts)))

    def lay(self, runs: Runs, like: Array) -> tuple[Any, ...]:
        """A table for each readout."""
        return tuple(ends_of(readout, runs, like) for readout in self.readouts)

    def width(self, columns: int) -> int:
        """How many features all make of items of so many columns."""
        return sum(width_of(readout, columns) for readout in self.readouts)

    def __call__(self, items: Array, table: tuple[Any, ...]) -> Array:
        """(N, d), tables -> (n or more, features)"""
        found = [readout(items, one) for readout, one in zip(self.readouts, table, strict=True)]
        rows = min(int(features.shape[0]) for features in found)
        return namespace(items).concat([features[:rows, :] for features in found], axis=1)

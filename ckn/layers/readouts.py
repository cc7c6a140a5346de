"""Readouts that combine or change others."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from ckn.layers.laid import AnyReadout, ReadoutSpec, Runs, ends_of, width_of
from kerneltools.arrays import Array, asarray_like, namespace, require_rank
from kerneltools.backend import stop_gradient, to_host
from kerneltools.structures.base import Host
from kerneltools.trees import Tree

ROUNDING = 1e-6
"""A column is constant if its spread is below this share of its greatest number."""


@dataclass(frozen=True, eq=False)
class Joined(Tree):
    """Several readouts of the same items, with their features one after the other.

    items (N, d), which end with zeros, tables -> (n or more, features of all)

    Means show how much of each motif there is, maxima whether it occurs at all: `Joined((PartMean(), PartMax()))`.
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
        """The same with all readouts fitted that learn from items."""

        def one(readout: Any) -> AnyReadout:
            return readout.fitted(items, offsets, rng, progress) if isinstance(readout, ReadoutSpec) else readout

        return Joined(tuple(map(one, self.readouts)))

    def lay(self, runs: Runs, like: Array) -> tuple[Any, ...]:
        """A table for each readout."""
        return tuple(ends_of(readout, runs, like) for readout in self.readouts)

    def width(self, columns: int) -> int:
        """How many features all make of items of this many columns."""
        return sum(width_of(readout, columns) for readout in self.readouts)

    def __call__(self, items: Array, table: tuple[Any, ...]) -> Array:
        """(N, d), tables -> (n or more, features)"""
        found = [readout(items, one) for readout, one in zip(self.readouts, table, strict=True)]
        rows = min(int(features.shape[0]) for features in found)
        return namespace(items).concat([features[:rows, :] for features in found], axis=1)


@dataclass(frozen=True, eq=False)
class Standardised(Tree):
    """A readout whose features are centred and scaled by column, as those of a training.

    items (N, d), which end with zeros, a table -> (n or more, features)

    The features less `centre` (M,), times `factors` (M,): their mean square norm is 1 in the training. It replaces
    features of norm 1 if the size of features is informative, as for graphs.
    """

    readout: Any
    centre: Array
    factors: Array

    def __post_init__(self) -> None:
        require_rank(1, "(M,)", centre=self.centre, factors=self.factors)
        if self.centre.shape != self.factors.shape:
            raise ValueError(
                f"centre, factors: expected as many of both, got {self.centre.shape[0]} and {self.factors.shape[0]}"
            )

    def lay(self, runs: Runs, like: Array) -> Any:
        """The table of the readout inside."""
        return ends_of(self.readout, runs, like)

    def width(self, columns: int) -> int:
        """How many features the readout inside makes."""
        return width_of(self.readout, columns)

    def __call__(self, items: Array, table: Any) -> Array:
        """(N, d), table -> (n or more, features)"""
        return self.of(self.readout(items, table))

    def of(self, features: Array) -> Array:
        """The features of the readout inside, standardised: (n, M) -> (n, M)"""
        # They are no parameters: training leaves them as they are.
        return (features - stop_gradient(self.centre)) * stop_gradient(self.factors)


def standardised(readout: AnyReadout, features: Array) -> Standardised:
    """The readout with features standardised by the columns of these: (n, M). Constant columns become 0."""
    host = to_host(features).astype(np.float64)
    centre, spread = host.mean(axis=0), host.std(axis=0)
    shown = spread > ROUNDING * np.abs(host).max(axis=0)
    factors = np.where(shown, 1 / np.where(shown, spread, 1.0), 0.0) / sqrt(max(1, int(shown.sum())))
    return Standardised(readout, asarray_like(centre, features), asarray_like(factors, features))

"""Pooling of parts into their owners."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from math import exp
from operator import add
from typing import Protocol, runtime_checkable

import numpy as np

from kerneltools.arrays import Array, device_of, namespace, require_count
from kerneltools.patches.parts import NOTHING, Parts, Table, of_counts
from kerneltools.primitives import owner_sum, segment_max
from kerneltools.structures.base import offsets_of
from kerneltools.trees import Tree, static


@runtime_checkable
class PartPool(Protocol):
    """Values of parts -> those of their owners; an owner without parts has 0.

    >>> import numpy as np
    >>> class LastPart:
    ...     def __call__(self, values, parts):
    ...         return values[np.searchsorted(parts.owner, np.arange(parts.owners), side="right") - 1, :]
    >>> LastPart()(np.array([[1.0], [2.0], [5.0]]), Parts(np.zeros((3, 1), int), np.array([0, 0, 1]), np.array([0, 2])))
    array([[2.],
           [5.]])
    >>> isinstance(LastPart(), PartPool)
    True
    """

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""


@runtime_checkable
class PositionPool(PartPool, Protocol):
    """A pool of consecutive parts, such as windows of a sequence, which has owners of its own.

    >>> from kerneltools.patches import GaussianWindow, PartMean, Windows
    >>> from kerneltools.structures import Strings
    >>> isinstance(GaussianWindow(2), PositionPool), isinstance(PartMean(), PositionPool)
    (True, False)
    >>> GaussianWindow(2).positions(Windows(1, by_item=True)(Strings.of(["ACGTA"]))).index.tolist()
    [[-1, 0, 1], [1, 2, 3], [3, 4, -1]]
    """

    def positions(self, parts: Parts) -> Parts:
        """The numbers of the parts that go into each of its owners."""


@dataclass(frozen=True)
class PartSum(Tree):
    """The sum of the parts of each owner, by their weights.

    >>> import numpy as np
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> parts = Windows(2)(Strings.of(["ACG", "TA"]))
    >>> PartSum()(np.asarray([[1.0], [2.0], [5.0]]), parts)
    array([[1.],
           [2.],
           [5.]])
    """

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(_sum, values, parts)


@dataclass(frozen=True)
class PartMean(Tree):
    """The mean of the parts of each owner, by their weights.

    >>> import numpy as np
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> parts = Windows(2)(Strings.of(["ACG", "TA"]))
    >>> PartMean()(np.asarray([[1.0], [2.0], [5.0]]), parts)
    array([[1.],
           [2.],
           [5.]])
    """

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(lambda v, table: _sum(v, table) * table.inverse[:, None], values, parts)


@dataclass(frozen=True)
class PartMax(Tree):
    """The greatest value of each owner's parts, entry by entry; weights are ignored.

    >>> import numpy as np
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> parts = Windows(2)(Strings.of(["ACG", "TA"]))
    >>> PartMax()(np.asarray([[1.0], [2.0], [5.0]]), parts)
    array([[1.],
           [2.],
           [5.]])
    """

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(_greatest, values, parts)


@dataclass(frozen=True)
class GaussianWindow(Tree):
    """Gaussian pooling of windows of a sequence: every s-th window takes in its neighbours, weighted by distance.

    values (P, m) of windows -> (Σ over sequences of ⌈windows / s⌉, m)

    Weights are exp(-(t / (s - 1))²) at distances t = 1 - s..s - 1, with sum 1; beyond the ends of a sequence, values
    are 0 (Chen, Jacob and Mairal 2019). `subsampling` s >= 1; 1 changes nothing. The next layer sees every s-th
    position.

    >>> import numpy as np
    >>> from kerneltools.patches import GaussianWindow, Windows
    >>> from kerneltools.structures import Strings
    >>> parts = Windows(2)(Strings.of(["ACGTA", "TG"]))
    >>> GaussianWindow(2)(np.ones((5, 1)), parts).round(2).T
    array([[0.79, 1.  , 0.58]])
    """

    subsampling: int = static(2)

    def __post_init__(self) -> None:
        require_count("subsampling", self.subsampling)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights at distances 1 - s..s - 1."""
        reach = self.subsampling - 1
        values = [exp(-((t / max(reach, 1)) ** 2)) for t in range(-reach, reach + 1)]
        return tuple(value / sum(values) for value in values)

    def positions(self, parts: Parts) -> Parts:
        """Every s-th part with its neighbours. Raises ValueError for parts that share an owner."""
        if not parts.alone:
            raise ValueError(
                f"parts: expected one of each owner, in a row, as windows are, got {len(parts)} of {parts.owners}; "
                "pool others by PartSum(), PartMean() or PartMax()"
            )
        lengths, reach = np.diff(parts.offsets), self.subsampling - 1
        counts = -(-lengths // self.subsampling)
        run, place = of_counts(counts)
        within = (place * self.subsampling)[:, None] + np.arange(-reach, reach + 1)
        there = (within >= 0) & (within < lengths[run][:, None])
        index = np.where(there, parts.offsets[run][:, None] + within, NOTHING)
        return Parts(index, np.arange(len(index)), offsets_of(counts))

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m). Raises ValueError for a table without the pool's positions."""
        xp = namespace(values)
        if isinstance(parts, Parts):
            positions = self.positions(parts)
            zero = xp.zeros((1, values.shape[1]), dtype=values.dtype, device=device_of(values))
            table = positions.table(values, len(parts))
            return self._summed(xp.concat([values, zero], axis=0), table)[: positions.owners, :]
        if parts.after is None:
            raise ValueError(
                "parts: expected a table with the positions of the pool, as a layer lays it; a readout of whole "
                "objects is PartSum(), PartMean() or PartMax()"
            )
        return self._summed(values, parts.after)

    def _summed(self, values: Array, table: Table) -> Array:
        xp = namespace(values)
        taken = (w * xp.take(values, table.places[:, j], axis=0) for j, w in enumerate(self.weights))
        return reduce(add, taken)


def _pooled(pool: Callable[[Array, Table], Array], values: Array, parts: Parts | Table) -> Array:
    if isinstance(parts, Table):
        return pool(values, parts)
    table = parts.table(values, 0)
    xp, blank = namespace(values), int(table.owner.shape[0]) - len(parts)
    zeros = xp.zeros((blank, values.shape[1]), dtype=values.dtype, device=device_of(values))
    return pool(xp.concat([values, zeros], axis=0) if blank else values, table)[: parts.owners, :]


def _sum(values: Array, table: Table) -> Array:
    if table.weight is not None:
        values = values * table.weight[:, None]
    return values if table.alone else owner_sum(values, table.owner, table.owners)


def _greatest(values: Array, table: Table) -> Array:
    if table.alone:
        return values
    found = segment_max(values, table.owner, table.owners)
    xp = namespace(found)
    return xp.where(table.inverse[:, None] > 0, found, xp.zeros_like(found))

"""Pooling of parts into their owners."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.patches.parts import Parts, Table
from kerneltools.primitives import segment_max, segment_sum
from kerneltools.trees import Tree


@runtime_checkable
class PartPool(Protocol):
    """Values of parts -> those of their owners; an owner without parts has 0."""

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""


@dataclass(frozen=True)
class PartSum(Tree):
    """Sums, by the parts' weights."""

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(_sum, values, parts)


@dataclass(frozen=True)
class PartMean(Tree):
    """Means, by the parts' weights."""

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(lambda v, table: _sum(v, table) * table.inverse[:, None], values, parts)


@dataclass(frozen=True)
class PartMax(Tree):
    """The greatest, entry by entry, whatever the weights."""

    def __call__(self, values: Array, parts: Parts | Table) -> Array:
        """(P, m) -> (owners, m)"""
        return _pooled(_greatest, values, parts)


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
    return values if table.alone else segment_sum(values, table.owner, table.owners)


def _greatest(values: Array, table: Table) -> Array:
    if table.alone:
        return values
    found = segment_max(values, table.owner, table.owners)
    xp = namespace(found)
    return xp.where(table.inverse[:, None] > 0, found, xp.zeros_like(found))

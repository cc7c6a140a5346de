"""Pooling of parts into their owners."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.patches.parts import Parts
from kerneltools.primitives import segment_max, segment_sum
from kerneltools.trees import Tree


@runtime_checkable
class PartPool(Protocol):
    """Values of parts -> those of their owners; an owner without parts has 0."""

    def __call__(self, values: Array, parts: Parts) -> Array:
        """(P, m) -> (owners, m)"""


@dataclass(frozen=True)
class PartSum(Tree):
    """Sums, by the parts' weights."""

    def __call__(self, values: Array, parts: Parts) -> Array:
        """(P, m) -> (owners, m)"""
        if parts.weight is not None:
            values = values * asarray_like(parts.weight, values)[:, None]
        if parts.alone:
            return values
        return segment_sum(values, indices_like(parts.owner, values), parts.owners)


@dataclass(frozen=True)
class PartMean(Tree):
    """Means, by the parts' weights."""

    def __call__(self, values: Array, parts: Parts) -> Array:
        """(P, m) -> (owners, m)"""
        total = np.bincount(parts.owner, parts.weight, minlength=parts.owners)
        return PartSum()(values, parts) * asarray_like(1 / np.where(total > 0, total, 1.0), values)[:, None]


@dataclass(frozen=True)
class PartMax(Tree):
    """The greatest, entry by entry, whatever the weights."""

    def __call__(self, values: Array, parts: Parts) -> Array:
        """(P, m) -> (owners, m)"""
        if parts.alone:
            return values
        found = segment_max(values, indices_like(parts.owner, values), parts.owners)
        xp = namespace(found)
        known = indices_like(np.bincount(parts.owner, minlength=parts.owners), values)[:, None] > 0
        return xp.where(known, found, xp.zeros_like(found))

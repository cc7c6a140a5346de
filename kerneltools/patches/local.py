"""Kernels between parts of several items and filters, from positions, a profile and a scale."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add, mul
from typing import Any

import numpy as np

from kerneltools.arrays import Array, device_of, indices_like, namespace, require_floating, require_rank, safe_sqrt
from kerneltools.kernels.base import row_norms
from kerneltools.kernels.profiles import Profile
from kerneltools.patches.parts import NOTHING, Table
from kerneltools.precision import in_single
from kerneltools.primitives import reciprocal
from kerneltools.trees import Tree, static, together


class Positions(Tree, ABC):
    """How the items of a part are compared with those of a filter.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> @dataclass(frozen=True)
    ... class FirstItem(Positions):
    ...     def values(self, profile, cosines):
    ...         return profile(cosines[0])
    ...     def lengths(self, norms):
    ...         return norms
    >>> letters, parts, filters = np.eye(4), np.array([[0, 1, 2], [3, 1, 2]]), np.eye(4)[None, :3, :]
    >>> PartKernel(Exponential(1.0), FirstItem(), Unscaled())(letters, parts, filters).round(3).T
    array([[1.   , 0.368]])
    """

    @abstractmethod
    def values(self, profile: Profile, cosines: Sequence[Array]) -> Array:
        """Values of parts and filters on the sphere, from inner products at each position: k of (P, m) -> (P, m)"""

    def cosines(self, items: Array, places: Array, filters: Array) -> list[Array]:
        """The inner products for `values`, of parts with items at these places: (N, d), (P, k), (m, k, d) -> (P, m)"""
        xp = namespace(items, filters)
        unit = items * reciprocal(row_norms(items))[:, None]
        inner = (unit @ xp.matrix_transpose(filters[:, j, :]) for j in range(filters.shape[1]))
        return [xp.take(product, places[:, j], axis=0) for j, product in enumerate(inner)]

    @abstractmethod
    def lengths(self, norms: Array) -> Array:
        """The divisors that put a part's items on the sphere, from their norms: (P, k) -> (P, k) or (P, 1)"""


@dataclass(frozen=True)
class Concatenated(Positions):
    """κ of the cosine of the vectors of all items: the patches of a convolutional kernel network (Mairal 2016).

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> letters, parts = np.eye(4), np.array([[0, 1, 2], [0, 3, 2], [3, 0, 3]])
    >>> k, filters = PartKernel(Exponential(1.0), Concatenated(), Unscaled()), letters[None, :3, :]
    >>> k(letters, parts, k.normalised(filters)).round(3).T  # 3, 2, 0 letters agree
    array([[1.   , 0.717, 0.368]])
    """

    def values(self, profile: Profile, cosines: Sequence[Array]) -> Array:
        return profile(reduce(add, cosines))

    def cosines(self, items: Array, places: Array, filters: Array) -> list[Array]:
        inverse = reciprocal(_length(_item_norms(items, places)))[:, None]
        return [self.inner(items, places, filters) * inverse]

    def inner(self, items: Array, places: Array, filters: Array) -> Array:
        """Inner products of parts with filters: (N, d), (P, k), (m, k, d) -> (P, m)"""
        xp, (m, k, d) = namespace(items, filters), filters.shape
        if d >= m:
            products = (items @ xp.matrix_transpose(filters[:, j, :]) for j in range(k))
            return reduce(add, (xp.take(product, places[:, j], axis=0) for j, product in enumerate(products)))
        # Parts of short items, such as letters: one product with the parts themselves, which are less than k times m.
        parts = xp.reshape(xp.take(items, xp.reshape(places, (-1,)), axis=0), (places.shape[0], k * d))
        return parts @ xp.matrix_transpose(xp.reshape(filters, (m, k * d)))

    def lengths(self, norms: Array) -> Array:
        return _length(norms)[:, None]


class _ItemByItem(Positions):
    """Each item of a part, and of a filter, is on a sphere of its own."""

    def lengths(self, norms: Array) -> Array:
        return norms


@dataclass(frozen=True)
class Averaged(_ItemByItem):
    """κ of the mean of the cosines at each position: paths of graphs (Chen, Jacob and Mairal 2020).

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> letters, parts, filters = np.eye(4), np.array([[0, 1, 2], [0, 3, 2], [3, 0, 3]]), np.eye(4)[None, :3, :]
    >>> PartKernel(Exponential(1.0), Averaged(), Unscaled())(letters, parts, filters).round(3).T  # 3, 2, 0 agree
    array([[1.   , 0.717, 0.368]])
    """

    def values(self, profile: Profile, cosines: Sequence[Array]) -> Array:
        return profile(reduce(add, cosines) / len(cosines))


@dataclass(frozen=True)
class Multiplied(_ItemByItem):
    """The product of κ of the cosine at each position: k-mers with gaps (Chen, Jacob and Mairal 2019).

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> letters, parts, filters = np.eye(4), np.array([[0, 1, 2], [0, 3, 2], [3, 0, 3]]), np.eye(4)[None, :3, :]
    >>> PartKernel(Exponential(1.0), Multiplied(), Unscaled())(letters, parts, filters).round(3).T  # 3, 2, 0 agree
    array([[1.   , 0.368, 0.05 ]])
    """

    def values(self, profile: Profile, cosines: Sequence[Array]) -> Array:
        return reduce(mul, (profile(cosine) for cosine in cosines))


@dataclass(frozen=True)
class Added(_ItemByItem):
    """The mean of κ of the cosine at each position.

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> letters, parts, filters = np.eye(4), np.array([[0, 1, 2], [0, 3, 2], [3, 0, 3]]), np.eye(4)[None, :3, :]
    >>> PartKernel(Exponential(1.0), Added(), Unscaled())(letters, parts, filters).round(3).T  # 3, 2, 0 agree
    array([[1.   , 0.789, 0.368]])
    """

    def values(self, profile: Profile, cosines: Sequence[Array]) -> Array:
        return reduce(add, (profile(cosine) for cosine in cosines)) / len(cosines)


class Scale(Tree, ABC):
    """How large the values of a part are, from the norms of its items.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class LastNorm(Scale):
    ...     def __call__(self, norms):
    ...         return norms[:, -1]
    >>> LastNorm()(np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([4., 2.])
    """

    @abstractmethod
    def __call__(self, norms: Array) -> Array:
        """(P, k) -> (P,)"""


@dataclass(frozen=True)
class PartNorm(Scale):
    """The norm of the vector of all items.

    >>> import numpy as np
    >>> PartNorm()(np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([5., 2.])
    """

    def __call__(self, norms: Array) -> Array:
        return _length(norms)


@dataclass(frozen=True)
class FirstNorm(Scale):
    """The norm of the first item: the node that a path starts at.

    >>> import numpy as np
    >>> FirstNorm()(np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([3., 0.])
    """

    def __call__(self, norms: Array) -> Array:
        return norms[:, 0]


@dataclass(frozen=True)
class ProductOfNorms(Scale):
    """The product of the norms of the items.

    >>> import numpy as np
    >>> ProductOfNorms()(np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([12.,  0.])
    """

    def __call__(self, norms: Array) -> Array:
        return namespace(norms).prod(norms, axis=1)


@dataclass(frozen=True)
class Unscaled(Scale):
    """1, or 0 for a part whose items are all 0 or missing.

    >>> import numpy as np
    >>> Unscaled()(np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]]))
    array([1., 1., 0.])
    """

    def __call__(self, norms: Array) -> Array:
        xp = namespace(norms)
        return xp.astype(xp.any(norms > 0, axis=1), norms.dtype)


@dataclass(frozen=True)
class PartKernel(Tree):
    """k(p, z) = s(p) · the joint κ, by `positions`, of a part p of k items and a filter z of scale 1.

    items (N, d), parts (P, k) of their numbers, filters (m, k, d) -> (P, m)

    `profile` κ; `positions`: `Concatenated` (the default), `Averaged`, `Multiplied`, `Added`; `scale`: `PartNorm` (the
    default), `FirstNorm`, `ProductOfNorms`, `Unscaled`. A part of scale 0 has the value 0. `centred`, for
    `Concatenated` only: subtract the mean of their items from parts and filters, so that the level of a window of a
    series does not matter, and a constant window is 0. It takes one product of all items with the filters' items at
    each position, and sums of its entries. No array of the size of parts times d is made, except for centred parts and
    short items.

    >>> import numpy as np
    >>> from kerneltools.kernels.profiles import Exponential
    >>> from kerneltools.patches import PartKernel
    >>> items, filters = np.asarray([[2.0, 0.0], [0.0, 1.0]]), np.asarray([[[1.0, 0.0]]])
    >>> PartKernel(Exponential(1.0))(items, np.asarray([[0], [1], [-1]]), filters).round(3)
    array([[2.   ],
           [0.368],
           [0.   ]])
    """

    profile: Profile
    positions: Positions = field(default_factory=Concatenated)
    scale: Scale = field(default_factory=PartNorm)
    centred: bool = static(False)

    def __post_init__(self) -> None:
        if not isinstance(self.centred, bool) or (self.centred and not isinstance(self.positions, Concatenated)):
            raise ValueError(
                f"centred: expected True or False, and False beside {self.positions!r}, got {self.centred!r}"
            )

    @in_single
    def __call__(self, items: Array, index: Any, filters: Array) -> Array:
        """(N, d), (P, k), (m, k, d) -> (P, m); a `Table`, whose items end with zeros, may replace (P, k).

        Raises ValueError for sizes that do not fit together.
        """
        _check(items, index, filters)
        items, filters = together(items, filters)
        items, places = self._parts(items, index)
        if isinstance(self.positions, Concatenated) and isinstance(self.scale, PartNorm):
            # The homogeneous kernel of grids, which a library may have in one pass over memory.
            norms = _length(_item_norms(items, places))
            return self.profile.response(self.positions.inner(items, places, self._sphere(filters)), norms[:, None])
        values = self.positions.values(self.profile, self.positions.cosines(items, places, self._sphere(filters)))
        return self.scale(_item_norms(items, places))[:, None] * values

    @in_single
    def scales(self, items: Array, index: Any) -> Array:
        """The square roots of k(p, p): (N, d), (P, k) -> (P,)"""
        return self.scale(_item_norms(*self._parts(items, index)))

    @in_single
    def gram(self, filters: Array) -> Array:
        """The kernel between filters, which must be on the sphere: (m, k, d) -> (m, m)"""
        xp, filters = namespace(filters), self._sphere(filters)
        positions = [filters[:, j, :] for j in range(filters.shape[1])]
        return self.positions.values(self.profile, [z @ xp.matrix_transpose(z) for z in positions])

    def normalised(self, filters: Array) -> Array:
        """The filters on the sphere: (m, k, d) -> (m, k, d), 0 where they are 0"""
        filters = _without_mean(filters) if self.centred else filters
        return filters * reciprocal(self.positions.lengths(row_norms(filters)))[:, :, None]

    def _sphere(self, filters: Array) -> Array:
        """The filters unchanged, since they are on the sphere; centred ones are made so again, whatever was passed."""
        return self.normalised(filters) if self.centred else filters

    def _parts(self, items: Array, index: Any) -> tuple[Array, Array]:
        """Items that end with a row of zeros, and the places of the parts' items among them: (N, d), (P, k)"""
        items, places = _with_places(items, index)
        if not self.centred:
            return items, places
        xp, (p, k), d = namespace(items), places.shape, items.shape[1]
        parts = xp.reshape(xp.take(items, xp.reshape(places, (-1,)), axis=0), (p, k, d))
        numbers = xp.reshape(xp.arange(p * k, dtype=places.dtype, device=device_of(places)), (p, k))
        return xp.reshape(_without_mean(parts), (p * k, d)), numbers


def _without_mean(parts: Array) -> Array:
    """Parts less the mean of their items, and 0 if only rounding is left: (P, k, d) -> (P, k, d)"""
    xp = namespace(parts)
    left = parts - xp.mean(parts, axis=1, keepdims=True)
    noise = parts.shape[1] * xp.finfo(parts.dtype).eps * xp.max(xp.abs(parts), axis=1, keepdims=True)
    return xp.where(xp.max(xp.abs(left), axis=1, keepdims=True) > noise, left, xp.zeros_like(left))


def _item_norms(items: Array, places: Array) -> Array:
    """The norms of the items of parts, 0 for missing ones: (P, k)"""
    norms = namespace(items).take(row_norms(items), namespace(items).reshape(places, (-1,)), axis=0)
    return namespace(items).reshape(norms, tuple(places.shape))


def _with_places(items: Array, index: Any) -> tuple[Array, Array]:
    """Items that end with a row of zeros, and the places of the parts' items among them: (N + 1, d), (P, k)"""
    if isinstance(index, Table):
        return items, index.places
    xp = namespace(items)
    places = indices_like(np.where(index == NOTHING, items.shape[0], index), items)
    zero = xp.zeros((1, items.shape[1]), dtype=items.dtype, device=device_of(items))
    return xp.concat([items, zero], axis=0), places


def _length(norms: Array) -> Array:
    return safe_sqrt(namespace(norms).sum(norms * norms, axis=1))


def _check(items: Array, index: Any, filters: Array) -> None:
    require_rank(2, "(N, d)", items=items)
    require_rank(3, "(m, k, d)", filters=filters)
    require_floating(items=items, filters=filters)
    shape = tuple(index.places.shape if isinstance(index, Table) else index.shape)
    if len(shape) != 2 or shape[1] != filters.shape[1] or items.shape[1] != filters.shape[2]:
        raise ValueError(
            f"items, index, filters: expected (N, d), (P, k), (m, k, d), got {tuple(items.shape)}, {shape} and "
            f"{tuple(filters.shape)}"
        )

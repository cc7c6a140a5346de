"""Parts of objects that are no grids: the items of each part, and the owner that it is pooled into."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kerneltools.arrays import Array, asarray_like, indices_like
from kerneltools.primitives import few_sizes
from kerneltools.random import Rng, generator
from kerneltools.structures.base import Host, offsets_of
from kerneltools.trees import Shown, Tree, static

NOTHING = -1
"""The number of a missing item, which is a vector of zeros."""


@dataclass(frozen=True, eq=False)
class Parts(Shown):
    """A table of parts of k items each, made on the host and used many times; no gradient goes through it.

    `index` (P, k): the items of each part, numbered through all objects, -1 for missing ones; `owner` (P,): the owner
    that each part is pooled into; `offsets` (n + 1,): where the owners of each object start, and where those of the
    last end; `weight` (P,): the weight of each part, None for 1.

    Raises ValueError for arrays that do not fit together.

    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> pairs = Windows(2)(Strings.of(["ACG", "T", "TA"]))
    >>> pairs.index.tolist(), pairs.owner.tolist(), pairs.offsets.tolist()  # the string "T" has no part
    ([[0, 1], [1, 2], [4, 5]], [0, 1, 2], [0, 2, 2, 3])
    """

    index: Host
    owner: Host
    offsets: Host
    weight: Host | None = None

    def __post_init__(self) -> None:
        for name, value, rank in (("index", self.index, 2), ("owner", self.owner, 1), ("offsets", self.offsets, 1)):
            if value.ndim != rank or value.dtype.kind not in "iu":
                raise ValueError(f"{name}: expected integers of {rank} axes, got {value.dtype} of shape {value.shape}")
        count = len(self.owner)
        if len(self.index) != count or (self.weight is not None and self.weight.shape != (count,)):
            raise ValueError(f"index, owner, weight: expected as many of each, got {len(self.index)} and {count}")
        if count and not 0 <= int(self.owner.min()) <= int(self.owner.max()) < self.owners:
            raise ValueError(f"owner: expected 0 to {self.owners - 1}, got up to {int(self.owner.max())}")

    @property
    def size(self) -> int:
        """k"""
        return int(self.index.shape[1])

    @property
    def owners(self) -> int:
        """The number of owners, including those without a part."""
        return int(self.offsets[-1])

    @property
    def alone(self) -> bool:
        """Whether each owner has one part, in order, so that there is nothing to pool."""
        return len(self) == self.owners and bool((self.owner == np.arange(self.owners)).all())

    def __len__(self) -> int:
        return len(self.owner)

    def table(self, like: Array, nothing: int) -> "Table":
        """The table for items (N, d) in the library and on the device of `like`, whose row `nothing` is zeros.

        Empty parts are added at the end, whose owners have no others: one, or, if the library compiles for each size,
        as many as make the number of sizes small.
        """
        owners = few_sizes(self.owners + 1, like)
        blank = few_sizes(len(self) + 1, like) - len(self)
        index = np.concatenate([self.index, np.full((blank, self.size), NOTHING, dtype=np.int64)])
        owner = np.concatenate([self.owner, np.full(blank, self.owners)])
        total = np.bincount(self.owner, self.weight, minlength=owners)
        inverse = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0)
        weight = None if self.weight is None else asarray_like(np.concatenate([self.weight, np.zeros(blank)]), like)
        return Table(
            indices_like(np.where(index == NOTHING, nothing, index), like),
            indices_like(np.arange(owners) if self.alone else owner, like),
            weight,
            asarray_like(inverse, like),
            owners,
            self.alone,
        )

    def sample(self, count: int, rng: Rng) -> Host:
        """The items of at most `count` parts, drawn without replacement: (count, k)"""
        draws = generator(rng)
        if count >= len(self):
            return self.index
        return self.index[np.sort(draws.choice(len(self), size=count, replace=False))]


@dataclass(frozen=True, eq=False)
class Table(Tree):
    """`Parts` as arrays for given items, which kernels and pools of parts take if a library compiles them.

    `places` (P, k): the rows of the items of each part, a row of zeros for missing ones; `owner` (P,); `weight` (P,) or
    None for 1; `inverse` (owners,): the inverse weight of all parts of an owner, 0 if it has none; `owners`: their
    number; `alone`: whether each owner has one part, in order; `after`: for pools of consecutive positions, the parts
    that go into each.

    >>> import numpy as np
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> table = Windows(2)(Strings.of(["ACG", "TA"])).table(np.zeros((6, 1)), nothing=5)
    >>> table.places.tolist(), table.owner, table.inverse
    ([[0, 1], [1, 2], [3, 4], [5, 5]], array([0, 1, 2, 3]), array([1., 1., 1., 0.]))
    """

    places: Array
    owner: Array
    weight: Array | None
    inverse: Array
    owners: int = static(0)
    alone: bool = static(False)
    after: "Table | None" = None


@runtime_checkable
class Extractor(Protocol):
    """A rule that lists the parts of objects.

    >>> import numpy as np
    >>> from kerneltools.structures import Strings
    >>> class BothEnds:
    ...     def __call__(self, x, rng=0):
    ...         ends = np.stack([x.offsets[:-1], x.offsets[1:] - 1], axis=1)
    ...         return Parts(ends, np.arange(len(x)), np.arange(len(x) + 1))
    >>> isinstance(BothEnds(), Extractor), BothEnds()(Strings.of(["ACG", "TA"])).index.tolist()
    (True, [[0, 2], [3, 4]])
    """

    def __call__(self, x: Any, rng: Rng = 0) -> Parts:
        """A collection of n objects -> parts; `rng` is for extractors that sample."""


@runtime_checkable
class Growing(Extractor, Protocol):
    """An extractor whose parts begin with shorter ones: `Paths` and `Walks`.

    >>> from kerneltools.patches import Paths, Windows
    >>> from kerneltools.structures import Graph, Graphs
    >>> triangle = Graphs.of([Graph(3, [[0, 1], [1, 2], [2, 0]])])
    >>> [parts.index.shape for parts in Paths(3).prefixes(triangle)]
    [(3, 1), (6, 2), (6, 3)]
    >>> isinstance(Paths(3), Growing), isinstance(Windows(3), Growing)
    (True, False)
    """

    def prefixes(self, x: Any, rng: Rng = 0) -> tuple[Parts, ...]:
        """n objects -> the parts of one item, of two, ..., and those that a call returns; all have the same owners."""


@dataclass(frozen=True)
class Several(Tree):
    """Parts of several kinds with the same number of items, compared with the same filters; each kind is a channel.

    `extractors`: at least two, whose parts have the same owners, such as windows with several dilations and
    `partial=True`. Raises ValueError and TypeError for anything else.

    >>> from kerneltools.patches import Several, Windows
    >>> from kerneltools.structures import Strings
    >>> both = Several((Windows(2, partial=True), Windows(2, dilation=2, partial=True)))
    >>> [parts.index.tolist() for parts in both.each(Strings.of(["ACG"]))]
    [[[0, 1], [1, 2], [2, -1]], [[0, 2], [1, -1], [2, -1]]]
    """

    extractors: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.extractors, tuple) or len(self.extractors) < 2:
            raise ValueError(f"extractors: expected a tuple of at least two, got {self.extractors!r:.80}")
        for one in self.extractors:
            if not isinstance(one, Extractor) or isinstance(one, type):
                raise TypeError(f"extractors: expected objects such as those of kerneltools.patches, got {one!r:.80}")

    def each(self, x: Any, rng: Rng = 0) -> tuple[Parts, ...]:
        """n objects -> the parts of each kind. Raises ValueError if their sizes or their owners differ."""
        draws = generator(rng)
        found = tuple(one(x, draws) for one in self.extractors)
        for one, parts in zip(self.extractors, found, strict=True):
            if parts.size != found[0].size or not np.array_equal(parts.offsets, found[0].offsets):
                raise ValueError(
                    f"extractors: expected parts of one size and of the same owners, got {found[0].size} items, "
                    f"{found[0].owners} owners of {self.extractors[0]!r} and {parts.size}, {parts.owners} of {one!r}; "
                    "windows have the owners of others with partial=True and one stride"
                )
        return found

    def __call__(self, x: Any, rng: Rng = 0) -> Parts:
        """n objects -> the parts of all kinds together. Raises what `each` raises."""
        found = self.each(x, rng)
        weights = [np.ones(len(parts)) if parts.weight is None else parts.weight for parts in found]
        return Parts(
            np.concatenate([parts.index for parts in found]),
            np.concatenate([parts.owner for parts in found]),
            found[0].offsets,
            None if all(parts.weight is None for parts in found) else np.concatenate(weights),
        )


def by_item(index: Host, offsets: Host, weight: Host | None = None) -> Parts:
    """The same parts, each owned by its first item."""
    return Parts(index, index[:, 0].copy(), offsets, weight)


def empty(size: int, offsets: Host) -> Parts:
    """No parts, of a given size."""
    none = np.zeros((0, size), dtype=np.int64)
    return Parts(none, none[:, 0], offsets)


def of_counts(counts: Host) -> tuple[Host, Host]:
    """For each entry of runs of these lengths, its run and its place in it: counts (n,) -> (Σ counts,), (Σ counts,)"""
    run = np.repeat(np.arange(len(counts)), counts)
    return run, np.arange(len(run)) - offsets_of(counts)[:-1][run]

"""A batch of objects as arrays: integers are computed on the host, once, and networks see only arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.optimisers import Geometry
from kerneltools.patches import Extractor, PartPool, Parts
from kerneltools.primitives import few_sizes
from kerneltools.structures.base import Host, offsets_of
from kerneltools.trees import Shown, Tree, static


@dataclass(frozen=True, eq=False)
class Runs(Shown):
    """Where the items of each object start, and where those of the last end: the structure that windows leave.

    `offsets` (n + 1,)
    """

    offsets: Host

    @property
    def lengths(self) -> Host:
        """How many items each object has: (n,)"""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, eq=False)
class Laid(Tree):
    """Objects as `Network.laid` arranges them.

    `items`, followed by zeros; `tables`: one for each layer; `ends`: that of the readout; `objects`: their number,
    twice as many with both strands.
    """

    items: Array
    tables: tuple[Any, ...]
    ends: Any
    objects: int = static(0)

    def __len__(self) -> int:
        return self.objects


@runtime_checkable
class ObjectSpec(Protocol):
    """A layer for objects before it has learnt: `PartSpec` and others."""

    @property
    def filters(self) -> int:
        """How many filters to learn."""

    @property
    def extractor(self) -> Extractor:
        """The rule for the parts that filters are learnt from."""

    def normalised(self, filters: Array) -> Array:
        """Parts or filters on the sphere that filters live on: (m, k, d) -> (m, k, d)"""

    def layer(self, filters: Array) -> "ObjectLayer":
        """The layer with these filters: (m, k, d)"""


@runtime_checkable
class ObjectLayer(Protocol):
    """A layer for objects; prepared, it is called: items (N, d), table -> items (owners, m), which end with zeros."""

    @property
    def filters(self) -> Array:
        """(m, k, d)"""

    @property
    def structure(self) -> tuple[Any, ...]:
        """What training leaves unchanged, besides the form of the kernel."""

    @property
    def space(self) -> Geometry:
        """The space that the filters are in."""

    def lay(self, x: Any, like: Array) -> tuple[Any, Any]:
        """The table of parts, in the library of `like`, and the structure for the next layer; made on the host."""

    def width(self, columns: int) -> int:
        """How many columns its items have, for inputs of this many columns."""

    def numbers(self, table: Any) -> int:
        """How many numbers the largest array has that it makes for such parts."""

    def prepare(self) -> Any:
        """The layer with its inverse square root computed, for many calls."""


@runtime_checkable
class Readout(Protocol):
    """Turns items of objects into features of the objects, with a table that it makes itself."""

    def lay(self, runs: Runs, like: Array) -> Any:
        """Where the items of each object are, in the library of `like`; made on the host."""

    def width(self, columns: int) -> int:
        """How many features it makes of items of this many columns."""

    def __call__(self, items: Array, table: Any) -> Array:
        """(N, d), which ends with zeros, table -> (n or more, features)"""


@runtime_checkable
class ReadoutSpec(Protocol):
    """A readout that must learn its parameters, such as references, from items."""

    def fitted(self, items: Array, offsets: Host, rng: np.random.Generator, progress: Callable[..., None]) -> Readout:
        """(N, d), (n + 1,) on the host -> readout"""


AnyReadout = PartPool | Readout


def blank_rows(items: int, like: Array) -> int:
    """How many rows of zeros follow so many items."""
    return few_sizes(items + 1, like) - items


def before_zeros(values: Array) -> Array:
    """Items followed by rows of zeros: one, or enough for few different sizes. (N, d) -> (N + 1 or more, d)"""
    xp, (count, columns) = namespace(values), values.shape
    zeros = xp.zeros((blank_rows(count, values), columns), dtype=values.dtype, device=device_of(values))
    return xp.concat([values, zeros], axis=0)


def ends_of(readout: AnyReadout, runs: Runs, like: Array) -> Any:
    """The table of a readout; a pool of parts takes all items of an object as its parts."""
    if isinstance(readout, Readout):
        return readout.lay(runs, like)
    total = int(runs.offsets[-1])
    owner = np.repeat(np.arange(len(runs)), runs.lengths)
    whole = Parts(np.arange(total)[:, None], owner, offsets_of(np.ones(len(runs), dtype=np.int64)))
    return whole.table(like, total)


def width_of(readout: AnyReadout | None, columns: int) -> int:
    """How many features a readout makes of items of this many columns."""
    return readout.width(columns) if isinstance(readout, Readout) else columns

"""Layers on parts of sequences, graphs and sets; see docs/decisions/0028-parts.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ckn.layers.laid import Runs
from kerneltools.arrays import Array, is_whole, namespace, require_floating, require_rank
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.profiles import Exponential
from kerneltools.maps.nystrom import whitening
from kerneltools.optimisers import Geometry, Sphere, Spheres
from kerneltools.patches import (
    Concatenated,
    Extractor,
    Growing,
    PartKernel,
    PartPool,
    Parts,
    PartSum,
    PositionPool,
    Several,
    Table,
    Windows,
)
from kerneltools.precision import in_single
from kerneltools.structures import Graphs
from kerneltools.trees import Tree, static, together


@dataclass(frozen=True)
class PartSpec:
    """The design of a layer on parts: `filters`, `parts`, a kernel between parts and filters, and a pool.

    `filters`: their number. `parts`: what the parts of an object are: `patches.Windows(k)` of sequences,
    `patches.Paths(k)` of graphs, `patches.Elements()` of sets. `pool`: joins the values of the parts of one owner (a
    window, the node that a path starts at); `GaussianWindow(s)` joins those of the windows around every s-th. `reg` > 0
    is added to the eigenvalues of the filters' kernel matrix.

    Parts of several kinds, `patches.Several((Windows(9, partial=True), Windows(9, dilation=2, partial=True)))`, are
    compared with the same filters and stand side by side, a channel of `filters` columns for each kind. With `lengths`,
    so do parts of 1, 2, ... and k items, compared with as many of the first items of the filters (Chen, Jacob and
    Mairal 2020). This is for `Paths` and `Walks`, and a kernel with each item on a sphere, such as `PartKernel(profile,
    Averaged(), FirstNorm())`. The next layers see each channel separately, with the same filters, and the readout sees
    all.

    Raises ValueError and TypeError for anything else.

    >>> import ckn
    >>> from kerneltools import structures
    >>> from kerneltools.patches import Windows
    >>> strings = structures.of(["ACGTACGT", "TTGCATTA", "ACGAACGA"])
    >>> architecture = ckn.Architecture((PartSpec(4, Windows(3)),))
    >>> ckn.fit_unsupervised(architecture, strings, rng=0).encode(strings).shape
    (3, 4)
    """

    filters: int
    parts: Extractor = field(default_factory=lambda: Windows(6))
    kernel: PartKernel = field(default_factory=lambda: PartKernel(Exponential(0.6)))
    pool: PartPool = field(default_factory=PartSum)
    reg: float = 1e-2
    lengths: bool = False

    def __post_init__(self) -> None:
        if not is_whole(self.filters):
            raise ValueError(f"filters: expected an integer >= 1, got {self.filters!r}")
        for name, value, kind in (("parts", self.parts, Extractor), ("pool", self.pool, PartPool)):
            if not isinstance(value, kind) or isinstance(value, type):
                raise TypeError(f"{name}: expected an object such as those of kerneltools.patches, got {value!r}")
        if not isinstance(self.kernel, PartKernel):
            raise TypeError(f"kernel: expected a kerneltools.patches.PartKernel, got {self.kernel!r}")
        check_positive("reg", self.reg)
        _check_lengths(self.lengths, self.parts, self.kernel)

    @property
    def extractor(self) -> Extractor:
        """The rule for the parts that filters are learnt from."""
        return self.parts

    def normalised(self, filters: Array) -> Array:
        """Parts or filters on the sphere of the kernel: (m, k, d) -> (m, k, d)"""
        return self.kernel.normalised(filters)

    def layer(self, filters: Array) -> "PartLayer":
        """The layer with these filters: (m, k, d)"""
        return PartLayer(filters, self.kernel, self.parts, self.pool, self.reg, self.lengths)


@dataclass(frozen=True, eq=False)
class PartLayer(Tree):
    """Parts -> kernel map on them -> pool by owner: the counterpart of `ckn.Layer`, whose parts are patches of a grid.

    `filters` (m, k, d) are landmarks, on the sphere of the kernel. Items of c d columns are c channels side by side,
    each of which it sees on its own; with `lengths` it makes k of each, see `PartSpec`. Raises ValueError for filters
    of the wrong rank, and for `lengths` where there are none.

    >>> import ckn
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGT", "TTGCATTA", "ACGAACGA"])
    >>> layer = ckn.fit_unsupervised(ckn.Architecture((ckn.PartSpec(4, Windows(3)),)), x, rng=0).layers[0]
    >>> layer.filters.shape, layer.parts, layer.pool
    ((4, 3, 4), Windows(size=3, stride=1, dilation=1, partial=False, by_item=False), PartSum())
    """

    filters: Array
    kernel: PartKernel
    parts: Extractor
    pool: PartPool
    reg: float = static(1e-2)
    lengths: bool = static(False)

    def __post_init__(self) -> None:
        require_rank(3, "(m, k, d)", filters=self.filters)
        require_floating(filters=self.filters)
        check_positive("reg", self.reg)
        _check_lengths(self.lengths, self.parts, self.kernel)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What training leaves unchanged, besides the form of the kernel."""
        return tuple(self.filters.shape), self.parts, self.pool, self.reg, self.lengths

    @property
    def space(self) -> Geometry:
        """The space that the filters are in."""
        return Sphere() if isinstance(self.kernel.positions, Concatenated) else Spheres()

    def width(self, columns: int) -> int:
        """How many columns its items have, for inputs of this many columns."""
        m, _, d = (int(side) for side in self.filters.shape)
        return columns // d * m * self.sides

    @property
    def sides(self) -> int:
        """How many channels it makes of each: one for each length, or kind, of parts."""
        if isinstance(self.parts, Several):
            return len(self.parts.extractors)
        return int(self.filters.shape[1]) if self.lengths else 1

    def numbers(self, table: Any) -> int:
        """How many numbers the largest array has that it makes for such parts."""
        (m, k, d), whole = self.filters.shape, isinstance(self.kernel.positions, Concatenated)
        return max(int(one.places.shape[0]) for one in _tables(table)) * int(max(m, d if whole else m * k))

    def lay(self, x: Any, like: Array) -> tuple[Any, Any]:
        """The table of parts, in the library of `like`, and the structure that the next layer sees; made on the host.

        For parts of several lengths or kinds, there is a table for each.
        """
        found = self._found(x)
        tables = tuple(parts.table(like, int(x.offsets[-1])) for parts in found)
        after = x if isinstance(x, Graphs) else Runs(found[-1].offsets)
        if isinstance(self.pool, PositionPool):
            if isinstance(x, Graphs):
                raise TypeError(f"pool: {self.pool!r} needs parts in a row, unlike nodes of graphs; take PartSum()")
            positions = tuple(map(self.pool.positions, found))
            laid = [each.table(like, len(parts)) for each, parts in zip(positions, found, strict=True)]
            tables = tuple(replace(table, after=each) for table, each in zip(tables, laid, strict=True))
            after = Runs(positions[-1].offsets)
        return tables if self.sides > 1 else tables[0], after

    def _found(self, x: Any) -> tuple[Parts, ...]:
        if isinstance(self.parts, Several):
            return self.parts.each(x)
        return self.parts.prefixes(x) if self.lengths and isinstance(self.parts, Growing) else (self.parts(x),)

    def prepare(self) -> "PreparedPartLayer":
        """The layer with its inverse square root computed, for many calls."""
        kernel, filters = together(self.kernel, self.filters)
        if not self.lengths:
            return PreparedPartLayer(self, whitening(kernel.gram(filters), self.reg))
        grams = [kernel.gram(filters[:, :j, :]) for j in range(1, filters.shape[1] + 1)]
        return PreparedPartLayer(self, whitening(namespace(*grams).stack(grams), self.reg))


@dataclass(frozen=True, eq=False)
class PreparedPartLayer(Tree):
    """A layer and its `whitening` κ(Z Z')^(-1/2): (m, m), or with `lengths` one for each, (k, m, m).

    items (N, d), which end with zeros, and a table of parts -> items (owners, m), which end with zeros
    """

    layer: PartLayer
    whitening: Array

    @property
    def filters(self) -> Array:
        """The layer's filters: (m, k, d)."""
        return self.layer.filters

    def prepare(self) -> "PreparedPartLayer":
        """The layer itself."""
        return self

    @in_single
    def __call__(self, items: Array, table: Any) -> Array:
        """(N, c d), table -> (owners, c m), or (owners, c k m) with `lengths`"""
        kernel, pool = self.layer.kernel, self.layer.pool
        # Pooled before the product with the root where the pool is linear: there are fewer owners than parts.
        return _beside(
            [
                pool(kernel(channel, one, filters), one) @ root
                for channel in channels(items, int(self.filters.shape[2]))
                for one, filters, root in self._sizes(table)
            ],
            1,
        )

    @in_single
    def residual(self, items: Array, table: Any) -> tuple[Array, Array]:
        """What the map misses of each part, k(p, p) - |ψ(p)|², and k(p, p) itself: (N, d), table -> (P,), (P,)

        Channels and sizes follow one another.
        """
        kernel, missed, wholes = self.layer.kernel, [], []
        for channel in channels(items, int(self.filters.shape[2])):
            for one, filters, root in self._sizes(table):
                psi = kernel(channel, one, filters) @ root
                whole = kernel.scales(channel, one) ** 2
                missed.append(whole - namespace(psi).sum(psi * psi, axis=1))
                wholes.append(whole)
        return _beside(missed, 0), _beside(wholes, 0)

    def _sizes(self, table: Any) -> list[tuple[Table, Array, Array]]:
        """For parts of each size: their table, the filters' first items, and the inverse root for these."""
        if not self.layer.lengths:
            return [(one, self.filters, self.whitening) for one in _tables(table)]
        return [(one, self.filters[:, : j + 1, :], self.whitening[j, :, :]) for j, one in enumerate(_tables(table))]


def channels(items: Array, columns: int) -> list[Array]:
    """Items of c channels side by side, each with this many columns; items of other widths unchanged."""
    width = int(items.shape[1])
    if width == columns or width % columns:
        return [items]
    return [items[:, start : start + columns] for start in range(0, width, columns)]


def channels_of(stages: Sequence[Sequence[Any]]) -> int:
    """How many channels the items after these layers have side by side; a next layer sees each separately."""
    found = 1
    for stage in stages:
        if len(stage) > 1 or not isinstance(stage[0], PartLayer):
            found = 1
        else:
            found *= stage[0].sides
    return found


def _tables(table: Any) -> tuple[Table, ...]:
    return table if isinstance(table, tuple) else (table,)


def _beside(arrays: list[Array], axis: int) -> Array:
    return arrays[0] if len(arrays) == 1 else namespace(*arrays).concat(arrays, axis=axis)


def _check_lengths(lengths: Any, parts: Any, kernel: PartKernel) -> None:
    if not isinstance(lengths, bool):
        raise TypeError(f"lengths: expected True or False, got {lengths!r:.60}")
    if lengths and not isinstance(parts, Growing):
        raise TypeError(f"lengths: expected parts that begin with shorter ones, such as Paths and Walks, got {parts!r}")
    if lengths and isinstance(kernel.positions, Concatenated):
        raise ValueError(
            "lengths: the first items of a filter are on no sphere where the kernel takes all as one vector; expected "
            f"one of items, such as PartKernel(profile, Averaged(), FirstNorm()), got {kernel!r}"
        )

"""Layers on all subsequences with gaps: recurrent kernel networks (Chen, Jacob and Mairal 2019)."""

from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np

from ckn.layers.laid import Runs
from kerneltools.arrays import (
    Array,
    asarray_like,
    indices_like,
    is_whole,
    namespace,
    require_count,
    require_floating,
    require_rank,
)
from kerneltools.kernels.base import check_positive, row_norms
from kerneltools.kernels.profiles import Exponential, Profile
from kerneltools.maps.nystrom import whitening
from kerneltools.optimisers import Geometry, Interval, Positive, Spheres
from kerneltools.patches import Extractor, GappedKernel, GappedMax, GappedPool, Windows
from kerneltools.patches.gapped import LARGEST_DECAY
from kerneltools.precision import in_single
from kerneltools.primitives import few_sizes
from kerneltools.structures import Graphs, Strings
from kerneltools.structures.base import Host
from kerneltools.trees import Tree, flatten, static, together


@dataclass(frozen=True)
class GappedSpec:
    """The design of a layer on subsequences of `size` items with gaps; it leaves one item of each sequence.

    `profile` κ compares single items, and the kernel is the product of its values; None: σ = 0.6 for the whole part,
    which is `Exponential(0.6 √size)`. `decay` in [0, 0.99] is the factor for each gap: 0 allows none. `pool`:
    `patches.GappedMax()`, or `patches.GappedMean()`. `reg` > 0 is added to the eigenvalues of the filters' kernel
    matrix. Filters are learnt from windows without a gap. Raises ValueError and TypeError for anything else.

    >>> import ckn
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGT", "TTGCATTA", "ACGAACGA"])
    >>> architecture = ckn.Architecture((GappedSpec(filters=4, size=3, decay=0.5),))
    >>> ckn.fit_unsupervised(architecture, x, rng=0).encode(x).shape
    (3, 4)
    """

    filters: int
    size: int = 6
    profile: Profile | None = None
    decay: float = 0.3
    pool: GappedPool = field(default_factory=GappedMax)
    reg: float = 1e-2

    def __post_init__(self) -> None:
        if not is_whole(self.filters):
            raise ValueError(f"filters: expected an integer >= 1, got {self.filters!r}")
        require_count("size", self.size)
        profile: Any = self.profile
        if not isinstance(profile, Profile | None):
            raise TypeError(f"profile: expected one of kerneltools.kernels.profiles, got {profile!r}")
        if not isinstance(self.pool, GappedPool) or isinstance(self.pool, type):
            raise TypeError(f"pool: expected patches.GappedMax() or GappedMean(), got {self.pool!r}")
        check_positive("reg", self.reg)
        _ = self.kernel  # checks the rest

    @property
    def kernel(self) -> GappedKernel:
        """The kernel of subsequences."""
        profile = Exponential(0.6 * sqrt(self.size)) if self.profile is None else self.profile
        return GappedKernel(profile, self.decay)

    @property
    def extractor(self) -> Extractor:
        """The rule for the parts that filters are learnt from."""
        return Windows(self.size)

    def normalised(self, filters: Array) -> Array:
        """Parts or filters with each item on the sphere: (m, k, d) -> (m, k, d)"""
        return self.kernel.normalised(filters)

    def layer(self, filters: Array) -> "GappedLayer":
        """The layer with these filters: (m, k, d)"""
        return GappedLayer(filters, self.kernel, self.pool, self.reg)


@dataclass(frozen=True, eq=False)
class GappedTable(Tree):
    """Where the items of each sequence are.

    `places` (n, T): the rows of the items, or, with `distinct` (V,), their numbers among these rows; a row of zeros for
    missing ones. `inverse` (n,): 1 / T of each sequence, 0 if it has no items.
    """

    places: Array
    inverse: Array
    distinct: Array | None


@dataclass(frozen=True, eq=False)
class GappedLayer(Tree):
    """All subsequences with gaps -> kernel map on them -> pool: a `PartLayer` on a table of `Subsequences`.

    A recursion over the items replaces the table. `filters` (m, k, d) are landmarks, each of their items of norm 1.
    Raises ValueError for filters of the wrong rank.

    >>> import ckn
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGT", "TTGCATTA", "ACGAACGA"])
    >>> layer = ckn.fit_unsupervised(ckn.Architecture((ckn.GappedSpec(4, size=3),)), x, rng=0).layers[0]
    >>> layer.filters.shape, layer.kernel.decay, layer.pool
    ((4, 3, 4), 0.3, GappedMax())
    """

    filters: Array
    kernel: GappedKernel
    pool: GappedPool = field(default_factory=GappedMax)
    reg: float = static(1e-2)

    def __post_init__(self) -> None:
        require_rank(3, "(m, k, d)", filters=self.filters)
        require_floating(filters=self.filters)
        check_positive("reg", self.reg)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What training leaves unchanged, besides the form of the kernel."""
        return tuple(self.filters.shape), self.pool, self.reg

    @property
    def space(self) -> Geometry:
        """The space that the filters are in."""
        return Spheres()

    @property
    def kernel_spaces(self) -> tuple[Geometry, ...]:
        """The spaces of the kernel's numbers, in the order of trees.flatten: those of the profile, and the decay."""
        return (*(Positive(),) * len(flatten(self.kernel.profile)[0]), Interval(0.0, LARGEST_DECAY))

    def width(self, columns: int) -> int:
        """How many columns its items have, for inputs of this many columns."""
        return int(self.filters.shape[0])

    def numbers(self, table: GappedTable) -> int:
        """How many numbers the largest array has that it makes for such sequences."""
        m, k, _ = self.filters.shape
        n, length = table.places.shape
        if table.distinct is None:
            return int(n * length * k * m)
        return int(m * max(n * length, n * k, k * table.distinct.shape[0]))

    def lay(self, x: Any, like: Array) -> tuple[GappedTable, Any]:
        """The places of the items, in the library of `like`, and the structure for the next layer; made on the host."""
        if isinstance(x, Graphs):
            raise TypeError(f"x: expected sequences or series, got {x!r:.80}, whose nodes have no order")
        lengths, count = x.lengths, len(x.offsets) - 1
        rows, width = few_sizes(count + 1, like), few_sizes(max(1, int(lengths.max(initial=0))), like)
        items, distinct, nothing = _distinct(x)
        here = np.arange(width) < lengths[:, None]
        places = np.full((rows, width), nothing, dtype=np.int64)
        places[:count][here] = items
        inverse = np.zeros(rows)
        inverse[:count] = 1 / np.maximum(lengths, 1)
        table = GappedTable(
            indices_like(places, like),
            asarray_like(inverse, like),
            None if distinct is None else indices_like(distinct, like),
        )
        return table, Runs(np.arange(count + 1))

    def prepare(self) -> "PreparedGappedLayer":
        """The layer with its inverse square root computed, for many calls."""
        kernel, filters = together(self.kernel, self.filters)
        return PreparedGappedLayer(self, whitening(kernel.gram(filters), self.reg))


@dataclass(frozen=True, eq=False)
class PreparedGappedLayer(Tree):
    """A layer and its `whitening` κ(Z Z')^(-1/2) (m, m).

    items (N, d), which end with zeros, and a table of n sequences -> items (n or more, m), which end with zeros
    """

    layer: GappedLayer
    whitening: Array

    @property
    def filters(self) -> Array:
        """The layer's filters: (m, k, d)."""
        return self.layer.filters

    def prepare(self) -> "PreparedGappedLayer":
        """The layer itself."""
        return self

    @in_single
    def __call__(self, items: Array, table: GappedTable) -> Array:
        """(N, d), table -> (n or more, m)"""
        layer, decay = self.layer, self.layer.kernel.decay
        responses = layer.kernel.responses(_seen(items, table), layer.filters)
        return layer.pool.pooled(responses, table.places, table.inverse, decay, self.whitening)

    @in_single
    def residual(self, items: Array, table: GappedTable) -> tuple[Array, Array]:
        """What the map misses of each window without a gap, k(p, p) - |ψ(p)|², and k(p, p) itself: -> (P,), (P,)"""
        items, layer = _seen(items, table), self.layer
        xp, k = namespace(items, layer.filters), int(layer.filters.shape[1])
        responses, squares = layer.kernel.responses(items, layer.filters), row_norms(items) ** 2
        windows = max(0, int(table.places.shape[1]) - k + 1)
        at = [xp.reshape(table.places[:, j : j + windows], (-1,)) for j in range(k)]
        psi = _product([xp.take(responses[:, j, :], at[j], axis=0) for j in range(k)]) @ self.whitening
        whole = _product([xp.take(squares, place) for place in at])
        return whole - xp.sum(psi * psi, axis=1), whole


def _distinct(x: Any) -> tuple[Host, Host | None, int]:
    """The rows of the items, only distinct ones if it is known which are equal, and a row for missing ones."""
    total = int(x.offsets[-1])
    if not isinstance(x, Strings):
        return np.arange(total), None, total
    letters = len(x.alphabet) + 1  # the last for ambiguous ones, which are token -1
    tokens, first = x.tokens.astype(np.int64) % letters, np.full(letters + 1, total, dtype=np.int64)
    present, index = np.unique(tokens, return_index=True)
    first[present] = index
    return tokens, first, letters


def _seen(items: Array, table: GappedTable) -> Array:
    return items if table.distinct is None else namespace(items).take(items, table.distinct, axis=0)


def _product(factors: list[Array]) -> Array:
    return prod(factors[1:], start=factors[0])

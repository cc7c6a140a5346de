"""Layers on parts of sequences, graphs and sets; see docs/decisions/0028-parts.md."""

from dataclasses import dataclass, field
from typing import Any

from ckn.layers.laid import Runs
from kerneltools.arrays import Array, is_whole, namespace, require_floating, require_rank
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.profiles import Exponential
from kerneltools.maps.nystrom import whitening
from kerneltools.optimisers import Geometry, Sphere, Spheres
from kerneltools.patches import Concatenated, Extractor, PartKernel, PartPool, PartSum, Table, Windows
from kerneltools.precision import in_single
from kerneltools.structures import Graphs
from kerneltools.trees import Tree, static, together


@dataclass(frozen=True)
class PartSpec:
    """A layer on parts: `filters`, what the `parts` of objects are, a kernel between these and filters, and a pool.

    `parts`: `patches.Windows(k)` of sequences, `patches.Paths(k)` of graphs, `patches.Elements()`; `pool` puts the
    values of the parts of one owner (a window, the node that a path starts at) together; `reg` > 0 is added to the
    eigenvalues of the filters' kernel matrix. Raises ValueError and TypeError for anything else.
    """

    filters: int
    parts: Extractor = field(default_factory=lambda: Windows(6))
    kernel: PartKernel = field(default_factory=lambda: PartKernel(Exponential(0.6)))
    pool: PartPool = field(default_factory=PartSum)
    reg: float = 1e-2

    def __post_init__(self) -> None:
        if not is_whole(self.filters):
            raise ValueError(f"filters: expected an integer >= 1, got {self.filters!r}")
        for name, value, kind in (("parts", self.parts, Extractor), ("pool", self.pool, PartPool)):
            if not isinstance(value, kind) or isinstance(value, type):
                raise TypeError(f"{name}: expected an object such as those of kerneltools.patches, got {value!r}")
        if not isinstance(self.kernel, PartKernel):
            raise TypeError(f"kernel: expected a kerneltools.patches.PartKernel, got {self.kernel!r}")
        check_positive("reg", self.reg)

    @property
    def extractor(self) -> Extractor:
        """What the parts are that filters are learnt from."""
        return self.parts

    def normalised(self, filters: Array) -> Array:
        """Parts or filters on the sphere of the kernel: (m, k, d) -> (m, k, d)"""
        return self.kernel.normalised(filters)

    def layer(self, filters: Array) -> "PartLayer":
        """The layer with these filters: (m, k, d)"""
        return PartLayer(filters, self.kernel, self.parts, self.pool, self.reg)


@dataclass(frozen=True, eq=False)
class PartLayer(Tree):
    """Parts -> kernel map on them -> pool by owner: the sibling of `ckn.Layer`, whose parts are those of a grid.

    `filters` (m, k, d) are landmarks, on the sphere of the kernel. Raises ValueError for filters of the wrong rank.
    """

    filters: Array
    kernel: PartKernel
    parts: Extractor
    pool: PartPool
    reg: float = static(1e-2)

    def __post_init__(self) -> None:
        require_rank(3, "(m, k, d)", filters=self.filters)
        require_floating(filters=self.filters)
        check_positive("reg", self.reg)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What training leaves as it is, beside the kernel's form."""
        return tuple(self.filters.shape), self.parts, self.pool, self.reg

    @property
    def space(self) -> Geometry:
        """Where the filters live."""
        return Sphere() if isinstance(self.kernel.positions, Concatenated) else Spheres()

    def width(self, columns: int) -> int:
        """How many columns its items have, made of items of so many."""
        return int(self.filters.shape[0])

    def numbers(self, table: Table) -> int:
        """How many numbers the greatest array has that it makes of such parts."""
        parts, (m, k, d) = int(table.places.shape[0]), self.filters.shape
        return parts * int(max(m, d if isinstance(self.kernel.positions, Concatenated) else m * k))

    def lay(self, x: Any, like: Array) -> tuple[Table, Any]:
        """The table of parts, in the library of `like`, and the structure of what comes after; on the host."""
        parts = self.parts(x)
        after = x if isinstance(x, Graphs) else Runs(parts.offsets)
        return parts.table(like, int(x.offsets[-1])), after

    def prepare(self) -> "PreparedPartLayer":
        """The layer with its inverse square root computed, to apply many times."""
        kernel, filters = together(self.kernel, self.filters)
        return PreparedPartLayer(self, whitening(kernel.gram(filters), self.reg))


@dataclass(frozen=True, eq=False)
class PreparedPartLayer(Tree):
    """A layer and its `whitening` κ(Z Z')^(-1/2) (m, m).

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
    def __call__(self, items: Array, table: Table) -> Array:
        """(N, d), table -> (owners, m)"""
        layer = self.layer
        # Pooled before the product with the root where the pool is linear: there are fewer owners than parts.
        return layer.pool(layer.kernel(items, table, layer.filters), table) @ self.whitening

    @in_single
    def residual(self, items: Array, table: Table) -> tuple[Array, Array]:
        """What the map misses of each part, k(p, p) - |ψ(p)|², and k(p, p) itself: (N, d), table -> (P,), (P,)"""
        layer = self.layer
        psi = layer.kernel(items, table, layer.filters) @ self.whitening
        whole = layer.kernel.scales(items, table) ** 2
        return whole - namespace(psi).sum(psi * psi, axis=1), whole

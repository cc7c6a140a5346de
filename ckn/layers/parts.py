"""Networks on sequences, graphs and sets: parts, kernels between them, pooling; see docs/decisions/0028-parts.md."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ckn.checks import check_count
from ckn.layers.embedding import Embedding, Letters, embedding_of, vectors_of, with_vectors
from ckn.network import Progress
from kerneltools.arrays import Array, blocks, is_whole, namespace, require_floating, require_rank
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import SphericalKMeans
from kerneltools.maps.nystrom import whitening
from kerneltools.patches import Extractor, PartKernel, PartMean, PartPool, Parts, PartSum, Windows
from kerneltools.precision import in_single
from kerneltools.progress import silent
from kerneltools.random import Rng, generator
from kerneltools.structures import Collection, Strings
from kerneltools.structures.base import offsets_of, take
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


@dataclass(frozen=True, eq=False)
class PartLayer(Tree):
    """Parts -> kernel map on them -> pool by owner: the sibling of `ckn.Layer`, whose parts are those of a grid.

    (n,) objects with items (N, d) -> (n,) objects of the same kind, with items (owners, m)

    `filters` (m, k, d) are landmarks, on the sphere of the kernel. Raises ValueError for filters of the wrong rank, and
    for objects whose items have another length.
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

    def prepare(self) -> "PreparedPartLayer":
        """The layer with its inverse square root computed, to apply many times."""
        kernel, filters = together(self.kernel, self.filters)
        return PreparedPartLayer(self, whitening(kernel.gram(filters), self.reg))

    def __call__(self, x: Any) -> Any:
        """Objects -> objects"""
        return self.prepare()(x)


@dataclass(frozen=True, eq=False)
class PreparedPartLayer(Tree):
    """A layer and its `whitening` κ(Z Z')^(-1/2) (m, m)."""

    layer: PartLayer
    whitening: Array

    def prepare(self) -> "PreparedPartLayer":
        """The layer itself."""
        return self

    def __call__(self, x: Any) -> Any:
        """Objects -> objects"""
        parts = self.layer.parts(x)
        return with_vectors(x, self._mapped(vectors_of(x), parts), parts.offsets)

    @in_single
    def residual(self, x: Any) -> tuple[Array, Array]:
        """What the map misses of each part, k(p, p) - |ψ(p)|², and k(p, p) itself: objects -> (P,), (P,)"""
        parts, layer = self.layer.parts(x), self.layer
        psi = layer.kernel(vectors_of(x), parts.index, layer.filters) @ self.whitening
        whole = layer.kernel.scales(vectors_of(x), parts.index) ** 2
        return whole - namespace(psi).sum(psi * psi, axis=1), whole

    @in_single
    def _mapped(self, items: Array, parts: Parts) -> Array:
        layer = self.layer
        # Pooled before the product with the root where the pool is linear: there are fewer owners than parts.
        values = layer.kernel(items, parts.index, layer.filters)
        return layer.pool(values, parts) @ self.whitening


@dataclass(frozen=True, eq=False)
class PartNetwork(Tree):
    """Objects -> vectors: an embedding, layers on parts, and the `readout`, a pool of the last items of each object.

    (n,) objects -> (n, m)

    `strands`: for strings whose alphabet has a complement, the mean of the features of both strands. An object without
    an item in the last layer, such as a sequence that is shorter than a window, has features 0.
    """

    embedding: Embedding
    layers: tuple[PartLayer | PreparedPartLayer, ...]
    readout: PartPool = field(default_factory=PartMean)
    strands: bool = static(False)

    @property
    def dimension(self) -> int:
        """m"""
        return int(self.bare_layers[-1].filters.shape[0])

    def prepare(self) -> "PartNetwork":
        """The network with all inverse square roots computed."""
        return replace(self, layers=tuple(layer.prepare() for layer in self.layers))

    def unprepared(self) -> "PartNetwork":
        """The network without what `prepare` computed."""
        return replace(self, layers=self.bare_layers)

    @property
    def bare_layers(self) -> tuple[PartLayer, ...]:
        """The layers without what `prepare` computed."""
        return tuple(p.layer if isinstance(p, PreparedPartLayer) else p for p in self.layers)

    def items(self, x: Any) -> Any:
        """The objects as the last layer leaves them: a vector for each window, or node."""
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def __call__(self, x: Any) -> Array:
        """(n,) objects -> (n, m)"""
        found = self._read(x)
        return (found + self._read(x.reverse_complement())) / 2 if self.strands else found

    def encode(self, x: Collection, batch: int = 256) -> Array:
        """The features of many objects, `batch` at a time: (n,) objects -> (n, m)"""
        check_count("batch", batch)
        prepared = self.prepare()
        pieces = [prepared(x[part]) for part in blocks(len(x), batch)]
        return namespace(*pieces).concat(pieces, axis=0)

    def _read(self, x: Any) -> Array:
        found = self.items(x)
        values, offsets = vectors_of(found), found.offsets
        owner = np.repeat(np.arange(len(found)), np.diff(offsets))
        whole = Parts(np.arange(len(owner))[:, None], owner, offsets_of(np.ones(len(found), dtype=np.int64)))
        return self.readout(values, whole)


def fit_parts(
    architecture: tuple[PartSpec, ...] | list[PartSpec],
    x: Collection,
    rng: Rng,
    *,
    readout: PartPool | None = None,
    strands: bool = False,
    parts: int = 100_000,
    batch: int = 256,
    progress: Progress = silent,
) -> PartNetwork:
    """Choose the filters of every layer among the parts that reach it, by spherical k-means; no labels are needed.

    (n,) objects -> network of (n,) objects -> (n, m)

    `parts`: how many each layer learns from, drawn without replacement among those of objects drawn at random, as many
    as it takes. `batch`: how many objects are encoded at a time. `strands`: as in `PartNetwork`, for strings; filters
    are learnt from both. So are those of CKN-seq (Chen, Jacob and Mairal 2019) and GCKN (Chen, Jacob and Mairal 2020).

    Raises ValueError for no layer, for objects of which none has a part, and for strands without a complement.

    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "ACG"])
    >>> network = fit_parts([PartSpec(4, Windows(5))], x, rng=0)
    >>> network(x).shape, float(abs(network(x)[2]).max())
    ((3, 4), 0.0)
    """
    layers = tuple(architecture)
    if not layers or not all(isinstance(spec, PartSpec) for spec in layers):
        raise ValueError(f"architecture: expected at least one PartSpec, and nothing else, got {architecture!r:.80}")
    check_count("parts", parts)
    check_count("batch", batch)
    embedding = embedding_of(x)
    if strands:
        if not isinstance(embedding, Letters) or not isinstance(x, Strings):
            raise ValueError(f"strands: expected strings, got {x!r:.80}")
        x = x + x.reverse_complement()
    network = PartNetwork(embedding, (), readout or PartMean(), strands)
    for number, (spec, stream) in enumerate(zip(layers, generator(rng).spawn(len(layers)), strict=True), start=1):
        stage = f"layer {number}: parts"
        sample = _sampled(network, x, spec, parts, batch, stream, lambda done, all_, s=stage: progress(s, done, all_))
        progress(f"layer {number}: filters", 0, 1)
        filters = _chosen(spec, sample, stream)
        progress(f"layer {number}: filters", 1, 1)
        layer = PartLayer(filters, spec.kernel, spec.parts, spec.pool, spec.reg).prepare()
        network = replace(network, layers=(*network.layers, layer))
    return network.unprepared()


def _sampled(
    below: PartNetwork, x: Collection, spec: PartSpec, count: int, batch: int, rng: np.random.Generator, report: Any
) -> Array:
    """Parts of what the layers below make of the objects, on the sphere, without blank ones: (P, k, d)"""
    order, found, total = rng.permutation(len(x)), list[Array](), 0
    for part in blocks(len(x), batch):
        items = below.items(x[order[part]])
        table = spec.parts(items)
        values = _stacked(vectors_of(items), table.sample(max(1, -(-count * batch // len(x))), rng))
        values = _shown(values)
        found.append(spec.kernel.normalised(values))
        total += int(values.shape[0])
        report(part.stop, len(x))
        if total >= count:
            break
    if not total:
        raise ValueError(f"x: none of {len(x)} {x.objects} has a part for {spec.parts!r}; nothing can be learnt")
    return namespace(*found).concat(found, axis=0)


def _stacked(values: Array, index: Any) -> Array:
    """The vectors of parts, zeros for items that are not there: (N, d), (P, k) -> (P, k, d)"""
    xp, (p, k) = namespace(values), index.shape
    flat = take(values, np.maximum(index, 0).reshape(-1))
    there = xp.asarray((index >= 0).astype(np.float64), dtype=values.dtype)
    return xp.reshape(flat, (p, k, values.shape[1])) * there[:, :, None]


def _shown(values: Array) -> Array:
    xp = namespace(values)
    squares = xp.sum(values * values, axis=(1, 2))
    return take(values, np.flatnonzero(np.asarray(squares) > 0))


def _chosen(spec: PartSpec, sample: Array, rng: np.random.Generator) -> Array:
    xp, (p, k, d) = namespace(sample), sample.shape
    rule = SphericalKMeans(spec.filters)
    centres = rule(None, xp.reshape(sample, (p, k * d)), rng).points  # type: ignore[arg-type]  # no kernel is asked
    return spec.kernel.normalised(xp.reshape(centres, (centres.shape[0], k, d)))

"""Layers one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from typing import Any, Protocol, overload

import numpy as np

from ckn.checks import check_batch
from ckn.layers.beside import grouped, left_by, require_groups
from ckn.layers.embedding import Embedding
from ckn.layers.grid import prepared
from ckn.layers.laid import AnyReadout, Laid, Runs, before_zeros, ends_of, width_of
from kerneltools.arrays import A, Array, blocks, flattened, namespace, on_host
from kerneltools.backend import stop_gradient
from kerneltools.primitives import map_blocks, program
from kerneltools.structures import Collection, Ragged, count, take
from kerneltools.structures.base import is_collection, like_of, part
from kerneltools.trees import Tree, static


class Progress(Protocol):
    """Told how far a stage of work is; raise in it to stop the work."""

    def __call__(self, stage: str, done: int, total: int, /) -> None: ...


def named(name: str, progress: Progress) -> Progress:
    """The same reports, under another name of the stage."""

    def renamed(stage: str, done: int, total: int) -> None:
        progress(name, done, total)

    return renamed


@dataclass(frozen=True, eq=False)
class Network(Tree):
    """Layers applied one after the other, to images and other grids, or to objects.

    (n, *grid, c) -> (n, *grid', m), or (n, features) with a `readout`; n objects -> (n, features)

    `embedding`: for objects, what makes vectors of their items; `readout`: what makes features of the last maps or
    items; `strands`: for strings, whether features are the mean of those of both strands; `beside`: of objects, how
    many of the layers see the same items, with their own side by side, such as (3, 1) of four; (), all one after the
    other. An object without an item in the last layer, such as a sequence shorter than a window, has features 0.

    Differentiable in the layers' filters and kernels, and in the readout: the inverse square roots are computed in each
    call. `prepare()` computes them once, to encode many.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> import ckn
    >>> architecture = ckn.Architecture((ckn.LayerSpec(8), ckn.LayerSpec(16)))
    >>> network = ckn.fit_unsupervised(architecture, images, rng=0, patches=200)
    >>> network(images).shape, network.encode(images).shape
    ((20, 2, 2, 16), (20, 64))
    """

    layers: tuple[Any, ...]
    embedding: Embedding | None = None
    readout: AnyReadout | None = None
    strands: bool = static(False)
    beside: tuple[int, ...] = static(())

    def __post_init__(self) -> None:
        require_groups(self.layers, self.beside)

    def _repr_html_(self) -> str:
        return str(import_module("ckn.describing").as_html(self))  # which knows networks

    @overload
    def __call__(self, x: Collection | Laid) -> Array: ...

    @overload
    def __call__(self, x: A) -> A: ...

    def __call__(self, x: Any) -> Any:
        """Images (n, *grid, c) -> (n, *grid', m); a collection, or one that is `laid` -> (n, features)"""
        if self.embedding is not None:
            return self._of_objects(x)
        for layer in prepared(self.layers):
            x = layer(x)
        return x if self.readout is None else self._read(x)

    def flat(self, x: Any) -> Any:
        """`network(x)`, with each image in one row; all layers are one program for a library that compiles.

        (n, *grid, c), or n objects -> (n, features)
        """
        if self.embedding is not None or not self.layers or not all(layer.by_products for layer in self.bare_layers):
            return flattened(self(x))
        layers = prepared(self.layers)
        layers[0].check(x)
        found = _rows(layers, x, self.readout is None)
        return found if self.readout is None else self._read(found)

    def laid(self, x: Any) -> Any:
        """The structure of a batch of objects, found on the host, as arrays of the network's library; images unchanged.

        n objects -> `Laid`. A network takes it in place of the objects: once for many calls, and where a library
        compiles or differentiates.
        """
        return x if self.embedding is None or isinstance(x, Laid) else self._lay(x)[0]

    def items(self, x: Collection) -> Ragged:
        """The vectors that the last layer makes of each object's windows, or nodes: n objects -> n arrays (T_i, m)

        Of both strands, the second behind the first, where the network takes both: 2n arrays.
        """
        values, structure = self.reached(x)
        return Ragged(values, structure.offsets)

    def reached(self, x: Collection) -> tuple[Array, Any]:
        """The vectors of all items behind the last layer, (N, m), and their structure, of which parts may be made."""
        laid, structure = self._lay(x)
        return _passed(self.prepare().stages, laid)[: int(structure.offsets[-1]), :], structure

    def residuals(self, x: Any) -> Iterator[tuple[Array, Array]]:
        """For each layer, what its map misses of each patch or part, k(p, p) - |ψ(p)|², and k(p, p) itself."""
        layers = self.prepare().layers
        if self.embedding is None:
            for layer in layers:
                yield layer.residual(x)
                x = layer(x)
            return
        laid = self.laid(x)
        items = laid.items
        for stage, tables in zip(grouped(layers, self.beside), grouped(laid.tables, self.beside), strict=True):
            for layer, table in zip(stage, tables, strict=True):
                yield layer.residual(items, table)
            items = _side_by_side(stage, tables, items)

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the last maps for an input grid. Raises ValueError when a patch does not fit."""
        for layer in self.layers:
            grid = layer.output_shape(grid)
        return grid

    def features(self, grid: tuple[int, ...]) -> int:
        """How many numbers the network makes of one image of that grid. Raises what `output_shape` raises."""
        points, columns = prod(self.output_shape(grid)), int(self.layers[-1].filters.shape[0])
        return points * columns if self.readout is None else width_of(self.readout, columns)

    @property
    def dimension(self) -> int:
        """How many numbers the network makes of one object, or of one image where it has a readout.

        Raises ValueError for a network without one: `features` says how many it makes of an image of some size.
        """
        if self.readout is None:
            raise ValueError("the number of features depends on the images: ask network.features(grid)")
        if self.embedding is None:
            return width_of(self.readout, int(self.bare_layers[-1].filters.shape[0]))
        return width_of(self.readout, sum(self.widths[-1]))

    @property
    def widths(self) -> tuple[tuple[int, ...], ...]:
        """For objects, how many columns the items of each layer have, those of layers beside each other together."""
        columns, found = 0 if self.embedding is None else self.embedding.columns, []
        for stage in grouped(self.bare_layers, self.beside):
            found.append(tuple(layer.width(columns) for layer in stage))
            columns = sum(found[-1])
        return tuple(found)

    def features_of(self, x: Any) -> int:
        """How many numbers the network makes of each of these images or objects."""
        return self.features(tuple(x.shape[1:-1])) if self.embedding is None else self.dimension

    def prepare(self) -> "Network":
        """The network with all inverse square roots computed."""
        if self.embedding is None:
            return self.with_layers(prepared(self.layers))
        return self.with_layers(tuple(layer.prepare() for layer in self.layers))

    def with_layers(self, layers: Sequence[Any]) -> "Network":
        """The same with other layers."""
        return replace(self, layers=tuple(layers))

    def followed(self, *layers: Any) -> "Network":
        """The same with one more layer behind the last, or with several, beside each other."""
        counts = (*map(len, self.stages), len(layers))
        return replace(self, layers=(*self.layers, *layers), beside=counts if max(counts) > 1 else ())

    def below(self, number: int) -> "Network":
        """The layers below the one with this number, from 0, whose items it sees; without a readout."""
        start, counts = 0, list[int]()
        for stage in self.stages:
            if start + len(stage) > number:
                break
            counts.append(len(stage))
            start += len(stage)
        return replace(self, layers=self.layers[:start], beside=tuple(counts), readout=None)

    @property
    def stages(self) -> tuple[tuple[Any, ...], ...]:
        """The layers one after the other, those beside each other together."""
        return grouped(self.layers, self.beside)

    def with_products(self, products: str | None) -> "Network":
        """The network with patches and filters multiplied in that type; see `Layer`.

        Raises ValueError for a network on objects, whose layers have no such type.
        """
        if self.embedding is None:
            return self.with_layers([replace(layer, products=products) for layer in self.bare_layers])
        if products is not None:
            raise ValueError(f"products: {products!r} is for networks on images; leave it out")
        return self.unprepared()

    def unprepared(self) -> "Network":
        """The network without what `prepare` computed."""
        return self.with_layers(self.bare_layers)

    @property
    def bare_layers(self) -> tuple[Any, ...]:
        """The layers without what `prepare` computed."""
        return tuple(getattr(layer, "layer", layer) for layer in self.layers)

    @property
    def like(self) -> Array:
        """An array of the library, type and device that the network works in: its first filters."""
        return self.layers[0].filters

    @overload
    def encode(self, x: Collection, batch: int | None = None) -> Array: ...

    @overload
    def encode(self, x: A, batch: int | None = None) -> A: ...

    def encode(self, x: Any, batch: int | None = None) -> Any:
        """The features of many images or objects, `batch` at a time: memory for patches is that of one batch.

        n of them -> (n, features)
        """
        check_batch(batch)
        prepared = self.prepare()

        def of_piece(piece: tuple[Any, slice, int]) -> Array:
            block, new, _ = piece
            return prepared.flat(block)[new, :]

        features = list(map_blocks(of_piece, batches(x, batch or self.batch_for(x)), prepared, x))
        return namespace(*features).concat(features)

    def batch_for(self, x: Any) -> int:
        """How many to take at a time so that a layer's intermediate arrays stay in the host's cache.

        On other devices, which are idle between small arrays, so that each stays far from filling the memory.
        """
        widest = self.numbers_of_one(x)
        if not on_host(self._where(x)):
            return max(1, DEVICE_NUMBERS // widest)
        if self.embedding is not None:
            return max(1, OBJECT_NUMBERS // widest)
        return max(1, CACHED_NUMBERS // widest, min(FEW_IMAGES, FEW_NUMBERS // widest))

    def numbers_of_one(self, x: Any) -> int:
        """How many numbers the greatest array has that a layer makes of one of the images (n, *grid, c), or of one
        object, as some of them tell."""
        if self.embedding is None:
            return self.numbers_for(tuple(x.shape[1:]))
        some = take(x, np.unique(np.linspace(0, len(x) - 1, FEW_OBJECTS).round().astype(np.int64)))
        laid = self.laid(some)
        pairs = zip(self.bare_layers, laid.tables, strict=True)
        widest = max([prod(laid.items.shape), *(layer.numbers(table) for layer, table in pairs)])
        return max(1, -(-int(widest) // len(some)))

    def numbers_for(self, shape: tuple[int, ...]) -> int:
        """The same for images of shape (*grid, c). Raises what `output_shape` raises."""
        grid, widest = shape[:-1], prod(shape)
        for layer in self.bare_layers:
            m, d = layer.size
            points = max(prod(grid), prod(layer.grid.output_shape(grid)))
            widest = max(widest, points * max(m, d))
            grid = layer.output_shape(grid)
        return widest

    def _lay(self, x: Any) -> tuple[Laid, Any]:
        """The objects laid, and the structure that the last layer leaves of them."""
        assert self.embedding is not None
        self.embedding.check(x)
        whole = x + x.reverse_complement() if self.strands else x
        like, structure, tables = self._where(x), whole, []
        for stage in grouped(self.bare_layers, self.beside):
            laid = [layer.lay(structure, like) for layer in stage]
            tables += [table for table, _ in laid]
            structure = left_by(stage, [after for _, after in laid])
        ends = None if self.readout is None else ends_of(self.readout, Runs(structure.offsets), like)
        return Laid(self.embedding(whole, like), tuple(tables), ends, len(whole)), structure

    def _where(self, x: Any) -> Array:
        """An array of the library, type and device in which objects are seen; images are where they are."""
        return like_of(x) if self.embedding is None or not self.layers else stop_gradient(self.like)

    def _of_objects(self, x: Any) -> Array:
        if self.readout is None:
            raise ValueError("readout: a network on objects needs one, such as kerneltools.patches.PartMean()")
        laid = self.laid(x)
        found = _features(self.prepare().stages, self.readout, laid)
        if not self.strands:
            return found
        half = laid.objects // 2
        return (found[:half, :] + found[half:, :]) / 2

    def _read(self, maps: Array) -> Array:
        """Maps as sets of their points, read out: (n, *grid, m) -> (n, features)"""
        xp, n, m = namespace(maps), int(maps.shape[0]), int(maps.shape[-1])
        points = prod(maps.shape[1:-1])
        table = ends_of(self.readout, Runs(np.arange(n + 1) * points), maps)  # type: ignore[arg-type]  # there is one
        items = before_zeros(xp.reshape(maps, (n * points, m)))
        return self.readout(items, table)[:n, :]  # type: ignore[misc]


@program
def _rows(layers: tuple[Any, ...], x: Array, flat: bool) -> Array:
    """The maps of the last layer, or all numbers of each image in a row."""
    for layer in layers:
        x = layer(x)
    return flattened(x) if flat else x


@program
def _features(stages: tuple[tuple[Any, ...], ...], readout: Any, laid: Laid) -> Array:
    return readout(_walk(stages, laid), laid.ends)[: laid.objects, :]


@program
def _passed(stages: tuple[tuple[Any, ...], ...], laid: Laid) -> Array:
    return _walk(stages, laid)


def _walk(stages: tuple[tuple[Any, ...], ...], laid: Laid) -> Array:
    items, tables = laid.items, grouped(laid.tables, tuple(map(len, stages)))
    for stage, those in zip(stages, tables, strict=True):
        items = _side_by_side(stage, those, items)
    return items


def _side_by_side(stage: tuple[Any, ...], tables: tuple[Any, ...], items: Array) -> Array:
    """What layers beside each other make of items: (N, d) -> (owners, columns of all)"""
    found = [layer(items, table) for layer, table in zip(stage, tables, strict=True)]
    return found[0] if len(found) == 1 else namespace(*found).concat(found, axis=1)


def batches(x: Any, size: int) -> Iterator[tuple[Any, slice, int]]:
    """Blocks of `size`, which of each are new, and how many there have been; images as `of_one_size` has them.

    Blocks of objects are of other sizes anyway, in their items.
    """
    n = count(x)
    if is_collection(x):
        for rows in blocks(n, size):
            yield part(x, rows), slice(0, None), rows.stop
        return
    for whole, new in of_one_size(n, size):
        yield x[whole, ...], new, whole.stop


def of_one_size(n: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of `size` rows, and which rows of a block are new: the last block reaches back to have that size too.

    Libraries that compile do so for each shape.

    >>> [(whole, new) for whole, new in of_one_size(5, 3)]
    [(slice(0, 3, None), slice(0, None, None)), (slice(2, 5, None), slice(1, None, None))]
    """
    for rows in blocks(n, size):
        start = max(0, min(rows.start, n - size))
        yield slice(start, rows.stop), slice(rows.start - start, None)


CACHED_NUMBERS = 2**20
"""Numbers in an intermediate array that caches still hold, and that calls cost little of (4 MiB of float32)."""

OBJECT_NUMBERS = 2**21
"""The same for objects, of which each batch has work on the host of its own."""

FEW_OBJECTS = 16
"""Objects by which the size of all is judged."""

FEW_IMAGES, FEW_NUMBERS = 16, 2**22
"""Fewer images than that waste more time between small products than the cache saves, while arrays are below 16 MiB."""

DEVICE_NUMBERS = 2**27
"""Numbers in an intermediate array on an accelerator (512 MiB of float32)."""

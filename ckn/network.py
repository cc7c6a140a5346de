"""Layers one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

from ckn.checks import check_batch
from ckn.layers.grid import Layer, PreparedLayer, prepared
from kerneltools.arrays import A, Array, blocks, flattened, namespace, on_host
from kerneltools.trees import Tree


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
    """Layers one after the other.

    (n, *grid, c) -> (n, *grid', m)

    Differentiable in the layers' filters and kernels: the inverse square roots are computed in each call.
    `prepare()` computes them once, to encode many images.
    """

    layers: tuple[Layer | PreparedLayer, ...]

    def __call__(self, x: A) -> A:
        """(n, *grid, c) -> (n, *grid', m)"""
        for layer in prepared(self.layers):
            x = layer(x)
        return x

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the output for an input grid. Raises ValueError when a patch does not fit."""
        for layer in self.layers:
            grid = layer.output_shape(grid)
        return grid

    def features(self, grid: tuple[int, ...]) -> int:
        """How many numbers the network makes of one image of that grid. Raises what `output_shape` raises."""
        return prod(self.output_shape(grid)) * self.layers[-1].size[0]

    def prepare(self) -> "Network":
        """The network with all inverse square roots computed."""
        return Network(prepared(self.layers))

    def with_products(self, products: str | None) -> "Network":
        """The network with patches and filters multiplied in that type; see `Layer`."""
        return Network(tuple(replace(layer, products=products) for layer in self.bare_layers))

    def unprepared(self) -> "Network":
        """The network without what `prepare` computed."""
        return Network(self.bare_layers)

    @property
    def bare_layers(self) -> tuple[Layer, ...]:
        """The layers without what `prepare` computed."""
        return tuple(p.layer if isinstance(p, PreparedLayer) else p for p in self.layers)

    @property
    def like(self) -> Array:
        """An array of the library, type and device that the network works in: its first filters."""
        return self.layers[0].filters

    def encode(self, x: A, batch: int | None = None) -> A:
        """The features of many images, `batch` at a time: memory for patches is that of one batch.

        (n, *grid, c) -> (n, features)
        """
        check_batch(batch)
        xp = namespace(x)
        prepared = self.prepare()
        size = batch or self.batch_for(x)
        images: Array = x
        parts = of_one_size(x.shape[0], size)
        features: A = xp.concat([flattened(prepared(images[whole, ...]))[new, :] for whole, new in parts])
        return features

    def batch_for(self, x: Array) -> int:
        """How many images to take at a time so that a layer's intermediate arrays stay in the host's cache.

        On other devices, which are idle between small arrays, so that each stays far from filling the memory.
        """
        widest = self.numbers_of_one(x)
        if not on_host(x):
            return max(1, DEVICE_NUMBERS // widest)
        return max(1, CACHED_NUMBERS // widest, min(FEW_IMAGES, FEW_NUMBERS // widest))

    def numbers_of_one(self, x: Array) -> int:
        """How many numbers the greatest array has that a layer makes of one of the images (n, *grid, c)."""
        return self.numbers_for(tuple(x.shape[1:]))

    def numbers_for(self, shape: tuple[int, ...]) -> int:
        """The same for images of shape (*grid, c). Raises what `output_shape` raises."""
        grid, widest = shape[:-1], prod(shape)
        for layer in self.bare_layers:
            m, d = layer.size
            points = max(prod(grid), prod(layer.grid.output_shape(grid)))
            widest = max(widest, points * max(m, d))
            grid = layer.output_shape(grid)
        return widest


def of_one_size(n: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of `size` rows, and which rows of a block are new: the last block reaches back to have that size too.

    Libraries that compile do so for each shape.

    >>> [(whole, new) for whole, new in of_one_size(5, 3)]
    [(slice(0, 3, None), slice(0, None, None)), (slice(2, 5, None), slice(1, None, None))]
    """
    for rows in blocks(n, size):
        start = max(0, min(rows.start, n - size))
        yield slice(start, rows.stop), slice(rows.start - start, None)


CACHED_NUMBERS = 2**19
"""Numbers in an intermediate array that still fits the caches of one core (2 MiB of float32)."""

FEW_IMAGES, FEW_NUMBERS = 8, 2**22
"""Fewer images than that waste more time between small products than the cache saves, while arrays are below 16 MiB."""

DEVICE_NUMBERS = 2**27
"""Numbers in an intermediate array on an accelerator (512 MiB of float32)."""

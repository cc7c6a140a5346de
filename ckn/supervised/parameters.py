"""The parameters of a network that a training moves, and the spaces that they are in."""

from dataclasses import dataclass, replace
from typing import Any

from ckn.layers.grid import Layer
from ckn.network import Network
from ckn.sampling import sample_patches
from kerneltools.arrays import Array, asarray_like, namespace, widest_float
from kerneltools.linalg import identity_like
from kerneltools.optimisers import Euclidean, Geometry, Positive, Sphere
from kerneltools.patches import Grid
from kerneltools.random import Rng, generator
from kerneltools.solvers import LinearModel
from kerneltools.trees import Tree, flatten, map_leaves


@dataclass(frozen=True, eq=False)
class Parameters(Tree):
    """`filters` of each layer; `kernels` of each layer, or None where they stay as they are; the `head`; the
    `readout`, where it has parameters."""

    filters: tuple[Array, ...]
    kernels: tuple[Any, ...] | None
    head: LinearModel
    readout: Any = None

    def network(self, frame: Network) -> Network:
        """The network `frame` with these filters and kernels."""
        kernels = self.kernels or tuple(layer.kernel for layer in frame.bare_layers)
        changed = [
            replace(layer, filters=filters, kernel=kernel)
            for layer, filters, kernel in zip(frame.bare_layers, self.filters, kernels, strict=True)
        ]
        return replace(frame.with_layers(changed), readout=frame.readout if self.readout is None else self.readout)


def parameters(network: Network, head: LinearModel, learn_kernels: bool) -> Parameters:
    """The parameters that a training starts from."""
    layers = network.bare_layers
    filters = tuple(layer.filters for layer in layers)
    readout = network.readout if flatten(network.readout)[0] else None
    kernels = tuple(_with_arrays(layer) for layer in layers) if learn_kernels else None
    return Parameters(filters, kernels, head, readout)


def _with_arrays(layer: Any) -> Any:
    """The layer's kernel with its numbers as arrays, which have gradients."""

    def array(leaf: Any) -> Array:
        return asarray_like(leaf, layer.filters) if isinstance(leaf, int | float) else leaf

    return map_leaves(array, layer.kernel)


def geometries(network: Network, start: Parameters, spheres: tuple[Geometry, ...]) -> tuple[Geometry, ...]:
    """The space of each array of the parameters, in the order of trees.flatten."""
    of_filters = tuple(
        Euclidean() if isinstance(layer, Layer) and not layer.kernel.homogeneous else sphere
        for layer, sphere in zip(network.bare_layers, spheres, strict=True)
    )
    of_kernels = [
        space
        for layer, kernel in zip(network.bare_layers, start.kernels or (), strict=start.kernels is not None)
        for space in getattr(layer, "kernel_spaces", (Positive(),) * len(flatten(kernel)[0]))
    ]
    return (*of_filters, *of_kernels, *(Euclidean(),) * len(flatten((start.head, start.readout))[0]))


def spheres(network: Network) -> tuple[Geometry, ...]:
    """The spheres of each layer's filters, with the plain metric."""
    return tuple(Sphere() if isinstance(layer, Layer) else layer.space for layer in network.bare_layers)


def preconditioned(
    network: Network, images: Any, rng: Rng, count: int = 10_000, floor: float = 1e-2
) -> tuple[Sphere, ...]:
    """The unit sphere of each layer's filters, in the metric of the layer's patches (Mairal 2016, §3.2).

    The metric is the inverse covariance of `count` random patches of norm 1; to its eigenvalues `floor` times
    their mean is added, and it is scaled to trace d.
    """
    if network.embedding is not None:
        raise ValueError(
            "precondition: for networks on images only, whose patches give a metric; leave it out, and take Adam"
        )
    drawn = generator(rng)
    found = []
    for number, layer in enumerate(network.bare_layers):
        below = Network(network.layers[:number]).prepare()
        grid = Grid(tuple(layer.filters.shape[1:-1]), padding="valid", dilation=layer.dilation)
        patches = sample_patches(below, images, grid, count, drawn, below.batch_for(images), lambda done, total: None)
        found.append(Sphere(_inverse_covariance(patches, floor)))
    return tuple(found)


def _inverse_covariance(patches: Array, floor: float) -> Array:
    xp = namespace(patches)
    wide = xp.astype(patches, widest_float(patches))
    units = wide / xp.sqrt(xp.sum(wide * wide, axis=1, keepdims=True))
    covariance = xp.matrix_transpose(units) @ units / units.shape[0]
    mean = xp.linalg.trace(covariance) / covariance.shape[0]
    inverse = xp.linalg.inv(covariance + floor * mean * identity_like(covariance))
    scaled = inverse * (inverse.shape[0] / xp.linalg.trace(inverse))
    return xp.astype(scaled, patches.dtype)

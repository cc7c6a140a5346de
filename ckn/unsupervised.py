"""Learning filters without labels: the centres of random patches, layer after layer (Mairal 2016, §2.3).

Filters for sequences and graphs are learnt in the same way (Chen, Jacob and Mairal 2019, 2020).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ckn.architecture import Architecture, LayerSpec
from ckn.checks import check_batch, check_count, check_images, check_objects, require_channels_last, require_moderate
from ckn.layers.embedding import embedding_of
from ckn.layers.grid import Layer
from ckn.layers.laid import ObjectSpec, ReadoutSpec
from ckn.network import Network, Progress
from ckn.sampling import merged, sample_parts, sample_patches, some_items
from kerneltools.arrays import Array, namespace, require_floating
from kerneltools.landmarks import Selector, SphericalKMeans, Uniform
from kerneltools.landmarks.base import chosen, takes_weights
from kerneltools.landmarks.spherical_kmeans import unit_rows
from kerneltools.patches import Grid, PartMean
from kerneltools.progress import silent
from kerneltools.random import Rng, generator, stream
from kerneltools.structures import Strings


def default_selector(spec: LayerSpec | ObjectSpec) -> Selector:
    """Spherical k-means for homogeneous kernels, whose filters are directions; random patches for others."""
    on_sphere = not isinstance(spec, LayerSpec) or spec.kernel.homogeneous
    return SphericalKMeans(spec.filters) if on_sphere else Uniform(spec.filters)


def fit_unsupervised(
    architecture: Architecture,
    data: Any,
    rng: Rng,
    *,
    patches: int = 100_000,
    batch: int | None = None,
    selector: Callable[[Any], Selector] = default_selector,
    progress: Progress = silent,
) -> Network:
    """Choose the filters of every layer among the patches, or parts, that reach it; no labels are needed.

    images (n, *grid, c) -> network of (n, *grid, c) -> (n, *grid', m); n objects -> network of n objects -> (n, m)

    `patches`: how many each layer learns from, drawn uniformly without replacement among all without padding that are
    not blank; for objects, among the parts of as many random ones as needed. `batch`: how many images or objects are
    encoded at a time (None: what fits the cache); the draw of patches does not depend on it. `selector(spec)` returns
    the selector that chooses the filters among the patches.

    Raises ValueError for wrong shapes, channels that come first, NaN or infinity, a patch that does not fit, and images
    whose patches are all blank; for objects of which none has a part, and for `strands` of letters without a
    complement; TypeError for objects if the layers are for grids, and the reverse. Warns (ReducedWarning) if a layer
    gets fewer filters than asked for, since there are too few distinct patches.

    >>> from ckn.layers.parts import PartSpec
    >>> from kerneltools.patches import Windows
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGTACGTAC", "GGATTACAGG", "ACG"])
    >>> network = fit_unsupervised(Architecture((PartSpec(4, Windows(5)),)), x, rng=0)
    >>> network(x).shape, float(abs(network(x)[2]).max())
    ((3, 4), 0.0)
    """
    if not isinstance(architecture, Architecture):
        raise TypeError(f"architecture: expected a ckn.Architecture, got {architecture!r:.80}")
    check_batch(batch)
    check_count("patches", patches)
    if not architecture.of_grids:
        return _of_objects(architecture, data, rng, patches, batch, selector, progress)
    check_images(data)
    require_floating(images=data)
    require_channels_last(tuple(data.shape), architecture.axes)
    require_patches(architecture, tuple(data.shape[1:-1]))
    network, streams = Network(()), generator(rng).spawn(len(architecture.layers))
    for number, (spec, draws) in enumerate(zip(architecture.grids, streams, strict=True), start=1):
        below = network.prepare()
        grid = inner_patches(spec)
        report = partial(progress, f"layer {number}: patches")
        sample = sample_patches(below, data, grid, patches, draws, batch or below.batch_for(data), report)
        found = _filters(spec.kernel, spec, sample, draws, number, selector, progress)
        if spec.kernel.homogeneous:
            found = unit_rows(found)  # a layer takes it for granted, and not every selector's are
        size = grid.window(below.output_shape(tuple(data.shape[1:-1]))).size
        network = network.with_layers((*network.layers, _layer(spec, found, size)))
    return _with_readout(architecture, network, data, rng, batch, progress)


def _of_objects(
    architecture: Architecture,
    x: Any,
    rng: Rng,
    count: int,
    batch: int | None,
    selector: Callable[[Any], Selector],
    progress: Progress,
) -> Network:
    """The same for objects. Filters are learnt from both strands if features are made from both."""
    check_objects(x)
    require_moderate(x)
    if architecture.strands and (not isinstance(x, Strings) or x.alphabet.complement is None):
        raise ValueError(f"strands: expected strings of letters that have a complement, got {x!r:.80}")
    network = Network((), embedding_of(x), strands=architecture.strands)
    streams = generator(rng).spawn(len(architecture.layers))
    for stage, draws in zip(architecture.stages, streams, strict=True):
        below, first = network.prepare(), len(network.layers) + 1
        each = draws.spawn(len(stage)) if len(stage) > 1 else [draws]
        layers = []
        for number, (spec, own) in enumerate(zip(stage, each, strict=True), start=first):
            report = partial(progress, f"layer {number}: patches")
            sample = sample_parts(below, x, spec, count, own, batch or below.batch_for(x), report)
            xp, (p, k, d) = namespace(sample), sample.shape
            rows = xp.reshape(sample, (p, k * d))
            found = _filters(None, spec, rows, own, number, selector, progress)
            layers.append(spec.layer(spec.normalised(xp.reshape(found, (found.shape[0], k, d)))))
        network = network.followed(*layers)
    return _with_readout(architecture, network, x, rng, batch, progress)


def _filters(
    kernel: Any, spec: Any, rows: Array, rng: Any, number: int, selector: Callable[[Any], Selector], progress: Progress
) -> Array:
    stage = f"layer {number}: filters"
    progress(stage, 0, 1)
    rule, weights = selector(spec), None
    if not isinstance(spec, LayerSpec) and takes_weights(rule):
        rows, weights = merged(rows)
    points = chosen(rule, kernel, rows, rng, weights).points
    progress(stage, 1, 1)
    return points


def _with_readout(
    architecture: Architecture, network: Network, x: Any, rng: Rng, batch: int | None, progress: Progress
) -> Network:
    """The network with its readout, which learns what it needs from some of the images or objects."""
    readout = architecture.readout
    if not isinstance(readout, ReadoutSpec):
        default = None if architecture.of_grids else PartMean()
        return replace(network, readout=default if readout is None else readout)
    draws = generator(stream(rng, "readout")) if isinstance(rng, int) else generator(rng)
    values, offsets = some_items(network.prepare(), x, draws, batch)
    return replace(network, readout=readout.fitted(values, offsets, draws, partial(progress, "readout")))


def require_patches(architecture: Architecture, grid: tuple[int, ...]) -> None:
    """Raise ValueError, naming the layer, unless each layer has a patch without padding to learn from."""
    for number, spec in enumerate(architecture.grids, start=1):
        try:
            inner_patches(spec).window(grid)
        except ValueError as error:
            raise ValueError(f"layer {number}: {error}, and filters are learnt from patches without padding") from error
        grid = spec.output_shape(grid)


def inner_patches(spec: LayerSpec) -> Grid:
    """The patches that a layer's filters are learnt from: those without padding."""
    return Grid(spec.patch, padding="valid", dilation=spec.dilation)


def _layer(spec: LayerSpec, filters: Array, size: tuple[int, ...]) -> Layer:
    shaped = namespace(filters).reshape(filters, (filters.shape[0], *size, -1))
    return Layer(shaped, spec.kernel, spec.subsampling, spec.padding, spec.reg, spec.dilation)

"""Learning filters without labels: the centres of random patches, layer after layer (Mairal 2016, §2.3)."""

from collections.abc import Callable
from functools import partial

from ckn.architecture import Architecture, LayerSpec
from ckn.checks import check_batch, check_count, check_images, require_channels_last
from ckn.layers.grid import Layer
from ckn.network import Network, Progress
from ckn.sampling import sample_patches
from kerneltools.arrays import Array, namespace, require_floating
from kerneltools.landmarks import Selector, SphericalKMeans, Uniform
from kerneltools.landmarks.spherical_kmeans import unit_rows
from kerneltools.patches import Grid
from kerneltools.progress import silent
from kerneltools.random import Rng, generator


def default_selector(spec: LayerSpec) -> Selector:
    """Spherical k-means for homogeneous kernels, whose landmarks are directions; random patches for others."""
    return SphericalKMeans(spec.filters) if spec.kernel.homogeneous else Uniform(spec.filters)


def fit_unsupervised(
    architecture: Architecture,
    images: Array,
    rng: Rng,
    *,
    patches: int = 100_000,
    batch: int | None = None,
    selector: Callable[[LayerSpec], Selector] = default_selector,
    progress: Progress = silent,
) -> Network:
    """Choose the filters of every layer among the patches that reach it.

    (n, *grid, c) -> network of (n, *grid, c) -> (n, *grid', m)

    `patches`: how many each layer learns from, drawn uniformly without replacement among all that are not
    blank, without padding. `batch`: how many images are encoded at a time (what fits the cache when None);
    the draw does not depend on it. `selector(spec)` chooses the filters among the patches.

    Raises ValueError for wrong shapes, channels that come first, NaN or infinity, a patch that does not fit, and when
    all patches are blank. Warns (ReducedWarning) when a layer gets fewer filters than asked, for want of distinct
    patches.
    """
    check_images(images)
    require_floating(images=images)
    check_batch(batch)
    require_channels_last(tuple(images.shape), architecture.axes)
    require_patches(architecture, tuple(images.shape[1:-1]))
    check_count("patches", patches)
    network = Network(())
    for number, (spec, stream) in enumerate(
        zip(architecture.layers, generator(rng).spawn(len(architecture.layers)), strict=True), start=1
    ):
        below = network.prepare()
        grid = _inner_patches(spec)
        report = partial(progress, f"layer {number}: patches")
        sample = sample_patches(below, images, grid, patches, stream, batch or below.batch_for(images), report)
        stage = f"layer {number}: filters"
        progress(stage, 0, 1)
        chosen = selector(spec)(spec.kernel, sample, stream).points
        if spec.kernel.homogeneous:
            chosen = unit_rows(chosen)  # a layer takes it for granted, and not every selector's are
        progress(stage, 1, 1)
        size = grid.window(below.output_shape(tuple(images.shape[1:-1]))).size
        network = Network((*network.layers, _layer(spec, chosen, size)))
    return network


def require_patches(architecture: Architecture, grid: tuple[int, ...]) -> None:
    """Raise ValueError, naming the layer, unless each layer has a patch without padding to learn from."""
    for number, spec in enumerate(architecture.layers, start=1):
        try:
            _inner_patches(spec).window(grid)
        except ValueError as error:
            raise ValueError(f"layer {number}: {error}, and filters are learnt from patches without padding") from error
        grid = spec.output_shape(grid)


def _inner_patches(spec: LayerSpec) -> Grid:
    return Grid(spec.patch, padding="valid", dilation=spec.dilation)


def _layer(spec: LayerSpec, filters: Array, size: tuple[int, ...]) -> Layer:
    shaped = namespace(filters).reshape(filters, (filters.shape[0], *size, -1))
    return Layer(shaped, spec.kernel, spec.subsampling, spec.padding, spec.reg, spec.dilation)

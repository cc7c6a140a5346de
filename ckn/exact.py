"""The exact kernel of an architecture, to which its Nyström approximation converges."""

from dataclasses import dataclass

from ckn.architecture import Architecture, LayerSpec
from ckn.checks import check_images, require_channels_last
from kerneltools.arrays import Array, device_of, namespace, require_floating, safe_sqrt
from kerneltools.precision import in_single
from kerneltools.primitives import pad


@in_single
def gram(architecture: Architecture, x: Array, y: Array | None = None) -> Array:
    """Exact kernel values between images: the sum over output positions of the inner products of the maps.

    (n, *grid, c), (m, *grid, c) -> (n, m); y = x if it is not given

    The recursion of Mairal et al. (2014, eq. 3-4) and Bietti and Mairal (2019): the inner products of the
    maps of two images at all pairs of positions, layer by layer: sum over patches, kernel, pooling on both
    sides. In the first layer, the kernel gets the patches themselves.
    Time O(positions² · points) for each pair of images and layer: meant for tests and small data.

    Raises ValueError for images of different shapes and with the channels first, and TypeError for kernels after the
    first layer that are not functions of inner products and norms.

    >>> import numpy as np
    >>> import ckn
    >>> x = np.random.default_rng(0).random((3, 6, 6, 1))
    >>> architecture = ckn.Architecture((ckn.LayerSpec(32, reg=1e-8),))
    >>> features = ckn.fit_unsupervised(architecture, x, rng=0).encode(x)
    >>> values = gram(architecture, x)  # of infinitely many filters
    >>> bool(np.linalg.norm(features @ features.T - values) < 0.1 * np.linalg.norm(values))
    True
    """
    check_images(x)
    check_images(x if y is None else y)
    require_channels_last(tuple(x.shape), architecture.axes)
    require_floating(x=x, y=x if y is None else y)
    if y is not None and x.shape[1:] != y.shape[1:]:
        raise ValueError(f"x, y: expected images of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    xp = namespace(x, y)
    device_of(x, y)
    first = architecture.grids[0]
    x_images = [_Image.of(architecture, image) for image in _patches_of_each(first, x)]
    if y is None:
        return _symmetric(architecture, x_images)
    y_images = [_Image.of(architecture, image) for image in _patches_of_each(first, y)]
    return xp.stack([xp.stack([_value(architecture, a, b) for b in y_images]) for a in x_images])


@dataclass(frozen=True, eq=False)
class _Image:
    """The patches of an image (*positions, d), and the patch norms at all positions of each later layer."""

    patches: Array
    norms: list[Array]

    @classmethod
    def of(cls, architecture: Architecture, patches: Array) -> "_Image":
        """The image's patches and norms; the norms are the diagonal of the recursion of an image with itself."""
        first, *rest = architecture.grids
        xp = namespace(patches)
        inner = _first_layer(first, patches, patches)
        norms = []
        for spec in rest:
            summed = _patches(spec, inner)
            shape = tuple(summed.shape[: summed.ndim // 2])
            positions = _positions(summed)
            square = xp.linalg.diagonal(xp.reshape(summed, (positions, positions)))
            norms.append(xp.reshape(safe_sqrt(square), shape))
            inner = _layer(spec, summed, norms[-1], norms[-1])
        return cls(patches, norms)


def _patches_of_each(spec: LayerSpec, x: Array) -> list[Array]:
    patches = spec.grid.extract(x)
    return [patches[i, ...] for i in range(x.shape[0])]


def _symmetric(architecture: Architecture, images: list[_Image]) -> Array:
    n = len(images)
    half = {(i, j): _value(architecture, images[i], images[j]) for i in range(n) for j in range(i, n)}
    xp = namespace(images[0].patches)
    return xp.stack([xp.stack([half[min(i, j), max(i, j)] for j in range(n)]) for i in range(n)])


def _value(architecture: Architecture, a: _Image, b: _Image) -> Array:
    first, *rest = architecture.grids
    inner = _first_layer(first, a.patches, b.patches)
    for spec, p, q in zip(rest, a.norms, b.norms, strict=True):
        inner = _layer(spec, _patches(spec, inner), p, q)
    xp = namespace(inner)
    positions = _positions(inner)
    return xp.linalg.trace(xp.reshape(inner, (positions, positions)))


def _first_layer(spec: LayerSpec, a: Array, b: Array) -> Array:
    """The kernel of the patches themselves, pooled on both sides: (*grid, d), (*grid, d) -> (*grid', *grid')."""
    xp = namespace(a, b)
    rows = [xp.reshape(patches, (-1, patches.shape[-1])) for patches in (a, b)]
    values = xp.reshape(spec.kernel(*rows), (*a.shape[:-1], *b.shape[:-1]))
    return _pooled(spec, values)


def _patches(spec: LayerSpec, inner: Array) -> Array:
    """Inner products of patches from those of points: (*grid, *grid) -> (*positions, *positions)."""
    grid = tuple(inner.shape[: inner.ndim // 2])
    window = spec.grid.window(grid)
    out = window.output_shape(grid)
    padded = pad(inner, window.padding * 2)
    total: Array = 0
    for offset in window.offsets():
        slices = window.slices(offset, out)
        total = total + padded[(*slices, *slices)]
    return total


def _layer(spec: LayerSpec, inner: Array, p: Array, q: Array) -> Array:
    """The kernel of the patches, pooled on both sides."""
    xp = namespace(inner)
    rank = p.ndim
    values = spec.kernel.from_inner(
        inner, xp.reshape(p, (*p.shape, *[1] * rank)), xp.reshape(q, (*[1] * rank, *q.shape))
    )
    return _pooled(spec, values)


def _pooled(spec: LayerSpec, values: Array) -> Array:
    """On both sides: (*grid, *grid) -> (*grid', *grid')"""
    if spec.subsampling > 1:
        for axis in range(values.ndim):
            values = spec.pool.along(values, axis)
    return values


def _positions(inner: Array) -> int:
    count = 1
    for size in inner.shape[: inner.ndim // 2]:
        count *= size
    return count

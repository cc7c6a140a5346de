"""The exact kernel of an architecture: what its Nyström approximation converges to."""

from ckn.architecture import Architecture, LayerSpec
from ckn.checks import check_images
from kerneltools.arrays import Array, device_of, namespace, require_floating, safe_sqrt
from kerneltools.precision import in_single
from kerneltools.primitives import pad


@in_single
def gram(architecture: Architecture, x: Array, y: Array | None = None) -> Array:
    """Exact kernel values between images: the sum over output positions of the inner products of the maps.

    (n, *grid, c), (m, *grid, c) -> (n, m); y = x when not given

    The recursion of Mairal et al. (2014, eq. 3-4) and Bietti and Mairal (2019): the inner products of the
    maps of two images at all pairs of positions, layer by layer: sum over patches, kernel, pooling on both
    sides. Time O(positions² · points) for each pair of images and layer: meant for tests and small data.

    Raises ValueError for images of different shapes, and TypeError for kernels that are not functions of
    inner products and norms.
    """
    check_images(x)
    check_images(x if y is None else y)
    require_floating(x=x, y=x if y is None else y)
    if y is not None and x.shape[1:] != y.shape[1:]:
        raise ValueError(f"x, y: expected images of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    xp = namespace(x, y)
    device_of(x, y)
    x_norms = [_norms(architecture, image) for image in _each(x)]
    if y is None:
        return _symmetric(architecture, x, x_norms)
    y_norms = [_norms(architecture, image) for image in _each(y)]
    rows = [
        xp.stack([_value(architecture, a, b, p, q) for b, q in zip(_each(y), y_norms, strict=True)])
        for a, p in zip(_each(x), x_norms, strict=True)
    ]
    return xp.stack(rows)


def _symmetric(architecture: Architecture, x: Array, norms: list[list[Array]]) -> Array:
    images, n = _each(x), x.shape[0]
    half = {
        (i, j): _value(architecture, images[i], images[j], norms[i], norms[j]) for i in range(n) for j in range(i, n)
    }
    xp = namespace(x)
    return xp.stack([xp.stack([half[min(i, j), max(i, j)] for j in range(n)]) for i in range(n)])


def _each(x: Array) -> list[Array]:
    return [x[i, ...] for i in range(x.shape[0])]


def _value(architecture: Architecture, a: Array, b: Array, a_norms: list[Array], b_norms: list[Array]) -> Array:
    inner = _start(a, b)
    for spec, p, q in zip(architecture.layers, a_norms, b_norms, strict=True):
        inner = _layer(spec, _patches(spec, inner), p, q)
    xp = namespace(inner)
    positions = _positions(inner)
    return xp.linalg.trace(xp.reshape(inner, (positions, positions)))


def _norms(architecture: Architecture, image: Array) -> list[Array]:
    """The patch norms at all positions of each layer: the diagonal of the recursion of an image with itself."""
    xp = namespace(image)
    inner = _start(image, image)
    norms = []
    for spec in architecture.layers:
        summed = _patches(spec, inner)
        shape = tuple(summed.shape[: summed.ndim // 2])
        positions = _positions(summed)
        square = xp.linalg.diagonal(xp.reshape(summed, (positions, positions)))
        norms.append(xp.reshape(safe_sqrt(square), shape))
        inner = _layer(spec, summed, norms[-1], norms[-1])
    return norms


def _start(a: Array, b: Array) -> Array:
    """The inner products of all pairs of pixels: (*grid, c), (*grid, c) -> (*grid, *grid)."""
    return namespace(a, b).tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 1,)))


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
    if spec.subsampling > 1:
        for axis in range(2 * rank):
            values = spec.pool.along(values, axis)
    return values


def _positions(inner: Array) -> int:
    count = 1
    for size in inner.shape[: inner.ndim // 2]:
        count *= size
    return count

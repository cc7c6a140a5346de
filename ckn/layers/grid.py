"""One layer of a convolutional kernel network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ckn.bounds import check_kernel, check_products, reached_shape
from ckn.checks import channels_first
from kerneltools.arrays import A, Array, device_of, flattened, namespace, points_of, require_floating, require_rank
from kerneltools.kernels import Kernel
from kerneltools.kernels.base import check_positive, row_norms
from kerneltools.maps.nystrom import whitening
from kerneltools.patches import Grid, Padding
from kerneltools.patches.grid import PerAxis, require_grid
from kerneltools.patches.responses import patch_norms, patch_response, pooled_response
from kerneltools.pooling import Gaussian
from kerneltools.precision import in_single, plain, widened
from kerneltools.primitives import Window, mix_channels, program
from kerneltools.trees import Tree, static, together


@dataclass(frozen=True, eq=False)
class Layer(Tree):
    """Patches -> kernel map on them -> Gaussian pooling (Mairal 2016, §2).

    (n, *grid, c) -> (n, *grid', m)

    `filters` (m, *patch, c) are the landmarks of a Nyström map on patches, on the unit sphere for homogeneous kernels.
    The output at a position is A κ(Z Z')^(-1/2) |p| κ(Z' p / |p|), with the pooling A. The pooling comes before the
    inverse square root, with which it commutes, since it leaves s² times less to multiply. A blank patch gives exactly
    0. For parameters see `LayerSpec`; `products` ("bfloat16", "float16"): the type in which patches are multiplied with
    filters, None for that of the filters. All else stays in the filters' type.

    Raises ValueError for filters of the wrong rank, kernels of a degree above 64, and images with other channels.

    >>> import numpy as np
    >>> from kerneltools.kernels import Homogeneous
    >>> from kerneltools.kernels.profiles import Exponential
    >>> filters = np.eye(9).reshape(9, 3, 3, 1)
    >>> layer = Layer(filters, Homogeneous(Exponential(0.6)), subsampling=2)
    >>> layer(np.random.default_rng(0).random((5, 8, 8, 1))).shape
    (5, 4, 4, 9)
    """

    filters: Array
    kernel: Kernel
    subsampling: int = static(1)
    padding: Padding = static("same")
    reg: float = static(1e-2)
    dilation: PerAxis = static(1)
    products: str | None = static(None)

    def __post_init__(self) -> None:
        require_rank((3, 4, 5), "(m, *patch, c), (m, p, p, c) for images", filters=self.filters)
        require_floating(filters=self.filters)
        check_kernel(self.kernel)
        check_positive("reg", self.reg)
        check_products(self.products)
        _ = self.grid, Gaussian(self.subsampling)  # they check the rest
        if self.products is not None and not self.by_products:
            raise ValueError(
                f"products: {self.kernel!r} is no function of products of patches with filters: leave it out"
            )

    @property
    def by_products(self) -> bool:
        """Whether the kernel's values are functions of the products of patches with filters, and their norms.

        Functions of differences are not: in bright images, norms are many times as large as the differences of patches.
        """
        return self.kernel.by_inner_products and not self.kernel.by_differences

    @property
    def structure(self) -> tuple[Any, ...]:
        """What training leaves unchanged, besides the form of the kernel."""
        return tuple(self.filters.shape), self.subsampling, self.padding, self.dilation, self.reg

    @property
    def grid(self) -> Grid:
        """The patches of the layer's input."""
        return Grid(tuple(self.filters.shape[1:-1]), padding=self.padding, dilation=self.dilation)

    @property
    def size(self) -> tuple[int, int]:
        """The number of filters, and the length of a patch vector: (m, points * c)."""
        return self.filters.shape[0], prod(self.filters.shape[1:])

    @property
    def rows(self) -> Array:
        """The filters as vectors: (m, points * c)."""
        return flattened(self.filters)

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the output for an input grid. Raises ValueError if no patch fits or a reach is out of bounds."""
        return reached_shape(self.grid, Gaussian(self.subsampling), grid)

    def gram(self) -> Array:
        """The kernel matrix of the filters: (m, m)."""
        kernel, z = together(self.kernel, self.rows)
        return _gram(kernel, z) if self.by_products else kernel(z, z)

    def prepare(self) -> "PreparedLayer":
        """The layer with its inverse square root computed, for many calls."""
        return prepared((self,))[0]

    def __call__(self, x: A) -> A:
        """(n, *grid, c) -> (n, *grid', m)"""
        return self.prepare()(x)


@dataclass(frozen=True, eq=False)
class PreparedLayer(Tree):
    """A layer and its `whitening` κ(Z Z')^(-1/2) (m, m)."""

    layer: Layer
    whitening: Array

    @in_single
    def __call__(self, x: A) -> A:
        """(n, *grid, c) -> (n, *grid', m)"""
        self.check(x)
        maps: A = _mapped(self, x) if self.layer.by_products else self._map(x)
        return maps

    @property
    def filters(self) -> Array:
        """The layer's filters: (m, *patch, c)."""
        return self.layer.filters

    @property
    def size(self) -> tuple[int, int]:
        """The number of filters, and the length of a patch vector: (m, points * c)."""
        return self.layer.size

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """The grid of the output for an input grid. Raises ValueError if no patch fits."""
        return self.layer.output_shape(grid)

    def prepare(self) -> "PreparedLayer":
        """The layer itself."""
        return self

    @in_single
    def residual(self, x: Array) -> tuple[Array, Array]:
        """What the map misses of each patch, k(p, p) - |ψ(p)|², and k(p, p) itself.

        (n, *grid, c) -> (n, *positions), (n, *positions)
        """
        self.check(x)
        return _missed(self, x) if self.layer.by_products else self._miss(x)

    def _map(self, x: Array) -> Array:
        layer, pool = self.layer, Gaussian(self.layer.subsampling)
        if layer.by_products:
            pooled = pooled_response(x, self._points, layer.kernel, self._window(x), pool, layer.products)
        else:
            pooled = pool(self._respond(x))
        return mix_channels(pooled, self.whitening)

    def _miss(self, x: Array) -> tuple[Array, Array]:
        layer, response = self.layer, self._respond(x)
        if layer.by_products:
            norms = patch_norms(x, self._window(x))
            whole = layer.kernel.from_inner(norms * norms, norms, norms)
        else:
            whole = self._of_patches(x, layer.kernel.diag)
        psi = response @ self.whitening
        xp = namespace(whole, psi)
        return xp.subtract(whole, xp.sum(psi * psi, axis=-1)), whole

    def check(self, x: Array) -> None:
        """Raise ValueError for images that do not fit the filters, TypeError for those of another library."""
        filters = self.layer.filters
        namespace(x, filters)
        device_of(x, filters)
        require_grid(x, "x")
        if x.ndim != filters.ndim or x.shape[-1] != filters.shape[-1]:
            moved = x.ndim == filters.ndim and x.shape[1] == filters.shape[-1]
            raise ValueError(
                f"x: expected {filters.ndim} axes and {filters.shape[-1]} channels, as the filters of shape "
                f"{tuple(filters.shape)}, got shape {tuple(x.shape)}"
                f"{', ' + channels_first(x.ndim - 2, 'x') if moved else ''}"
            )

    def _respond(self, x: Array) -> Array:
        """Kernel values of all patches with all filters."""
        layer = self.layer
        if not layer.by_products:
            return self._of_patches(x, lambda patches: layer.kernel(patches, layer.rows))
        return patch_response(x, self._points, layer.kernel, self._window(x), layer.products)

    @property
    def _points(self) -> Array:
        """The filters with all points of a patch along one axis: (m, points, c)."""
        z = self.filters
        return namespace(z).reshape(z, (z.shape[0], prod(z.shape[1:-1]), z.shape[-1]))

    def _window(self, x: Array) -> Window:
        return self.layer.grid.window(tuple(x.shape[1:-1]))

    def _of_patches(self, x: Array, f: Callable[[Array], Array]) -> Array:
        """A function of patch vectors, at all positions; f: (P, d) -> (P, ...)."""
        patches = self.layer.grid.extract(x)
        values = f(points_of(patches))
        # The filters may be traced where the images are not.
        return namespace(values).reshape(values, (*patches.shape[:-1], *values.shape[1:]))


@program
def _mapped(layer: PreparedLayer, x: Array) -> Array:
    return layer._map(x)


@program
def _missed(layer: PreparedLayer, x: Array) -> tuple[Array, Array]:
    return layer._miss(x)


@program
def _gram(kernel: Kernel, z: Array) -> Array:
    """Kernel values of rows by their products: (m, d) -> (m, m)"""
    inner = z @ namespace(z).matrix_transpose(z)
    if kernel.homogeneous:
        return kernel.from_inner(inner, 1.0, 1.0)
    norms = row_norms(z)
    return kernel.from_inner(inner, norms[:, None], norms[None, :])


def prepared(layers: Sequence[Layer | PreparedLayer]) -> tuple[PreparedLayer, ...]:
    """The layers with their inverse square roots computed, those of one size together."""
    bare = {number: layer for number, layer in enumerate(layers) if isinstance(layer, Layer)}
    grams = {number: widened(plain(layer)).gram() for number, layer in bare.items()}
    sizes: dict[Any, list[int]] = {}
    for number, gram in grams.items():
        sizes.setdefault((tuple(gram.shape), str(gram.dtype), bare[number].reg), []).append(number)
    roots: dict[int, Array] = {}
    for (*_, reg), numbers in sizes.items():
        roots.update(zip(numbers, _whitenings([grams[number] for number in numbers], reg), strict=True))
    return tuple(
        layer if isinstance(layer, PreparedLayer) else PreparedLayer(layer, roots[number])
        for number, layer in enumerate(layers)
    )


def _whitenings(grams: list[Array], reg: float) -> list[Array]:
    if len(grams) == 1:
        return [whitening(grams[0], reg)]
    roots = whitening(namespace(*grams).stack(grams), reg)
    return [roots[number, ...] for number in range(len(grams))]

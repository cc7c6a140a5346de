"""One layer against a slow, obvious loop, and its laws."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ckn import Layer, LayerSpec
from kerneltools import autodiff, backend, maps, pooling
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Linear
from kerneltools.kernels.profiles import ArcCosine, Exponential, Power
from kerneltools.patches import Grid
from tests.strict import DEVICES, assert_close, assert_same_on, to_numpy, to_strict


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def filters(*shape: int) -> np.ndarray:
    z = random(*shape, seed=9)
    return z / np.sqrt(np.sum(z**2, axis=tuple(range(1, z.ndim)), keepdims=True))


EXPONENTIAL = Homogeneous(Exponential(0.6))
KERNELS: tuple[Kernel, ...] = (
    EXPONENTIAL,
    Homogeneous(Power(2)),
    Homogeneous(ArcCosine(1)),
    Gaussian(1.5),
    Linear() + 0.5 * EXPONENTIAL,
)

# Series, images (square and not, odd and even patches, every padding), volumes.
LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "1-d": (Layer(filters(4, 3, 2), EXPONENTIAL, 2), (2, 9, 2)),
    "2-d": (Layer(filters(5, 3, 3, 2), EXPONENTIAL, 2), (2, 6, 7, 2)),
    "2-d, even": (Layer(filters(5, 2, 2, 2), EXPONENTIAL, 3), (2, 6, 7, 2)),
    "2-d, padding=1": (Layer(filters(5, 2, 2, 2), EXPONENTIAL, 2, padding=1), (2, 6, 7, 2)),
    "2-d, valid": (Layer(filters(5, 3, 2, 2), EXPONENTIAL, 1, padding="valid"), (2, 6, 7, 2)),
    "2-d, dilation": (Layer(filters(5, 3, 3, 2), EXPONENTIAL, 2, dilation=2), (2, 6, 7, 2)),
    "2-d, points": (Layer(filters(3, 1, 1, 4), EXPONENTIAL, 1), (2, 3, 4, 4)),
    "3-d": (Layer(filters(4, 2, 3, 2, 1), EXPONENTIAL, 2), (2, 3, 4, 5, 1)),
}
every = pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=list(LAYERS))


def slow(layer: Layer, x: np.ndarray) -> np.ndarray:
    """The map of each patch, then the pool: the order of the paper, not of the fast path."""
    z = layer.filters.reshape(len(layer.filters), -1)
    grid = Grid(layer.filters.shape[1:-1], padding=layer.padding, dilation=layer.dilation)
    psi = maps.nystrom(layer.kernel, z, layer.reg)
    return pooling.Gaussian(layer.subsampling)(psi(grid.extract(x)))


@every
def test_pooling_commutes_with_the_inverse_square_root(layer: Layer, shape: tuple[int, ...]) -> None:
    x = random(*shape)
    assert_close(layer(x), slow(layer, x))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_every_kernel(kernel: Kernel) -> None:
    x = random(2, 6, 7, 2)
    layer = Layer(filters(5, 3, 3, 2), kernel, 2)
    assert_close(layer(x), slow(layer, x))


@every
def test_shape(layer: Layer, shape: tuple[int, ...]) -> None:
    y = layer(random(*shape))
    assert y.shape == (shape[0], *layer.output_shape(shape[1:-1]), len(layer.filters))
    spec = LayerSpec(
        len(layer.filters),
        patch=layer.filters.shape[1:-1],
        subsampling=layer.subsampling,
        padding=layer.padding,
        dilation=layer.dilation,
    )
    assert spec.output_shape(shape[1:-1]) == y.shape[1:-1]


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("s", [1, 2, 3])
def test_same_keeps_the_size_before_pooling(patch: int, s: int) -> None:
    y = Layer(filters(3, patch, patch, 1), EXPONENTIAL, s)(random(1, 7, 5, 1))
    assert y.shape == (1, 6 // s + 1, 4 // s + 1, 3)


@every
def test_images_are_independent(layer: Layer, shape: tuple[int, ...]) -> None:
    x = random(*shape)
    assert_close(np.concatenate([layer(x[i : i + 1]) for i in range(shape[0])]), layer(x), 1e-13)


@every
def test_prepared_is_the_same(layer: Layer, shape: tuple[int, ...]) -> None:
    x, prepared = random(*shape), layer.prepare()
    assert np.array_equal(prepared(x), layer(x))
    assert prepared.prepare() is prepared
    assert prepared.filters is layer.filters
    assert prepared.size == layer.size
    assert prepared.output_shape(shape[1:-1]) == layer.output_shape(shape[1:-1])


def test_a_number_of_numpy_does_not_decide_the_type() -> None:
    kernel = Homogeneous(Exponential(np.float64(0.6)))
    layer = Layer(np.random.default_rng(0).standard_normal((4, 2, 2, 1)).astype(np.float32), kernel)
    assert layer(np.ones((1, 5, 5, 1), dtype=np.float32)).dtype == np.float32


@every
def test_float32_and_read_only(layer: Layer, shape: tuple[int, ...]) -> None:
    narrow = replace(layer, filters=layer.filters.astype(np.float32))
    x = random(*shape).astype(np.float32)
    x.flags.writeable = narrow.filters.flags.writeable = False
    y = narrow(x)
    assert y.dtype == np.float32
    assert_close(y.astype(float), layer(random(*shape)), 1e-4)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(layer: Layer, shape: tuple[int, ...], device: Any) -> None:
    x, strict = random(*shape), replace(layer, filters=to_strict(layer.filters, device)).prepare()
    assert_same_on(device, strict(to_strict(x, device)), layer(x))
    for got, wanted in zip(strict.residual(to_strict(x, device)), layer.prepare().residual(x), strict=True):
        assert_same_on(device, got, wanted)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_residual(kernel: Kernel) -> None:
    x = random(2, 6, 7, 2)
    layer = Layer(filters(5, 3, 3, 2), kernel)
    residual, whole = layer.prepare().residual(x)
    patches = Grid(3).extract(x).reshape(-1, 18)
    assert_close(whole, kernel.diag(patches).reshape(2, 6, 7))
    psi = maps.nystrom(kernel, layer.rows, layer.reg)
    assert_close(residual, psi.residual(patches).reshape(2, 6, 7))
    assert residual.min() >= -1e-12


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_gradients_of_the_residual_in_filters_alone(kernel: Kernel) -> None:
    # The strict library refuses `plain - traced`, and k(p, p) of plain images is plain.
    x, z = random(1, 4, 3, 2), filters(3, 2, 2, 2)

    def total(filters: Any, x: Any) -> Any:
        residual, _ = Layer(filters, kernel).prepare().residual(x)
        return namespace(residual).sum(residual)

    _, wanted = autodiff.value_and_grad(total)(z, x)
    value, got = autodiff.value_and_grad(total)(to_strict(z), to_strict(x))
    assert_close(to_numpy(got), wanted)
    assert_close(to_numpy(value), total(z, x))


@dataclass(frozen=True)
class ByPatchVectors(Kernel):
    """A kernel that keeps to itself that it is a function of inner products."""

    kernel: Kernel

    def __call__(self, x: Any, y: Any) -> Any:
        return self.kernel(x, y)

    def diag(self, x: Any) -> Any:
        return self.kernel.diag(x)


@every
def test_the_path_of_patch_vectors_is_the_same(layer: Layer, shape: tuple[int, ...]) -> None:
    x = random(*shape)
    fast = replace(layer, kernel=Gaussian(1.3))
    general = replace(layer, kernel=ByPatchVectors(Gaussian(1.3)))
    assert_close(general(x), fast(x))
    assert_close(general.gram(), fast.gram())
    for got, wanted in zip(general.prepare().residual(x), fast.prepare().residual(x), strict=True):
        assert_close(got, wanted, 1e-11)


class TestBlankPatches:
    def test_are_exactly_zero(self) -> None:
        x = random(1, 9, 9, 2)
        x[:, :4, :, :] = 0
        y = Layer(filters(5, 3, 3, 2), EXPONENTIAL)(x)
        assert np.all(y[:, :3] == 0)
        assert np.all(np.any(y[:, 4:] != 0, axis=-1))

    def test_contrast_scales_through(self) -> None:
        x, layer = random(1, 6, 6, 2), Layer(filters(5, 3, 3, 2), EXPONENTIAL, 2)
        for contrast in (1e-6, 1e3):
            assert_close(layer(contrast * x), contrast * layer(x))


class TestErrors:
    def test_filters(self) -> None:
        with pytest.raises(ValueError, match=r"filters: expected \(m, \*patch, c\), .* got shape \(5, 18\)"):
            Layer(np.ones((5, 18)), EXPONENTIAL)
        with pytest.raises(TypeError, match="filters: expected a real floating-point array, got int64"):
            Layer(np.ones((5, 3, 3, 1), dtype=np.int64), EXPONENTIAL)

    def test_images(self) -> None:
        layer = Layer(filters(5, 3, 3, 2), EXPONENTIAL)
        with pytest.raises(
            ValueError, match=r"x: expected 4 axes and 2 channels, .* \(5, 3, 3, 2\), got shape \(2, 6, 6, 3\)"
        ):
            layer(random(2, 6, 6, 3))
        with pytest.raises(ValueError, match=r"x: expected 4 axes and 2 channels, .* got shape \(2, 6, 2\)"):
            layer(random(2, 6, 2))
        with pytest.raises(ValueError, match=r"x: expected \(n, \*grid, c\) .* got shape \(6, 6\)"):
            layer(random(6, 6))
        with pytest.raises(TypeError, match="x: expected a real floating-point array, got uint8"):
            layer(np.ones((1, 6, 6, 2), dtype=np.uint8))
        with pytest.raises(ValueError, match="no 3x3 window fits an image of 2x9 pixels"):
            replace(layer, padding="valid")(random(1, 2, 9, 2))

    def test_images_of_another_library(self) -> None:
        with pytest.raises(TypeError, match="arrays of several libraries in one call"):
            Layer(filters(5, 3, 3, 2), EXPONENTIAL)(to_strict(random(1, 6, 6, 2)))


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_short_products_change_little_and_only_the_products(name: str) -> None:
    library = backend(name)
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((5, 3, 3, 2)).astype(np.float32)
    filters /= np.sqrt((filters**2).sum(axis=(1, 2, 3), keepdims=True))
    x = library.asarray(rng.random((2, 6, 7, 2)).astype(np.float32))
    layer = Layer(library.asarray(filters), Homogeneous(Exponential(0.6)), subsampling=2)
    exact, short = (library.to_numpy(one(x)) for one in (layer, replace(layer, products="float16")))
    assert short.dtype == np.float32
    assert 0 < np.abs(short - exact).max() < 2e-2 * np.abs(exact).max()


def test_products_that_the_library_lacks_are_named() -> None:
    layer = Layer(np.ones((1, 1, 1, 1)), Homogeneous(Exponential(0.6)), products="bfloat16")
    with pytest.raises(ValueError, match="products: numpy has no bfloat16"):
        layer(np.ones((1, 2, 2, 1)))

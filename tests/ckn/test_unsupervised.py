"""Learning filters without labels."""

import warnings
from typing import Any

import numpy as np
import pytest

from ckn import Architecture, LayerSpec, fit_unsupervised
from kerneltools.kernels import Gaussian, Polynomial
from kerneltools.landmarks import ReducedWarning, Uniform
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

TINY = Architecture((LayerSpec(4, patch=3, subsampling=2), LayerSpec(5, patch=2, subsampling=1)))
IMAGES = np.random.default_rng(0).standard_normal((6, 7, 8, 2))


def filters(network: Any) -> list[np.ndarray]:
    return [layer.filters for layer in network.layers]


def test_shapes_and_settings() -> None:
    spec = LayerSpec(3, patch=(2, 3), subsampling=2, padding=1, dilation=(1, 2), reg=0.5)
    (layer,) = fit_unsupervised(Architecture((spec,)), IMAGES, 0).layers
    assert layer.filters.shape == (3, 2, 3, 2)
    assert (layer.kernel, layer.subsampling, layer.padding) == (spec.kernel, 2, 1)
    assert (layer.reg, layer.dilation) == (0.5, (1, 2))
    network = fit_unsupervised(TINY, IMAGES, 0)
    assert [z.shape for z in filters(network)] == [(4, 3, 3, 2), (5, 2, 2, 4)]
    assert network.output_shape((7, 8)) == TINY.output_shape((7, 8))


def test_filters_are_on_the_sphere_for_homogeneous_kernels() -> None:
    for selector in (None, lambda spec: Uniform(spec.filters)):
        chosen = {} if selector is None else {"selector": selector}
        for z in filters(fit_unsupervised(TINY, IMAGES, 0, **chosen)):
            assert_close(np.sqrt(np.sum(z**2, axis=(1, 2, 3))), np.ones(len(z)), 1e-14)


def test_filters_are_patches_for_other_kernels() -> None:
    architecture = Architecture((LayerSpec(4, patch=1, kernel=Gaussian(1.0)),))
    (z,) = filters(fit_unsupervised(architecture, IMAGES, 0))
    pixels = {tuple(p) for p in IMAGES.reshape(-1, 2).tolist()}
    assert {tuple(row) for row in z.reshape(-1, 2).tolist()} <= pixels


def test_deterministic() -> None:
    first, again = (fit_unsupervised(TINY, IMAGES, 3) for _ in range(2))
    assert all(map(np.array_equal, filters(first), filters(again)))
    by_generator = fit_unsupervised(TINY, IMAGES, np.random.default_rng(3))
    assert all(map(np.array_equal, filters(first), filters(by_generator)))
    other = fit_unsupervised(TINY, IMAGES, 4)
    assert not np.array_equal(filters(first)[0], filters(other)[0])


def test_the_batch_makes_no_difference() -> None:
    whole = fit_unsupervised(TINY, IMAGES, 0, patches=50)
    for batch in (1, 4):
        for got, wanted in zip(
            filters(fit_unsupervised(TINY, IMAGES, 0, patches=50, batch=batch)), filters(whole), strict=True
        ):
            assert_close(got, wanted, 1e-12)


def test_a_layer_does_not_depend_on_those_above() -> None:
    one = fit_unsupervised(Architecture(TINY.layers[:1]), IMAGES, 0)
    assert np.array_equal(filters(one)[0], filters(fit_unsupervised(TINY, IMAGES, 0))[0])


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    wanted = filters(fit_unsupervised(TINY, IMAGES, 0))
    for got, want in zip(filters(fit_unsupervised(TINY, to_strict(IMAGES, device), 0)), wanted, strict=True):
        assert_same_on(device, got, want, 1e-11)


def test_float32_and_read_only() -> None:
    x = IMAGES.astype(np.float32)
    x.flags.writeable = False
    assert {z.dtype for z in filters(fit_unsupervised(TINY, x, 0))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("shape", [(6, 9, 2), (4, 4, 5, 4, 1)], ids=str)
def test_series_and_volumes(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    network = fit_unsupervised(TINY, x, 0)
    assert network(x).shape == (shape[0], *TINY.output_shape(shape[1:-1]), 5)


def test_better_than_random_filters() -> None:
    # Images of a few patterns: centres of clusters miss less of the kernel than patches drawn at random do.
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((6, 4, 4, 1))
    x = patterns[rng.integers(6, size=60)] + 0.1 * rng.standard_normal((60, 4, 4, 1))
    architecture = Architecture((LayerSpec(6, patch=4, subsampling=1, padding="valid", reg=1e-6),))

    def missed(**options: Any) -> float:
        networks = [fit_unsupervised(architecture, x, seed, **options) for seed in range(5)]
        return float(np.mean([network.layers[0].prepare().residual(x)[0].mean() for network in networks]))

    assert missed() < 0.9 * missed(selector=lambda spec: Uniform(spec.filters))


def test_progress() -> None:
    told: list[tuple[str, int, int]] = []
    fit_unsupervised(TINY, IMAGES, 0, batch=4, progress=lambda *step: told.append(step))
    assert [s for s in told if s[0].startswith("layer 1")] == [
        ("layer 1: patches", 4, 6),
        ("layer 1: patches", 6, 6),
        ("layer 1: filters", 0, 1),
        ("layer 1: filters", 1, 1),
    ]
    assert told[-1] == ("layer 2: filters", 1, 1)


class TestPoorData:
    """Finite results, and a warning that says what was reduced."""

    def test_more_filters_than_patches(self) -> None:
        few = Architecture((LayerSpec(50, patch=3),))
        with pytest.warns(
            ReducedWarning, match="landmarks: 50 asked for, 4 made: 4 rows hold no more distinct directions"
        ):
            network = fit_unsupervised(few, IMAGES[:1, :4, :4], 0)
        assert filters(network)[0].shape == (4, 3, 3, 2)
        assert np.all(np.isfinite(network(IMAGES)))

    def test_constant_images(self) -> None:
        with pytest.warns(ReducedWarning, match="4 asked for, 1 made"):
            network = fit_unsupervised(TINY, np.full((3, 7, 8, 2), 0.5), 0)
        assert all(len(z) >= 1 for z in filters(network))
        assert np.all(np.isfinite(network(IMAGES)))

    def test_duplicate_images(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            network = fit_unsupervised(TINY, np.repeat(IMAGES[:1], 5, axis=0), 0)
        assert [len(z) for z in filters(network)] == [4, 5]
        assert np.all(np.isfinite(network(IMAGES)))

    def test_some_blank_images(self) -> None:
        x = IMAGES.copy()
        x[:5] = 0
        network = fit_unsupervised(TINY, x, 0)
        assert np.all(np.isfinite(network(x)))
        assert np.all(network(x)[:5] == 0)

    def test_all_blank(self) -> None:
        with pytest.raises(ValueError, match="all 90 patches of 3 images are blank; nothing can be learnt"):
            fit_unsupervised(TINY, np.zeros((3, 7, 8, 2)), 0)

    @pytest.mark.parametrize("scale", [1e-12, 1e12])
    def test_faint_and_glaring_images(self, scale: float) -> None:
        for got, wanted in zip(
            filters(fit_unsupervised(TINY, scale * IMAGES, 0)), filters(fit_unsupervised(TINY, IMAGES, 0)), strict=True
        ):
            assert_close(got, wanted, 1e-9)


class TestErrors:
    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (IMAGES[0, :, :, 0], r"images: expected \(n, h, w, c\), got shape \(7, 8\); add an axis"),
            (IMAGES[:0], r"images: expected at least one image, pixel and channel, got shape \(0, 7, 8, 2\)"),
            (IMAGES[..., :0], r"images: expected at least one image, pixel and channel, got shape \(6, 7, 8, 0\)"),
            (
                np.where(np.arange(6)[:, None, None, None] == 4, np.inf, IMAGES),
                "images: NaN or infinity in image 4 .* of 6",
            ),
        ],
    )
    def test_images(self, images: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            fit_unsupervised(TINY, images, 0)

    def test_types(self) -> None:
        with pytest.raises(TypeError, match="images: expected a real floating-point array, got uint8"):
            fit_unsupervised(TINY, np.ones((2, 7, 8, 1), np.uint8), 0)
        with pytest.raises(TypeError, match="images: expected integers or real floating-point numbers, got complex128"):
            fit_unsupervised(TINY, IMAGES.astype(complex), 0)
        with pytest.raises(TypeError, match="rng: expected an integer seed"):
            fit_unsupervised(TINY, IMAGES, None)  # type: ignore[arg-type]

    def test_an_image_smaller_than_the_patch(self) -> None:
        large = Architecture((LayerSpec(4, patch=9, padding="valid"),))
        with pytest.raises(ValueError, match="layer 1: no 9x9 window fits an image of 7x8 pixels"):
            fit_unsupervised(large, IMAGES, 0)

    def test_a_patch_that_fits_only_with_padding(self) -> None:
        large = Architecture((LayerSpec(4, patch=9),))
        with pytest.raises(ValueError, match=r"layer 1: no 9x9 window fits an image of 7x8 pixels, and .*padding"):
            fit_unsupervised(large, IMAGES, 0)

    def test_a_layer_without_patches_is_named_before_any_work(self) -> None:
        told: list[str] = []
        deep = Architecture((LayerSpec(4, subsampling=4), LayerSpec(4)))
        with pytest.raises(ValueError, match="layer 2: no 3x3 window fits an image of 2x2 pixels"):
            fit_unsupervised(deep, IMAGES, 0, progress=lambda stage, done, total: told.append(stage))
        assert not told

    def test_no_patches(self) -> None:
        with pytest.raises(ValueError, match="patches: expected an integer >= 1, got 0"):
            fit_unsupervised(TINY, IMAGES, 0, patches=0)


def test_a_kernel_that_is_not_homogeneous_in_two_layers() -> None:
    mixed = Architecture((LayerSpec(4, kernel=Gaussian(2.0)), LayerSpec(4, kernel=Polynomial(2, 1.0))))
    network = fit_unsupervised(mixed, IMAGES, 0)
    assert np.all(np.isfinite(network(IMAGES)))
    assert [layer.kernel for layer in network.layers] == [Gaussian(2.0), Polynomial(2, 1.0)]

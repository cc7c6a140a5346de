"""What a network looks like before it has learnt anything."""

from typing import Any

import numpy as np
import pytest

from ckn import Architecture, Layer, LayerSpec, Network, architectures
from kerneltools.kernels import Gaussian


@pytest.mark.parametrize(
    ("name", "grid", "features"),
    [
        ("unsup-64-256", (3, 3), 9 * 256),
        ("unsup-256-1024", (3, 3), 9 * 1024),
        # Its even patch grows the map by one: 32 -> 16 -> 17 -> 3.
        ("unsup-512-8192", (3, 3), 9 * 8192),
    ],
)
def test_shapes_on_cifar(name: str, grid: tuple[int, ...], features: int) -> None:
    assert architectures[name].output_shape((32, 32)) == grid
    assert architectures[name].features((32, 32)) == features


def test_small_is_for_small_images() -> None:
    assert min(architectures["small"].output_shape((8, 8))) > 1


def test_names() -> None:
    assert "small" in architectures
    assert "large" not in architectures
    assert len(architectures) == len(set(architectures))


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"architecture: expected one of small, unsup-64-256, .*, got 'nothing'$"):
        architectures["nothing"]
    with pytest.raises(ValueError, match=r"got 'unsup-64'; did you mean 'unsup-64-256'\?"):
        architectures["unsup-64"]


@pytest.mark.parametrize("filters", [0, -1, 2.0, True])
def test_filters_out_of_range(filters: Any) -> None:
    with pytest.raises(ValueError, match="filters: expected an integer >= 1, got"):
        LayerSpec(filters)


def test_other_settings_out_of_range() -> None:
    with pytest.raises(ValueError, match="reg: expected a finite number > 0, got 0"):
        LayerSpec(4, reg=0)
    with pytest.raises(ValueError, match="subsampling: expected an integer >= 1, got 0"):
        LayerSpec(4, subsampling=0)
    with pytest.raises(ValueError, match="size: expected an integer >= 1, or one per axis, got 0"):
        LayerSpec(4, patch=0)
    with pytest.raises(ValueError, match="padding: expected an integer >= 0, or one per axis, got 'full'"):
        LayerSpec(4, padding="full")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="kernel: expected a kerneltools kernel, got 'gaussian'"):
        LayerSpec(4, kernel="gaussian")  # type: ignore[arg-type]


def test_no_layers() -> None:
    for layers in ((), (Gaussian(1.0),)):
        with pytest.raises(ValueError, match="layers: expected a tuple of at least one LayerSpec or PartSpec, got"):
            Architecture(layers)  # type: ignore[arg-type]


def test_a_patch_that_does_not_fit_names_its_layer() -> None:
    deep = Architecture((LayerSpec(4, subsampling=4), LayerSpec(4, patch=5, padding="valid")))
    with pytest.raises(ValueError, match="layer 2: no 5x5 window fits an image of 2x2 pixels"):
        deep.output_shape((8, 8))


def test_named_architectures_are_a_mapping() -> None:
    assert architectures.get("no such name") is None
    assert "no such name" not in architectures


@pytest.mark.parametrize(
    ("name", "side", "features", "numbers"), [("ckn-5", 3, 1152, 342_666), ("ckn-14", 2, 1024, 3_359_498)]
)
def test_parameters_of_the_networks_of_the_article(name: str, side: int, features: int, numbers: int) -> None:
    layers, channels = [], 3
    for spec in architectures[name].layers:
        filters = np.ones((spec.filters, *spec.grid.window((32, 32)).size, channels), dtype=np.float32)
        layers.append(Layer(filters, spec.kernel, spec.subsampling, spec.padding, spec.reg))
        channels = spec.filters
    network = Network(tuple(layers))
    assert network.output_shape((32, 32)) == (side, side)
    assert network.features((32, 32)) == architectures[name].features((32, 32)) == features
    # With a linear head for 10 classes.
    assert sum(layer.filters.size for layer in layers) + 10 * features + 10 == numbers

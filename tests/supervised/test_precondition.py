"""The metric of a layer's patches, on layers: how far one step moves the filters of each."""

import numpy as np
import pytest

import ckn
from ckn.readers import read
from ckn.supervised.data import Data
from ckn.supervised.parameters import preconditioned, spheres
from ckn.supervised.start import begin
from ckn.supervised.trainer import Trainer
from kerneltools.optimisers import Sphere

DEEP = ckn.Architecture((ckn.LayerSpec(16), ckn.LayerSpec(16, patch=1, subsampling=1), ckn.LayerSpec(16)))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = read("digits")
    return data.images[:300] / 16, data.labels[:300]


def moves(architecture: ckn.Architecture, digits: tuple[np.ndarray, np.ndarray], metric: bool) -> list[float]:
    """The root mean square of the angles by which filters move, of each layer, at learning rate 1."""
    images, labels = digits
    settings = ckn.Supervised(rate=0.01, reg=1e-3)
    network = ckn.fit_unsupervised(architecture, images, rng=0, patches=5000)
    data = Data(images, labels, 10, 0)
    spaces: tuple[Sphere, ...] = preconditioned(network, images, 0) if metric else spheres(network)
    trainer = Trainer(data, settings, network, spaces)
    params = trainer.parameters(begin(network, data, settings, lambda stage, done, total: None)[1])
    _, gradient = trainer.gradient(params, images, data.targets)
    tangents = [
        space.tangent(filters, slope)
        for space, filters, slope in zip(spaces, params.filters, gradient.filters, strict=True)
    ]
    return [float(np.sqrt((v * v).sum(axis=(1, 2, 3)).mean())) for v in tangents]


@pytest.mark.parametrize("architecture", [ckn.architectures["small"], DEEP], ids=["small", "deep"])
def test_layers_move_by_more_alike_angles(
    architecture: ckn.Architecture, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    plain, metric = (moves(architecture, digits, metric) for metric in (False, True))
    # 2.0 and 1.05, 10.5 and 4.3.
    assert max(metric) / min(metric) < 0.6 * max(plain) / min(plain)


def test_the_metric_is_the_inverse_of_the_patches_second_moments(digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, _ = digits
    network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(8),)), images, rng=0, patches=1000)
    (sphere,) = preconditioned(network, images, 0, count=20_000, floor=0.1)
    # All patches that are not blank, where the metric has seen a sample.
    patches = np.lib.stride_tricks.sliding_window_view(images[..., 0], (3, 3), axis=(1, 2)).reshape(-1, 9)
    patches = patches[np.linalg.norm(patches, axis=1) > 0]
    units = patches / np.linalg.norm(patches, axis=1, keepdims=True)
    moments = units.T @ units / len(units)
    product = sphere.metric @ (moments + 0.1 * np.trace(moments) / 9 * np.eye(9))
    np.testing.assert_allclose(product / np.trace(product), np.eye(9) / 9, atol=0.02)
    np.testing.assert_allclose(np.trace(sphere.metric), 9)

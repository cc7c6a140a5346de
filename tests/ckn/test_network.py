"""Layers one after the other."""

from typing import Any

import numpy as np
import pytest

from ckn import Layer, Network
from ckn.model import encode
from kerneltools import trees
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential, Power
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def filters(*shape: int, seed: int) -> np.ndarray:
    z = np.random.default_rng(seed).standard_normal(shape)
    return z / np.sqrt(np.sum(z**2, axis=(1, 2, 3), keepdims=True))


NETWORK = Network(
    (
        Layer(filters(5, 3, 3, 2, seed=0), Homogeneous(Exponential(0.6)), 2),
        Layer(filters(4, 2, 2, 5, seed=1), Homogeneous(Power(2)), 2, padding=1),
    )
)
X = np.random.default_rng(2).standard_normal((7, 8, 9, 2))


def test_layer_after_layer() -> None:
    y = NETWORK(X)
    assert np.array_equal(y, NETWORK.layers[1](NETWORK.layers[0](X)))
    assert y.shape == (7, *NETWORK.output_shape((8, 9)), 4) == (7, 3, 3, 4)


@pytest.mark.parametrize("batch", [None, 1, 2, 3, 7, 100])
def test_encode_does_not_depend_on_the_batch(batch: int | None) -> None:
    assert_close(NETWORK.encode(X, batch), NETWORK(X).reshape(7, -1), 1e-13)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    strict = trees.map_leaves(lambda leaf: to_strict(leaf, device) if hasattr(leaf, "shape") else leaf, NETWORK)
    assert_same_on(device, strict.encode(to_strict(X, device), batch=3), NETWORK.encode(X))


def test_prepare_and_back() -> None:
    prepared = NETWORK.prepare()
    assert np.array_equal(prepared(X), NETWORK(X))
    back = prepared.unprepared()
    assert all(a is b for a, b in zip(back.layers, NETWORK.layers, strict=True))
    assert np.array_equal(NETWORK.unprepared()(X), NETWORK(X))
    assert prepared.like is NETWORK.like is NETWORK.layers[0].filters


def test_no_layers_change_nothing() -> None:
    assert np.array_equal(Network(())(X), X)
    assert Network(()).output_shape((8, 9)) == (8, 9)


def test_batches_shrink_as_images_grow() -> None:
    small, large = (NETWORK.batch_for(np.broadcast_to(np.zeros(1), (1, side, side, 2))) for side in (8, 64))
    assert small > large >= 1
    assert NETWORK.batch_for(np.broadcast_to(np.zeros(1), (1, 4096, 4096, 2))) == 1


def test_batches_have_one_shape() -> None:
    seen = []

    def step(images: Any) -> Any:
        seen.append(images.shape[0])
        return images

    features = encode(NETWORK, (step,), X, batch=3)  # type: ignore[arg-type]
    assert seen == [3, 3, 3]
    assert_close(features, encode(NETWORK, (), X, batch=7), 1e-13)

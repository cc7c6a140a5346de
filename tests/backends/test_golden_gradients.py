"""Gradients of whole networks against another implementation (tests/golden/data/README.md), to 1e-9."""

from typing import Any

import numpy as np
import pytest

from ckn import Layer, Network
from kerneltools.arrays import namespace
from kerneltools.backend import Backend
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from tests.backends.quick import differentiated
from tests.golden.test_layers import NUMBERS, Golden, golden

LOSSES = ("sq", "lin")


@pytest.fixture(params=NUMBERS)
def case(request: pytest.FixtureRequest) -> Golden:
    return golden(request.param)


def loss(case: Golden, library: Backend, kind: str) -> Any:
    """The golden files' scalar losses of a network's output."""
    weights = library.asarray(case["wloss"])

    def f(network: Network, x: Any) -> Any:
        y = network(x)
        return namespace(y).sum(y * y if kind == "sq" else weights * y)

    return f


def assert_close(library: Backend, got: Any, expected: np.ndarray) -> None:
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(library.to_numpy(got), expected, rtol=0, atol=1e-9 * scale)


@pytest.mark.parametrize("kind", LOSSES)
def test_images_and_filters(library: Backend, case: Golden, kind: str) -> None:
    network = Network(tuple(case.layers(library.asarray)))
    f = differentiated(library, loss(case, library, kind), (0, 1))
    value, (of_network, of_images) = f(network, library.asarray(case["x"]))
    assert float(value) == pytest.approx(float(case[f"loss_ridge_{kind}"]), rel=1e-10)
    assert_close(library, of_images, case[f"gx_ridge_{kind}"])
    for i, layer in enumerate(of_network.layers):
        assert_close(library, layer.filters, case[f"gZ{i}_ridge_{kind}"])


@pytest.mark.parametrize("kind", LOSSES)
def test_kernel_parameter(library: Backend, kind: str) -> None:
    case = golden("16")
    alpha = case.settings["alpha"][0]
    sigma = library.asarray(alpha**-0.5, dtype="float64")
    plain = case.layers(library.asarray)[0]
    layer = Layer(plain.filters, Homogeneous(Exponential(sigma)), plain.subsampling, plain.padding, plain.reg)
    f = differentiated(library, loss(case, library, kind))
    of_sigma = f(Network((layer,)), library.asarray(case["x"]))[1].layers[0].kernel.profile.sigma
    # The files have alpha = 1 / sigma².
    of_alpha = float(of_sigma) * -0.5 * alpha**-1.5
    assert of_alpha == pytest.approx(float(np.squeeze(case[f"galpha0_ridge_{kind}"])), rel=1e-9)

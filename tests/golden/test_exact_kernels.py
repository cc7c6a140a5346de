"""The exact kernel against numbers of another implementation, and the approximation against the exact kernel."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckn import Architecture, Layer, LayerSpec, Network, exact
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import ArcCosine, Exponential
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

with np.load(Path(__file__).parent / "data" / "ckn_exact_kernels.npz") as file:
    ARRAYS = dict(file)
SETTINGS: list[dict[str, Any]] = json.loads(str(ARRAYS.pop("meta_json")))


def architecture(settings: dict[str, Any]) -> Architecture:
    """The layers of a configuration (the number of filters does not matter to the exact kernel)."""
    profiles = {"exp": Exponential, "relu": lambda _: ArcCosine(1)}
    return Architecture(
        tuple(
            LayerSpec(1, patch=k, subsampling=s, kernel=Homogeneous(profiles[kernel](argument)))
            for k, s, kernel, argument in settings["layers"]
        )
    )


@pytest.fixture(params=SETTINGS, ids=lambda s: s["name"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


def test_exact_kernel(settings: dict[str, Any]) -> None:
    x, wanted = ARRAYS[f"{settings['name']}_X_nhwc"], ARRAYS[f"{settings['name']}_K_torchpool"]
    assert_close(exact.gram(architecture(settings), x), wanted, 1e-12)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_exact_kernel_by_the_standard_alone(settings: dict[str, Any], device: Any) -> None:
    x, wanted = ARRAYS[f"{settings['name']}_X_nhwc"], ARRAYS[f"{settings['name']}_K_torchpool"]
    got = exact.gram(architecture(settings), to_strict(x[:1], device), to_strict(x[1:2], device))
    assert_same_on(device, got, wanted[:1, 1:2], 1e-12)


def all_patches(architecture: Architecture, x: np.ndarray, reg: float) -> Network:
    """The network whose filters are all the normalised patches that reach each layer."""
    network = Network(())
    for spec in architecture.layers:
        maps = network(x)
        patches = spec.grid.extract(maps)
        rows = patches.reshape(-1, patches.shape[-1])
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        filters = rows.reshape(-1, spec.patch, spec.patch, maps.shape[-1])
        network = Network((*network.layers, Layer(filters, spec.kernel, spec.subsampling, spec.padding, reg)))
    return network


def test_all_patches_as_filters_give_the_exact_kernel(settings: dict[str, Any]) -> None:
    x = ARRAYS[f"{settings['name']}_X_nhwc"][:2]
    wanted = ARRAYS[f"{settings['name']}_K_torchpool"][:2, :2]
    # What the map misses at its own landmarks is of the order of reg.
    maps = all_patches(architecture(settings), x, reg=1e-12).encode(x)
    assert_close(maps @ maps.T, wanted, 1e-11)

"""A profile's response, in fewer passes over memory, is its definition: scale · κ(inner / scale)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerneltools import backend, primitives
from kerneltools.arrays import namespace
from kerneltools.kernels import Homogeneous, profiles
from kerneltools.patches import Grid
from kerneltools.patches.responses import patch_response

PROFILES = [profiles.Exponential(0.6), profiles.Power(1), profiles.Power(2), profiles.Power(5), profiles.ArcCosine(1)]


def inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    scale = rng.random((3, 4, 1)) + 0.1
    scale[1, 2] = 0.0
    return scale * rng.uniform(-1, 1, (3, 4, 5)), scale


def weighted(body: Callable[..., Any], weights: Any) -> Callable[..., Any]:
    """A scalar that depends on all of the output."""

    def total(*arrays: Any) -> Any:
        products = body(*arrays) * weights
        return namespace(products).sum(products)

    return total


@pytest.mark.parametrize("profile", PROFILES, ids=repr)
@pytest.mark.parametrize("full", [False, True])
def test_definition(profile: profiles.Profile, full: bool) -> None:
    inner, scale = inputs()
    scale = scale * np.ones_like(inner) if full else scale
    expected = np.where(scale > 0, scale * profile(inner / np.where(scale > 0, scale, 1)), 0.0)
    np.testing.assert_allclose(profile.response(inner, scale), expected, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(profile.response(inner, 1.0), profile(inner), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("argument", [0, 1, 2])
def test_override_and_its_gradient_are_the_generic_ones(name: str, argument: int) -> None:
    library = backend(name)
    inner, scale = inputs()
    scale[1, 2] = 0.3  # at 0 the derivative in the scale is a convention
    arrays = (library.asarray(inner), library.asarray(scale), library.asarray(np.asarray(2.7)))
    weights = library.asarray(np.random.default_rng(1).standard_normal(inner.shape))

    value, gradient = library.value_and_grad(weighted(primitives.exponential_response, weights), argument)(*arrays)
    generic = weighted(primitives.exponential_response.generic, weights)
    generic_value, generic_gradient = library.value_and_grad(generic, argument)(*arrays)
    np.testing.assert_allclose(float(value), float(generic_value), rtol=1e-13)
    np.testing.assert_allclose(library.to_numpy(gradient), library.to_numpy(generic_gradient), rtol=1e-12, atol=1e-14)


def test_pull_is_the_gradient() -> None:
    inner, scale = inputs()
    scale[1, 2] = 0.3
    weights = np.random.default_rng(1).standard_normal(inner.shape)
    arrays = (inner, scale, np.asarray(2.7))
    generic = primitives.exponential_response.generic
    pulled = primitives.exponential_response_pull(weights, generic(*arrays), *arrays)
    expected = backend("numpy").value_and_grad(weighted(generic, weights), (0, 1, 2))(*arrays)
    for a, b in zip(pulled, expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(2, 3000), (2, 24, 23), (40, 5, 4), (1, 11, 6, 5)], ids=repr)
def test_blocks_on_numpy(shape: tuple[int, ...]) -> None:
    """Of several images, and of parts of one: none is left out, whatever the number of axes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*shape, 2))
    window = Grid(2).window(shape[1:])
    filters = rng.standard_normal((400, 2 ** (len(shape) - 1), 2))
    filters /= np.linalg.norm(filters, axis=(1, 2), keepdims=True)
    kernel = Homogeneous(profiles.Exponential(0.6))
    expected = patch_response.generic(x, filters, kernel, window)
    np.testing.assert_allclose(patch_response(x, filters, kernel, window), expected, rtol=1e-12, atol=1e-14)
    # Others go by the generic body: a bandwidth that is an array, and filters of another type.
    traced = Homogeneous(profiles.Exponential(np.asarray(0.6)))
    np.testing.assert_allclose(patch_response(x[:1], filters, traced, window), expected[:1], rtol=1e-12, atol=1e-14)
    assert patch_response(x[:1].astype(np.float32), filters, kernel, window).dtype == np.float64

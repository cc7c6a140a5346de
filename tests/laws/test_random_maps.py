"""What every map obeys that is made without landmarks: unbiased, or of a spectrum."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.arrays import namespace
from kerneltools.backend import backend
from kerneltools.maps import Map
from kerneltools.trees import map_leaves
from tests.laws.members import FOURIER_MAPS, RANDOM_MAPS, SAMPLED_MAPS, MakeMap, rows
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

every = pytest.mark.parametrize("name", [*RANDOM_MAPS, *SAMPLED_MAPS])
# One of the many laws of frequencies: their gradients are the same function. tests/agreement has structured ones.
same = (*list(FOURIER_MAPS)[1:], "fourier structured")
differentiated = [name for name in (*RANDOM_MAPS, *SAMPLED_MAPS) if name not in same]


def make(name: str) -> Map:
    maker: MakeMap = {**RANDOM_MAPS, **SAMPLED_MAPS}[name]
    return maker(16, 0)


def data(name: str, n: int, seed: int = 0) -> np.ndarray:
    """Random rows, of numbers > 0 for kernels of histograms."""
    x = 0.6 * rows(n, 3, seed)
    return np.abs(x) + 0.05 if name in SAMPLED_MAPS else x


@every
@settings(max_examples=5)
@given(batch=st.lists(st.integers(0, 3), max_size=3), seed=st.integers(0, 1000))
def test_leading_axes_and_rows(name: str, batch: list[int], seed: int) -> None:
    phi, n = make(name), int(np.prod(batch, dtype=int))
    flat = data(name, n, seed)
    found = phi(flat.reshape(*batch, 3))
    assert found.shape == (*batch, phi.dimension)
    alone = [phi(row) for row in flat]
    assert_close(found.reshape(n, phi.dimension), np.asarray(alone).reshape(n, phi.dimension), 1e-12)


@every
def test_sizes_are_said(name: str) -> None:
    phi = make(name)
    assert phi.columns == 3
    assert phi(data(name, 2)).shape == (2, phi.dimension)
    with pytest.raises(ValueError, match=r"x: expected \(\.\.\., 3\) .* got \(5, 2\)"):
        phi(np.ones((5, 2)))
    with pytest.raises(TypeError, match=r"x: expected a real floating-point array, got int64"):
        phi(np.ones((5, 3), dtype=np.int64))


@every
def test_zero_rows_are_finite_and_inputs_left_alone(name: str) -> None:
    x = data(name, 4)
    x[3, :] = 0
    x.setflags(write=False)
    assert np.all(np.isfinite(make(name)(x)))


@pytest.mark.parametrize("name", RANDOM_MAPS)  # those of histograms refuse it, with its place
def test_nan_spoils_its_row_and_is_not_hidden(name: str) -> None:
    phi, x = make(name), data(name, 4)
    good = phi(x)
    x[1, 2] = np.nan
    found = phi(x)
    assert np.any(np.isnan(found[1]))
    assert_close(np.delete(found, 1, axis=0), np.delete(good, 1, axis=0), 1e-15)


@every
def test_same_features_by_the_standard_alone(name: str) -> None:
    phi, x = make(name), data(name, 6)
    for device in DEVICES:
        strict = _moved(phi, partial(to_strict, device=device))
        assert_same_on(device, strict(to_strict(x, device)), phi(x), 1e-11)


@pytest.mark.parametrize("name", [name for name in (*RANDOM_MAPS, *SAMPLED_MAPS) if name != "fourier ARD"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_results_are_of_the_type_of_the_data(name: str, dtype: str) -> None:
    # (An array of lengthscales in float64 makes results of that type, as in kernels.)
    phi, x = make(name), data(name, 6).astype(dtype)
    found = phi(x)
    assert found.dtype == dtype
    # A step within rounding of 0 may fall on the other side.
    assert np.mean(np.abs(found - phi(x.astype(float))) > (1e-4 if dtype == "float32" else 2e-2)) <= 0.02


@pytest.mark.parametrize("name", [name for name in (*RANDOM_MAPS, *SAMPLED_MAPS) if name != "fourier ARD"])
def test_numbers_of_numpy_do_not_decide_the_type(name: str) -> None:
    phi, x = make(name), data(name, 6).astype(np.float32)
    with_scalars = map_leaves(lambda leaf: np.float64(leaf) if isinstance(leaf, float) else leaf, phi)
    assert with_scalars(x).dtype == np.float32
    assert np.array_equal(with_scalars(x), phi(x))


@pytest.mark.parametrize("library", ["torch", "jax", "numpy"])
@pytest.mark.parametrize("name", differentiated)
def test_gradient_in_the_data(library: str, name: str) -> None:
    owner, phi, x = backend(library), make(name), data(name, 6)
    weights = rows(6, phi.dimension, seed=5)
    moved = _moved(phi, lambda a: owner.asarray(a, dtype="float64"))

    def loss(x: Any) -> Any:
        return namespace(x).sum(moved(x) * owner.asarray(weights))

    _, gradient = owner.value_and_grad(loss)(owner.asarray(x))
    towards, step = rows(6, 3, seed=6), 1e-6
    slope = np.sum(weights * (phi(x + step * towards) - phi(x - step * towards))) / (2 * step)
    assert abs(np.sum(owner.to_numpy(gradient) * towards) - slope) <= 1e-6 * (1 + abs(slope))


def _moved(phi: Map, to: Callable[[Any], Any]) -> Map:
    moved: Map = map_leaves(lambda leaf: to(leaf) if hasattr(leaf, "dtype") else leaf, phi)
    return moved

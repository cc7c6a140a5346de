"""Arrays of array_api_strict, which has the standard's functions and nothing else, and virtual devices."""

from typing import Any

import array_api_strict
import numpy as np
from numpy.testing import assert_allclose

CPU = array_api_strict.Device("CPU_DEVICE")
DEVICE1 = array_api_strict.Device("device1")
DEVICES = (CPU, DEVICE1)


def to_strict(x: Any, device: Any = CPU) -> Any:
    """A NumPy array as an array of array_api_strict."""
    return array_api_strict.asarray(np.array(x), device=device)


def to_numpy(x: Any) -> np.ndarray:
    """The numbers of an array of either library."""
    return np.asarray(x.to_device(CPU) if isinstance(x, type(to_strict(0.0))) else x)


def assert_same_on(device: Any, got: Any, wanted: np.ndarray, rtol: float = 1e-12) -> None:
    """`got` is of array_api_strict, on that device, and its numbers are `wanted` up to rtol of the greatest."""
    assert isinstance(got, type(to_strict(0.0)))
    assert got.device == device
    assert got.dtype == getattr(array_api_strict, wanted.dtype.name)
    assert_close(to_numpy(got), wanted, rtol)


def assert_close(got: np.ndarray, wanted: np.ndarray, rtol: float = 1e-12) -> None:
    """Equal up to rtol times the greatest of the wanted numbers, infinities included."""
    finite = np.abs(wanted[np.isfinite(wanted)])
    assert_allclose(got, wanted, rtol=0, atol=rtol * max(float(finite.max(initial=0.0)), np.finfo(float).tiny))

"""Which library, device and type arrays have, and the errors when they do not agree."""

from typing import Any

import array_api_compat.numpy
import array_api_strict
import numpy as np
import pytest

from kerneltools.arrays import (
    asarray_like,
    blocks,
    device_of,
    namespace,
    require_floating,
    require_rank,
    safe_sqrt,
    widest_float,
)
from kerneltools.backend import backend, move, to_host
from tests.strict import CPU, DEVICE1, DEVICES, assert_same_on, to_strict

ONE = np.ones(2)


class TestNamespace:
    def test_of_each_library(self) -> None:
        assert namespace(ONE) is array_api_compat.numpy
        assert namespace(to_strict(ONE)) is array_api_strict

    def test_numbers_and_none_are_passed_over(self) -> None:
        assert namespace(1, None, to_strict(ONE), 2.0) is array_api_strict

    def test_a_numpy_scalar_is_a_number_beside_arrays(self) -> None:
        assert namespace(np.float64(1.0), to_strict(ONE)) is array_api_strict
        assert namespace(np.float64(1.0)) is array_api_compat.numpy

    def test_several_libraries(self) -> None:
        with pytest.raises(
            TypeError, match=r"arrays of several libraries in one call: array_api_strict.*, numpy.ndarray;"
        ):
            namespace(ONE, to_strict(ONE))

    def test_what_is_no_array(self) -> None:
        with pytest.raises(TypeError, match=r"expected an array .* got builtins.list; convert it first"):
            namespace([1.0, 2.0])
        with pytest.raises(TypeError, match="got no array at all"):
            namespace(1.0)


class TestDevice:
    def test_of_arrays(self) -> None:
        assert device_of(to_strict(ONE, DEVICE1), None, 1.0) == DEVICE1
        assert device_of(1.0) is None

    def test_several_devices(self) -> None:
        with pytest.raises(ValueError, match=r"arrays on several devices in one call: .*CPU_DEVICE.*device1"):
            device_of(to_strict(ONE, CPU), to_strict(ONE, DEVICE1))


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_asarray_like(device: Any) -> None:
    like = to_strict(np.ones(3, np.float32), device)
    assert_same_on(device, asarray_like([1.0, 2.0], like), np.array([1, 2], np.float32))
    assert_same_on(device, asarray_like([1, 2], like, array_api_strict.int64), np.array([1, 2]))


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_move_between_libraries(device: Any) -> None:
    like = to_strict(np.ones(3, np.float32), device)
    assert_same_on(device, move(np.array([1, 2], np.uint8), like), np.array([1, 2], np.float32))
    moved = move(to_strict(np.array([1.0, 2.0])), np.ones(1, np.float32))
    assert moved.dtype == np.float32
    assert moved.tolist() == [1, 2]


def test_to_host() -> None:
    for array in (ONE, np.array(["cat", "dog"]), np.array([True]), np.array(["2026-01-01"], dtype="M8[D]")):
        assert to_host(array) is array
    assert isinstance(to_host(to_strict(ONE)), np.ndarray)


def test_numpy_has_one_device() -> None:
    with pytest.raises(ValueError, match="device: NumPy has only 'cpu', got 'cuda:0'"):
        backend("numpy").asarray([1.0], device="cuda:0")


def test_require_floating() -> None:
    require_floating(x=ONE, y=to_strict(ONE))
    for array, got in (
        (np.ones(2, np.int64), "int64"),
        (np.ones(2, complex), "complex128"),
        (np.ones(2, bool), "bool"),
    ):
        with pytest.raises(TypeError, match=f"y: expected a real floating-point array, got {got}; convert it first"):
            require_floating(x=ONE, y=array)


def test_require_rank() -> None:
    require_rank((1, 2), "(n,) or (n, d)", x=ONE)
    with pytest.raises(ValueError, match=r"x: expected \(n, d\), got shape \(2,\)"):
        require_rank(2, "(n, d)", x=ONE)


def test_widest_float() -> None:
    assert widest_float(np.ones(1, np.float32)) == np.float64
    narrow = array_api_strict.Device("no_float64")
    assert (
        widest_float(array_api_strict.ones(1, dtype=array_api_strict.float32, device=narrow))
        == array_api_strict.float32
    )


def test_safe_sqrt() -> None:
    assert safe_sqrt(np.array([0.0, 4.0, 1e-300])).tolist() == [0, 2, 1e-150]


@pytest.mark.parametrize(("n", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (7, 1)])
def test_blocks(n: int, size: int) -> None:
    found = [i for block in blocks(n, size) for i in range(block.start, block.stop)]
    assert found == list(range(n))
    assert all(block.stop - block.start <= size for block in blocks(n, size))

"""Sums and maxima over rows that carry the same number, against loops."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import primitives
from kerneltools.primitives import Primitive
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

NUMBERS = st.lists(st.integers(0, 5), max_size=12)


def bodies(function: Primitive) -> tuple[Any, Any]:
    return function, function.generic


def values(n: int) -> np.ndarray:
    return np.random.default_rng(n).standard_normal((n, 3))


def slow(numbers: list[int], x: np.ndarray, start: float, combine: Any, count: int = 6) -> np.ndarray:
    out = np.full((count, x.shape[1]), start)
    for number, row in zip(numbers, x, strict=True):
        out[number] = combine(out[number], row)
    return out


@settings(max_examples=50)
@given(numbers=NUMBERS)
def test_segment_sum(numbers: list[int]) -> None:
    x, index = values(len(numbers)), np.array(numbers, dtype=np.int64)
    for body in (*bodies(primitives.segment_sum), *bodies(primitives.owner_sum)):
        assert_close(body(x, index, 6), slow(numbers, x, 0.0, np.add), 1e-14)


@settings(max_examples=50)
@given(numbers=st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_segment_max(numbers: list[int]) -> None:
    x, index = values(len(numbers)), np.array(numbers, dtype=np.int64)
    for body in bodies(primitives.segment_max):
        assert np.array_equal(body(x, index, 6), slow(numbers, x, -np.inf, np.maximum))


@settings(max_examples=50)
@given(numbers=NUMBERS)
def test_index_add(numbers: list[int]) -> None:
    x, index, target = values(len(numbers)), np.array(numbers, dtype=np.int64), values(6)
    before = target.copy()
    for body in bodies(primitives.index_add):
        assert_close(body(target, index, x), target + slow(numbers, x, 0.0, np.add), 1e-14)
    assert np.array_equal(target, before)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("numbers", [[0, 5, 0, 2, 2, 2], [3]], ids=str)
def test_by_the_standard_alone(numbers: list[int], device: Any) -> None:
    x, index, target = values(len(numbers)), np.array(numbers, dtype=np.int64), values(6)
    strict_x, strict_index = to_strict(x, device), to_strict(index, device)
    for function in (primitives.segment_sum, primitives.segment_max):
        assert_same_on(device, function(strict_x, strict_index, 6), function(x, index, 6))
    got = primitives.index_add(to_strict(target, device), strict_index, strict_x)
    assert_same_on(device, got, primitives.index_add(target, index, x))


def test_float32() -> None:
    x, index = values(4).astype(np.float32), np.array([0, 1, 1, 0])
    for function in (primitives.segment_sum, primitives.segment_max):
        assert function(x, index, 3).dtype == np.float32
    assert primitives.index_add(x, index, x).dtype == np.float32


@pytest.mark.parametrize("m", [1, 5, primitives.PANEL, 2 * primitives.PANEL + 3])
@pytest.mark.parametrize("device", [None, *DEVICES], ids=str)
def test_solve_triangular(device: Any, m: int) -> None:
    factor = np.tril(np.random.default_rng(0).standard_normal((m, m))) / np.sqrt(m) + 3 * np.eye(m)
    rhs = np.random.default_rng(1).standard_normal((m, 2))
    wanted = np.linalg.inv(factor) @ rhs
    if device is None:
        assert_close(primitives.solve_triangular(factor, rhs), wanted)
    else:
        got = primitives.solve_triangular(to_strict(factor, device), to_strict(rhs, device))
        assert_same_on(device, got, wanted)


@pytest.mark.parametrize("device", [None, *DEVICES], ids=str)
def test_pad(device: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3))
    wanted = np.pad(x, ((1, 0), (2, 3)))
    if device is None:
        assert np.array_equal(primitives.pad(x, ((1, 0), (2, 3))), wanted)
    else:
        assert_same_on(device, primitives.pad(to_strict(x, device), ((1, 0), (2, 3))), wanted)

"""Draws are made on the host: the same numbers for every library, type and device."""

from typing import Any

import jax
import numpy as np
import pytest

from kerneltools import random
from tests.strict import DEVICES, assert_same_on, to_strict

DRAWS = pytest.mark.parametrize("draw", [random.normal, random.uniform])


@DRAWS
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_numbers_for_every_library(draw: Any, device: Any, dtype: str) -> None:
    like = np.zeros(1, dtype)
    wanted = draw(7, (3, 2), like)
    assert wanted.dtype == dtype
    assert_same_on(device, draw(7, (3, 2), to_strict(like, device)), wanted, 0.0)


@DRAWS
def test_float32_is_float64_rounded(draw: Any) -> None:
    wide, narrow = draw(7, (50,), np.zeros(1)), draw(7, (50,), np.zeros(1, np.float32))
    assert np.array_equal(wide.astype(np.float32), narrow)


@DRAWS
def test_a_generator_goes_on_and_a_seed_begins_again(draw: Any) -> None:
    like, rng = np.zeros(1), np.random.default_rng(7)
    first, second = draw(rng, (3,), like), draw(rng, (3,), like)
    assert np.array_equal(first, draw(7, (3,), like))
    assert np.array_equal(first, draw(np.int64(7), (3,), like))
    assert not np.array_equal(first, second)


def test_moments() -> None:
    like = np.zeros(1)
    normal, uniform = random.normal(0, (100_000,), like), random.uniform(0, (100_000,), like)
    # Six standard errors.
    assert abs(normal.mean()) < 6 / 316
    assert abs(normal.var() - 1) < 6 * np.sqrt(2) / 316
    assert abs(uniform.mean() - 0.5) < 6 * np.sqrt(1 / 12) / 316
    assert uniform.min() >= 0
    assert uniform.max() < 1


def test_choice() -> None:
    chosen = random.choice(3, 20, 10)
    assert chosen.dtype == np.int64
    assert len(set(chosen.tolist())) == 10
    assert set(chosen.tolist()) <= set(range(20))
    assert sorted(random.choice(3, 20, 20).tolist()) == list(range(20))
    assert random.choice(3, 3, 1, weights=[0, 1, 0]).tolist() == [1]
    with pytest.raises(ValueError, match="size: cannot choose 4 distinct numbers out of 3"):
        random.choice(0, 3, 4)


def test_streams_are_named() -> None:
    draws = {name: random.stream(5, name).random() for name in ("filters", "patches")}
    assert draws["filters"] != draws["patches"]
    assert random.stream(5, "filters").random() == draws["filters"]
    assert random.stream(6, "filters").random() != draws["filters"]


@pytest.mark.parametrize("rng", [None, 1.0, True, "seed"])
def test_what_is_no_seed(rng: Any) -> None:
    with pytest.raises(TypeError, match=r"rng: expected an integer seed or a numpy\.random\.Generator, got"):
        random.generator(rng)


def test_a_negative_seed() -> None:
    with pytest.raises(ValueError, match="rng: expected a seed of 0 or more, got -1"):
        random.generator(-1)


def test_keys_of_jax_are_told_what_to_do() -> None:
    key, advice = jax.random.key(0), r"; draw an integer from it, as int\(jax\.random\.bits\(key\)\)"
    with pytest.raises(TypeError, match="got PRNGKeyArray" + advice):
        random.generator(key)  # type: ignore[arg-type]
    assert 0 <= random.generator(int(jax.random.bits(key))).integers(10) < 10

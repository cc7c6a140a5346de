"""What every pool obeys, and each against a slow, obvious loop."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from kerneltools import pooling
from tests.laws.members import POOLS, SHAPES
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

every = pytest.mark.parametrize("pool", POOLS, ids=str)
every_rank = pytest.mark.parametrize("rank", [1, 2, 3])


def image(rank: int) -> np.ndarray:
    return np.random.default_rng(rank).standard_normal(SHAPES[rank])


def windows(n: int, pool: Any) -> list[dict[int, float]]:
    """For each position of a pool along an axis of n points: the points of its window, with weights."""
    if isinstance(pool, pooling.Gaussian):
        s = pool.subsampling
        if s == 1:
            return [{i: 1.0} for i in range(n)]
        weights = {t: np.exp(-((t / s) ** 2)) for t in range(-s, s + 1)}
        total = sum(weights.values())
        return [{p + t: w / total for t, w in weights.items() if 0 <= p + t < n} for p in range(0, n, s)]
    size = pool.size or n
    weight = 1 / size if isinstance(pool, pooling.Mean) else 1.0
    starts = range(0, n - size + 1, pool.stride or size)
    return [{start + i: weight for i in range(size)} for start in starts]


def slow_pool(x: np.ndarray, pool: Any) -> np.ndarray:
    axes = [windows(n, pool) for n in x.shape[1:-1]]
    out = np.empty((len(x), *map(len, axes), x.shape[-1]))
    for place in product(*(range(len(axis)) for axis in axes)):
        here = [axis[i] for axis, i in zip(axes, place, strict=True)]
        terms = [
            x[(slice(None), *point)] * np.prod([axis[p] for axis, p in zip(here, point, strict=True)])
            for point in product(*here)
        ]
        out[(slice(None), *place)] = np.max(terms, axis=0) if isinstance(pool, pooling.Max) else np.sum(terms, axis=0)
    return out


@every
@every_rank
def test_against_a_loop(pool: Any, rank: int) -> None:
    x = image(rank)
    assert_close(pool(x), slow_pool(x, pool))


@every
@every_rank
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(pool: Any, rank: int, device: Any) -> None:
    assert_same_on(device, pool(to_strict(image(rank), device)), pool(image(rank)))


@every
@every_rank
def test_images_and_channels_are_independent(pool: Any, rank: int) -> None:
    x = image(rank)
    whole = pool(x)
    assert_close(np.concatenate([pool(x[i : i + 1]) for i in range(len(x))]), whole, 1e-14)
    assert_close(np.concatenate([pool(x[..., i : i + 1]) for i in range(x.shape[-1])], axis=-1), whole, 1e-14)


@every
def test_float32_and_read_only(pool: Any) -> None:
    x = image(2).astype(np.float32)
    x.flags.writeable = False
    pooled = pool(x)
    assert pooled.dtype == np.float32
    assert_close(pooled.astype(float), pool(image(2)), 1e-6)


# The first pool changes nothing, and looks at nothing.
@pytest.mark.parametrize("pool", POOLS[1:], ids=str)
def test_what_is_no_grid(pool: Any) -> None:
    with pytest.raises(ValueError, match=r"x: expected \(n, \*grid, c\) .* got shape \(5, 5\)"):
        pool(np.ones((5, 5)))
    with pytest.raises(TypeError, match="x: expected a real floating-point array, got int64"):
        pool(np.ones((1, 5, 5, 1), dtype=np.int64))


@pytest.mark.parametrize("s", [1, 2, 3, 6])
def test_gaussian_far_from_the_border_keeps_constants(s: int) -> None:
    pooled = pooling.Gaussian(s)(np.ones((1, 8 * s + 1, 1)))[0, :, 0]
    assert pooled.shape == (9,)
    assert_close(pooled[1:-1], np.ones(7), 1e-14)
    # Zeros beyond the border, and no renormalisation.
    assert s == 1 or np.all(pooled[[0, -1]] < 0.9)


def test_gaussian_larger_than_the_grid() -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 2, 1))
    assert_close(pooling.Gaussian(6)(x), slow_pool(x, pooling.Gaussian(6)))


@pytest.mark.parametrize("pool", [pooling.Mean(4), pooling.Sum(4)], ids=str)
def test_no_window_fits(pool: Any) -> None:
    with pytest.raises(ValueError, match="size: no window of 4 points fits an axis of 3"):
        pool(np.ones((1, 5, 3, 1)))


def test_no_window_of_a_maximum_fits() -> None:
    with pytest.raises(ValueError, match="no 4x4 window fits an image of 5x3 pixels"):
        pooling.Max(4)(np.ones((1, 5, 3, 1)))


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_numbers_out_of_range(value: Any) -> None:
    with pytest.raises(ValueError, match="subsampling: expected an integer >= 1, got"):
        pooling.Gaussian(value)
    for kind in (pooling.Mean, pooling.Sum, pooling.Max):
        with pytest.raises(ValueError, match="size: expected an integer >= 1, got"):
            kind(value)
        with pytest.raises(ValueError, match="stride: expected an integer >= 1, got"):
            kind(2, value)


@pytest.mark.parametrize(
    ("number", "message"), [(None, "integer >= 1, got None"), (10**30, "integer <= 1000000, got 1")]
)
def test_subsampling_that_no_grid_has_is_refused(number: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"subsampling: expected an {message}"):
        pooling.Gaussian(number)

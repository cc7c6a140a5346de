"""Patches of grids against a slow, obvious loop."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import primitives
from kerneltools.patches import Grid
from kerneltools.primitives import Window
from tests.laws.members import ALL_GRIDS, SHAPES
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

every = pytest.mark.parametrize(("rank", "grid"), ALL_GRIDS, ids=str)


def image(rank: int) -> np.ndarray:
    return np.random.default_rng(rank).standard_normal(SHAPES[rank])


def slow_patches(x: np.ndarray, window: Window) -> np.ndarray:
    """(n, *grid, c) -> (n, *positions, points, c): each point looked up, 0 outside the grid."""
    positions = []
    for n, size, stride, (before, after), dilation in zip(
        x.shape[1:-1], window.size, window.stride, window.padding, window.dilation, strict=True
    ):
        starts = range(-before, n + after - (size - 1) * dilation, stride)
        positions.append([[start + i * dilation for i in range(size)] for start in starts])
    out = np.zeros((len(x), *map(len, positions), int(np.prod(window.size)), x.shape[-1]))
    for image_number in range(len(x)):
        for place in product(*(range(len(axis)) for axis in positions)):
            points = product(*(axis[i] for axis, i in zip(positions, place, strict=True)))
            for number, point in enumerate(points):
                if all(0 <= p < n for p, n in zip(point, x.shape[1:-1], strict=True)):
                    out[(image_number, *place, number)] = x[(image_number, *point)]
    return out


@every
def test_extract(rank: int, grid: Grid) -> None:
    x = image(rank)
    wanted = slow_patches(x, grid.window(x.shape[1:-1]))
    got = grid.extract(x)
    assert np.array_equal(got, wanted.reshape(*wanted.shape[:-2], -1))
    assert got.shape[1:-1] == grid.output_shape(x.shape[1:-1])


@every
def test_body_for_numpy_is_the_generic_one(rank: int, grid: Grid) -> None:
    x = image(rank)
    window = grid.window(x.shape[1:-1])
    assert np.array_equal(primitives.extract_patches(x, window), primitives.extract_patches.generic(x, window))


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(rank: int, grid: Grid, device: Any) -> None:
    x = image(rank)
    assert_same_on(device, grid.extract(to_strict(x, device)), grid.extract(x), 0.0)


@every
def test_fold_is_the_adjoint(rank: int, grid: Grid) -> None:
    x = image(rank)
    window = grid.window(x.shape[1:-1])
    patches = primitives.extract_patches(x, window)
    y = np.random.default_rng(9).standard_normal(patches.shape)
    folded = primitives.fold_patches(y, window, x.shape[1:-1])
    assert folded.shape == x.shape
    assert np.vdot(patches, y) == pytest.approx(np.vdot(x, folded), rel=1e-12)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_fold_by_the_standard_alone(rank: int, grid: Grid, device: Any) -> None:
    x = image(rank)
    window = grid.window(x.shape[1:-1])
    patches = primitives.extract_patches(x, window)
    folded = primitives.fold_patches(to_strict(patches, device), window, x.shape[1:-1])
    assert_same_on(device, folded, primitives.fold_patches(patches, window, x.shape[1:-1]))


@every
@pytest.mark.parametrize("device", [None, *DEVICES], ids=str)
def test_patch_gram(rank: int, grid: Grid, device: Any) -> None:
    x = image(rank)
    window = grid.window(x.shape[1:-1])
    filters = np.random.default_rng(8).standard_normal((4, int(np.prod(window.size)), x.shape[-1]))
    patches = slow_patches(x, window)
    inner = np.sum(patches[..., None, :, :] * filters, axis=(-2, -1))
    norms = np.sum(patches**2, axis=(-2, -1))
    if device is None:
        got_inner, got_norms = primitives.patch_gram(x, filters, window)
        assert_close(got_inner, inner)
        assert_close(got_norms, norms)
    else:
        got_inner, got_norms = primitives.patch_gram(to_strict(x, device), to_strict(filters, device), window)
        assert_same_on(device, got_inner, inner)
        assert_same_on(device, got_norms, norms)


@every
def test_leaves_its_input_alone(rank: int, grid: Grid) -> None:
    x = image(rank)
    patches = grid.extract(x)
    assert np.array_equal(x, image(rank))
    # A window of one point may give a view, which nobody can write through.
    assert not (patches.flags.writeable and np.shares_memory(patches, x))
    x.flags.writeable = False
    assert np.array_equal(grid.extract(x), patches)


@every
def test_float32(rank: int, grid: Grid) -> None:
    x = image(rank).astype(np.float32)
    assert grid.extract(x).dtype == np.float32


@settings(max_examples=60)
@given(data=st.data(), rank=st.integers(1, 3))
def test_any_window(data: st.DataObject, rank: int) -> None:
    def per_axis(low: int, high: int) -> tuple[int, ...]:
        return data.draw(st.tuples(*[st.integers(low, high)] * rank))

    size, stride, dilation = per_axis(1, 3), per_axis(1, 3), per_axis(1, 2)
    padding = data.draw(st.sampled_from(["same", "valid", per_axis(0, 2)]))
    shape = per_axis(1, 6)
    grid = Grid(size, stride, padding, dilation)
    x = np.random.default_rng(0).standard_normal((2, *shape, 2))
    zeros = (0,) * rank if padding == "valid" else padding
    spans = [(p - 1) * d + 1 for p, d in zip(size, dilation, strict=True)]
    if padding != "same" and any(span > n + 2 * z for span, n, z in zip(spans, shape, zeros, strict=True)):
        with pytest.raises(ValueError, match=r"no .* window fits"):
            grid.extract(x)
        return
    window = grid.window(shape)
    wanted = slow_patches(x, window)
    assert np.array_equal(primitives.extract_patches(x, window), wanted)
    assert np.array_equal(primitives.extract_patches.generic(x, window), wanted)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_keeps_the_size(size: int, stride: int, dilation: int) -> None:
    for n in range(1, 9):
        assert Grid(size, stride, "same", dilation).output_shape((n,)) == (-(-n // stride),)


def test_the_extra_zero_of_an_even_patch_goes_last() -> None:
    x = np.array([[[1.0], [2.0], [3.0]]])
    assert Grid(2).extract(x).tolist() == [[[1, 2], [2, 3], [3, 0]]]


class TestErrors:
    def test_settings(self) -> None:
        for name, value in (("size", 0), ("stride", 0), ("dilation", -1), ("size", ()), ("size", 2.0), ("size", True)):
            with pytest.raises(ValueError, match=rf"{name}: expected an integer >= 1, or one per axis, got"):
                Grid(**{"size": 3, name: value})
        with pytest.raises(ValueError, match="padding: expected an integer >= 0, or one per axis, got 'full'"):
            Grid(3, padding="full")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="padding: expected an integer >= 0, or one per axis, got -1"):
            Grid(3, padding=-1)

    def test_no_window_fits(self) -> None:
        with pytest.raises(ValueError, match=r"no 7x7 window fits an image of 5x5 pixels$"):
            Grid(7, padding="valid").extract(np.ones((1, 5, 5, 1)))
        with pytest.raises(ValueError, match=r"no 3x3 window fits an image of 4x9 pixels \(dilation 2\)"):
            Grid(3, padding="valid", dilation=2).extract(np.ones((1, 4, 9, 1)))
        with pytest.raises(ValueError, match=r"no 4 window fits a grid of 3 points"):
            Grid(4, padding="valid").extract(np.ones((1, 3, 1)))
        with pytest.raises(ValueError, match=r"no 2x2x2 window fits a grid of 3x1x3 points"):
            Grid(2, padding="valid").extract(np.ones((1, 3, 1, 3, 1)))

    def test_empty_grid(self) -> None:
        with pytest.raises(ValueError, match=r"no 3x3 window fits an image of 0x5 pixels"):
            Grid(3).extract(np.ones((1, 0, 5, 1)))

    def test_entries_for_another_rank(self) -> None:
        with pytest.raises(
            ValueError, match=r"size: expected one number or 2, one for each axis of the grid, got \(3,\)"
        ):
            Grid((3,)).extract(np.ones((1, 5, 5, 1)))
        with pytest.raises(ValueError, match=r"padding: expected one number or 1, one for each axis .* got \(1, 1\)"):
            Grid(3, padding=(1, 1)).extract(np.ones((1, 5, 1)))

    def test_what_is_no_grid(self) -> None:
        with pytest.raises(ValueError, match=r"x: expected \(n, \*grid, c\) .* got shape \(5, 5\)"):
            Grid(3).extract(np.ones((5, 5)))
        with pytest.raises(TypeError, match="x: expected a real floating-point array, got uint8"):
            Grid(3).extract(np.ones((1, 5, 5, 1), dtype=np.uint8))

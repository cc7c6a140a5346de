"""Random patches: uniform, without replacement, without the blank ones, whatever the batch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckn import Layer, Network, sampling
from ckn.cropping import crops_for, crops_pay
from ckn.sampling import merged, sample_patches
from kerneltools.backend import backend
from kerneltools.kernels import Gaussian, Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import Grid
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

NOTHING = Network(())


def sample(x: Any, grid: Grid, count: int, seed: int = 0, batch: int = 100, below: Network = NOTHING) -> Any:
    return sample_patches(below, x, grid, count, np.random.default_rng(seed), batch, lambda done, total: None)


def numbered(n: int, *grid: int) -> np.ndarray:
    """Images whose pixels are all different, and none 0."""
    return np.arange(1.0, 1 + n * int(np.prod(grid))).reshape(n, *grid, 1)


def as_set(patches: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(row) for row in patches.tolist()}


GRIDS = pytest.mark.parametrize(
    ("grid", "shape"),
    [
        (Grid(3, padding="valid"), (5, 6)),
        (Grid((2, 3), padding="valid", dilation=(2, 1)), (5, 6)),
        (Grid(4, padding="valid"), (9,)),
        (Grid(2, padding="valid"), (3, 4, 3)),
    ],
    ids=str,
)


@GRIDS
def test_patches_of_the_images_without_replacement(grid: Grid, shape: tuple[int, ...]) -> None:
    x = numbered(4, *shape)
    every = grid.extract(x)
    rows = every.reshape(-1, every.shape[-1])
    patches = sample(x, grid, len(rows) // 2)
    assert len(as_set(patches)) == len(patches) == len(rows) // 2
    assert as_set(patches) <= as_set(rows)


@GRIDS
def test_all_there_are_when_more_are_wanted(grid: Grid, shape: tuple[int, ...]) -> None:
    x = numbered(4, *shape)
    rows = grid.extract(x)
    rows = rows.reshape(-1, rows.shape[-1])
    for count in (len(rows), len(rows) + 1, 10_000):
        assert np.array_equal(np.sort(sample(x, grid, count), axis=0), np.sort(rows, axis=0))


def test_uniform() -> None:
    # 1500 draws of 6 out of the 18 patches of 2 images: 500 expected for each, with a deviation of 18.
    x = numbered(2, 5, 5)
    counts: dict[float, int] = {}
    for seed in range(1500):
        for first in sample(x, Grid(3, padding="valid"), 6, seed)[:, 0].tolist():
            counts[first] = counts.get(first, 0) + 1
    assert len(counts) == 18
    assert all(abs(count - 500) < 100 for count in counts.values())


def test_uniform_beside_blank_patches() -> None:
    # Three quarters of the patches are blank: the rest are drawn as often as each other.
    x = numbered(2, 8)
    x[0] = 0
    x[1, :4] = 0
    counts = np.zeros(17)
    for seed in range(1000):
        drawn = sample(x, Grid(1, padding="valid"), 2, seed)
        assert drawn.shape == (2, 1)
        counts[drawn[:, 0].astype(int)] += 1
    assert np.all(counts[:13] == 0)
    # 500 expected for each, with a deviation of 16.
    assert np.all(np.abs(counts[13:] - 500) < 100)


def test_no_blank_patches() -> None:
    x = numbered(3, 6, 6)
    x[:, :4] = 0
    x[2] = 0
    patches = sample(x, Grid(3, padding="valid"), 1000)
    # In each of two images, two of four rows of positions meet the lower third.
    assert len(patches) == 2 * 2 * 4
    assert np.all(np.any(patches != 0, axis=1))


def test_what_is_only_rounding_error_is_blank() -> None:
    x = numbered(1, 6, 6)
    x[:, :3] *= 1e-12
    assert len(sample(x, Grid(3, padding="valid"), 1000)) == 12


def test_all_blank() -> None:
    with pytest.raises(ValueError, match="images: all 48 patches of 3 images are blank; nothing can be learnt"):
        sample(np.zeros((3, 6, 6, 1)), Grid(3, padding="valid"), 5)


@pytest.mark.parametrize("count", [3, 30, 300])
def test_the_batch_makes_no_difference(count: int) -> None:
    x = numbered(7, 6, 6)
    x[3] = 0
    whole = sample(x, Grid(3, padding="valid"), count, seed=4)
    for batch in (1, 2, 3, 6):
        assert np.array_equal(sample(x, Grid(3, padding="valid"), count, seed=4, batch=batch), whole)


def test_the_seed_decides() -> None:
    x, grid = numbered(4, 6, 6), Grid(3, padding="valid")
    assert np.array_equal(sample(x, grid, 5, seed=1), sample(x, grid, 5, seed=1))
    assert not np.array_equal(sample(x, grid, 5, seed=1), sample(x, grid, 5, seed=2))


def test_of_the_maps_below() -> None:
    x = np.random.default_rng(0).standard_normal((3, 6, 7, 1))
    filters = np.random.default_rng(1).standard_normal((4, 3, 3, 1))
    below = Network((Layer(filters, Homogeneous(Exponential(1.0)), 2),))
    every = Grid(2, padding="valid").extract(below(x)).reshape(-1, 16)
    got = sample(x, Grid(2, padding="valid"), 1000, below=below, batch=2)
    assert_close(np.sort(got, axis=0), np.sort(every, axis=0), 1e-13)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    x = numbered(4, 6, 6)
    x[1, :3] = 0
    grid = Grid(3, padding="valid")
    assert_same_on(device, sample(to_strict(x, device), grid, 20), sample(x, grid, 20), 0.0)


def test_reports_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    x = numbered(5, 6, 6)
    grid = Grid(3, padding="valid")
    sample_patches(NOTHING, x, grid, 10, 0, 2, lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_rows_that_are_there_often_are_merged(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    there, times = backend(library), np.asarray([1, 2, 3, 4, 5, 6, 40])
    few = np.random.default_rng(0).standard_normal((7, 5))
    rows = np.random.default_rng(1).permutation(np.repeat(few, times, axis=0))
    found, weights = merged(there.asarray(rows))
    assert weights is not None
    assert sorted(map(tuple, there.to_numpy(found))) == sorted(map(tuple, few))
    again = np.repeat(there.to_numpy(found), there.to_numpy(weights).astype(int), axis=0)
    assert sorted(map(tuple, again)) == sorted(map(tuple, rows))


def test_rows_that_differ_are_not_merged() -> None:
    rows = np.random.default_rng(0).standard_normal((9, 5))
    alike = np.asarray([[0.0, 1.0, 0.0], [np.cos(1.0), 0.0, 0.0]] * 4)  # of one sum with the cosines 1, cos(1), ...
    for different in (rows, alike):
        found, weights = merged(different)
        assert weights is None
        assert found is different


def _layer(size: Any, m: int = 3, channels: int = 1, **kwargs: Any) -> Layer:
    size = (size, size) if isinstance(size, int) else size
    filters = np.random.default_rng(m).standard_normal((m, *size, channels))
    filters = filters / np.sqrt((filters**2).sum(axis=(1, 2, 3), keepdims=True))
    return Layer(filters, Homogeneous(Exponential(0.6)), **kwargs)


@pytest.mark.parametrize(
    ("layers", "grid", "patch"),
    [
        ((_layer(3, subsampling=2),), (32, 31), 3),
        ((_layer(3, subsampling=2), _layer(3, 4, 3, subsampling=2)), (40, 47), 2),
        ((_layer(2, subsampling=3, padding=1), _layer((2, 3), 4, 3, dilation=2)), (29, 44), 3),
        ((_layer(3, padding="valid"), _layer(4, 4, 3, subsampling=2)), (33, 24), 1),
    ],
    ids=["one", "two", "even and dilated", "valid"],
)
def test_crops_show_what_whole_images_do(
    layers: tuple[Layer, ...], grid: tuple[int, int], patch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).standard_normal((3, *grid, 1))
    x[1, :18, :20] = 1e-12  # the rounding error of blank pixels
    below = Network(layers).prepare()
    cropped = crops_for(below, grid, Grid(patch, padding="valid").window(below.output_shape(grid)))
    assert cropped.window.size < grid
    wanted = sample(x, Grid(patch, padding="valid"), 10_000, below=below)
    monkeypatch.setattr(sampling, "crops_pay", lambda *_: True)
    monkeypatch.setattr(sampling, "CROPS", 64)
    found = sample(x, Grid(patch, padding="valid"), 10_000, below=below)
    assert_close(found, wanted, 1e-12)


def test_crops_are_for_few_patches_of_many_images() -> None:
    below, grid = Network((_layer(3, subsampling=2),)), (32, 32)
    crops = crops_for(below, grid, Grid(3, padding="valid").window((16, 16)))
    assert crops.window.size == (12, 12)
    assert crops_pay(below, crops, grid, 100_000, 43_000)
    assert not crops_pay(below, crops, grid, 100_000, 10_000)
    other = Network((replace(below.layers[0], kernel=Gaussian(1.0)),))
    assert not crops_pay(other, crops, grid, 100_000, 43_000)


def test_crops_of_images_that_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "crops_pay", lambda *_: True)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="squares of pixels overflow float32"):
        sample(np.full((2, 32, 32, 1), 1e30, np.float32), Grid(3, padding="valid"), 10, below=NOTHING)

"""What every selector of landmarks obeys."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.kernels import Gaussian, Homogeneous, Linear
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import Given, ReducedWarning, Selector, SphericalKMeans, Uniform, spherical_kmeans
from kerneltools.landmarks.clusters import assigned, unit_cloud
from tests.laws.members import SELECTORS, rows
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

KERNEL = Homogeneous(Exponential(0.6))
every = pytest.mark.parametrize("make", SELECTORS.values(), ids=list(SELECTORS))
drawn = pytest.mark.parametrize("make", [SELECTORS[name] for name in SELECTORS if name != "Greedy"])
Make = Callable[[int], Selector]


def distinct(x: np.ndarray) -> int:
    return len(np.unique(x, axis=0))


@every
@settings(max_examples=20)
@given(seed=st.integers(0, 1000), n=st.integers(1, 40), m=st.integers(1, 8))
def test_at_most_m_distinct_points(make: Make, seed: int, n: int, m: int) -> None:
    x = rows(n, 3, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReducedWarning)
        chosen = make(m)(KERNEL, x, seed)
    assert chosen.points.shape == (min(n, m), 3)
    assert distinct(chosen.points) == min(n, m)
    if chosen.indices is not None:
        assert np.array_equal(x[list(chosen.indices)], chosen.points)


@every
def test_a_selector(make: Make) -> None:
    assert isinstance(make(3), Selector)


@every
def test_the_seed_decides(make: Make) -> None:
    x = rows(60, 3, seed=0)
    by_seed, again = make(4)(KERNEL, x, 5).points, make(4)(KERNEL, x, 5).points
    by_generator = make(4)(KERNEL, x, np.random.default_rng(5)).points
    assert np.array_equal(by_seed, again)
    assert np.array_equal(by_seed, by_generator)


@drawn
def test_another_seed_gives_others(make: Make) -> None:
    x = rows(60, 3, seed=0)
    assert not np.array_equal(make(4)(KERNEL, x, 5).points, make(4)(KERNEL, x, 6).points)


@every
@pytest.mark.parametrize("kinds", [1, 3])
def test_duplicates_are_no_landmarks(make: Make, kinds: int) -> None:
    x = np.repeat(rows(kinds, 3, seed=0), 10, axis=0)
    with pytest.warns(ReducedWarning, match=rf"5 asked for, {kinds} made: {10 * kinds} rows hold no more distinct"):
        chosen = make(5)(KERNEL, x, 0)
    assert chosen.points.shape == (kinds, 3)
    assert distinct(chosen.points) == kinds


@every
def test_no_warning_when_there_are_just_enough(make: Make) -> None:
    x = np.repeat(rows(3, 3, seed=0), 10, axis=0)
    assert make(3)(KERNEL, x, 0).points.shape == (3, 3)


@every
def test_the_sign_of_zero_makes_no_difference(make: Make) -> None:
    x = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 1.0]])
    with pytest.warns(ReducedWarning, match="2 asked for, 1 made"):
        assert make(2)(KERNEL, x, 0).points.shape == (1, 2)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(make: Make, device: Any) -> None:
    x = rows(60, 3, seed=0)
    wanted, got = make(4)(KERNEL, x, 5), make(4)(KERNEL, to_strict(x, device), 5)
    assert_same_on(device, got.points, wanted.points)
    assert got.indices == wanted.indices


@every
def test_float32_and_read_only(make: Make) -> None:
    x = rows(60, 3, seed=0).astype(np.float32)
    x.flags.writeable = False
    assert make(4)(KERNEL, x, 5).points.dtype == np.float32


@every
@pytest.mark.parametrize("exponent", [-100, 100])
def test_units_far_from_one_in_float32(make: Make, exponent: int) -> None:
    # A power of two changes no digit, only what over- and underflows.
    x, unit = rows(40, 3, seed=0).astype(np.float32), np.float32(2.0**exponent)
    wanted = make(5)(Gaussian(1.0), x, 0).points
    found = make(5)(Gaussian(float(unit)), unit * x, 0).points.astype(float)
    assert found.shape == (5, 3)
    spread = float(np.linalg.norm(wanted, axis=1).max())
    units = found if np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5 else found / unit
    assert np.abs(units - wanted).max() <= 1e-5 * spread


@every
def test_errors(make: Make) -> None:
    x = rows(5, 3, seed=0)
    with pytest.raises(ValueError, match="m: expected an integer >= 1, got 0"):
        make(0)(KERNEL, x, 0)
    with pytest.raises(ValueError, match=r"x: expected \(n, d\), got shape \(3,\)"):
        make(2)(KERNEL, np.ones(3), 0)
    with pytest.raises(ValueError, match=r"x: expected at least one row and one column, got shape \(0, 3\)"):
        make(2)(KERNEL, x[:0], 0)
    with pytest.raises(ValueError, match=r"x: expected at least one row and one column, got shape \(5, 0\)"):
        make(2)(KERNEL, x[:, :0], 0)
    with pytest.raises(TypeError, match=r"x: expected an array \(n, d\), got list"):
        make(2)(KERNEL, x.tolist(), 0)
    for bad in (np.nan, np.inf):
        x[3, 1] = bad
        with pytest.raises(ValueError, match=rf"x: expected finite numbers, got {bad} .*row 3, column 1"):
            make(2)(KERNEL, x, 0)
    x[3, 1] = 0
    with pytest.raises(TypeError, match="x: expected a real floating-point array, got int64"):
        make(2)(KERNEL, np.ones((5, 3), dtype=np.int64), 0)
    with pytest.raises(TypeError, match=r"rng: expected an integer seed or a numpy\.random\.Generator, got NoneType"):
        make(2)(KERNEL, x, None)


class TestUniform:
    def test_rows_of_the_data(self) -> None:
        x = rows(20, 3, seed=0)
        chosen = Uniform(6)(Linear(), x, 1)
        assert chosen.indices is not None
        assert len(set(chosen.indices)) == 6

    def test_every_row_has_its_chance(self) -> None:
        # 600 draws of 2 out of 6: 200 expected for each row, with a deviation of 11.5.
        x = rows(6, 2, seed=0)
        counts = np.zeros(6)
        for seed in range(600):
            counts[list(Uniform(2)(Linear(), x, seed).indices or ())] += 1
        assert counts.sum() == 1200
        assert np.all(np.abs(counts - 200) < 60)


class TestSphericalKMeans:
    @settings(max_examples=20)
    @given(seed=st.integers(0, 1000), m=st.integers(1, 6))
    def test_no_worse_than_its_start(self, seed: int, m: int) -> None:
        x = rows(50, 3, seed)
        directions = x / np.linalg.norm(x, axis=1, keepdims=True)

        def objective(centres: np.ndarray) -> float:
            return float((directions @ centres.T).max(axis=1).mean())

        fitted = SphericalKMeans(m)(KERNEL, x, seed).points
        start = Uniform(m)(KERNEL, directions, seed).points
        assert_close(np.linalg.norm(fitted, axis=1), np.ones(m), 1e-14)
        assert objective(fitted) >= objective(start) - 1e-12

    def test_finds_clusters(self) -> None:
        centres = np.eye(4)
        x = np.repeat(centres, 30, axis=0) + 0.05 * rows(120, 4, seed=0)
        # Lengths do not count.
        x *= np.random.default_rng(1).uniform(0.1, 10, (120, 1))
        best = max(
            np.sort((SphericalKMeans(4)(KERNEL, x, seed).points @ centres.T).max(axis=0)).min() for seed in range(5)
        )
        assert best > 0.99

    def test_a_fixed_point(self) -> None:
        # Each centre is the mean direction of the rows nearest to it.
        x = rows(60, 3, seed=0)
        directions = x / np.linalg.norm(x, axis=1, keepdims=True)
        centres = SphericalKMeans(4, iterations=1000, tolerance=0.0)(KERNEL, x, 0).points
        nearest = (directions @ centres.T).argmax(axis=1)
        for i in range(4):
            mean = directions[nearest == i].sum(axis=0)
            assert_close(mean / np.linalg.norm(mean), centres[i], 1e-12)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_many_rows_of_which_some_are_looked_at_first(self, weighted: bool) -> None:
        # Eight clusters in turn: each eighth row is of the same one.
        draws = np.random.default_rng(0)
        x = np.tile(np.eye(8), (512, 1)) + 0.2 * draws.standard_normal((4096, 8))
        weights = draws.uniform(0.1, 10, 4096) if weighted else None
        directions = x / np.linalg.norm(x, axis=1, keepdims=True)

        def objective(rule: SphericalKMeans) -> float:
            found = rule(KERNEL, x, 0, weights=weights).points
            return float(np.average((directions @ found.T).max(axis=1), weights=weights))

        plain = SphericalKMeans(16, iterations=200, tolerance=0.0)
        assert objective(SphericalKMeans(16)) >= objective(plain) - 1e-3

    def test_a_step_too_far_is_taken_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x = rows(60, 3, seed=0)
        directions = x / np.linalg.norm(x, axis=1, keepdims=True)
        means = []
        for beyond in (0.0, 50.0):
            monkeypatch.setattr(spherical_kmeans, "BEYOND", beyond)
            points = SphericalKMeans(4, tolerance=0.0)(KERNEL, x, 0).points
            means.append((directions @ points.T).max(axis=1).mean())
        assert means[1] >= means[0] - 1e-12

    def test_zero_rows_are_passed_over(self) -> None:
        x = rows(20, 3, seed=0)
        with_zeros = np.concatenate([x, np.zeros((7, 3))])
        assert np.all(np.isfinite(SphericalKMeans(4)(KERNEL, with_zeros, 0).points))
        with pytest.raises(ValueError, match="x: all 7 rows are zero, and a zero row has no direction"):
            SphericalKMeans(4)(KERNEL, with_zeros[20:], 0)

    def test_an_empty_cluster_takes_the_worst_served_row(self) -> None:
        far = np.array([[0.0, -1.0]])
        near = np.stack([np.cos([0.0, 0.01, 0.02]), np.sin([0.0, 0.01, 0.02])], axis=1)
        x = np.concatenate([near, far])
        # Two centres that coincide: one of them serves nobody.
        selector = SphericalKMeans(2)
        data, centres = unit_cloud(x), near[[0, 0]]
        updated = selector._update(data, assigned(data, centres, 100), centres)
        assert np.array_equal(updated[1:], far)

    def test_several_empty_clusters_take_different_rows(self) -> None:
        # The worst-served rows are equal: the second cluster needs another.
        x = np.concatenate([np.eye(3), -np.eye(3)[[0, 0, 0, 0, 1]]])
        selector = SphericalKMeans(3)
        data, centres = unit_cloud(x), np.ones((3, 3)) / np.sqrt(3)
        updated = selector._update(data, assigned(data, centres, 100), centres)
        assert distinct(updated) == 3


class TestGiven:
    def test_the_points_themselves(self) -> None:
        points = rows(4, 3, seed=0)
        assert Given(points)(KERNEL, rows(9, 3, seed=1), 0).points is points

    def test_errors(self) -> None:
        with pytest.raises(ValueError, match=r"points: expected \(m, d\), got shape \(3,\)"):
            Given(np.ones(3))
        with pytest.raises(
            ValueError, match=r"points: expected 2 columns as in x of shape \(9, 2\), got shape \(4, 3\)"
        ):
            Given(rows(4, 3, seed=0))(KERNEL, rows(9, 2, seed=1), 0)
        with pytest.raises(ValueError, match=r"points: expected at least one, got shape \(0, 3\)"):
            Given(np.ones((0, 3)))
        with pytest.raises(ValueError, match=r"points: expected finite numbers, got nan in row 1, column 2"):
            Given(np.where(np.arange(12).reshape(4, 3) == 5, np.nan, 1.0))

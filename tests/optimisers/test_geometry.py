"""Geometries: tangent directions of descent, retractions, transport, and what the metric of the sphere is for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools.optimisers import Euclidean, Geometry, Interval, Positive, Sphere
from tests.strict import DEVICES, assert_same_on, to_strict

SHAPE = (4, 2, 2, 3)
D = 12


def spread(seed: int, decades: float = 4.0, d: int = D) -> np.ndarray:
    """A positive definite matrix with eigenvalues from 1 down to 10^-decades."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    return basis * np.logspace(0, -decades, d) @ basis.T


GEOMETRIES: dict[str, Geometry] = {
    "Euclidean": Euclidean(),
    "Sphere": Sphere(),
    "Sphere with a metric": Sphere(spread(0)),
    "Positive": Positive(),
    "Interval": Interval(-2.0, 3.0),
}
every_geometry = pytest.mark.parametrize("name", list(GEOMETRIES))
SEEDS = st.integers(0, 10_000)


def units(rng: np.random.Generator, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    rows = rng.standard_normal((shape[0], int(np.prod(shape[1:]))))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).reshape(shape)


def point_of(name: str, rng: np.random.Generator) -> np.ndarray:
    return np.exp(rng.standard_normal(SHAPE)) if name == "Positive" else units(rng)


def is_on(name: str, point: np.ndarray) -> bool:
    if name.startswith("Sphere"):
        return bool(np.allclose(np.linalg.norm(point.reshape(len(point), -1), axis=1), 1, rtol=0, atol=1e-14))
    return bool((point > 0).all()) if name == "Positive" else True


@every_geometry
@given(seed=SEEDS)
def test_steps_stay_in_the_set_and_are_those_wanted(name: str, seed: int) -> None:
    rng, geometry = np.random.default_rng(seed), GEOMETRIES[name]
    point = point_of(name, rng)
    direction = geometry.tangent(point, rng.standard_normal(SHAPE))
    assert isinstance(geometry, Geometry)
    assert is_on(name, geometry.retract(point, -0.3 * direction))
    np.testing.assert_allclose(geometry.retract(point, 0 * direction), point, rtol=1e-15)
    step = 1e-6 * direction / np.abs(direction).max()
    wanted = step * point if name == "Positive" else step
    np.testing.assert_allclose(geometry.retract(point, step) - point, wanted, atol=1e-11 * np.abs(point).max())


@every_geometry
@given(seed=SEEDS)
def test_minus_the_direction_goes_down(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    point, gradient = point_of(name, rng), rng.standard_normal(SHAPE)
    rows = (gradient * GEOMETRIES[name].tangent(point, gradient)).reshape(SHAPE[0], -1).sum(axis=1)
    assert (rows > 0).all()


@every_geometry
@given(seed=SEEDS)
def test_transport_is_a_projection(name: str, seed: int) -> None:
    rng, geometry = np.random.default_rng(seed), GEOMETRIES[name]
    point, vector = point_of(name, rng), rng.standard_normal(SHAPE)
    once = geometry.transport(point, vector)
    np.testing.assert_allclose(geometry.transport(point, once), once, atol=1e-12)
    direction = geometry.tangent(point, vector)
    np.testing.assert_allclose(geometry.transport(point, direction), direction, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["Sphere", "Sphere with a metric"])
@given(seed=SEEDS)
def test_tangent_to_the_sphere(name: str, seed: int) -> None:
    rng, geometry = np.random.default_rng(seed), GEOMETRIES[name]
    point, vector = units(rng), rng.standard_normal(SHAPE)
    for direction in (geometry.tangent(point, vector), geometry.transport(point, vector)):
        assert np.abs((point * direction).reshape(4, -1).sum(axis=1)).max() < 1e-12
    assert np.abs(geometry.tangent(point, 2.5 * point)).max() < 1e-12


@given(seed=SEEDS)
def test_steepest_of_all_tangent_directions(seed: int) -> None:
    # Mairal 2016: the greatest ascent among the directions v with z'v = 0 and v' Q^-1 v = 1.
    rng = np.random.default_rng(seed)
    q = spread(seed, decades=2)
    z, g = units(rng, (1, D)), rng.standard_normal((1, D))
    v = Sphere(q).tangent(z, g)[0]
    ascent = g[0] @ v / np.sqrt(v @ np.linalg.solve(q, v))
    others = rng.standard_normal((200, D))
    others = others - (others @ z[0])[:, None] * z
    lengths = np.sqrt(np.einsum("id,id->i", others, np.linalg.solve(q, others.T).T))
    assert (others @ g[0] / lengths).max() <= ascent * (1 + 1e-9)


@given(seed=SEEDS)
def test_the_formula_as_it_stands_in_the_paper(seed: int) -> None:
    rng, q = np.random.default_rng(seed), spread(seed)
    z, g = units(rng), rng.standard_normal(SHAPE)
    got = Sphere(q).tangent(z, g).reshape(4, D)
    for row, column, gradient in zip(got, z.reshape(4, D), g.reshape(4, D), strict=True):
        wanted = (np.eye(D) - np.outer(q @ column, column) / (column @ q @ column)) @ q @ gradient
        np.testing.assert_allclose(row, wanted, atol=1e-12)


def descend(geometry: Geometry, covariance: np.ndarray, rate: float, seed: int, steps: int = 60) -> float:
    """How far from a after some steps on (z - a)' C (z - a) / 2, from within a right angle."""
    rng = np.random.default_rng(seed)
    a, z = units(rng, (1, D)), units(rng, (1, D))
    z = z * np.sign(np.sum(a * z))
    for _ in range(steps):
        z = geometry.retract(z, -rate * geometry.tangent(z, (z - a) @ covariance))
    return float(np.abs(z - a).max())


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("seed", range(5))
def test_one_step_size_serves_all_scales(scale: float, seed: int) -> None:
    covariance = scale * spread(seed, decades=3)
    assert descend(Sphere(np.linalg.inv(covariance)), covariance, 0.5, seed) < 1e-6
    # Without the metric even the greatest step size that is safe for this very problem gets nowhere.
    assert descend(Sphere(), covariance, 1 / np.linalg.eigvalsh(covariance)[-1], seed) > 1e-2


@given(seed=SEEDS, scale=st.floats(-3, 3))
def test_positive_is_descent_on_the_logarithm(seed: int, scale: float) -> None:
    rng, geometry = np.random.default_rng(seed), Positive()
    point, gradient = np.exp(rng.standard_normal(5)), rng.standard_normal(5)
    moved = geometry.retract(point, -0.1 * geometry.tangent(point, gradient))
    np.testing.assert_allclose(np.log(moved), np.log(point) - 0.1 * gradient * point)
    # Other units of the parameter, the same path.
    unit = 10**scale
    again = geometry.retract(point * unit, -0.1 * geometry.tangent(point * unit, gradient / unit))
    np.testing.assert_allclose(again, moved * unit)


def test_intervals_end() -> None:
    geometry, point = Interval(0.0, 0.99), np.array([0.0, 0.0, 0.99, 0.99, 0.5])
    gradient = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
    # Downhill from 0 is out for the first, and from 0.99 for the fourth.
    assert geometry.tangent(point, gradient).tolist() == [0.0, -1.0, 1.0, 0.0, 1.0]
    steps = np.array([-1.0, 0.1, 1.0, -2.0, 0.25])
    np.testing.assert_allclose(geometry.retract(point, steps), [0.0, 0.1, 0.99, 0.0, 0.75])
    with pytest.raises(ValueError, match=r"low, high: expected low < high, got 1.0 and 0.0"):
        Interval(1.0, 0.0)


def test_squares() -> None:
    point, vector = np.array([[2.0, 4.0]]), np.array([[3.0, 4.0]])
    assert Euclidean().square(point, vector).tolist() == [[9, 16]]
    assert Sphere().square(point, vector).tolist() == [[25]]
    assert Positive().square(point, vector).tolist() == [[9, 16]]
    assert Interval().square(point, vector).tolist() == [[9, 16]]


@every_geometry
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(name: str, device: Any) -> None:
    rng, geometry = np.random.default_rng(0), GEOMETRIES[name]
    point, vector = point_of(name, rng), rng.standard_normal(SHAPE)
    strict = Sphere(to_strict(geometry.metric, device)) if name == "Sphere with a metric" else geometry
    for method in ("tangent", "retract", "transport", "square"):
        got = getattr(strict, method)(to_strict(point, device), to_strict(vector, device))
        assert_same_on(device, got, getattr(geometry, method)(point, vector))


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"metric: expected shape \(3, 3\) for rows of 3 entries, got \(2, 2\)"):
        Sphere(np.eye(2)).tangent(np.ones((1, 3)), np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"at least 2 axes, got shape \(3,\)"):
        Sphere().tangent(np.ones(3), np.ones(3))

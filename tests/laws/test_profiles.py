"""What every profile κ obeys."""

from typing import Any

import numpy as np
import pytest

from kerneltools.kernels.profiles import ArcCosine, Exponential, Power, Profile
from tests.laws.members import PROFILES
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

COSINES = np.linspace(-1, 1, 401)

every = pytest.mark.parametrize("profile", PROFILES, ids=str)


@every
def test_one_at_one(profile: Profile) -> None:
    assert profile(np.array([1.0]))[0] == pytest.approx(1, abs=1e-15)


@every
def test_range(profile: Profile) -> None:
    # |κ(u)| <= κ(|u|) <= 1: the coefficients of the power series are not negative and sum to 1.
    values = profile(COSINES)
    assert np.all(np.abs(values) <= profile(np.abs(COSINES)) + 1e-15)
    assert np.all(np.abs(values) <= 1 + 1e-15)


@every
def test_grows_and_is_convex_from_zero_on(profile: Profile) -> None:
    values = profile(np.linspace(0, 1, 201))
    assert np.all(np.diff(values) >= 0)
    assert np.all(np.diff(values, 2) >= -1e-14)


@every
def test_any_shape_entry_by_entry(profile: Profile) -> None:
    cosines = COSINES[:400].reshape(4, 5, 20)
    assert np.array_equal(profile(cosines).reshape(-1), profile(COSINES[:400]))


@every
def test_a_cosine_beyond_one_by_rounding(profile: Profile) -> None:
    beyond = np.array([-1 - 2e-16, 1 + 2e-16])
    assert_close(profile(beyond), profile(np.array([-1.0, 1.0])), 1e-14)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(profile: Profile, device: Any) -> None:
    assert_same_on(device, profile(to_strict(COSINES, device)), profile(COSINES))


@every
def test_float32(profile: Profile) -> None:
    values = profile(COSINES.astype(np.float32))
    assert values.dtype == np.float32
    assert_close(values.astype(float), profile(COSINES), 1e-3 if profile == ArcCosine(0) else 1e-5)


def test_exponential_is_the_gaussian_on_the_sphere() -> None:
    x, y = np.array([0.6, 0.8]), np.array([1.0, 0.0])
    gaussian = np.exp(-np.sum((x - y) ** 2) / (2 * 0.7**2))
    assert Exponential(0.7)(np.array([x @ y]))[0] == pytest.approx(gaussian, rel=1e-14)


@pytest.mark.parametrize(("order", "at_zero"), [(0, 1 / 2), (1, 1 / np.pi), (2, 1 / 6)])
def test_arc_cosine_is_the_limit_of_random_units(order: int, at_zero: float) -> None:
    # 2 E[(w·x)₊^order (w·y)₊^order] of normal w, scaled to 1 at x = y; over angles of w in the plane of x and y.
    assert ArcCosine(order)(np.array([0.0]))[0] == pytest.approx(at_zero, abs=1e-15)
    angles = (np.arange(200_000) + 0.5) * (2 * np.pi / 200_000)
    for theta in (0.3, 1.2, 2.5):
        units = [np.where(np.cos(angles - t) > 0, np.cos(angles - t), 0) for t in (0.0, theta)]
        powers = [(u > 0) * u**order for u in units]
        expected = np.mean(powers[0] * powers[1]) / np.mean(powers[0] ** 2)
        assert ArcCosine(order)(np.array([np.cos(theta)]))[0] == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf")])
def test_exponential_refuses_a_width_out_of_range(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma: expected a finite number > 0, got"):
        Exponential(sigma)


@pytest.mark.parametrize("degree", [0, -1, 1.5])
def test_power_refuses_a_degree_out_of_range(degree: Any) -> None:
    with pytest.raises(ValueError, match="degree: expected an integer >= 1, got"):
        Power(degree)


def test_arc_cosine_refuses_an_order_out_of_range() -> None:
    with pytest.raises(ValueError, match="order: expected 0, 1 or 2, got 3"):
        ArcCosine(3)

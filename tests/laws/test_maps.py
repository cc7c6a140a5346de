"""What every map φ obeys, for every kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools.kernels import Gaussian, Kernel
from kerneltools.maps import nystrom
from tests.laws.members import KERNELS, MAPS, rows
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

every_map = pytest.mark.parametrize("make", [make for make, _ in MAPS.values()], ids=list(MAPS))
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=str)
Make = Callable[[Kernel, Any], Any]


NOISE = 1e-9
"""Rounding, amplified by the landmarks' matrix: absolute, for the numbers below are of the order of 1 to 100."""


@pytest.mark.parametrize(("make", "within"), MAPS.values(), ids=list(MAPS))
@every_kernel
def test_exact_at_the_landmarks(kernel: Kernel, make: Make, within: float) -> None:
    # Not more landmarks than the rank of any kernel here: that of the linear one is the 3 of the space.
    points = rows(3, 3, seed=0)
    phi, exact = make(kernel, points), kernel(points, points)
    assert_close(phi(points) @ phi(points).T, exact, within)
    assert np.abs(phi.residual(points)).max() <= within * exact.max()


@every_map
@every_kernel
@settings(max_examples=5)
@given(seed=st.integers(0, 1000), m=st.integers(1, 8))
def test_the_residual_is_a_certificate(kernel: Kernel, make: Make, seed: int, m: int) -> None:
    x, points = rows(6, 3, seed), rows(m, 3, seed + 1)
    phi = make(kernel, points)
    residual, missed = phi.residual(x), kernel(x, x) - phi(x) @ phi(x).T
    np.testing.assert_allclose(np.diag(missed), residual, rtol=0, atol=NOISE)
    assert residual.min() >= -NOISE
    assert np.linalg.eigvalsh((missed + missed.T) / 2).min() >= -NOISE
    assert np.all(np.abs(missed) <= np.sqrt(np.outer(residual, residual).clip(0)) + NOISE)


@every_map
@every_kernel
def test_the_residual_decreases_with_more_landmarks(kernel: Kernel, make: Make) -> None:
    x, points = rows(8, 3, seed=0), rows(10, 3, seed=1)
    residuals = np.stack([make(kernel, points[:m]).residual(x) for m in range(1, 11)])
    assert np.all(np.diff(residuals, axis=0) <= NOISE)
    assert np.all(residuals[-1] < residuals[0] - NOISE)


@every_map
@every_kernel
def test_rows_are_independent(kernel: Kernel, make: Make) -> None:
    x = rows(6, 3, seed=0, zero_rows=1)
    phi = make(kernel, rows(3, 3, seed=1))
    assert_close(np.concatenate([phi(x[i : i + 1]) for i in range(6)]), phi(x), 1e-12)


@every_map
@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (1, 2, 3)], ids=str)
def test_leading_axes_are_kept(make: Make, batch: tuple[int, ...]) -> None:
    phi = make(Gaussian(1.0), rows(4, 3, seed=0))
    flat = rows(int(np.prod(batch, dtype=int)), 3, seed=1)
    x = flat.reshape(*batch, 3)
    assert_close(phi(x), phi(flat).reshape(*batch, 4), 1e-14)
    assert phi.residual(x).shape == batch


@every_map
@every_kernel
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(kernel: Kernel, make: Make, device: Any) -> None:
    points, x = rows(3, 3, seed=0), rows(6, 3, seed=1, zero_rows=1)
    phi, strict = make(kernel, points), make(kernel, to_strict(points, device))
    assert_same_on(device, strict(to_strict(x, device)), phi(x))


@every_map
@every_kernel
def test_float32(kernel: Kernel, make: Make) -> None:
    points, x = rows(3, 3, seed=0), rows(6, 3, seed=1, zero_rows=1)
    phi = make(kernel, points.astype(np.float32))
    narrow = phi(x.astype(np.float32))
    assert narrow.dtype == phi.residual(x.astype(np.float32)).dtype == np.float32
    wide = make(kernel, points)(x)
    assert_close((narrow @ narrow.T).astype(float), wide @ wide.T, 1e-3)


@pytest.mark.parametrize("kernel", [Gaussian(1.0), 2.0 * Gaussian(0.5)], ids=str)
def test_coinciding_landmarks_are_no_harm(kernel: Kernel) -> None:
    points = rows(3, 3, seed=0)
    twice = np.concatenate([points, points])
    x = rows(6, 3, seed=1)
    for make, within in MAPS.values():
        phi, other = make(kernel, twice)(x), make(kernel, points)(x)
        assert np.all(np.isfinite(phi))
        assert_close(phi @ phi.T, other @ other.T, within)


@every_map
@every_kernel
def test_a_landmark_of_zeros_is_finite(kernel: Kernel, make: Make) -> None:
    x = rows(6, 3, seed=1, zero_rows=1)
    phi = make(kernel, np.zeros((1, 3)))
    assert np.all(np.isfinite(phi(x)))
    assert np.all(phi.residual(x) >= -NOISE)


def test_regularised_is_symmetric_and_shrinks() -> None:
    points, x = rows(4, 3, seed=0), rows(6, 3, seed=1)
    phi = nystrom(Gaussian(1.0), points, reg=0.1)
    assert_close(phi.whitening, phi.whitening.T, 1e-14)
    assert np.all(phi.residual(x) >= nystrom(Gaussian(1.0), points).residual(x))


def test_errors() -> None:
    points = rows(4, 3, seed=0)
    with pytest.raises(ValueError, match=r"points: expected \(m, d\), got shape \(3,\)"):
        nystrom(Gaussian(1.0), np.ones(3))
    with pytest.raises(ValueError, match=r"points: expected at least one landmark, got shape \(0, 3\)"):
        nystrom(Gaussian(1.0), points[:0])
    with pytest.raises(TypeError, match="points: expected a real floating-point array, got int64"):
        nystrom(Gaussian(1.0), np.ones((4, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="reg: expected a number > 0, got 0"):
        nystrom(Gaussian(1.0), points, reg=0)
    with pytest.raises(ValueError, match=r"x: expected \(\.\.\., 3\) for landmarks of shape \(4, 3\), got \(5, 2\)"):
        nystrom(Gaussian(1.0), points)(np.ones((5, 2)))

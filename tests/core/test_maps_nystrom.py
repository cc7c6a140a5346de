"""The Nyström map: errors, rank, float32, kernels without features."""

from typing import Any

import numpy as np
import pytest

from kerneltools import kernels
from kerneltools.kernels import Gaussian
from kerneltools.linalg import PANEL, upper_product
from kerneltools.maps import nystrom
from tests.laws.members import rows
from tests.strict import assert_close


@pytest.mark.parametrize("smoothness", [1, 10, 100])
@pytest.mark.parametrize("kernel", [Gaussian, kernels.RationalQuadratic, lambda b: kernels.Matern(2.5, b)])
def test_what_is_missed_is_semi_definite_in_float32(kernel: Any, smoothness: float) -> None:
    x = rows(500, 10, seed=0).astype(np.float32)
    k = kernel(float(smoothness * np.sqrt(20.0)))
    phi = nystrom(k, x[:300])(x)
    assert phi.dtype == np.float32
    wide, features = x.astype(float), phi.astype(float)
    assert np.linalg.eigvalsh(k(wide, wide) - features @ features.T).min() >= -1e-4


def test_errors_are_sums_of_residuals() -> None:
    x = rows(50, 3, seed=0)
    phi = nystrom(Gaussian(1.0), x[:9])
    exact, features = Gaussian(1.0)(x, x), phi(x)
    missed = np.trace(exact - features @ features.T)
    for block in (None, 7, 50):
        assert abs(phi.trace_error(x, block) - missed) <= 1e-12 * missed
        assert abs(phi.relative_error(x, block) - missed / 50) <= 1e-12
    assert abs(phi.relative_error(x.reshape(2, 25, 3)) - missed / 50) <= 1e-12
    assert np.linalg.norm(exact - features @ features.T) <= phi.trace_error(x)


def test_rank() -> None:
    x = rows(40, 3, seed=0)
    assert nystrom(kernels.Linear(), x).rank == 3
    assert nystrom(kernels.Polynomial(2), x).rank == 6
    assert nystrom(Gaussian(0.1), x).rank == 40
    assert nystrom(Gaussian(0.1), np.concatenate([x, x])).rank == 40
    smooth = Gaussian(20.0)
    assert nystrom(smooth, x.astype(np.float32)).rank < nystrom(smooth, x).rank < 40


def test_blocks_make_no_difference() -> None:
    x, points = rows(20_000, 3, seed=0), rows(70, 3, seed=1)
    phi = nystrom(Gaussian(1.0), points)
    whole = Gaussian(1.0)(x, points) @ phi.whitening
    assert_close(phi(x), whole, 1e-11)


@pytest.mark.parametrize("m", [1, PANEL - 1, PANEL, PANEL + 1, 2 * PANEL + 3])
def test_upper_product(m: int) -> None:
    x, factor = rows(5, m, seed=0), np.triu(rows(m, m, seed=1))
    assert_close(upper_product(x, factor), x @ factor, 1e-13)


@pytest.mark.parametrize("reg", [None, 1e-8])
def test_more_landmarks_than_rows_and_identical_ones(reg: float | None) -> None:
    x = np.repeat(rows(3, 2, seed=0), 20, axis=0)
    phi = nystrom(Gaussian(1.0), x, reg)
    assert phi.rank == 3
    assert phi.relative_error(x[:5]) <= 1e-7
    constant = np.ones((10, 2), dtype=np.float32)
    assert_close(
        np.sum(nystrom(Gaussian(1.0), constant, reg)(constant[:1]) ** 2, axis=1),
        np.ones(1),
        1e-5 if reg is None else 1e-2,
    )


@pytest.mark.parametrize("reg", [None, 1e-3])
@pytest.mark.parametrize("kernel", [kernels.Sigmoid(0.3), 2.0 * kernels.Sigmoid(1.0) + Gaussian(1.0)], ids=str)
def test_an_indefinite_kernel_is_refused(kernel: Any, reg: float | None) -> None:
    with pytest.raises(ValueError, match=r"Sigmoid.* is indefinite: .* take a positive definite kernel"):
        nystrom(kernel, rows(5, 2, seed=0), reg)


@pytest.mark.parametrize("reg", [None, 1e-3])
def test_a_matrix_with_negative_eigenvalues_is_refused(reg: float | None) -> None:
    matrix = np.asarray([[1.0, 2.0], [2.0, 1.0]])
    with (
        pytest.raises(
            ValueError,
            match=r"(?s)k\(Z, Z\) of \d landmarks has no Cholesky factor: its least eigenvalue is -.*Precomputed",
        ),
        np.errstate(invalid="ignore"),
    ):
        nystrom(kernels.Precomputed(matrix), np.asarray([[0.0], [1.0]]), reg)


def test_wrong_input() -> None:
    points = np.random.default_rng(0).standard_normal((4, 2))
    for reg in (np.inf, np.nan, -1.0, "a"):
        with pytest.raises(TypeError if reg == "a" else ValueError, match="reg: expected a number > 0, got"):
            nystrom(Gaussian(1.0), points, reg=reg)
    with pytest.raises(TypeError, match=r"points: expected an array \(m, d\), got list"):
        nystrom(Gaussian(1.0), points.tolist())
    with pytest.raises(ValueError, match=r"x: expected at least one row, got shape \(0, 2\)"):
        nystrom(Gaussian(1.0), points).relative_error(points[:0])
    assert nystrom(Gaussian(1.0), points).trace_error(points[:0]) == 0


def test_values_that_are_not_finite_are_named() -> None:
    with pytest.raises(ValueError, match=r"points: expected finite numbers, got nan in row 0, column 0"):
        nystrom(Gaussian(1.0), np.asarray([[np.nan, 1.0], [0.0, 1.0]]))
    far = np.asarray([[1.0, 1.0], [1e25, 1.0], [0.0, 1.0]], dtype=np.float32)
    for kernel in (kernels.Polynomial(2), kernels.Linear(), kernels.ArcCosine(2), Gaussian(1.0) * kernels.Linear()):
        for reg in (None, 1e-2):
            with pytest.raises(ValueError, match=r"kernel: k\(z, z\) = .*e\+.* of landmark 1 is beyond float32"):
                nystrom(kernel, far, reg=reg)
            here = nystrom(kernel, far[::2], reg=reg)
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(here(far)[::2], here(far[::2]))
    with pytest.raises(ValueError, match="values that are not finite at the landmarks; check its range"):
        nystrom(kernels.Function(lambda x, y: x @ y.T * np.inf), np.asarray([[2.0, 1.0], [3.0, 1.0]]))

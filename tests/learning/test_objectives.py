"""Errors on rows not seen, against the ridge path and against fits without the row."""

import numpy as np
import pytest

from kerneltools.kernels import Gaussian
from kerneltools.learning import GeneralisedCrossValidation, HoldOut, LeaveOneOut, Objective
from kerneltools.maps import nystrom
from kerneltools.solvers import ridge, ridge_path

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 3)), RNG.standard_normal((30, 2))
PHI = nystrom(Gaussian(1.5), X[:8], reg=1e-6)
REG = 0.03


def test_leave_one_out_is_that_of_the_path() -> None:
    predicted = ridge_path(PHI(X), Y).leave_one_out([REG])[0]
    assert float(LeaveOneOut()(PHI, X, Y, REG)) == pytest.approx(np.mean((predicted - Y) ** 2), rel=1e-10)


def test_leave_one_out_is_that_of_fits_without_the_row() -> None:
    missed = []
    for i in range(len(X)):
        kept = np.arange(len(X)) != i
        # The fits know one row less, and λ is relative to the number of rows.
        model = ridge(PHI(X[kept]), Y[kept], REG * len(X) / (len(X) - 1))
        missed.append(model(PHI(X[[i]]))[0] - Y[i])
    assert float(LeaveOneOut()(PHI, X, Y, REG)) == pytest.approx(np.mean(np.square(missed)), rel=1e-9)


def test_generalised_cross_validation_is_that_of_the_path() -> None:
    wanted = np.mean(ridge_path(PHI(X), Y).generalised_cross_validation([REG]))
    assert float(GeneralisedCrossValidation()(PHI, X, Y, REG)) == pytest.approx(wanted, rel=1e-10)


def test_hold_out_is_the_error_of_ridge() -> None:
    wanted = np.mean((ridge(PHI(X[:20]), Y[:20], REG)(PHI(X[20:])) - Y[20:]) ** 2)
    assert float(HoldOut(X[20:], Y[20:])(PHI, X[:20], Y[:20], REG)) == pytest.approx(wanted, rel=1e-10)


def test_hold_out_of_other_columns() -> None:
    with pytest.raises(ValueError, match=r"HoldOut: expected x \(v, 3\) and y \(v, 2\) .*got \(30, 3\) and \(30, 1\)"):
        HoldOut(X, Y[:, :1])(PHI, X, Y, REG)
    with pytest.raises(ValueError, match=r"x, y: expected as many rows in both, .*got 30 and 29"):
        HoldOut(X, Y[1:])


@pytest.mark.parametrize(
    "judge", [LeaveOneOut(), GeneralisedCrossValidation(), HoldOut(X, Y)], ids=lambda o: str(o)[:7]
)
def test_nan_is_named(judge: Objective) -> None:
    wrong = np.where(np.arange(30)[:, None] == 4, np.nan, X)
    with pytest.raises(ValueError, match="x: expected finite numbers, got nan in row 4, column 0"):
        judge(PHI, wrong, Y, REG)
    with pytest.raises(ValueError, match="y: expected finite numbers, got nan in row 4, column 0"):
        judge(PHI, X, wrong[:, :2], REG)
    with pytest.raises(ValueError, match="x: expected finite numbers, got nan in row 4, column 0"):
        HoldOut(wrong, Y)

"""A bandwidth from the data: in their unit, and not that of one row."""

import numpy as np
import pytest

from kerneltools.kernels import Gaussian
from tests.agreement.libraries import JAX, STRICT, TORCH, Library
from tests.agreement.libraries import parameters as libraries

X = np.random.default_rng(0).standard_normal((203, 3))
DISTANCES = np.linalg.norm(X[:, None] - X[None], axis=2)
MEDIAN = float(np.median(DISTANCES[np.triu_indices(203, 1)]))


def test_the_median_of_all_pairs() -> None:
    assert Gaussian.of_median(X).bandwidth == pytest.approx(MEDIAN, rel=1e-12)
    assert Gaussian.of_median(X, 4.0).bandwidth == pytest.approx(4 * MEDIAN, rel=1e-12)


@pytest.mark.parametrize("library", libraries((TORCH, JAX, STRICT)))
def test_of_any_library(library: Library) -> None:
    found = Gaussian.of_median(library.array(X.astype(np.float32))).bandwidth
    assert type(found) is float
    assert found == pytest.approx(MEDIAN, rel=1e-5)


def test_rows_and_columns_that_do_not_matter() -> None:
    assert Gaussian.of_median(1000 * X).bandwidth == pytest.approx(1000 * MEDIAN, rel=1e-12)
    assert Gaussian.of_median(np.c_[X, np.full(203, 1e3)]).bandwidth == pytest.approx(MEDIAN, rel=1e-12)
    assert Gaussian.of_median(np.r_[X, np.full((1, 3), -999.0)]).bandwidth == pytest.approx(MEDIAN, rel=0.02)
    twice_constant = np.r_[np.zeros((300, 3)), np.ones((5, 3))]
    assert Gaussian.of_median(twice_constant).bandwidth == pytest.approx(3**0.5)


def test_of_many_rows_all_parts_count() -> None:
    halves = np.r_[np.zeros((5000, 1)), np.full((5000, 1), 7.0)]
    assert Gaussian.of_median(halves).bandwidth == 7.0


def test_narrow_types_and_gradients() -> None:
    import torch

    wide = 300 * X
    assert Gaussian.of_median(wide.astype(np.float16)).bandwidth == pytest.approx(300 * MEDIAN, rel=1e-2)
    rows = torch.asarray(X).requires_grad_(True)
    assert Gaussian.of_median(rows).bandwidth == pytest.approx(MEDIAN, rel=1e-12)


def test_what_has_no_median() -> None:
    broken = X.copy()
    broken[0, 1] = np.nan
    for rows, message in (
        (np.ones((5, 2)), "x: expected rows that differ, got 5"),
        (X[:1], "x: expected rows that differ, got 1"),
        (X[:0], "x: expected rows that differ, got 0"),
        (broken, "x: expected finite numbers, got nan in row 0, column 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Gaussian.of_median(rows)
    with pytest.raises(ValueError, match="multiple: expected a finite number > 0"):
        Gaussian.of_median(X, 0.0)

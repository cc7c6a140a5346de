"""Cosines from a table, beside those of the library: angles of all sizes, and numbers that have no cosine."""

import numpy as np
import pytest

from kerneltools import primitives

rng = np.random.default_rng(0)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-9, 1.0, 100.0, 600.0, 5e3, 1e9, 1e300])
def test_exact_to_rounding(size: float) -> None:
    x = size * rng.uniform(-1, 1, (100, 30))
    found = primitives.cosine_features(x, np.eye(30), 1.0, 1.0)
    assert np.abs(found - np.concatenate([np.cos(x), np.sin(x)], axis=1)).max() <= 2.5e-16


def test_at_and_between_the_angles_of_the_table() -> None:
    x = np.arange(-9000, 9000).reshape(-1, 30) * (np.pi / 4096)
    found = primitives.cosine_features(x, np.eye(30), 1.0, 1.0)
    assert np.abs(found - np.concatenate([np.cos(x), np.sin(x)], axis=1)).max() <= 2.5e-16


@pytest.mark.filterwarnings("ignore:invalid value")  # NumPy's, of infinity
def test_what_has_no_cosine_is_nan() -> None:
    x = np.asarray([[np.nan], [np.inf], [1.0]])
    found = primitives.cosine_features(x, np.ones((1, 1)), 1.0, 1.0)
    assert np.isnan(found).tolist() == [[True, True], [True, True], [False, False]]

"""The Hilbert-Schmidt criterion: against traces, of the right level, and it sees dependence without correlation."""

import numpy as np
import pytest
from scipy.stats import binom

from kerneltools.kernels import Gaussian, Laplacian
from kerneltools.learning import hsic, independence_test
from kerneltools.maps import nystrom

RNG = np.random.default_rng(0)
PHI = nystrom(Gaussian(1.0), np.linspace(-2, 2, 6)[:, None], reg=1e-6)
PSI = nystrom(Laplacian(1.0), RNG.standard_normal((5, 2)), reg=1e-6)


def test_it_is_the_trace() -> None:
    x, y = RNG.standard_normal((20, 1)), RNG.standard_normal((20, 2))
    centring = np.eye(20) - 1 / 20
    k, g = PHI(x) @ PHI(x).T, PSI(y) @ PSI(y).T
    wanted = np.trace(k @ centring @ g @ centring) / 20**2
    assert float(hsic(PHI, PSI, x, y, block=6)) == pytest.approx(wanted, rel=1e-10)
    assert independence_test(PHI, PSI, x, y, 0, permutations=1).statistic == pytest.approx(wanted, rel=1e-10)


def test_the_statistics_of_permutations_are_those_of_permuted_pairs() -> None:
    x, y = RNG.standard_normal((3, 1)), RNG.standard_normal((3, 2))
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    wanted = sorted(float(hsic(PHI, PSI, x, y[order])) for order in orders)
    null = independence_test(PHI, PSI, x, y, 0, permutations=200).null
    assert np.allclose(sorted(set(null.round(13).tolist())), wanted, atol=1e-12)


def test_the_level() -> None:
    rng, trials = np.random.default_rng(1), 500
    rejected = 0
    for _ in range(trials):
        x, y = rng.standard_normal((12, 1)), rng.standard_normal((12, 2))
        rejected += independence_test(PHI, PSI, x, y, rng, permutations=19).p_value <= 0.1
    low, high = binom.interval(1 - 1e-5, trials, 0.1)
    assert low <= rejected <= high


def test_it_sees_dependence_without_correlation() -> None:
    rng = np.random.default_rng(2)
    angle = 2 * np.pi * rng.random((150, 1))
    x, y = 2 * np.cos(angle) + 0.1 * rng.standard_normal((150, 1)), 2 * np.sin(angle)
    assert independence_test(PHI, PHI, x, y, 0, permutations=99).p_value == 0.01
    assert independence_test(lambda a: a, lambda a: a, x, y, 0, permutations=99).p_value > 0.05


def test_wrong_input() -> None:
    x, y = RNG.standard_normal((5, 1)), RNG.standard_normal((5, 2))
    with pytest.raises(ValueError, match="x, y: expected as many rows in both, got 5 and 4"):
        hsic(PHI, PSI, x, y[:4])
    with pytest.raises(ValueError, match=r"x: expected at least 2 rows, got shape \(1, 1\)"):
        hsic(PHI, PSI, x[:1], y[:1])
    with pytest.raises(ValueError, match="permutations: expected an integer >= 1, got -1"):
        independence_test(PHI, PSI, x, y, 0, permutations=-1)

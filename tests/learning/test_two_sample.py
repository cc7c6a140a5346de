"""The maximum mean discrepancy: against double sums, without bias, of the right level, and it sees a shift."""

import numpy as np
import pytest
from scipy.stats import binom

from kerneltools.kernels import Gaussian
from kerneltools.learning import mmd, two_sample_test
from kerneltools.maps import nystrom

RNG = np.random.default_rng(0)
PHI = nystrom(Gaussian(1.0), RNG.standard_normal((10, 2)), reg=1e-6)


def by_pairs(x: np.ndarray, y: np.ndarray) -> float:
    """Means of φ(x)·φ(y) over pairs of different rows."""
    a, b = PHI(x), PHI(y)
    within = [np.mean((g @ g.T)[~np.eye(len(g), dtype=bool)]) for g in (a, b)]
    return float(sum(within) - 2 * np.mean(a @ b.T))


@pytest.mark.parametrize(("n", "p"), [(2, 2), (5, 9), (30, 12)])
def test_it_is_the_mean_over_pairs(n: int, p: int) -> None:
    x, y = RNG.standard_normal((n, 2)), 0.5 + RNG.standard_normal((p, 2))
    assert float(mmd(PHI, x, y, block=4)) == pytest.approx(by_pairs(x, y), abs=1e-12)
    assert two_sample_test(PHI, x, y, 0, permutations=1).statistic == pytest.approx(by_pairs(x, y), abs=1e-12)


def test_it_has_no_bias() -> None:
    shift, rng = np.asarray([0.5, 0.0]), np.random.default_rng(1)
    many = rng.standard_normal((200_000, 2))
    exact = float(np.sum((PHI(many).mean(axis=0) - PHI(many + shift).mean(axis=0)) ** 2))
    draws = [float(mmd(PHI, rng.standard_normal((6, 2)), shift + rng.standard_normal((6, 2)))) for _ in range(3000)]
    # Five standard errors; the estimate with bias is off by many more, E |φ - E φ|² / 3.
    assert abs(np.mean(draws) - exact) < 5 * np.std(draws) / np.sqrt(len(draws))
    assert np.mean(draws) > exact / 2


def test_the_statistics_of_permutations_are_those_of_permuted_samples() -> None:
    x, y = RNG.standard_normal((2, 2)), RNG.standard_normal((2, 2))
    both = np.concatenate([x, y])
    splits = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])]
    wanted = sorted(by_pairs(both[a], both[b]) for a, b in splits)
    null = two_sample_test(PHI, x, y, 0, permutations=100).null
    assert np.allclose(sorted(set(null.round(12).tolist())), wanted, atol=1e-11)


def test_equal_statistics_count_as_great() -> None:
    # All rows are equal, and so are all statistics.
    x = np.ones((5, 2))
    assert two_sample_test(PHI, x, x, 0, permutations=20).p_value == 1.0


def test_the_level() -> None:
    rng, trials = np.random.default_rng(2), 500
    rejected = 0
    for _ in range(trials):
        x, y = rng.standard_normal((12, 2)), rng.standard_normal((9, 2))
        rejected += two_sample_test(PHI, x, y, rng, permutations=19).p_value <= 0.1
    # With 19 permutations of continuous data the level is exactly 2 / 20.
    low, high = binom.interval(1 - 1e-5, trials, 0.1)
    assert low <= rejected <= high


def test_it_sees_a_shift() -> None:
    rng = np.random.default_rng(3)
    found = [
        two_sample_test(PHI, rng.standard_normal((100, 2)), 0.7 + rng.standard_normal((80, 2)), rng, permutations=99)
        for _ in range(10)
    ]
    assert max(test.p_value for test in found) == 0.01


def test_far_from_the_origin_in_float32() -> None:
    x = RNG.standard_normal((50, 2)).astype(np.float32) + np.float32(1000)
    y = x[:40] + np.float32(1)
    far = float(mmd(lambda rows: rows, x, y))
    assert far == pytest.approx(float(mmd(lambda rows: rows, x.astype(float) - 1000, y.astype(float) - 1000)), rel=1e-9)


def test_wrong_input() -> None:
    x = RNG.standard_normal((5, 2))
    with pytest.raises(ValueError, match=r"y: expected at least 2 rows, got shape \(1, 2\)"):
        mmd(PHI, x, x[:1])
    with pytest.raises(ValueError, match="permutations: expected an integer >= 1, got 0"):
        two_sample_test(PHI, x, x, 0, permutations=0)
    with pytest.raises(ValueError, match=r"y: expected finite numbers, got nan in row 0, column 0"):
        two_sample_test(PHI, x, x * np.nan, 0)
    with pytest.raises(TypeError, match="rng: expected an integer seed"):
        two_sample_test(PHI, x, x, None)  # type: ignore[arg-type]

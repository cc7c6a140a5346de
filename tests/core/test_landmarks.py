"""Rules that choose landmarks: their laws, against enumeration, and the slow algorithms they must equal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import permutations
from math import sqrt
from typing import Any

import numpy as np
import pytest
from sklearn import cluster
from sklearn.datasets import load_digits

from kerneltools import kernels, landmarks, trees
from kerneltools.backend import backend
from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian, Kernel, Linear, Polynomial, Precomputed, Sigmoid
from kerneltools.landmarks import (
    BLESS,
    CellMeans,
    Greedy,
    KMeans,
    KMeansPlusPlus,
    MiniBatchKMeans,
    ReducedWarning,
    RidgeLeverage,
    RPCholesky,
    Selector,
    SphericalKMeans,
    Uniform,
)
from kerneltools.landmarks.base import Seen, drawn_by_weight, seen
from kerneltools.landmarks.clusters import LOOSE, assigned, cloud
from kerneltools.landmarks.leverage import Dictionary, leverage_scores
from kerneltools.landmarks.rpcholesky import _next_size
from kerneltools.random import Rng
from tests.laws.members import KERNELS, rows

# Rows, kernel values and nothing else.
FROM_VALUES: dict[str, Callable[[int], Selector]] = {
    "RPCholesky": RPCholesky,
    "RPCholesky, simple": lambda m: RPCholesky(m, block=1),
    "Greedy": Greedy,
    "RidgeLeverage": RidgeLeverage,
    "BLESS": BLESS,
}
PIVOTED = ("RPCholesky", "RPCholesky, simple", "Greedy")
from_values = pytest.mark.parametrize("make", FROM_VALUES.values(), ids=list(FROM_VALUES))
pivoted = pytest.mark.parametrize("make", [FROM_VALUES[name] for name in PIVOTED], ids=PIVOTED)
Make = Callable[[int], Selector]


def indices(selector: Selector, kernel: Kernel, x: Any, rng: Rng) -> tuple[int, ...]:
    found = selector(kernel, x, rng).indices
    assert found is not None
    return found


def missed(gram: np.ndarray, picks: tuple[int, ...]) -> np.ndarray:
    """K - K_S (K_SS)^-1 K_S', the slow way."""
    chosen = list(picks)
    return gram - gram[:, chosen] @ np.linalg.solve(gram[np.ix_(chosen, chosen)], gram[chosen])


def trace_error(kernel: Kernel, points: np.ndarray, x: np.ndarray) -> float:
    factor = np.linalg.cholesky(kernel(points, points) + 1e-10 * np.eye(len(points)))
    return float(1 - np.sum(np.linalg.solve(factor, kernel(points, x)) ** 2) / np.sum(kernel.diag(x)))


# Laws of draws.


def chi_square(counts: dict[Any, int], law: dict[Any, float]) -> tuple[float, int]:
    """The statistic of counts against a law, and its degrees of freedom; outcomes expected < 5 times are pooled."""
    total = sum(counts.values())
    assert set(counts) <= set(law)
    assert sum(law.values()) == pytest.approx(1)
    assert all(law[outcome] > 0 for outcome in counts)
    pairs = [(counts.get(outcome, 0), total * p) for outcome, p in law.items() if p > 0]
    rare = [pair for pair in pairs if pair[1] < 5]
    cells = [pair for pair in pairs if pair[1] >= 5]
    if rare:
        cells.append((sum(c for c, _ in rare), sum(e for _, e in rare)))
    return sum((c - e) ** 2 / e for c, e in cells), len(cells) - 1


def quantile(degrees: int, z: float = 4.75) -> float:
    """What a chi-square variable exceeds as seldom as a normal one exceeds z: one time in a million.

    Wilson and Hilferty 1931: its cube root is nearly normal.
    """
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + z * sqrt(spread)) ** 3)


def frequencies(draw: Callable[[int], Any], times: int) -> dict[Any, int]:
    counts: dict[Any, int] = {}
    for seed in range(times):
        outcome = draw(seed)
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def law_of(n: int, m: int, weights: Callable[[tuple[int, ...]], np.ndarray]) -> dict[tuple[int, ...], float]:
    """The probability of each ordered choice when the next is drawn with weights that follow from those before."""
    law = {}
    for order in permutations(range(n), m):
        probability = 1.0
        for step, pick in enumerate(order):
            given = weights(order[:step])
            probability *= given[pick] / given.sum()
        law[order] = probability
    return law


class NoRejection(np.random.Generator):
    """All uniform numbers are 0: every proposal that can be is accepted."""

    def random(self, size: Any = None) -> Any:  # type: ignore[override]
        return np.zeros(size)


@dataclass(frozen=True)
class Table(Kernel):
    """Precomputed, without its checks: thousands of choices are made here."""

    gram: Any

    def __call__(self, x: Any, y: Any) -> Any:
        return self.gram[np.ix_(x[:, 0].astype(int), y[:, 0].astype(int))]

    def diag(self, x: Any) -> Any:
        return np.diag(self.gram)[x[:, 0].astype(int)]


class TestTheLawOfRPCholesky:
    # Rows 0 and 1 lie close together, and so do 2 and 3: most proposals of a second of them must be rejected.
    X = np.array([[0.0, 0.0], [0.3, 0.0], [1.5, 1.0], [1.6, 1.2], [-1.0, 0.8], [0.4, -1.5]])
    GRAM = (Gaussian(0.9) * Polynomial(degree=1, offset=1.0))(X, X)
    TIMES = 2000

    def draw(self, m: int, block: int | None, rng: Rng) -> tuple[int, ...]:
        return indices(RPCholesky(m, block), Table(self.GRAM), np.arange(6.0)[:, None], rng)

    def law(self, m: int, gram: np.ndarray = GRAM) -> dict[tuple[int, ...], float]:
        return law_of(6, m, lambda before: np.diag(missed(gram, before)).clip(0) if before else np.diag(gram))

    @pytest.mark.parametrize(("m", "block"), [(2, None), (3, None), (3, 1), (3, 2), (3, 4)])
    def test_is_that_of_one_row_at_a_time(self, m: int, block: int | None) -> None:
        statistic, degrees = chi_square(frequencies(lambda seed: self.draw(m, block, seed), self.TIMES), self.law(m))
        assert degrees >= 20
        assert statistic < quantile(degrees)

    WEIGHTS = np.array([1.0, 4.0, 0.5, 0.25, 2.0, 3.0])

    @pytest.mark.parametrize(("m", "block"), [(2, None), (3, None), (3, 1), (3, 3)])
    def test_with_weights_is_that_of_the_weighted_matrix(self, m: int, block: int | None) -> None:
        roots = np.sqrt(self.WEIGHTS)
        law = self.law(m, roots[:, None] * self.GRAM * roots)
        numbers = np.arange(6.0)[:, None]
        counts = frequencies(
            lambda seed: RPCholesky(m, block)(Table(self.GRAM), numbers, seed, weights=self.WEIGHTS).indices, self.TIMES
        )
        statistic, degrees = chi_square(counts, law)
        assert degrees >= 10
        assert statistic < quantile(degrees)

    def test_the_check_sees_weights(self) -> None:
        counts = frequencies(lambda seed: self.draw(2, None, seed), self.TIMES)
        weights = np.sqrt(self.WEIGHTS)
        statistic, degrees = chi_square(counts, self.law(2, weights[:, None] * self.GRAM * weights))
        assert statistic > 2 * quantile(degrees)

    def test_the_check_sees_blocks_without_rejection(self) -> None:
        counts = frequencies(lambda seed: self.draw(3, 4, NoRejection(np.random.PCG64(seed))), self.TIMES)
        statistic, degrees = chi_square(counts, self.law(3))
        assert statistic > 2 * quantile(degrees)

    def test_blocks_follow_the_share_of_accepted_proposals(self) -> None:
        assert _next_size(40, 40, 900) == 60
        assert _next_size(40, 18, 900) == 40
        assert _next_size(40, 2, 900) == 26
        assert _next_size(190, 190, 900) == 200
        assert _next_size(60, 60, 120) == 40
        assert _next_size(10, 1, 120) == 10


class TestTheLawOfKMeansPlusPlus:
    X = np.array([[0.0, 0.0], [0.2, 0.1], [2.0, 1.0], [-1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])

    def weights(self, before: tuple[int, ...]) -> np.ndarray:
        if not before:
            return np.ones(6)
        return ((self.X[:, None] - self.X[list(before)]) ** 2).sum(2).min(1)

    def test_with_one_trial(self) -> None:
        counts = frequencies(lambda seed: indices(KMeansPlusPlus(3, trials=1), Linear(), self.X, seed), 3000)
        statistic, degrees = chi_square(counts, law_of(6, 3, self.weights))
        assert statistic < quantile(degrees)

    def test_with_weights(self) -> None:
        weights = np.array([1.0, 4.0, 0.5, 0.0, 2.0, 3.0])
        rule = KMeansPlusPlus(3, trials=1)
        counts = frequencies(lambda seed: rule(Linear(), self.X, seed, weights=weights).indices, 3000)
        statistic, degrees = chi_square(counts, law_of(6, 3, lambda before: weights * self.weights(before)))
        assert statistic < quantile(degrees)

    def test_more_trials_take_the_best(self) -> None:
        def error(trials: int, seed: int) -> float:
            return float(self.weights(indices(KMeansPlusPlus(3, trials), Linear(), self.X, seed)).sum())

        one, many = (np.mean([error(trials, seed) for seed in range(100)]) for trials in (1, 20))
        assert many < 0.9 * one


def test_draws_by_weight() -> None:
    x, weights = rows(5, 2, seed=0), np.array([3.0, 0.0, 1.0, 0.5, 2.0])
    law = law_of(5, 2, lambda before: weights * ~np.isin(np.arange(5), before))
    counts = frequencies(lambda seed: tuple(drawn_by_weight(x, weights, 2, np.random.default_rng(seed))), 3000)
    statistic, degrees = chi_square(counts, law)
    assert statistic < quantile(degrees)
    weighted = frequencies(lambda seed: Uniform(2)(Linear(), x, seed, weights=weights).indices, 3000)
    statistic, degrees = chi_square(weighted, law)
    assert statistic < quantile(degrees)
    # Those of weight 0 come last.
    assert all(drawn_by_weight(x, weights, 5, np.random.default_rng(seed))[4] == 1 for seed in range(20))


# Values of the kernel, and how many.


@dataclass(frozen=True)
class Counting(Kernel):
    """A Gaussian kernel that notes the sizes of the matrices it is asked for."""

    sizes: list[tuple[int, int]] = trees.static()
    kernel: Kernel = field(default_factory=lambda: Gaussian(1.0))

    def __call__(self, x: Any, y: Any) -> Any:
        self.sizes.append((x.shape[0], y.shape[0]))
        return self.kernel(x, y)

    def diag(self, x: Any) -> Any:
        return self.kernel.diag(x)


class TestFromValuesOnly:
    @from_values
    def test_row_numbers_of_a_matrix_do(self, make: Make) -> None:
        x = rows(40, 3, seed=0)
        gram = Gaussian(1.0)(x, x)
        numbers = np.arange(40.0)[:, None]
        chosen = make(7)(Precomputed(gram), numbers, 3)
        assert chosen.indices == make(7)(Gaussian(1.0), x, 3).indices
        assert np.array_equal(chosen.points, numbers[list(chosen.indices or ())])

    @from_values
    def test_any_function_does(self, make: Make) -> None:
        x = rows(40, 3, seed=0)
        kernel = kernels.as_kernel(lambda a, b: np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / 2))
        assert indices(make(7), kernel, x, 3) == indices(make(7), Gaussian(1.0), x, 3)

    @from_values
    def test_a_function_gets_rows_in_their_own_type(self, make: Make) -> None:
        torch = backend("torch")
        weights = torch.asarray(rows(3, 5, seed=1).astype(np.float32))
        kernel = Gaussian(1.0) + kernels.as_kernel(lambda a, b: (a @ weights) @ (b @ weights).T)
        found = make(4)(kernel, torch.asarray(rows(30, 3, seed=0).astype(np.float32)), 0)
        assert str(found.points.dtype) == "torch.float32"

    @pivoted
    def test_no_more_than_a_factor_needs(self, make: Make) -> None:
        sizes: list[tuple[int, int]] = []
        assert len(indices(make(20), Counting(sizes), rows(700, 3, seed=0), 0)) == 20
        tall = [n for n, of in sizes if of == 700]
        assert sum(tall) == 20
        # The others are blocks of proposals.
        assert all(n == of <= 200 for n, of in sizes if of != 700)

    @pytest.mark.parametrize("rule", [RidgeLeverage, BLESS])
    def test_leverage_takes_blocks(self, rule: Any) -> None:
        sizes: list[tuple[int, int]] = []
        assert len(indices(rule(20, block=64), Counting(sizes), rows(700, 3, seed=0), 0)) == 20
        assert max(n for n, _ in sizes) < 80
        assert max(of for _, of in sizes) < 80


# Rank.


@pivoted
class TestRank:
    @pytest.mark.parametrize(
        ("kernel", "rank"), [(Linear(), 3), (Polynomial(degree=2), 6), (Polynomial(degree=2, offset=1.0), 10)], ids=str
    )
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_stops_there(self, make: Make, kernel: Kernel, rank: int, dtype: Any) -> None:
        x = rows(60, 3, seed=0).astype(dtype)
        with pytest.warns(ReducedWarning, match=rf"20 asked for, {rank} made: 60 rows hold no more distinct rows"):
            found = indices(make(20), kernel, x, 0)
        assert len(set(found)) == rank
        wide = kernel(x.astype(float), x.astype(float))
        assert np.diag(missed(wide, found)).max() < 1e-9 * np.diag(wide).max()

    def test_of_many_rows_in_float32(self, make: Make) -> None:
        # In float32, rounding would leave a ninth.
        x = (4 * rows(2000, 8, seed=0)).astype(np.float32)
        with pytest.warns(ReducedWarning, match="12 asked for, 8 made"):
            assert len(indices(make(12), Linear(), x, 0)) == 8

    def test_a_matrix_in_float32(self, make: Make) -> None:
        x = rows(60, 3, seed=0)
        gram = (x @ x.T).astype(np.float32)
        with pytest.warns(ReducedWarning, match="12 asked for, 3 made"):
            indices(make(12), Precomputed(gram), np.arange(60, dtype=np.float32)[:, None], 0)

    def test_a_smooth_kernel(self, make: Make) -> None:
        # 1e-13 of the diagonal is reached long before 200 rows.
        x = np.random.default_rng(0).uniform(-1, 1, (200, 1))
        with pytest.warns(ReducedWarning, match="200 asked for"):
            found = indices(make(200), Gaussian(1.0), x, 0)
        assert 8 <= len(found) <= 20

    def test_earlier_when_asked(self, make: Make) -> None:
        x = np.random.default_rng(0).uniform(-1, 1, (200, 1))
        rule = make(50)
        loose = trees.replace_children(rule, {"tolerance": 1e-3})
        with pytest.warns(ReducedWarning):
            found = indices(loose, Gaussian(1.0), x, 0)
        assert 2 <= len(found) <= 5
        assert np.diag(missed(Gaussian(1.0)(x, x), found)).max() <= 1e-3

    def test_equal_rows_of_a_matrix(self, make: Make) -> None:
        # The row numbers differ, what they stand for does not.
        gram = np.kron(Gaussian(1.0)(rows(4, 2, 0), rows(4, 2, 0)), np.ones((5, 5)))
        with pytest.warns(ReducedWarning, match="9 asked for, 4 made"):
            found = indices(make(9), Precomputed(gram), np.arange(20.0)[:, None], 0)
        assert sorted(i // 5 for i in found) == [0, 1, 2, 3]

    def test_rows_much_shorter_than_others_count(self, make: Make) -> None:
        x = np.diag([1.0, 1e-6, 1e-9])
        assert sorted(indices(make(3), Linear(), x, 0)) == [0, 1, 2]


@pivoted
@pytest.mark.parametrize("kernel", [k for k in KERNELS if not k.indefinite], ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_false_alarm(make: Make, kernel: Kernel, dtype: Any) -> None:
    """Rounding does not make a positive semi-definite kernel an indefinite one."""
    x = np.abs(rows(60, 3, seed=0)).astype(dtype)
    x = np.concatenate([x, 4 + x[:20] / 100])
    with pytest.warns(ReducedWarning):  # for more rows are asked for than there are
        found = indices(make(90), kernel, x, 0)
    assert len(set(found)) == len(found)


# Kernels that have no factor.


@dataclass(frozen=True)
class Constant(Kernel):
    """A given diagonal, and 1 everywhere else."""

    diagonal: float

    def __call__(self, x: Any, y: Any) -> Any:
        equal = np.all(x[:, None] == y[None], axis=2)
        return np.where(equal, self.diagonal, 1.0).astype(x.dtype)

    def diag(self, x: Any) -> Any:
        return np.full_like(x[:, 0], self.diagonal)


ADVICE = r"landmarks\.Uniform or landmarks\.KMeans"


class TestIndefiniteKernels:
    @from_values
    def test_a_negative_diagonal(self, make: Make) -> None:
        x = np.array([[1.0], [2.0], [0.1], [0.2]])
        with pytest.raises(ValueError, match=rf"kernel: expected k\(x, x\) >= 0, got -.* for row 2 of 4; .*{ADVICE}"):
            make(2)(Sigmoid(gamma=1.0, offset=-0.9), x, 0)

    @from_values
    def test_values_that_overflow(self, make: Make) -> None:
        x = np.array([[1.0], [1e200], [0.1]])
        with (
            np.errstate(over="ignore"),
            pytest.raises(ValueError, match=r"finite k\(x, x\), got inf for row 1 of 3; scale the data"),
        ):
            make(2)(Polynomial(degree=2), x, 0)

    @pivoted
    def test_a_negative_residual(self, make: Make) -> None:
        with pytest.raises(
            ValueError, match=rf"semi-definite.* after \d landmarks .* residual .* of row \d+ is -.*; .*{ADVICE}"
        ):
            make(8)(Constant(0.5), rows(8, 2, seed=0), 0)

    @pytest.mark.parametrize("rule", [RidgeLeverage, BLESS])
    def test_a_negative_eigenvalue(self, rule: Any) -> None:
        with pytest.raises(ValueError, match=rf"semi-definite.* its matrix of \d+ rows has an eigenvalue .*{ADVICE}"):
            rule(8)(Constant(0.1), rows(100, 2, seed=0), 0)

    @from_values
    def test_the_zero_kernel(self, make: Make) -> None:
        with pytest.raises(ValueError, match=r"kernel: k\(x, x\) is 0 for all 4 rows"):
            make(2)(Linear(), np.zeros((4, 2)), 0)


class TestGreedy:
    @pytest.mark.parametrize("bandwidth", [0.2, 1.0, 4.0])
    def test_takes_the_greatest_residual(self, bandwidth: float) -> None:
        x = rows(400, 2, seed=0)
        kernel = Gaussian(bandwidth) * (Linear() + Polynomial(degree=1, offset=1.0))
        gram = kernel(x, x)
        found = indices(Greedy(12), kernel, x, 0)
        for step in range(12):
            residual = np.diag(missed(gram, found[:step])) if step else np.diag(gram)
            assert residual[found[step]] >= residual.max() * (1 - 1e-9)

    def test_the_first_of_equals(self) -> None:
        grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), -1).reshape(-1, 2)
        # All are equal at first; then the corner opposite, then the two others, of which 4 is the first.
        assert indices(Greedy(4), Gaussian(8.0), grid, 0) == (0, 24, 4, 20)


class TestLeverage:
    X = np.concatenate([0.1 * rows(60, 2, seed=0), 5 + rows(4, 2, seed=1)])
    KERNEL = Gaussian(1.0)

    def exact(self, ridge: float) -> np.ndarray:
        gram = self.KERNEL(self.X, self.X)
        return np.diag(gram @ np.linalg.inv(gram + ridge * np.eye(64)))

    @pytest.mark.parametrize("block", [10, 1000])
    def test_scores_from_all_rows_are_exact(self, block: int) -> None:
        everything = Dictionary(np.arange(64), np.ones(64))
        scores = leverage_scores(self.KERNEL, Seen(self.X), block)(everything, 0.1, np.arange(64))
        np.testing.assert_allclose(scores, self.exact(0.1), rtol=1e-7)

    @pytest.mark.parametrize("block", [10, 1000])
    def test_weighted_scores_are_those_of_repeated_rows(self, block: int) -> None:
        times = np.random.default_rng(0).integers(1, 4, 64)
        repeated = np.repeat(self.X, times, axis=0)
        gram = self.KERNEL(repeated, repeated)
        of_all = np.diag(gram @ np.linalg.inv(gram + 0.1 * np.eye(len(gram))))
        wanted = np.bincount(np.repeat(np.arange(64), times), of_all)
        data = seen(self.X, times.astype(float))
        assert data.weights is not None
        unit = times.mean()  # weights have the mean 1, and scores count their ratio to the ridge
        scores = leverage_scores(self.KERNEL, data, block)(
            Dictionary(np.arange(64), np.ones(64)), 0.1 / unit, np.arange(64)
        )
        np.testing.assert_allclose(scores, wanted, rtol=1e-7)

    def test_scores_from_some_rows_are_no_smaller(self) -> None:
        some = Dictionary(np.arange(0, 64, 3), np.ones(22))
        scores = leverage_scores(self.KERNEL, Seen(self.X), 100)(some, 0.1, np.arange(64))
        assert np.all(scores >= self.exact(0.1) * (1 - 1e-9))
        assert scores.sum() < 3 * self.exact(0.1).sum()

    def test_scores_from_none_are_the_diagonal(self) -> None:
        nobody = Dictionary(np.arange(0), np.ones(0))
        scores = leverage_scores(self.KERNEL, Seen(self.X), 100)(nobody, 4.0, np.arange(64))
        np.testing.assert_allclose(scores, 0.25)

    @pytest.mark.parametrize("rule", [RidgeLeverage, BLESS])
    def test_rare_rows_are_found(self, rule: Any) -> None:
        # Four of 64 rows lie apart.
        found = np.mean([sum(i >= 60 for i in indices(rule(8), self.KERNEL, self.X, seed)) for seed in range(50)])
        uniform = np.mean([sum(i >= 60 for i in indices(Uniform(8), self.KERNEL, self.X, seed)) for seed in range(50)])
        assert found > 2 * uniform


def clusters(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    centres = 10 * np.eye(4)
    return np.repeat(centres, 30, axis=0) + 0.1 * rows(120, 4, seed), centres


def square_error(points: np.ndarray, x: np.ndarray) -> float:
    return float(((x[:, None] - points) ** 2).sum(2).min(1).mean())


class TestKMeans:
    @pytest.mark.parametrize("rule", [KMeans, MiniBatchKMeans])
    def test_finds_clusters(self, rule: Any) -> None:
        x, centres = clusters()
        for seed in range(5):
            points = rule(4)(Linear(), x, seed).points
            assert np.sqrt(((points[:, None] - centres) ** 2).sum(2).min(0)).max() < 0.1

    def test_a_fixed_point(self) -> None:
        x = rows(80, 3, seed=0)
        points = KMeans(5, iterations=1000, tolerance=0.0)(Linear(), x, 0).points
        nearest = ((x[:, None] - points) ** 2).sum(2).argmin(1)
        for i in range(5):
            np.testing.assert_allclose(x[nearest == i].mean(0), points[i], rtol=1e-12)

    @pytest.mark.parametrize("rule", [KMeans, MiniBatchKMeans])
    def test_better_than_its_seeds(self, rule: Any) -> None:
        x = rows(300, 3, seed=0)
        for seed in range(5):
            assert square_error(rule(12)(Linear(), x, seed).points, x) < 0.9 * square_error(
                KMeansPlusPlus(12)(Linear(), x, seed).points, x
            )

    def test_a_weighted_fixed_point(self) -> None:
        x, weights = rows(80, 3, seed=0), np.random.default_rng(0).random(80) + 0.1
        points = KMeans(5, iterations=1000, tolerance=0.0)(Linear(), x, 0, weights=weights).points
        nearest = ((x[:, None] - points) ** 2).sum(2).argmin(1)
        for i in range(5):
            mean = np.average(x[nearest == i], axis=0, weights=weights[nearest == i])
            np.testing.assert_allclose(mean, points[i], rtol=1e-12)

    @pytest.mark.parametrize("rule", [KMeans, MiniBatchKMeans, CellMeans])
    def test_of_very_many_rows_the_heavy_ones_are_served(self, rule: Any) -> None:
        # More rows than a round of batches: a hundred of them count for all.
        x = np.concatenate([rows(100, 2, seed=0), 30 + rows(30_000, 2, seed=1)])
        weights = np.where(np.arange(len(x)) < 100, 1e4, 1e-3)
        points = rule(10)(Linear(), x, 0, weights=weights).points
        alone = rule(10)(Linear(), x[:100], 0).points
        assert square_error(points, x[:100]) < 1.3 * square_error(alone, x[:100])

    def test_an_empty_cluster_takes_the_worst_served_row(self) -> None:
        x = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [5.0, 5.0]])
        selector = KMeans(2)
        # Two centres that coincide: one of them serves nobody.
        data, centres = cloud(x), x[[0, 0]]
        updated = selector.updated(data, assigned(data, centres, 100), centres)
        np.testing.assert_allclose(updated[0], x.mean(0), rtol=1e-15)
        assert np.array_equal(updated[1], x[3])

    @pytest.mark.parametrize("rule", [KMeans, MiniBatchKMeans, CellMeans, KMeansPlusPlus])
    def test_far_from_the_origin_in_float32(self, rule: Any) -> None:
        x, _ = clusters()
        far = (x + 1000).astype(np.float32)
        near = rule(8)(Linear(), far.astype(float), 0).points
        assert square_error(rule(8)(Linear(), far, 0).points, far) < 1.05 * square_error(near, far)

    def test_minibatches_come_near(self) -> None:
        x = load_digits().data / 16.0
        for m in (50, 100):
            full, part = (
                np.median([trace_error(Gaussian(1.534), rule(m)(Linear(), x, seed).points, x) for seed in range(3)])
                for rule in (KMeans, MiniBatchKMeans)
            )
            assert part < 1.02 * full

    def test_minibatches_do_not_read_all_rows(self) -> None:
        # A row in a thousand is far away; full k-means would see it.
        x = np.concatenate([rows(30_000, 2, seed=0), np.full((1, 2), 50.0)])
        assert square_error(MiniBatchKMeans(3, batch=64, rounds=1)(Linear(), x, 0).points, x[:-1]) < 1.5

    def test_a_centre_that_serves_nobody_moves(self) -> None:
        # The seeds of one batch cannot know the second cluster, which comes with the others.
        x = np.concatenate([np.zeros((500, 2)), rows(500, 2, seed=0) + 30])
        points = MiniBatchKMeans(6, batch=50)(Linear(), x, 1).points
        assert square_error(points, x) < 0.5


class TestCellMeans:
    def test_between_random_rows_and_kmeans(self) -> None:
        x = load_digits().data / 16.0
        uniform, cells, full = (
            np.median([trace_error(Gaussian(1.534), rule(50)(Linear(), x, seed).points, x) for seed in range(3)])
            for rule in (Uniform, CellMeans, KMeans)
        )
        assert full < cells < (uniform + full) / 2

    @pytest.mark.parametrize("d", [2, 8, 50])
    def test_most_of_the_way_to_kmeans(self, d: int) -> None:
        # A sheet of two dimensions whose density varies: rows at random leave its thin parts without a landmark.
        rng = np.random.default_rng(d)
        x = np.tanh(rng.standard_t(3, (3000, 2)) @ rng.standard_normal((2, d))) + 0.01 * rng.standard_normal((3000, d))
        kernel = Gaussian.of_median(x, 0.5)
        uniform, cells, full = (
            np.mean([trace_error(kernel, rule(100)(kernel, x, seed).points, x) for seed in range(3)])
            for rule in (Uniform, CellMeans, KMeans)
        )
        assert cells < full + 0.25 * (uniform - full)

    def test_the_nearest_that_the_draws_have_found(self) -> None:
        x, near = rows(400, 3, seed=0), 1e4 + 1e-3 * rows(400, 3, seed=1)
        for points, weights in ((x, None), (x, np.arange(1.0, 401.0)), (near, None), (np.concatenate([x, near]), None)):
            data = cloud(points, weights)
            numbers, found = CellMeans(30)._spread(data, np.random.default_rng(0))
            wanted = assigned(data, points[numbers, :], 64)
            assert len(set(numbers)) == 30
            np.testing.assert_array_equal(found.index, wanted.index)
            np.testing.assert_allclose(found.distances, wanted.distances, rtol=1e-3)

    def test_rows_that_differ_are_found_beyond_the_sample(self) -> None:
        x = np.concatenate([np.zeros((5000, 2)), rows(9, 2, seed=0) + 5])
        assert len({tuple(z) for z in CellMeans(10)(Linear(), x, 0).points.tolist()}) == 10


class TestDefault:
    @pytest.mark.parametrize(
        ("m", "shape", "rule"),
        [
            (300, (2000, 8), CellMeans(300)),
            (300, (200_000, 8), CellMeans(300)),
            (300, (1_000_000, 8), MiniBatchKMeans(300)),
            (1000, (10_000, 50), CellMeans(1000)),
            (1000, (10_000, 768), CellMeans(1000)),
            (50, (60, 10_000), Uniform(50)),
        ],
    )
    def test_takes_what_is_worth_its_time(self, m: int, shape: tuple[int, int], rule: Any) -> None:
        assert landmarks.default(Gaussian(1.0), m, shape) == rule

    @pytest.mark.parametrize(
        ("kernel", "rule"),
        [
            (Gaussian(1.0), MiniBatchKMeans),
            (kernels.Matern(1.5, 1.0) + Gaussian(2.0), MiniBatchKMeans),
            (Linear(), SphericalKMeans),
            (kernels.Homogeneous(kernels.profiles.Exponential(0.5)), SphericalKMeans),
            (kernels.Laplacian(1.0), RPCholesky),
            (Polynomial(), RPCholesky),
            (Precomputed(np.eye(3)), RPCholesky),
            (Sigmoid(1.0, 1.0), Uniform),
        ],
        ids=str,
    )
    def test_suits_the_kernel(self, kernel: Kernel, rule: Any) -> None:
        assert landmarks.default(kernel, 7) == rule(7)

    @pytest.mark.parametrize("shape", [(10,), (10, 0), (10, 2, 3), (10.0, 2), "10", 10], ids=str)
    def test_refuses_what_is_no_shape_of_rows(self, shape: Any) -> None:
        with pytest.raises(ValueError, match=r"shape: expected that of the rows, \(n, d\).*, got"):
            landmarks.default(Gaussian(1.0), 100, shape)

    def test_refuses_what_is_no_number_and_no_kernel(self) -> None:
        with pytest.raises(ValueError, match="m: expected an integer >= 1, got 0"):
            landmarks.default(Gaussian(1.0), 0)
        with pytest.raises(TypeError, match="kernel: expected"):
            landmarks.default("rbf", 10)  # type: ignore[arg-type]


def test_settings() -> None:
    for make, message in (
        (lambda: RPCholesky(3, block=0), "block: expected an integer >= 1, or None, got 0"),
        (lambda: KMeansPlusPlus(3, trials=0), "trials: expected an integer >= 1, or None, got 0"),
        (lambda: RPCholesky(3, block=2.5), "block: expected an integer >= 1, or None, got 2.5"),  # type: ignore[arg-type]
        (lambda: KMeansPlusPlus(3, trials=2.5), "trials: expected an integer >= 1, or None, got 2.5"),  # type: ignore[arg-type]
        (lambda: MiniBatchKMeans(3, batch=0), "batch: expected an integer >= 1, got 0"),
        (lambda: CellMeans(3, each=0), "each: expected an integer >= 1, got 0"),
        (lambda: MiniBatchKMeans(3, rounds=0), "rounds: expected an integer >= 1, got 0"),
        (lambda: BLESS(3, oversampling=0.5), "oversampling: expected a number >= 1, got 0.5"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(TypeError, match="oversampling: expected a number >= 1, got 'a'"):
        BLESS(3, oversampling="a")  # type: ignore[arg-type]


@from_values
def test_choosing_keeps_no_graph(make: Make) -> None:
    torch = backend("torch")
    x = torch.asarray(rows(30, 2, seed=0))
    bandwidth = torch.asarray(np.asarray(1.0)).requires_grad_()
    chosen = make(5)(Gaussian(bandwidth), x.requires_grad_(), 0)
    # The points are rows of x, so that a gradient reaches x through them.
    assert chosen.points.requires_grad
    assert chosen.indices == make(5)(Gaussian(1.0), rows(30, 2, seed=0), 0).indices


# Far rows, offsets and mixed units.


def _with(value: float, column: int | slice) -> np.ndarray:
    x = rows(300, 6, seed=0)
    x[7, column] = value
    return x


def _apart(by: float, spread: float) -> np.ndarray:
    x = spread * rows(300, 6, seed=0)
    x[150:] += by
    return x


HARD: dict[str, np.ndarray] = {
    "a code for missing values": _with(-99999.0, slice(None)),
    "a cell of -999": _with(-999.0, 3),
    "a cell of 1e6": _with(1e6, 3),
    "a row whose square overflows": _with(1e25, slice(None)),
    "two tight clusters": _apart(1000.0, 1.0),
    "tight beside the origin": _apart(1000.0, 1e-4),
    "an offset": 1e4 + rows(300, 6, seed=0),
    "mixed units": rows(300, 6, seed=0) * np.array([1e6, 1, 1, 1, 1, 1]),
}
hard = pytest.mark.parametrize("name", HARD)


def _served(points: np.ndarray, x: np.ndarray) -> float:
    """The mean squared distance from the nearest point."""
    return float(((x[:, None] - points[None].astype(float)) ** 2).sum(2).min(1).mean())


@hard
@pytest.mark.parametrize("make", [KMeans, MiniBatchKMeans, KMeansPlusPlus], ids=str)
def test_what_is_far_takes_no_landmarks_away_in_float32(make: Make, name: str) -> None:
    x = HARD[name].astype(np.float32)
    wide = x.astype(float)
    found, wanted = make(60)(Gaussian(1.0), x, 0).points, make(60)(Gaussian(1.0), wide, 0).points
    assert found.shape == wanted.shape == (60, 6)
    assert len(np.unique(found, axis=0)) == 60
    assert _served(found, wide) <= 1.15 * _served(wanted, wide)


@hard
def test_as_good_as_scikit_learn(name: str) -> None:
    x = HARD[name].astype(np.float32)
    wide = x.astype(float)
    if name == "a row whose square overflows":
        wide = np.delete(wide, 7, axis=0)  # theirs has no number for it
    peer = cluster.KMeans(60, n_init=1, random_state=0).fit(wide).cluster_centers_
    assert _served(KMeans(60)(Gaussian(1.0), x, 0).points, wide) <= 1.15 * _served(peer, wide)


@pytest.mark.parametrize("far", [1e9, 3e7])
def test_far_groups_in_float64(far: float) -> None:
    # Time stamps of two sessions, a year and more apart.
    x = rows(200, 2, seed=0)
    x[100:, 0] += far
    x = np.concatenate([x, np.zeros((200, 6))], axis=1)
    near = x.copy()
    near[100:, 0] -= far - 1000
    for rule in (KMeans, MiniBatchKMeans, KMeansPlusPlus):
        found, wanted = rule(40)(Linear(), x, 0).points, rule(40)(Linear(), near, 0).points
        assert found.shape == wanted.shape
        assert _served(found, x) <= 1.15 * _served(wanted, near)


def test_near_rows_find_their_own_centre() -> None:
    x = HARD["two tight clusters"].astype(np.float32)
    centres = x[::5]
    found = assigned(cloud(x), centres, 64)
    exact = ((x[:, None].astype(float) - centres[None].astype(float)) ** 2).sum(2)
    np.testing.assert_array_equal(found.index, exact.argmin(1))
    np.testing.assert_allclose(found.distances, exact.min(1), rtol=1 / LOOSE, atol=0)
    np.testing.assert_allclose(found.distances[found.near], exact.min(1)[found.near], rtol=1e-6, atol=0)
    assert len(found.near) >= 150


@pytest.mark.parametrize("far", [None, -99999.0, 1e25])
def test_the_others_do_not_feel_a_far_row(far: float | None) -> None:
    x = rows(200, 6, seed=0).astype(np.float32)
    centres = x[:40]
    more = x if far is None else np.concatenate([x, np.full((1, 6), far, dtype=np.float32)])
    with np.errstate(over="ignore", invalid="ignore"):
        found = assigned(cloud(more), centres, 64)
    exact = ((x[:, None].astype(float) - centres[None].astype(float)) ** 2).sum(2)
    np.testing.assert_array_equal(found.index[:200], exact.argmin(1))


def test_rows_nearly_all_alike_have_the_directions_of_the_few_others() -> None:
    x = np.ones((2000, 6), dtype=np.float32)
    x[[1, 5, 7, 11, 13]] = np.eye(6)[:5]  # none of them among each eighth, nor each third row
    assert SphericalKMeans(6)(Linear(), x, 0).points.shape == (6, 6)


def test_directions_next_to_each_other_in_float32() -> None:
    # Far from the origin all rows lie in one direction, to four digits.
    x = (1e4 + rows(300, 6, seed=0)).astype(np.float32)
    directions = x.astype(float) / np.linalg.norm(x.astype(float), axis=1, keepdims=True)
    found, wanted = (SphericalKMeans(40)(Linear(), a, 0).points for a in (x, x.astype(float)))
    assert found.shape == (40, 6)
    assert _served(found, directions) <= 1.15 * _served(wanted, directions)


@pytest.mark.parametrize("name", ["a code for missing values", "a cell of -999", "a cell of 1e6", "two tight clusters"])
def test_the_default_regression_on_hard_rows(name: str) -> None:
    x, others = HARD[name].astype(np.float32), np.delete(np.arange(300), 7)
    y = np.sin(x[:, 0].astype(float))
    scores = []
    for given in (x, x.astype(float)):
        model = KernelRidge(Gaussian(3.0), landmarks=100, reg=1e-6).fit(given, y)
        assert model.landmarks_.shape == (100, 6)
        scores.append(model.score(given[others], y[others]))
    assert scores[0] >= scores[1] - 0.02

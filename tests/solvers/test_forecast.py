"""How long a fit will take is said before it, stage by stage, and nothing else is changed or used up by that."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerneltools import forecasting, landmarks, memory, solvers
from kerneltools.estimators import KernelClassifier, KernelRidge, NystromFeatures
from kerneltools.forecasting import Forecast, Run, Stage, Watch, expected, growing, watched
from kerneltools.kernels import Gaussian, Sigmoid
from kerneltools.kernels.strings import Spectrum
from kerneltools.landmarks.forecasting import ALONE, AMONG, law_of
from kerneltools.landmarks.spherical_kmeans import stages
from kerneltools.solvers import forecasting as of_solvers

RNG = np.random.default_rng(0)
X = RNG.standard_normal((260, 3))
Y = np.sin(X[:, :1])
LABELS = np.where(Y[:, 0] > 0, "up", "down")
KERNEL = Gaussian(2.0)


def test_the_time_follows_from_what_was_measured() -> None:
    runs = [Run({"n": n}, 1e-3 * n + 1e-6 * n**2) for n in (100.0, 1000.0, 4000.0)]
    found = expected("work", runs, lambda s: (1e3 * s["n"], s["n"] ** 2), {"n": 40_000.0})
    assert found.seconds == pytest.approx(40 + 1600, rel=0.05)
    assert found.low < found.seconds < found.high


def test_a_stage_that_did_not_depend_on_the_size_does_not_grow() -> None:
    runs = [Run({"n": n}, 2.0) for n in (100.0, 1000.0)]
    assert expected("work", runs, lambda s: (1.0,), {"n": 10**6}).seconds == pytest.approx(2.0, rel=0.01)


def test_runs_grow_until_their_time_is_spent() -> None:
    sizes = [{"n": 10.0 * 2**k} for k in range(20)]
    runs = growing(sizes, lambda s: 1e-4 * s["n"], lambda s: (s["n"],), 1.0)
    assert [run.sizes["n"] for run in runs] == sorted({run.sizes["n"] for run in runs})
    assert 0.2 < sum(run.seconds for run in runs) <= 1.0


def test_what_a_library_compiles_for_each_size_is_not_taken_for_work() -> None:
    sizes = [{"n": 10.0 * 2**k} for k in range(12)]
    compiled: set[float] = set()

    def seconds(size: Any) -> float:
        fresh = size["n"] not in compiled
        compiled.add(size["n"])
        return 1e-4 * size["n"] + 0.3 * fresh

    runs = growing(sizes, seconds, lambda s: (s["n"],), 2.0)
    assert len(runs) > 2
    assert all(run.seconds <= 2e-4 * run.sizes["n"] for run in runs)


def test_a_watch_books_all_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(forecasting, "perf_counter", lambda: float(next(clock)))

    def run(progress: Any) -> None:
        progress("a", 0, 1)
        progress("a", 1, 1)
        for done in (2, 4, 6):
            progress("b", done, 8)

    watch = watched(run)
    assert (watch.seconds("a"), watch.seconds("b"), watch.steps("b")) == (2.0, 4.0, 6)
    assert watch.seconds("a") + watch.seconds("b") == watch.last - watch.begun
    several = Watch()
    several.reports["b"] = [(2, 5.0), (4, 1.0), (6, 1.0)]
    assert several.line("b") == (4.0, 0.5)
    several.reports["b"] += [(2, 1.0), (4, 90.0), (6, 1.0)]  # once more, while the machine was busy
    assert several.line("b") == (4.0, 0.5)


def test_the_text_is_a_table_that_says_what_is_missing() -> None:
    found = Forecast((Stage("work", 100.0, 80.0, 7200.0),), 16.8e9, 9_900_000_000, "take at most 30 rows")
    lines = str(found).splitlines()
    assert lines[0].split("  ")[0] == "work"
    assert "1.7 min  (80 s to 2.0 h)" in lines[0]
    assert not found.fits
    assert lines[-1] == "not enough memory: 16.8 GB are needed, and 9.9 GB are free; take at most 30 rows"
    assert (found.seconds, found.low, found.high) == (100.0, 80.0, 7200.0)


def test_sizes_have_the_unit_that_suits() -> None:
    known = [memory.size(count) for count in (0, 43_520, 999_999, 1e6, 2.56e8, 1e9, 9.99e11, 1e12, 2.448e14)]
    assert known == ["0 kB", "44 kB", "1000 kB", "1 MB", "256 MB", "1.0 GB", "999.0 GB", "1.0 TB", "244.8 TB"]


@pytest.mark.parametrize(
    ("solver", "arguments", "stages"),
    [
        (solvers.kernel_ridge, (X[:40], X, Y, 1e-3), ["solution"]),
        (solvers.falkon, (40, X, Y, 1e-3), ["preconditioner", "conjugate gradient"]),
        (solvers.fit_kernel, (40, X, np.sign(Y), solvers.Logistic(), 1e-2), ["newton"]),
        (solvers.nystrom_pcg, (X, Y, 1e-3), ["preconditioner", "conjugate gradient"]),
        (solvers.exact_ridge, (X, Y, 1e-3), ["solution"]),
        (solvers.exact_path, (X, Y), ["solution"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_stages_of_a_solver(solver: Callable[..., Any], arguments: tuple[Any, ...], stages: list[str]) -> None:
    found = solvers.forecast(solver, KERNEL, *arguments)
    assert [stage.name for stage in found.stages] == stages
    assert 0 < found.low <= found.seconds <= found.high < 60
    assert found.fits
    assert found.bytes > 0
    assert found.pilot > 0


def test_solvers_take_the_arguments_of_the_call_and_refuse_what_it_refuses() -> None:
    rng = np.random.default_rng(3)
    before = rng.bit_generator.state
    weights = np.ones(len(X))
    solvers.forecast(solvers.falkon, KERNEL, X[:20], X, Y, 1e-3, weights=weights, rng=rng, tolerance=1e-2)
    assert rng.bit_generator.state == before
    broken = X.copy()
    broken[-1, 0] = np.nan
    with pytest.raises(ValueError, match="nan in row 259"):
        solvers.forecast(solvers.falkon, KERNEL, 20, broken, Y, 1e-3)
    with pytest.raises(ValueError, match="reg: expected"):
        solvers.forecast(solvers.falkon, KERNEL, 20, X, Y, -1.0)
    with pytest.raises(ValueError, match="not positive semi-definite"):
        solvers.forecast(solvers.exact_ridge, Sigmoid(1.0, -1.0), X, Y, 1e-8)
    with pytest.raises(ValueError, match="points: expected a number of landmarks >= 1, or an array"):
        solvers.forecast(solvers.falkon, KERNEL, 0, X, Y, 1e-3)
    with pytest.raises(TypeError, match="solver: expected one of kernel_ridge, falkon"):
        solvers.forecast(solvers.ridge, KERNEL, X, Y, 1e-3)


def test_memory_that_is_not_there_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    found = solvers.forecast(solvers.exact_ridge, KERNEL, X, Y, 1e-3)
    assert not found.fits
    assert "take at most 6 rows, or nystrom_pcg" in str(found)
    assert "take fewer landmarks" in landmarks.forecast(landmarks.RPCholesky(20), KERNEL, X).shortage
    assert "landmarks" in KernelRidge(KERNEL, landmarks=20).forecast(X, Y).shortage


@pytest.mark.parametrize("rule", [landmarks.KMeans, landmarks.RPCholesky, landmarks.Uniform, landmarks.BLESS])
def test_rules(rule: Any) -> None:
    found = landmarks.forecast(rule(20), KERNEL, X)
    assert [stage.name for stage in found.stages] == ["landmarks"]
    assert 0 < found.low <= found.seconds <= found.high
    with pytest.raises(ValueError, match="nan in row 1"):
        landmarks.forecast(rule(2), KERNEL, np.asarray([[0.0], [np.nan]]))


def test_steps_that_become_fewer_follow_their_power() -> None:
    def told(*steps: int) -> list[tuple[Run, Watch]]:
        found = []
        for k, number in enumerate(steps):
            watch = Watch()
            watch.reports["cg"] = [(number, 1.0)]
            found.append((Run({"n": 100.0 * 4**k}, 1.0), watch))
        return found

    assert of_solvers._power("cg", told(80, 40, 20)) == pytest.approx(-0.5)
    assert of_solvers._power("cg", told(20, 80, 80, 80)) == pytest.approx(-0.25)
    assert of_solvers._power("cg", told(20, 800, 8)) == pytest.approx(-0.75)  # no more than that
    assert of_solvers._power("cg", told(5, 9)) == -0.25  # they still rise
    assert of_solvers._power("cg", told(7)) == -0.25


def test_passes_of_k_means_on_the_sphere_follow_its_stages() -> None:
    assert stages(100_000, 256) == (8, 3, 1)
    assert stages(30_000, 256) == (3, 1)
    assert stages(3000, 256) == (1,)
    law = law_of(landmarks.SphericalKMeans(256), 50)
    few, many = ({"n": n, "m": 256} for n in (3000, 300_000))
    passes = [law(size)[0] / (2 * size["n"] * 256 * 50) for size in (few, many)]
    assert passes == pytest.approx([ALONE, AMONG * (1 + 1 / 3 + 1 / 8)])


def test_a_rule_of_ones_own_says_its_number() -> None:
    with pytest.raises(TypeError, match="selector: expected one that says its number"):
        landmarks.forecast(lambda kernel, x, rng: landmarks.Landmarks(x[:2]), KERNEL, X)


class Rule:
    """It has its number, but cannot be made for another one."""

    m = 20

    def __call__(self, kernel: Any, x: Any, rng: Any) -> landmarks.Landmarks:
        return landmarks.Landmarks(x[: self.m])


def test_few_rows_that_count_and_given_points_are_no_error() -> None:
    weights = (np.arange(len(X)) < 3).astype(float)
    assert KernelRidge(KERNEL, landmarks=2).forecast(X, Y, weights).fits
    assert KernelRidge(KERNEL, landmarks=landmarks.Given(X[:20])).forecast(X, Y).fits
    words = ["AC" * k for k in range(1, 30)]
    assert NystromFeatures(Spectrum(2), landmarks=words[:5]).forecast(words).fits


@pytest.mark.parametrize(
    ("estimator", "targets"),
    [
        (KernelRidge(landmarks=20), Y),
        (KernelRidge(KERNEL, landmarks=len(X), reg=1e-3), Y),
        (KernelRidge(landmarks=20, solver=solvers.falkon), Y),
        (KernelRidge(KERNEL, landmarks=landmarks.RPCholesky(20)), Y),
        (KernelClassifier(landmarks=20), LABELS),
        (KernelClassifier(KERNEL, landmarks=X[:20], reg=1e-3), LABELS),
        (NystromFeatures(KERNEL, landmarks=20), None),
    ],
    ids=["search", "all rows", "solver", "rule", "classifier", "points", "features"],
)
def test_the_stages_are_those_that_a_fit_reports(estimator: Any, targets: Any) -> None:
    estimator.random_state = np.random.default_rng(3)
    known = dict(vars(estimator))
    before = estimator.random_state.bit_generator.state
    found = estimator.forecast(X, targets)
    assert estimator.random_state.bit_generator.state == before
    assert vars(estimator).keys() == known.keys()
    assert all(value is known[name] for name, value in vars(estimator).items())
    told = Watch()
    estimator._watch = told
    estimator.fit(X, targets)
    assert [stage.name for stage in found.stages] == list(told.reports)
    assert 0 < found.low <= found.seconds <= found.high


def test_estimators_refuse_what_their_fit_refuses() -> None:
    for wrong, error, message in (
        (KernelRidge(landmarks=0), ValueError, "landmarks: expected a number >= 1"),
        (KernelRidge(reg=-1.0), ValueError, "reg: expected"),
        (KernelRidge("rbf"), TypeError, "kernel: expected an object"),
        (KernelRidge(landmarks=lambda kernel, x, rng: None), TypeError, "a forecast needs a number"),
        (KernelRidge(landmarks=Rule()), TypeError, "a selector that is a dataclass with its number"),
        (KernelClassifier(), ValueError, "y: expected a label for each of 260"),
    ):
        with pytest.raises(error, match=message):
            wrong.forecast(X, LABELS[:-1] if isinstance(wrong, KernelClassifier) else Y)

"""Whoever waits for a fit can be told how far it is, and stop it."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import ckn
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures
from kerneltools.kernels import Gaussian
from kerneltools.landmarks import (
    BLESS,
    Greedy,
    KMeans,
    Landmarks,
    MiniBatchKMeans,
    RidgeLeverage,
    RPCholesky,
    SphericalKMeans,
)
from kerneltools.landmarks.base import chosen
from kerneltools.learning import hyper, independence_test, kernel_kmeans, two_sample_test
from kerneltools.progress import printed
from kerneltools.solvers import Logistic, falkon, fit_kernel, minimise, nystrom_pcg
from kerneltools.streaming import ridge, transform_file

X = np.linspace(0, 6, 60)[:, None]
Y = np.sin(X)
TARGETS = np.where(Y > 0, 1.0, -1.0)


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, int, float | None]] = []

    def __call__(self, stage: str, done: int, total: int, value: float | None = None, /) -> None:
        self.calls.append((stage, done, total, value))

    def of(self, stage: str) -> list[tuple[int, int, float | None]]:
        return [(done, total, value) for name, done, total, value in self.calls if name == stage]


@pytest.mark.parametrize(
    ("stage", "total", "solve"),
    [
        ("conjugate gradient", 100, lambda told: falkon(Gaussian(1.0), X[::5], X, Y, 1e-4, progress=told)),
        ("conjugate gradient", 200, lambda told: nystrom_pcg(Gaussian(1.0), X, Y, 1e-4, rank=3, progress=told)),
        ("newton", 100, lambda told: fit_kernel(Gaussian(1.0), X[::5], X, TARGETS, Logistic(), 1e-4, progress=told)),
    ],
    ids=["falkon", "nystrom_pcg", "fit_kernel"],
)
def test_each_step_is_told(stage: str, total: int, solve: object) -> None:
    told = Told()
    model = solve(told)  # type: ignore[operator]
    steps = told.of(stage)
    assert [step[:2] for step in steps] == [(k, total) for k in range(1, model.iterations + 1)]
    assert len(steps) > 2
    assert steps[-1][2] == model.residual


def test_values_of_a_descent() -> None:
    told = Told()
    found = minimise(lambda x: (((x - 3) ** 4).sum(), 4 * (x - 3) ** 3), np.zeros(2), progress=told)
    values = [value for _, _, value in told.of("minimise")]
    assert len(values) == found.iterations > 2
    assert values == sorted(values, reverse=True)
    assert values[-1] == found.value


def test_losses_of_hyperparameters_are_the_history() -> None:
    told = Told()
    found = hyper.fit(Gaussian(1.0), X[::10], X, 1e3 * Y, method=hyper.LBFGS(2), progress=told)
    values = [value for _, _, value in told.of("evaluation")]
    np.testing.assert_allclose(values, found.history, rtol=1e-12)


def test_an_exception_stops_the_work() -> None:
    def enough(stage: str, done: int, total: int, value: float | None = None, /) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        falkon(Gaussian(1.0), X[::5], X, Y, 1e-4, tolerance=1e-12, progress=enough)


def test_a_line_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    printed("newton", 2, 0, 1e-9)
    printed("landmarks", 1, 1)
    assert capsys.readouterr().out == "newton 2: 1e-09\nlandmarks 1/1\n"


@pytest.mark.parametrize(("estimator", "last"), [(KernelRidge, "regression 1/1\n"), (KernelClassifier, None)])
def test_verbose_estimators(estimator: type, last: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = estimator(landmarks=10).fit(X, TARGETS[:, 0])
    assert capsys.readouterr().out == ""
    verbose = estimator(landmarks=10, verbose=True).fit(X, TARGETS[:, 0])
    lines = capsys.readouterr().out
    assert lines.startswith("kernel and λ 1/5: ")
    assert "landmarks 1/1\n" in lines
    assert lines.endswith(last or f"newton {verbose.model_.iterations}/100: {verbose.model_.residual:.6g}\n")
    np.testing.assert_array_equal(quiet.predict(X), verbose.predict(X))


@pytest.mark.parametrize("estimator", [KernelRidge, KernelClassifier])
@pytest.mark.parametrize("verbose", ["x", (10,), -1, 2.5, float("nan"), None], ids=str)
def test_what_is_no_verbosity_is_refused_by_name(estimator: Any, verbose: Any) -> None:
    with pytest.raises(ValueError, match="verbose: expected False, True, or 0, 1 or 2, got "):
        estimator(landmarks=10, verbose=verbose).fit(X, TARGETS[:, 0])


@pytest.mark.parametrize(
    "rule",
    [KMeans(9), MiniBatchKMeans(9), SphericalKMeans(9), RPCholesky(9), Greedy(9), BLESS(9), RidgeLeverage(9)],
    ids=lambda rule: type(rule).__name__,
)
def test_rules_for_landmarks_tell_their_steps(rule: Any) -> None:
    x, told = np.random.default_rng(0).standard_normal((300, 2)), Told()
    found = rule(Gaussian(1.0), x, 0, progress=told)
    steps = told.of("landmarks")
    if not isinstance(rule, SphericalKMeans):  # which begins again with more rows
        assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert all(total == 0 or done <= total for done, total, _ in steps)
    assert len(steps) >= 1
    np.testing.assert_array_equal(found.points, rule(Gaussian(1.0), x, 0).points)


def test_selectors_of_ones_own_need_not_tell() -> None:
    def first(kernel: Any, x: Any, rng: Any) -> Landmarks:
        return Landmarks(x[:2], (0, 1))

    assert chosen(first, Gaussian(1.0), X, 0, progress=Told()).points.shape == (2, 1)
    told = Told()
    assert chosen(RPCholesky(3), Gaussian(1.0), X, 0, np.arange(60.0), told).points.shape == (3, 1)
    assert told.of("landmarks")[-1][:2] == (3, 3)


def test_learning_and_streams_tell_their_steps(tmp_path: Any) -> None:
    def phi(rows: Any) -> Any:
        return rows

    told = Told()
    two_sample_test(phi, X[:30], X[30:], 0, permutations=130, progress=told)
    independence_test(phi, phi, X, Y, 0, permutations=130, progress=told)
    assert [step[:2] for step in told.of("permutations")] == 2 * [(0, 130), (64, 130), (128, 130), (130, 130)]
    kernel_kmeans(phi, X, 3, 0, restarts=2, progress=told)
    assert len(told.of("restart 1")) > 1
    assert told.of("restart 2")[-1][2] is not None
    ridge(phi, [(X[:20], Y[:20]), (X[20:], Y[20:])], progress=told)
    assert told.of("blocks") == [(1, 0, None), (2, 0, None)]
    np.save(tmp_path / "rows.npy", X)
    transform_file(phi, tmp_path / "rows.npy", tmp_path / "features.npy", 25, told)
    assert told.of("rows") == [(25, 60, None), (50, 60, None), (60, 60, None)]


IMAGES = np.random.default_rng(0).random((40, 12, 12, 1))
SETS = [image[:, :, 0] for image in IMAGES]
ESTIMATORS: list[tuple[Any, Any]] = [
    (KernelRidge(landmarks=10), X),
    (KernelClassifier(landmarks=10), X),
    (NystromFeatures(landmarks=10), X),
    (KernelPCA(1, landmarks=10), X),
    (ckn.ImageClassifier(patches=3000), IMAGES),
    (ckn.ImageRegressor(patches=3000), IMAGES),
    (ckn.SetClassifier(parts=50), SETS),
    (ckn.SetRegressor(parts=50), SETS),
]


@pytest.mark.parametrize(("estimator", "x"), ESTIMATORS, ids=lambda one: type(one).__name__)
def test_one_argument_for_all_estimators(
    estimator: Any, x: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kerneltools.progress.perf_counter", lambda: 1.0)  # no stage takes two seconds
    y = np.arange(len(x)) % 2
    fitted = clone(estimator).fit(x, y)
    assert fitted.verbose is False
    assert capsys.readouterr().out == ""
    clone(estimator).set_params(verbose=2).fit(x, y)
    assert capsys.readouterr().out == ""
    telling = clone(estimator).set_params(verbose=1).fit(x, y)
    assert "1/1\n" in capsys.readouterr().out
    how = "transform" if hasattr(fitted, "transform") else "predict"
    np.testing.assert_array_equal(getattr(telling, how)(x), getattr(fitted, how)(x))
    for wrong in ("x", -1, 2.5, None):
        with pytest.raises(ValueError, match="verbose: expected False, True, or 0, 1 or 2, got "):
            clone(estimator).set_params(verbose=wrong).fit(x, y)


def test_blocks_of_many_rows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).standard_normal((20_000, 1))
    KernelRidge(Gaussian(1.0), landmarks=3, reg=1e-3, verbose=1).fit(x, x[:, 0])
    KernelPCA(1, kernel=Gaussian(1.0), landmarks=3, verbose=1).fit(x)
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("regression")]
    steps = [f"{min(done, 20_000)}/20000" for done in range(2048, 20_000 + 2048, 2048)]  # of streaming.VALUES
    assert told == [f"regression {step}" for step in ("0/1", *steps, "1/1")]
    assert "features 20000/20000" in lines

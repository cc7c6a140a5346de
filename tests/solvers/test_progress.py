"""Whoever waits for a fit can be told how far it is, and stop it."""

from typing import Any

import numpy as np
import pytest

from kerneltools.estimators import KernelClassifier, KernelRidge
from kerneltools.kernels import Gaussian
from kerneltools.learning import hyper
from kerneltools.progress import printed
from kerneltools.solvers import Logistic, falkon, fit_kernel, minimise, nystrom_pcg

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

"""What does not fit into memory is refused before it begins, by name, with what would fit."""

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerneltools import maps, memory, solvers
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, SlowWarning
from kerneltools.estimators.work import FACTOR, FEATURES, PATH, ROOTS, SPECTRUM, STEPS, SUMS, Work
from kerneltools.kernels import Gaussian, Polynomial
from kerneltools.landmarks import Greedy, Landmarks, RPCholesky

X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)
KERNEL = Gaussian(2.0)
MAKE: dict[str, Any] = {
    "features": lambda points: NystromFeatures(KERNEL, landmarks=points),
    "roots": lambda points: NystromFeatures(KERNEL, landmarks=points, reg=1e-3),
    "pca": lambda points: KernelPCA(2, kernel=KERNEL, landmarks=points),
    "ridge": lambda points: KernelRidge(KERNEL, landmarks=points, reg=1e-3),
    "path": lambda points: KernelRidge(KERNEL, landmarks=points),
    "falkon": lambda points: KernelRidge(KERNEL, landmarks=points, reg=1e-3, solver=solvers.falkon),
    "classifier": lambda points: KernelClassifier(KERNEL, landmarks=points, reg=1e-2),
}
WORK = {
    "features": FEATURES,
    "roots": ROOTS,
    "pca": SPECTRUM,
    "ridge": SUMS,
    "path": SPECTRUM,
    "falkon": STEPS,
    "classifier": STEPS,
}
FITS = r"[\d.]+ [kMGT]B, and [\d.]+ [kMGT]B are free; take at most \d+"


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    monkeypatch.setattr(memory, "LITTLE", 0)


@pytest.mark.parametrize("name", MAKE)
def test_points_that_no_machine_has_room_for(name: str) -> None:
    points = np.broadcast_to(np.zeros(3), (1_000_000, 3))
    with pytest.raises(MemoryError, match=rf"landmarks: 1000000 of them for 40 rows need (?=\d+\.\d TB){FITS}"):
        MAKE[name](points).fit(X, Y)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("kernel", [KERNEL, Polynomial(5, 1.0)])
def test_a_number_is_refused_before_rows_are_chosen(name: str, kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(monkeypatch, free := 8 * 20**2 * 3)
    for number in (30, 40, 60):
        model = MAKE[name](number).set_params(kernel=kernel)
        with pytest.raises(MemoryError, match=f"landmarks: {min(number, 40)} of them for 40 rows need {FITS}"):
            model.fit(X, Y)
        assert not hasattr(model, "n_features_in_")
    assert WORK[name].bytes(40, WORK[name].most(40, free)) <= free < WORK[name].bytes(40, WORK[name].most(40, free) + 1)


def test_a_rule_of_ones_own_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    leave(monkeypatch, 8 * 20**2)
    with pytest.raises(MemoryError, match="landmarks: 30 of them for 40 rows need"):
        NystromFeatures(KERNEL, landmarks=lambda kernel, x, rng: Landmarks(x[:30, :])).fit(X)


def test_all_rows_need_what_their_own_solver_does(monkeypatch: pytest.MonkeyPatch) -> None:
    leave(monkeypatch, 8 * 40**2 * 3)
    with pytest.raises(MemoryError, match=f"take at most {SUMS.most(40, 0.9 * 8 * 40**2 * 3)}$"):
        KernelRidge(KERNEL, landmarks=X, reg=1e-3).fit(X, Y)
    leave(monkeypatch, 8 * 40**2 * 4)
    KernelRidge(KERNEL, landmarks=X, reg=1e-3).fit(X, Y)  # where features would not fit
    with pytest.raises(MemoryError, match="landmarks: 40 of them for 40 rows"):
        KernelRidge(KERNEL, landmarks=X).fit(X, Y)
    with pytest.raises(MemoryError, match="landmarks: 40 of them for 39 rows"):
        KernelRidge(KERNEL, landmarks=X, reg=1e-3).fit(X[1:, :] + 1, Y[1:])
    with pytest.raises(MemoryError, match="landmarks: 40 of them for 40 rows"):
        KernelRidge(KERNEL, landmarks=X, reg=1e-3).partial_fit(X, Y)
    with pytest.raises(MemoryError, match=r"x: 40 rows need \d+ kB, .* free; take at most \d+ rows, or nystrom_pcg"):
        solvers.exact_path(KERNEL, X, X)


@pytest.mark.parametrize("rule", [RPCholesky(20), Greedy(20)])
def test_rules_with_numbers_of_each_row_stop_when_there_is_no_room(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(monkeypatch, 8 * 40 * 3 * 5)
    with pytest.raises(MemoryError, match=r"m: after \d+ landmarks of 40 rows, \d+ more need .* landmarks.KMeans"):
        rule(KERNEL, X, 0)


def test_features_of_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    features = NystromFeatures(KERNEL, landmarks=X[:10, :]).fit(X)
    leave(monkeypatch, 10 * 8 * 39)
    with pytest.raises(
        MemoryError, match=r"X: 10 features of 40 rows need .*; take at most 19 rows at a time, see kern"
    ):
        features.transform(X)
    features.transform(X[:39, :])


def test_what_takes_long_is_said_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2**40)
    x = np.zeros((500_000, 1))
    with pytest.raises(
        SlowWarning, match=r"landmarks: 5000 of them for 500000 rows take 3e\+13 operations, 14 minutes"
    ):
        KernelRidge(KERNEL, landmarks=5000, reg=1e-3).fit(x, x[:, 0])


@pytest.mark.parametrize("name", [*MAKE, "exact", "exact path"])
def test_no_more_is_taken_than_was_said(name: str) -> None:
    rng = np.random.default_rng(0)
    work = WORK.get(name, FACTOR if name == "exact" else PATH)
    # Blocks of solvers that take steps are of one size, whatever m.
    for n, m in ((1100, 1100),) if name.startswith("exact") else ((401, 400), (401 if work is STEPS else 1600, 400)):
        x = rng.standard_normal((n, 3))
        points = x[:m, :]
        model = MAKE[{"exact": "ridge", "exact path": "path"}.get(name, name)](points)
        y = (x[:, 0] > 0).astype(int)
        tracemalloc.start()
        model.fit(x, y)
        _ = getattr(model, "model_", None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < work.bytes(len(x), m) * 1.1 + 2e6


@pytest.mark.parametrize(
    "solve",
    [
        lambda z: maps.nystrom(KERNEL, z),
        lambda z: solvers.kernel_ridge(KERNEL, z, X, X[:, :1], 1e-3),
        lambda z: solvers.falkon(KERNEL, z, X, X[:, :1], 1e-3),
        lambda z: solvers.fit_kernel(KERNEL, z, X, np.sign(X[:, :1]), solvers.Logistic(), 1e-3),
    ],
    ids=["nystrom", "kernel_ridge", "falkon", "fit_kernel"],
)
def test_maps_and_solvers_refuse_landmarks_that_no_machine_has_room_for(solve: Any) -> None:
    with pytest.raises(MemoryError, match=rf"points: 1000000 landmarks need (?=42\.0 TB){FITS}"):
        solve(np.broadcast_to(np.zeros(3), (1_000_000, 3)))


def test_free_memory(tmp_path: Path) -> None:
    for name, text in (
        ("memory.max", "1000"),
        ("memory.current", "900"),
        ("memory.stat", "anon 1\ninactive_file 50\n"),
    ):
        (tmp_path / name).write_text(text)
    assert list(memory._of_groups(tmp_path)) == [150]
    (tmp_path / "memory.max").write_text("max\n")
    assert list(memory._of_groups(tmp_path)) == []
    assert memory.free_memory() is None or memory.free_memory() > 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all the memory of the machine counts as free")
def test_free_memory_under_a_limit() -> None:
    code = "from kerneltools.memory import free_memory; print(free_memory())"
    found = subprocess.run(
        ["sh", "-c", f"ulimit -v 4000000; exec {sys.executable} -c '{code}'"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0 < int(found.stdout) < 4_000_000 * 1024


def test_most_is_the_most() -> None:
    work = Work(squares=5.0, blocks=2.0)
    for free in (1e3, 1e6, 1e12):
        m = work.most(100, free)
        assert work.bytes(100, m) <= free < work.bytes(100, m + 1)

"""Kernel ridge regression on images, beside scikit-learn's Nystroem and Ridge: time, memory and accuracy of a fit.

Images averaged over 2 x 2 pixels, less their mean, in units of their standard deviation, float32; targets +1 in the
column of the class, -1 elsewhere; a Gaussian kernel of half the median distance; m landmarks. All by turns in one
process: seconds of the fit (least of the runs, of the wall clock and of the process), the peak of extra memory in a
process of its own, and the accuracy on the test images. The landmarks are those that scikit-learn draws, except where
the line says `default`: there the fit chooses them, by k-means of batches.

Usage: python benchmarks/ridge.py cifar10_full.npz [--m 1000] [--reg 1e-6] [--runs 3] [--threads 1]
The file holds X_train (n, 32, 32, 3), y_train, X_test, y_test.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from datasets import median_distance, pooled, standardised
from measuring import in_fresh_process, limit_threads, peak, timed

from kerneltools import solvers
from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian

Predict = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows x (n, d) and targets y (n, classes), m, λ and the bandwidth."""

    x: Any
    y: Any
    m: int
    reg: float
    bandwidth: float

    @property
    def points(self) -> Any:
        """The rows that scikit-learn's Nystroem draws for random_state=0."""
        return self.x[np.random.RandomState(0).permutation(len(self.x))[: self.m]]


def ours(p: Problem) -> Predict:
    """The estimator on given landmarks; its model is solved for when it is first asked for."""
    return _solved(KernelRidge(Gaussian(p.bandwidth), landmarks=p.points, reg=p.reg).fit(p.x, p.y))


def by_default(p: Problem) -> Predict:
    """The estimator, which chooses landmarks."""
    return _solved(KernelRidge(Gaussian(p.bandwidth), landmarks=p.m, reg=p.reg).fit(p.x, p.y))


def _solved(estimator: KernelRidge) -> Predict:
    assert estimator.model_ is not None
    return estimator.predict


def solver(p: Problem) -> Predict:
    """The solver itself: no intercept, predictions in float64."""
    return solvers.kernel_ridge(Gaussian(p.bandwidth), p.points, p.x, p.y, p.reg)


def theirs(p: Problem) -> Predict:
    """scikit-learn's pipeline; its alpha is n λ."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    features = Nystroem(gamma=0.5 / p.bandwidth**2, n_components=p.m, random_state=0)
    return make_pipeline(features, Ridge(alpha=len(p.x) * p.reg)).fit(p.x, p.y).predict


SIDES: dict[str, Callable[[Problem], Predict]] = {
    "KernelRidge": ours,
    "KernelRidge, default": by_default,
    "kernel_ridge": solver,
    "scikit-learn": theirs,
}


def extra_memory(side: str, path: str, m: int, reg: float, bandwidth: float) -> float:
    """The growth of the peak of this process over the fit, in MB; the rows come from a file, as they are."""
    with np.load(path) as arrays:
        x, y = arrays["x"], arrays["y"]
    SIDES[side](Problem(x[:500], y[:500], 10, reg, bandwidth))
    before = peak()
    SIDES[side](Problem(x, y, m, reg, bandwidth))
    return (peak() - before) / 2**20


def memory_of(side: str, p: Problem) -> float:
    """`extra_memory` in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.npz")
        np.savez(path, x=p.x, y=p.y)
        return in_fresh_process(extra_memory, side, path, p.m, p.reg, p.bandwidth)


def compare(p: Problem, test: Any, labels: Any, runs: int) -> None:
    """One line for each side, and its time relative to scikit-learn's."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    accuracies = {}
    for _ in range(runs):
        for name, side in SIDES.items():
            predict, *seconds = timed(side, p)
            times[name].append(tuple(seconds))
            accuracies[name] = float(np.mean(np.argmax(predict(test), axis=1) == labels))
    least = {name: [min(run[i] for run in found) for i in (0, 1)] for name, found in times.items()}
    for name, (wall, cpu) in least.items():
        ratios = "".join(f"{a / b:>9.2f}" for a, b in zip((wall, cpu), least["scikit-learn"], strict=True))
        print(
            f"{name:<22}{wall:>9.2f}{cpu:>9.2f}{ratios}{memory_of(name, p):>9.0f}{accuracies[name]:>10.4f}", flush=True
        )


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--m", type=int, default=1000)
    parser.add_argument("--reg", type=float, default=1e-6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    with np.load(asked.data) as arrays:
        x, test = pooled(arrays["X_train"][: asked.rows]), pooled(arrays["X_test"])
        labels, test_labels = arrays["y_train"][: asked.rows], arrays["y_test"]
    x, test = standardised(x, x), standardised(test, x)
    targets = np.where(labels[:, None] == np.arange(labels.max() + 1), 1, -1).astype(np.float32)
    p = Problem(x, targets, asked.m, asked.reg, 0.5 * median_distance(x))
    print(f"n = {len(x)}, d = {x.shape[1]}, m = {p.m}, λ = {p.reg:g}, float32, {limit_threads(asked.threads)}")
    print(f"{'':<22}{'seconds':>9}{'cpu':>9}{'ratio':>9}{'of cpu':>9}{'MB':>9}{'accuracy':>10}")
    compare(p, test, test_labels, asked.runs)


if __name__ == "__main__":
    main()

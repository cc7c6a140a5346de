"""Kernel ridge regression on all rows, beside scikit-learn's: time of a fit, and how far the predictions lie apart.

Friedman's function of ten columns, a Gaussian kernel of bandwidth 1, λ 1e-6 (their alpha is n λ, of targets less our
intercept). Both by turns in one process, in float64: seconds of the fit of the wall clock and of the process, the least
of the runs.

Usage: python benchmarks/full_ridge.py [--rows 4000] [--runs 5] [--threads 1]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.kernel_ridge
from sklearn.datasets import make_friedman1

sys.path.insert(0, str(Path(__file__).parent))

from measuring import limit_threads, timed

from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian

BANDWIDTH, REG = 1.0, 1e-6


def ours(x: Any, y: Any) -> Any:
    """All rows are the landmarks."""
    return KernelRidge(Gaussian(BANDWIDTH), landmarks=x, reg=REG).fit(x, y)


def theirs(x: Any, y: Any) -> Any:
    """Theirs, without an intercept."""
    ridge = sklearn.kernel_ridge.KernelRidge(kernel="rbf", gamma=0.5 / BANDWIDTH**2, alpha=len(x) * REG)
    return ridge.fit(x, y)


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    print(f"n = {asked.rows}, {limit_threads(asked.threads)}")
    x, y = make_friedman1(asked.rows, noise=1.0, random_state=0)
    intercept = float(ours(x, y).model_.intercept[0])
    times: dict[str, list[tuple[float, float]]] = {"KernelRidge": [], "scikit-learn": []}
    for _ in range(asked.runs):
        model, *seconds = timed(ours, x, y)
        other, *others = timed(theirs, x, y - intercept)
        times["KernelRidge"].append(tuple(seconds))
        times["scikit-learn"].append(tuple(others))
    new = make_friedman1(1000, random_state=1)[0]
    apart = float(np.abs(model.predict(new) - other.predict(new) - intercept).max())
    least = {name: [min(run[i] for run in found) for i in (0, 1)] for name, found in times.items()}
    print(f"{'':<14}{'seconds':>9}{'cpu':>9}{'ratio':>9}{'of cpu':>9}")
    for name, both in least.items():
        ratios = "".join(f"{a / b:>9.2f}" for a, b in zip(both, least["scikit-learn"], strict=True))
        print(f"{name:<14}{both[0]:>9.2f}{both[1]:>9.2f}{ratios}")
    print(f"predictions of new rows differ by at most {apart:.1e}")


if __name__ == "__main__":
    main()

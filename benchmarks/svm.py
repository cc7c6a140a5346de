"""`KernelClassifier(loss=SquaredHinge())` as it comes, beside scikit-learn's `SVC`, and `Nystroem` with `LinearSVC`.

16,000 training and 4,000 test rows of `make_classification`; `SVC()` as it comes, `Nystroem` of 1,000 components with
its gamma. They take turns, `--runs` times; seconds of the least fit, and of the least fit and score: of the
processor, or with --wall of the clock on the wall, where what uses two cores is ahead of what uses one.

Usage: OMP_NUM_THREADS=1 python benchmarks/svm.py [--runs 3] [--wall] [table ...]
"""

import argparse
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

from sklearn.datasets import make_classification
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from kerneltools.estimators import KernelClassifier
from kerneltools.solvers import SquaredHinge

TABLES: dict[str, dict[str, Any]] = {
    "20 columns": {"n_features": 20, "n_informative": 10, "n_clusters_per_class": 4},
    "30 columns": {"n_features": 30, "n_informative": 15, "n_redundant": 5, "n_clusters_per_class": 4, "flip_y": 0.05},
    "4 classes": {"n_features": 20, "n_informative": 10, "n_classes": 4},
}


def models(x: Any) -> dict[str, Callable[[], Any]]:
    """By name, the ones that take turns."""
    gamma = 1 / (x.shape[1] * x.var())  # SVC's own
    return {
        "KernelClassifier": lambda: KernelClassifier(loss=SquaredHinge()),
        "SVC": SVC,
        "Nystroem, LinearSVC": lambda: make_pipeline(
            Nystroem(gamma=gamma, n_components=1000, random_state=0), LinearSVC(random_state=0)
        ),
    }


def main() -> None:
    """A line for each table and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--wall", action="store_true", help="seconds of the clock on the wall")
    arguments = parser.parse_args()
    clock = perf_counter if arguments.wall else process_time
    print(f"{'table':<14}{'model':<22}{'accuracy':>9}{'fit, s':>9}{'of ours':>9}{'and score, s':>14}")
    for table in arguments.tables:
        x, y = make_classification(20_000, random_state=0, **TABLES[table])
        a, b, y_a, y_b = train_test_split(x, y, train_size=16_000, random_state=0)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(arguments.runs):
            for name, make in models(a).items():
                start = clock()
                model = make().fit(a, y_a)
                fitted = clock() - start
                score = model.score(b, y_b)
                found.setdefault(name, []).append((fitted, clock() - start, score))
        ours = min(found["KernelClassifier"])[0]
        for name, runs in found.items():
            fitted, both = min(run[0] for run in runs), min(run[1] for run in runs)
            line = f"{table:<14}{name:<22}{runs[0][2]:>9.4f}{fitted:>9.2f}{fitted / ours:>9.2f}{both:>14.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()

"""`KernelRidge()` and `KernelClassifier()` as they come, beside scikit-learn's best of a 5 x 5 grid, on ten tables.

Each table as it is, with all columns times 1000, with a row of -999 among the training rows, and with a constant column
more. Three splits into 70 % for training and 30 % for the score (R2 or the share of labels that are right); the grid is
searched by 3-fold cross-validation on at most 1400 of the training rows, with `sklearn.kernel_ridge.KernelRidge` and
`sklearn.svm.SVC` and the bandwidths that ours try, multiples of the median distance. Seconds are of the processor.

Usage: OMP_NUM_THREADS=1 python benchmarks/defaults.py [table ...]
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import numpy as np
from sklearn import datasets, kernel_ridge, svm
from sklearn.metrics import euclidean_distances
from sklearn.model_selection import GridSearchCV, train_test_split

from kerneltools.estimators import KernelClassifier, KernelRidge

GRID_ROWS = 1400
SPLITS = 3
MULTIPLES = (0.5, 1, 2, 4, 8)
TABLES: dict[str, Callable[[], Any]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "friedman1": lambda: datasets.make_friedman1(2000, noise=1.0, random_state=0),
    "friedman1, 20,000 rows": lambda: datasets.make_friedman1(20_000, noise=1.0, random_state=0),
    "friedman2": lambda: datasets.make_friedman2(2000, noise=10.0, random_state=0),
    "friedman3": lambda: datasets.make_friedman3(2000, noise=0.1, random_state=0),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "moons": lambda: datasets.make_moons(2000, noise=0.2, random_state=0),
    "classification": lambda: datasets.make_classification(2000, n_features=20, n_informative=8, random_state=0),
}


def forms(x: Any, x_test: Any) -> Iterator[tuple[str, Any, Any]]:
    """The table as people have it."""
    odd = x.copy()
    odd[3] = -999
    yield "raw", x, x_test
    yield "times 1000", 1000 * x, 1000 * x_test
    yield "odd row", odd, x_test
    yield "constant column", *(np.column_stack([a, np.ones(len(a))]) for a in (x, x_test))


def grid(x: Any, classes: bool) -> Any:
    """scikit-learn's search."""
    distances = euclidean_distances(x[:500])
    median = np.median(distances[distances > 0])
    gammas = [1 / (2 * (multiple * median) ** 2) for multiple in MULTIPLES]
    if classes:
        return GridSearchCV(svm.SVC(), {"C": [0.1, 1, 10, 100, 1000], "gamma": gammas}, cv=3)
    alphas = [1e-4, 1e-3, 1e-2, 0.1, 1]
    return GridSearchCV(kernel_ridge.KernelRidge(kernel="rbf"), {"alpha": alphas, "gamma": gammas}, cv=3)


def timed(model: Any, x: Any, y: Any) -> float:
    """Fit it: seconds of the processor."""
    start = process_time()
    model.fit(x, y)
    return process_time() - start


def main(names: list[str]) -> None:
    """A line for each table and form: the means of the splits."""
    warnings.simplefilter("ignore")  # of scikit-learn about ill-conditioned corners of its grid
    print(f"{'table':<24}{'form':<17}{'ours':>8}{'grid':>8}{'ours - grid':>13}{'ours, s':>9}{'grid, s':>9}")
    for name in names or TABLES:
        x, y = TABLES[name]()
        found: dict[str, list[list[float]]] = {}
        for seed in range(SPLITS):
            a, b, y_a, y_b = train_test_split(x, y, test_size=0.3, random_state=seed)
            classes = y.dtype.kind in "iu"
            for form, train, test in forms(a, b):
                ours, peer = KernelClassifier() if classes else KernelRidge(), grid(train, classes)
                seconds = [timed(ours, train, y_a), timed(peer, train[:GRID_ROWS], y_a[:GRID_ROWS])]
                found.setdefault(form, []).append([ours.score(test, y_b), peer.score(test, y_b), *seconds])
        for form, rows in found.items():
            ours_score, peer_score, ours_seconds, peer_seconds = np.mean(rows, axis=0)
            print(
                f"{name:<24}{form:<17}{ours_score:>8.3f}{peer_score:>8.3f}{ours_score - peer_score:>+13.3f}"
                f"{ours_seconds:>9.2f}{peer_seconds:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])

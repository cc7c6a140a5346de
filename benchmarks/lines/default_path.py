"""What estimators do by default, beside scikit-learn's Nystroem and a linear model on it, with as many landmarks.

Kernel, λ and the number of landmarks are given, all else is the default; KernelClassifier stands against
LogisticRegression. `all-defaults`: `KernelRidge()`, which looks for bandwidth and λ too, beside one fit of the pipeline
at fixed ones, and beside a random search of as many candidates. Each with its error on rows left out.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lines import SKLEARN, AtMost, Line, Measure, Megabytes, Value

TRIED = 95
"""Candidates of `KernelRidge()`: 5 bandwidths, 19 λ."""

REG = 1e-6


def problem(n: int, d: int, dtype: str) -> tuple[Any, ...]:
    """Rows on a curved sheet, a smooth target with noise, and half the median distance; 1,000 rows left out."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from datasets import median_distance, sheet

    x = sheet(n + 1000, d).x.astype(dtype)
    bandwidth = 0.5 * median_distance(x)
    rng = np.random.default_rng(5)
    y = np.sin(2 * (x @ rng.standard_normal(d)) / bandwidth) + 0.1 * rng.standard_normal(len(x))
    return x[:n], y[:n].astype(dtype), x[n:], y[n:], bandwidth


def scored(fit: Callable[[], Any], of: Callable[[Any], float]) -> Callable[[], dict[str, float]]:
    """Seconds of the fit, and the error."""
    from time import perf_counter

    def run() -> dict[str, float]:
        start = perf_counter()
        found = fit()
        seconds = perf_counter() - start
        return {"seconds": seconds, "error": of(found)}

    return run


def features(side: str, n: int, d: int, m: int, dtype: str) -> Callable[[], dict[str, float]]:
    """Features of all rows; the error is what they miss of the diagonal, on average."""
    import numpy as np
    from sklearn.kernel_approximation import Nystroem

    from kerneltools.estimators import NystromFeatures
    from kerneltools.kernels import Gaussian

    x, _, left_out, _, bandwidth = problem(n, d, dtype)

    def fit() -> Any:
        made: Any = (
            NystromFeatures(Gaussian(bandwidth), landmarks=m)
            if side == "ours"
            else Nystroem(gamma=0.5 / bandwidth**2, n_components=m, random_state=0)
        ).fit(x)
        made.transform(x)
        return made

    return scored(fit, lambda made: float(np.mean(1 - np.sum(made.transform(left_out).astype(float) ** 2, axis=1))))


def ridge(side: str, n: int, d: int, m: int, dtype: str) -> Callable[[], dict[str, float]]:
    """A regression; the error is the mean square."""
    import numpy as np
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.pipeline import make_pipeline

    from kerneltools.estimators import KernelRidge
    from kerneltools.kernels import Gaussian

    x, y, left_out, wanted, bandwidth = problem(n, d, dtype)
    pipeline = make_pipeline(Nystroem(gamma=0.5 / bandwidth**2, n_components=m, random_state=0), Ridge(alpha=REG * n))
    gammas = [0.5 / (2.0**power * bandwidth) ** 2 for power in range(5)]
    grid = {"nystroem__gamma": gammas, "ridge__alpha": [n * 10.0 ** (-p / 2) for p in range(19)]}

    def fit() -> Any:
        if side == "theirs":
            return pipeline.fit(x, y)
        if side == "search":
            return RandomizedSearchCV(pipeline, grid, n_iter=TRIED, cv=3, random_state=0).fit(x, y)
        kernel, reg = (None, None) if side == "all defaults" else (Gaussian(bandwidth), REG)
        found = KernelRidge(kernel, landmarks=m, reg=reg).fit(x, y)
        assert found.model_ is not None  # it is solved when it is asked for
        return found

    return scored(fit, lambda found: float(np.mean((found.predict(left_out).astype(float).ravel() - wanted) ** 2)))


def classifier(side: str, n: int, d: int, m: int, dtype: str) -> Callable[[], dict[str, float]]:
    """Two classes; the error is the share of labels that are wrong."""
    import numpy as np
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from kerneltools.estimators import KernelClassifier
    from kerneltools.kernels import Gaussian

    x, y, left_out, wanted, bandwidth = problem(n, d, dtype)

    def fit() -> Any:
        if side == "ours":
            return KernelClassifier(Gaussian(bandwidth), landmarks=m, reg=REG).fit(x, y > 0)
        made = Nystroem(gamma=0.5 / bandwidth**2, n_components=m, random_state=0)
        return make_pipeline(made, LogisticRegression(C=0.5 / (REG * n), max_iter=1000)).fit(x, y > 0)

    return scored(fit, lambda found: float(np.mean(np.asarray(found.predict(left_out)) != (wanted > 0))))


def pair(
    name: str, what: str, make: Callable[..., Any], size: tuple[Any, ...], quick: bool, *sides: str, runs: int = 3
) -> tuple[Line, ...]:
    """Time, and the error beside it."""
    ours, theirs = (partial(make, side, *size) for side in sides or ("ours", "theirs"))
    measures: dict[str, Measure] = {"seconds": Value("s", "seconds"), "error": Value("", "error")}
    n, d, m, dtype = size
    return tuple(
        Line(
            f"{name}-{n}-{d}-{m}-{dtype}" + ("" if key == "seconds" else "-error"),
            f"{what}, n = {n:,}, d = {d}, m = {m:,}, {dtype}" + ("" if key == "seconds" else ": error"),
            ours,
            theirs,
            AtMost(1.0),
            "scikit-learn",
            measure=measure,
            quick=quick,
            needs=(SKLEARN,),
            runs=runs,
        )
        for key, measure in measures.items()
    )


SIZES: tuple[tuple[int, int, int, str], ...] = (
    (2_000, 8, 300, "float64"),
    (2_000, 50, 1_000, "float32"),
    (10_000, 50, 300, "float32"),
    (10_000, 768, 1_000, "float32"),
    (50_000, 50, 1_000, "float64"),
    (50_000, 768, 1_000, "float32"),
    (200_000, 50, 1_000, "float32"),
)
QUICK = SIZES[1:3]
LARGE = SIZES[4]
LINES: tuple[Line, ...] = (
    *(each for size in SIZES for each in pair("nystrom", "NystromFeatures", features, size, size in QUICK)),
    Line(
        f"nystrom-{'-'.join(map(str, LARGE))}-memory",
        "NystromFeatures, n = 50,000, d = 50, m = 1,000, float64: peak of memory, the features among it",
        partial(features, "ours", *LARGE),
        partial(features, "theirs", *LARGE),
        AtMost(1.0),
        "scikit-learn",
        measure=Megabytes(),
        needs=(SKLEARN,),
        runs=1,
        warm_up=0,
    ),
    *(each for size in SIZES for each in pair("ridge", "KernelRidge", ridge, size, size in QUICK)),
    *(each for size in SIZES[:4] for each in pair("classifier", "KernelClassifier", classifier, size, False, runs=1)),
    *pair("all-defaults", "KernelRidge, no kernel, no λ", ridge, SIZES[1], False, "all defaults", "theirs"),
    *pair(
        "search",
        "KernelRidge, beside a search",
        ridge,
        (2_000, 50, 300, "float32"),
        False,
        "all defaults",
        "search",
        runs=1,
    ),
)

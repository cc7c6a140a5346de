"""Series: Nyström maps of global alignment, and features of signatures in time linear in the length.

GunPoint, ECG200, Coffee (the archive's split, series as they are there): for each of five widths, multiples of the
median heuristic, the matrix of the training series; 50 landmarks by randomly pivoted Cholesky, or all where there are
fewer; width and C of scikit-learn's linear SVC by five folds of the training series. Seconds: all of that, the map
of the chosen width, and the accuracy on the test series.

JapaneseVowels, BasicMotions (the archive's split): channels of mean 0 and variance 1 on the training series, a channel
of time from 0 to 1 and a point 0 in front, so that shifts are seen; about 2,000 features of `maps.signature`, levels of
one norm; depth 2 or 3, the width and C by five folds of the training series. The mean accuracy on the test series of
five draws, with their range, and the seconds of one.
"""

from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from measuring import in_fresh_process, peak
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC
from structured_rows import Row

from kerneltools import landmarks, maps, solvers
from kerneltools.kernels import Gaussian, Precomputed
from kerneltools.kernels.distances import median_distance
from kerneltools.kernels.series import GlobalAlignment, Signature
from kerneltools.structures import Ragged

WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)
GRID = {"C": 10.0 ** np.arange(-1, 5)}
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def gunpoint(folder: Path) -> Row:
    """Accuracy and seconds."""
    return _alignment(folder, "GunPoint", 0.90, "tslearn .853, 10.2 s")


def ecg200(folder: Path) -> Row:
    """Accuracy and seconds."""
    return _alignment(folder, "ECG200", 0.89, "tslearn .890, 4.0 s")


def coffee(folder: Path) -> Row:
    """Accuracy and seconds."""
    return _alignment(folder, "Coffee", 0.96, "tslearn .964, 3.4 s")


def japanese_vowels(folder: Path) -> Row:
    """Accuracy and seconds."""
    return _signature(folder, "JapaneseVowels", 0.97, "KSig .986")


def basic_motions(folder: Path) -> Row:
    """Accuracy and seconds."""
    return _signature(folder, "BasicMotions", 1.0, "KSig 1.000")


def many_series(_: Path) -> Row:
    """Memory and seconds of 100,000 predictions."""
    seconds, memory = in_fresh_process(predicted, 100_000)
    return Row(
        "100,000 drawn series of length 100 predicted, global alignment with 50 landmarks, window 10",
        f"{memory / 2**30:.2f} GiB at most, the data and libraries included; {seconds:.0f} s",
        "1 GB",
        memory < 1e9,
        "tslearn > 100 GB",
    )


ROWS = (gunpoint, ecg200, coffee, japanese_vowels, basic_motions, many_series)


def predicted(n: int) -> tuple[float, int]:
    """Seconds of the prediction of n series, and the peak of the memory of this process."""
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((n, 100, 1), dtype=np.float32)
    x = Ragged.of_padded(np.cumsum(steps, axis=1))
    kernel = GlobalAlignment.of_median(x[:100], 0.5, window=10)
    model = solvers.kernel_ridge(kernel, x[:50], x[:500], np.sign(steps[:500, :50].sum(axis=1)), 1e-2)
    started = perf_counter()
    model(x)
    return perf_counter() - started, peak()


def _alignment(folder: Path, name: str, wanted: float, other: str) -> Row:
    with np.load(folder / f"ucr_{name}.npz") as file:
        x, new = (Ragged.of_padded(file[f"X_{part}"].astype(float)[:, :, None]) for part in ("train", "test"))
        y, y_new = file["y_train"], file["y_test"]
    started = perf_counter()
    tried = [_of_width(GlobalAlignment.of_median(x, multiple), x, y) for multiple in WIDTHS]
    kernel, chosen, search = max(tried, key=lambda one: one[2].best_score_)
    accuracy = search.score(maps.nystrom(kernel, x[chosen])(new), y_new)
    seconds = perf_counter() - started
    return Row(
        f"{name}, Nyström on global alignment, m = {len(chosen)}, width by cross-validation",
        f"{accuracy:.3f}, {seconds:.1f} s",
        f"{wanted}, 5 s",
        accuracy >= wanted and seconds <= 5,
        other,
    )


def _of_width(kernel: GlobalAlignment, x: Ragged, y: Any) -> tuple[GlobalAlignment, list[int], Any]:
    """The kernel, the numbers of its landmarks, and the search for C."""
    known, numbers = Precomputed(kernel(x, x)), np.arange(float(len(x)))[:, None]
    chosen = list(landmarks.RPCholesky(min(50, len(x)))(known, numbers, 0).indices or ())
    features = maps.nystrom(known, numbers[chosen])(numbers)
    return kernel, chosen, GridSearchCV(SVC(kernel="linear"), GRID, cv=FOLDS).fit(features, y)


def _signature(folder: Path, name: str, wanted: float, other: str) -> Row:
    with np.load(folder / f"ts_{name}.npz") as file:
        mean, scale = file["values_train"].mean(axis=0), file["values_train"].std(axis=0)
        parts = ("train", "test")
        x, new = (_in_time((file[f"values_{part}"] - mean) / scale, file[f"ptr_{part}"]) for part in parts)
        y, y_new = file["y_train"], file["y_test"]
    started = perf_counter()
    found = [_drawn(seed, x, y, new, y_new) for seed in range(5)]
    seconds = (perf_counter() - started) / 5
    return Row(
        f"{name}, signature features",
        f"{np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f}), {seconds:.1f} s",
        f"{wanted}",
        bool(np.mean(found) >= wanted),
        other,
    )


def _in_time(values: Any, offsets: Any) -> Ragged:
    """A channel of time, and a point 0 in front."""
    timed = []
    for one in Ragged(values.astype(np.float64), offsets):
        time = np.linspace(0, 1, len(one))[:, None]
        timed.append(np.pad(np.concatenate([one, time], axis=1), ((1, 0), (0, 0))))
    return Ragged.of(timed)


def _drawn(seed: int, x: Ragged, y: Any, new: Ragged, y_new: Any) -> float:
    median, tried = median_distance(x.values), []
    for depth, multiple in product((2, 3), (0.5, 1.0, 2.0)):
        kernel = Signature(depth, Gaussian(multiple * median), normalised=True)
        phi = maps.signature(kernel, x.columns, 2000, seed)
        tried.append((phi, GridSearchCV(SVC(kernel="linear"), GRID, cv=FOLDS).fit(phi(x), y)))
    phi, search = max(tried, key=lambda one: one[1].best_score_)
    return float(search.score(phi(new), y_new))

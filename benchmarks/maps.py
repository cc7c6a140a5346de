"""Nyström features beside scikit-learn's: time and memory of landmarks, map and all features, float32.

Both by turns in one process: seconds (least of the runs, of the wall clock and of the process), and the peak of extra
memory in sizes of the result, each in a process of its own. Errors against time, of all maps: benchmarks/errors.py.

Usage: python benchmarks/maps.py [speed] [--n 50000] [--d 50] [--m 1000] [--runs 3] [--threads 1]
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from datasets import median_distance
from measuring import in_fresh_process, limit_threads, peak, timed

from kerneltools import landmarks, maps
from kerneltools.kernels import Gaussian


def ours(x: Any, kernel: Gaussian, m: int) -> Any:
    """Nyström features on uniform landmarks, as scikit-learn's are."""
    return maps.nystrom(kernel, landmarks.Uniform(m)(kernel, x, 0).points)(x)


def theirs(x: Any, kernel: Gaussian, m: int) -> Any:
    """The same by scikit-learn."""
    from sklearn.kernel_approximation import Nystroem

    return Nystroem(gamma=0.5 / float(kernel.bandwidth) ** 2, n_components=m, random_state=0).fit_transform(x)


SIDES: dict[str, Callable[[Any, Gaussian, int], Any]] = {"kerneltools": ours, "scikit-learn": theirs}


def problem(n: int, d: int) -> tuple[Any, Gaussian]:
    """Normal rows, and the kernel of their median distance."""
    x = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    return x, Gaussian(median_distance(x))


def extra_memory(side: str, n: int, d: int, m: int) -> float:
    """The growth of the peak of this process over the features' making, in sizes of the result."""
    x, kernel = problem(n, d)
    SIDES[side](x[:200], kernel, 10)
    before = peak()
    size = SIDES[side](x, kernel, m).nbytes
    return (peak() - before) / size


def speed(n: int, d: int, m: int, runs: int) -> None:
    """The table of the two, and their ratios."""
    x, kernel = problem(n, d)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for _ in range(runs):
        for name, side in SIDES.items():
            times[name].append(timed(side, x, kernel, m)[1:])
    table = {
        name: (*(min(run[i] for run in found) for i in (0, 1)), in_fresh_process(extra_memory, name, n, d, m))
        for name, found in times.items()
    }
    for name, row in table.items():
        print(f"{name:<14}" + "".join(f"{value:>9.3f}" for value in row))
    ratios = (a / b for a, b in zip(table["kerneltools"], table["scikit-learn"], strict=True))
    print(f"{'ratio':<14}" + "".join(f"{value:>9.3f}" for value in ratios), flush=True)


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("speed",), default="speed")
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--d", type=int, default=50)
    parser.add_argument("--m", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    print(f"n = {asked.n}, d = {asked.d}, m = {asked.m}, float32, {limit_threads(asked.threads)}")
    print(f"{'':<14}{'seconds':>9}{'cpu':>9}{'memory':>9}")
    speed(asked.n, asked.d, asked.m, asked.runs)


if __name__ == "__main__":
    main()

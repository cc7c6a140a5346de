"""Rules that choose landmarks: how much of the kernel they miss, and how long they take.

rules: data, rule, m, relative trace error tr(K - K̂) / tr K of the Nyström map (median and worst over the seeds),
seconds (least over the seeds, of the wall clock and of the process). The kernel is Gaussian; its bandwidth is a
multiple of the median distance between rows. `svd` is the least error that any m features can have, where n is small
enough to compute it.
rpcholesky: the least seconds of five runs, n = 10,000, d = 50, m = 500, float32.

Usage: python benchmarks/landmarks.py rules [--data digits clustered images.npz] [--m 50 200] [--seeds 3] [--csv]
       python benchmarks/landmarks.py rpcholesky
An .npz file holds images or rows in its first array; 10,000 of them are taken, images averaged over 2 x 2 pixels.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from kerneltools import landmarks
from kerneltools.kernels import Gaussian
from kerneltools.landmarks import Selector

RULES: dict[str, Callable[[int], Selector]] = {
    "Uniform": landmarks.Uniform,
    "KMeansPlusPlus": landmarks.KMeansPlusPlus,
    "KMeans": landmarks.KMeans,
    "MiniBatchKMeans": landmarks.MiniBatchKMeans,
    "RPCholesky": landmarks.RPCholesky,
    "RPCholesky block=1": lambda m: landmarks.RPCholesky(m, block=1),
    "Greedy": landmarks.Greedy,
    "RidgeLeverage": landmarks.RidgeLeverage,
    "BLESS": landmarks.BLESS,
}
HEADER = ("data", "bandwidth", "rule", "m", "median", "worst", "seconds", "cpu")


@dataclass(frozen=True, eq=False)
class Data:
    """Rows, and the bandwidths of the kernels to try on them in units of their median distance."""

    name: str
    x: Any
    scales: tuple[float, ...]
    sizes: tuple[int, ...]


def digits() -> Data:
    """Handwritten digits, 1,797 x 64."""
    from sklearn.datasets import load_digits

    return Data("digits", load_digits().data / 16, (0.5, 1.0), (50, 200))


def clustered(n: int = 10_000, d: int = 20, seed: int = 1) -> Data:
    """A wide cluster, and 30 small ones far away, of 0.5 % of the rows each: uniform draws miss some."""
    rng = np.random.default_rng(seed)
    small = n // 200
    far = [8 * rng.standard_normal(d) + 0.8 * rng.standard_normal((small, d)) for _ in range(30)]
    x = np.concatenate([rng.standard_normal((n - 30 * small, d)), *far])
    return Data("clustered", rng.permutation(x), (0.5, 2.0), (100, 500))


def sheet(n: int = 10_000, d: int = 50, latent: int = 8, seed: int = 0) -> Data:
    """Twenty unequal clusters on a curved sheet of 8 dimensions in 50, with a little noise."""
    rng = np.random.default_rng(seed)
    label = rng.choice(20, size=n, p=rng.dirichlet(np.full(20, 0.7)))
    place = 1.5 * rng.standard_normal((20, latent))
    spread = rng.uniform(0.3, 1, (20, 1)) / np.sqrt(np.arange(1, latent + 1))
    z = place[label] + spread[label] * rng.standard_normal((n, latent))
    bent = np.tanh(z @ rng.standard_normal((latent, 64)) / np.sqrt(latent))
    return Data("sheet", bent @ rng.standard_normal((64, d)) / 8 + 0.05 * rng.standard_normal((n, d)), (1.0,), (300,))


def file(path: str, n: int = 10_000) -> Data:
    """The first array of an .npz file, as rows of mean 0 and entries of the order of 1."""
    with np.load(path) as arrays:
        x = arrays[arrays.files[0]][:n].astype(np.float32)
    if x.ndim == 4:
        x = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    x = x.reshape(len(x), -1)
    return Data(Path(path).stem, (x - x.mean(axis=0)) / x.std(), (0.5, 1.0), (100, 500))


NAMED = {"digits": digits, "clustered": clustered, "sheet": sheet}


def median_distance(x: Any) -> float:
    """Between 1,000 rows."""
    part = np.random.default_rng(0).permutation(x)[:1000].astype(float)
    square = np.sum(part**2, 1)[:, None] + np.sum(part**2, 1) - 2 * part @ part.T
    return float(np.sqrt(np.median(square[np.triu_indices(len(part), 1)].clip(0))))


def trace_error(kernel: Gaussian, points: Any, x: Any) -> float:
    """tr(K - K̂) / tr K, in float64, block by block."""
    points = points.astype(float)
    gram = kernel(points, points)
    factor = np.linalg.cholesky(gram + 1e-12 * len(gram) * np.eye(len(gram)))
    inverse = np.linalg.solve(factor, np.eye(len(gram)))
    found = sum(
        np.sum((inverse @ kernel(points, part.astype(float))) ** 2) for part in np.array_split(x, -(-len(x) // 4096))
    )
    return float(1 - found / len(x))


def least_error(kernel: Gaussian, x: Any, m: int) -> float:
    """That of the m first eigenvectors."""
    values = np.linalg.eigvalsh(kernel(x.astype(float), x.astype(float)))
    return float(1 - values[-m:].sum() / len(x))


def timed(selector: Selector, kernel: Gaussian, x: Any, seed: int) -> tuple[Any, float, float]:
    """The landmarks, and the seconds they took on the wall clock and of the process."""
    wall, cpu = perf_counter(), process_time()
    found = selector(kernel, x, seed)
    return found, perf_counter() - wall, process_time() - cpu


def rules(data: Data, sizes: tuple[int, ...], seeds: int) -> Iterator[tuple[Any, ...]]:
    """The lines of the table."""
    x = data.x.astype(np.float32)
    for scale in data.scales:
        kernel = Gaussian(scale * median_distance(x))
        for m in sizes:
            head = (data.name, f"{kernel.bandwidth:.3f}")
            if len(x) <= 2000:
                least = least_error(kernel, x, m)
                yield *head, "svd", m, least, least, 0.0, 0.0
            for name, make in RULES.items():
                runs = [timed(make(m), kernel, x, seed) for seed in range(seeds)]
                errors = [trace_error(kernel, found.points, x) for found, _, _ in runs]
                seconds, cpu = (min(run[i] for run in runs) for i in (1, 2))
                yield *head, name, m, median(errors), max(errors), seconds, cpu


def write(line: tuple[Any, ...], csv: bool) -> None:
    """One line of the table."""
    cells = [f"{cell:.5f}" if isinstance(cell, float) else str(cell) for cell in line]
    print(",".join(cells) if csv else "".join(f"{c:<20}" if i in (0, 2) else f"{c:>11}  " for i, c in enumerate(cells)))
    sys.stdout.flush()


def rpcholesky() -> None:
    """The time of the rule that grows fastest with m."""
    x = sheet().x.astype(np.float32)
    print(f"{'bandwidth':>10}{'block':>8}{'seconds':>10}{'cpu':>8}")
    for scale in (0.3, 0.5, 1.0):
        kernel = Gaussian(scale * median_distance(x))
        for block in (None, 50, 100):
            runs = [timed(landmarks.RPCholesky(500, block), kernel, x, seed)[1:] for seed in range(5)]
            wall, cpu = (min(run[i] for run in runs) for i in (0, 1))
            print(f"{kernel.bandwidth:>10.2f}{block or 'auto':>8}{wall:>10.3f}{cpu:>8.3f}", flush=True)


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("rules", "rpcholesky"))
    parser.add_argument("--data", nargs="+", default=list(NAMED))
    parser.add_argument("--m", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--csv", action="store_true")
    asked = parser.parse_args()
    if asked.command == "rpcholesky":
        return rpcholesky()
    write(HEADER, asked.csv)
    for name in asked.data:
        data = NAMED[name]() if name in NAMED else file(name)
        for line in rules(data, tuple(asked.m or data.sizes), asked.seeds):
            write(line, asked.csv)
    return None


if __name__ == "__main__":
    main()

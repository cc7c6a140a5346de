"""A stream of rows through a Nyström map into ridge regression: time per million rows, and peak memory.

The rows are drawn block by block and never stored; the time to draw them is told apart. Memory is the process's
greatest resident set, with the interpreter and its libraries.

    python benchmarks/streaming.py                 5 million rows of 20 columns, 500 landmarks
    python benchmarks/streaming.py --rows 1000000 --library torch
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from kerneltools import backend, landmarks, maps, streaming
from kerneltools.kernels import Gaussian

D, M, BLOCK, NOISE, REG = 20, 500, 8192, 0.1, 1e-6


def target(x: Any) -> Any:
    """A smooth function of the rows: (b, d) -> (b, 1)"""
    return np.sin(x[:, :1]) + 0.5 * np.cos(x[:, 1:2] * x[:, 2:3])


def pairs(n: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Blocks (x, y) in float32."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, BLOCK):
        x = rng.standard_normal((min(BLOCK, n - start), D), dtype=np.float32)
        noise = NOISE * rng.standard_normal((x.shape[0], 1), dtype=np.float32)
        yield x, (target(x) + noise).astype(np.float32)


def peak_megabytes() -> float:
    """The greatest resident set so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--library", default="numpy", choices=["numpy", "torch", "jax"])
    parser.add_argument("--steps", type=int, default=5, help="lines of the table")
    options = parser.parse_args()

    kernel, library = Gaussian(float(np.sqrt(D))), backend(options.library)
    sample = next(pairs(BLOCK, seed=1))[0]
    chosen = landmarks.default(kernel, M)(kernel, library.asarray(sample), 0)
    phi = maps.nystrom(kernel, chosen.points)
    print(f"{options.library}: {options.rows:,} rows of {D} columns, {M} landmarks, {BLOCK} rows at a time")
    print(f"{'rows':>12} {'seconds':>9} {'s per million':>14} {'peak MB':>9}")

    sums, seen, size = streaming.FeatureSums(phi), 0, max(1, options.rows // options.steps)
    while seen < options.rows:
        count = min(size, options.rows - seen)
        start = time.perf_counter()
        sums = streaming.ridge(phi, pairs(count, seed=2 + seen), start=sums)
        library.synchronize(sums.sums.gram)
        spent = time.perf_counter() - start
        seen += count
        print(f"{seen:12,} {spent:9.1f} {1e6 * spent / count:14.1f} {peak_megabytes():9.0f}", flush=True)

    start = time.perf_counter()
    for _ in pairs(size, seed=2):
        pass
    print(f"of which drawing the rows: {1e6 * (time.perf_counter() - start) / size:.1f} s per million")
    x = next(pairs(BLOCK, seed=3))[0]
    missed = library.to_numpy(sums.model(REG)(library.asarray(x))) - target(x)
    print(
        f"root of the mean squared error on new rows: {np.sqrt(np.mean(missed**2)):.4f}, of the targets' own: "
        f"{np.std(target(x)):.4f}"
    )


if __name__ == "__main__":
    main()

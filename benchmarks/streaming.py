"""A stream of rows through a Nyström map into ridge regression: time per million rows, and peak memory.

The rows are drawn block by block and never stored; the time to draw them is told apart. Seconds are those of the wall
clock and those of the process, which other work on the machine does not lengthen: they are what must not grow from one
million to the next. Memory is the process's greatest resident set, with the interpreter and its libraries.

    python benchmarks/streaming.py                 5 million rows of 20 columns, 500 landmarks
    python benchmarks/streaming.py --rows 1000000 --library torch
"""

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from measuring import limit_threads, peak, timed

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


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--library", default="numpy", choices=["numpy", "torch", "jax"])
    parser.add_argument("--steps", type=int, default=5, help="lines of the table")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    threads = limit_threads(options.threads)

    kernel, library = Gaussian(float(np.sqrt(D))), backend(options.library)
    sample = next(pairs(BLOCK, seed=1))[0]
    chosen = landmarks.default(kernel, M)(kernel, library.asarray(sample), 0)
    phi = maps.nystrom(kernel, chosen.points)
    print(f"{options.library}: {options.rows:,} rows of {D} columns, {M} landmarks, {BLOCK} rows at a time, {threads}")
    print(f"{'rows':>12} {'s per million':>14} {'of the process':>15} {'peak MB':>9}")

    def read(sums: streaming.FeatureSums, count: int, seed: int) -> streaming.FeatureSums:
        found = streaming.ridge(phi, pairs(count, seed), start=sums)
        library.synchronize(found.sums.gram)
        return found

    sums, seen, size = streaming.FeatureSums(phi), 0, max(1, options.rows // options.steps)
    while seen < options.rows:
        count = min(size, options.rows - seen)
        sums, wall, cpu = timed(read, sums, count, 2 + seen)
        seen += count
        print(f"{seen:12,} {1e6 * wall / count:14.2f} {1e6 * cpu / count:15.2f} {peak() / 2**20:9.0f}", flush=True)

    _, _, cpu = timed(lambda: deque(pairs(size, seed=2), maxlen=0))
    print(f"of which drawing the rows: {1e6 * cpu / size:.2f} s of the process per million")
    x = next(pairs(BLOCK, seed=3))[0]
    missed = library.to_numpy(sums.model(REG)(library.asarray(x))) - target(x)
    print(
        f"root of the mean squared error on new rows: {np.sqrt(np.mean(missed**2)):.4f}, of the targets' own: "
        f"{np.std(target(x)):.4f}"
    )


if __name__ == "__main__":
    main()

"""The time that landmarks take which need kernel values: n = 10,000 rows of d = 50 columns, m = 500, float32.

The least seconds of five runs, on the wall clock and of the process. Errors against time, of all rules:
benchmarks/errors.py.

`model`: the processor's seconds that rules for the Euclidean distance take, beside what the operations say by which
`landmarks.default` chooses, at 2e10 of them a second, and what it takes then.

Usage: python benchmarks/landmarks.py [rpcholesky | model] [--threads 1]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from datasets import median_distance, sheet
from measuring import limit_threads, timed

from kerneltools import landmarks
from kerneltools.kernels import Gaussian
from kerneltools.landmarks.choosing import allowance, operations


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("rpcholesky", "model"), default="rpcholesky")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    threads = limit_threads(asked.threads)
    (model if asked.command == "model" else rpcholesky)(threads)


def rpcholesky(threads: str) -> None:
    """Blocks of several sizes."""
    print(f"RPCholesky(500), {threads}\n{'bandwidth':>10}{'block':>8}{'seconds':>10}{'cpu':>8}")
    x = sheet().x
    for scale in (0.3, 0.5, 1.0):
        kernel = Gaussian(scale * median_distance(x))
        for block in (None, 50, 100, 1):
            runs = [timed(landmarks.RPCholesky(500, block), kernel, x, seed)[1:] for seed in range(5)]
            wall, cpu = (min(run[i] for run in runs) for i in (0, 1))
            print(f"{kernel.bandwidth:>10.2f}{block or 'auto':>8}{wall:>10.3f}{cpu:>8.3f}", flush=True)


def model(threads: str) -> None:
    """Predicted and measured seconds."""
    print(f"{threads}\n{'n':>8}{'d':>5}{'m':>6}  {'rule':<17}{'predicted':>10}{'measured':>10}{'allowed':>9}  taken")
    for n, d, m in ((2000, 8, 300), (2000, 50, 1000), (10_000, 768, 300), (10_000, 768, 1000), (50_000, 50, 1000)):
        x, kernel = sheet(n, d).x, Gaussian(1.0)
        taken = landmarks.default(kernel, m, (n, d))
        for rule in (landmarks.MiniBatchKMeans(m), landmarks.CellMeans(m), landmarks.Uniform(m)):
            seconds = min(timed(rule, kernel, x, seed)[2] for seed in range(3))
            predicted, allowed = (each / 2e10 for each in (operations(rule, n, d), allowance(n, m)))
            mark, name = "*" if rule == taken else "", type(rule).__name__
            print(
                f"{n:>8}{d:>5}{m:>6}  {name:<17}{predicted:>10.3f}{seconds:>10.3f}{allowed:>9.3f}  {mark}",
                flush=True,
            )


if __name__ == "__main__":
    main()

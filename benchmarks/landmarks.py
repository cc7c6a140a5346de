"""The time that landmarks take which need kernel values: n = 10,000 rows of d = 50 columns, m = 500, float32.

The least seconds of five runs, on the wall clock and of the process. Errors against time, of all rules:
benchmarks/errors.py.

Usage: python benchmarks/landmarks.py [--threads 1]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from datasets import median_distance, sheet
from measuring import limit_threads, timed

from kerneltools import landmarks
from kerneltools.kernels import Gaussian


def main() -> None:
    """As the usage says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("rpcholesky",), default="rpcholesky")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    print(f"RPCholesky(500), {limit_threads(asked.threads)}\n{'bandwidth':>10}{'block':>8}{'seconds':>10}{'cpu':>8}")
    x = sheet().x
    for scale in (0.3, 0.5, 1.0):
        kernel = Gaussian(scale * median_distance(x))
        for block in (None, 50, 100, 1):
            runs = [timed(landmarks.RPCholesky(500, block), kernel, x, seed)[1:] for seed in range(5)]
            wall, cpu = (min(run[i] for run in runs) for i in (0, 1))
            print(f"{kernel.bandwidth:>10.2f}{block or 'auto':>8}{wall:>10.3f}{cpu:>8.3f}", flush=True)


if __name__ == "__main__":
    main()

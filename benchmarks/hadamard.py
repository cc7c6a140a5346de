"""From which number of columns on structured frequencies are faster than dense ones: processor time, one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/hadamard.py

Each number is the least of seven runs, dense and structured in turn.
"""

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

from kerneltools.kernels import Gaussian
from kerneltools.maps import fourier


def microseconds(f: Callable[[], Any]) -> float:
    """Of processor time."""
    start = process_time()
    f()
    return 1e6 * (process_time() - start)


def case(d: int, m: int, dtype: str) -> str:
    """A row of the table."""
    n = max(256, 2**21 // m)
    x = np.random.default_rng(1).standard_normal((n, d)).astype(dtype)
    maps = [fourier(Gaussian(d**0.5), d, m, 0, structured=structured, like=x) for structured in (False, True)]
    runs = np.asarray([[microseconds(lambda phi=phi: phi(x)) / n for phi in maps] for _ in range(7)])  # type: ignore[misc]
    dense, structured = runs.min(axis=0)
    return f"| {d:,} | {m:,} | {dtype} | {dense:.1f} | {structured:.1f} | {structured / dense:.2f} |"


def main() -> None:
    """The table of docs/performance.md."""
    print("| d | m | type | dense, µs a row | structured, µs a row | ratio |\n|---|---|---|---|---|---|")
    for dtype in ("float32", "float64"):
        for d in (64, 256, 512, 784, 1024, 3072, 4096):
            for m in sorted({max(512, 2 * d), 8192}):
                print(case(d, m, dtype), flush=True)


if __name__ == "__main__":
    main()

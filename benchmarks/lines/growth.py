"""How time and memory grow: with rows of a stream, landmarks of a solver, images of an encoding, by threads.

Each size has a process of its own; its time is the least of the runs that fit into half a second, one at least. Slopes
are those of least squares through the logarithms of all sizes: 1 is in proportion. The sizes and what was measured at
each stay with the record of the line, for the table and the picture.
"""

from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from lines import AtMost, Line, Value, plain_torch

D, M, ROWS = 20, 200, 12_000
SECONDS = 0.5
SIZES: dict[str, tuple[int, ...]] = {
    "rows": (10**4, 10**5, 10**6, 10**7),
    "landmarks": (100, 300, 1000, 3000, 10_000),
    "images": (1000, 10_000, 60_000),
}
WHAT = {
    "rows": f"stream of rows of {D} columns, {M} Nyström features, ridge regression",
    "landmarks": f"`kernel_ridge` on {ROWS:,} rows of {D} columns",
    "images": "`unsup-64-256`, encoding on NumPy",
}


def rows(n: int) -> Callable[[], Any]:
    """Drawn block by block, and never stored."""
    import streaming as drawn

    from kerneltools import maps, streaming
    from kerneltools.kernels import Gaussian

    centres = np.random.default_rng(1).standard_normal((M, D), dtype=np.float32)
    phi = maps.nystrom(Gaussian(D**0.5), centres)
    return lambda: streaming.ridge(phi, drawn.pairs(n, seed=0)).model(1e-6)


def landmarks(m: int) -> Callable[[], Any]:
    """A fit on that many of the rows."""
    from kerneltools import solvers
    from kerneltools.kernels import Gaussian

    x = np.random.default_rng(0).standard_normal((ROWS, D), dtype=np.float32)
    return lambda: solvers.kernel_ridge(Gaussian(D**0.5), x[:m], x, np.sin(x[:, :1]), 1e-6)


def images(n: int) -> Callable[[], Any]:
    """All features, in one array."""
    x = np.tile(plain_torch.images(1000), (-(-n // 1000), 1, 1, 1))[:n]
    network = plain_torch.network("unsup-64-256", x).prepare()
    return lambda: network.encode(x)


KINDS: dict[str, Callable[[int], Callable[[], Any]]] = {"rows": rows, "landmarks": landmarks, "images": images}


def point(kind: str, size: int, first: int) -> tuple[int, float, float]:
    """The size, seconds and MB, of this process, which has done the first size before."""
    from measuring import forget_peak, peak

    KINDS[kind](first)()
    call = KINDS[kind](size)
    before, start = forget_peak(), perf_counter()
    call()
    least = perf_counter() - start
    megabytes = (peak() - before) / 2**20
    end = start + SECONDS
    while perf_counter() + least < end:
        start = perf_counter()
        call()
        least = min(least, perf_counter() - start)
    return size, least, megabytes


def series(kind: str, sizes: tuple[int, ...] | None = None) -> Callable[[], Mapping[str, Any]]:
    """All sizes: slopes, the growth of memory from the second to the last, and the points."""
    from measuring import in_fresh_process

    sizes = sizes or SIZES[kind]

    def run() -> Mapping[str, Any]:
        points = [in_fresh_process(point, kind, size, sizes[0]) for size in sizes]
        n, seconds, megabytes = np.log(np.maximum(np.asarray(points), 1e-3)).T
        return {
            "slope": np.polyfit(n, seconds, 1)[0],
            "memory": np.exp(megabytes[-1] - megabytes[1]),
            "points": points,
        }

    return run


SERIES = {kind: partial(series, kind) for kind in KINDS}


def line(kind: str, threads: int, bound: float) -> Line:
    """The slope of one kind."""
    sizes = SIZES[kind][:-1] if (kind, threads) == ("landmarks", 1) else SIZES[kind]  # minutes otherwise
    return Line(
        f"growth-{kind}-{threads}",
        f"{WHAT[kind]}: slope of time over {sizes[0]:,} to {sizes[-1]:,} {kind}, {threads} thread{'s' * (threads > 1)}",
        SERIES[kind] if sizes == SIZES[kind] else partial(series, kind, sizes),
        target=AtMost(bound, absolute=True),
        measure=Value("", "slope"),
        runs=1,
        warm_up=0,
        threads=threads,
    )


BOUNDS = {"rows": 1.05, "landmarks": 2.0, "images": 1.05}
THREADS = (1, 2)

LINES = (
    *(line(kind, threads, bound) for kind, bound in BOUNDS.items() for threads in THREADS),
    Line(
        "growth-rows-memory",
        f"{WHAT['rows']}: memory at {SIZES['rows'][-1]:,} rows in times of that at {SIZES['rows'][1]:,}",
        SERIES["rows"],
        target=AtMost(1.1, absolute=True),
        measure=Value("", "memory"),
        runs=1,
        warm_up=0,
        threads=2,
    ),
)

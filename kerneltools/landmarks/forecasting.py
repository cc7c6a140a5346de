"""How long a rule takes to choose landmarks."""

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from math import log
from time import perf_counter
from typing import Any

from kerneltools.arrays import Array, evenly, is_whole, on_host
from kerneltools.forecasting import Forecast, Law, Run, Sizes, expected, forecast_of, growing, timed
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import Selector, check_examples, chosen
from kerneltools.landmarks.cell_means import CellMeans
from kerneltools.landmarks.given import Given
from kerneltools.landmarks.greedy import Greedy
from kerneltools.landmarks.kmeans import KMeans
from kerneltools.landmarks.kmeans_plus_plus import KMeansPlusPlus
from kerneltools.landmarks.minibatch_kmeans import MiniBatchKMeans
from kerneltools.landmarks.rpcholesky import RPCholesky
from kerneltools.landmarks.spherical_kmeans import SphericalKMeans, stages
from kerneltools.landmarks.uniform import Uniform
from kerneltools.structures.base import count, is_collection, like_of, take

PILOT = 1.0
"""Seconds that runs may take."""

CLUSTERS = (0.65, 1.5)
"""How many times as many rounds k-means may take on all rows as on some."""

PASSES = 20.0
"""Over all rows, that k-means makes, about."""

ALONE, AMONG = 14.0, 9.0
"""Rounds of k-means on the sphere, about, that one stage takes, and each of several: 7 to 19 and 3 to 19 were found, on
rows, patches of images and windows of letters."""

VALUE = 300.0
"""Operations of a matrix product in the time of a kernel value, beside its inner product: so long is an exponential."""

DISTANCE = 60.0
"""The same of a distance that is compared."""

STEP = 1e6
"""Operations that a processor could do in the time of a step of a rule that takes one landmark after the other."""

OF_OBJECTS = 100
"""As many columns does a kernel of objects count for."""


def forecast(selector: Selector, kernel: Kernel, x: Array) -> Forecast:
    """How long `selector(kernel, x, rng)` will take, and how much memory, by runs on some of the rows.

    (n, d) -> forecast. The runs take about a second, draw from a stream of their own and change nothing. Its text is a
    table. The number of rounds of k-means depends on the data: the range tells how far one can know.

    Raises what the selector raises for such a kernel and rows, TypeError for one that does not say its number of
    landmarks by an attribute `m`.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.landmarks import KMeans
    >>> x = np.random.default_rng(0).standard_normal((2000, 2))
    >>> found = forecast(KMeans(50), Gaussian(1.0), x)
    >>> [stage.name for stage in found.stages], found.low <= found.seconds <= found.high
    (['landmarks'], True)
    """
    began, kernel = perf_counter(), as_kernel(kernel)
    m = number_of(selector)
    check_examples(x, m)
    n, d = count(x), columns_of(x)
    law = law_of(selector, d)
    runs = selection_runs(selector, kernel, x, min(m, n), law)
    stage = expected("landmarks", runs, law, {"n": n, "m": min(m, n)}, spread_of(selector))
    needed = bytes_of(selector, n, min(m, n), d)
    return forecast_of([stage], needed, began, lambda free: ADVICE, on_host(like_of(x)))


ADVICE = "take fewer landmarks, or landmarks.Uniform or landmarks.MiniBatchKMeans, which keep no numbers of each row"


def number_of(selector: Any) -> int:
    """How many landmarks it is to choose."""
    points = getattr(selector, "points", None)
    m: Any = getattr(selector, "m", None) if points is None else count(points)
    if not is_whole(m) or not is_dataclass(selector):
        raise TypeError(
            "selector: expected one that says its number of landmarks, m, and is a dataclass, which can be made for "
            f"fewer; got {selector!r:.80}"
        )
    return int(m)


def with_number(selector: Any, m: int) -> Any:
    """The same rule for fewer landmarks."""
    if isinstance(selector, Given):
        return Given(take(selector.points, range(m)))
    return replace(selector, m=m)


def selection_runs(
    selector: Any, kernel: Kernel, x: Array, m: int, law: Law, weights: Array | None = None
) -> list[Run]:
    """Runs of growing sizes."""

    def run(size: Sizes) -> float:
        rows = evenly(count(x), int(size["n"]))
        part, own = take(x, rows), None if weights is None else take(weights, rows)
        rule = with_number(selector, int(size["m"]))
        return timed(lambda: chosen(rule, kernel, part, 0, own))

    return growing(grown(count(x), m, 128), run, law, PILOT)


def grown(n: int, m: int, ratio: int, least: int = 8, most: int = 2**17) -> list[Sizes]:
    """Sizes on the way to n rows and m landmarks, at most `ratio` times as many rows as landmarks."""
    each = min(max(n / m, 1.0), ratio)
    found: list[Sizes] = []
    size = least
    while True:
        here = min(m, size)
        # When all landmarks are there the rows go on.
        rows = min(n, max(64, round(each * size)), most)
        found.append({"n": max(rows, here), "m": here})
        if (rows == n and here == m) or rows == most:
            return found
        size = size * 5 // 4 + 1


def columns_of(x: Any) -> int:
    """How many columns there are; those that objects count for."""
    return OF_OBJECTS if is_collection(x) else int(x.shape[1])


def spread_of(selector: Any) -> tuple[float, float]:
    """Between which multiples of the forecast the time may lie."""
    return CLUSTERS if isinstance(selector, KMeans | SphericalKMeans) else (0.8, 1.25)


def law_of(selector: Any, d: int) -> Law:
    """The operations of the rule for n rows of d columns and m landmarks."""

    def law(size: Sizes) -> tuple[float, ...]:
        n, m = size["n"], size["m"]
        tries = 2 + log(m)
        if isinstance(selector, Uniform | Given):
            return (n * d + 100 * n, m * d)
        if isinstance(selector, KMeans | SphericalKMeans):
            passes = _passes(stages(n, m)) if isinstance(selector, SphericalKMeans) else PASSES
            return (2 * passes * n * m * d, passes * DISTANCE * n * m, 200 * passes * n * d, STEP * m)
        if isinstance(selector, KMeansPlusPlus):
            return (2 * n * m * d * tries, DISTANCE * n * m * tries, STEP * m)
        if isinstance(selector, MiniBatchKMeans):
            rows = selector.rounds * min(n, max(10 * selector.batch, 20 * m))
            seeds = tries * min(n, 3 * max(selector.batch, m))
            return (2 * d * m * (rows + seeds), DISTANCE * m * (rows + seeds), 10 * n * d + 10 * rows * d, STEP * m)
        if isinstance(selector, CellMeans):
            rows = min(n, selector.each * m)
            return (2 * d * m * rows, DISTANCE * m * rows, 10 * n * d + 100 * n, 10 * rows * d)
        if isinstance(selector, RPCholesky | Greedy):
            return (n * m * (2 * d + VALUE), 2 * n * m**2, STEP * m)
        return (2 * n * m * (2 * d + VALUE), 4 * n * m**2, 10 * m**3)

    return law


def _passes(stages: Sequence[int]) -> float:
    """Over all rows, where each so manieth goes through the rounds of a stage."""
    return sum((AMONG if len(stages) > 1 else ALONE) / step for step in stages)


def bytes_of(selector: Any, n: int, m: int, d: int) -> float:
    """At the peak, beside the rows: numbers of each row, and blocks."""
    if isinstance(selector, Uniform | Given):
        return 8.0 * (n + m * d)
    if isinstance(selector, MiniBatchKMeans):
        return 8.0 * max(10 * selector.batch, 20 * m) * (d + 2) + 8.0 * selector.batch * m
    if isinstance(selector, CellMeans):
        return 8.0 * (n + selector.each * m * (3 * d + 2)) + 8.0 * 2048 * m
    if isinstance(selector, KMeans | SphericalKMeans | KMeansPlusPlus):
        return 8.0 * n * (d + 10) + 8.0 * 2048 * m
    if isinstance(selector, RPCholesky | Greedy):
        return 8.0 * n * (2 * m + 3 * min(m, 200))
    return 8.0 * 8192 * m * 3 + 8.0 * 5.25 * m**2 + 40.0 * n

"""How long a solver takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from math import isqrt, log
from time import perf_counter
from typing import Any

from kerneltools.arrays import evenly, is_whole, on_host
from kerneltools.forecasting import (
    MARGIN,
    Forecast,
    Law,
    Run,
    Sizes,
    Stage,
    Watch,
    expected,
    forecast_of,
    growing,
    watched,
)
from kerneltools.kernels import as_kernel
from kerneltools.landmarks.forecasting import VALUE, columns_of, grown
from kerneltools.solvers.checks import check_examples
from kerneltools.solvers.exact import exact_path, exact_ridge
from kerneltools.solvers.falkon import falkon, kernel_ridge
from kerneltools.solvers.features import KEPT_ENTRIES, rows_of_block
from kerneltools.solvers.newton import fit_kernel
from kerneltools.solvers.nystrom_pcg import FIRST_RANK, nystrom_pcg
from kerneltools.structures.base import count, is_collection, like_of, require_examples, require_known, take

PILOT = 1.5
"""Seconds that runs may take."""

FALLING = -0.5
"""The power of the rows that steps follow with a preconditioner of their root's rank, where the square of the rank
divides what it misses."""

SOLUTION = "solution"
"""The stage of solvers that report none."""

Laws = Callable[[int, int], dict[str, Law]]


@dataclass(frozen=True)
class _Costs:
    """Of a solver: the operations of its stages for rows of d columns and t targets; `bytes` of n, m and t.

    `steps`: the stage whose number of steps the data decide, and between which multiples of a pilot's it may lie;
    `falling`: it goes down with a power of the rows, which the runs tell.
    `fewer`: what to do where the memory does not suffice, for the bytes that are free.
    """

    laws: Laws
    bytes: Callable[[int, int, int], float]
    fewer: Callable[[int], str]
    steps: str = ""
    spread: tuple[float, float] = (1 - MARGIN, 1 + MARGIN)
    falling: bool = False


def forecast(solver: Callable[..., Any], kernel: Any, *arguments: Any, **options: Any) -> Forecast:
    """How long `solver(kernel, *arguments, **options)` will take, and how much memory, by runs on some of the rows.

    `solver`: `kernel_ridge`, `falkon`, `fit_kernel`, `nystrom_pcg`, `exact_ridge` or `exact_path`, with the arguments
    that it is to be called with. In the place of landmarks a number will do. The runs take a second or two and draw
    from a stream of their own. Steps until a tolerance is met depend on the data: the range tells how far one can know.
    Where the memory does not suffice, `fits` is False and `shortage` says what needs less.

    Raises what the solver raises for such arguments, TypeError for other solvers.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x = np.random.default_rng(0).standard_normal((2000, 2))
    >>> found = forecast(falkon, Gaussian(1.0), 100, x, np.sin(x), reg=1e-4)
    >>> [stage.name for stage in found.stages], found.fits
    (['preconditioner', 'conjugate gradient'], True)
    """
    began, kernel = perf_counter(), as_kernel(kernel)
    costs = COSTS.get(solver)
    if costs is None:
        names = ", ".join(known.__name__ for known in COSTS)
        raise TypeError(f"solver: expected one of {names}, got {getattr(solver, '__name__', solver)!s:.60}")
    given = dict(signature(solver).bind(kernel, *arguments, **options).arguments)
    name = "targets" if "targets" in given else "y"
    x, y, points = given["x"], given[name], given.get("points")
    check_examples(x, y, given.get("weights"), name=name)
    require_known(**{"x": x, name: y})
    n, t = count(x), int(y.shape[1])
    m = n if points is None else _number(points)
    size = {"n": n, "m": m}
    laws = costs.laws(columns_of(x), t)
    watches: dict[int, Watch] = {}

    def run(part: Sizes) -> float:
        watch = watched(lambda progress: _solve(solver, given, name, part, size, progress))
        watches[id(part)] = watch
        return watch.whole

    def whole(part: Sizes) -> tuple[float, ...]:
        return tuple(count for law in laws.values() for count in law(part))

    runs = growing(_sizes(points is None, n, m), run, whole, PILOT)
    stages = [_stage(stage, law, runs, watches, size, costs) for stage, law in laws.items()]
    return forecast_of(stages, costs.bytes(n, m, t), began, costs.fewer, on_host(like_of(x)))


def _solve(
    solver: Callable[..., Any], given: Mapping[str, Any], name: str, part: Sizes, whole: Sizes, progress: Any
) -> None:
    rows = evenly(count(given["x"]), int(part["n"]))
    few = dict(given) | {"x": take(given["x"], rows), name: take(given[name], rows)}
    if given.get("weights") is not None:
        few["weights"] = take(given["weights"], rows)
    if "points" in given:
        m, points = int(part["m"]), given["points"]
        few["points"] = take(*((given["x"], evenly(count(given["x"]), m)) if is_whole(points) else (points, range(m))))
    known = signature(solver).parameters
    if "rng" in known:
        few["rng"] = 0
    if "progress" in known:
        few["progress"] = progress
    else:
        progress(SOLUTION, 0, 1)
    if solver is fit_kernel and given.get("block") is None and whole["n"] * whole["m"] > KEPT_ENTRIES:
        few["block"] = rows_of_block(few["points"], None)  # features are not kept
    solver(**few)


def _stage(stage: str, law: Law, runs: list[Run], watches: Mapping[int, Watch], size: Sizes, costs: _Costs) -> Stage:
    known = [(run, watches[id(run.sizes)]) for run in runs]
    if stage != costs.steps:
        return expected(stage, [Run(run.sizes, watch.seconds(stage)) for run, watch in known], law, size)
    steps: float = max(1, known[-1][1].steps(stage))
    if costs.falling:
        steps = max(1.0, steps * (size["n"] / known[-1][0].sizes["n"]) ** _power(stage, known))
    of_step = [Run(run.sizes, watch.seconds(stage) / max(1, watch.steps(stage))) for run, watch in known]
    one = expected(stage, of_step, law, size, costs.spread)
    return Stage(stage, steps * one.seconds, steps * one.low, steps * one.high)


def _power(stage: str, known: Sequence[tuple[Run, Watch]]) -> float:
    """The power of the number of rows that steps follow: half-way between that of the runs and `FALLING`.

    Of few rows the preconditioner knows nearly all, and steps become more at first: the runs are those from the most
    steps on, behind which they fall more and more.
    """
    steps = [max(1, watch.steps(stage)) for _, watch in known]
    first, last = steps.index(max(steps)), len(steps) - 1
    rows = known[last][0].sizes["n"] / known[first][0].sizes["n"]
    slope = log(steps[last] / steps[first]) / log(rows) if rows > 1 else 0.0
    return (max(slope, 2 * FALLING) + FALLING) / 2


def _sizes(all_rows: bool, n: int, m: int) -> list[Sizes]:
    if not all_rows:
        return grown(n, m, 8, least=min(m, 16))
    return [{"n": size["n"], "m": size["n"]} for size in grown(n, n, 1, least=min(n, 100))]


def _number(points: Any) -> int:
    if isinstance(points, int | float):
        if not is_whole(points) or points < 1:
            raise ValueError(f"points: expected a number of landmarks >= 1, or an array (m, d), got {points}")
        return int(points)
    if not is_collection(points):
        require_examples("(m, d)", points=points)
    return count(points)


def _direct(d: int, t: int) -> dict[str, Law]:
    return {SOLUTION: lambda s: (s["n"] * s["m"] * (2 * d + VALUE), 3 * s["n"] * s["m"] ** 2, 10 * s["m"] ** 3)}


def _iterative(d: int, t: int) -> dict[str, Law]:
    def preconditioner(s: Sizes) -> tuple[float, ...]:
        n, m = s["n"], s["m"]
        return (n * m * (2 * d + VALUE + 20), 2 * min(n, 4 * m) * m**2, 17 * m**3)

    def step(s: Sizes) -> tuple[float, ...]:
        return (s["n"] * s["m"] * (2 * d + VALUE), s["n"] * s["m"] * 4 * t + 4 * s["m"] ** 2 * t)

    return {"preconditioner": preconditioner, "conjugate gradient": step}


def _newton(d: int, t: int) -> dict[str, Law]:
    def step(s: Sizes) -> tuple[float, ...]:
        n, m = s["n"], s["m"]
        return (n * m * (2 * d + VALUE), 40 * n * m * t, 2 * t * min(n, 4 * m) * m**2 + 3 * t * m**3)

    return {"newton": step}


def _full(d: int, t: int) -> dict[str, Law]:
    def preconditioner(s: Sizes) -> tuple[float, ...]:
        n, few, most = s["n"], FIRST_RANK, min(s["n"], max(FIRST_RANK, 8 * s["n"] ** 0.5))
        return tuple(n * rank * (2 * d + VALUE + 4 * rank) for rank in (few, most))

    def step(s: Sizes) -> tuple[float, ...]:
        return (s["n"] ** 2 * (2 * d + VALUE + 2 * t), 2000 * s["n"] * t)

    return {"preconditioner": preconditioner, "conjugate gradient": step}


def _factor(cubes: float) -> Laws:
    return lambda d, t: {SOLUTION: lambda s: (s["n"] ** 2 * (2 * d + 3 * VALUE), cubes * s["n"] ** 3)}


def _few_landmarks(squares: float) -> Callable[[int], str]:
    return lambda free: f"take at most {isqrt(int(free / 8 / squares))} landmarks"


def _few_rows(squares: float) -> Callable[[int], str]:
    return lambda free: f"take at most {isqrt(int(free / 8 / squares))} rows, or nystrom_pcg"


BLOCK = 3 * 8 * 2**22
"""Bytes of the kernel values of a block of rows, and of two products of it."""

COSTS: Mapping[Callable[..., Any], _Costs] = {
    kernel_ridge: _Costs(_direct, lambda n, m, t: 8 * (5.25 * m**2 + n * t) + BLOCK, _few_landmarks(5.5)),
    falkon: _Costs(
        _iterative,
        lambda n, m, t: 8 * (10.0 * m**2 + 4 * n * t) + BLOCK,
        _few_landmarks(10.5),
        "conjugate gradient",
        (0.7, 1.4),
    ),
    fit_kernel: _Costs(
        _newton,
        lambda n, m, t: 8 * ((6.0 + 4 * t) * m**2 + 6 * n * t + (3 * n * m if n * m <= KEPT_ENTRIES else 0)) + BLOCK,
        _few_landmarks(10.5),
        "newton",
        (0.6, 1.6),
    ),
    nystrom_pcg: _Costs(
        _full,
        lambda n, m, t: 8.0 * n * (3 * max(64, 8 * isqrt(n)) + 8 * t) + BLOCK,
        lambda free: "give a smaller rank, or take landmarks and falkon",
        "conjugate gradient",
        (0.5, 1.6),
        falling=True,
    ),
    exact_ridge: _Costs(_factor(1 / 3), lambda n, m, t: 8 * 3.4 * n**2, _few_rows(3.4)),
    exact_path: _Costs(_factor(10.0), lambda n, m, t: 8 * 7.0 * n**2, _few_rows(7.0)),
}
"""What a pass over the rows, a factor and a step take."""

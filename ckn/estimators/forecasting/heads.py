"""How long the head of filters takes that know no labels."""

from math import log

from ckn.choice import MANY, left_out
from ckn.estimators.forecasting.pilot import HEAD, LOOSE, Pilot
from ckn.kept import Kept
from kerneltools.forecasting import Run, Sizes, Stage, Watch, expected, growing, timed, watched
from kerneltools.solvers import Squared, moments, ridge_sums
from kerneltools.solvers.ridge import model_of

COLUMNS, RIDGES = 2048, 5
"""Of many examples: columns of a run of products and factors, and values of λ for which ridge regression is solved."""

PASSES = (32, 128, 384)
"""Columns of runs of the passes, the first to warm up: of fewer ones more passes are made than of many."""


def stages(pilot: Pilot) -> list[Stage]:
    """What it takes, by the stages that a fit reports."""
    if pilot.n >= MANY:
        return [_of_many(pilot)]
    estimator = pilot.estimator
    if not isinstance(getattr(estimator, "head", None), Squared | None):
        left_out(pilot.goal.numbers, estimator.random_state)
    law = pilot.law(len(estimator.regs))
    watches: dict[int, Watch] = {}

    def run(size: Sizes) -> float:
        watches[id(size)] = _fitted(pilot, size)
        return watches[id(size)].whole

    runs = growing(_sizes(pilot), run, law, HEAD)
    names = list(watches[id(runs[-1].sizes)].reports)
    return [
        expected(name, [Run(r.sizes, watches[id(r.sizes)].seconds(name)) for r in runs], law, pilot.full, LOOSE)
        for name in names
    ]


def _of_many(pilot: Pilot) -> Stage:
    """Sums of products, their factors, and passes over the rows, which the data decide: see `ckn.choice`."""
    d = int(pilot.full["m"])
    rows = 1024
    measured = [_once(pilot, rows, min(d, columns)) for columns in (COLUMNS // 2, COLUMNS)]
    squares, solution, factor = (_grown(few, more, d) for few, more in zip(*measured, strict=True))
    once = squares * pilot.n / rows + RIDGES * solution + 2 * factor

    def law(size: Sizes) -> tuple[float, ...]:
        return (1400 * size["n"] * size["m"] * pilot.outputs, 3e5 * size["n"] * pilot.outputs)

    sizes: list[Sizes] = [{"n": MANY, "m": min(d, columns)} for columns in PASSES]
    runs = [Run(size, _fitted(pilot, size).whole) for size in sizes][1:]
    passes = expected("", runs, law, pilot.full, (0.6, 1.4))
    return Stage("head", passes.seconds + once, passes.low + 0.85 * once, passes.high + 1.15 * once)


def _fitted(pilot: Pilot, size: Sizes) -> Watch:
    """How long the head of features of such sizes took."""
    features, goal = pilot.alike(size)
    kept = Kept(pilot.network.like, features)
    return watched(lambda told: pilot.estimator._ridge(pilot.network, kept, goal, told))


def _once(pilot: Pilot, rows: int, columns: int) -> tuple[tuple[int, float], ...]:
    """The seconds of sums of products, of a solution by them, and of moments, each with the columns."""
    features, goal = pilot.alike({"n": rows, "m": columns})
    targets, dtype = pilot.targets(goal), features.dtype
    sums = ridge_sums(features, targets)
    return (
        (columns, timed(lambda: ridge_sums(features, targets))),
        (columns, timed(lambda: model_of(sums, 1e-6, dtype))),
        (columns, timed(lambda: moments(sums, 1e-6, dtype))),
    )


def _sizes(pilot: Pilot) -> list[Sizes]:
    """Sizes of features on the way to all rows and columns."""
    n, d = pilot.n, int(pilot.full["m"])
    least = min(n, 64)
    shares = [1.25**-k for k in range(60, -1, -1)]
    found = [{"n": min(n, max(least, round(n * s))), "m": max(min(d, 8), round(d * s))} for s in shares]
    return [size for k, size in enumerate(found) if k == 0 or size != found[k - 1]]


def _grown(few: tuple[int, float], more: tuple[int, float], full: int) -> float:
    """Seconds for all columns, by the power of their number that two runs follow, between 1 and 3."""
    if few[0] == more[0]:
        return more[1]
    power = min(3.0, max(1.0, log(more[1] / few[1]) / log(more[0] / few[0])))
    return float(more[1] * (full / more[0]) ** power)

"""How long a fit on landmarks takes."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, is_dataclass
from time import perf_counter
from typing import Any

from kerneltools.arrays import Array, evenly, namespace, on_host
from kerneltools.estimators.base import is_number, number_of, selector_of
from kerneltools.estimators.search import ROWS
from kerneltools.estimators.work import Work
from kerneltools.forecasting import Forecast, Law, Run, Sizes, Stage, Watch, expected, forecast_of, growing, watched
from kerneltools.kernels import Gaussian, Kernel
from kerneltools.landmarks import Given, Uniform, default
from kerneltools.landmarks.forecasting import grown, law_of, spread_of, with_number
from kerneltools.structures.base import count, is_collection, like_of, take

PILOT = 2.0
"""Seconds that runs may take, beside the search for a kernel."""

SEARCH, LANDMARKS = "kernel and λ", "landmarks"

USUAL = (0.85, 1.15)


@dataclass(frozen=True)
class Plan:
    """What is known of a fit before it: the bytes, and the operations of its stages behind the choice of landmarks.

    `m`: how many landmarks; `spread`: between which multiples of their forecast those stages may lie whose steps the
    data decide.
    """

    m: int
    work: Work
    laws: Mapping[str, Law]
    spread: Mapping[str, tuple[float, float]]


def planned_number(landmarks: Any, usual: int, rows: Any) -> int:
    """How many landmarks there will be. Raises what a fit raises, and TypeError for a rule that does not say it."""
    n = count(rows)
    if landmarks is None:
        return min(usual, n)
    selector_of(landmarks, Gaussian(1.0), rows)
    m = number_of(landmarks, n)
    known = (
        is_number(landmarks) or hasattr(landmarks, "shape") or isinstance(landmarks, list) or is_dataclass(landmarks)
    )
    if m is None or not known:
        raise TypeError(
            "landmarks: a forecast needs a number, points, or a selector that is a dataclass with its number as m, "
            f"got {landmarks!r:.60}"
        )
    return m


def forecast(
    estimator: Any, rows: Any, targets: Any, weights: Array | None, order: Sequence[int], plan: Plan
) -> Forecast:
    """Forecast a fit by fits of the same estimator on some of the rows, evenly spaced in an `order` of them.

    The first looks for the kernel, where none is given, as long as the whole does; the others take the one it found.
    """
    began, n = perf_counter(), count(rows)
    if weights is not None:  # one of 0 costs as others do, and of few rows all might be 0
        xp = namespace(weights)
        weights = xp.where(weights > 0, weights, xp.mean(weights))
    few, watch = _fitted(estimator, rows, targets, weights, order, {"n": min(n, ROWS), "m": min(plan.m, 32)}, plan.m)
    search = watch.seconds(SEARCH)
    stages = [Stage(SEARCH, search, USUAL[0] * search, USUAL[1] * search)] if SEARCH in watch.reports else []
    few = _settled(few, estimator)
    rule = Uniform(n) if plan.m == n else _rule(estimator.landmarks, few.kernel, plan.m, rows)
    if plan.m < n and (estimator.landmarks is None or is_number(estimator.landmarks)):
        few.landmarks = rule  # of fewer rows the default may be another one
    columns = 100 if is_collection(rows) else int(rows.shape[1])
    laws = {LANDMARKS: law_of(rule, columns), **plan.laws}
    spread = {LANDMARKS: spread_of(rule), **plan.spread}
    watches: dict[int, Watch] = {}

    def run(size: Sizes) -> float:
        _, watch = _fitted(few, rows, targets, weights, order, size, plan.m)
        watches[id(size)] = watch
        return sum(map(watch.seconds, laws))

    def whole(size: Sizes) -> tuple[float, ...]:
        return tuple(each for law in laws.values() for each in law(size))

    runs = growing(grown(n, plan.m, 16, least=min(plan.m, 32)), run, whole, PILOT)
    for name, law in laws.items():
        parts = [Run(each.sizes, watches[id(each.sizes)].seconds(name)) for each in runs]
        stages.append(expected(name, parts, law, {"n": n, "m": plan.m}, spread.get(name, USUAL)))
    work = plan.work
    return forecast_of(
        stages,
        work.bytes(n, plan.m),
        began,
        lambda free: f"take at most {(work.fewer or work).most(n, 0.9 * free)} landmarks",
        on_host(like_of(rows)),
    )


def _fitted(
    estimator: Any, rows: Any, targets: Any, weights: Array | None, order: Sequence[int], size: Sizes, m: int
) -> tuple[Any, Watch]:
    """A copy of the estimator, fitted to some rows, and how long its stages took."""
    chosen = sorted(order[i] for i in evenly(len(order), int(size["n"])))
    part = copy(estimator)
    part.random_state, part.landmarks = 0, _fewer(estimator.landmarks, int(size["m"]))
    x, y, w = (None if each is None else take(each, chosen) for each in (rows, targets, weights))

    def run(progress: Any) -> None:
        part._watch = progress
        part.fit(x, y, w)

    watch = watched(run)
    part.landmarks = estimator.landmarks
    return part, watch


def _settled(found: Any, estimator: Any) -> Any:
    """The estimator with the kernel that was found, and with λ where a fit does not look for it without a kernel."""
    found.kernel = found.kernel_
    if getattr(estimator, "solver", None) is not None and estimator.reg is None:
        found.reg = found.reg_
    return found


def _fewer(landmarks: Any, m: int) -> Any:
    if landmarks is None or is_number(landmarks):
        return m
    if hasattr(landmarks, "shape") or isinstance(landmarks, list):
        return landmarks[:m]
    return with_number(landmarks, m) if hasattr(landmarks, "m") or isinstance(landmarks, Given) else m


def _rule(landmarks: Any, kernel: Kernel, m: int, rows: Any) -> Any:
    if landmarks is None or is_number(landmarks):
        return default(kernel, m, None if is_collection(rows) else rows.shape)
    return landmarks if callable(landmarks) else Uniform(m)

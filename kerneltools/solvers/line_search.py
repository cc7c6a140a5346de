"""How far to go along a direction of descent: a search for the strong Wolfe conditions."""

from collections.abc import Callable
from math import copysign, isfinite, sqrt
from typing import NamedTuple

# Nocedal & Wright 2006, §3.1: the values for quasi-Newton directions.
DECREASE, CURVATURE = 1e-4, 0.9
# Hager & Zhang 2005, §4: near a minimum the values differ by rounding only, and their slopes decide.
ROUNDING = 1e-6
TRIALS = 40


class Trial(NamedTuple):
    """The function at `length` along the line: its value, and its slope there."""

    length: float
    value: float
    slope: float


def search(along: Callable[[float], Trial], origin: Trial, first: float) -> Trial | None:
    """A length that lowers the function enough and leaves little of its slope; None if none is found.

    `along(length)` evaluates; `origin` is length 0, with a slope < 0; `first` > 0 is the length tried first.

    Sought: value <= value₀ + 1e-4 length slope₀ and |slope| <= 0.9 |slope₀|. The bracket grows until it holds a
    minimum, then shrinks by cubic interpolation. A length at which the function is not finite is too long. If the
    trials run out, the lowest one below the origin is taken.
    """
    low, high, length = origin, None, first
    lowest = origin
    for _ in range(TRIALS):
        trial = along(length)
        if _accepted(trial, origin):
            return trial
        if isfinite(trial.value) and trial.value < lowest.value:
            lowest = trial
        low, high = _bracket(low, high, trial, origin)
        if high is not None and abs(high.length - low.length) <= 1e-16 * max(abs(high.length), abs(low.length)):
            break
        length = 4 * length if high is None else _between(low, high)
    return lowest if lowest.length > 0 else None


def _accepted(trial: Trial, origin: Trial) -> bool:
    return not _too_high(trial, origin) and abs(trial.slope) <= CURVATURE * abs(origin.slope)


def _too_high(trial: Trial, origin: Trial) -> bool:
    """Whether the value is above the line of sufficient decrease; NaN is.

    If the slope promises no more than rounding, the value may exceed the line by rounding.
    """
    rounding = ROUNDING * abs(origin.value)
    allowed = rounding if trial.length * abs(origin.slope) <= rounding else DECREASE * trial.length * origin.slope
    return not trial.value <= origin.value + allowed


def _bracket(low: Trial, high: Trial | None, trial: Trial, origin: Trial) -> tuple[Trial, Trial | None]:
    """The ends of the next bracket: `low` slopes down towards `high`."""
    # A NaN slope is a high end too.
    return (trial, high) if not _too_high(trial, origin) and trial.slope < 0 else (low, trial)


def _between(low: Trial, high: Trial) -> float:
    """The minimum of the cubic through both ends, kept off the ends; the middle if it has none."""
    width = high.length - low.length
    middle = low.length + width / 2
    if not (isfinite(high.value) and isfinite(high.slope)):
        return low.length + width / 10
    # Nocedal & Wright 2006, eq. 3.59.
    d1 = low.slope + high.slope - 3 * (low.value - high.value) / (low.length - high.length)
    inside = d1 * d1 - low.slope * high.slope
    if not inside >= 0:
        return middle
    d2 = copysign(sqrt(inside), width)
    bottom = high.slope - low.slope + 2 * d2
    if bottom == 0:
        return middle
    cubic = high.length - width * (high.slope + d2 - d1) / bottom
    nearest, farthest = low.length + width / 10, high.length - width / 10
    return min(max(cubic, nearest), farthest) if isfinite(cubic) else middle

"""Curves and points that the page draws itself: they have its colours, light or dark, and need no library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, floor, isfinite, log10
from typing import Any, ClassVar

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 14, 52
"""Pixels of a chart, and of its margins."""

TICKS = 5
COLOURS = 6


@dataclass(frozen=True)
class Series:
    """Points (x, y) under a name, `joined` by a line or not; `ring`: larger and hollow; `dashed`: of their line.

    >>> from kerneltools.reporting import Series
    >>> Series("loss", (1, 2), (0.5, 0.3)).joined
    True
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    joined: bool = True
    ring: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """Maps values between two ends to places between two others, on a linear or logarithmic scale."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (log10(v) if self.log else v for v in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.stop - self.start), 2)

    @cached_property
    def ticks(self) -> tuple[float, ...]:
        """Round numbers between the ends."""
        if self.log and (decades := _decades(self.low, self.high)):
            return decades
        step = 10.0 ** floor(log10((self.high - self.low) / TICKS))
        step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (m * step) <= TICKS)
        found = (step * k for k in range(ceil(self.low / step), floor(self.high / step) + 1))
        return tuple(float(f"{value:.12g}") for value in found)


@dataclass(frozen=True)
class Chart:
    """A picture of series, with a table of its numbers for readers who cannot see it.

    `alt`: the content in words; `log_x`, `log_y`: logarithmic axes, if all values are > 0; `percent`: values of y are
    shares; `marked`: a value of x with a vertical line, and its name; `table`: whether the numbers can be shown below.

    >>> from kerneltools.reporting import Chart, Series
    >>> Chart("Loss", "It falls", [Series("loss", (1, 2), (0.5, 0.3))], "epoch", "loss").rows
    (('1', '0.5'), ('2', '0.3'))
    """

    kind: ClassVar[str] = "chart"

    title: str
    alt: str
    series: Sequence[Series]
    x_label: str
    y_label: str
    log_x: bool = False
    log_y: bool = False
    percent: bool = False
    marked: tuple[float, str] | None = None
    table: bool = True
    size: tuple[int, int] = field(default=(WIDTH, HEIGHT))

    @cached_property
    def points(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """The finite points of each series."""
        return tuple(
            tuple((float(x), float(y)) for x, y in zip(one.x, one.y, strict=True) if isfinite(x) and isfinite(y))
            for one in self.series
        )

    @cached_property
    def across(self) -> Axis:
        """The axis of x."""
        extra = [] if self.marked is None else [self.marked[0]]
        return _axis([x for one in self.points for x, _ in one] + extra, LEFT, WIDTH - RIGHT, self.log_x)

    @cached_property
    def up(self) -> Axis:
        """The axis of y, from the bottom to the top."""
        values = [y for one in self.points for _, y in one]
        if not self.percent:
            return _axis(values, HEIGHT - BOTTOM, TOP, self.log_y)
        low, high = min(values, default=0.0), max(values, default=1.0)
        edge = max(0.05 * (high - low), 0.005)  # of shares that are all alike, half a percent
        return Axis(max(0.0, low - edge), min(1.0, high + edge), HEIGHT - BOTTOM, TOP)

    @cached_property
    def drawn(self) -> tuple[tuple[Series, int, str, tuple[tuple[float, float], ...]], ...]:
        """Each series, the number of its colour, its line and its points, in pixels."""
        found = []
        for number, (one, points) in enumerate(zip(self.series, self.points, strict=True)):
            placed = tuple((self.across(x), self.up(y)) for x, y in points)
            line = " ".join(f"{x:g},{y:g}" for x, y in placed) if one.joined else ""
            found.append((one, number % COLOURS, line, placed if len(placed) < 40 or not one.joined else ()))
        return tuple(found)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The headings of the table."""
        return (self.x_label, *(one.name for one in self.series))

    @cached_property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The numbers, by x."""
        known = [dict(one) for one in self.points]
        every = sorted({x for one in known for x in one})
        return tuple((f"{x:.4g}", *(self.said(one[x]) if x in one else "" for one in known)) for x in every)

    @property
    def said(self) -> Callable[[float], str]:
        """The text of a value of y in the table."""
        return "{:.2%}".format if self.percent else "{:.4g}".format

    def tick(self, value: float) -> str:
        """The text of a value of y at the axis."""
        return f"{100 * value:g} %" if self.percent else shortly(value)


def shortly(value: float) -> str:
    """A number at an axis: 0.001, 1e-6, 20000.

    >>> shortly(1e-6), shortly(0.001), shortly(20000.0)
    ('1e-6', '0.001', '20000')
    """
    return f"{value:g}" if value == 0 or 1e-4 < abs(value) < 1e6 else f"{value:.3g}".replace("e-0", "e-")


def _axis(values: Sequence[float], start: float, stop: float, log: bool) -> Axis:
    low, high = min(values, default=0.0), max(values, default=1.0)
    log = log and low > 0
    if log:
        low, high = (low / 2, high * 2) if low == high else (low / (high / low) ** 0.04, high * (high / low) ** 0.04)
        return Axis(low, high, start, stop, True)
    edge = 0.05 * (high - low) or abs(high) or 1.0
    return Axis(low - (edge if low else 0.0), high + edge, start, stop)


def _decades(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten between the ends; none if there are fewer than two."""
    first, last = ceil(log10(low)), floor(log10(high))
    every = max(1, ceil((last - first + 1) / 6))
    found: tuple[Any, ...] = tuple(10.0**power for power in range(first, last + 1, every))
    return found if len(found) > 1 else ()


def predicted_against_true(true: Any, predicted: Any, nouns: str = "rows") -> Chart:
    """A point for each row, and the line on which all are that are exact: (n,), (n,) -> chart

    >>> import numpy as np
    >>> predicted_against_true(np.asarray([0.0, 2.0]), np.asarray([0.1, 1.9])).title
    'Predicted against true'
    """
    ends = [float(true.min()), float(true.max())]
    series = [Series(nouns, true.tolist(), predicted.tolist(), joined=False), Series("exact", ends, ends, dashed=True)]
    alt = f"The predictions of {len(true)} {nouns} against their targets"
    return Chart("Predicted against true", alt, series, "true", "predicted", table=False)

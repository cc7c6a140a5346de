"""How long work will take, and how much memory, before it begins: from short runs of the same code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any
from warnings import catch_warnings, simplefilter

from kerneltools import memory
from kerneltools.progress import Progress

__all__ = ["Forecast", "Stage"]

Sizes = Mapping[str, float]
"""How large a problem is, by name: rows n, landmarks m."""

Law = Callable[[Sizes], tuple[float, ...]]
"""The operations of each kind that a stage takes for a problem of such sizes: a rate is measured for each kind."""

MARGIN = 0.15
"""What a machine with nothing else to do takes more or less from one time to the next."""

EQUAL = 0.02
"""How strongly the rates of two kinds of operations are taken to be equal, where runs hardly tell them apart."""


@dataclass(frozen=True)
class Stage:
    """A stage of the work: its expected `seconds`, and the range in which they probably lie.

    >>> print(Stage("landmarks", 90.0, 70.0, 120.0))
    landmarks           1.5 min  (70 s to 2.0 min)
    """

    name: str
    seconds: float
    low: float
    high: float

    def __str__(self) -> str:
        return _row(self.name, self)


@dataclass(frozen=True)
class Forecast:
    """How long work will take and how much memory, stage by stage; prints as a table.

    `bytes`: at the peak, beside the data; `free`: what there is of memory, None where that is not known; `advice`: what
    needs less; `pilot`: the seconds that were taken to find out.

    >>> print(Forecast((Stage("landmarks", 2.0, 1.6, 2.5), Stage("regression", 90.0, 70.0, 120.0)), 3_000_000_000))
    landmarks             2.0 s  (1.6 s to 2.5 s)
    regression          1.5 min  (70 s to 2.0 min)
    in all              1.5 min  (72 s to 2.0 min)
    memory               3.0 GB  beside the data
    """

    stages: tuple[Stage, ...]
    bytes: float
    free: int | None = None
    advice: str = ""
    pilot: float = 0.0

    @property
    def seconds(self) -> float:
        """The expected seconds of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def low(self) -> float:
        """The least number of seconds that is expected."""
        return sum(stage.low for stage in self.stages)

    @property
    def high(self) -> float:
        """The greatest number of seconds that is expected."""
        return sum(stage.high for stage in self.stages)

    @property
    def fits(self) -> bool:
        """Whether there is room for it, as far as is known."""
        return self.free is None or self.bytes <= self.free

    @property
    def shortage(self) -> str:
        """How much memory is missing and what to do, in one line; "" if it fits."""
        if self.fits or self.free is None:
            return ""
        advice = f"; {self.advice}" if self.advice else ""
        return f"not enough memory: {memory.size(self.bytes)} are needed, and {memory.size(self.free)} are free{advice}"

    def __str__(self) -> str:
        room = "beside the data" + ("" if self.free is None else f", of {memory.size(self.free)} free")
        lines = [*map(str, self.stages), _row("in all", self), f"{'memory':<18}{memory.size(self.bytes):>9}  {room}"]
        return "\n".join([*lines, *([self.shortage] if self.shortage else [])])


@dataclass(eq=False)
class Watch:
    """A progress that books the time up to each report under its stage."""

    reports: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    begun: float = field(default_factory=lambda: perf_counter())
    last: float = 0.0

    def __post_init__(self) -> None:
        self.last = self.begun

    def __call__(self, stage: str, done: int, total: int, value: float | None = None, /) -> None:
        now = perf_counter()
        self.reports.setdefault(stage, []).append((done, now - self.last))
        self.totals[stage], self.last = max(total, self.totals.get(stage, 0)), now

    def seconds(self, stage: str) -> float:
        """All that it took."""
        return sum(seconds for _, seconds in self.reports.get(stage, ()))

    @property
    def whole(self) -> float:
        """Of all stages, up to the last report or the end."""
        return self.last - self.begun

    def steps(self, stage: str) -> int:
        """How far it came."""
        return max((done for done, _ in self.reports.get(stage, ())), default=0)

    def line(self, stage: str) -> tuple[float, float]:
        """The seconds before the first step, and those of a step, of a stage that reports several."""
        told = [(done, seconds) for done, seconds in self.reports.get(stage, ()) if done > 0]
        idle = self.seconds(stage) - sum(seconds for _, seconds in told)
        # Of a machine that was busy for a moment the median knows nothing.
        steps = [seconds / (done - (before if done > before else 0)) for (before, _), (done, seconds) in pairwise(told)]
        if not steps:
            return idle, sum(seconds for _, seconds in told) / max(1, self.steps(stage))
        each = median(steps)
        return idle + max(0.0, told[0][1] - each * told[0][0]), each

    def end(self) -> None:
        """Book what came behind the last report under its stage."""
        now = perf_counter()
        if self.reports:
            stage = next(reversed(self.reports))
            done, seconds = self.reports[stage][-1]
            self.reports[stage][-1] = (done, seconds + now - self.last)
        self.last = now


def watched(run: Callable[[Progress], Any]) -> Watch:
    """How long the stages of a run took, of which it tells a progress."""
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # of a part of the data, which says nothing of all
        watch = Watch()
        run(watch)
        watch.end()
    return watch


def timed(run: Callable[[], Any]) -> float:
    """How long a run took, in seconds."""
    with catch_warnings():
        simplefilter("ignore", UserWarning)
        start = perf_counter()
        run()
        return perf_counter() - start


@dataclass(frozen=True)
class Run:
    """A run of `sizes`, and the seconds it took."""

    sizes: Sizes
    seconds: float


def expected(
    name: str, runs: Sequence[Run], law: Law, full: Sizes, spread: tuple[float, float] = (1 - MARGIN, 1 + MARGIN)
) -> Stage:
    """What a stage of the `full` sizes takes by runs of smaller ones. `spread`: what is left open, as factors."""
    rates = _rates([law(run.sizes) for run in runs], [run.seconds for run in runs])
    most = runs[-1]
    # At the rate of the last run, for all kinds alike: another answer, which shows how far one can tell.
    alike = most.seconds * sum(law(full)) / max(sum(law(most.sizes)), 1e-300)
    seconds = sum(rate * count for rate, count in zip(rates, law(full), strict=True))
    return Stage(name, seconds, spread[0] * min(seconds, alike), spread[1] * max(seconds, alike))


def growing(sizes: Sequence[Sizes], run: Callable[[Sizes], float], law: Law, seconds: float) -> list[Run]:
    """A few runs of growing sizes, of those given, which take about so many seconds; before them one to warm up."""
    runs = [Run(sizes[0], run(sizes[0])), Run(sizes[0], run(sizes[0]))][-1:]
    at, spent = 0, 0.0
    for share in (0.06, 0.2, 0.6, 0.6):
        rate = runs[-1].seconds / sum(law(runs[-1].sizes))
        left = min(share * seconds, seconds - spent)
        further = [number for number in range(at + 1, len(sizes)) if rate * sum(law(sizes[number])) <= left]
        if not further:
            continue
        at = further[-1]
        first = run(sizes[at])
        # A library that compiles for each size, or a machine that was busy for a moment.
        surprising = first > 2 * rate * sum(law(sizes[at]))
        runs.append(Run(sizes[at], run(sizes[at]) if surprising else first))
        spent += first
    return runs


def forecast_of(
    stages: Sequence[Stage], needed: float, began: float, advice: Callable[[int], str], host: bool
) -> Forecast:
    """Put together: the bytes that are needed, on the `host` or on a device whose memory is not known."""
    free = memory.free_memory() if host else None
    missing = free is not None and needed > free
    return Forecast(tuple(stages), needed, free, advice(free) if missing and free else "", perf_counter() - began)


def _rates(counts: Sequence[tuple[float, ...]], seconds: Sequence[float]) -> list[float]:
    """The seconds of an operation of each kind, >= 0: least squares of the relative errors, pulled together.

    Of runs of few sizes some kinds are hardly told apart: then each has the mean rate of all.
    """
    mean = seconds[-1] / max(sum(counts[-1]), 1e-300)
    # The longer a run, the more it is like the whole.
    weights = [s / max(seconds) for s in seconds]
    rows = [[mean * count / max(s, 1e-9) for count in row] for row, s in zip(counts, seconds, strict=True)]
    found = [1.0] * len(counts[0])
    for _ in range(200):
        for j in range(len(found)):
            upper = lower = EQUAL
            for weight, row in zip(weights, rows, strict=True):
                rest = 1 - sum(row[i] * found[i] for i in range(len(found)) if i != j)
                upper, lower = upper + weight * row[j] * rest, lower + weight * row[j] ** 2
            found[j] = max(0.0, upper / lower)
    return [mean * each for each in found]


def duration(seconds: float) -> str:
    """In the unit that suits.

    >>> duration(0.2), duration(61.0), duration(7200.0)
    ('0.2 s', '61 s', '2.0 h')
    """
    for most, unit, name in ((9.95, 1, "s"), (89.5, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < most:
            value = seconds / unit
            return f"{value:.{1 if value < 9.95 else 0}f} {name}"
    return f"{seconds / 86_400:.1f} days"


def _row(name: str, span: Stage | Forecast) -> str:
    between = f"({duration(span.low)} to {duration(span.high)})"
    return f"{name:<18}{duration(span.seconds):>9}  {between}"

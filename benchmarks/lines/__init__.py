"""What `bench.py` measures: one module for each subject, whose `LINES` it runs.

How to add a line. Write, in the module of its subject, functions that prepare once and return what is timed, and a
`Line` that names them:

    def features():                     # ours
        from kerneltools import maps    # imported here: a library is loaded only by the process that needs it
        x, phi = ...
        return lambda: phi(x)           # called `runs` times, in turn with the other side

    def peer(): ...                     # theirs, the same for another library, or for the floor of the machine

    LINES = (
        Line("nystrom", "Nyström features of 50,000 rows, m = 1,000", features, peer, AtMost(0.7), "scikit-learn",
             measure=Seconds(), quick=True, needs=(Package("sklearn", "scikit-learn"),)),
    )

Then `python benchmarks/bench.py --only nystrom`, and `python benchmarks/bench.py --write-docs` for the tables of
`docs/performance.md`, which a test holds against the file. On a busy machine take `--results mine.json`: only
numbers of a machine at rest belong into `benchmarks/results.json`. Functions are those of a module, or
`functools.partial` of them, so that a fresh process can have them. A call ends when its result is there: wait for
libraries that compute behind one's back.

`measure` says which number comes of a call: `Seconds()`, `Rate(2000, "images/s")`, `Megabytes()` (what the process
grew by at its peak, from when the side was prepared; each has a process of its own), or `Value("%", "accuracy")`, what
the call returns, or what a dict that it returns has under that key; a list there under "points" stays with the record.
Lines with the same two functions share their runs, so that one long run gives seconds, accuracy and memory: three
lines. Long ones say `runs=1, warm_up=0`.

A target is of the ratio ours / theirs, or of our number itself: `AtMost(75, absolute=True)`; `Near(0.3)`: the ratio is
between 0.7 and 1.3. A line without the other
side has `theirs=None`; one without a target is told and not judged.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

Prepare = Callable[[], Callable[[], Any]]

SUBJECTS = (
    "floor",
    "encode",
    "filters",
    "default_path",
    "random_features",
    "head",
    "on_jax",
    "step",
    "preprocessing",
    "forecast",
    "pieces",
    "peers",
    "growth",
    "gpu",
)


@dataclass(frozen=True)
class Run:
    """One call: wall seconds, what it returned, and by how many MB the process had grown at its peak."""

    seconds: float
    result: Any
    megabytes: float


class Measure(Protocol):
    """Which number comes of a run, and its unit; `alone`: each side wants a process that nothing else has used."""

    @property
    def unit(self) -> str: ...
    @property
    def alone(self) -> bool: ...
    def __call__(self, run: Run) -> float: ...


@dataclass(frozen=True)
class Seconds:
    """Of the wall clock."""

    unit: str = "s"
    alone: bool = False

    def __call__(self, run: Run) -> float:
        return run.seconds


@dataclass(frozen=True)
class Rate:
    """`count` of them a call."""

    count: float
    unit: str
    alone: bool = False

    def __call__(self, run: Run) -> float:
        return self.count / run.seconds


@dataclass(frozen=True)
class Megabytes:
    """Of 2**20 bytes: the peak over what the process had when the side was prepared."""

    unit: str = "MB"
    alone: bool = True

    def __call__(self, run: Run) -> float:
        return run.megabytes


@dataclass(frozen=True)
class Value:
    """The number that the call returns, or the one under a key of the dict that it returns."""

    unit: str = ""
    key: str | None = None
    alone: bool = False

    def __call__(self, run: Run) -> float:
        return float(run.result if self.key is None else run.result[self.key])


@dataclass(frozen=True)
class AtMost:
    """A target: the ratio ours / theirs, or our own number, is at most this."""

    bound: float
    absolute: bool = False
    word: str = "at most"

    def holds(self, value: float) -> bool:
        """Is it met?"""
        return value <= self.bound


@dataclass(frozen=True)
class AtLeast:
    """A target: the ratio ours / theirs, or our own number, is at least this."""

    bound: float
    absolute: bool = False
    word: str = "at least"

    def holds(self, value: float) -> bool:
        """Is it met?"""
        return value >= self.bound


@dataclass(frozen=True)
class Near:
    """A target: the ratio ours / theirs is off 1 by at most so much."""

    bound: float
    absolute: bool = False
    word: str = "1 within"

    def holds(self, value: float) -> bool:
        """Is it met?"""
        return abs(value - 1) <= self.bound


class Need(Protocol):
    """What a line cannot do without: `lacking()` says what to install or fetch, or None where it is there."""

    def lacking(self) -> str | None: ...


@dataclass(frozen=True)
class Package:
    """A package, by the name to import and the name, alone, to install."""

    module: str
    install: str

    def lacking(self) -> str | None:
        return None if importlib.util.find_spec(self.module) else f"not installed: pip install {self.install}"


@dataclass(frozen=True)
class Data:
    """A file or folder that an environment variable names; `parts`: files that must be in the folder."""

    variable: str
    holds: str
    parts: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(os.environ[self.variable])

    def lacking(self) -> str | None:
        if not os.environ.get(self.variable):
            return f"no data: set {self.variable} to {self.holds}"
        absent = [p for p in (self.path, *(self.path / part for part in self.parts)) if not p.exists()]
        return f"no data: {absent[0]} of {self.variable} does not exist; wanted: {self.holds}" if absent else None


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU that PyTorch sees."""

    def lacking(self) -> str | None:
        if importlib.util.find_spec("torch"):
            import torch

            if torch.cuda.is_available():
                return None
        return "no GPU: run `python benchmarks/bench.py --only gpu` where PyTorch has one"


TORCH, JAX, SKLEARN = Package("torch", "torch"), Package("jax", "jax"), Package("sklearn", "scikit-learn")
CIFAR10 = Data(
    "KERNELTOOLS_CIFAR10",
    "an .npz of CIFAR-10 (www.cs.toronto.edu/~kriz/cifar.html): X_train (50000, 32, 32, 3), y_train, X_test, y_test",
)


def structured(*parts: str) -> Data:
    """The folder of strings, graphs and series, with these files in it."""
    return Data("KERNELTOOLS_DATA", f"a folder with {', '.join(parts)} (see benchmarks/structured.py)", parts)


@dataclass(frozen=True, eq=False)
class Line:
    """One line of the table: two sides that take turns, the number that is told of them, and its target."""

    name: str
    what: str
    ours: Prepare
    theirs: Prepare | None = None
    target: AtMost | AtLeast | Near | None = None
    against: str = ""
    measure: Measure = Seconds()
    quick: bool = False
    needs: tuple[Need, ...] = ()
    runs: int = 5
    warm_up: int = 1
    threads: int | None = None

    def lacking(self) -> str | None:
        """The first need that is not met, or None."""
        return next(filter(None, (need.lacking() for need in self.needs)), None)


def subjects() -> dict[str, tuple[Line, ...]]:
    """The lines of each subject."""
    return {name: import_module(f"{__name__}.{name}").LINES for name in SUBJECTS}

"""A network that is learnt from some of the examples, and how long its stages took."""

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from ckn.architecture import Architecture
from ckn.model import preprocess
from ckn.network import Network
from ckn.preprocessing.objects import fitted_steps
from ckn.unsupervised import fit_unsupervised
from kerneltools.arrays import Array, asarray_like, evenly
from kerneltools.backend import to_host
from kerneltools.forecasting import Law, Sizes, Stage, Watch, timed
from kerneltools.landmarks import Selector, Uniform
from kerneltools.structures import count, take

FEW, MOST = 32, 512
"""Examples of the first run, which is to warm up, and of the second at most."""

ENCODING, HEAD = 0.5, 0.8
"""Seconds that runs of these may take, each."""

LOOSE = (0.8, 1.25)


class Pilot:
    """Runs on some of the examples, the same of each class."""

    examples: Any
    network: Network
    features: Array

    def __init__(self, estimator: Any, X: Any, goal: Any) -> None:
        self.estimator, self.X, self.goal, self.n = estimator, X, goal, count(X)
        self.like, kind = estimator._like(), estimator.kind
        self.order = np.arange(self.n) if goal.classes is None else np.argsort(goal.numbers, kind="stable")
        some = take(X, self.some(FEW))
        steps = kind.steps(some) if estimator.preprocessing is None else tuple(estimator.preprocessing)
        self.steps = fitted_steps(steps, some)
        self.architecture: Architecture = kind.built(estimator.architecture, preprocess(self.steps, some, self.like))
        self.parts: int = getattr(estimator, kind.parts)
        self.prepared(FEW)
        seconds = timed(lambda: self.learnt(FEW, self.parts * FEW // self.n, _random))
        self.size = int(min(self.n, MOST, max(FEW, ENCODING / seconds * FEW)))
        self.examples, self.ready = self.prepared(self.size)
        self.watch = Watch()

    def learn(self) -> None:
        """The network, and features of the examples: by a run that is watched."""
        self.watch = Watch()
        self.network, self.features = self.learnt(self.size, self.parts * self.size // self.n, _random, self.watch)
        self.watch.end()

    def preprocessing(self, taken: float) -> Stage:
        """In proportion to the examples, behind the seconds that it has `taken` to check them."""
        return stage("preprocessing", taken + self.ready * self.n / self.size)

    def readout(self) -> list[Stage]:
        """What a readout learns, of no more examples than a run has, nearly."""
        if "readout" not in self.watch.reports:
            return []
        return [stage("readout", self.watch.seconds("readout") * min(1000, self.n) / min(1000, self.size), LOOSE)]

    def encoding(self, name: str, count: int) -> Stage:
        """So many examples, behind what is prepared once."""
        first, each = self.watch.line("encoding")
        return stage(name, first + each * count)

    def tested(self, count: int) -> Stage:
        """Other examples, from preprocessing to scores."""
        return stage(f"test {self.estimator.kind.nouns}", count * (self.encoded + self.ready / self.size))

    @property
    def encoded(self) -> float:
        """The seconds in which an example is encoded."""
        return self.watch.line("encoding")[1]

    @property
    def full(self) -> Sizes:
        """The rows and columns of the features of all examples."""
        return {"n": self.n, "m": int(self.features.shape[1])}

    @property
    def outputs(self) -> int:
        """How many scores an example has."""
        classes: int | None = self.goal.classes
        return int(self.goal.wanted.shape[1]) if classes is None else classes

    def some(self, size: int) -> Any:
        """The numbers of so many examples."""
        return np.sort(self.order[evenly(self.n, min(size, self.n))])

    def prepared(self, size: int) -> tuple[Any, float]:
        """So many examples as the network takes them, and the seconds that took."""
        some = take(self.X, self.some(size))
        start = perf_counter()
        found = preprocess(self.steps, some, self.like)
        return found, perf_counter() - start

    def learnt(self, size: int, parts: int, selector: Callable[[Any], Any], watch: Any = None) -> tuple[Network, Array]:
        """The network with filters by a rule for each layer, and features of the examples."""
        examples, told = self.prepared(size)[0], watch or Watch()
        network = fit_unsupervised(
            self.architecture,
            examples,
            0,
            patches=max(parts, 2 * _widest(self.architecture)),
            batch=self.estimator.batch,
            selector=selector,
            progress=told,
        )
        with self.estimator._kept(network, [examples], told) as (network, kept):
            assert kept.array is not None  # of few examples
            return network, kept.array

    def alike(self, size: Sizes) -> tuple[Array, Any]:
        """Features like those of the examples, of so many rows and columns, and what is wanted of them."""
        host, n, d = to_host(self.features), int(size["n"]), int(size["m"])
        draws = np.random.default_rng(0)
        columns, rows = evenly(host.shape[1], d), draws.integers(host.shape[0], size=n)
        noise = 0.5 * host.std(axis=0)[columns] * draws.standard_normal((n, d))
        return asarray_like(host[rows][:, columns] + noise, self.features), self.wanted(self.some(self.size)[rows])

    def wanted(self, which: Any) -> Any:
        """The goal of the examples of these numbers."""
        if self.goal.classes is not None:
            return replace(self.goal, numbers=self.goal.numbers[which])
        return replace(self.goal, wanted=self.goal.wanted[which])

    def targets(self, goal: Any) -> Array:
        """+1 in the column of the class, -1 elsewhere, or the numbers to predict."""
        if goal.classes is None:
            return asarray_like(goal.wanted, self.features)
        return asarray_like(2.0 * (goal.numbers[:, None] == np.arange(goal.classes)) - 1, self.features)

    def law(self, regs: int) -> Law:
        """The operations of ridge regression, for so many λ."""
        k = self.outputs

        def law(size: Sizes) -> tuple[float, ...]:
            n, d = size["n"], size["m"]
            least, most = min(n, d), max(n, d)
            return (3 * most * least**2, 20 * least**3, 4 * regs * n * k * least, 100 * n * d)

        return law


def stage(name: str, seconds: float, spread: tuple[float, float] = (0.85, 1.15)) -> Stage:
    """With what is left open, as factors."""
    return Stage(name, seconds, spread[0] * seconds, spread[1] * seconds)


def _random(spec: Any) -> Selector:
    return Uniform(spec.filters)


def _widest(architecture: Architecture) -> int:
    specs = architecture.grids if architecture.of_grids else [spec for stage in architecture.stages for spec in stage]
    return max(spec.filters for spec in specs)

"""How long the fit of a network takes, and how much memory, before it begins."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log, prod
from time import perf_counter
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from ckn.architecture import Architecture
from ckn.choice import LEFT_OUT as LEFT_OUT_OF_HEAD
from ckn.choice import MANY, left_out
from ckn.head import DEFAULT_REGS, least_reg
from ckn.kept import BLOCK_NUMBERS, MEMORY, Kept
from ckn.model import preprocess
from ckn.network import Network
from ckn.preprocessing.objects import fitted_steps
from ckn.supervised import Supervised, fit_supervised
from ckn.supervised.start import LEFT_OUT, SEEN, TRIAL_STEPS
from ckn.unsupervised import default_selector, fit_unsupervised, inner_patches
from kerneltools.arrays import Array, asarray_like, evenly, namespace, on_host
from kerneltools.backend import to_host
from kerneltools.forecasting import (
    Forecast,
    Law,
    Run,
    Sizes,
    Stage,
    Watch,
    expected,
    forecast_of,
    growing,
    timed,
    watched,
)
from kerneltools.landmarks import Landmarks, Selector, Uniform
from kerneltools.landmarks.base import chosen
from kerneltools.landmarks.forecasting import grown, law_of, spread_of, with_number
from kerneltools.solvers import Squared, fit_linear, moments, ridge_sums
from kerneltools.solvers.ridge import model_of
from kerneltools.structures import count, take
from kerneltools.structures.base import is_collection

FEW, MOST = 32, 512
"""Examples of the first run, which is to warm up, and of the second at most."""

ENCODING, FILTERS, HEAD = 0.5, 0.6, 0.8
"""Seconds that runs of these may take, each."""

PARTS = 20_000
"""Parts of a run of k-means, at most."""

COLUMNS, RIDGES = 2048, 5
"""Of many examples: columns of a run of products and factors, and values of λ for which ridge regression is solved."""

PASSES = (32, 128, 384)
"""Columns of runs of the passes, the first to warm up: of fewer ones more passes are made than of many."""

RATES = (5, 7, 11)
"""Learning rates that are tried, where none is given: at least, as a rule, and at most."""

LOOSE = (0.8, 1.25)


def forecast(estimator: Any, X: Any, goal: Any, validation: int = 0, test: int = 0) -> Forecast:
    """Forecast a fit by runs of each stage on some of the examples, which the estimator has checked.

    `validation`, `test`: how many others are measured, after each epoch and at the end.
    """
    began = perf_counter()
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # of some of the examples, which says nothing of all
        pilot = _Pilot(estimator, X, goal)
        stages = [pilot.preprocessing(), *pilot.filters(), *pilot.readout(), pilot.encoding("encoding", pilot.n)]
        stages += pilot.with_labels(validation) if estimator.supervised else pilot.heads()
    if test:
        stages.append(pilot.tested(test))
    needed, less = pilot.bytes(), estimator.kind.parts
    advice = f"take fewer {estimator.kind.nouns} or {less}, or smaller layers"
    return forecast_of(stages, needed, began, lambda free: advice, on_host(pilot.like))


@dataclass(eq=False)
class _Timed:
    """The rule for a layer, timed on some of its parts; what it hands on are parts drawn at random."""

    rule: Selector
    parts: Callable[[int], int]
    filters: int
    found: Stage | None = None
    columns: int = 0

    def __call__(self, kernel: Any, x: Array, rng: Any, *, weights: Array | None = None) -> Landmarks:
        """(p, d) -> (m, d)"""
        rows, self.columns = int(x.shape[0]), int(x.shape[1])
        law, m = law_of(self.rule, self.columns), min(self.filters, rows)
        full = max(rows, self.parts(rows)) if weights is None else rows
        sizes = [s for s in grown(full, self.filters, 32) if s["n"] <= rows and s["m"] <= m] or [{"n": rows, "m": m}]

        def run(size: Sizes) -> float:
            few = evenly(rows, int(size["n"]))
            own = None if weights is None else take(weights[:, None], few)[:, 0]
            part = take(x, few)
            return timed(lambda: chosen(with_number(self.rule, int(size["m"])), kernel, part, 0, own))

        runs = growing(sizes, run, law, FILTERS)
        self.found = expected("", runs, law, {"n": full, "m": self.filters}, spread_of(self.rule))
        return Uniform(m)(kernel, x, 0)


class _Pilot:
    """Runs on some of the examples, the same of each class."""

    def __init__(self, estimator: Any, X: Any, goal: Any) -> None:
        self.estimator, self.X, self.goal, self.n = estimator, X, goal, count(X)
        self.like, kind = estimator._like(), estimator.kind
        self.order = np.arange(self.n) if goal.classes is None else np.argsort(goal.numbers, kind="stable")
        some = take(X, self._some(FEW))
        steps = kind.steps(some) if estimator.preprocessing is None else tuple(estimator.preprocessing)
        self.steps = fitted_steps(steps, some)
        self.architecture: Architecture = kind.built(estimator.architecture, preprocess(self.steps, some, self.like))
        self.parts: int = getattr(estimator, kind.parts)
        self._prepared(FEW)
        seconds = timed(lambda: self._learnt(FEW, self.parts * FEW // self.n, _random))
        self.size = int(min(self.n, MOST, max(FEW, ENCODING / seconds * FEW)))
        self.examples, self.ready = self._prepared(self.size)
        self.timed: list[_Timed] = []
        self._learnt(self.size, PARTS, self._timed)
        self.watch = Watch()
        parts = self.parts * self.size // self.n
        self.network, self.features = self._learnt(self.size, parts, _random, self.watch)
        self.watch.end()

    def preprocessing(self) -> Stage:
        """In proportion to the examples."""
        return _stage("preprocessing", self.ready * self.n / self.size)

    def filters(self) -> list[Stage]:
        """Of each layer: parts that are drawn, and k-means of them."""
        found = []
        for number, rule in enumerate(self.timed, start=1):
            name = f"layer {number}: patches"
            first, each = self.watch.line(name)
            seen = self.watch.totals.get(name, self.size)
            found.append(_stage(name, first + each * seen * self.n / self.size, LOOSE))
            assert rule.found is not None  # it was called
            found.append(replace(rule.found, name=f"layer {number}: filters"))
        return found

    def readout(self) -> list[Stage]:
        """What a readout learns, of no more examples than a run has, nearly."""
        if "readout" not in self.watch.reports:
            return []
        return [_stage("readout", self.watch.seconds("readout") * min(1000, self.n) / min(1000, self.size), LOOSE)]

    def encoding(self, name: str, count: int) -> Stage:
        """So many examples, behind what is prepared once."""
        first, each = self.watch.line("encoding")
        return _stage(name, first + each * count)

    def tested(self, count: int) -> Stage:
        """Other examples, from preprocessing to scores."""
        _, each = self.watch.line("encoding")
        return _stage(f"test {self.estimator.kind.nouns}", count * (each + self.ready / self.size))

    def heads(self) -> list[Stage]:
        """What the head of an unsupervised network takes, by stage."""
        if self.n >= MANY:
            return [self._head_of_many()]
        if not isinstance(getattr(self.estimator, "head", None), Squared | None):
            left_out(self.goal.numbers, self.estimator.random_state)
        law = self._law(len(self.estimator.regs))
        watches: dict[int, Watch] = {}

        def run(size: Sizes) -> float:
            watches[id(size)] = self._head(size)
            return watches[id(size)].whole

        runs = growing(self._sizes(), run, law, HEAD)
        names = list(watches[id(runs[-1].sizes)].reports)
        return [
            expected(name, [Run(r.sizes, watches[id(r.sizes)].seconds(name)) for r in runs], law, self._full, LOOSE)
            for name in names
        ]

    def _head_of_many(self) -> Stage:
        """Sums of products, their factors, and passes over the rows, which the data decide: see `ckn.choice`."""
        d = int(self._full["m"])
        rows = 1024
        measured = [self._once(rows, min(d, columns)) for columns in (COLUMNS // 2, COLUMNS)]
        squares, solution, factor = (_grown(few, more, d) for few, more in zip(*measured, strict=True))
        once = squares * self.n / rows + RIDGES * solution + 2 * factor

        def law(size: Sizes) -> tuple[float, ...]:
            return (1400 * size["n"] * size["m"] * self._outputs, 3e5 * size["n"] * self._outputs)

        sizes: list[Sizes] = [{"n": MANY, "m": min(d, columns)} for columns in PASSES]
        runs = [Run(size, self._head(size).whole) for size in sizes][1:]
        passes = expected("", runs, law, self._full, (0.6, 1.4))
        return Stage("head", passes.seconds + once, passes.low + 0.85 * once, passes.high + 1.15 * once)

    def _once(self, rows: int, columns: int) -> tuple[tuple[int, float], ...]:
        """The seconds of sums of products, of a solution by them, and of moments, each with the columns."""
        features, goal = self._alike({"n": rows, "m": columns})
        targets, dtype = self._targets(goal, features), features.dtype
        sums = ridge_sums(features, targets)
        return (
            (columns, timed(lambda: ridge_sums(features, targets))),
            (columns, timed(lambda: model_of(sums, 1e-6, dtype))),
            (columns, timed(lambda: moments(sums, 1e-6, dtype))),
        )

    @property
    def _full(self) -> Sizes:
        return {"n": self.n, "m": int(self.features.shape[1])}

    def _head(self, size: Sizes) -> Watch:
        """How long the head of features of such sizes took."""
        features, goal = self._alike(size)
        kept = Kept(self.network.like, features)
        return watched(lambda told: self.estimator._ridge(self.network, kept, goal, told))

    def with_labels(self, validation: int) -> list[Stage]:
        """The stages of a training with labels: what is settled before it, the epochs, and the probabilities."""
        settings: Supervised = self.estimator._settings
        exact = self._solved(lambda x, t: fit_linear(x, t, settings.loss, settings.reg or 1e-3))
        encoded, n = self.encoding("", self.n), self.n
        step = self._step(settings)
        found = []
        if settings.reg is None:
            found.append(replace(self._path(), name="λ"))
        found.append(replace(exact, name="head"))
        each = validation * self.watch.line("encoding")[1]
        found.append(_stage("epoch 0", each + (encoded.seconds if settings.augmentation else 0.0)))
        if settings.rate is None:
            found.append(self._rates(settings, step))
        every = settings.strategy.exact_every
        heads = 0 if not every else (settings.epochs + every - 1) // every
        seconds = settings.epochs * (n * step + each) + heads * (encoded.seconds + exact.seconds)
        found.append(_stage("epochs", seconds, LOOSE))
        if self.goal.classes is not None:
            left = each if validation else encoded.seconds + min(5.0, 1 + 4000 / n) * exact.seconds
            found.append(_stage("calibration", left, LOOSE))
        return found

    def bytes(self) -> float:
        """At the peak, beside the examples: those that were preprocessed, and features and sums, or parts."""
        size = namespace(self.like).finfo(self.like.dtype).bits / 8
        n, d = self.n, int(self.features.shape[1])
        examples = size * _numbers(self.examples) * n / self.size
        parts = max((3 * size * min(t.parts(PARTS), self.parts) * t.columns for t in self.timed), default=0.0)
        features = size * n * d
        if n < MANY or self.estimator.supervised:
            least = min(n, d)
            head = features + 8 * (5.0 * least**2 + 4 * len(self.estimator.regs) * n * self._outputs + 2 * 4096 * d)
        else:
            features = features if features <= MEMORY else 0.0  # they are in a file then
            head = 8 * 5.0 * d**2 + 2 * size * (LEFT_OUT_OF_HEAD * d + 2 * n * self._outputs) + 4 * size * BLOCK_NUMBERS
        block = 4 * size * 2**21 * 4
        return float(max(examples + parts, examples + 2 * features, features + head) + block)

    @property
    def _outputs(self) -> int:
        classes: int | None = self.goal.classes
        return int(self.goal.wanted.shape[1]) if classes is None else classes

    def _some(self, size: int) -> Any:
        return np.sort(self.order[evenly(self.n, min(size, self.n))])

    def _prepared(self, size: int) -> tuple[Any, float]:
        some = take(self.X, self._some(size))
        start = perf_counter()
        found = preprocess(self.steps, some, self.like)
        return found, perf_counter() - start

    def _learnt(
        self, size: int, parts: int, selector: Callable[[Any], Any], watch: Any = None
    ) -> tuple[Network, Array]:
        """The network with filters by a rule for each layer, and features of the examples."""
        examples, told = self._prepared(size)[0], watch or Watch()
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

    def _timed(self, spec: Any) -> _Timed:
        number = len(self.timed)
        self.timed.append(_Timed(default_selector(spec), lambda rows: self._parts(number, rows), spec.filters))
        return self.timed[-1]

    def _parts(self, number: int, seen: int) -> int:
        """How many parts a layer learns from, where so many were found among the examples of a run."""
        if not self.architecture.of_grids:
            return self.parts if seen >= PARTS else min(self.parts, seen * self.n // self.size)
        grid = tuple(self.examples.shape[1:-1])
        for spec in self.architecture.grids[:number]:
            grid = spec.output_shape(grid)
        each = prod(inner_patches(self.architecture.grids[number]).window(grid).output_shape(grid))
        return min(self.parts, self.n * each)

    def _sizes(self) -> list[Sizes]:
        """Sizes of features on the way to all rows and columns."""
        n, d = self.n, int(self.features.shape[1])
        least = MANY if n >= MANY else min(n, 64)
        shares = [1.25**-k for k in range(60, -1, -1)]
        found = [{"n": min(n, max(least, round(n * s))), "m": max(min(d, 8), round(d * s))} for s in shares]
        return [size for k, size in enumerate(found) if k == 0 or size != found[k - 1]]

    def _law(self, regs: int) -> Law:
        k = self._outputs

        def law(size: Sizes) -> tuple[float, ...]:
            n, d = size["n"], size["m"]
            least, most = min(n, d), max(n, d)
            return (3 * most * least**2, 20 * least**3, 4 * regs * n * k * least, 100 * n * d)

        return law

    def _alike(self, size: Sizes) -> tuple[Array, Any]:
        """Features like those of the examples, of so many rows and columns, and what is wanted of them."""
        host, n, d = to_host(self.features), int(size["n"]), int(size["m"])
        draws = np.random.default_rng(0)
        columns, rows = evenly(host.shape[1], d), draws.integers(host.shape[0], size=n)
        noise = 0.5 * host.std(axis=0)[columns] * draws.standard_normal((n, d))
        goal, which = self.goal, self._some(self.size)[rows]
        if goal.classes is not None:
            goal = replace(goal, numbers=goal.numbers[which])
        else:
            goal = replace(goal, wanted=goal.wanted[which])
        return asarray_like(host[rows][:, columns] + noise, self.features), goal

    def _targets(self, goal: Any, features: Array) -> Array:
        """+1 in the column of the class, -1 elsewhere, or the numbers to predict."""
        if goal.classes is None:
            return asarray_like(goal.wanted, features)
        return asarray_like(2.0 * (goal.numbers[:, None] == np.arange(goal.classes)) - 1, features)

    def _solved(self, solve: Callable[[Array, Array], Any], regs: int = 1) -> Stage:
        """What it takes of all features."""

        def run(size: Sizes) -> float:
            features, goal = self._alike(size)
            targets = self._targets(goal, features)
            return timed(lambda: solve(features, targets))

        law = self._law(regs)
        return expected("", growing(self._sizes(), run, law, HEAD), law, self._full, LOOSE)

    def _path(self) -> Stage:
        return self._solved(least_reg, len(DEFAULT_REGS))

    def _step(self, settings: Supervised) -> float:
        """The seconds of an example in a step of the training."""
        batch = min(settings.batch_of(self.n), max(1, self.size // 2))
        size = min(self.size, 4 * batch)
        examples = take(self.examples, evenly(self.size, size))
        classes: int | None = self.goal.classes
        if classes is None:
            wanted = self.goal.wanted[:size]
        else:  # each of them must be there
            classes = min(classes, size)
            wanted = [number % classes for number in range(size)]
        few = replace(settings, epochs=1, batch=batch, rate=settings.rate or 1e-4, reg=settings.reg or 1e-2)
        watch = watched(
            lambda progress: fit_supervised(self.network, examples, wanted, classes, 0, few, progress=progress)
        )
        return watch.line("epoch 1")[1]

    def _rates(self, settings: Supervised, step: float) -> Stage:
        """Some rates, each with steps, a head in between and the judgement of the filters."""
        n = self.n
        left_out = min(LEFT_OUT, max(1, n // 5))
        seen = min(SEEN, n - left_out)
        one = TRIAL_STEPS * settings.batch_of(n) * step + (2 * seen + left_out) * self.watch.line("encoding")[1]
        least, usual, most = (count * one for count in RATES)
        return Stage("learning rate", usual, least, most)


def _grown(few: tuple[int, float], more: tuple[int, float], full: int) -> float:
    """Seconds for all columns, by the power of their number that two runs follow, between 1 and 3."""
    if few[0] == more[0]:
        return more[1]
    power = min(3.0, max(1.0, log(more[1] / few[1]) / log(more[0] / few[0])))
    return float(more[1] * (full / more[0]) ** power)


def _random(spec: Any) -> Selector:
    return Uniform(spec.filters)


def _widest(architecture: Architecture) -> int:
    specs = architecture.grids if architecture.of_grids else [spec for stage in architecture.stages for spec in stage]
    return max(spec.filters for spec in specs)


def _numbers(examples: Any) -> int:
    """How many numbers they are."""
    if is_collection(examples):
        return int(prod(getattr(getattr(examples, "values", None), "shape", (0,))))
    return int(prod(examples.shape))


def _stage(name: str, seconds: float, spread: tuple[float, float] = (0.85, 1.15)) -> Stage:
    return Stage(name, seconds, spread[0] * seconds, spread[1] * seconds)

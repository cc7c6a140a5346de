"""How long it takes to draw parts and to choose filters among them, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ckn.estimators.forecasting.pilot import LOOSE, Pilot, stage
from ckn.layers.embedding import embedding_of
from ckn.network import Network
from ckn.sampling import parts_drawn
from ckn.unsupervised import default_selector, inner_patches
from kerneltools.arrays import Array, evenly
from kerneltools.forecasting import Law, Run, Sizes, Stage, expected, growing
from kerneltools.forecasting import timed as seconds_of
from kerneltools.landmarks import Landmarks, Selector, Uniform
from kerneltools.landmarks.base import chosen
from kerneltools.landmarks.forecasting import grown, law_of, spread_of, with_number
from kerneltools.structures import take

FILTERS = 0.6
"""Seconds that runs of a rule may take."""

PARTS = 20_000
"""Parts of a run, at most."""


@dataclass(eq=False)
class Rule:
    """The rule for a layer, timed on some of its parts; what it hands on are parts drawn at random.

    `number`: of the layer, from 0. `full`: how many parts it will see.
    """

    pilot: Pilot
    number: int
    rule: Selector
    filters: int
    runs: list[Run] = field(default_factory=list)
    full: int = 0
    columns: int = 0

    def __call__(self, kernel: Any, x: Array, rng: Any, *, weights: Array | None = None) -> Landmarks:
        """(p, d) -> (m, d)"""
        rows, self.columns = int(x.shape[0]), int(x.shape[1])
        m = min(self.filters, rows)
        # Of parts of which some are equal there are few more in all the examples.
        self.full = rows if weights is not None else _parts(self.pilot, self.number, rows)
        sizes = [s for s in grown(self.full, self.filters, 32) if s["n"] <= rows and s["m"] <= m]

        def run(size: Sizes) -> float:
            few = evenly(rows, int(size["n"]))
            own = None if weights is None else take(weights[:, None], few)[:, 0]
            part = take(x, few)
            return seconds_of(lambda: chosen(with_number(self.rule, int(size["m"])), kernel, part, 0, own))

        self.runs = growing(sizes or [{"n": rows, "m": m}], run, self.law, FILTERS)
        return Uniform(m)(kernel, x, 0)

    @property
    def law(self) -> Law:
        """Of the rule, for parts of so many columns."""
        return law_of(self.rule, self.columns)

    def stage(self, name: str) -> Stage:
        """Of all parts."""
        return expected(name, self.runs, self.law, {"n": self.full, "m": self.filters}, spread_of(self.rule))


def timed(pilot: Pilot) -> list[Rule]:
    """The rules of all layers, each timed on parts of the pilot's examples."""
    rules: list[Rule] = []

    def rule(spec: Any) -> Rule:
        rules.append(Rule(pilot, len(rules), default_selector(spec), spec.filters))
        return rules[-1]

    pilot.learnt(pilot.size, PARTS, rule)
    return rules


def stages(pilot: Pilot, rules: Sequence[Rule]) -> list[Stage]:
    """Of each layer: parts that are drawn, and k-means of them."""
    found = []
    for number, rule in enumerate(rules, start=1):
        name = f"layer {number}: patches"
        first, each = pilot.watch.line(name)
        seen = pilot.watch.totals.get(name, pilot.size)
        found.append(stage(name, first + each * seen * pilot.n / pilot.size, LOOSE))
        found.append(rule.stage(f"layer {number}: filters"))
    return found


def _parts(pilot: Pilot, number: int, seen: int) -> int:
    """How many parts a layer learns from, where so many were found among the examples of a run."""
    if not pilot.architecture.of_grids:
        network = Network((), embedding_of(pilot.examples), strands=pilot.architecture.strands)
        batch = pilot.estimator.batch or network.batch_for(pilot.examples)
        return parts_drawn(pilot.parts, pilot.n, seen / pilot.size, batch)
    grid = tuple(pilot.examples.shape[1:-1])
    for spec in pilot.architecture.grids[:number]:
        grid = spec.output_shape(grid)
    each = prod(inner_patches(pilot.architecture.grids[number]).window(grid).output_shape(grid))
    return min(pilot.parts, pilot.n * each)

"""How long a training with labels takes: what is settled before it, the epochs, and the probabilities."""

from dataclasses import replace

from ckn.estimators.forecasting.pilot import ENCODING, HEAD, LOOSE, Pilot, stage
from ckn.head import DEFAULT_REGS
from ckn.model import encode
from ckn.supervised import Supervised, fit_supervised
from ckn.supervised.calibration import ENOUGH
from ckn.supervised.data import Data
from ckn.supervised.features import Features
from ckn.supervised.start import LEFT_OUT, SEEN, TRIAL_STEPS, best_reg
from kerneltools.arrays import asarray_like, evenly, indices_like
from kerneltools.forecasting import Sizes, Stage, expected, growing, timed, watched
from kerneltools.solvers import Squared, ridge
from kerneltools.structures import take

FEATURES = 2048
"""Examples whose features heads are fitted to, at most."""

TRIALS = (3, 4, 11)
"""Learning rates that are tried to the end, where none is given: at least, as a rule, and at most."""

BROKEN_OFF = (1.0, 1.5, 0.0)
"""In times of the steps of a trial: those of all rates at which the loss rises, beside as many trials."""

STEPS = (0.7, 1.5)
"""How many times as many steps a head may take for all features as for some, where its loss is not squared."""


def stages(pilot: Pilot, validation: int) -> list[Stage]:
    """As a fit reports them; `validation`: how many others are measured after each epoch."""
    settings: Supervised = pilot.estimator._settings
    n, encoded = pilot.n, pilot.encoding("", pilot.n)
    heads = _Heads(pilot, settings)
    exact, step = heads.exact(n), _step(pilot, settings)
    found = []
    if settings.reg is None:
        found.append(heads.regs())
    found.append(replace(exact, name="head"))
    each = validation * pilot.encoded
    found.append(stage("epoch 0", each + (encoded.seconds if settings.augmentation else 0.0)))
    if settings.rate is None:
        found.append(_rates(pilot, settings, heads, step))
    every = settings.strategy.exact_every
    solved = 0 if not every else (settings.epochs + every - 1) // every
    steps = stage("", settings.epochs * (n * step + each) + solved * encoded.seconds, LOOSE)
    found.append(_together("epochs", steps, exact, solved))
    if pilot.goal.classes is not None:
        left_out = min(LEFT_OUT, max(1, n // 5))
        fits = 0 if validation else -(-min(n, ENOUGH) // left_out)
        scores = stage("", each if validation else encoded.seconds)
        found.append(_together("calibration", scores, heads.exact(n - left_out), fits))
    return found


def _together(name: str, once: Stage, repeated: Stage, times: float) -> Stage:
    low, seconds, high = (getattr(once, part) + times * getattr(repeated, part) for part in ("low", "seconds", "high"))
    return Stage(name, seconds, low, high)


class _Heads:
    """Heads of the features of some examples themselves: how many steps one takes, and which λ is best, is theirs to
    say."""

    def __init__(self, pilot: Pilot, settings: Supervised) -> None:
        self.pilot, self.settings = pilot, settings
        self.rows = int(min(pilot.n, FEATURES, max(pilot.size, ENCODING / max(pilot.encoded, 1e-9))))
        which = pilot.some(self.rows)
        examples, network, goal = pilot.prepared(self.rows)[0], pilot.network.prepare(), pilot.wanted(which)
        of_numbers = goal.classes is None
        wanted = asarray_like(goal.wanted, pilot.like) if of_numbers else indices_like(goal.wanted, pilot.like)
        data = Data(examples, wanted, goal.classes, pilot.estimator.random_state, pilot.like)
        self.whole = Features(data, network, encode(network, (), examples))
        columns, least = pilot.full["m"], min(self.rows, 64)
        sizes: list[Sizes] = [{"n": least * 2**k, "m": columns} for k in range(20) if least * 2**k < self.rows]
        self.sizes = [*sizes, {"n": self.rows, "m": columns}]
        self.reg = settings.reg or 0.0
        self.of_regs = [] if settings.reg else growing(self.sizes, self._settled, pilot.law(len(DEFAULT_REGS)), HEAD)
        self.of_exact = growing(self.sizes, self._fitted, pilot.law(1), HEAD)

    def exact(self, n: int) -> Stage:
        """The head of so many rows."""
        spread = LOOSE if isinstance(self.settings.loss, Squared) else STEPS
        return expected("", self.of_exact, self.pilot.law(1), {"n": n, "m": self.pilot.full["m"]}, spread)

    def regs(self) -> Stage:
        """The best λ of all rows."""
        return expected("λ", self.of_regs, self.pilot.law(len(DEFAULT_REGS)), self.pilot.full, LOOSE)

    def judged(self, n: int) -> float:
        """The seconds of ridge regression on so many rows."""
        features, targets = self.whole.kept, self.whole.data.targets
        return timed(lambda: ridge(features, targets, self.reg)) * n / self.rows

    def _some(self, size: Sizes) -> Features:
        chosen = evenly(self.rows, int(size["n"]))
        data = self.whole.data
        few = replace(data, examples=take(data.examples, chosen), wanted=take(data.wanted, chosen))
        return replace(self.whole, data=few, kept=take(self.whole.kept, chosen))

    def _settled(self, size: Sizes) -> float:
        """The seconds until there is the best λ, which is kept: the last is that of the most rows."""
        features = self._some(size)

        def run() -> None:
            self.reg = best_reg(features, self.settings.loss)

        return timed(run)

    def _fitted(self, size: Sizes) -> float:
        features = self._some(size)
        return timed(lambda: features.fit(self.settings.loss, self.reg))


def _step(pilot: Pilot, settings: Supervised) -> float:
    """The seconds of an example in a step of the training."""
    batch = min(settings.batch_of(pilot.n), max(1, pilot.size // 2))
    size = min(pilot.size, 4 * batch)
    examples = take(pilot.examples, evenly(pilot.size, size))
    classes: int | None = pilot.goal.classes
    if classes is None:
        wanted = pilot.goal.wanted[:size]
    else:  # each of them must be there
        classes = min(classes, size)
        wanted = [number % classes for number in range(size)]
    few = replace(settings, epochs=1, batch=batch, rate=settings.rate or 1e-4, reg=settings.reg or 1e-2)
    watch = watched(
        lambda progress: fit_supervised(pilot.network, examples, wanted, classes, 0, few, progress=progress)
    )
    return watch.line("epoch 1")[1]


def _rates(pilot: Pilot, settings: Supervised, heads: _Heads, step: float) -> Stage:
    """Some rates to the end, each with steps, a head in between and the judgement of the filters; the steps of those
    that are broken off; a head without the examples that judge, and how the filters do that have not moved."""
    n, encoded = pilot.n, pilot.encoded
    left_out = min(LEFT_OUT, max(1, n // 5))
    seen = min(SEEN, n - left_out)
    head = heads.exact(seen).seconds + seen * encoded if settings.strategy.exact_every else 0.0
    judged = (seen + left_out) * encoded + heads.judged(seen)
    steps = TRIAL_STEPS * settings.batch_of(n) * step
    once = heads.exact(n - left_out).seconds + judged + TRIAL_STEPS * settings.batch_of(n) * encoded
    least, usual, most = (
        once + broken * steps + tried * (steps + head + judged)
        for tried, broken in zip(TRIALS, BROKEN_OFF, strict=True)
    )
    return Stage("learning rate", usual, least, most)

"""The head for many rows: ridge regression or the squared hinge, whichever is right more often on rows left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ckn.head import DEFAULT_REGS, Choice, FittedHead, FittedRegression, Tried, fit_head, fit_regression, one_vs_rest
from ckn.head import check_regs as require_regs
from ckn.kept import Kept
from ckn.network import Progress
from ckn.splitting import held_out
from ckn.targets import explained
from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.learning import fit_temperature
from kerneltools.progress import silent
from kerneltools.random import stream
from kerneltools.solvers import (
    LinearModel,
    Loss,
    Moments,
    RidgeSums,
    Squared,
    SquaredHinge,
    fit_linear,
    moments,
    newton_cg,
    ridge,
)
from kerneltools.solvers.ridge import model_of
from kerneltools.solvers.sums import sums_of_blocks
from kerneltools.structures import take

MANY = 20_000
"""The number of rows from which ridge regression is no longer taken without comparison (docs/decisions/0030)."""

LEFT_OUT, SHARE = 5000, 0.2
"""The most rows that are left out, and their greatest share."""

REUSED = 10.0
"""How far λ may be from the one whose moments are known."""

ROUGHLY, SOLVED = 1e-3, 1e-5
"""The precision of heads that are compared, and of the one that is taken: see `newton_cg`."""


def chosen_head(
    features: Kept,
    numbers: Any,
    classes: int,
    loss: Loss | None = None,
    regs: Sequence[float] = DEFAULT_REGS,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> FittedHead:
    """The head of a given loss, or, from 20,000 rows on, the better of ridge regression and squared hinge.

    (n, d), (n,) class numbers on the host -> head; `weights` as in `fit_head`

    Ridge regression on fewer rows is `fit_head`. Otherwise a part of each class is left out, 5,000 rows together or a
    fifth of all. The λ of ridge regression is the one with the least squared error on them; that of other losses is the
    one with the least log loss of the right classes, at the temperature that fits the scores best. The head that is
    right more often is then solved on all rows.

    Raises ValueError where no row can be left out.
    """
    require_regs(regs)
    n = features.shape[0]
    if n < MANY and isinstance(loss, Squared | None):
        start = perf_counter()
        assert features.array is not None  # few rows are in memory
        progress("ridge", 0, 1)
        found = fit_head(features.array, numbers, classes, regs, weights)
        progress("ridge", 1, 1)
        alone = Tried(Squared(), found.reg, found.loo_accuracy, tuple(regs), found.loo_errors)
        return replace(found, choice=Choice((alone,), 0, perf_counter() - start, features.place))
    start = perf_counter()
    losses = (Squared(), SquaredHinge()) if loss is None else (loss,)
    rows = _rows(features, one_vs_rest(indices_like(numbers, features.like), classes, features.like), weights)
    out = left_out(numbers, seed)
    of_out = _LeftOut(rows, out, np.asarray(numbers)[out])
    found_by_loss = of_out.searched(losses, regs, progress)
    best = max(found_by_loss, key=lambda found: of_out.accuracy(found.scores))
    model = rows.fit(best.loss, best.reg, best.model, rows.weights, SOLVED)
    progress("head", len(losses) + 2, len(losses) + 2)
    tried = tuple(Tried(f.loss, f.reg, of_out.accuracy(f.scores), f.regs, f.errors) for f in found_by_loss)
    choice = Choice(tried, int(out.sum()), perf_counter() - start, features.place)
    calibration = fit_temperature(best.scores, of_out.numbers, weights=of_out.weights)
    return FittedHead(model, best.reg, best.errors, of_out.accuracy(best.scores), calibration, best.loss, choice)


def left_out(numbers: Any, seed: int) -> npt.NDArray[np.bool_]:
    """The mask of the rows that are left out to choose a head: (n,) class numbers -> (n,)

    Raises ValueError where no row can be left out.
    """
    out = held_out(np.asarray(numbers), min(SHARE, LEFT_OUT / len(numbers)), stream(seed, "head"))
    if not out.any():
        raise ValueError(
            "head: no class has two examples, so that none can be left out to choose λ; take Squared(), which chooses "
            "λ by leave-one-out"
        )
    return out


def chosen_regression(
    features: Kept, targets: Any, regs: Sequence[float] = DEFAULT_REGS, seed: int = 0, progress: Progress = silent
) -> FittedRegression:
    """`fit_regression`, but from 20,000 rows on λ is the one with the least squared error on rows left out.

    (n, d), (n, q) on the host -> head
    """
    require_regs(regs)
    n, wanted = features.shape[0], asarray_like(targets, features.like)
    if n < MANY:
        assert features.array is not None  # few rows are in memory
        progress("ridge", 0, 1)
        found = fit_regression(features.array, wanted, regs)
        progress("ridge", 1, 1)
        return found
    rows = _rows(features, wanted, None)
    out = held_out(np.zeros(n), min(SHARE, LEFT_OUT / n), stream(seed, "head"))
    of_out = _LeftOut(rows, out, None)
    (best,) = of_out.searched((Squared(),), regs, progress)
    model = rows.fit(best.loss, best.reg, best.model, rows.weights, SOLVED)
    progress("head", 3, 3)
    return FittedRegression(model, best.reg, best.errors, explained(best.scores, of_out.targets))


@dataclass(eq=False)
class _Few:
    """Rows whose heads are solved in memory."""

    features: Kept
    targets: Array
    weights: Array

    def ridge(self, reg: float, seen: Array) -> LinearModel:
        return ridge(self.features.array, self.targets, reg, weights=seen)

    def fit(self, loss: Loss, reg: float, start: LinearModel, weights: Array, tolerance: float) -> LinearModel:
        return fit_linear(self.features.array, self.targets, loss, reg, weights=weights, start=start)


@dataclass(eq=False)
class _Many:
    """Rows whose heads are solved by passes over their features, with sums from the first pass."""

    features: Kept
    targets: Array
    weights: Array
    sums: RidgeSums | None = None
    known: Moments | None = None

    def ridge(self, reg: float, seen: Array) -> LinearModel:
        sums = self._sums(seen)
        if namespace(sums.gram).finfo(sums.gram.dtype).bits < 64:
            # Products in float32 lose too many digits: the rows themselves have them.
            return self.fit(Squared(), reg, None, seen, SOLVED)
        return model_of(sums, reg, self.features.like.dtype)

    def fit(self, loss: Loss, reg: float, start: LinearModel | None, weights: Array, tolerance: float) -> LinearModel:
        near = self._moments(loss, reg, weights)
        return newton_cg(
            self.features, self.targets, loss, reg, near, weights=weights, start=start, tolerance=tolerance
        )

    def _sums(self, seen: Array) -> RidgeSums:
        if self.sums is None:
            self.sums = sums_of_blocks(self._with_targets(seen))
        return self.sums

    def _with_targets(self, seen: Array) -> Any:
        start = 0
        for x in self.features():
            rows = slice(start, start + x.shape[0])
            yield x, self.targets[rows, :], seen[rows]
            start += x.shape[0]

    def _moments(self, loss: Loss, reg: float, weights: Array) -> Moments:
        """Those of a λ nearby, or of this one."""
        shift = 2 * reg / (USUAL_CURVATURE * loss.greatest_curvature)
        if self.known is None or not 1 / REUSED <= shift / self.known.shift <= REUSED:
            self.known = moments(self._sums(weights), shift, self.features.like.dtype)
        return self.known


USUAL_CURVATURE = 0.4
"""The mean curvature of a loss at its solution, relative to the greatest one."""


def _rows(features: Kept, targets: Array, weights: Any) -> _Few | _Many:
    counted = namespace(targets).ones_like(targets[:, 0]) if weights is None else asarray_like(weights, targets)
    made = _Many if features.shape[0] >= MANY else _Few
    return made(features, targets, counted)


@dataclass(frozen=True, eq=False)
class _Found:
    """The best λ for a loss, its model of the rows that were not left out, and the scores of those that were."""

    loss: Loss
    reg: float
    model: LinearModel
    scores: Array
    regs: tuple[float, ...]
    errors: tuple[float, ...]


class _LeftOut:
    """Rows left out, their features and their targets; `numbers`: those of their classes, None for a regression."""

    def __init__(self, rows: _Few | _Many, out: Any, numbers: Any) -> None:
        like = rows.targets
        which = np.flatnonzero(out)
        self.rows = rows
        self.seen = rows.weights * asarray_like((~out).astype(np.float64), like)
        self.features = rows.features.taken(which)
        self.targets = take(like, which)
        self.numbers = None if numbers is None else numbers.tolist()
        weights = take(rows.weights[:, None], which)[:, 0]
        total = namespace(weights).sum(weights)
        self.weights = weights if float(total) > 0 else namespace(weights).ones_like(weights)

    def searched(self, losses: Sequence[Loss], regs: Sequence[float], progress: Progress) -> list[_Found]:
        """The best λ for each loss: ridge regression first, whose λ starts the search for others."""
        progress("head", 0, len(losses) + 2)
        regs = sorted(regs, reverse=True)
        of_ridge = self._best(Squared(), regs, len(regs) // 2, (4, 2, 1), self._of_ridge)
        progress("head", 1, len(losses) + 2)
        found = []
        for number, loss in enumerate(losses):
            if isinstance(loss, Squared):
                found.append(of_ridge)
            else:
                found.append(
                    self._best(loss, regs, regs.index(of_ridge.reg), (2, 1), self._after(loss, of_ridge.model))
                )
            progress("head", number + 2, len(losses) + 2)
        return found

    def accuracy(self, scores: Array) -> float:
        """The share of them whose class has the highest score."""
        best = to_host(namespace(scores).argmax(scores, axis=1))
        return float((best == np.asarray(self.numbers)).mean())

    def _best(
        self,
        loss: Loss,
        regs: Sequence[float],
        start: int,
        strides: Sequence[int],
        solve: Callable[[float, LinearModel | None], LinearModel],
    ) -> _Found:
        """Descend from one of the values of λ, first in long strides; smaller values are tried first."""
        models: dict[int, LinearModel] = {}
        errors: dict[int, float] = {}

        def error(number: int, near: int) -> float:
            if number not in errors:
                models[number] = solve(regs[number], models.get(near))
                errors[number] = self._error(loss, models[number](self.features))
            return errors[number]

        best, last = start, len(regs) - 1
        error(best, best)
        for stride in strides:
            moving = True
            while moving:
                moving = False
                for near in (min(best + stride, last), max(best - stride, 0)):
                    if error(near, best) < errors[best]:
                        best, moving = near, True
                        break
        tried = sorted(errors)
        told = tuple(regs[i] for i in tried), tuple(errors[i] for i in tried)
        return _Found(loss, regs[best], models[best], models[best](self.features), *told)

    def _of_ridge(self, reg: float, start: LinearModel | None) -> LinearModel:
        return self.rows.ridge(reg, self.seen)

    def _after(self, loss: Loss, first: LinearModel) -> Callable[[float, LinearModel | None], LinearModel]:
        return lambda reg, start: self.rows.fit(loss, reg, start or first, self.seen, ROUGHLY)

    def _error(self, loss: Loss, scores: Array) -> float:
        """The mean squared error, or the mean log loss of the probabilities of the scores."""
        xp = namespace(scores)
        if isinstance(loss, Squared):
            each = xp.mean((scores - self.targets) ** 2, axis=1)
        else:
            chances = fit_temperature(scores, self.numbers, weights=self.weights)(scores)
            own = xp.sum(xp.where(self.targets > 0, chances, xp.zeros_like(chances)), axis=1)
            each = -xp.log(xp.maximum(own, xp.full_like(own, float(xp.finfo(own.dtype).smallest_normal))))
        return float(xp.sum(each * self.weights) / xp.sum(self.weights))

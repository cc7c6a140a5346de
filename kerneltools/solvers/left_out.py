"""Kernel classifiers with the scores of rows left out, and λ chosen by these."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

from kerneltools.arrays import Array, evenly, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.features import KEPT_ENTRIES, KernelModel
from kerneltools.solvers.losses import Loss
from kerneltools.solvers.newton import Newton, Point, fit_kernel, prepared
from kerneltools.solvers.preconditioners import FOUR_ROWS
from kerneltools.structures import count, take
from kerneltools.units import over_units, times_units

SAMPLE = 4000
"""The most rows on which λ is chosen."""

LEFT_OUT = 2000
"""The most rows that are left out, one at a time."""

ROUGHLY, CHOSEN, GIVEN = 1e-3, 1e-6, 1e-8
"""How accurately each λ tried, the one taken, and a given one are solved: see `fit_kernel`."""

STEPS = 100
"""The most Newton steps at each λ."""

LEAST = 1e-3
"""The least curvature that remains when a row is left out, where rounding would leave nothing."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A model and its λ; if several λ were tried, also these, with the mean losses of rows left out.

    `rows` (r,): numbers of rows; `scores` (r, k): their scores by models fitted without them; () and None if not asked
    for.
    """

    model: KernelModel
    reg: float
    regs: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()
    rows: Sequence[int] = ()
    scores: Array | None = None


def fit_left_out(
    kernel: Kernel,
    points: Array,
    x: Array,
    targets: Array,
    loss: Loss,
    regs: Sequence[float],
    *,
    weights: Array | None = None,
    repeats: Array | None = None,
    wanted: bool = False,
    rng: Rng = 0,
    progress: Progress = silent,
) -> LeftOut:
    """`fit_kernel` at a λ of a falling sequence: the last one before the loss of rows left out rises.

    Arguments as in `fit_kernel`; `repeats`: how many equal rows each one stands for, a part of its weight; `wanted`:
    whether the scores of rows left out are wanted. `progress` gets each λ, and each step at the last one.

    A row is left out by one Newton step from the model of all (Rad and Maleki 2020): exact for the squared hinge if no
    other row crosses its margin. For coupled classes (`CrossEntropy`), each uses only its own curvature. Of several
    equal rows, one is left out. λ is chosen on at most 4,000 rows, 2,000 of them left out, evenly spaced, and then
    falls by their share of all.
    """
    if len(regs) == 1 and not wanted:
        return LeftOut(
            fit_kernel(kernel, points, x, targets, loss, regs[0], weights=weights, rng=rng, progress=progress), regs[0]
        )
    seen = list(range(count(x))) if weights is None else to_host(weights).nonzero()[0].tolist()
    base = [seen[i] for i in evenly(len(seen), max(1, KEPT_ENTRIES // count(points)))]
    own, often = (None if w is None else take(w, base) for w in (weights, repeats))
    part, share = (take(x, base), take(targets, base)), min(SAMPLE, len(seen)) / len(seen)
    tolerance = GIVEN if len(regs) == 1 else CHOSEN
    least = share * regs[-1] if len(regs) > 1 else regs[-1]
    search, heights = prepared(kernel, points, *part, loss, least, own, FOUR_ROWS, tolerance, STEPS, None)
    unit, draws, reg = search.problem.features.unit, generator(rng), regs[0]
    errors: tuple[float, ...] = ()
    whole = search
    if len(base) < len(seen):
        whole, _ = prepared(kernel, points, x, targets, loss, least, weights, FOUR_ROWS, tolerance, STEPS, None)
    here, path = whole.start(), whole.path(reg / unit)
    if len(regs) > 1:
        found, reg, errors = _best(search, often, regs, draws, progress)
        reg, regs = share * reg, tuple(share * r for r in regs[: len(errors)])
        # Far down the path, where a preconditioner is needed.
        here = replace(here, weights=found, scores=whole.problem.features.scores(found), inverses=None)
        path = iter(())
    here = replace(whole, progress=progress).settled(here, reg / unit, path, STEPS, draws)
    model = whole.problem.model(times_units(here.weights, heights), here.count, here.promised, here.settled)
    if not here.settled:
        warn_not_converged("fit_kernel", "promised decrease", here.promised, here.count, "raise reg")
    if len(base) < len(seen):
        wide = namespace(here.scores).astype(model(part[0]), here.scores.dtype)
        here = replace(here, scores=over_units(wide, heights))
    tried = (tuple(regs), errors) if errors else ((), ())
    if not wanted:
        return LeftOut(model, reg, *tried)
    which = evenly(len(base), LEFT_OUT)
    here = replace(here, inverses=search.inverses(here, reg / unit, draws))
    scores = _left_out(search, here, often, which, len(base) / len(seen))
    return LeftOut(model, reg, *tried, [base[i] for i in which], times_units(scores, heights))


def _best(
    search: Newton, repeats: Array | None, regs: Sequence[float], draws: Any, progress: Progress
) -> tuple[Array, float, tuple[float, ...]]:
    """Weights on the features, λ, and the mean losses of rows left out, on a sample of the rows."""
    p = search.problem
    assert p.features.kept is not None  # there are few enough rows
    sample = evenly(p.features.n, SAMPLE)
    if len(sample) < p.features.n:
        shares = take(p.weights, sample)
        features = replace(
            p.features, x=take(p.features.x, sample), kept=take(p.features.kept, sample), block=len(sample)
        )
        shares = shares / namespace(shares).sum(shares)
        p = replace(p, features=features, targets=take(p.targets, sample), weights=shares)
        repeats = None if repeats is None else take(repeats, sample)
    search = replace(search, problem=p, tolerance=ROUGHLY)
    which, errors, here = evenly(p.features.n, LEFT_OUT), [], search.start()
    best, reg = here.weights, regs[0]
    for number, tried in enumerate(regs):
        at = tried / p.features.unit
        here = search.settled(here, at, search.path(at) if number == 0 else iter(()), here.count + STEPS, draws)
        here = replace(here, inverses=search.inverses(here, at, draws))
        errors.append(_mean_loss(search, _left_out(search, here, repeats, which), which))
        progress("reg", number + 1, len(regs), errors[-1])
        if number > 0 and errors[-1] >= errors[-2]:
            break
        best, reg = here.weights, tried
    return best, reg, tuple(errors)


def _left_out(search: Newton, here: Point, repeats: Array | None, which: Sequence[int], share: float = 1.0) -> Array:
    """Scores without one unit of each row: (r, k). `share`: that of the problem's rows among those of the model."""
    p = search.problem
    assert p.features.kept is not None and here.inverses is not None  # the callers have made them
    xp, units = namespace(p.weights), share * p.weights
    if repeats is not None:
        units = units * xp.minimum(xp.ones_like(units), 1 / xp.astype(repeats, units.dtype))
    phi = xp.matrix_transpose(take(p.features.kept, which))
    roots = [here.inverses[c, ...] @ phi for c in range(here.inverses.shape[0])]
    spread = take(units, which)[:, None] * xp.stack([xp.sum(root * root, axis=0) for root in roots], axis=1)
    scores, targets = take(here.scores, which), take(p.targets, which)
    room = 1 - spread * search.loss.curvature(scores, targets)
    return scores + spread * search.loss.gradient(scores, targets) / xp.maximum(room, xp.full_like(room, LEAST))


def _mean_loss(search: Newton, scores: Array, which: Sequence[int]) -> float:
    shares = take(search.problem.weights, which)
    losses = search.loss(scores, take(search.problem.targets, which))
    value = float(shares @ losses) / float(namespace(shares).sum(shares))
    return value if isfinite(value) else inf

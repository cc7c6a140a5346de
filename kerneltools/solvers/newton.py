"""Classifiers in the span of landmarks: Newton steps on any convex loss, along a path of λ."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite

from kerneltools.arrays import Array, namespace, require_stopping
from kerneltools.kernels import Kernel
from kerneltools.linalg import Solution, conjugate_gradient, identity_like
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.features import KEPT_ENTRIES, KernelModel, Problem, problem
from kerneltools.solvers.losses import Loss, Squared, check_loss, check_targets
from kerneltools.solvers.preconditioners import FOUR_ROWS, Preconditioner, apply_inverses, inverse_factors
from kerneltools.units import column_units, over_units, times_units

LARGEST = 4096**2
"""The entries of preconditioners that are kept at most: above it all classes share one."""

PATH = 4.0
"""From one λ of the path to the next; a single Newton step is enough in between (Marteau-Ferey et al. 2019, §4)."""

ROUGH, FINE = 0.1, 0.01
"""How far the linear systems are solved, relative, along the path and at its end."""


def fit_kernel(
    kernel: Kernel,
    points: Array,
    x: Array,
    targets: Array,
    loss: Loss,
    reg: float,
    *,
    weights: Array | None = None,
    preconditioner: Preconditioner = FOUR_ROWS,
    tolerance: float = 1e-8,
    iterations: int = 100,
    block: int | None = None,
    rng: Rng = 0,
    progress: Progress = silent,
) -> KernelModel:
    """Kernel logistic regression and SVM, f = k(., Z) α: minimise (1/Σw) Σ w_i loss(f(x_i), t_i) + λ |f|².

    Landmarks (m, d), rows (n, d), (n, k) in {+1, -1}, weights (n,) >= 0 or None -> model of (..., d) -> (..., k)

    `loss`: `Logistic` or `SquaredHinge` for each class against the rest, `CrossEntropy` for the softmax of all. For
    two classes a single column will do for the first two. `reg`: λ > 0; f has no intercept, and |f|² is as in
    `falkon`.

    Newton steps, each a linear system solved like `falkon`'s, with a preconditioner for each class (one for all above
    k m² = 4096²). λ falls by 4 from step to step, from where the penalty is as great as the curvature (Marteau-Ferey,
    Bach and Rudi 2019), then steps are taken at `reg` until what they still promise is at most `tolerance` times the
    objective: `residual`. `iterations` counts Newton steps; each is some ten passes over the rows. Where `block` is not
    given and n m is at most 2^25, the features of all rows are made once and kept (268 MB in float64, thrice that for a
    moment), which takes a quarter of the time. Memory beyond the data else: O(k m² + block m + n k). `progress` is told
    of each step, with what it promised (kerneltools.progress).

    Raises what `falkon` raises, and ValueError for targets other than +1 and -1 of these losses; warns
    (NotConvergedWarning) after `iterations` steps, and (PrecisionWarning) as `falkon` does.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import Logistic
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> targets = np.where(np.sin(x) > 0, 1.0, -1.0)
    >>> model = fit_kernel(Gaussian(1.0), x[::5, :], x, targets, Logistic(), reg=1e-4)
    >>> float(((model(x) > 0) == (targets > 0)).mean())
    1.0
    """
    search, units = prepared(
        kernel, points, x, targets, loss, reg, weights, preconditioner, tolerance, iterations, block
    )
    p, search = search.problem, replace(search, progress=progress)
    found = search.settled(search.start(), p.reg, search.path(p.reg), iterations, generator(rng))
    if not found.settled:
        advice = "allow more iterations, or raise reg or tolerance"
        warn_not_converged("fit_kernel", "promised decrease", found.promised, found.count, advice)
    return p.model(times_units(found.weights, units), found.count, found.promised, found.settled)


def prepared(
    kernel: Kernel,
    points: Array,
    x: Array,
    targets: Array,
    loss: Loss,
    reg: float,
    weights: Array | None,
    preconditioner: Preconditioner,
    tolerance: float,
    iterations: int,
    block: int | None,
) -> tuple["Newton", tuple[float, ...]]:
    """The problem of `fit_kernel`, its arguments checked, in units of the targets' columns; and these."""
    check_loss(loss)
    require_stopping(tolerance, iterations)
    p = problem(kernel, points, x, targets, reg, weights, block, "targets")
    check_targets(targets, loss)
    units = column_units(p.targets) if isinstance(loss, Squared) else (1.0,) * int(p.targets.shape[1])
    p = replace(p, targets=over_units(p.targets, units))
    if block is None and p.features.n * p.features.m <= KEPT_ENTRIES:
        p = replace(p, features=p.features.keeping())
    search = Newton(p, loss, preconditioner, tolerance)
    if p.targets.shape[1] == 1 and search.ignores_shifts():
        raise ValueError(f"targets: expected a column for each class for {loss!r}, got 1; take Logistic for one column")
    return search, units


STALE = 8
"""A preconditioner is taken anew after a linear system of more steps, where a step costs less than it does."""

HALVINGS = 20
"""Of the interval in which the length of a step is sought."""


@dataclass(frozen=True, eq=False)
class Point:
    """Weights on the features (m, k), and the scores of the rows (n, k).

    After `count` steps, of which the last promised to lower the objective by a share of `promised`; `inverses`: the
    preconditioner for the next one, None where it should take its own.
    """

    weights: Array
    scores: Array
    count: int = 0
    promised: float = inf
    settled: bool = False
    inverses: Array | None = None


@dataclass(frozen=True, eq=False)
class Newton:
    """Newton's method on a problem; `tolerance`: how much the last step may promise, relative to the objective."""

    problem: Problem
    loss: Loss
    preconditioner: Preconditioner
    tolerance: float
    progress: Progress = silent

    def start(self) -> Point:
        """Where all weights are 0, for the first λ of the path: there no preconditioner is needed.

        The penalty is as great as the curvature's trace, so that the condition number is 2 at most.
        """
        features, targets = self.problem.features, self.problem.targets
        identity = identity_like(features.whitening)[None, ...]
        scores = namespace(targets).zeros_like(targets)
        return Point(features.zeros(targets.shape[1]), scores, inverses=identity)

    def path(self, reg: float) -> Iterator[float]:
        """Values of λ down to the last but one."""
        p, start = self.problem, self.start()
        xp = namespace(start.scores)
        curvature = p.weights @ xp.max(self.loss.curvature(start.scores, p.targets), axis=1)
        at = float(curvature * xp.mean(p.features.norms())) / 2
        while at > reg:
            yield at
            at = at / PATH

    def settled(self, here: Point, reg: float, path: Iterator[float], iterations: int, rng: Rng) -> Point:
        """At the minimum, after a step at each λ of a path and several at the last one."""
        here = replace(here, settled=False)
        while here.count < iterations and not here.settled:
            at = next(path, None)
            here = self.step(here, reg if at is None else at, at is None, rng)
            self.progress("newton", here.count, iterations, here.promised)
        return here

    def step(self, here: Point, reg: float, last: bool, rng: Rng) -> Point:
        """Where one Newton step at λ leads; settled when it is small enough at the last λ."""
        p, features = self.problem, self.problem.features
        xp = namespace(here.scores)
        shares = p.weights[:, None]
        slopes = shares * self.loss.gradient(here.scores, p.targets)
        gradient = features.sums_of(slopes) + 2 * reg * here.weights

        def product(v: Array) -> Array:
            def bent(rows: slice, change: Array) -> Array:
                return shares[rows, :] * self.loss.hessian(here.scores[rows, :], p.targets[rows, :], change)

            return features.sums(bent, v) + 2 * reg * v

        inverses = self.inverses(here, reg, rng) if here.inverses is None else here.inverses
        found = self._solve(product, -gradient, inverses, FINE if last else ROUGH)
        direction = namespace(gradient).reshape(found.x, gradient.shape)
        step = Point(direction, features.scores(direction))
        promised = -float(xp.sum(gradient * direction)) / 2 / (self._value(here, reg) or 1.0)
        length = self._length(here, step, reg)
        stale = features.kept is None or found.iterations > STALE
        return Point(
            here.weights + length * step.weights,
            here.scores + length * step.scores,
            here.count + 1,
            promised,
            last and (promised <= self.tolerance or not float(xp.max(length)) > 0),
            None if stale else inverses,
        )

    def _solve(self, product: Callable[[Array], Array], rhs: Array, inverses: Array, tolerance: float) -> Solution:
        """The direction; losses that couple the classes have one linear system for all of them."""
        xp, shape = namespace(rhs), tuple(rhs.shape)
        packed = shape if self.loss.by_class else (-1, 1)
        free = self.ignores_shifts()

        def precondition(r: Array) -> Array:
            steered = apply_inverses(inverses, xp.reshape(r, shape))
            # What the loss does not see, its curvature in one class does: the preconditioner must not go there.
            return xp.reshape(steered - xp.mean(steered, axis=1, keepdims=True) if free else steered, packed)

        return conjugate_gradient(
            lambda v: xp.reshape(product(xp.reshape(v, shape)), packed),
            xp.reshape(rhs, packed),
            precondition=precondition,
            tolerance=tolerance,
        )

    def ignores_shifts(self) -> bool:
        """Whether the loss depends on differences of scores only, like the softmax."""
        xp, targets = namespace(self.problem.targets), self.problem.targets[:1, :]
        seen = self.loss.hessian(xp.zeros_like(targets), targets, xp.ones_like(targets))
        return not self.loss.by_class and float(xp.max(xp.abs(seen))) < 1e-3

    def inverses(self, here: Point, reg: float, rng: Rng) -> Array:
        """The preconditioner at a point."""
        xp, p = namespace(here.scores), self.problem
        curvature = p.weights[:, None] * self.loss.curvature(here.scores, p.targets)
        if curvature.shape[1] * self.problem.features.m**2 > LARGEST:
            curvature = xp.mean(curvature, axis=1, keepdims=True)
        return inverse_factors(self.preconditioner(self.problem.features, curvature, rng), 2 * reg)

    def _value(self, point: Point, reg: float) -> float:
        xp = namespace(point.scores)
        losses = self.loss(point.scores, self.problem.targets)
        value = float(self.problem.weights @ losses) + reg * float(xp.sum(point.weights * point.weights))
        if not isfinite(value):
            raise FloatingPointError(f"fit_kernel: the objective is {value}; raise reg, or scale the data down")
        return value

    def _length(self, here: Point, step: Point, reg: float) -> Array:
        """How far to go, at most 1: a length for each class, or one for all where the loss couples them.

        The objective is convex: where the slope is not positive yet, it has only fallen. Halving an interval takes no
        pass over the kernel matrix.
        """
        xp = namespace(step.scores)

        def beyond(length: Array) -> Array:
            scores, weights = here.scores + length * step.scores, here.weights + length * step.weights
            slopes = self.problem.weights @ (self.loss.gradient(scores, self.problem.targets) * step.scores)
            slopes = slopes + 2 * reg * xp.sum(weights * step.weights, axis=0)
            return slopes > 0 if self.loss.by_class else xp.broadcast_to(xp.sum(slopes) > 0, slopes.shape)

        high = xp.ones_like(step.scores[0, :])
        low = xp.where(beyond(high), xp.zeros_like(high), high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            far = beyond(middle)
            low, high = xp.where(far, low, middle), xp.where(far, middle, high)
        return low

"""Linear models of any convex loss, fitted to features that are visited block by block."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf, isfinite, sqrt
from typing import Any

from kerneltools.arrays import (
    Array,
    blocks,
    device_of,
    namespace,
    require_finite,
    require_number,
    require_stopping,
    require_together,
    widest_float,
)
from kerneltools.backend import to_host
from kerneltools.linalg import identity_like
from kerneltools.primitives import solve_triangular
from kerneltools.solvers.checks import check_rows
from kerneltools.solvers.class_steps import Lines, curved
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.lbfgs import Minimum, minimise
from kerneltools.solvers.losses import Loss, Squared, check_loss, check_targets
from kerneltools.solvers.ridge import LinearModel
from kerneltools.structures import take
from kerneltools.units import column_units, over_units, times_units, unit_of

Blocks = Callable[[], Iterable[tuple[Array, ...]]]
"""Each call iterates over all rows anew: features (b, d), targets (b, k) and, if wanted, weights (b,)."""

Rows = tuple[Array, Array, Array | None]
"""Features (b, d), targets (b, k) and weights (b,) or None."""

LARGEST = 4096**2
"""The most entries of Hessians that are factored: 134 MB in float64, some seconds."""

PIVOT = 1e-3
"""The least curvature of the intercept in the variables of a descent, as a share of the loss's greatest one."""

SHARED_STEPS = 40
"""After so many steps the Hessian that the classes share is taken anew: fewer and fewer rows miss their margin.
Taking a Hessian costs as much as d / 2k steps (measured: 20 steps save too few passes for that)."""


def fit_linear(
    x: Array | Blocks,
    targets: Array | None,
    loss: Loss,
    reg: float,
    *,
    weights: Array | None = None,
    start: LinearModel | None = None,
    tolerance: float = 1e-6,
    iterations: int = 500,
    block: int = 8192,
) -> LinearModel:
    """Fit a linear model: minimise (1/Σw) Σ w_i loss(x_i W + b, t_i) + reg |W|²; the intercept b is not penalised.

    (n, d), (n, k) in {+1, -1}, weights (n,) >= 0 or None -> model of (..., d) -> (..., k)

    `x`: the features, or a function without arguments that returns an iterator over blocks (features, targets) or
    (features, targets, weights), so that they are never in memory together; then `targets` and `weights` are None, and
    each call must give the same rows. A row of weight w counts like w equal rows. `start`: the model to start from,
    zeros by default. `block`: how many rows of an array are visited at a time.

    Scores are computed in the type of x, sums over rows in float64 if the library has it. L-BFGS works in variables in
    which the Hessian at the start is the identity, so that badly scaled and nearly dependent features cost few steps,
    and `Squared` takes two. A step costs a pass over the rows, seldom more. After every 40 steps the Hessian is
    computed anew, in O(n d²). From then on, for losses that are `by_class` with d² k at most 4096², each class takes
    Newton's steps, with a Hessian of its own from the rows that miss its margin and the exact minimum on its line (two
    more numbers are kept for each score). Above 4096 features only the Hessian's diagonal is used: allow thousands of
    steps, or a greater `reg`. An array with more features than rows is first turned into as many features as rows, in
    O(n² d), since the best weights are combinations of the rows.

    The units of the data do not matter: features, and for `Squared` each column of targets about its mean, are scaled
    by powers of two to about 1.

    It stops when the gradient in these variables is at most `tolerance` * max(1, its norm where the Hessian was
    computed), measured with a Hessian of the final point: half the square of its norm is about what the objective could
    still lose. It also stops when no more than rounding in the type of x is gained between two Hessians.

    Raises ValueError for shapes that do not fit, reg <= 0, negative weights, no rows of weight > 0, NaN, with its place
    (in a block, with the block's number from 0), and targets other than +1 and -1 of losses of classes; TypeError for
    arrays that are not floating-point or of several libraries; warns (NotConvergedWarning) after `iterations` steps.

    >>> import numpy as np
    >>> from kerneltools.solvers import SquaredHinge
    >>> x, targets = np.array([[-2.0], [1.0]]), np.array([[-1.0], [1.0]])
    >>> (fit_linear(x, targets, SquaredHinge(), reg=1e-9)(x) * targets).round(3)
    array([[1.],
           [1.]])
    """
    check_loss(loss)
    require_stopping(tolerance, iterations)
    span, array = None, _is_array(x, targets, weights)
    if array:
        x, targets, weights = _checked(x, targets, weights, loss, least=1)
        require_finite(x=x)
        if _is_wide(x):
            span = _Span.of(x)
            x, start = span.features, None if start is None else span.narrow(start)
    problem = _problem(_array_blocks(x, targets, weights, block) if array else _Checked(x, loss), loss, reg)
    if isinstance(loss, Squared):
        problem = problem.in_units(targets)
    theta, found = problem.solve(problem.theta(start), tolerance, iterations)
    if not found.converged:
        advice = "allow more iterations, or raise reg or tolerance"
        warn_not_converged("fit_linear", "gradient norm", found.gradient_norm, found.iterations, advice)
    model = problem.model(theta)
    return model if span is None else span.widen(model)


@dataclass(frozen=True, eq=False)
class _Span:
    """Rows as `features` (n, n) in an orthonormal `basis` (d, n) of what they span about their `mean` (d,).

    Scores and |W|² are the same in both, and weights beyond the span would only add to the penalty.
    """

    features: Array
    basis: Array
    mean: Array

    @staticmethod
    def of(x: Array) -> "_Span":
        """(n, d) with n < d"""
        xp = namespace(x)
        wide = xp.astype(x, widest_float(x))
        mean = xp.mean(wide, axis=0)
        basis, factor = xp.linalg.qr(xp.matrix_transpose(wide - mean), mode="reduced")
        return _Span(xp.astype(xp.matrix_transpose(factor), x.dtype), basis, mean)

    def narrow(self, model: LinearModel) -> LinearModel:
        """Weights (d, k) in the basis: -> (n, k)"""
        _require_start(model, (self.mean.shape[0], model.weights.shape[-1]), self.mean)
        xp = namespace(self.basis)
        weights = xp.astype(model.weights, self.basis.dtype)
        intercept = xp.astype(model.intercept, self.basis.dtype) + self.mean @ weights
        return LinearModel(xp.matrix_transpose(self.basis) @ weights, intercept)

    def widen(self, model: LinearModel) -> LinearModel:
        """(n, k) weights -> (d, k)"""
        xp = namespace(self.basis)
        weights = self.basis @ xp.astype(model.weights, self.basis.dtype)
        intercept = xp.astype(model.intercept, self.basis.dtype) - self.mean @ weights
        return LinearModel(xp.astype(weights, model.weights.dtype), xp.astype(intercept, model.intercept.dtype))


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective in theta (d + 1, k): the weights, with the intercept below, for features less `origin` (d,).

    A far origin would cost digits and couple the intercept to the weights. `dtype` is the type of the features.
    Weights are those of features over `unit`, a power of two, with `reg` to match; targets are taken less their
    `centre` (k,) and over their `heights`, the weights of rows over their `share`.
    """

    visit: Callable[[], Iterator[Rows]]
    loss: Loss
    reg: float
    classes: int
    origin: Array
    dtype: object
    unit: float
    share: float = 1.0
    centre: Array | None = None
    heights: tuple[float, ...] = ()

    def in_units(self, targets: Array | None) -> "_Problem":
        """The problem for targets about their mean, each column in its own unit; None stands for a block's targets."""
        first = next(iter(self.visit()))[1] if targets is None else targets
        wide = namespace(first).astype(first, self.origin.dtype)
        centre = namespace(wide).mean(over_units(wide, units := column_units(wide)), axis=0)
        centre = times_units(centre[None, :], units)[0, :]
        return replace(self, centre=centre, heights=column_units(wide - centre))

    @property
    def whole(self) -> bool:
        """Whether a Hessian is small enough to be factored."""
        return bool(self.origin.shape[0] ** 2 <= LARGEST)

    @property
    def own(self) -> bool:
        """Whether classes need Hessians of their own, which are small enough together."""
        return bool(self.loss.by_class and self.classes * self.origin.shape[0] ** 2 <= LARGEST)

    def theta(self, model: LinearModel | None) -> Array:
        """The variables of a model; zeros if there is none."""
        xp, like = namespace(self.origin), self.origin
        shape = (like.shape[0], self.classes)
        if model is None:
            return xp.zeros((shape[0] + 1, shape[1]), dtype=like.dtype, device=device_of(like))
        _require_start(model, shape, like)
        weights = xp.astype(model.weights, like.dtype)
        intercept = xp.astype(model.intercept, like.dtype) + like @ weights
        if self.centre is None:
            return xp.concat([self.unit * weights, intercept[None, :]])
        return over_units(xp.concat([self.unit * weights, (intercept - self.centre)[None, :]]), self.heights)

    def model(self, theta: Array) -> LinearModel:
        """The model of some variables, in the type of the features."""
        xp = namespace(theta)
        if self.centre is not None:
            theta = times_units(theta, self.heights)
        weights = theta[:-1, :] / self.unit
        intercept = theta[-1, :] - self.origin @ weights
        if self.centre is not None:
            intercept = intercept + self.centre
        return LinearModel(xp.astype(weights, self.dtype), xp.astype(intercept, self.dtype))

    def solve(self, theta: Array, tolerance: float, iterations: int) -> tuple[Array, Minimum]:
        """Descents from theta on, each in the variables of its start; the last one's result, with all steps counted."""
        rounding = float(namespace(theta).finfo(self.dtype).eps)
        # A diagonal gains less from being taken anew than L-BFGS loses by forgetting its steps.
        length, own = SHARED_STEPS if self.whole else iterations, False
        steps, before = 0, inf
        while True:
            found = (
                self.step(theta, tolerance) if own else self.descend(theta, tolerance, min(length, iterations - steps))
            )
            theta, steps = found.point, steps + found.iterations
            # Where the Hessian has shrunk since it was taken, a small gradient says little: it is measured once more.
            known = found.converged and (found.iterations == 0 or isinstance(self.loss, Squared))
            settled = known or before - found.value <= rounding * abs(found.value)
            if settled or steps >= iterations:
                return theta, replace(found, iterations=steps, converged=settled)
            before = found.value
            # Most problems are solved by now; the others are worth a Hessian for each class.
            own = self.own

    def descend(self, theta: Array, tolerance: float, iterations: int) -> Minimum:
        """L-BFGS in the variables in which the Hessian at theta is the identity."""
        variables = self.preconditioned(theta)
        found = variables.descend(theta, tolerance, iterations)
        return replace(found, point=variables.theta(found.point))

    def step(self, theta: Array, tolerance: float) -> Minimum:
        """A Newton step for each class, to the minimum on its line; the norm is that before the step.

        It is measured in the variables in which the Hessians at theta are the identity.
        """
        xp, (value, gradient) = namespace(theta), self.value_and_grad(theta)
        direction = _newton(self.hessian(theta, own=True), gradient, self.shifts(theta))
        norm = sqrt(max(0.0, -float(xp.sum(gradient * direction))))
        if norm <= tolerance:
            return Minimum(theta, value, norm, 0, True)
        lines = self.lines(theta, direction)
        lengths = lines.lowest()
        moved = theta + lengths * direction
        penalty = self.reg * float(xp.sum(moved[:-1, :] ** 2))
        return Minimum(moved, lines.value(lengths) + penalty, norm, 1, False)

    def lines(self, theta: Array, direction: Array) -> Lines:
        """The objective along each class's direction; keeps the scores of all rows."""
        xp, wide = namespace(theta), theta.dtype
        parts = [
            tuple(xp.astype(a, wide) for a in (scores, self.scores(part, direction), targets, weights))
            for part, scores, targets, weights in self.rows(theta)
        ]
        scores, changes, targets, weights = (xp.concat(list(column)) for column in zip(*parts, strict=True))
        start, moved = theta[:-1, :], direction[:-1, :]
        slope, curvature = 2 * self.reg * xp.sum(start * moved, axis=0), 2 * self.reg * xp.sum(moved * moved, axis=0)
        return Lines(self.loss, scores, changes, targets, slope, curvature, weights / xp.sum(weights))

    def rows(self, theta: Array) -> Iterator[tuple[Array, Array, Array, Array]]:
        """The features less their origin, their scores, the targets and the weights, block by block."""
        xp = namespace(theta)
        origin = xp.astype(self.origin, self.dtype)
        for x, targets, weights in self.visit():
            part = x - origin
            w = xp.ones_like(part[:, 0]) if weights is None else xp.astype(weights / self.share, self.dtype)
            yield part, self.scores(part, theta), self.targets(targets), w

    def scores(self, part: Array, theta: Array) -> Array:
        """The scores of features less their origin, in their type: (b, d), (d + 1, k) -> (b, k)"""
        xp = namespace(theta)
        # The unit goes to the few weights in place of the many features.
        weights = xp.astype(theta[:-1, :] / self.unit, self.dtype)
        return part @ weights + xp.astype(theta[-1, :], self.dtype)

    def targets(self, targets: Array) -> Array:
        """The targets about their centre and in their units, in their type: (b, k) -> (b, k)"""
        if self.centre is None:
            return targets
        xp = namespace(targets, self.centre)
        less = xp.astype(targets, self.centre.dtype) - self.centre
        return xp.astype(over_units(less, self.heights), targets.dtype)

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        """(d + 1, k) -> the objective, (d + 1, k)"""
        xp, wide = namespace(theta), theta.dtype
        n, total, gradient = 0.0, 0.0, xp.zeros_like(theta)
        for part, scores, targets, weights in self.rows(theta):
            slopes = weights[:, None] * self.loss.gradient(scores, targets)
            of_weights = xp.astype(xp.matrix_transpose(part) @ slopes, wide) / self.unit
            of_intercept = xp.sum(xp.astype(slopes, wide), axis=0, keepdims=True)
            gradient = gradient + xp.concat([of_weights, of_intercept])
            total += float(xp.sum(xp.astype(weights * self.loss(scores, targets), wide)))
            n += float(xp.sum(xp.astype(weights, wide)))
        model = theta[:-1, :]
        penalty = xp.concat([2 * self.reg * model, xp.zeros_like(theta[-1:, :])])
        return total / n + self.reg * float(xp.sum(model * model)), gradient / n + penalty

    def preconditioned(self, theta: Array) -> "_Preconditioned":
        """The problem in the variables in which its Hessian at theta, that of the mean class, is I."""
        return _Preconditioned(self, *_factored(self.hessian(theta, own=False), self.shifts(theta)))

    def shifts(self, theta: Array) -> Array:
        """What the penalty adds to the Hessian's diagonal: (d + 1,)

        The intercept has none; a little of the loss's curvature is its pivot where no row misses its margin.
        """
        xp, penalty = namespace(theta), 2 * self.reg
        pivot = min(penalty, PIVOT * self.loss.greatest_curvature)
        return xp.concat([xp.full_like(theta[:-1, 0], penalty), xp.full_like(theta[-1:, 0], pivot)])

    def hessian(self, theta: Array, own: bool) -> Array:
        """Of the loss at theta: one for the mean class, or the `own` ones of the classes; see `_hessian`."""
        xp = namespace(theta)
        n, hessian = 0.0, xp.zeros((), dtype=theta.dtype, device=device_of(theta))
        for part, scores, targets, weights in self.rows(theta):
            part = xp.astype(part, theta.dtype) / self.unit
            extended = xp.concat([part, xp.ones_like(part[:, :1])], axis=1)
            curvature = xp.astype(weights[:, None] * self.loss.curvature(scores, targets), theta.dtype)
            hessian = hessian + self._hessian(extended, curvature, own)
            n += float(xp.sum(xp.astype(weights, theta.dtype)))
        if not isfinite(float(xp.sum(hessian))):
            for number, (x, *_) in enumerate(self.visit()):
                with _in_block(number):
                    require_finite(x=x)
            raise FloatingPointError(
                "x: sums over the rows are not finite; look for NaN and infinities in the features"
            )
        return hessian / n

    def _hessian(self, x: Array, curvature: Array, own: bool) -> Array:
        """X' diag(c) X for each class, (k, d + 1, d + 1), for the mean over the classes, or its diagonal, (d + 1,)."""
        xp = namespace(x, curvature)
        if own:
            return xp.stack([_gram(*curved(x, curvature[:, c])) for c in range(self.classes)])
        mean = xp.mean(curvature, axis=1)
        return _gram(x, mean)[None, ...] if self.whole else xp.sum(mean[:, None] * x * x, axis=0)


@dataclass(frozen=True, eq=False)
class _Preconditioned:
    """The problem in the variables U = L' theta, with `factor` L and `inverse` L^-1.

    A matrix, (1, d + 1, d + 1), or a diagonal, (d + 1,).
    """

    problem: _Problem
    factor: Array
    inverse: Array

    def theta(self, variables: Array) -> Array:
        """(d + 1, k) -> (d + 1, k)"""
        return _times(_transposed(self.inverse), variables)

    def descend(self, theta: Array, tolerance: float, iterations: int) -> Minimum:
        """L-BFGS from theta on; the result is in these variables."""
        start = _times(_transposed(self.factor), theta)
        return minimise(self.value_and_grad, start, pairs=20, tolerance=tolerance, iterations=iterations, least=1.0)

    def value_and_grad(self, variables: Array) -> tuple[float, Array]:
        """(d + 1, k) -> the objective, (d + 1, k)"""
        value, gradient = self.problem.value_and_grad(self.theta(variables))
        return value, _times(self.inverse, gradient)


def _problem(visit: Callable[[], Iterator[Rows]], loss: Loss, reg: float) -> _Problem:
    """The problem, with sizes from its first block, whose mean is a good enough origin."""
    first = next(iter(visit()), None)
    if first is None:
        raise ValueError("x: expected at least one row of weight > 0, got none")
    x, targets, weights = first
    require_number("reg", reg, x, wanted="a finite number > 0")
    xp = namespace(x)
    wide = xp.astype(x, widest_float(x))
    origin = times_units(xp.mean(over_units(wide, units := column_units(wide)), axis=0)[None, :], units)[0, :]
    unit = unit_of(float(xp.max(xp.abs(wide - origin)))) if 0 not in x.shape else 1.0
    share = 1.0 if weights is None else unit_of(float(xp.max(weights)))
    return _Problem(visit, loss, _over_square(reg, unit), targets.shape[1], origin, x.dtype, unit, share)


def _over_square(reg: float, unit: float) -> float:
    """λ for features divided by a unit. Raises ValueError if it is no longer a number > 0."""
    found = float(reg) / unit / unit
    if not 0 < found < inf:
        raise ValueError(
            f"reg: expected a number that suits the squares of x, which is of the order of {unit:.1e}, got {reg}"
        )
    return found


def _is_array(x: Any, targets: Array | None, weights: Array | None) -> bool:
    """Whether x is an array, not a function that returns blocks."""
    if callable(x) != (targets is None):
        raise ValueError(
            "targets: expected an array (n, k) with an array x, and None with a function that returns blocks of both"
        )
    if callable(x) and weights is not None:
        raise ValueError("weights: expected None with a function x, which returns blocks (features, targets, weights)")
    return not callable(x)


@dataclass(frozen=True, eq=False)
class _Checked:
    """The blocks of a user's function: at each call the rows of weight > 0, block by block."""

    given: Blocks
    loss: Loss

    def __call__(self) -> Iterator[Rows]:
        columns: tuple[int, int] | None = None
        for number, block in enumerate(self.given()):
            if not isinstance(block, tuple | list) or not 2 <= len(block) <= 3:
                raise TypeError(
                    f"block {number}: expected (features, targets) or (features, targets, weights), "
                    f"got {type(block).__name__}"
                )
            with _in_block(number):
                x, targets, weights = _checked(block[0], block[1], block[2] if len(block) > 2 else None, self.loss)
                found = int(x.shape[1]), int(targets.shape[1])
                columns = found if columns is None else columns
                if found != columns:
                    raise ValueError(
                        f"x, targets: expected {columns[0]} and {columns[1]} columns as before, "
                        f"got {found[0]} and {found[1]}"
                    )
            if x.shape[0]:
                yield x, targets, weights


@contextmanager
def _in_block(number: int) -> Iterator[None]:
    """Add the number of the block to errors."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"block {number}: {error}") from error


def _checked(x: Array, targets: Array, weights: Array | None, loss: Loss, least: int = 0) -> Rows:
    """The rows of weight > 0, at least `least` of them; whether x is finite is not checked yet."""
    check_rows(x, targets, weights, least=least, name="targets")
    check_targets(targets, loss)
    if weights is None or bool(namespace(weights).all(weights > 0)):
        return x, targets, weights
    seen = to_host(weights).nonzero()[0].tolist()
    return take(x, seen), take(targets, seen), take(weights[:, None], seen)[:, 0]


def _array_blocks(x: Array, targets: Array, weights: Array | None, block: int) -> Callable[[], Iterator[Rows]]:
    return lambda: (
        (x[rows, :], targets[rows, :], None if weights is None else weights[rows]) for rows in blocks(x.shape[0], block)
    )


def _is_wide(x: Array) -> bool:
    return bool(x.ndim == 2 and 0 < x.shape[0] < x.shape[1])


def _require_start(model: LinearModel, shape: tuple[int, ...], like: Array) -> None:
    require_together(x=like, start=model.weights)
    if tuple(model.weights.shape) != shape:
        raise ValueError(f"start: expected weights of shape {shape}, got {tuple(model.weights.shape)}")
    require_finite(start=model.weights)
    require_finite(start=model.intercept)


def _gram(x: Array, weights: Array) -> Array:
    return namespace(x, weights).matrix_transpose(weights[:, None] * x) @ x


def _factored(hessian: Array, shift: Array) -> tuple[Array, Array]:
    """The Cholesky factor L of the matrix with shifts (d + 1,) on its diagonal, and L^-1."""
    xp = namespace(hessian)
    if hessian.ndim == 1:
        root = xp.sqrt(hessian + shift)
        return root, 1 / root
    identity = identity_like(hessian[0, ...])
    factor = _cholesky(hessian + shift * identity)
    if factor is None:
        # Of features so nearly dependent some direction is rounding: the variables need not be the best ones.
        factor = _cholesky(hessian + (shift + _rounding(hessian)) * identity)
    if factor is None:
        raise ValueError(
            f"reg: {float(shift[0]) / 2:g} is too small for features that are so nearly dependent; raise it"
        )
    return factor, xp.stack([solve_triangular(factor[c, ...], identity) for c in range(factor.shape[0])])


def _newton(hessians: Array, gradient: Array, shift: Array) -> Array:
    """Minus the shifted Hessians' inverses times the gradient: (k, d, d), (d, k) -> (d, k)"""
    xp = namespace(hessians)
    right = -xp.matrix_transpose(gradient)[:, :, None]
    identity = identity_like(hessians[0, ...])
    for more in (0.0, _rounding(hessians)):
        try:
            found = xp.linalg.solve(hessians + (shift + more) * identity, right)
        except (ValueError, RuntimeError):  # singular
            continue
        direction = xp.matrix_transpose(found[:, :, 0])
        slopes = xp.sum(direction * gradient, axis=0)
        if bool(xp.all(slopes <= 0)) and isfinite(float(xp.sum(slopes))):
            return direction
    return -gradient


def _rounding(hessians: Array) -> Array:
    """The rounding errors of their eigenvalues: (k, d, d) -> (k, 1, 1)"""
    xp = namespace(hessians)
    return (hessians.shape[1] * xp.finfo(hessians.dtype).eps * xp.linalg.trace(hessians))[:, None, None]


def _cholesky(matrices: Array) -> Array | None:
    """The Cholesky factors, None if a matrix has none: NumPy and PyTorch raise, JAX returns NaN."""
    xp = namespace(matrices)
    try:
        factor = xp.linalg.cholesky(matrices)
    except (ValueError, RuntimeError):
        return None
    return factor if isfinite(float(xp.sum(factor))) else None


def _times(matrix: Array, x: Array) -> Array:
    """(d,) diagonal or (1, d, d), with (d, k) -> (d, k)"""
    return matrix[:, None] * x if matrix.ndim == 1 else matrix[0, ...] @ x


def _transposed(matrix: Array) -> Array:
    return matrix if matrix.ndim == 1 else namespace(matrix).matrix_transpose(matrix)

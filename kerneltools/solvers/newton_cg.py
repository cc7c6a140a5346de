"""Linear models of many rows: Newton's method for all classes at once, in variables that the rows' moments give."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isfinite

from kerneltools.arrays import (
    Array,
    DType,
    blocks,
    device_of,
    namespace,
    require_finite,
    require_floating,
    require_rank,
    require_stopping,
    require_together,
    require_weights,
)
from kerneltools.linalg import identity_like
from kerneltools.primitives import reciprocal, solve_triangular
from kerneltools.progress import Progress, silent
from kerneltools.solvers.checks import check_reg, check_rows
from kerneltools.solvers.class_steps import Lines
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.losses import Loss, check_loss, check_targets
from kerneltools.solvers.ridge import LinearModel, check_sums
from kerneltools.solvers.sums import RidgeSums
from kerneltools.trees import Shown

Visit = Callable[[], Iterable[Array]]
"""Each call goes through the features of all rows once more: blocks (b, d)."""

BLOCK = 4096
"""Rows of an array at a time."""

STEPS = 100
"""Of conjugate gradient in a step of Newton's, at most."""

FALL = 0.3
"""How far conjugate gradient goes: till the norm of the gradient has fallen to that share, or to what is asked for."""

LEAST = 1e-3
"""Of the loss's greatest curvature: what its mean is taken for at least, where no row misses its margin."""


@dataclass(frozen=True, eq=False)
class Moments(Shown):
    """(S + shift I)^-1 = R' R for the second moments S of rows about their `mean` (d,), made by `moments`.

    `inverse` R (d, d), in the type of the features.

    >>> import numpy as np
    >>> from kerneltools.solvers import ridge_sums
    >>> x = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.5], [0.0, -0.5]])
    >>> found = moments(ridge_sums(x, np.zeros((4, 1))), shift=0.5)
    >>> found(np.eye(2))  # the inverse of the second moments, 1/2 and 1/8, plus the shift
    array([[1. , 0. ],
           [0. , 1.6]])
    """

    mean: Array
    inverse: Array
    shift: float

    def __call__(self, x: Array) -> Array:
        """(d, k) -> (d, k), in the type of x"""
        xp = namespace(self.inverse, x)
        found = xp.matrix_transpose(self.inverse) @ (self.inverse @ xp.astype(x, self.inverse.dtype))
        return xp.astype(found, x.dtype)


def moments(sums: RidgeSums, shift: float, dtype: DType = None) -> Moments:
    """Prepare `newton_cg` from the sums of the rows, or of similar ones.

    `shift` > 0 is added to their second moments, which do not say anything below their rounding; `dtype`: the type of
    the features, that of the sums when not given. O(d³), and 3 d² numbers at most beside the sums.

    Raises ValueError for sums of fewer than 2 rows and for those that are not finite.

    >>> import numpy as np
    >>> from kerneltools.solvers import ridge_sums
    >>> found = moments(ridge_sums(np.array([[-1.0], [1.0]]), np.zeros((2, 1))), shift=1.0)
    >>> found(np.ones((1, 1)))
    array([[0.5]])
    """
    check_sums(sums)
    check_reg(shift, sums.gram, name="shift")
    xp, dtype = namespace(sums.gram), sums.gram.dtype if dtype is None else dtype
    trace = float(xp.sum(xp.linalg.diagonal(sums.gram)) / sums.weight)
    shift = max(float(shift), float(xp.finfo(dtype).eps) * trace)
    matrix = xp.astype(sums.gram / sums.weight, dtype)
    identity = identity_like(matrix)
    factor = xp.linalg.cholesky(matrix + shift * identity)
    del matrix
    return Moments(sums.x_mean, solve_triangular(factor, identity), shift)


def newton_cg(
    x: Array | Visit,
    targets: Array,
    loss: Loss,
    reg: float,
    known: Moments,
    *,
    weights: Array | None = None,
    start: LinearModel | None = None,
    tolerance: float = 1e-6,
    iterations: int = 50,
    progress: Progress = silent,
) -> LinearModel:
    """Fit a linear model of many rows: minimise (1/Σw) Σ w_i loss(x_i W + b, t_i) + reg |W|²; b is not penalised.

    (n, d), (n, k) in {+1, -1}, weights (n,) >= 0 or None -> model of (..., d) -> (..., k)

    `x`: the features, or a function without arguments that goes through them, block by block, in the same order each
    time, so that they need never be in memory together. A row of weight 0 counts for nothing. `known`: the second
    moments of the rows, with a shift of about 2 `reg` over the mean curvature of the loss, which is the share of
    rows that miss their margin for `SquaredHinge`; it changes the time, not the result.

    Newton's method, with conjugate gradient for its systems (Keerthi and DeCoste 2005), of all classes at once: a step
    of conjugate gradient is one pass over the rows, a product with the weights of all classes and one back. In the
    variables of `known` there are few: some ten from the ridge regression of the same λ, four from the solution for
    three times the λ. Each class goes to the exact minimum on its line; classes of a loss that is not `by_class` go
    together. Scores are computed in the type of the features, sums over blocks in that of the sums. Memory beside the
    features: four numbers for each score.

    It stops where a step promises to lower the objective by no more than `tolerance` times itself. Raises ValueError
    for shapes that do not fit, reg <= 0, negative weights, fewer rows than targets, NaN and infinities; warns
    (NotConvergedWarning) after `iterations` steps of Newton's.

    >>> import numpy as np
    >>> from kerneltools.solvers import SquaredHinge, ridge_sums
    >>> x, targets = np.array([[-2.0], [1.0]]), np.array([[-1.0], [1.0]])
    >>> known = moments(ridge_sums(x, targets), shift=1e-9)
    >>> (newton_cg(x, targets, SquaredHinge(), 1e-9, known)(x) * targets).round(3)
    array([[1.],
           [1.]])
    """
    check_loss(loss)
    require_stopping(tolerance, iterations)
    problem = _problem(x, targets, loss, reg, known, weights)
    here = problem.at(problem.theta(start))
    count = 0
    while True:
        promised = here.promised
        progress("newton", count, iterations, here.value)
        if promised <= tolerance * abs(here.value):
            break
        if count == iterations:
            warn_not_converged("newton_cg", "promised decrease", promised, count, "raise reg, or allow more iterations")
            break
        there = problem.stepped(here, tolerance)
        count += 1
        if not there.value < here.value:  # rounding
            break
        here = there
    return problem.model(here.theta)


@dataclass(frozen=True, eq=False)
class _Point:
    """Variables (d + 1, k), their scores (n, k), the objective, its gradient, and that in the variables of the moments.

    `curvature`: the mean one of the loss.
    """

    theta: Array
    scores: Array
    value: float
    gradient: Array
    scaled: Array
    curvature: float

    @property
    def promised(self) -> float:
        """What the objective could still lose, if its Hessian were what the moments say."""
        return float(namespace(self.theta).sum(self.gradient * self.scaled)) / 2


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective in theta (d + 1, k): the weights, with the intercept below, for features about the mean (d,).

    `shares` (n,): the weights of the rows, of sum 1, in the type of the features.
    """

    visit: Visit
    targets: Array
    loss: Loss
    reg: float
    known: Moments
    shares: Array

    def theta(self, model: LinearModel | None) -> Array:
        """The variables of a model; zeros without one."""
        mean, shape = self.known.mean, (self.known.mean.shape[0], self.targets.shape[1])
        xp = namespace(mean)
        if model is None:
            return xp.zeros((shape[0] + 1, shape[1]), dtype=mean.dtype, device=device_of(mean))
        require_together(x=self.shares, start=model.weights)
        if tuple(model.weights.shape) != shape:
            raise ValueError(f"start: expected weights of shape {shape}, got {tuple(model.weights.shape)}")
        require_finite(start=model.weights)
        require_finite(start=model.intercept)
        weights = xp.astype(model.weights, mean.dtype)
        intercept = xp.astype(model.intercept, mean.dtype) + mean @ weights
        return xp.concat([weights, intercept[None, :]])

    def model(self, theta: Array) -> LinearModel:
        """In the type of the features."""
        xp, weights = namespace(theta), theta[:-1, :]
        intercept = theta[-1, :] - self.known.mean @ weights
        return LinearModel(xp.astype(weights, self.shares.dtype), xp.astype(intercept, self.shares.dtype))

    def at(self, theta: Array) -> _Point:
        """One pass over the rows, and half a pass more."""
        return self.point(theta, self.scores(theta))

    def stepped(self, here: _Point, tolerance: float) -> _Point:
        """A step of Newton's, to the minimum on the line of each class."""
        direction, changes = self.direction(here, tolerance)
        lengths = self.lengths(here, direction, changes)
        scores = here.scores + namespace(changes).astype(lengths, changes.dtype) * changes
        return self.point(here.theta + lengths * direction, scores)

    def point(self, theta: Array, scores: Array) -> _Point:
        """Half a pass over the rows."""
        xp, wide = namespace(theta), theta.dtype
        shares, penalty = xp.astype(self.shares, wide), self.penalised(theta)
        value = float(shares @ xp.astype(self.loss(scores, self.targets), wide))
        value += self.reg * float(xp.sum(theta[:-1, :] ** 2))
        if not isfinite(value):
            self.require_finite_features()
        gradient = self.gathered(self.loss.gradient(scores, self.targets)) + penalty
        curvature = float(shares @ xp.astype(xp.mean(self.loss.curvature(scores, self.targets), axis=1), wide))
        return _Point(theta, scores, value, gradient, self.scaled(gradient, curvature), curvature)

    def direction(self, here: _Point, tolerance: float) -> tuple[Array, Array]:
        """Conjugate gradient for Hessian times direction = -gradient; the direction, and its scores."""
        xp = namespace(here.theta)
        direction, changes = xp.zeros_like(here.theta), xp.zeros_like(here.scores)
        residual, scaled = -here.gradient, -here.scaled
        step, size = scaled, self.dot(residual, scaled)
        # What is left to gain shall be little of what was, or no more than is asked for.
        enough = max(FALL**2 * float(xp.sum(size)), tolerance * abs(here.value))
        for _ in range(STEPS):
            scores, product = self.product(here, step)
            length = size * reciprocal(self.dot(step, product))
            direction, residual = direction + length * step, residual - length * product
            changes = changes + xp.astype(length, changes.dtype) * scores
            scaled = self.scaled(residual, here.curvature)
            before, size = size, self.dot(residual, scaled)
            if float(xp.sum(size)) <= enough:
                break
            step = scaled + size * reciprocal(before) * step
        return direction, changes

    def lengths(self, here: _Point, direction: Array, changes: Array) -> Array:
        """How far each class goes, or all of them where their scores are coupled: (k,) or (1,)"""
        xp, wide = namespace(direction), direction.dtype
        start, moved = here.theta[:-1, :], direction[:-1, :]
        slope, curvature = 2 * self.reg * self.dot(start, moved), 2 * self.reg * self.dot(moved, moved)
        scores, changes, targets, shares = (
            xp.astype(a, wide) for a in (here.scores, changes, self.targets, self.shares)
        )
        return Lines(self.loss, scores, changes, targets, slope, curvature, shares).lowest()

    def dot(self, a: Array, b: Array) -> Array:
        """The product of each class, (k,), or of all of them where their scores are coupled, (1,)."""
        xp = namespace(a, b)
        found = xp.sum(a * b, axis=0)
        return found if self.loss.by_class else xp.sum(found, keepdims=True)

    def penalised(self, theta: Array) -> Array:
        """The gradient of the penalty: (d + 1, k) -> (d + 1, k)"""
        xp = namespace(theta)
        return xp.concat([2 * self.reg * theta[:-1, :], xp.zeros_like(theta[-1:, :])])

    def scaled(self, gradient: Array, curvature: float) -> Array:
        """The Hessian's inverse times the gradient, as the moments have it: (d + 1, k) -> (d + 1, k)"""
        xp = namespace(gradient)
        least = max(curvature, LEAST * self.loss.greatest_curvature)
        return xp.concat([self.known(gradient[:-1, :]), gradient[-1:, :]]) / least

    def scores(self, theta: Array) -> Array:
        """(d + 1, k) -> (n, k)"""
        weights, intercept = self.narrow(theta)
        return namespace(theta).concat([x @ weights + intercept for x, _ in self.rows()])

    def gathered(self, slopes: Array) -> Array:
        """X' diag(shares) slopes, and their sum below, for rows about their mean: (n, k) -> (d + 1, k)"""
        xp, slopes = namespace(slopes), self.shares[:, None] * slopes
        total = 0.0
        for x, rows in self.rows():
            total = total + xp.astype(xp.matrix_transpose(x) @ slopes[rows, :], self.known.mean.dtype)
        return self.about_mean(total, xp.sum(xp.astype(slopes, self.known.mean.dtype), axis=0))

    def product(self, here: _Point, step: Array) -> tuple[Array, Array]:
        """The scores of a direction, and the Hessian times it, by one pass: (d + 1, k) -> (n, k), (d + 1, k)"""
        xp, wide = namespace(step), step.dtype
        weights, intercept = self.narrow(step)
        found, total, below = [], 0.0, 0.0
        for x, rows in self.rows():
            scores = x @ weights + intercept
            bent = self.loss.hessian(here.scores[rows, :], self.targets[rows, :], scores)
            bent = self.shares[rows][:, None] * bent
            total = total + xp.astype(xp.matrix_transpose(x) @ bent, wide)
            below = below + xp.sum(xp.astype(bent, wide), axis=0)
            found.append(scores)
        return xp.concat(found), self.about_mean(total, below) + self.penalised(step)

    def narrow(self, theta: Array) -> tuple[Array, Array]:
        """Weights, and the intercept for features as they are, in their type: (d, k), (k,)"""
        xp, dtype = namespace(theta), self.shares.dtype
        weights = xp.astype(theta[:-1, :], dtype)
        return weights, xp.astype(theta[-1, :] - self.known.mean @ xp.astype(weights, theta.dtype), dtype)

    def about_mean(self, products: Array, sums: Array) -> Array:
        """Products with features, as those with features less their mean, and the sums below."""
        return namespace(products).concat([products - self.known.mean[:, None] * sums[None, :], sums[None, :]])

    def rows(self) -> Iterator[tuple[Array, slice]]:
        """Blocks of features and their places."""
        start = 0
        for x in self.visit():
            yield x, slice(start, start + x.shape[0])
            start += x.shape[0]
        if start != self.shares.shape[0]:
            raise ValueError(f"x, targets: expected as many rows in both, got {start} and {self.shares.shape[0]}")

    def require_finite_features(self) -> None:
        """Name the first number of the rows that is not finite."""
        for number, x in enumerate(self.visit()):
            try:
                require_finite(x=x)
            except ValueError as error:
                raise ValueError(f"block {number}: {error}") from error
        raise FloatingPointError("newton_cg: the objective is not finite; scale the features down, or raise reg")


def _problem(
    x: Array | Visit, targets: Array, loss: Loss, reg: float, known: Moments, weights: Array | None
) -> _Problem:
    if not callable(x):
        check_rows(x, targets, weights, name="targets")
    require_rank(2, "(n, k)", targets=targets)
    require_floating(targets=targets)
    check_targets(targets, loss)
    check_reg(reg, known.mean)
    xp = namespace(targets, known.inverse)
    dtype, n = known.inverse.dtype, targets.shape[0]
    if weights is None:
        shares = xp.ones((n,), dtype=known.mean.dtype, device=device_of(targets))
    else:
        require_weights(weights, n)
        shares = xp.astype(weights, known.mean.dtype)
    shares = xp.astype(shares / xp.sum(shares), dtype)
    visit = x if callable(x) else lambda: (x[rows, :] for rows in blocks(n, BLOCK))
    return _Problem(visit, xp.astype(targets, dtype), loss, float(reg), known, shares)

"""Linear models of any convex loss, fitted to features that are visited block by block."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from kerneltools.arrays import Array, blocks, device_of, namespace, require_floating, require_rank, widest_float
from kerneltools.linalg import identity_like
from kerneltools.primitives import solve_triangular
from kerneltools.solvers.lbfgs import Minimum, minimise
from kerneltools.solvers.losses import Loss
from kerneltools.solvers.ridge import LinearModel

Blocks = Callable[[], Iterable[tuple[Array, Array]]]
"""Each call goes through all rows once more: pairs of features (b, d) and targets (b, k)."""

WHOLE_HESSIAN = 4096
"""Up to so many features the Hessian is factored (134 MB in float64, some seconds), beyond them its diagonal."""

REFRESH = 40
"""After so many steps the Hessian is taken anew: few rows may be left that miss their margin."""


class NotConvergedWarning(UserWarning):
    """A solver stopped before it met its tolerance."""


def fit_linear(
    x: Array | Blocks,
    targets: Array | None,
    loss: Loss,
    reg: float,
    *,
    start: LinearModel | None = None,
    tolerance: float = 1e-6,
    iterations: int = 500,
    block: int = 8192,
) -> LinearModel:
    """The linear model of least (1/n) Σ loss(x_i W + b, t_i) + reg |W|²; the intercept b is not penalised.

    (n, d), (n, k) in {+1, -1} -> model of (..., d) -> (..., k)

    `x`: the features, or a function without arguments that gives an iterator over blocks of features and targets
    (`targets` is None then), so that they need never be in memory together; each call must give the same rows.
    `start`: a model to begin at, all zeros by default. `block`: how many rows of an array are visited at a time.

    Scores are computed in the type of x, sums over rows in float64 where the library has it. L-BFGS works in
    variables in which the Hessian (its mean over the classes) is the identity, so badly scaled and nearly dependent
    features cost nothing and `Squared` takes two steps. It is taken at the start and after every 40 steps, O(n d²);
    other steps cost one pass over the rows, seldom more. (Above 4096 features only its diagonal is used.)

    It stops where the gradient in these variables is at most `tolerance` * max(1, its norm at the start): half the
    square of its norm is about what the objective could still lose. It also stops where 40 steps lower the
    objective by no more than rounding in the type of x.

    Raises ValueError for shapes that do not fit, reg <= 0 and no rows, TypeError for arrays that are not
    floating-point, FloatingPointError for NaN and infinities; warns (NotConvergedWarning) after `iterations` steps.

    >>> import numpy as np
    >>> from kerneltools.solvers import SquaredHinge
    >>> x, targets = np.array([[-2.0], [1.0]]), np.array([[-1.0], [1.0]])
    >>> (fit_linear(x, targets, SquaredHinge(), reg=1e-9)(x) * targets).round(3)
    array([[1.],
           [1.]])
    """
    if not reg > 0:
        raise ValueError(f"reg: expected a number > 0, got {reg}")
    problem = _problem(_blocks(x, targets, block), loss, reg)
    theta, found = problem.solve(problem.theta(start), tolerance, iterations)
    if not found.converged:
        warnings.warn(
            f"fit_linear: gradient norm {found.gradient_norm:.1e} after {found.iterations} steps, above the tolerance; "
            "allow more iterations, or raise reg or tolerance",
            NotConvergedWarning,
            stacklevel=2,
        )
    return problem.model(theta)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective in theta (d + 1, k): the weights, with the intercept below, for features less `origin` (d,).

    A far origin would cost digits and couple the intercept to the weights. `dtype` is the type of the features.
    """

    visit: Blocks
    loss: Loss
    reg: float
    classes: int
    origin: Array
    dtype: object

    @property
    def whole(self) -> bool:
        """Whether the Hessian is small enough to be factored."""
        return bool(self.origin.shape[0] <= WHOLE_HESSIAN)

    def theta(self, model: LinearModel | None) -> Array:
        """The variables of a model; zeros without one."""
        xp, like = namespace(self.origin), self.origin
        shape = (like.shape[0], self.classes)
        if model is None:
            return xp.zeros((shape[0] + 1, shape[1]), dtype=like.dtype, device=device_of(like))
        if tuple(model.weights.shape) != shape:
            raise ValueError(f"start: expected weights of shape {shape}, got {tuple(model.weights.shape)}")
        weights = xp.astype(model.weights, like.dtype)
        intercept = xp.astype(model.intercept, like.dtype) + like @ weights
        return xp.concat([weights, intercept[None, :]])

    def model(self, theta: Array) -> LinearModel:
        """The model of some variables, in the type of the features."""
        xp = namespace(theta)
        intercept = theta[-1, :] - self.origin @ theta[:-1, :]
        return LinearModel(xp.astype(theta[:-1, :], self.dtype), xp.astype(intercept, self.dtype))

    def solve(self, theta: Array, tolerance: float, iterations: int) -> tuple[Array, Minimum]:
        """Descents from theta on, each in the variables of its start; the last one's result, with all steps counted."""
        rounding = float(namespace(theta).finfo(self.dtype).eps)
        # A diagonal gains less from being taken anew than L-BFGS loses by forgetting its steps.
        length = REFRESH if self.whole else iterations
        steps, before = 0, float("inf")
        while True:
            variables = self.preconditioned(theta)
            found = variables.descend(theta, tolerance, min(length, iterations - steps))
            theta, steps = variables.theta(found.point), steps + found.iterations
            settled = found.converged or before - found.value <= rounding * abs(found.value)
            if settled or steps >= iterations:
                return theta, replace(found, iterations=steps, converged=settled)
            before = found.value

    def rows(self, theta: Array) -> Iterator[tuple[Array, Array, Array]]:
        """The features less their origin, their scores and the targets, block by block."""
        xp = namespace(theta)
        narrow, origin = xp.astype(theta, self.dtype), xp.astype(self.origin, self.dtype)
        for x, targets in self.visit():
            part = x - origin
            yield part, part @ narrow[:-1, :] + narrow[-1, :], targets

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        """(d + 1, k) -> the objective, (d + 1, k)"""
        xp, wide = namespace(theta), theta.dtype
        n, total, gradient = 0, 0.0, xp.zeros_like(theta)
        for part, scores, targets in self.rows(theta):
            slopes = self.loss.gradient(scores, targets)
            of_weights = xp.astype(xp.matrix_transpose(part) @ slopes, wide)
            of_intercept = xp.sum(xp.astype(slopes, wide), axis=0, keepdims=True)
            gradient = gradient + xp.concat([of_weights, of_intercept])
            total += float(xp.sum(xp.astype(self.loss(scores, targets), wide)))
            n += part.shape[0]
        weights = theta[:-1, :]
        penalty = xp.concat([2 * self.reg * weights, xp.zeros_like(theta[-1:, :])])
        return total / n + self.reg * float(xp.sum(weights * weights)), gradient / n + penalty

    def preconditioned(self, theta: Array) -> "_Preconditioned":
        """The problem in the variables in which its Hessian at theta, its mean over the classes, is the identity."""
        xp = namespace(theta)
        n, hessian = 0, xp.zeros((), dtype=theta.dtype, device=device_of(theta))
        for part, scores, targets in self.rows(theta):
            weights = xp.mean(xp.astype(self.loss.curvature(scores, targets), theta.dtype), axis=1)
            part = xp.astype(part, theta.dtype)
            extended = xp.concat([part, xp.ones_like(part[:, :1])], axis=1)
            weighted = extended * weights[:, None]
            of_rows = xp.matrix_transpose(weighted) @ extended if self.whole else xp.sum(weighted * extended, axis=0)
            hessian = hessian + of_rows
            n += part.shape[0]
        if not isfinite(float(xp.sum(hessian))):
            raise FloatingPointError(
                "x: the sums over the rows are not finite; look for NaN and infinities in the features"
            )
        # The intercept has no penalty; shifted like the rest, it has a pivot where no row misses its margin.
        hessian = hessian / n
        if hessian.ndim == 1:
            root = xp.sqrt(hessian + 2 * self.reg)
            return _Preconditioned(self, root, 1 / root)
        identity = identity_like(hessian)
        factor = xp.linalg.cholesky(hessian + 2 * self.reg * identity)
        return _Preconditioned(self, factor, solve_triangular(factor, identity))


@dataclass(frozen=True, eq=False)
class _Preconditioned:
    """The problem in the variables U = L' theta; `factor` is L, or its diagonal, and `inverse` is L^-1."""

    problem: _Problem
    factor: Array
    inverse: Array

    def theta(self, variables: Array) -> Array:
        """(d + 1, k) -> (d + 1, k)"""
        return _times(_transposed(self.inverse), variables)

    def descend(self, theta: Array, tolerance: float, iterations: int) -> Minimum:
        """L-BFGS from theta on; the result is in these variables."""
        start = _times(_transposed(self.factor), theta)
        return minimise(self.value_and_grad, start, memory=20, tolerance=tolerance, iterations=iterations)

    def value_and_grad(self, variables: Array) -> tuple[float, Array]:
        """(d + 1, k) -> the objective, (d + 1, k)"""
        value, gradient = self.problem.value_and_grad(self.theta(variables))
        return value, _times(self.inverse, gradient)


def _problem(visit: Blocks, loss: Loss, reg: float) -> _Problem:
    """The problem, told from its first block; the mean of its rows is origin enough."""
    first = next(iter(visit()), None)
    if first is None or first[0].shape[0] == 0:
        raise ValueError("x: expected at least one row, got none")
    x, targets = first
    _require_rows(x, targets)
    origin = namespace(x).mean(namespace(x).astype(x, widest_float(x)), axis=0)
    return _Problem(visit, loss, reg, targets.shape[1], origin, x.dtype)


def _blocks(x: Array | Blocks, targets: Array | None, block: int) -> Blocks:
    given: Any = x
    if callable(given) != (targets is None):
        raise ValueError(
            "targets: expected an array (n, k) beside an array x, and None beside a function that gives blocks of both"
        )
    return given if targets is None else _array_blocks(given, targets, block)


def _array_blocks(x: Array, targets: Array, block: int) -> Blocks:
    _require_rows(x, targets)
    return lambda: ((x[rows, :], targets[rows, :]) for rows in blocks(x.shape[0], block))


def _require_rows(x: Array, targets: Array) -> None:
    require_rank(2, "(n, d)", x=x)
    require_rank(2, "(n, k)", targets=targets)
    require_floating(x=x, targets=targets)
    if x.shape[0] != targets.shape[0]:
        raise ValueError(f"x, targets: expected as many rows in both, got {x.shape[0]} and {targets.shape[0]}")


def _times(matrix: Array, x: Array) -> Array:
    return matrix @ x if matrix.ndim == 2 else matrix[:, None] * x


def _transposed(matrix: Array) -> Array:
    return namespace(matrix).matrix_transpose(matrix) if matrix.ndim == 2 else matrix

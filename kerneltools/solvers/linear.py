"""Linear models of any convex loss, fitted to features that are visited block by block."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kerneltools.arrays import (
    Array,
    blocks,
    device_of,
    namespace,
    require_floating,
    require_rank,
    widest_float,
)
from kerneltools.linalg import identity_like
from kerneltools.primitives import solve_triangular
from kerneltools.solvers.lbfgs import minimise
from kerneltools.solvers.losses import Loss
from kerneltools.solvers.ridge import LinearModel

Blocks = Callable[[], Iterable[tuple[Array, Array]]]
"""Each call goes through all rows once more: pairs of features (b, d) and targets (b, k)."""

WHOLE_GRAM = 4096
"""Up to so many features the Gram matrix is factored: 134 MB in float64, some seconds."""


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

    Scores are computed in the type of x, sums over rows in float64 where the library has it. One pass over the
    rows accumulates the Gram matrix; L-BFGS then works in variables in which no second derivative of the
    objective exceeds 1, so badly scaled and nearly dependent features cost nothing, and `Squared` takes two steps.
    (Above 4096 features only their variances are used.) Each step costs a pass, seldom more. It stops where the
    gradient in these variables is at most `tolerance` * max(1, its norm at the start): half the square of its norm
    is about what the objective could still lose.

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
    visit = _blocks_of(x, targets, block)
    problem = _prepare(visit, loss, reg)
    found = minimise(
        problem.value_and_grad, problem.encode(start), memory=20, tolerance=tolerance, iterations=iterations
    )
    if not found.converged:
        warnings.warn(
            f"fit_linear: gradient norm {found.gradient_norm:.1e} after {found.iterations} steps, above the tolerance; "
            "allow more iterations, or raise reg or tolerance",
            NotConvergedWarning,
            stacklevel=2,
        )
    return problem.decode(found.point)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The objective in preconditioned variables U (d + 1, k): the weights, with the intercept below, are L^-T U.

    Features count from `origin` (d,), so that the intercept has little to make up for. `factor` is L, and
    `inverse` L^-1; both (d + 1, d + 1), or (d + 1,) when diagonal. `like` has the type of the features.
    """

    visit: Blocks
    loss: Loss
    reg: float
    n: int
    classes: int
    origin: Array
    factor: Array
    inverse: Array
    like: Array

    def value_and_grad(self, variables: Array) -> tuple[float, Array]:
        """(d + 1, k) -> the objective, (d + 1, k)"""
        xp = namespace(variables)
        theta = _times(_transposed(self.inverse), variables)
        weights = theta[:-1, :]
        total, gradient = self._over_rows(theta)
        value = total / self.n + self.reg * float(xp.sum(weights * weights))
        penalty = xp.concat([2 * self.reg * weights, xp.zeros_like(theta[-1:, :])])
        return value, _times(self.inverse, gradient / self.n + penalty)

    def _over_rows(self, theta: Array) -> tuple[float, Array]:
        """The sum of the losses, and its gradient."""
        xp = namespace(theta)
        narrow = xp.astype(theta, self.like.dtype)
        origin = xp.astype(self.origin, self.like.dtype)
        total, gradient = 0.0, xp.zeros_like(theta)
        for x, targets in self.visit():
            part = x - origin
            scores = part @ narrow[:-1, :] + narrow[-1, :]
            total += float(xp.sum(xp.astype(self.loss(scores, targets), theta.dtype)))
            slopes = self.loss.gradient(scores, targets)
            gradient = gradient + xp.concat(
                [
                    xp.astype(xp.matrix_transpose(part) @ slopes, theta.dtype),
                    xp.sum(xp.astype(slopes, theta.dtype), axis=0, keepdims=True),
                ]
            )
        return total, gradient

    def encode(self, model: LinearModel | None) -> Array:
        """The variables of a model; of zeros without one."""
        xp = namespace(self.origin)
        shape = (self.origin.shape[0], self.classes)
        if model is None:
            return xp.zeros((shape[0] + 1, shape[1]), dtype=self.origin.dtype, device=device_of(self.origin))
        if tuple(model.weights.shape) != shape:
            raise ValueError(f"start: expected weights of shape {shape}, got {tuple(model.weights.shape)}")
        weights = xp.astype(model.weights, self.origin.dtype)
        intercept = xp.astype(model.intercept, self.origin.dtype) + self.origin @ weights
        return _times(_transposed(self.factor), xp.concat([weights, intercept[None, :]]))

    def decode(self, variables: Array) -> LinearModel:
        """The model, in the type of the features."""
        xp = namespace(variables)
        theta = _times(_transposed(self.inverse), variables)
        intercept = theta[-1, :] - self.origin @ theta[:-1, :]
        return LinearModel(xp.astype(theta[:-1, :], self.like.dtype), xp.astype(intercept, self.like.dtype))


def _blocks_of(x: Array | Blocks, targets: Array | None, block: int) -> Blocks:
    if callable(x):
        if targets is not None:
            raise ValueError("targets: expected None where x gives blocks of features and targets")
        return x
    if targets is None:
        raise ValueError("targets: expected an array (n, k) beside the array x, got None")
    require_rank(2, "(n, d)", x=x)
    require_rank(2, "(n, k)", targets=targets)
    require_floating(x=x, targets=targets)
    if x.shape[0] != targets.shape[0]:
        raise ValueError(f"x, targets: expected as many rows in both, got {x.shape[0]} and {targets.shape[0]}")
    return lambda: ((x[rows, :], targets[rows, :]) for rows in blocks(x.shape[0], block))


def _prepare(visit: Blocks, loss: Loss, reg: float) -> _Problem:
    """One pass: the Hessian of the objective were all losses as curved as can be, factored."""
    n, hessian = 0, None
    for x, targets in visit():
        if hessian is None:
            xp, wide = namespace(x, targets), widest_float(x)
            whole = x.shape[1] <= WHOLE_GRAM
            origin, like, classes = xp.mean(xp.astype(x, wide), axis=0), x[:0, :0], targets.shape[1]
            hessian = 0.0
        n += x.shape[0]
        part = xp.astype(x, wide) - origin
        part = xp.concat([part, xp.ones_like(part[:, :1])], axis=1)
        hessian = hessian + (xp.matrix_transpose(part) @ part if whole else xp.sum(part * part, axis=0))
    if hessian is None:
        raise ValueError("x: expected at least one row, got none")
    hessian = (loss.curvature / n) * hessian
    # The intercept has no penalty; the same shift keeps a Cholesky factor where nothing varies.
    if not whole:
        factor = xp.sqrt(hessian + 2 * reg)
        return _Problem(visit, loss, reg, n, classes, origin, factor, 1 / factor, like)
    identity = identity_like(hessian)
    factor = xp.linalg.cholesky(hessian + 2 * reg * identity)
    return _Problem(visit, loss, reg, n, classes, origin, factor, solve_triangular(factor, identity), like)


def _times(matrix: Array, x: Array) -> Array:
    return matrix @ x if matrix.ndim == 2 else matrix[:, None] * x


def _transposed(matrix: Array) -> Array:
    return namespace(matrix).matrix_transpose(matrix) if matrix.ndim == 2 else matrix

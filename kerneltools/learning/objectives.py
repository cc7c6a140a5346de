"""Objectives for hyperparameters: errors of ridge regression on rows that it has not seen."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace
from kerneltools.learning.features import FeatureMap, widened
from kerneltools.linalg import inverse_sqrt
from kerneltools.solvers.checks import check_examples
from kerneltools.structures.base import require_known
from kerneltools.trees import Tree, together


@runtime_checkable
class Objective(Protocol):
    """A differentiable error of the ridge regression of y on φ(x).

    >>> import numpy as np
    >>> from kerneltools.learning import LeaveOneOut
    >>> class RootMeanSquare:
    ...     def __call__(self, phi, x, y, reg):
    ...         return LeaveOneOut()(phi, x, y, reg) ** 0.5
    >>> x = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> isinstance(RootMeanSquare(), Objective), RootMeanSquare()(lambda rows: rows, x, x**2, 1e-9).round(3)
    (True, np.float64(5.165))
    """

    def __call__(self, phi: FeatureMap, x: Array, y: Array, reg: float | Array) -> Array:
        """map of (n, d) -> (n, m), x (n, d), y (n, t), λ -> ()"""


@dataclass(frozen=True)
class LeaveOneOut(Tree):
    """The mean squared error on each row of the regression on all others, exact, from one fit (Allen 1974).

    The mean of (r_i / (1 - h_ii))², with the residuals r and the hat matrix H of ridge regression with intercept.

    >>> import numpy as np
    >>> x = np.asarray([[0.0], [1.0], [2.0], [4.0]])
    >>> LeaveOneOut()(lambda rows: rows, x, 2 * x + 1, 1e-9).round(6)
    np.float64(0.0)
    """

    def __call__(self, phi: FeatureMap, x: Array, y: Array, reg: float | Array) -> Array:
        """map of (n, d) -> (n, m), x (n, d), y (n, t), λ -> ()"""
        fit = _regression(phi, x, y, reg)
        missed = fit.residual / (1 - fit.leverage)[:, None]
        return namespace(missed).mean(missed * missed)


@dataclass(frozen=True)
class GeneralisedCrossValidation(Tree):
    """Leave-one-out with the mean of all h_ii in place of each (Golub, Heath and Wahba 1979).

    The mean of r_i² over (1 - tr H / n)²: rows of high leverage count no more than others.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools import maps
    >>> phi = maps.nystrom(Gaussian(1.0), x[:10])
    >>> float(GeneralisedCrossValidation()(phi, x, x[:, :1], 1e-3)) < 1
    True
    """

    def __call__(self, phi: FeatureMap, x: Array, y: Array, reg: float | Array) -> Array:
        """map of (n, d) -> (n, m), x (n, d), y (n, t), λ -> ()"""
        fit = _regression(phi, x, y, reg)
        xp = namespace(fit.residual)
        return xp.mean(fit.residual * fit.residual) / (1 - xp.mean(fit.leverage)) ** 2


@dataclass(frozen=True, eq=False)
class HoldOut(Tree):
    """The mean squared error on other rows: `x` (v, d) and `y` (v, t).

    Raises ValueError for NaN and infinities, and for another number of columns than the rows to fit have.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools import maps
    >>> phi = maps.nystrom(Gaussian(1.0), x[:10])
    >>> float(HoldOut(x[50:], x[50:, :1])(phi, x[:50], x[:50, :1], 1e-3)) < 1
    True
    """

    x: Array
    y: Array

    def __post_init__(self) -> None:
        check_examples(self.x, self.y, None)
        require_known(x=self.x, y=self.y)

    def __call__(self, phi: FeatureMap, x: Array, y: Array, reg: float | Array) -> Array:
        """map of (n, d) -> (n, m), x (n, d), y (n, t), λ -> ()"""
        if self.x.shape[1:] != x.shape[1:] or self.y.shape[1] != y.shape[1]:
            raise ValueError(
                f"HoldOut: expected x (v, {x.shape[-1]}) and y (v, {y.shape[1]}) as in the rows to fit, "
                f"got {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        fit = _regression(phi, x, y, reg)
        features, targets, weights, x_mean, y_mean = together(
            widened(phi(self.x)), widened(self.y), fit.weights, fit.x_mean, fit.y_mean
        )
        missed = targets - ((features - x_mean) @ weights + y_mean)
        return namespace(missed).mean(missed * missed)


@dataclass(frozen=True, eq=False)
class _Regression:
    """A ridge regression with intercept: residuals (n, t), leverages h_ii (n,), weights (m, t), means."""

    residual: Array
    leverage: Array
    weights: Array
    x_mean: Array
    y_mean: Array


def _regression(phi: FeatureMap, x: Array, y: Array, reg: float | Array) -> _Regression:
    """The regression by the symmetric root of (Φ'Φ / n + λ I)^-1, which has a derivative where eigenvalues coincide."""
    check_examples(x, y, None, least=2)
    require_known(x=x, y=y)
    features, targets, reg = together(widened(phi(x)), widened(y), reg)
    n = x.shape[0]
    xp = namespace(features, targets)
    x_mean, y_mean = xp.mean(features, axis=0), xp.mean(targets, axis=0)
    dx, dy = features - x_mean, targets - y_mean
    root = inverse_sqrt(xp.matrix_transpose(dx) @ dx / n, reg)
    scores = dx @ root
    projected = xp.matrix_transpose(scores) @ dy / n
    leverage = (xp.sum(scores * scores, axis=1) + 1) / n
    return _Regression(dy - scores @ projected, leverage, root @ projected, x_mean, y_mean)

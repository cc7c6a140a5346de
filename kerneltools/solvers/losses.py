"""Losses of linear classifiers: convex in the scores, one number for each row.

Targets are +1 in the column of a row's class and -1 elsewhere.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace, require_everywhere, require_finite
from kerneltools.backend import stop_gradient


@runtime_checkable
class Loss(Protocol):
    """A convex function of the scores of each row, with a gradient everywhere.

    >>> import numpy as np
    >>> from kerneltools.solvers import Logistic, SquaredHinge, fit_linear
    >>> x, targets = np.array([[-2.0], [-1.0], [1.0], [3.0]]), np.array([[-1.0], [-1.0], [1.0], [1.0]])
    >>> for loss in (Logistic(), SquaredHinge()):
    ...     print(isinstance(loss, Loss), fit_linear(x, targets, loss, reg=0.1).weights.round(3))
    True [[1.057]]
    True [[0.714]]
    """

    @property
    def by_class(self) -> bool:
        """Whether the second derivatives of each class depend on its own scores only, and differ between classes."""

    @property
    def greatest_curvature(self) -> float:
        """A bound on the second derivative of a row's loss along any direction of its scores."""

    def __call__(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) in {+1, -1} -> (n,)"""

    def gradient(self, scores: Array, targets: Array) -> Array:
        """The gradient with respect to the scores, in closed form.

        (n, k), (n, k) in {+1, -1} -> (n, k)
        """

    def curvature(self, scores: Array, targets: Array) -> Array:
        """The second derivative along each score, >= 0.

        (n, k), (n, k) in {+1, -1} -> (n, k)
        """

    def hessian(self, scores: Array, targets: Array, direction: Array) -> Array:
        """The second derivative times a direction, row by row.

        (n, k), (n, k) in {+1, -1}, (n, k) -> (n, k)
        """


def check_loss(loss: object) -> None:
    """Raise TypeError for anything but a loss."""
    if not isinstance(loss, Loss) or isinstance(loss, type):
        raise TypeError(f"loss: expected one of kerneltools.solvers, such as Logistic(), got {loss!r}")


def check_targets(targets: Array, loss: Loss) -> None:
    """Raise ValueError, with the place, for targets that are not finite, or, for classes, not +1 and -1."""
    if isinstance(loss, Logistic | SquaredHinge | CrossEntropy):
        require_everywhere((targets == 1) | (targets == -1), "+1 and -1", "targets", targets)
    require_finite(targets=targets)


@dataclass(frozen=True)
class SquaredHinge:
    """Each class against the rest: Σ_c max(0, 1 - t_c y_c)² / 2.

    (n, k), (n, k) in {+1, -1} -> (n,)

    >>> import numpy as np
    >>> SquaredHinge()(np.array([[3.0, 0.5]]), np.array([[1.0, -1.0]]))
    array([1.125])
    """

    @property
    def by_class(self) -> bool:
        """Yes: different rows miss the margin of each class."""
        return True

    @property
    def greatest_curvature(self) -> float:
        """1"""
        return 1.0

    def __call__(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n,)"""
        gap = _gap(scores, targets)
        return namespace(gap).sum(gap * gap, axis=-1) / 2

    def gradient(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n, k)"""
        return -targets * _gap(scores, targets)

    def curvature(self, scores: Array, targets: Array) -> Array:
        """1 where the margin is missed, else 0: (n, k), (n, k) -> (n, k)"""
        xp = namespace(scores, targets)
        return xp.astype(targets * scores < 1, scores.dtype)

    def hessian(self, scores: Array, targets: Array, direction: Array) -> Array:
        """(n, k), (n, k), (n, k) -> (n, k)"""
        return self.curvature(scores, targets) * direction


@dataclass(frozen=True)
class Logistic:
    """Logistic regression of each class against the rest: Σ_c log(1 + exp(-t_c y_c)); one column for two classes.

    (n, k), (n, k) in {+1, -1} -> (n,)

    >>> import numpy as np
    >>> Logistic()(np.array([[0.0], [1000.0]]), np.array([[1.0], [-1.0]])).round(4)
    array([6.931e-01, 1.000e+03])
    """

    @property
    def by_class(self) -> bool:
        """Yes: different rows are uncertain for each class."""
        return True

    @property
    def greatest_curvature(self) -> float:
        """1/4, at a score of 0"""
        return 0.25

    def __call__(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n,)"""
        xp = namespace(scores, targets)
        margin = targets * scores
        # log(1 + exp(-u)) without overflow; its slope is right at 0 too, where the maximum has none.
        return xp.sum(xp.logaddexp(xp.zeros_like(margin), -margin), axis=-1)

    def gradient(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n, k)"""
        return -targets * sigmoid(-targets * scores)

    def curvature(self, scores: Array, targets: Array) -> Array:
        """p (1 - p) for the probabilities p: (n, k), (n, k) -> (n, k)"""
        return sigmoid(scores) * sigmoid(-scores)

    def hessian(self, scores: Array, targets: Array, direction: Array) -> Array:
        """(n, k), (n, k), (n, k) -> (n, k)"""
        return self.curvature(scores, targets) * direction


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy: log Σ_c exp(y_c) - y of the class, which is the column whose target is +1.

    (n, k), (n, k) in {+1, -1} -> (n,)

    >>> import numpy as np
    >>> CrossEntropy()(np.array([[1000.0, 1000.0]]), np.array([[1.0, -1.0]])).round(4)
    array([0.6931])
    """

    @property
    def by_class(self) -> bool:
        """No: the scores of a row are coupled."""
        return False

    @property
    def greatest_curvature(self) -> float:
        """1/2 (Böhning 1992)"""
        return 0.5

    def __call__(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n,)"""
        xp = namespace(scores, targets)
        # Scores less their greatest cannot overflow; the shift cancels, so it is a constant to the gradient.
        shifted = scores - stop_gradient(xp.max(scores, axis=-1, keepdims=True))
        own = xp.sum(xp.where(targets > 0, shifted, xp.zeros_like(shifted)), axis=-1)
        return xp.log(xp.sum(xp.exp(shifted), axis=-1)) - own

    def gradient(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n, k)"""
        return softmax(scores) - namespace(scores, targets).astype(targets > 0, scores.dtype)

    def curvature(self, scores: Array, targets: Array) -> Array:
        """p (1 - p) for the probabilities p: (n, k), (n, k) -> (n, k)"""
        probabilities = softmax(scores)
        return probabilities * (1 - probabilities)

    def hessian(self, scores: Array, targets: Array, direction: Array) -> Array:
        """(n, k), (n, k), (n, k) -> (n, k)"""
        probabilities = softmax(scores)
        mean = namespace(scores).sum(probabilities * direction, axis=-1, keepdims=True)
        return probabilities * (direction - mean)


@dataclass(frozen=True)
class Squared:
    """Ridge regression of the targets: Σ_c (y_c - t_c)².

    (n, k), (n, k) -> (n,)

    >>> import numpy as np
    >>> Squared()(np.array([[3.0, -1.0]]), np.array([[1.0, -1.0]]))
    array([4.])
    """

    @property
    def by_class(self) -> bool:
        """No: all second derivatives are 2."""
        return False

    @property
    def greatest_curvature(self) -> float:
        """2"""
        return 2.0

    def __call__(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n,)"""
        residual = scores - targets
        return namespace(residual).sum(residual * residual, axis=-1)

    def gradient(self, scores: Array, targets: Array) -> Array:
        """(n, k), (n, k) -> (n, k)"""
        return 2 * (scores - targets)

    def curvature(self, scores: Array, targets: Array) -> Array:
        """2: (n, k), (n, k) -> (n, k)"""
        return namespace(scores).full_like(scores, 2.0)

    def hessian(self, scores: Array, targets: Array, direction: Array) -> Array:
        """(n, k), (n, k), (n, k) -> (n, k)"""
        return 2 * direction


def softmax(scores: Array) -> Array:
    """exp(s_i) / Σ exp(s_j) along the last axis, without overflow: (..., k) -> (..., k)"""
    xp = namespace(scores)
    weights = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow, with all its digits on both sides."""
    xp = namespace(x)
    return xp.exp(-xp.logaddexp(xp.zeros_like(x), -x))


def _gap(scores: Array, targets: Array) -> Array:
    """How far each score misses the margin; 0, with derivative 0, if it does not."""
    xp = namespace(scores, targets)
    missing = 1 - targets * scores
    return xp.where(missing > 0, missing, xp.zeros_like(missing))

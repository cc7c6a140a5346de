"""How the head moves while the filters do."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace, widest_float
from kerneltools.backend import stop_gradient
from kerneltools.linalg import identity_like
from kerneltools.solvers import LinearModel, Loss
from kerneltools.trees import map_leaves


@runtime_checkable
class Strategy(Protocol):
    """What becomes of the head in a training."""

    @property
    def exact_head(self) -> bool:
        """Whether the head is solved exactly after each epoch."""

    @property
    def eliminates(self) -> bool:
        """Whether `head` is the next head, rather than the one that the optimiser moves with the filters."""

    def head(self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float) -> LinearModel:
        """The head at which a batch's gradient is taken.

        (b, d) features of root mean square 1, (b, k) targets; `reg` >= 0 times |W|² is the penalty.
        """


@dataclass(frozen=True)
class Joint:
    """Filters and head move together by the same stochastic gradients, and that is all."""

    @property
    def exact_head(self) -> bool:
        """No."""
        return False

    @property
    def eliminates(self) -> bool:
        """No."""
        return False

    def head(self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float) -> LinearModel:
        """The head as it is."""
        return before


@dataclass(frozen=True)
class Alternating(Joint):
    """An epoch of steps for filters and head, then the exact head for the filters that came out."""

    @property
    def exact_head(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True)
class LayerReversal:
    """The head is eliminated: each batch moves the filters at the best head for the batch, near the head before.

    "Ultimate layer reversal" (Jones, Roulet and Harchaoui 2019): the head of a batch minimises its loss plus
    `proximity` / 2 times |W - W before|², to second order, with the Hessian of the loss bounded by its greatest
    curvature, so that the loss never grows. Since that head is a minimum, the filters' gradient at it is the
    gradient of the minimal loss. After the epoch the head is solved exactly on all data.

    `proximity` > 0, in units of the mean square of the features.
    """

    proximity: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.proximity < float("inf"):
            raise ValueError(f"proximity: expected a finite number > 0, got {self.proximity}")

    @property
    def exact_head(self) -> bool:
        """Yes."""
        return True

    @property
    def eliminates(self) -> bool:
        """Yes."""
        return True

    def head(self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float) -> LinearModel:
        """before - (c/b X'X + S)^-1 times the gradient, by a system of b equations; a constant for the gradient."""
        xp = namespace(features)
        x = stop_gradient(features)
        before = map_leaves(stop_gradient, before)
        b, d = x.shape
        slopes = loss.gradient(before(x), targets) / b
        near = xp.full_like(x[0, :], self.proximity * d)
        # The intercept is the weight of a feature 1, and has no penalty.
        shift = xp.concat([near + 2 * reg, near[:1]])[:, None]
        x = xp.concat([x, xp.ones_like(x[:, :1])], axis=1)
        penalty = xp.concat([2 * reg * before.weights, xp.zeros_like(before.intercept)[None, :]])
        gradient = (xp.matrix_transpose(x) @ slopes + penalty) / shift
        scaled = xp.matrix_transpose(x) / shift
        gram = _wide(x) @ _wide(scaled)
        system = gram + (b / loss.greatest_curvature) * identity_like(gram)
        step = gradient - scaled @ xp.astype(xp.linalg.solve(system, _wide(x) @ _wide(gradient)), x.dtype)
        return LinearModel(before.weights - step[:-1, :], before.intercept - step[-1, :])


def _wide(x: Array) -> Array:
    """In float64, where the library has it."""
    return namespace(x).astype(x, widest_float(x))

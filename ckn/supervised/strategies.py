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
    """How the head is trained together with the filters.

    >>> from ckn.supervised import Alternating, Joint, LayerReversal
    >>> for strategy in (Joint(), Alternating(), LayerReversal()):
    ...     print(strategy, isinstance(strategy, Strategy), strategy.solves_batches, strategy.sees_batch)
    Joint() True False False
    Alternating(proximity=10.0, exact_every=1) True True False
    LayerReversal(proximity=10.0, exact_every=1) True True True
    """

    @property
    def exact_every(self) -> int:
        """The number of epochs after which the head is solved exactly on all images, again and again; 0: never."""

    @property
    def solves_batches(self) -> bool:
        """Whether each batch determines the next head; if not, the optimiser moves it with the filters."""

    @property
    def sees_batch(self) -> bool:
        """Whether the head at which the filters' gradient is computed depends on the batch."""

    def heads(
        self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float
    ) -> tuple[LinearModel, LinearModel]:
        """The head at which the filters' gradient is computed, and the next head, if batches determine it.

        (b, d) features of root mean square 1, (b, k) targets; `reg` >= 0 times |W|² is the penalty.
        """


@dataclass(frozen=True)
class Joint:
    """Filters and head move together by the same stochastic gradients.

    >>> import ckn
    >>> ckn.Supervised(strategy=Joint(), epochs=3).epochs
    3
    """

    @property
    def exact_every(self) -> int:
        """Never."""
        return 0

    @property
    def solves_batches(self) -> bool:
        """No."""
        return False

    @property
    def sees_batch(self) -> bool:
        """No."""
        return False

    def heads(
        self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float
    ) -> tuple[LinearModel, LinearModel]:
        """The head unchanged."""
        return before, before


@dataclass(frozen=True)
class _BatchSolving:
    """`proximity` > 0, in units of the mean square of the features: how close a batch's head stays to the one before.

    `exact_every` >= 1: the number of epochs after which the head is solved exactly, and at the end in any case.
    """

    proximity: float = 10.0
    exact_every: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.exact_every, bool) or not isinstance(self.exact_every, int) or self.exact_every < 1:
            raise ValueError(f"exact_every: expected an integer >= 1, got {self.exact_every!r}")
        if not 0 < self.proximity < float("inf"):
            raise ValueError(f"proximity: expected a finite number > 0, got {self.proximity}")

    @property
    def solves_batches(self) -> bool:
        """Yes."""
        return True


@dataclass(frozen=True)
class Alternating(_BatchSolving):
    """An epoch of steps for the filters, then the exact head for the new filters.

    Within the epoch the head follows the filters: after the step of a batch it becomes `head_of_batch`, with
    `proximity` > 0.

    >>> import ckn
    >>> ckn.Supervised(strategy=Alternating(proximity=1.0), epochs=5).strategy
    Alternating(proximity=1.0, exact_every=1)
    """

    @property
    def sees_batch(self) -> bool:
        """No."""
        return False

    def heads(
        self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float
    ) -> tuple[LinearModel, LinearModel]:
        """The head before the batch, which has not seen it, and the head of the batch."""
        constant: LinearModel = map_leaves(stop_gradient, before)
        return constant, head_of_batch(constant, features, targets, loss, reg, self.proximity)


@dataclass(frozen=True)
class LayerReversal(_BatchSolving):
    """The head is eliminated: each batch moves the filters at `head_of_batch`, its best head near the last one.

    "Ultimate layer reversal" (Jones, Roulet and Harchaoui 2019). Since that head is a minimum, the gradient at it
    is the gradient of the minimal loss. After the epoch the head is solved exactly on all data.

    >>> import ckn
    >>> ckn.Supervised(strategy=LayerReversal(proximity=1.0), epochs=5).strategy
    LayerReversal(proximity=1.0, exact_every=1)
    """

    @property
    def sees_batch(self) -> bool:
        """Yes."""
        return True

    def heads(
        self, before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float
    ) -> tuple[LinearModel, LinearModel]:
        """The head of the batch, twice."""
        constant: LinearModel = map_leaves(stop_gradient, before)
        after = head_of_batch(constant, features, targets, loss, reg, self.proximity)
        return after, after


def head_of_batch(
    before: LinearModel, features: Array, targets: Array, loss: Loss, reg: float, proximity: float
) -> LinearModel:
    """The head that minimises a batch's loss plus `proximity` d / 2 · |W - W before|², to second order; a constant.

    (b, d), (b, k) -> head. The Hessian of the loss is bounded by its greatest curvature c, so that the loss never
    grows: it is the head before less (c/b X'X + S)^-1 times the gradient, from a system of b equations.
    """
    xp = namespace(features)
    x = stop_gradient(features)
    b, d = x.shape
    slopes = loss.gradient(before(x), targets) / b
    near = xp.full_like(x[0, :], proximity * d)
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
    return namespace(x).astype(x, widest_float(x))

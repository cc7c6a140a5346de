"""First-order optimisers: pure functions from parameters, gradients and state to the next parameters and state.

A state is a dict of tuples with one array for each floating-point array of the parameters, and Python numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from kerneltools.arrays import Array, namespace, widest_float
from kerneltools.optimisers.geometry import Euclidean, Geometry
from kerneltools.optimisers.leaves import Moving, moving_leaves, replaced, replaced_at, zeros_for
from kerneltools.trees import flatten, map_leaves

State = dict[str, Any]


@runtime_checkable
class Optimiser(Protocol):
    """A rule for steps of descent.

    >>> import numpy as np
    >>> from kerneltools.optimisers import Euclidean
    >>> class SignDescent:
    ...     def start(self, params):
    ...         return None
    ...     def step(self, params, gradients, state, rate, geometries):
    ...         return geometries[0].retract(params, -rate * np.sign(gradients)), state
    >>> x = np.array([3.0, -2.0])
    >>> isinstance(SignDescent(), Optimiser), SignDescent().step(x, 2 * x, None, 0.5, [Euclidean()])[0]
    (True, array([ 2.5, -1.5]))
    """

    def start(self, params: Any) -> State:
        """The state before the first step."""

    def step(
        self, params: Any, gradients: Any, state: State, rate: float, geometries: Sequence[Geometry]
    ) -> tuple[Any, State]:
        """The parameters and the state after one step.

        `gradients`: a tree like `params`, with None for leaves that stay unchanged. `rate` > 0: the learning rate.
        `geometries`: one for each array with a gradient, in the order of `trees.flatten`.
        """


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum: v ← momentum v + direction, then a step of -rate v.

    `momentum` in [0, 1). In Euclidean geometry, `weight_decay` >= 0 times the parameter is added to the gradient. In
    other geometries the direction is the tangent one, and v is transported before it is used.

    Raises ValueError for numbers outside these ranges.

    >>> import numpy as np
    >>> x, sgd = np.array([1.0]), SGD(momentum=0.0)
    >>> sgd.step(x, 2 * x, sgd.start(x), 0.25, [Euclidean()])[0]
    array([0.5])
    """

    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_fraction("momentum", self.momentum)
        _require_not_negative("weight_decay", self.weight_decay)

    def start(self, params: Any) -> State:
        """v = 0"""
        return {"velocity": zeros_for(params, _zeros_like)}

    def step(
        self, params: Any, gradients: Any, state: State, rate: float, geometries: Sequence[Geometry]
    ) -> tuple[Any, State]:
        """As the protocol says."""
        points, velocities = {}, {}
        for leaf in moving_leaves(params, gradients, geometries):
            gradient = leaf.gradient
            if self.weight_decay and _decays(leaf):
                gradient = gradient + self.weight_decay * leaf.point
            velocity = leaf.geometry.tangent(leaf.point, gradient)
            if self.momentum:
                old = leaf.geometry.transport(leaf.point, state["velocity"][leaf.place])
                velocity = self.momentum * old + velocity
            velocities[leaf.place] = velocity
            points[leaf.place] = leaf.geometry.retract(leaf.point, -rate * velocity)
        return replaced(params, points), {"velocity": replaced_at(state["velocity"], velocities)}


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015): means of directions divided by roots of means of their squares, both unbiased.

    `beta1`, `beta2` in [0, 1); `epsilon` > 0 is added to the root. `weight_decay` >= 0: Euclidean parameters shrink by
    rate * weight_decay in each step, apart from the gradient (Loshchilov & Hutter 2019). The geometry decides what has
    a square of its own: an entry, or a whole row on the sphere (Bécigneul & Ganea 2019), for which the rate is then
    about the angle of a step in radians.

    Raises ValueError for numbers outside these ranges.

    >>> import numpy as np
    >>> x, adam = np.array([1.0, -1.0]), Adam()
    >>> adam.step(x, 1e-3 * x, adam.start(x), 0.25, [Euclidean()])[0].round(3)
    array([ 0.75, -0.75])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require_fraction("beta1", self.beta1)
        _require_fraction("beta2", self.beta2)
        if not self.epsilon > 0:
            raise ValueError(f"epsilon: expected a number > 0, got {self.epsilon}")
        _require_not_negative("weight_decay", self.weight_decay)

    def start(self, params: Any) -> State:
        """Means 0, after 0 steps."""
        zeros = zeros_for(params, _zeros_like)
        return {"steps": 0, "mean": zeros, "square": zeros}

    def step(
        self, params: Any, gradients: Any, state: State, rate: float, geometries: Sequence[Geometry]
    ) -> tuple[Any, State]:
        """As the protocol says."""
        steps = state["steps"] + 1
        points, means, squares = {}, {}, {}
        for leaf in moving_leaves(params, gradients, geometries):
            mean, square = self._means(leaf, state)
            root = namespace(square).sqrt(square / (1 - self.beta2**steps)) + self.epsilon
            direction = mean / (1 - self.beta1**steps) / root
            shrunk = leaf.point * (1 - rate * self.weight_decay) if _decays(leaf) else leaf.point
            points[leaf.place] = leaf.geometry.retract(shrunk, -rate * direction)
            means[leaf.place], squares[leaf.place] = mean, square
        kept = {"mean": replaced_at(state["mean"], means), "square": replaced_at(state["square"], squares)}
        return replaced(params, points), {"steps": steps, **kept}

    def _means(self, leaf: Moving, state: State) -> tuple[Array, Array]:
        direction = leaf.geometry.tangent(leaf.point, leaf.gradient)
        old = leaf.geometry.transport(leaf.point, state["mean"][leaf.place])
        mean = self.beta1 * old + (1 - self.beta1) * direction
        new = leaf.geometry.square(leaf.point, direction)
        return mean, self.beta2 * state["square"][leaf.place] + (1 - self.beta2) * new


def clip(gradients: Any, norm: float) -> Any:
    """The same tree, scaled down if its global Euclidean norm exceeds `norm` > 0.

    NaN stays NaN, and an infinite entry becomes NaN. Raises ValueError for norm <= 0.

    >>> import numpy as np
    >>> clip({"a": np.array([3.0]), "b": np.array([4.0])}, norm=1.0)
    {'a': array([0.6]), 'b': array([0.8])}
    """
    if not norm > 0:
        raise ValueError(f"norm: expected a number > 0, got {norm}")
    leaves = flatten(gradients)[0]
    if not leaves:
        return gradients
    xp = namespace(*leaves)
    total = xp.sqrt(sum(xp.sum(xp.square(xp.astype(g, widest_float(g)))) for g in leaves))
    factor = norm / xp.maximum(total, xp.full_like(total, norm))
    return map_leaves(lambda g: g * xp.astype(factor, g.dtype), gradients)


def _decays(leaf: Moving) -> bool:
    return isinstance(leaf.geometry, Euclidean)


def _zeros_like(array: Array) -> Array:
    return namespace(array).zeros_like(array)


def _require_fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number in [0, 1), got {value}")


def _require_not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name}: expected a number >= 0, got {value}")

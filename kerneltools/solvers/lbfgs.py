"""L-BFGS: the minimum of a smooth function of a tree of arrays, from its values and gradients."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod, sqrt
from typing import Any

from kerneltools.arrays import Array, namespace, require_count, require_stopping, widest_float
from kerneltools.progress import Progress, silent
from kerneltools.solvers.line_search import Trial, search
from kerneltools.trees import Shown, flatten
from kerneltools.units import unit_of

ValueAndGrad = Callable[[Any], tuple[Any, Any]]


@dataclass(frozen=True, eq=False)
class Minimum(Shown):
    """The result of `minimise`: a `point` like the start, the function's `value` there and its `gradient_norm`.

    `iterations`: how many steps were taken; `converged`: whether the stopping rule was met.

    >>> import numpy as np
    >>> found = minimise(lambda x: (((x - 3) ** 2).sum(), 2 * (x - 3)), np.zeros(2))
    >>> found.converged, found.iterations, found.point.round(6), round(found.value, 9)
    (True, 2, array([3., 3.]), 0.0)
    """

    point: Any
    value: float
    gradient_norm: float
    iterations: int
    converged: bool


def minimise(
    value_and_grad: ValueAndGrad,
    start: Any,
    *,
    pairs: int = 10,
    tolerance: float = 1e-6,
    iterations: int = 500,
    least: float = 0.0,
    progress: Progress = silent,
) -> Minimum:
    """Minimise a smooth function: find a point where the gradient is nearly zero, downhill from `start`.

    `value_and_grad(tree) -> (value, gradient)`: a scalar, and a tree with one array for each array of the tree.
    `start`: a tree of arrays of one library and device; its Python numbers are constants. `pairs`: the number of last
    steps, and changes of the gradient, from which the curvature is estimated. At most `iterations` steps are taken.
    `progress` gets each step and the value (kerneltools.progress).

    It stops when the gradient's norm is at most `tolerance` * max(`least`, the norm at the start): with `least` = 0,
    this does not depend on the function's unit. For a function of the order of 1, set `least` = 1. If it cannot get
    there (no iterations are left, or no lower point is found within rounding), the result says so and nothing is
    raised. Two loops over the stored steps give each direction (Nocedal 1980), and a strong Wolfe search its length.
    Points and products are in float64 if the library has it; the function sees the types of `start`.

    Raises FloatingPointError, with the iteration, if value or gradient is not finite, and ValueError for a gradient
    that does not fit `start`.

    >>> import numpy as np
    >>> found = minimise(lambda x: (((x - 3) ** 2).sum(), 2 * (x - 3)), np.zeros(2))
    >>> found.point.round(6), found.converged
    (array([3., 3.]), True)
    """
    require_stopping(tolerance, iterations)
    require_count("pairs", pairs)
    function, vector, unpack = _over_vectors(value_and_grad, start)
    here = function(vector)
    unit = 1.0 if least else unit_of(here.steepest)
    function, here = _in_unit(function, unit), here.over(unit)
    _require_finite(here, 0)
    bound = tolerance * max(least, here.norm)
    steps: deque[_Step] = deque(maxlen=pairs)
    count = 0
    while here.norm > bound and count < iterations:
        there = _next(function, here, steps, count + 1)
        if there is None and not steps:
            break
        if there is None:
            # The curvature learnt so far misleads: forget it, and go down the gradient once more.
            steps.clear()
            continue
        _remember(steps, here, there)
        here, count = there, count + 1
        progress("minimise", count, iterations, unit * here.value)
    return Minimum(unpack(here.vector), unit * here.value, unit * here.norm, count, here.norm <= bound)


@dataclass(frozen=True, eq=False)
class _Point:
    vector: Array
    value: float
    gradient: Array

    @property
    def norm(self) -> float:
        return sqrt(_dot(self.gradient, self.gradient))

    @property
    def steepest(self) -> float:
        xp = namespace(self.gradient)
        return float(xp.max(xp.abs(self.gradient))) if self.gradient.shape[0] else 0.0

    def over(self, unit: float) -> "_Point":
        return _Point(self.vector, self.value / unit, self.gradient / unit)


@dataclass(frozen=True, eq=False)
class _Step:
    """A step s, the change y of the gradient along it, and their product."""

    step: Array
    change: Array
    product: float


def _in_unit(function: Callable[[Array], _Point], unit: float) -> Callable[[Array], _Point]:
    return function if unit == 1 else lambda vector: function(vector).over(unit)


def _over_vectors(f: ValueAndGrad, start: Any) -> tuple[Callable[[Array], _Point], Array, Callable[[Array], Any]]:
    """f as a function of one long vector in the widest type, the start as such a vector, and the way back."""
    leaves, rebuild = flatten(start)
    arrays = [leaf for leaf in leaves if hasattr(leaf, "dtype")]
    xp = namespace(*arrays)

    def unpack(vector: Array) -> Any:
        supply = iter(_split(vector, arrays))
        return rebuild([next(supply) if hasattr(leaf, "dtype") else leaf for leaf in leaves])

    def point(vector: Array) -> _Point:
        value, gradient = f(unpack(vector))
        found = flatten(gradient)[0]
        if [tuple(g.shape) for g in found] != [tuple(a.shape) for a in arrays]:
            raise ValueError(
                f"value_and_grad: expected a gradient with arrays of the shapes {[tuple(a.shape) for a in arrays]}, "
                f"got {[tuple(g.shape) for g in found]}"
            )
        return _Point(vector, float(value), _join(xp, found))

    return point, _join(xp, arrays), unpack


def _join(xp: Any, arrays: list[Array]) -> Array:
    return xp.concat([xp.astype(xp.reshape(a, (-1,)), widest_float(a)) for a in arrays])


def _split(vector: Array, like: list[Array]) -> list[Array]:
    xp = namespace(vector)
    pieces, first = [], 0
    for a in like:
        size = prod(a.shape)
        pieces.append(xp.astype(xp.reshape(vector[first : first + size], tuple(a.shape)), a.dtype))
        first += size
    return pieces


def _next(function: Callable[[Array], _Point], here: _Point, steps: deque[_Step], number: int) -> _Point | None:
    """The point at the end of the next step; None if the search finds none."""
    direction = _direction(here.gradient, steps)
    slope = _dot(here.gradient, direction)
    if not slope < 0:
        return None
    tried: dict[float, _Point] = {}

    def along(length: float) -> Trial:
        point = tried[length] = function(here.vector + length * direction)
        return Trial(length, point.value, _dot(point.gradient, direction))

    first = 1.0 if steps else min(1.0, 1 / here.norm)
    found = search(along, Trial(0.0, here.value, slope), first)
    if found is None:
        if tried and not any(isfinite(point.value) for point in tried.values()):
            _require_finite(list(tried.values())[-1], number)
        return None
    _require_finite(tried[found.length], number)
    return tried[found.length]


def _direction(gradient: Array, steps: deque[_Step]) -> Array:
    """Minus the estimated inverse Hessian times the gradient (Nocedal 1980, the two loops)."""
    direction = -gradient
    weights = []
    for pair in reversed(steps):
        weight = _dot(pair.step, direction) / pair.product
        weights.append(weight)
        direction = direction - weight * pair.change
    if steps:
        last = steps[-1]
        direction = direction * (last.product / _dot(last.change, last.change))
    for pair, weight in zip(steps, reversed(weights), strict=True):
        direction = direction + (weight - _dot(pair.change, direction) / pair.product) * pair.step
    return direction


def _remember(steps: deque[_Step], before: _Point, after: _Point) -> None:
    step, change = after.vector - before.vector, after.gradient - before.gradient
    product = _dot(step, change)
    # Without curvature along the step (rounding) the estimate would lose its sign.
    if product > 1e-12 * sqrt(_dot(step, step) * _dot(change, change)):
        steps.append(_Step(step, change, product))


def _dot(a: Array, b: Array) -> float:
    return float(namespace(a, b).sum(a * b))


def _require_finite(point: _Point, iteration: int) -> None:
    if not (isfinite(point.value) and isfinite(point.norm)):
        raise FloatingPointError(
            f"iteration {iteration}: value {point.value} and gradient norm {point.norm} are not both finite; "
            "look for NaN in the data, start nearer, or scale the data down"
        )

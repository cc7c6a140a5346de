"""Hyperparameters by gradients: lengthscales, λ and landmarks that lower the error on unseen rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import log
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from kerneltools import autodiff
from kerneltools.arrays import (
    Array,
    asarray_like,
    holds,
    namespace,
    require_count,
    require_number,
    require_together,
    widest_float,
)
from kerneltools.backend import backend_of
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.learning.features import widened
from kerneltools.learning.objectives import GeneralisedCrossValidation, HoldOut, LeaveOneOut, Objective
from kerneltools.maps import Nystrom, nystrom
from kerneltools.optimisers import Adam, Euclidean, Optimiser
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.solvers import Minimum, minimise
from kerneltools.solvers.checks import check_examples
from kerneltools.structures.base import (
    in_type,
    like_of,
    require_alike,
    require_examples,
    require_known,
    take,
)
from kerneltools.trees import Shown, map_leaves, named_leaves
from kerneltools.units import unit_of

Free = dict[str, Array]
# (free parameters, x, y) -> the loss and its gradient in the parameters.
LossAndGrad = Callable[[Free, Array, Array], tuple[Array, Free]]

RANGE = 1e6
"""Positive parameters stay within this factor of their start: farther off, the loss no longer depends on them."""


@dataclass(frozen=True, eq=False)
class Tuned(Shown):
    """The result of `fit`: `kernel`, landmarks `points` (m, d), `reg` λ; `shift` is the ε of the map.

    `loss`: the objective there (with `Descent`, before its last step, on its last batch). `history`: the losses of all
    evaluations, from the start on. `converged`: whether the gradient became as small as asked for.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-2.0, 2.0, 24)[:, None]
    >>> found = fit(Gaussian(1.5), x[::4, :], x, np.sin(3 * x), reg=1e-2, method=Descent(steps=5))
    >>> found.kernel.bandwidth < 1.5, len(found.history), found.converged, found.map(x).shape
    (True, 5, False, (24, 6))
    """

    kernel: Kernel
    points: Array
    reg: float
    shift: float
    loss: float
    history: tuple[float, ...]
    converged: bool

    @property
    def map(self) -> Nystrom:
        """The Nyström map of the kernel on the landmarks: the one that the objective judged."""
        return nystrom(self.kernel, self.points, reg=self.shift)


@dataclass(frozen=True, eq=False)
class Found:
    """Where a method stopped: the parameters, and the numbers of `Tuned`.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-2.0, 2.0, 24)[:, None]
    >>> class Stay:
    ...     def __call__(self, loss_and_grad, start, x, y):
    ...         loss = float(loss_and_grad(start, x, y)[0])
    ...         return Found(start, loss, (loss,), converged=True)
    >>> fit(Gaussian(1.5), x[::4, :], x, np.sin(3 * x), reg=1e-2, method=Stay()).kernel.bandwidth
    1.5
    """

    free: Free
    loss: float
    history: tuple[float, ...]
    converged: bool


@runtime_checkable
class Method(Protocol):
    """A method of minimisation.

    >>> isinstance(LBFGS(), Method), isinstance(Descent(), Method)
    (True, True)
    """

    def __call__(self, loss_and_grad: LossAndGrad, start: Free, x: Array, y: Array) -> Found:
        """From the start, by losses and gradients on rows of x and y."""


@dataclass(frozen=True)
class LBFGS:
    """Minimise with `solvers.minimise` on all rows: at most `iterations` steps of one or a few evaluations each.

    If landmarks are learnt, it runs twice: first with fixed landmarks, then with all parameters. Landmarks that move
    while lengthscales are far off gather where few are needed, and the loss ends higher than with fixed landmarks.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-2.0, 2.0, 24)[:, None]
    >>> found = fit(Gaussian(1.5), x[::4, :], x, np.sin(3 * x), reg=1e-2, method=LBFGS(iterations=3))
    >>> found.loss < found.history[0]
    True
    """

    iterations: int = 100
    tolerance: float = 1e-5

    def __call__(self, loss_and_grad: LossAndGrad, start: Free, x: Array, y: Array) -> Found:
        """As the protocol says."""
        history: list[float] = []

        def noted(free: Free) -> tuple[Array, Free]:
            value, gradient = loss_and_grad(free, x, y)
            history.append(float(value))
            return value, gradient

        others = {name: value for name, value in start.items() if name != "points"}
        if 0 < len(others) < len(start):
            start = {**start, **self._minimum(noted, start, tuple(others)).point}
        found = self._minimum(noted, start, tuple(start))
        return Found(found.point, found.value, tuple(history), found.converged)

    def _minimum(
        self, loss_and_grad: Callable[[Free], tuple[Array, Free]], free: Free, names: Sequence[str]
    ) -> Minimum:
        """Minimise in the parameters with these names, with the others fixed."""

        def part(some: Free) -> tuple[Array, Free]:
            value, gradient = loss_and_grad({**free, **some})
            return value, {name: gradient[name] for name in names}

        start = {name: free[name] for name in names}
        return minimise(part, start, tolerance=self.tolerance, iterations=self.iterations, least=1.0)


@dataclass(frozen=True)
class Descent:
    """A number of steps of a first-order optimiser, on random batches if all rows do not fit in memory.

    `rate` > 0: the learning rate for the logarithms of positive parameters and for the landmarks. `batch`: how many
    rows, drawn without repetition from `rng`, a step sees; None for all.

    Raises ValueError for steps or batch < 2 and for a rate that is not > 0.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-2.0, 2.0, 24)[:, None]
    >>> found = fit(Gaussian(1.5), x[::4, :], x, np.sin(3 * x), reg=1e-2, method=Descent(steps=10, batch=12))
    >>> len(found.history), found.converged
    (10, False)
    """

    steps: int = 200
    rate: float = 0.05
    batch: int | None = None
    rng: Rng = 0
    optimiser: Optimiser = field(default_factory=Adam)

    def __post_init__(self) -> None:
        for name, value in (("steps", self.steps), ("batch", self.batch)):
            if value is not None:
                require_count(name, value, 2)
        require_number("rate", self.rate)

    def __call__(self, loss_and_grad: LossAndGrad, start: Free, x: Array, y: Array) -> Found:
        """As the protocol says; never `converged`, since it has no rule to stop."""
        draws, state, free, history = generator(self.rng), self.optimiser.start(start), start, list[float]()
        for _ in range(self.steps):
            value, gradient = loss_and_grad(free, *self._rows(x, y, draws))
            history.append(float(value))
            gradient = {name: gradient[name] for name in free}  # JAX gives dicts back in another order
            free, state = self.optimiser.step(free, gradient, state, self.rate, [Euclidean()] * len(free))
        return Found(free, history[-1], tuple(history), False)

    def _rows(self, x: Array, y: Array, draws: Any) -> tuple[Array, Array]:
        if self.batch is None or self.batch >= x.shape[0]:
            return x, y
        chosen = draws.choice(x.shape[0], self.batch, replace=False)
        return take(x, chosen), take(y, chosen)


def fit(
    kernel: Kernel,
    points: Array,
    x: Array,
    y: Array,
    reg: float = 1e-3,
    *,
    objective: Objective | None = None,
    fixed: Sequence[str] = (),
    shift: float = 1e-6,
    method: Method | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Learn kernel parameters, landmarks and λ that lower the error of ridge regression on unseen rows.

    landmarks (m, d), x (n, d), y (n, t) -> kernel, landmarks (m, d), λ

    The regression is that of y on the Nyström features of x, with intercept, and λ scaled as in `solvers.ridge`. The
    gradient of `objective` (default: `LeaveOneOut()`) goes through the map, in its symmetric form with ε = `shift` > 0,
    and through the regression, in float64 if the library has it. Memory is O(n m) for the objective on all rows.

    All numbers and arrays of the kernel, "points" and "reg" are learnt, except those named in `fixed`: "reg", "points",
    "kernel.bandwidth", "kernel.terms.0.scale", ... All but the landmarks must be > 0 at the start; their logarithms are
    learnt, and they stay within a factor of 1e6 of it. An array of d lengthscales, all equal at the start, ends with
    large ones for columns that are irrelevant to y (automatic relevance determination). Row numbers cannot move: with
    `Precomputed`, fix "points" and the kernel's matrix. `method`: `LBFGS()`, the default, or `Descent(...)`. The loss
    is not convex, so the result depends on the start. `progress` gets the loss of each evaluation
    (kerneltools.progress; `progress.printed` prints a line).

    Raises ValueError for unknown names in `fixed`, if nothing is left to learn, for parameters <= 0, for shapes that do
    not fit, and for NaN, with its place; FloatingPointError if the loss is not finite.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-2.0, 2.0, 40)[:, None]
    >>> found = fit(Gaussian(1.5), x[::5, :], x, np.sin(3 * x), reg=1e-2)
    >>> found.kernel.bandwidth < 1, found.loss < 0.01 * found.history[0]
    (True, True)
    """
    kernel, fixed = as_kernel(kernel), (fixed,) if isinstance(fixed, str) else fixed
    check_examples(x, y, None, least=2)
    require_number("reg", reg, like_of(x))
    require_number("shift", shift, like_of(x))
    require_examples("(m, d)", points=points)
    require_together(x=like_of(x), points=like_of(points))
    require_alike(x, points, "points")
    if points.shape[0] == 0:
        raise ValueError(f"points: expected at least one landmark, got shape {tuple(points.shape)}")
    require_known(x=x, y=y, points=points)
    wide_x = in_type(x, widest_float(like_of(x)))
    judge, wide_y, height = _in_unit(objective or LeaveOneOut(), widened(y))
    start, unit = _Parameters(kernel, points, reg, like_of(wide_x), fixed), _spread(wide_y)

    def loss(free: Free, rows: Array, targets: Array) -> Array:
        tree = start.at(free)
        return judge(nystrom(tree["kernel"], tree["points"], reg=shift), rows, targets, tree["reg"]) / unit

    owner = backend_of(like_of(wide_x))
    loss_and_grad = _told((autodiff if owner is None else owner).value_and_grad(loss), unit * height * height, progress)
    found = (method or LBFGS())(loss_and_grad, start.free, wide_x, wide_y)
    tree = start.returned(found.free)
    history = tuple(unit * value * height * height for value in found.history)
    loss_found = unit * found.loss * height * height
    return Tuned(tree["kernel"], tree["points"], tree["reg"], shift, loss_found, history, found.converged)


def _told(loss_and_grad: LossAndGrad, unit: float, progress: Progress) -> LossAndGrad:
    """The same progress, which gets the losses times the unit."""
    if progress is silent:
        return loss_and_grad
    numbers = count(1)

    def telling(free: Free, x: Array, y: Array) -> tuple[Array, Free]:
        value, gradient = loss_and_grad(free, x, y)
        progress("evaluation", next(numbers), 0, unit * float(value))
        return value, gradient

    return telling


def _in_unit(objective: Objective, y: Array) -> tuple[Objective, Array, float]:
    """The objective, and y over a power of two close to its spread, and this power: squares stay in range.

    Objectives that may not be squares of their input get the original y.
    """
    if not isinstance(objective, LeaveOneOut | GeneralisedCrossValidation | HoldOut):
        return objective, y, 1.0
    xp = namespace(y)
    unit = unit_of(float(xp.max(xp.abs(y))))
    y = y / unit
    spread = unit_of(float(xp.max(xp.abs(y - xp.mean(y, axis=0)))))
    height = unit * spread
    if isinstance(objective, HoldOut):
        objective = HoldOut(objective.x, objective.y / unit / spread)
    return objective, y / spread, height


def _spread(y: Array) -> float:
    """The mean square of y about its means, in which losses are measured: then tolerances have no unit."""
    xp = namespace(y)
    return float(xp.mean((y - xp.mean(y, axis=0)) ** 2)) or 1.0


class _Parameters:
    """The tree of kernel, points and λ, with the free ones among them as unconstrained arrays by their paths."""

    def __init__(self, kernel: Kernel, points: Array, reg: float, like: Array, fixed: Sequence[str]) -> None:
        self.given = {"kernel": kernel, "points": points, "reg": float(reg)}
        leaves = dict(named_leaves(self.given))
        # Objects do not move, whatever numbers they are made of.
        names = [name for name, leaf in leaves.items() if _is_floating(leaf) and not name.startswith("points.")]
        if unknown := sorted(set(fixed) - set(names)):
            raise ValueError(f"fixed: expected some of {', '.join(names)}, got {', '.join(unknown)}")
        if not set(names) - set(fixed):
            raise ValueError(f"fixed: nothing is left to learn of {', '.join(names)}")
        self.start = {name: _wide(leaves[name], like) for name in names}
        for name in set(names) - set(fixed) - {"points"}:
            _require_positive(name, self.start[name])
        zeros = {name: namespace(like).zeros_like(self.start[name]) for name in names}
        # Landmarks in a unit of theirs: their gradient, and with it the rule to stop, does not depend on that of x.
        self.unit = _unit_of_points(self.start["points"]) if "points" in names else 1.0
        self.free: Free = {
            name: self.start[name] / self.unit if name == "points" else zeros[name]
            for name in names
            if name not in fixed
        }

    def at(self, free: Free) -> Any:
        """The tree of arrays at these free parameters."""
        return _replaced(self.given, {**self.start, **{name: self._value(name, free[name]) for name in free}})

    def returned(self, free: Free) -> Any:
        """The tree at these free parameters, with numbers and array types as they were given."""
        leaves = dict(named_leaves(self.given))
        values = {name: _like(self._value(name, free[name]), leaves[name]) for name in free}
        return _replaced(self.given, values)

    def _value(self, name: str, free: Array) -> Array:
        if name == "points":
            return free * self.unit
        xp, bound = namespace(free), log(RANGE)
        return xp.exp(bound * xp.tanh(free / bound)) * self.start[name]


def _unit_of_points(points: Array) -> float:
    """A power of two; 1 for points a few units apart."""
    xp = namespace(points)
    scaled = points / (size := unit_of(float(xp.max(xp.abs(points)))))
    return size * unit_of(float(xp.max(xp.abs(scaled - xp.mean(scaled, axis=0))))) / 4


def _replaced(tree: Any, values: dict[str, Any]) -> Any:
    """The tree with other leaves at these paths."""
    paths = iter([name for name, _ in named_leaves(tree)])
    return map_leaves(lambda leaf: values.get(next(paths), leaf), tree)


def _is_floating(leaf: Any) -> bool:
    if hasattr(leaf, "dtype"):
        return bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))
    return isinstance(leaf, Real) and not isinstance(leaf, bool)


def _wide(leaf: Any, like: Array) -> Array:
    if not hasattr(leaf, "dtype"):
        return asarray_like(float(leaf), like)
    return namespace(leaf, like).astype(leaf, like.dtype)


def _like(value: Array, leaf: Any) -> Any:
    return namespace(value).astype(value, leaf.dtype) if hasattr(leaf, "dtype") else float(value)


def _require_positive(name: str, value: Array) -> None:
    xp = namespace(value)
    if not holds(xp.all(value > 0)):
        raise ValueError(
            f"{name}: expected numbers > 0, whose logarithms are learnt, got {float(xp.min(value))}; "
            f'start from a small number > 0, or keep it: fixed=("{name}",)'
        )

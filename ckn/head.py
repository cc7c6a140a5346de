"""The linear head: ridge regression of classes, one against the rest, or of numbers, λ chosen by leave-one-out.

The head for many rows, or with other losses, is chosen in `ckn.choice`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ckn.targets import explained
from kerneltools.arrays import Array, asarray_like, device_of, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.learning import Temperature, fit_temperature
from kerneltools.primitives import program
from kerneltools.solvers import CrossEntropy, LinearModel, Loss, Squared, SquaredHinge, ridge_path

DEFAULT_REGS: tuple[float, ...] = tuple(10 ** (-k / 4) for k in range(40, 3, -1))
"""λ from 1e-10 to 0.1, four to a decade, for features of norm 1."""


@dataclass(frozen=True)
class Tried:
    """A head that was tried: its `loss`, the best λ `reg` for it, and `accuracy`, its share of rows left out in [0, 1].

    `errors`: the error on rows left out for each of the `regs` tried: the mean squared error of ridge regression, and
    for other losses the log loss of the probabilities.
    """

    loss: Loss
    reg: float
    accuracy: float
    regs: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def word(self) -> str:
        """The command's word for the head."""
        return word_of(self.loss)


HEADS: Mapping[str, Loss] = {"ridge": Squared(), "hinge": SquaredHinge(), "softmax": CrossEntropy()}
"""The losses of heads by the words of the command."""


def word_of(loss: Loss) -> str:
    """The command's word for the head of a loss; for other losses, the Python expression."""
    return next((word for word, known in HEADS.items() if known == loss), repr(loss))


@dataclass(frozen=True)
class Choice:
    """How a head was chosen: all that were `tried`, ridge regression first; of equal ones the first is `taken`.

    `left_out`: how many rows were left out at once, 0 for one at a time (leave-one-out); `seconds`: the time of the
    choice and of the head taken; `features`: where the features were kept meanwhile, in words.
    """

    tried: tuple[Tried, ...]
    left_out: int
    seconds: float
    features: str

    @property
    def taken(self) -> Tried:
        """The head that is right most often."""
        return max(self.tried, key=lambda tried: tried.accuracy)


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A `model` with one output per class, and how it was chosen.

    `reg`: the λ; `loo_errors`: the leave-one-out mean squared error of each λ; `loo_accuracy`: in [0, 1], the share of
    rows that the chosen λ puts in their class when they are left out; `calibration`: turns scores into probabilities,
    fitted to the scores of rows left out; `loss`: the loss that the head minimises.
    """

    model: LinearModel
    reg: float
    loo_errors: tuple[float, ...]
    loo_accuracy: float
    calibration: Temperature
    loss: Loss = field(default_factory=Squared)
    choice: Choice | None = None


def fit_head(
    features: Array,
    indices: Any,
    classes: int,
    regs: Sequence[float] = DEFAULT_REGS,
    weights: Sequence[float] | None = None,
) -> FittedHead:
    """Ridge regression of +1 / -1 targets, with the λ of `regs` that has the least leave-one-out squared error.

    (n, d), (n,) class numbers on the host -> head; `weights` (n,) >= 0: how much each row counts in the regression,
    in the choice of λ and in that of the temperature

    Raises ValueError for an empty `regs` and for values <= 0.
    """
    numbers = indices_like(indices, features)
    targets = one_vs_rest(numbers, classes, features)
    counted = None if weights is None else asarray_like(weights, features)
    found = _chosen(features, targets, regs, counted)
    right = namespace(found.left_out).argmax(found.left_out, axis=1) == numbers
    accuracy = float(to_host(right).mean())
    calibration = fit_temperature(found.left_out, numbers, weights=counted)
    return FittedHead(found.model, found.reg, found.errors, accuracy, calibration)


@dataclass(frozen=True, eq=False)
class FittedRegression:
    """A `model` with one output per target, and how it was chosen.

    `reg`: the λ; `loo_errors`: the leave-one-out mean squared error of each λ; `loo_score`: the R² of rows left out at
    the chosen λ, at most 1, a mean over the targets.
    """

    model: LinearModel
    reg: float
    loo_errors: tuple[float, ...]
    loo_score: float


def fit_regression(features: Array, targets: Array, regs: Sequence[float] = DEFAULT_REGS) -> FittedRegression:
    """Ridge regression with the λ of least leave-one-out squared error, a mean over the targets.

    (n, d), (n, q) -> head. Standardise targets that have several units.

    Raises ValueError for an empty `regs` and for values <= 0.
    """
    found = _chosen(features, targets, regs, None)
    return FittedRegression(found.model, found.reg, found.errors, explained(found.left_out, targets))


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The λ with the least error, its model, its predictions of rows left out (n, t), and the errors of all λ."""

    reg: float
    model: LinearModel
    left_out: Array
    errors: tuple[float, ...]


def _chosen(features: Array, targets: Array, regs: Sequence[float], weights: Array | None) -> _Chosen:
    check_regs(regs)
    path = ridge_path(features, targets, weights=weights)
    left_out = path.leave_one_out(regs)
    counted = namespace(targets).ones_like(targets[:, 0]) if weights is None else weights
    errors = to_host(_errors(left_out, targets, counted))
    best = int(errors.argmin())
    return _Chosen(regs[best], path.model(regs[best]), left_out[best, ...], tuple(errors.tolist()))


def check_regs(regs: Sequence[float]) -> None:
    """Raise ValueError if there is no λ, or one that is not > 0."""
    if not regs or min(regs) <= 0:
        raise ValueError(f"regs: expected at least one number, all > 0, got {tuple(regs)}")


def least_reg(features: Array, targets: Array, regs: Sequence[float] = DEFAULT_REGS) -> float:
    """The λ with the least leave-one-out mean squared error of ridge regression: (n, d), (n, q) -> λ"""
    left_out = ridge_path(features, targets).leave_one_out(regs)
    errors = _errors(left_out, targets, namespace(targets).ones_like(targets[:, 0]))
    return float(regs[int(to_host(errors).argmin())])


@program
def _errors(left_out: Array, targets: Array, weights: Array) -> Array:
    """(r, n, classes), (n, classes), (n,) -> (r,)"""
    xp, wide = namespace(left_out, targets), left_out.dtype
    squares = xp.mean((left_out - xp.astype(targets, wide)) ** 2, axis=2)
    counted = xp.astype(weights, wide)
    return xp.sum(squares * counted, axis=1) / xp.sum(counted)


@program
def one_vs_rest(numbers: Array, classes: int, like: Array) -> Array:
    """+1 in the column of the class, -1 elsewhere, in the type of `like`: (n,) class numbers -> (n, classes)."""
    xp = namespace(numbers, like)
    columns = xp.arange(classes, dtype=numbers.dtype, device=device_of(numbers))
    return 2 * xp.astype(numbers[:, None] == columns[None, :], like.dtype) - 1

"""The linear head of a classifier: one-vs-rest ridge regression, λ chosen by leave-one-out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, asarray_like, device_of, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.learning import Temperature, fit_temperature
from kerneltools.primitives import program
from kerneltools.solvers import LinearModel, ridge_path

DEFAULT_REGS: tuple[float, ...] = tuple(10 ** (-k / 4) for k in range(40, 3, -1))
"""λ from 1e-10 to 0.1, four to a decade, for features of norm 1."""


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A `model` with one output per class, and how it was chosen.

    `reg`: the λ; `loo_errors`: the leave-one-out mean squared error of each λ; `loo_accuracy`: in [0, 1], the
    share of rows that the chosen λ puts in their class when they are left out; `calibration`: what makes probabilities
    of scores, fitted to those of rows left out.
    """

    model: LinearModel
    reg: float
    loo_errors: tuple[float, ...]
    loo_accuracy: float
    calibration: Temperature


def fit_head(
    features: Array,
    indices: Any,
    classes: int,
    regs: Sequence[float] = DEFAULT_REGS,
    weights: Sequence[float] | None = None,
) -> FittedHead:
    """Ridge regression of +1 / -1 targets; of the values of λ, that of least leave-one-out squared error.

    (n, d), (n,) class numbers on the host -> head; `weights` (n,) >= 0: how much each row counts in the regression,
    in the choice of λ and in that of the temperature

    Raises ValueError for an empty `regs` and for values <= 0.
    """
    if not regs or min(regs) <= 0:
        raise ValueError(f"regs: expected at least one number, all > 0, got {tuple(regs)}")
    numbers = indices_like(indices, features)
    targets = one_vs_rest(numbers, classes, features)
    counted = None if weights is None else asarray_like(weights, features)
    path = ridge_path(features, targets, weights=counted)
    left_out = path.leave_one_out(regs)
    errors = to_host(_errors(left_out, targets, namespace(features).ones_like(numbers) if counted is None else counted))
    best = int(errors.argmin())
    right = namespace(left_out).argmax(left_out[best, ...], axis=1) == numbers
    accuracy = float(to_host(right).mean())
    calibration = fit_temperature(left_out[best, ...], numbers, weights=counted)
    return FittedHead(path.model(regs[best]), regs[best], tuple(errors.tolist()), accuracy, calibration)


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

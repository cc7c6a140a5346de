"""The linear head of a classifier: one-vs-rest ridge regression, λ chosen by leave-one-out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, device_of, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.primitives import program
from kerneltools.solvers import LinearModel, ridge_path

DEFAULT_REGS: tuple[float, ...] = tuple(10 ** (-k / 4) for k in range(40, 3, -1))
"""λ from 1e-10 to 0.1, four to a decade, for features of norm 1."""


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A `model` with one output per class, and how it was chosen.

    `reg`: the λ; `loo_errors`: the leave-one-out mean squared error of each λ; `loo_accuracy`: in [0, 1], the
    share of rows that the chosen λ puts in their class when they are left out.
    """

    model: LinearModel
    reg: float
    loo_errors: tuple[float, ...]
    loo_accuracy: float


def fit_head(features: Array, indices: Any, classes: int, regs: Sequence[float] = DEFAULT_REGS) -> FittedHead:
    """Ridge regression of +1 / -1 targets; of the values of λ, that of least leave-one-out squared error.

    (n, d), (n,) class numbers on the host -> head

    Raises ValueError for an empty `regs` and for values <= 0.
    """
    if not regs or min(regs) <= 0:
        raise ValueError(f"regs: expected at least one number, all > 0, got {tuple(regs)}")
    numbers = indices_like(indices, features)
    targets = one_vs_rest(numbers, classes, features)
    path = ridge_path(features, targets)
    left_out = path.leave_one_out(regs)
    errors = to_host(_errors(left_out, targets))
    best = int(errors.argmin())
    right = namespace(left_out).argmax(left_out[best, ...], axis=1) == numbers
    return FittedHead(path.model(regs[best]), regs[best], tuple(errors.tolist()), float(to_host(right).mean()))


@program
def _errors(left_out: Array, targets: Array) -> Array:
    """(r, n, classes), (n, classes) -> (r,)"""
    xp = namespace(left_out, targets)
    return xp.mean((left_out - xp.astype(targets, left_out.dtype)) ** 2, axis=(1, 2))


@program
def one_vs_rest(numbers: Array, classes: int, like: Array) -> Array:
    """+1 in the column of the class, -1 elsewhere, in the type of `like`: (n,) class numbers -> (n, classes)."""
    xp = namespace(numbers, like)
    columns = xp.arange(classes, dtype=numbers.dtype, device=device_of(numbers))
    return 2 * xp.astype(numbers[:, None] == columns[None, :], like.dtype) - 1

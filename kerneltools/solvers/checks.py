"""Checks of a solver's arguments."""

from typing import Any

from kerneltools.arrays import (
    Array,
    DType,
    holds,
    namespace,
    require_floating,
    require_number,
    require_rank,
    require_together,
    require_weights,
)
from kerneltools.structures.base import is_collection, like_of, require_examples


def check_examples(
    x: Any,
    y: Array,
    weights: Array | None,
    least: int = 1,
    name: str = "y",
    least_weights: int | None = None,
    least_targets: int = 1,
) -> None:
    """Raise unless x is (n, d) or objects, y (n, t), the weights (n,), in one library and device, with n >= `least`.

    d is at least 1. At least `least` weights, or `least_weights` if given, must be > 0. t is at least `least_targets`.
    """
    require_examples(x=x)
    require_rank(2, "(n, t)", **{name: y})
    if weights is not None:
        require_rank(1, f"({x.shape[0]},), a number for each row", weights=weights)
    require_together(x=like_of(x), **{name: y}, weights=weights)
    require_floating(**{name: y})
    if not is_collection(x) and x.shape[1] == 0:
        raise ValueError(f"x: expected at least one column, got shape {tuple(x.shape)}")
    if y.shape[1] < least_targets:
        raise ValueError(f"{name}: expected at least one column, got shape {tuple(y.shape)}")
    n = x.shape[0]
    if y.shape[0] != n or n < least:
        wanted = "as many rows in both" + (f", and at least {least}" if least else "")
        raise ValueError(f"x, {name}: expected {wanted}, got {n} and {y.shape[0]}")
    if weights is not None:
        require_weights(weights, n, least if least_weights is None else least_weights)


def check_rows(x: Array, y: Array, weights: Array | None, **settings: Any) -> None:
    """`check_examples` for rows only: for solvers that take features."""
    require_rank(2, "(n, d)", x=x)
    check_examples(x, y, weights, **settings)


def check_reg(
    reg: Any, like: Array | None = None, dtype: DType = None, name: str = "reg", wanted: str = "a number > 0"
) -> None:
    """Raise unless λ is a finite number > 0, in the library of `like`, that the type of the sums can hold."""
    require_number(name, reg, like, wanted=wanted)
    if like is not None:
        least = float(namespace(like).finfo(dtype or like.dtype).smallest_normal)
        if not holds(reg >= least):
            raise ValueError(f"{name}: expected a number > 0 that does not underflow, at least {least:.1e}, got {reg}")

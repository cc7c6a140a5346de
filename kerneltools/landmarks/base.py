"""What a selector of landmarks is."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, asarray_like, namespace, require_floating, require_rank
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.random import Rng


class ReducedWarning(UserWarning):
    """Less was made than was asked for, because the data have no more; the message says how much."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """`points` (m, d), and their row numbers where they are rows of the data."""

    points: Array
    indices: tuple[int, ...] | None = None


@runtime_checkable
class Selector(Protocol):
    """Chooses landmarks among, or from, the rows of x."""

    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> at most m landmarks; fewer, with a ReducedWarning, when x has no more that differ."""


def rows(x: Array, indices: Sequence[int]) -> Array:
    """The rows with these numbers: (n, d) -> (len(indices), d)."""
    xp = namespace(x)
    return xp.take(x, asarray_like(list(indices), x, xp.int64), axis=0)


def distinct(x: Array, order: Sequence[int], count: int) -> list[int]:
    """The first `count` numbers of `order` whose rows differ from one another."""
    seen: dict[bytes, int] = {}
    # -0.0 and 0.0 are one number with two bit patterns; adding 0.0 leaves one.
    for start in range(0, len(order), count):
        block = order[start : start + count]
        for index, row in zip(block, to_host(rows(x, block)) + 0.0, strict=True):
            seen.setdefault(row.tobytes(), index)
            if len(seen) == count:
                return list(seen.values())
    return list(seen.values())


def check_rows(x: Array, m: int) -> None:
    """Raise unless x is a floating-point (n, d) with n >= 1 and m is an integer >= 1."""
    if isinstance(m, bool) or not isinstance(m, int) or m < 1:
        raise ValueError(f"m: expected an integer >= 1, got {m!r}")
    require_rank(2, "(n, d)", x=x)
    require_floating(x=x)
    if x.shape[0] == 0:
        raise ValueError(f"x: expected at least one row, got shape {tuple(x.shape)}")
    if not bool(namespace(x).all(namespace(x).isfinite(x))):
        raise ValueError(f"x: NaN or infinity among the rows of shape {tuple(x.shape)}")


def warn_reduced(asked: int, found: int, of: str, n: int) -> None:
    """Say that fewer landmarks were found than asked for."""
    if found < asked:
        warnings.warn(
            f"landmarks: {asked} asked for, {found} made: {n} rows hold no more {of}",
            ReducedWarning,
            stacklevel=3,
        )

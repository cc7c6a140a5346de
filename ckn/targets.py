"""Numbers to predict: standardised for the head, and converted back to their units."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kerneltools.arrays import Array
from kerneltools.backend import to_host
from kerneltools.trees import Tree, static


@dataclass(frozen=True)
class Targets(Tree):
    """q numbers to predict for each example: their `means` and `scales` (standard deviations) in the training.

    `flat`: whether they are given and predicted as (n,) and not as (n, q). Raises ValueError unless there are as many
    means as scales, at least one, and for scales <= 0.
    """

    means: tuple[float, ...] = static((0.0,))
    scales: tuple[float, ...] = static((1.0,))
    flat: bool = static(True)

    def __post_init__(self) -> None:
        if not self.means or len(self.means) != len(self.scales) or not min(self.scales) > 0:
            raise ValueError(f"means, scales: expected as many of each, scales > 0, got {self.means}, {self.scales}")
        if not np.isfinite((self.means, self.scales)).all() or not isinstance(self.flat, bool):
            raise ValueError(f"means, scales, flat: expected finite numbers and a truth value, got {self!r}")
        if self.flat and len(self.means) > 1:
            raise ValueError(f"flat: expected one target, got {len(self.means)}")

    @classmethod
    def of(cls, y: Any) -> Self:
        """The targets of a training: (n,) or (n, q), finite numbers on the host. A constant target has scale 1."""
        rows = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # Of numbers up to 1, whose squares do not overflow.
        units = np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny)
        shares = rows / units
        means = shares.mean(axis=0)
        spread = shares.std(axis=0)
        # What rounding leaves of a constant is no spread.
        scales = np.where(spread > 4 * np.finfo(np.float64).eps, spread * units, 1.0)
        return cls(tuple((means * units).tolist()), tuple(scales.tolist()), np.ndim(y) == 1)

    def __len__(self) -> int:
        return len(self.means)

    def checked(self, y: Any, n: int, noun: str = "example") -> Any:
        """Targets of n other examples, on the host, in the shape of those of the training.

        Raises what `check_targets` raises, and ValueError for another number of them.
        """
        y = to_host(y) if hasattr(y, "shape") else np.asarray(y)
        check_targets(y, n, noun)
        rows = y.reshape(n, -1)
        if rows.shape[1] != len(self):
            raise ValueError(f"targets: expected {len(self)} for each {noun}, as in training, got {rows.shape[1]}")
        return rows[:, 0] if self.flat else rows

    def standardised(self, y: Any) -> Any:
        """(n,) or (n, q) on the host -> (n, q), float64 on the host"""
        rows = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        return (rows - np.asarray(self.means)) / np.asarray(self.scales)

    def original(self, values: Array) -> Any:
        """The predictions of a head in the units of the targets: (n, q) -> (n,) or (n, q), float64 on the host"""
        found = to_host(values).astype(np.float64) * np.asarray(self.scales) + np.asarray(self.means)
        return found[:, 0] if self.flat else found


def check_targets(y: Any, n: int, noun: str = "example") -> None:
    """Raise unless these are finite real numbers (n,) or (n, q) on the host, q >= 1.

    Raises ValueError for another shape and for NaN, with its place, TypeError for anything but numbers.
    """
    if y.ndim not in (1, 2) or y.shape[0] != n or min(y.shape) == 0:
        raise ValueError(f"targets: expected ({n},) or ({n}, q), numbers for each {noun}, got shape {tuple(y.shape)}")
    if y.dtype.kind not in "biuf":
        raise TypeError(f"targets: expected numbers, got {y.dtype}; classes are for a classifier")
    finite = np.isfinite(y).reshape(n, -1).all(axis=1)
    if not finite.all():
        raise ValueError(f"targets: NaN or infinity for {noun} {int(finite.argmin())} (counted from 0) of {n}")


def explained(values: Array, targets: Array) -> float:
    """R², a mean over the targets: (n, q), (n, q) -> at most 1; a constant target counts 1 if met, else 0."""
    found, wanted = (to_host(a).astype("float64") for a in (values, targets))
    missed = ((found - wanted) ** 2).sum(axis=0)
    whole = ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)
    shares = [1 - m / w if w > 0 else float(m == 0) for m, w in zip(missed.tolist(), whole.tolist(), strict=True)]
    return sum(shares) / len(shares)

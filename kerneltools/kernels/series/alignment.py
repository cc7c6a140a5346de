"""Kernels of series that agree after stretching time locally."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Self

import numpy as np

from kerneltools.alignments import NOTHING, alignment_logs
from kerneltools.arrays import Array, device_of, indices_like, namespace, require_count, widest_float
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.distances import check_columns, check_lengths, median_distance
from kerneltools.kernels.series.base import SeriesKernel
from kerneltools.kernels.series.blocks import time_first
from kerneltools.precision import in_single
from kerneltools.structures import Ragged
from kerneltools.structures.base import Host, in_type
from kerneltools.trees import static


@dataclass(frozen=True, eq=False, repr=False)
class _WithOwn(Ragged):
    """Series with log g(x, x) of each of them."""

    own: Array = None

    def taken(self, numbers: Host) -> Self:
        own = namespace(self.own).take(self.own, indices_like(numbers, self.own), axis=0)
        return replace(super().taken(numbers), own=own)

    def joined(self, others: Sequence[Self]) -> Self:
        own = [self.own, *(one.own for one in others)]
        return replace(super().joined(others), own=namespace(*own).concat(own, axis=0))


@dataclass(frozen=True)
class GlobalAlignment(SeriesKernel):
    """k(x, y) = g(x, y) / √(g(x, x) g(y, y)), where g sums Π φ(x_i, y_j) over all alignments of two series.

    (n,), (m,) series -> (n, m)

    φ = e / (2 - e), e = exp(-|x_i - y_j|² / (2 sigma²)); an alignment goes from the first pair of points to the last,
    by one point in x, in y, or in both. `sigma` > 0, in the units of the points: a number, or an array () or (c,), one
    for each channel. `window` >= 1: e is multiplied by (1 - |i - j| / window)₊, so that points farther apart in time
    are never paired; a smaller window takes less time, and series whose lengths differ by `window` or more have the
    value 0 (Cuturi 2011). Series may have any lengths, without overflow; values in [0, 1]; positive definite (Cuturi et
    al. 2007).

    The time is proportional to the product of the lengths. Values are computed in float64 if the library has it; in
    float32, values of series of some hundreds of points have about four digits. Raises ValueError for empty series, and
    for those of more than `longest` points with the time and memory they would take.

    >>> import numpy as np
    >>> from kerneltools.structures import Ragged
    >>> x = Ragged.of([np.sin(np.arange(n) / 5) for n in (30, 33, 300)])
    >>> GlobalAlignment(3.0)(x[:2], x).round(2)
    array([[1.  , 0.72, 0.  ],
           [0.72, 1.  , 0.  ]])
    """

    sigma: float | Array
    window: int | None = static(None)
    longest: int = static(10_000)

    def __post_init__(self) -> None:
        check_lengths("sigma", self.sigma)
        if self.window is not None:
            require_count("window", self.window)
        require_count("longest", self.longest)

    @classmethod
    def of_median(cls, x: Ragged, multiple: float = 1.0, window: int | None = None) -> Self:
        """sigma = `multiple` · the median distance between points of all series · √(the median length).

        The heuristic of Cuturi 2011, on 512 points at most. Raises ValueError if all points are equal.

        >>> import numpy as np
        >>> from kerneltools.structures import Ragged
        >>> GlobalAlignment.of_median(Ragged.of([np.asarray([0.0, 1.0, 0.0, 1.0])]))
        GlobalAlignment(sigma=2.0, window=None, longest=10000)
        """
        check_positive("multiple", multiple)
        return cls(multiple * median_distance(x.values) * sqrt(float(np.median(x.lengths))), window)

    def prepared(self, x: Any) -> Ragged:
        """The series together with their g(x, x), which each kernel value needs."""
        series = self._checked(x, "x")
        wide = in_type(series, widest_float(series.values))
        return _WithOwn(series.values, series.offsets, self._own(wide))

    @in_single
    def __call__(self, x: Any, y: Any) -> Array:
        same = y is x
        x, y = self._checked(x, "x"), self._checked(y, "y")
        wanted = namespace(x.values, y.values).result_type(x.values, y.values)
        # Logarithms are large numbers whose differences count.
        x = in_type(x, widest_float(x.values))
        y = x if same else in_type(y, widest_float(y.values))
        logs = self.of_all_pairs(x, y, lambda a, b: self._logs(a, b, exact=False))
        of_x = self._own(x)
        of_y = of_x if same else self._own(y)
        xp = namespace(logs)
        excess = logs - (of_x[:, None] + of_y[None, :]) / 2
        return xp.astype(xp.exp(xp.minimum(excess, xp.zeros_like(excess))), wanted)

    @in_single
    def diag(self, x: Any) -> Array:
        """k(x, x) = 1 of each series: (n,) -> (n,)"""
        x = self._checked(x, "x")
        return namespace(x.values).ones((len(x),), dtype=x.values.dtype, device=device_of(x.values))

    @in_single
    def log_values(self, x: Any, y: Any) -> Array:
        """log g(x, y), not normalised; -∞ if there is no alignment: (n,), (m,) -> (n, m)"""
        x, y = self._checked(x, "x"), self._checked(y, "y") if y is not x else x
        logs = self.of_all_pairs(x, y, lambda a, b: self._logs(a, b, exact=True))
        xp = namespace(logs)
        return xp.where(logs < NOTHING / 2, xp.full_like(logs, -float("inf")), logs)

    def cells(self, length: int) -> int:
        return length * min(length, length if self.window is None else 2 * self.window - 1)

    def area(self, s: int, t: int) -> int:
        return min(s, t, self.window or s)

    def _checked(self, x: Any, name: str) -> Ragged:
        series = self.checked(x, name)
        check_columns("sigma", self.sigma, series.values)
        return series

    def _own(self, x: Ragged) -> Array:
        return x.own if isinstance(x, _WithOwn) and x.own is not None else self.of_all(x, self._of_each)

    def _points(self, x: Ragged) -> tuple[Array, Array]:
        """Points (T, n, c) in units of √2 sigma, and the index of the last one of each series: (n,)"""
        points = time_first(x) / self.sigma * sqrt(0.5)
        return points, indices_like(x.lengths - 1, x.values)

    def _logs(self, x: Ragged, y: Ragged, exact: bool) -> Array:
        (a, a_last), (b, b_last) = self._points(x), self._points(y)
        ends = np.unique(x.lengths[:, None] + y.lengths - 2).tolist()
        return alignment_logs(
            a[:, :, None, :], b[:, None, :, :], a_last[:, None], b_last[None, :], tuple(ends), self.window, exact
        )

    def _of_each(self, x: Ragged) -> Array:
        points, last = self._points(x)
        ends = np.unique(2 * x.lengths - 2).tolist()
        return alignment_logs(points, points, last, last, tuple(ends), self.window, False)

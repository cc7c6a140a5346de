"""Square distances on NumPy: products block by block, and differences where a product leaves too few digits."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerneltools.arrays import Array, blocks
from kerneltools.pairwise import SAFE, about, central

FEW = 2
"""With so few columns, differences are faster than products."""

WIDENED = 24
"""With so few columns, many pairs are close in units of their norms: float32 products are computed in float64.

With mixed units, only columns count that contribute to the distances.
"""

SMALL = 2**15
"""So many differences at once are faster than preparing a product."""

BLOCK = 2**22
"""Bytes of a block: enough rows to make preparing a product worth it."""

COPIED = 2**21
"""Bytes of a block that is computed elsewhere and then copied: what a near cache holds."""

SAFE_IN_DOUBLE = 2.0**-30
"""Like `SAFE`, for float32 results of float64 products."""

REPAIRED = 1 / 64
"""This share of the pairs is computed faster one by one than all by another product."""

GROUPS = 64
"""The most groups of columns that get products of their own."""

PAIRS = 2**21
"""Numbers of differences at a time, for pairs computed one by one."""


# Overflows and NaN are looked for, and so are no news.
quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@quietly
def scaled_distances(x: Array, y: Array, scale: Array) -> Array:
    """Block by block, straight into the result.

    If a product in float32 leaves too few digits of many pairs, further ones are computed in float64; if that leaves
    too few, groups of columns that are close together get products about centres of their own. Other pairs are computed
    from differences, one by one.
    """
    dtype = np.result_type(x, y, scale)
    x, y, scale = (np.asarray(array, dtype=dtype) for array in (x, y, scale))
    if x.shape[1] <= FEW or x.shape[0] * y.size <= SMALL:
        return difference_sums(x, y, scale)
    square = np.empty((len(x), len(y)), dtype=dtype)
    products = _Products.of(y, scale)
    if not products.columns > WIDENED:
        products = products.in_double()
    # Memory for one block after the other: fresh memory costs as much as a product.
    room, done = products.room(), 0
    while done < len(x):
        rows = slice(done, done + products.height)
        better = products.fill(square[rows], x[rows], room)
        if better is None:
            done = rows.stop
        else:
            products, room = better, better.room()
    return square


@quietly
def difference_sums(x: Array, y: Array, scale: Array) -> Array:
    """`square_sums` without its blocks: all at once where they are few, else column by column, in place."""
    if x.shape[0] * y.size <= SMALL:
        difference = about(y[None, :, :], x[:, None, :], scale)
        return np.vecdot(difference, difference)
    square = np.zeros((len(x), len(y)), dtype=np.result_type(x, y, scale))
    height = max(1, SMALL // max(1, len(y)))
    room = np.empty((height, len(y)), dtype=square.dtype)
    columns = np.ascontiguousarray(y.T)
    for rows in blocks(len(x), height):
        part, difference = square[rows], room[: rows.stop - rows.start]
        for a, b, s in zip(x[rows].T, columns, scale, strict=True):
            np.subtract(a[:, None], b[None, :], out=difference)
            difference *= s
            difference *= difference
            part += difference
    return square


@dataclass(frozen=True)
class _Product:
    """|u|² + |v|² - 2<u, v> of scaled rows about a centre as one product, (u, |u|², 1) with (-2v, 1, |v|²).

    `columns`: which of the rows y they are, one after the other.
    """

    columns: slice
    centre: Any
    norms: Any
    right: Any

    @classmethod
    def of(cls, columns: slice, centre: Any, y: Any, scale: Any) -> "_Product":
        v = about(centre, y[columns], scale)
        norms = np.vecdot(v, v)
        return cls(columns, centre, norms, np.vstack([-2 * v.T, np.ones_like(norms), norms]))

    def fill(self, square: Any, x: Any, scale: Any) -> Any:
        """Write into the columns; the norms of u."""
        u = about(self.centre, x, scale)
        norms = np.vecdot(u, u)
        left = np.column_stack([u, norms, np.ones_like(norms)])
        np.matmul(left, self.right, out=square[:, self.columns])
        return norms

    def lost(self, square: Any, norms: Any, safe: float) -> Any:
        """The pairs with too few digits: (rows, columns) booleans, None for no pair."""
        here = square[:, self.columns]
        # The least of each row tells most rows to be without a doubt, in one pass that writes nothing.
        least = here.min(axis=1)
        sure = least >= safe * (norms + self.norms.max())
        if sure.all():
            return None
        rows = slice(None) if 2 * np.count_nonzero(sure) < len(sure) else np.flatnonzero(~sure)
        among = here[rows] < safe * norms[rows, None] + safe * self.norms
        if not np.isfinite(least).all():
            among |= np.isnan(here[rows])  # what has overflown
        if not among.any():
            return None
        lost = np.zeros(here.shape, dtype=bool)
        lost[rows] = among
        return lost


@dataclass(frozen=True)
class _Products:
    """The products of all rows y, which lie group by group in another `order` than in the data.

    `safe` as in `SAFE`.
    """

    y: Any
    scale: Any
    safe: float
    groups: tuple[_Product, ...]
    order: Any = None
    block: int = BLOCK

    @classmethod
    def of(cls, y: Any, scale: Any) -> "_Products":
        whole = _Product.of(slice(0, len(y)), central(y), y, scale)
        return cls(y, scale, SAFE[np.finfo(y.dtype).bits], (whole,))

    def in_double(self) -> "_Products":
        if self.y.dtype == np.float64:
            return self
        double = _Products.of(self.y.astype(np.float64), self.scale.astype(np.float64))
        return replace(double, safe=SAFE_IN_DOUBLE, block=COPIED)

    @property
    def columns(self) -> float:
        """How many columns contribute to the distances: (Σ p)² / Σ p² of their squares p; NaN if p are no numbers."""
        power = np.square(self.groups[0].right[:-2]).mean(axis=1)
        power /= power.max()
        return float(power.sum() ** 2 / np.square(power).sum())

    @property
    def height(self) -> int:
        """Rows x in a block."""
        bytes_of_row: int = len(self.y) * self.y.itemsize
        return max(1, self.block // bytes_of_row)

    def room(self) -> Any:
        return np.empty((self.height, len(self.y)), dtype=self.y.dtype)

    def fill(self, square: Any, x: Any, room: Any) -> "_Products | None":
        """Write the distances; if many lose digits, return other products to try."""
        x = x.astype(self.y.dtype, copy=False)
        found = square if self.order is None and square.dtype == x.dtype else room[: len(x)]
        doubts = []
        for group in self.groups:
            lost = group.lost(found, group.fill(found, x, self.scale), self.safe)
            if lost is not None:
                doubts.append((group, self._of_numbers(group, x, lost)))
        if sum(np.count_nonzero(lost) for _, lost in doubts) > REPAIRED * square.size + 1000:
            better = self._better(x, doubts)
            if better is not None:
                return better
        for group, lost in doubts:
            self._mend(found[:, group.columns], x, self.y[group.columns], lost)
        if found is not square:
            square[:, slice(None) if self.order is None else self.order] = found
        return None

    def _of_numbers(self, group: _Product, x: Any, lost: Any) -> Any:
        """The pairs without NaN, for which differences do not help."""
        if np.isnan(group.norms).any() or np.isnan(x).any():
            lost &= ~np.isnan(x).any(axis=1)[:, None] & ~np.isnan(group.norms)
        return lost

    def _better(self, x: Any, doubts: list[tuple[_Product, Any]]) -> "_Products | None":
        if self.y.dtype != np.float64:
            return self.in_double()
        if len(self.groups) >= GROUPS:
            return None
        parts: list[tuple[Any, Any]] = []
        split = {id(group): lost for group, lost in doubts}
        for group in self.groups:
            members = np.arange(group.columns.start, group.columns.stop)
            parts += _split(group.centre, members, x, split.get(id(group)))
        order = np.concatenate([members for members, _ in parts])
        return self._in_order(order, [len(members) for members, _ in parts], [centre for _, centre in parts])

    def _in_order(self, order: Any, sizes: list[int], centres: list[Any]) -> "_Products":
        y, ends = self.y[order], np.cumsum(sizes).tolist()
        groups = [
            _Product.of(slice(end - size, end), centre, y, self.scale)
            for size, end, centre in zip(sizes, ends, centres, strict=True)
        ]
        return replace(self, y=y, groups=tuple(groups), order=order if self.order is None else self.order[order])

    def _mend(self, square: Any, x: Any, y: Any, lost: Any) -> None:
        """Recompute pairs from differences, one after the other."""
        # Of flat arrays NumPy finds the few that are True some ten times as fast.
        i, j = np.divmod(np.flatnonzero(lost), len(y))
        for pairs in blocks(len(i), max(1, PAIRS // x.shape[1])):
            difference = about(y[j[pairs]], x[i[pairs]], self.scale)
            square[i[pairs], j[pairs]] = np.vecdot(difference, difference)


def _split(centre: Any, members: Any, x: Any, lost: Any | None) -> list[tuple[Any, Any]]:
    """Groups of columns close to one row, with that row as centre, one after the other, and the rest of a group."""
    if lost is None:
        return [(members, centre)]
    parts, left = [], np.ones(len(members), dtype=bool)
    for _ in range(GROUPS):
        counts = np.count_nonzero(lost, axis=1)
        row = counts.argmax()
        if not counts[row]:
            break
        near = lost[row].copy()
        parts.append((members[near], x[row, None]))
        left &= ~near
        lost = lost & left
    return [*parts, (members[left], centre)] if left.any() else parts

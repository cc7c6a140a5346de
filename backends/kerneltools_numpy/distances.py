"""Square distances on NumPy: one matrix product, and once more the few of which it leaves too few digits."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from kerneltools import pairwise
from kerneltools.arrays import Array, blocks

BLOCK = 2**20
"""Pairs in a block: what a cache holds, and rows enough for a product to be worth its preparation."""

CLOSE = {np.dtype(np.float32): 2.0**-8, np.dtype(np.float64): 2.0**-24}
"""Where |x - y|² is less than this part of |x|² + |y|², it is computed anew. Others have lost 8 bits (24) at most."""

FEW = 1 / 64
"""So few of the pairs are sooner done one by one than all by a product in float64."""


def centred_distances(x: Array, y: Array) -> Array:
    """Block by block, straight into the result; close pairs from the differences of their rows.

    Where these are many, as in clusters far apart, the product is made in float64 from there on.
    """
    if x.dtype != y.dtype or x.dtype not in CLOSE:
        whole: Array = pairwise.centred_distances.generic(x, y)
        return whole
    square = np.empty((len(x), len(y)), dtype=x.dtype)
    product = _Product.of(y)
    for rows in blocks(len(x), max(1, BLOCK // max(1, len(y)))):
        if not product.fill(square[rows], x[rows]):
            product = _Product.of(y.astype(np.float64))
            product.fill(square[rows], x[rows])
    return square


@dataclass(frozen=True)
class _Product:
    """|x|² + |y|² - 2<x, y> as one product, (x, |x|², 1) with (-2y, 1, |y|²)."""

    y: Any
    norms: Any
    right: Any

    @classmethod
    def of(cls, y: Any) -> "_Product":
        norms = np.vecdot(y, y)
        return cls(y, norms, np.vstack([-2 * y.T, np.ones_like(norms), norms]))

    def fill(self, square: Any, x: Any) -> bool:
        """Write the distances; False, with the work left undone, if float64 would do better."""
        x = x.astype(self.y.dtype, copy=False)
        norms = np.vecdot(x, x)
        left = np.column_stack([x, norms, np.ones_like(norms)])
        found = square if square.dtype == x.dtype else np.empty(square.shape, dtype=x.dtype)
        np.matmul(left, self.right, out=found)
        done = self._mend(found, x, norms)
        if found is not square:
            square[:] = found
        return done

    def _mend(self, square: Any, x: Any, norms: Any) -> bool:
        close = CLOSE[square.dtype]
        # The least of each row tells most rows apart from those with a close pair, in one pass.
        suspects = np.flatnonzero(square.min(axis=1, initial=np.inf) < close * (norms + self.norms.max(initial=0)))
        if suspects.size == 0:
            return True
        size = norms[suspects, None] + self.norms
        lost = square[suspects] < close * size
        if int(np.count_nonzero(lost)) <= FEW * square.size + 1000:
            i, j = np.nonzero(lost)
            difference = x[suspects[i]] - self.y[j]
            square[suspects[i], j] = np.vecdot(difference, difference)
            return True
        if square.dtype == np.float32:
            return False
        # As in the generic body: what is no more than rounding is 0.
        noise = (4 + sqrt(x.shape[1])) * np.finfo(square.dtype).eps * size
        square[suspects] = np.where(square[suspects] <= noise, 0, square[suspects])
        return True

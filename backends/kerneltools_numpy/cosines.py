"""Cosines and sines on NumPy: computed block by block into the result, for float64 from a table."""

from collections.abc import Callable
from functools import cache
from math import pi
from typing import Any

import numpy as np

from kerneltools import primitives
from kerneltools.arrays import Array, blocks

Writer = Callable[[Any, Any, Any], None]
"""Turns angles, which it overwrites, into cosines and sines."""

BLOCK = 2**17
"""Angles at a time: a millisecond of work, and rows enough for their product."""

TABLE = 2**12
"""Angles in a whole turn whose cosine and sine are in the table."""

LARGEST = 2.0**20
"""Steps of the table up to which angles are reduced exactly."""


def cosine_features(x: Array, weights: Array, lengths: Any, scale: Any) -> Array:
    """Written in place; for float64, whose cosines NumPy computes one by one, from a table by the sum rule."""
    if not x.dtype == weights.dtype == np.result_type(x, lengths) or x.dtype not in (np.float32, np.float64):
        return primitives.cosine_features.generic(x, weights, lengths, scale)
    block = max(64, BLOCK // max(1, len(weights)))
    return _written(lambda rows: (x[rows] / lengths) @ weights.T, (len(x), len(weights)), x.dtype, block, scale)


def cosines_and_sines(angle: Array, scale: Any) -> Array:
    """Likewise."""
    if angle.dtype not in (np.float32, np.float64):
        return primitives.cosines_and_sines.generic(angle, scale)
    block = max(1, BLOCK // max(1, angle.shape[1]))
    return _written(lambda rows: angle[rows].copy(), angle.shape, angle.dtype, block, scale)


def _written(angles: Callable[[slice], Any], shape: tuple[int, int], dtype: Any, block: int, scale: Any) -> Array:
    """The features of new angles of some rows: -> (n, 2k)"""
    n, k = shape
    found = np.empty((n, 2 * k), dtype=dtype)
    write = _of_library(scale) if dtype == np.float32 else _of_table(scale)

    def fill(rows: slice) -> None:
        write(angles(rows), found[rows, :k], found[rows, k:])

    for _ in primitives.map_blocks(fill, blocks(n, block), found):
        pass
    return found


def _of_library(scale: Any) -> Writer:
    def write(angle: Any, cosine: Any, sine: Any) -> None:
        # One pass over rows that are far from one another: more of them cost thrice what these do.
        np.multiply(np.cos(angle), scale, out=cosine)
        np.multiply(np.sin(angle, out=angle), scale, out=sine)

    return write


def _of_table(scale: Any) -> Writer:
    """cos(a + δ) = cos a + (cos a (cos δ - 1) - sin a sin δ) for the nearest a of the table, |δ| <= π/4096."""
    cosines, sines = (scale * known for known in _table())
    by_library = _of_library(scale)

    def write(angle: Any, cosine: Any, sine: Any) -> None:
        step = np.multiply(angle, TABLE / (2 * pi))
        np.rint(step, out=step)
        if not max(step.max(initial=0), -step.min(initial=0)) < LARGEST:  # NaN among them
            by_library(angle, cosine, sine)
            return
        place = step.astype(np.intp)
        place &= TABLE - 1
        # In two parts, of which products with the first are exact (Cody and Waite 1980).
        work = np.multiply(step, COARSE)
        angle -= work
        step *= FINE
        angle -= step
        square = np.multiply(angle, angle, out=step)
        less = np.multiply(square, 1 / 24, out=work)  # cos δ - 1
        less -= 0.5
        less *= square
        square *= -1 / 6  # sin δ
        square *= angle
        angle += square
        a, b = np.take(cosines, place), np.take(sines, place)
        np.multiply(b, angle, out=square)
        angle *= a
        np.subtract(a * less, square, out=square)
        np.add(a, square, out=cosine)
        less *= b
        less += angle
        np.add(b, less, out=sine)

    return write


@cache
def _table() -> tuple[Any, Any]:
    # From the angles of one quarter, about 0: those of the others are not as exact.
    angles = np.arange(-TABLE // 8, TABLE // 8) * (2 * pi / TABLE)
    c, s = np.cos(angles), np.sin(angles)
    quarters = ([c, -s, -c, s], [s, c, -s, -c])
    cosines, sines = (np.roll(np.concatenate(found), -TABLE // 8) for found in quarters)
    return cosines, sines


COARSE = float(np.ldexp(np.rint(np.ldexp(2 * pi / TABLE, 42)), -42))
"""2π / 4096 in 33 binary digits."""

FINE = (2 * pi / TABLE - COARSE) + 2.4492935982947064e-16 / TABLE
"""The rest of it: 2.4e-16 is the difference of 2π from its nearest number."""

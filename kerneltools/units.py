"""Powers of two that scale data to about 1, so that squares neither overflow nor vanish, without losing a digit."""

from collections.abc import Sequence
from math import frexp, isfinite, ldexp

from kerneltools.arrays import Array, asarray_like, namespace

BENIGN = 64
"""Numbers between 2^-64 and 2^64 are not scaled: their squares are far from the ends of every type."""

FARTHEST = 1000
"""The greatest exponent of a unit, whose inverse is then a number too."""


def unit_of(greatest: float) -> float:
    """The next power of two above a number > 0; 1 for 0 and for numbers that are not finite."""
    if not (greatest > 0 and isfinite(greatest)):
        return 1.0
    return ldexp(1.0, max(-FARTHEST, min(FARTHEST, frexp(greatest)[1])))


def square_unit_of(greatest: float) -> float:
    """The next power of four above a number beyond 2^±64; 1 for others."""
    unit = unit_of(greatest)
    if abs(exponent := frexp(unit)[1] - 1) <= BENIGN:
        return 1.0
    return ldexp(1.0, exponent + exponent % 2)


def column_units(x: Array) -> tuple[float, ...]:
    """The unit of each column: (n, t) -> t numbers."""
    xp = namespace(x)
    if 0 in x.shape:
        return (1.0,) * int(x.shape[1])
    greatest = xp.max(xp.abs(x), axis=0)
    return tuple(unit_of(float(greatest[c])) for c in range(int(x.shape[1])))


def over_units(x: Array, units: Sequence[float]) -> Array:
    """The columns of x divided by their units: (n, t), t numbers -> (n, t)"""
    # Powers of two beyond the type's range are taken in two steps.
    return _scaled(x, [-(frexp(u)[1] - 1) for u in units])


def times_units(x: Array, units: Sequence[float]) -> Array:
    """The columns of x times their units: (n, t), t numbers -> (n, t)"""
    return _scaled(x, [frexp(u)[1] - 1 for u in units])


def _scaled(x: Array, exponents: Sequence[int]) -> Array:
    if not any(exponents):
        return x
    half = [e // 2 for e in exponents]
    first = asarray_like([ldexp(1.0, e) for e in half], x)
    second = asarray_like([ldexp(1.0, e - h) for e, h in zip(exponents, half, strict=True)], x)
    return x * first * second

"""Derivatives of the functions that work entry by entry.

Each line maps the cotangent g of y = f(x) to that of x. Ties of maximum and minimum share evenly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, nan
from typing import Any

from kerneltools.arrays import Array
from kerneltools.autodiff.operation import Operation, Pull, Pulls, Rule, each
from kerneltools.autodiff.rules.sums import sum_product, sum_to

UNARY: dict[str, Rule] = {
    "positive": lambda xp, y, x: lambda g: g,
    "negative": lambda xp, y, x: lambda g: -g,
    "abs": lambda xp, y, x: lambda g: g * xp.sign(x),
    "real": lambda xp, y, x: lambda g: g,
    "conj": lambda xp, y, x: lambda g: g,
    "reciprocal": lambda xp, y, x: lambda g: -g * (y * y),
    "square": lambda xp, y, x: lambda g: g * (2 * x),
    "sqrt": lambda xp, y, x: lambda g: g * (0.5 / y),
    "exp": lambda xp, y, x: lambda g: g * y,
    "expm1": lambda xp, y, x: lambda g: g * (y + 1),
    "log": lambda xp, y, x: lambda g: g / x,
    "log1p": lambda xp, y, x: lambda g: g / (x + 1),
    "log2": lambda xp, y, x: lambda g: g / (x * log(2)),
    "log10": lambda xp, y, x: lambda g: g / (x * log(10)),
    "sin": lambda xp, y, x: lambda g: g * xp.cos(x),
    "cos": lambda xp, y, x: lambda g: -g * xp.sin(x),
    "tan": lambda xp, y, x: lambda g: g * (1 + y * y),
    "asin": lambda xp, y, x: lambda g: g / xp.sqrt(1 - x * x),
    "acos": lambda xp, y, x: lambda g: -g / xp.sqrt(1 - x * x),
    "atan": lambda xp, y, x: lambda g: g / (1 + x * x),
    "sinh": lambda xp, y, x: lambda g: g * xp.cosh(x),
    "cosh": lambda xp, y, x: lambda g: g * xp.sinh(x),
    "tanh": lambda xp, y, x: lambda g: g * (1 - y * y),
    "asinh": lambda xp, y, x: lambda g: g / xp.sqrt(x * x + 1),
    "acosh": lambda xp, y, x: lambda g: g / xp.sqrt(x * x - 1),
    "atanh": lambda xp, y, x: lambda g: g / (1 - x * x),
}

BINARY: dict[str, tuple[Rule | None, Rule | None]] = {
    "add": (
        lambda xp, z, x, y: lambda g: g,
        lambda xp, z, x, y: lambda g: g,
    ),
    "subtract": (
        lambda xp, z, x, y: lambda g: g,
        lambda xp, z, x, y: lambda g: -g,
    ),
    "multiply": (
        lambda xp, z, x, y: _times(xp, x, y),
        lambda xp, z, x, y: _times(xp, y, x),
    ),
    "divide": (
        lambda xp, z, x, y: lambda g: g / y,
        lambda xp, z, x, y: _minus_ratio(xp, z, y),
    ),
    "pow": (
        lambda xp, z, x, y: lambda g: g * _power_slope(xp, x, y),
        lambda xp, z, x, y: lambda g: g * (z * _safe_log(xp, z, x, y)),
    ),
    "remainder": (
        lambda xp, z, x, y: lambda g: g,
        lambda xp, z, x, y: lambda g: -g * (x // y),
    ),
    "atan2": (
        lambda xp, z, x, y: lambda g: g * _over_square(xp, y, x),
        lambda xp, z, x, y: lambda g: -g * _over_square(xp, x, y),
    ),
    "hypot": (
        lambda xp, z, x, y: lambda g: g * _cosine(xp, z, x),
        lambda xp, z, x, y: lambda g: g * _cosine(xp, z, y),
    ),
    "logaddexp": (
        lambda xp, z, x, y: lambda g: g * _weight(xp, z, x, y),
        lambda xp, z, x, y: lambda g: g * _weight(xp, z, y, x),
    ),
    "copysign": (
        lambda xp, z, x, y: lambda g: g * (xp.copysign(xp.ones_like(z), y) * xp.sign(x)),
        lambda xp, z, x, y: lambda g: None,
    ),
    "maximum": (
        lambda xp, z, x, y: lambda g: _share(xp, g, x > y, x == y),
        lambda xp, z, x, y: lambda g: _share(xp, g, y > x, x == y),
    ),
    "minimum": (
        lambda xp, z, x, y: lambda g: _share(xp, g, x < y, x == y),
        lambda xp, z, x, y: lambda g: _share(xp, g, y < x, x == y),
    ),
}

TERNARY: dict[str, tuple[Rule | None, ...]] = {
    "where": (
        None,
        lambda xp, z, c, x, y: lambda g: xp.where(c, g, 0.0),
        lambda xp, z, c, x, y: lambda g: xp.where(c, 0.0, g),
    ),
}


def _times(xp: Any, x: Array, factor: Any) -> Pull:
    shape = tuple(x.shape)
    return lambda g: sum_product(xp, g, factor, shape)


def _minus_ratio(xp: Any, quotient: Array, divisor: Array) -> Pull:
    # Summed to the divisor's shape first: a norm that divides a whole patch is a small array.
    sensitivity = _times(xp, divisor, quotient)
    return lambda g: -sensitivity(g) / divisor


def _power_slope(xp: Any, x: Array, y: Any) -> Array:
    if isinstance(y, int | float):
        return xp.zeros_like(x) if y == 0 else 2 * x if y == 2 else y * x ** (y - 1)
    return y * x ** (xp.where(y == 0, 1.0, y) - 1)


def _safe_log(xp: Any, z: Array, x: Any, y: Array) -> Array:
    """log x, and 0 where it is infinite but z = x**y is 0, and at 0**0."""
    vanishes = ((z == 0) & (x >= 0)) | ((y == 0) & (x == 0))
    if isinstance(x, int | float):
        return xp.where(vanishes, 0.0, xp.full_like(z, log(x) if x > 0 else -inf if x == 0 else nan))
    return xp.log(xp.where(vanishes, 1.0, x))


def _over_square(xp: Any, y: Any, x: Any) -> Array:
    """y / (x² + y²) without overflow; 0 at the origin and at infinity."""
    radius = xp.hypot(x, y)
    far = xp.isinf(radius)
    radius = xp.where(far | (radius == 0), 1.0, radius)
    return xp.where(far, xp.zeros_like(radius), y) / radius / radius


def _cosine(xp: Any, z: Array, x: Array) -> Array:
    """x / z for the length z of (x, y); 0 at the origin, and the limit where z is infinite."""
    far = xp.isinf(z)
    near = xp.where(far, 1.0, xp.where(z == 0, 1.0, z))
    return xp.where(far, xp.sign(x) * xp.astype(xp.isinf(x), x.dtype), xp.where(far, 0.0, x) / near)


def _weight(xp: Any, z: Array, x: Any, y: Any) -> Array:
    """exp(x) / (exp(x) + exp(y)); equal infinities share evenly."""
    ties, zero = xp.isinf(x) & (x == y), xp.zeros_like(z)
    ahead = xp.where(ties, zero, y) - xp.where(ties, zero, x)
    return xp.exp(-xp.logaddexp(zero, ahead))


def _share(xp: Any, g: Array, wins: Array, ties: Array) -> Array:
    return xp.where(wins, g, xp.where(ties, 0.5 * g, 0.0))


def broadcasting(rule: Rule | None, position: int) -> Rule | None:
    """The rule, with its cotangent summed over the axes along which the argument was broadcast."""
    if rule is None:
        return None

    def fitted(xp: Any, out: Array, *arguments: Any) -> Pull:
        pull, shape = rule(xp, out, *arguments), tuple(arguments[position].shape)
        return pull if shape == tuple(out.shape) else lambda g: sum_to(xp, pull(g), shape)

    return fitted


def _elementwise(*rules: Rule | None) -> Pulls:
    return each(*(broadcasting(rule, position) for position, rule in enumerate(rules)))


RULES: dict[str, Pulls] = (
    {name: each(rule) for name, rule in UNARY.items()}
    | {name: _elementwise(*rules) for name, rules in BINARY.items()}
    | {name: _elementwise(*rules) for name, rules in TERNARY.items()}
)


def _inside(xp: Any, g: Array, x: Array, low: Any, high: Any) -> Array:
    """Both bounds belong to the inside."""
    g = g if low is None else xp.where(x >= low, g, 0.0)
    return g if high is None else xp.where(x <= high, g, 0.0)


_CLIP = _elementwise(
    lambda xp, z, x, low, high: lambda g: _inside(xp, g, x, low, high),
    lambda xp, z, x, low, high: lambda g: xp.where(x < low, g, 0.0),
    lambda xp, z, x, low, high: lambda g: xp.where(x > high, g, 0.0),
)


def _clip(xp: Any, x: Array, /, min: Any = None, max: Any = None) -> Array:
    return Operation("clip", xp.traced_library.clip, _CLIP)(x, min, max)


COMPOSITES: dict[str, Callable[..., Any]] = {"clip": _clip}

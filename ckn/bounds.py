"""How much an architecture may ask for, so that a bad file or a slip does not make a giant array of a small image.

A window, its padding and a pool may reach as far as the map that they work on is wide, and somewhat beyond; degrees of
kernels are passes over memory. No use is known for anything beyond these bounds.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from math import inf
from numbers import Real
from typing import Any

from kerneltools.kernels import Kernel
from kerneltools.kernels.base import require_dataclass
from kerneltools.patches import Grid
from kerneltools.pooling import Gaussian
from kerneltools.primitives import SHORT_TYPES

LEAST_REACH = 16
"""Grid points that a window or a pool may reach on a map of any size; on larger ones, twice its longest axis."""

LARGEST_DEGREE = 64
"""The greatest degree of kernels and profiles: each degree is a pass over the values of all patches."""

DEGREES = ("degree", "exponent", "order", "nu")

LARGEST_MAP = 2**34
"""The most numbers in the greatest array that a layer makes of one image (64 GiB of float32)."""


def reached_shape(patches: Grid, pool: Gaussian, grid: tuple[int, ...]) -> tuple[int, ...]:
    """The grid after patches and pooling. Raises ValueError if no patch fits, and for a reach out of bounds.

    >>> from kerneltools.patches import Grid
    >>> from kerneltools.pooling import Gaussian
    >>> reached_shape(Grid(3), Gaussian(2), (32, 32))
    (16, 16)
    """
    window = patches.window(grid)
    furthest = max(LEAST_REACH, 2 * max(grid))
    spans = [(points - 1) * step for points, step in zip(window.size, window.dilation, strict=True)]
    for name, reach in (("patch, dilation", max(spans)), ("subsampling", pool.subsampling)):
        if reach > furthest:
            raise ValueError(f"{name}: expected a reach of at most {furthest} points on a grid of {grid}, got {reach}")
    for widths, span in zip(window.padding, spans, strict=True):
        if max(widths) > span:
            raise ValueError(
                f"padding: expected at most {span} zeros on each side, beyond which patches see only zeros, "
                f"got {max(widths)}"
            )
    return tuple(map(pool.positions, window.output_shape(grid)))


def check_kernel(kernel: Any) -> None:
    """Raise TypeError unless it is a kernel whose class is a dataclass, ValueError for a degree out of bounds.

    >>> from kerneltools.kernels import Polynomial
    >>> check_kernel(Polynomial(2))
    >>> try:
    ...     check_kernel(Polynomial(10**6))
    ... except ValueError as error:
    ...     print(error)
    kernel: expected a degree of at most 64, got 1e+06
    """
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel: expected a kerneltools kernel, got {kernel!r}")
    require_dataclass(kernel)
    for name, degree in _degrees(kernel):
        if LARGEST_DEGREE < degree < inf:
            raise ValueError(f"kernel: expected a {name} of at most {LARGEST_DEGREE}, got {degree:.6g}")


def check_products(products: Any) -> None:
    """Raise ValueError unless the name is that of a type of products, or None.

    >>> try:
    ...     check_products("float8")
    ... except ValueError as error:
    ...     print(error)
    products: expected None, 'bfloat16' or 'float16', got 'float8'
    """
    if products is not None and products not in SHORT_TYPES:
        raise ValueError(f"products: expected None, {' or '.join(map(repr, SHORT_TYPES))}, got {products!r}")


def _degrees(part: Any) -> Iterator[tuple[str, Any]]:
    """The degrees in a kernel and in its parts, with their names."""
    if isinstance(part, tuple | list):
        for each in part:
            yield from _degrees(each)
    if is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            value = getattr(part, field.name)
            if field.name in DEGREES and field.metadata.get("static") and isinstance(value, Real):
                yield field.name, value
            yield from _degrees(value)

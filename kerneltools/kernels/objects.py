"""Kernels of a plain function of two objects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerneltools.arrays import Array
from kerneltools.kernels.base import Kernel
from kerneltools.structures import Objects
from kerneltools.structures.base import Collection, is_collection, placed
from kerneltools.trees import static


@dataclass(frozen=True)
class Pairwise(Kernel):
    """k(x, y) = f(x_i, y_j), of a plain function of two objects that gives a number; made by `pairwise`."""

    f: Callable[[Any, Any], float] = field(metadata={"static": True})
    symmetric: bool = static(True)

    @property
    def structure(self) -> type[Collection]:
        return Objects

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) objects -> (n, m)"""
        like = _like("x", x)
        _like("y", y)
        left, right = list(x), list(y)
        values = np.zeros((len(left), len(right)))
        half = self.symmetric and x is y
        for i, a in enumerate(left):
            for j in range(i if half else 0, len(right)):
                values[i, j] = self._value(a, right[j], i, j)
        if half:
            values = np.triu(values) + np.triu(values, 1).T
            self._require_symmetric(left, values)
        return placed(values, like)

    def diag(self, x: Any) -> Array:
        """k(x, x) of each: (n,) -> (n,)"""
        like = _like("x", x)
        return placed(np.array([self._value(a, a, i, i) for i, a in enumerate(x)]), like)

    def _value(self, a: Any, b: Any, i: int, j: int) -> float:
        found = self.f(a, b)
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"f: expected a number for objects {i} and {j}, got {type(found).__name__} {found!r:.40}"
            ) from error

    def _require_symmetric(self, objects: list[Any], values: Any) -> None:
        """One pair is looked at: a function that is not symmetric is as a rule nowhere so."""
        if len(objects) > 1:
            back, there = self._value(objects[1], objects[0], 1, 0), values[0, 1]
            if not abs(back - there) <= 1e-8 * max(abs(back), abs(there)):
                raise ValueError(
                    f"f: expected a symmetric function, got {there:.6g} for objects 0 and 1 and {back:.6g} for 1 and "
                    "0; say symmetric=False, or take (f(a, b) + f(b, a)) / 2"
                )


def pairwise(f: Callable[[Any, Any], float], *, symmetric: bool = True) -> Pairwise:
    """The kernel of a plain function of two objects, which gives a number: f(a, b) for each pair.

    `symmetric`: whether f(a, b) = f(b, a), so that half of a matrix k(x, x) need not be computed. f must be positive
    semi-definite: where a factor fails, the error names the kernel.

    Raises TypeError where f gives no number, with the objects' places.

    >>> from kerneltools.structures import Objects
    >>> k = pairwise(lambda a, b: len(a & b))
    >>> k(Objects(({1, 2}, {3})), Objects(({2, 3},)))
    array([[1.],
           [1.]])
    """
    if not callable(f):
        raise TypeError(f"f: expected a function of two objects, got {f!r}")
    return Pairwise(f, symmetric)


def _like(name: str, x: Any) -> Array:
    if not is_collection(x):
        raise TypeError(f"{name}: expected a collection, such as structures.Objects(a list), got {type(x).__name__}")
    held: Collection = x
    return held.like

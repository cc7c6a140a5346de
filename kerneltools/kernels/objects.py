"""Kernels from a plain function of two objects."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, require_count
from kerneltools.kernels.base import Kernel
from kerneltools.progress import Progress, silent
from kerneltools.structures import Objects
from kerneltools.structures.base import Collection, is_collection
from kerneltools.trees import static


@dataclass(frozen=True)
class Pairwise(Kernel):
    """k(x, y) = f(x_i, y_j), of a plain function of two objects that returns a number; made by `pairwise`.

    >>> from kerneltools import structures
    >>> kernel = pairwise(lambda a, b: float(len(set(a) & set(b))))
    >>> kernel(structures.of(["ACG", "TT"]), structures.of(["AC"]))
    array([[2.],
           [0.]])
    """

    f: Callable[[Any, Any], float] = field(metadata={"static": True})
    symmetric: bool = static(True)
    processes: int = static(1)
    progress: Progress = static(silent)

    def __post_init__(self) -> None:
        require_count("processes", self.processes)
        for name, value in (("f", self.f), ("progress", self.progress)):
            if not callable(value):
                raise TypeError(f"{name}: expected a function, got {value!r}")

    @property
    def structure(self) -> type[Collection]:
        return Objects

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) objects -> (n, m)"""
        like = _like("x", x)
        _like("y", y)
        left, right = list(x), list(y)
        half = self.symmetric and x is y
        if half:
            _require_symmetric(self.f, left)
        values = np.zeros((len(left), len(right)))
        for i, row in enumerate(self._rows(left, right, half)):
            values[i, i if half else 0 :] = row
            self.progress("pairs", i + 1, len(left))
        return asarray_like(np.triu(values) + np.triu(values, 1).T if half else values, like)

    def diag(self, x: Any) -> Array:
        """k(x, x) of each object: (n,) -> (n,)"""
        like = _like("x", x)
        return asarray_like(np.array([_value(self.f, a, a, i, i) for i, a in enumerate(x)]), like)

    def _rows(self, left: list[Any], right: list[Any], half: bool) -> Iterable[list[float]]:
        row = partial(_row, self.f, right, half)
        # Fresh processes: a fork of one that has threads, as array libraries do, may never end.
        pool = ProcessPoolExecutor(self.processes, get_context("spawn")) if self.processes > 1 else nullcontext()
        with pool as workers:
            yield from (map if workers is None else partial(workers.map, chunksize=8))(row, enumerate(left))


def pairwise(
    f: Callable[[Any, Any], float],
    *,
    symmetric: bool = True,
    processes: int = 1,
    progress: Progress = silent,
) -> Pairwise:
    """The kernel of a plain function of two objects that returns a number: f(a, b) for each pair.

    `symmetric`: whether f(a, b) = f(b, a), so that half of a matrix k(x, x) need not be computed. f must be positive
    semi-definite: if a factorisation fails, the error names the kernel. `processes`: how many processes call f at the
    same time; f must then be a function of a module, and the program needs `if __name__ == "__main__":`. `progress`:
    called after each row of a matrix, such as `kerneltools.progress.printed`.

    Raises TypeError, with the objects' places, if f returns no number, and ValueError if f is not symmetric.

    >>> from kerneltools.structures import Objects
    >>> k = pairwise(lambda a, b: len(a & b))
    >>> k(Objects(({1, 2}, {3})), Objects(({2, 3},)))
    array([[1.],
           [1.]])
    """
    return Pairwise(f, symmetric, processes, progress)


def _row(f: Callable[[Any, Any], float], right: list[Any], half: bool, numbered: tuple[int, Any]) -> list[float]:
    i, a = numbered
    return [_value(f, a, right[j], i, j) for j in range(i if half else 0, len(right))]


def _value(f: Callable[[Any, Any], float], a: Any, b: Any, i: int, j: int) -> float:
    try:
        found = f(a, b)
    except Exception as error:
        error.add_note(f"f: raised for objects {i} and {j}")
        raise
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"f: expected a number for objects {i} and {j}, got {type(found).__name__} {found!r:.40}"
        ) from error


def _require_symmetric(f: Callable[[Any, Any], float], objects: list[Any]) -> None:
    """Check one pair: a function that is not symmetric usually differs on any pair."""
    if len(objects) < 2:
        return
    there, back = _value(f, objects[0], objects[1], 0, 1), _value(f, objects[1], objects[0], 1, 0)
    if not abs(back - there) <= 1e-8 * max(abs(back), abs(there)):
        raise ValueError(
            f"f: expected a symmetric function, got {there:.6g} for objects 0 and 1 and {back:.6g} for 1 and 0; set "
            "symmetric=False, or take (f(a, b) + f(b, a)) / 2"
        )


def _like(name: str, x: Any) -> Array:
    if not is_collection(x):
        raise TypeError(f"{name}: expected a collection, such as structures.Objects(a list), got {type(x).__name__}")
    held: Collection = x
    return held.like

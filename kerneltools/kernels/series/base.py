"""What kernels of series share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.kernels.base import Kernel
from kerneltools.kernels.series.blocks import by_blocks, by_each, require_series
from kerneltools.memory import require_memory
from kerneltools.structures import Ragged
from kerneltools.structures.base import Collection

NANOSECONDS = 30
"""About how long a pair of points of long series takes, for predictions of time."""

BYTES = 128
"""The bytes for each number held: there are several arrays of them."""

INSTEAD = "cut or thin the series, or take maps.signature, which is linear in the length"


class SeriesKernel(Kernel):
    """A kernel of series of points, whose time is the product of two lengths.

    A new kernel has a field `longest` and defines `area`, besides `__call__` and `diag`.
    """

    held: ClassVar[int] = 2**16
    """Numbers that are worked on at a time, so that they stay in a processor's cache."""

    longest: int

    @property
    def structure(self) -> type[Collection]:
        return Ragged

    def checked(self, x: Any, name: str = "x") -> Ragged:
        """The series. Raises TypeError for what is none, ValueError for empty and overlong ones, with the number,
        MemoryError where there is no room for a pair.
        """
        series = require_series(name, x, self)
        longest = int(series.lengths.max(initial=0))
        memory = BYTES * self.area(longest, longest)
        if longest > self.longest:
            cells = self.cells(longest)
            raise ValueError(
                f"{name}: series {int(series.lengths.argmax())} has {longest:,} points, more than longest="
                f"{self.longest:,}: one pair of such is {cells:,} cells, about {cells * NANOSECONDS * 1e-9:,.1f} s and "
                f"{memory / 2**20:,.0f} MiB, and there are {len(series):,} series; say longest={longest} to allow it, "
                f"{INSTEAD}"
            )
        require_memory(
            f"{name}: a pair of series of {longest:,} points needs", memory, series.values, lambda _: INSTEAD
        )
        return series

    def cells(self, length: int) -> int:
        """How many pairs of points one pair of series of this length takes."""
        return length**2

    @abstractmethod
    def area(self, s: int, t: int) -> int:
        """How many numbers a pair of series of these lengths keeps in memory at a time."""

    def of_all_pairs(self, x: Ragged, y: Ragged, f: Callable[[Ragged, Ragged], Array]) -> Array:
        """The values of all pairs, from `f` on blocks: (n,), (m,) -> (..., n, m)"""
        return by_blocks(x, y, f, self.area, self.held)

    def of_all(self, x: Ragged, f: Callable[[Ragged], Array]) -> Array:
        """(n,) -> (n,)"""
        if len(x) == 0:
            return namespace(x.values).zeros((0,), dtype=x.values.dtype, device=device_of(x.values))
        return by_each(x, f, self.area, self.held)

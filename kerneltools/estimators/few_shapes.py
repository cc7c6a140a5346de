"""Rows in few numbers, for libraries that compile each operation for each shape."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from kerneltools.arrays import Array, namespace
from kerneltools.backend import backend_of
from kerneltools.primitives import few_sizes, program
from kerneltools.structures.base import is_collection

M = TypeVar("M", bound=Callable[..., Any])

MOST = 2**17
"""Rows that take longer than compiling does: they are taken as they come."""


def in_few_shapes(method: M) -> M:
    """A method (n, d) -> (n, ...) that treats each row by itself, called with at most four numbers of rows per octave.

    The last row is repeated, and what becomes of it is cut off. Where the library of X compiles nothing, and for
    objects, whose tables have few sizes already, the method is called as it is.
    """

    @wraps(method)
    def called(self: Any, X: Any) -> Any:
        extra = 0
        if not is_collection(X) and getattr(X, "ndim", 0) == 2 and 0 < X.shape[0] < MOST and backend_of(X) is not None:
            extra = few_sizes(X.shape[0], X) - X.shape[0]
        if not extra:
            return method(self, X)
        return method(self, _lengthened(X, extra))[: X.shape[0], ...]

    return cast(M, called)


@program
def _lengthened(x: Array, extra: int) -> Array:
    """(n, d) -> (n + extra, d)"""
    xp = namespace(x)
    return xp.concat([x, xp.broadcast_to(x[-1:, :], (extra, x.shape[1]))])

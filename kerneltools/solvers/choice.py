"""Which solver for which sizes: a count of operations."""

from collections.abc import Callable
from dataclasses import dataclass

from kerneltools.arrays import require_count
from kerneltools.memory import size
from kerneltools.solvers.falkon import falkon, kernel_ridge
from kerneltools.solvers.features import KernelModel

STEPS = 20
"""The most steps that `falkon` takes to 1e-6 with its default preconditioner."""


@dataclass(frozen=True)
class Choice:
    """A `solver` to call, its `reason`, and the operations and bytes (besides the data) of both solvers.

    >>> found = choose(10_000_000, 20_000, 784, 10)
    >>> found.solver.__name__, found.reason
    ('falkon', 'conjugate gradient: 6.6e+15 operations in 20 steps against 1.2e+16 directly')
    >>> found.direct_flops > found.falkon_flops
    True
    """

    solver: Callable[..., KernelModel]
    reason: str
    direct_flops: float
    falkon_flops: float
    direct_bytes: int
    falkon_bytes: int


def choose(n: int, m: int, d: int, t: int = 1, *, iterations: int = STEPS, memory: int | None = None) -> Choice:
    """Choose between `kernel_ridge` and `falkon` by operations, for n rows, m landmarks, d columns and t targets.

    After the first pass over the kernel matrix, the direct solver takes 3 n m² + 10 m³ operations (whitening, sums,
    eigenvectors), the iterative one `iterations` n m (2d + 4t) + 17 m³ (passes, preconditioner). `memory`: free bytes;
    the direct solver needs less than half of those of the iterative one.

    Raises ValueError for sizes < 1, and if the memory is not enough for either.

    >>> choose(50_000, 1_000, 784, 10).reason
    'direct: 1.6e+11 operations against 1.6e+12 of 20 steps'
    >>> choose(10_000_000, 20_000, 10).solver.__name__
    'falkon'
    """
    for name, value in {"n": n, "m": m, "d": d, "t": t, "iterations": iterations}.items():
        require_count(name, value)
    direct = 3.0 * n * m**2 + 10.0 * m**3
    iterative = float(iterations) * n * m * (2 * d + 4 * t) + 17.0 * m**3
    direct_bytes, falkon_bytes = 8 * 4 * m**2, 8 * 10 * m**2
    room = memory is None or memory >= falkon_bytes
    if memory is not None and memory < direct_bytes:
        raise ValueError(
            f"m: {m} landmarks take {size(direct_bytes)}, {size(memory)} are free; "
            f"take at most {int((memory / 32) ** 0.5)} landmarks"
        )
    if direct <= iterative or not room:
        why = "" if room else f"; the preconditioner of the iterative one would take {size(falkon_bytes)}"
        reason = f"direct: {direct:.1e} operations against {iterative:.1e} of {iterations} steps{why}"
        return Choice(kernel_ridge, reason, direct, iterative, direct_bytes, falkon_bytes)
    reason = f"conjugate gradient: {iterative:.1e} operations in {iterations} steps against {direct:.1e} directly"
    return Choice(falkon, reason, direct, iterative, direct_bytes, falkon_bytes)

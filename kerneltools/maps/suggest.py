"""Which map, and of how many features, for a wanted error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kerneltools import landmarks
from kerneltools.arrays import Array, asarray_like, namespace, require_floating, require_rank
from kerneltools.kernels import Kernel
from kerneltools.kernels.spectral import Spectral
from kerneltools.maps.fourier import fourier
from kerneltools.maps.nystrom import nystrom
from kerneltools.random import Rng, generator

SMALLEST = 8


@dataclass(frozen=True, eq=False)
class Suggestion:
    """`phi`, the map that was prepared; `error`, what it misses of the pilot rows left out; `tried`: name, features
    and error of each; `reached`: whether the error is at most the wanted one."""

    phi: Any
    error: float
    tried: tuple[tuple[str, int, float], ...]
    reached: bool

    def __str__(self) -> str:
        lines = [f"{name:<8} m = {m:>6}  error {error:.2e}" for name, m, error in self.tried]
        return "\n".join([*lines, "reached" if self.reached else "not reached: the pilot is too small, or the error"])


def suggest(kernel: Kernel, x: Array, error: float, rng: Rng, *, pilot: int = 2000, largest: int = 4096) -> Suggestion:
    """The map of fewest features whose error on rows left out is at most `error`.

    (n, d) -> Suggestion

    `error` in (0, 1): |K - Φ Φ'| / |K|, Frobenius norms, K the kernel matrix of half of `pilot` rows drawn at random;
    the landmarks of Nyström maps come from the other half. Numbers of features are doubled from 8 on, up to `largest`
    and, for Nyström maps, to the rows that there are. Fourier maps are tried where the kernel has a law of frequencies,
    too. Raises ValueError for numbers out of range and fewer than 4 rows.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.random.default_rng(0).standard_normal((400, 3))
    >>> suggest(Gaussian(3.0), x, error=0.05, rng=0).reached
    True
    """
    require_rank(2, "(n, d)", x=x)
    require_floating(x=x)
    if not 0 < error < 1:
        raise ValueError(f"error: expected a number in (0, 1), got {error}")
    if min(pilot, x.shape[0]) < 4:
        raise ValueError(f"x, pilot: expected at least 4 rows, got {x.shape[0]} and {pilot}")
    rng, xp = generator(rng), namespace(x)
    rows = rng.permutation(x.shape[0])[: min(pilot, x.shape[0])]
    half = len(rows) // 2
    seen, unseen = (xp.take(x, asarray_like(part, x, xp.int64), axis=0) for part in (rows[:half], rows[half:]))
    exact = kernel(unseen, unseen)
    makers: dict[str, tuple[Callable[[int], Any], int]] = {"nystrom": (lambda m: _nystrom(kernel, seen, m, rng), half)}
    if isinstance(kernel, Spectral) and kernel.spectral is not None:
        makers["fourier"] = (lambda m: fourier(kernel, x.shape[1], m, rng, like=x), largest)
    tried: list[tuple[str, int, float]] = []
    best: tuple[float, Any] | None = None
    m = SMALLEST
    while m <= largest and (best is None or best[0] > error):
        for name, (make, most) in makers.items():
            if m > most:
                continue
            phi = make(m)
            missed = _relative(exact, phi(unseen))
            tried.append((name, m, missed))
            if best is None or missed < best[0]:
                best = (missed, phi)
        m *= 2
    assert best is not None
    return Suggestion(best[1], best[0], tuple(tried), best[0] <= error)


def _nystrom(kernel: Kernel, x: Array, m: int, rng: Any) -> Any:
    return nystrom(kernel, landmarks.default(kernel, m)(kernel, x, rng).points)


def _relative(exact: Array, features: Array) -> float:
    xp = namespace(exact, features)
    missed = exact - features @ xp.matrix_transpose(features)
    return float(xp.sqrt(xp.sum(missed * missed) / xp.sum(exact * exact)))

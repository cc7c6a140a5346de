"""The choice of a map and its size for a wanted error."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil, inf
from typing import Any
from warnings import catch_warnings, simplefilter

from kerneltools import landmarks
from kerneltools.arrays import Array, namespace
from kerneltools.kernels import (
    AdditiveChi2,
    ArcCosine,
    ExponentialDotProduct,
    Gaussian,
    Intersection,
    Kernel,
    Linear,
    Polynomial,
    as_kernel,
)
from kerneltools.kernels.base import check_positive
from kerneltools.kernels.spectral import Spectral
from kerneltools.landmarks.base import ReducedWarning, check_examples, constant
from kerneltools.maps.arccos import arccos
from kerneltools.maps.base import Map
from kerneltools.maps.chi2 import chi2
from kerneltools.maps.fourier import fourier
from kerneltools.maps.nystrom import nystrom
from kerneltools.maps.positive import positive
from kerneltools.maps.tensor_sketch import tensor_sketch
from kerneltools.random import Rng, choice, generator
from kerneltools.structures.base import is_collection, require_known, take

LARGEST = 2**16
"""The most features that are suggested."""


@dataclass(frozen=True)
class Candidate:
    """A map of some size: its relative `error` on rows of the pilot sample that it had not seen, and its `cost`.

    `cost`: operations for each row. `measured`: whether the error was measured at this size; else it follows from that
    of a smaller one by the law 1/√m.

    >>> print(Candidate("nystrom", m=256, error=0.0034, cost=2.1e5, measured=True))
    nystrom, m = 256: error 0.0034 (measured), 2.1e+05 operations a row
    >>> print(Candidate("fourier", m=8192, error=0.0098, cost=1.6e6, measured=False))
    fourier, m = 8192: error 0.0098 (by the law 1/√m), 1.6e+06 operations a row
    """

    name: str
    m: int
    error: float
    cost: float
    measured: bool

    def __str__(self) -> str:
        how = "measured" if self.measured else "by the law 1/√m"
        return f"{self.name}, m = {self.m}: error {self.error:.2g} ({how}), {self.cost:.2g} operations a row"


@dataclass(frozen=True, eq=False)
class Suggestion:
    """The cheapest map that meets the wanted error, prepared; it was chosen among `candidates`.

    `reached`: whether any candidate met it; if none did, the map is the one with the least error.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.random.default_rng(0).standard_normal((60, 2))
    >>> found = suggest(Gaussian(3.0), x, error=0.01, rng=0)
    >>> found.chosen.name, found.map(x).shape, len(found.candidates)
    ('nystrom', (60, 16), 3)
    """

    map: Map
    chosen: Candidate
    candidates: tuple[Candidate, ...]
    error: float
    reached: bool

    def __str__(self) -> str:
        others = "\n".join(f"  {c}" for c in self.candidates if c is not self.chosen)
        verdict = "the cheapest that meets" if self.reached else "the nearest, for none meets"
        return f"{self.chosen}\n{verdict} the relative error {self.error:.2g}, among\n{others or '  no other'}"


def suggest(kernel: Kernel, x: Array, error: float, rng: Rng = 0, pilot: int = 1000) -> Suggestion:
    """The cheapest map, and its number of features, for a wanted relative error |K - ΦΦ'| / |K| (Frobenius).

    (n, d) -> suggestion with a map of (..., d) -> (..., m)

    Errors are measured on half of `pilot` rows of x, drawn at random. The landmarks of Nyström maps come from the other
    half, in sizes that double, and the suggested map keeps them. Random features are drawn with 256 features, and their
    size follows from the law 1/√m. Costs count 2 d m + m² operations per row for Nyström, and 2 d m + 20 m for a map
    with a cosine or an exponential for each feature.

    Raises ValueError for an error that is not > 0 and for fewer than 4 rows, and as `nystrom` does.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.random.default_rng(0).standard_normal((500, 4))
    >>> found = suggest(Gaussian(3.0), x, error=0.01, rng=0)
    >>> found.chosen.name, found.reached
    ('nystrom', True)
    """
    check_examples(x, 1)
    check_positive("error", error)
    kernel = as_kernel(kernel)
    if min(pilot, x.shape[0]) < 4:
        raise ValueError(f"x, pilot: expected at least 4 rows, got {x.shape[0]} and pilot={pilot}")
    require_known(x=x)
    rng, x = generator(rng), constant(x)
    drawn = [int(i) for i in choice(rng, x.shape[0], min(pilot, x.shape[0]))]
    seen, unseen = take(x, drawn[: len(drawn) // 2]), take(x, drawn[len(drawn) // 2 :])
    exact = kernel(unseen, unseen)
    size = float(namespace(exact).linalg.matrix_norm(exact))
    if not size < inf:
        raise ValueError(f"x: the kernel, or its square, is not finite for some of {unseen.shape[0]} rows; scale them")
    if size == 0:
        raise ValueError(
            f"x: the kernel is 0 for all pairs of {unseen.shape[0]} rows, as for rows of zeros; there is nothing to "
            "approximate"
        )
    found: list[tuple[Candidate, Callable[[], Map]]] = []
    for m, phi, cost in _nystrom_maps(kernel, seen, rng):
        missed = _relative(phi, exact, unseen)
        found.append((Candidate("nystrom", phi.dimension, missed, cost, True), partial(_same, phi)))
        if missed <= error or phi.dimension < m:
            break
    found += [_drawn(name, make, exact, unseen, error) for name, make in _random_maps(kernel, x, rng)]
    for phi in _deterministic(kernel, x):
        cost = 40.0 * phi.dimension
        found.append((Candidate("chi2", phi.dimension, _relative(phi, exact, unseen), cost, True), partial(_same, phi)))
    return _cheapest(found, error)


def _same(phi: Map) -> Map:
    return phi


def _cheapest(found: list[tuple[Candidate, Callable[[], Map]]], error: float) -> Suggestion:
    good = [pair for pair in found if pair[0].error <= error]
    chosen, make = min(good, key=lambda pair: pair[0].cost) if good else min(found, key=lambda pair: pair[0].error)
    return Suggestion(make(), chosen, tuple(candidate for candidate, _ in found), error, bool(good))


def _nystrom_maps(kernel: Kernel, x: Array, rng: Any) -> Iterator[tuple[int, Map, float]]:
    m, d = 8, _columns(x)
    while m < x.shape[0]:
        m = min(2 * m, int(x.shape[0]))
        with catch_warnings():
            # Fewer landmarks than asked for are as good as more: it is where the search ends.
            simplefilter("ignore", ReducedWarning)
            # All rows that there are need no rule.
            points = x if m == x.shape[0] else landmarks.default(kernel, m)(kernel, x, rng).points
        yield m, nystrom(kernel, points), 2.0 * d * m + 10 * m + m * m


def _columns(x: Any) -> int:
    """The cost of a kernel value, in half operations; for objects it is unknown, and counts as that of 100 columns."""
    return 100 if is_collection(x) else int(x.shape[1])


def _random_maps(kernel: Kernel, x: Array, rng: Any) -> Iterator[tuple[str, Callable[[int], Map]]]:
    if is_collection(x):
        return
    d = int(x.shape[1])
    if isinstance(kernel, Spectral) and kernel.spectral is not None:
        yield "fourier", lambda m: fourier(kernel, d, m, rng, like=x)
    if isinstance(kernel, ArcCosine):
        yield "arccos", lambda m: arccos(kernel, d, m, rng, like=x)
    if isinstance(kernel, Polynomial | Linear):
        yield "tensor_sketch", lambda m: tensor_sketch(kernel, d, m, rng)
    if isinstance(kernel, ExponentialDotProduct | Gaussian):
        yield "positive", lambda m: positive(kernel, d, m, rng, like=x)


def _deterministic(kernel: Kernel, x: Array) -> list[Map]:
    if not isinstance(kernel, AdditiveChi2 | Intersection):
        return []
    return [chi2(kernel, int(x.shape[1]), samples) for samples in (1, 2, 3, 6, 12)]


def _drawn(
    name: str, make: Callable[[int], Map], exact: Array, x: Array, error: float
) -> tuple[Candidate, Callable[[], Map]]:
    """The size that the law 1/√m implies, with a margin of a tenth."""
    missed, least = _relative(make(256), exact, x), 256
    wanted = min(LARGEST, max(2, 2 * ceil(least * (1.1 * missed / error) ** 2 / 2)))
    reached = missed * (least / wanted) ** 0.5
    cost = 2.0 * x.shape[1] * wanted + 20 * wanted
    return Candidate(name, wanted, reached, cost, False), lambda: make(wanted)


def _relative(phi: Map, exact: Array, x: Array) -> float:
    xp = namespace(exact)
    features = phi(x)
    missed = exact - features @ xp.matrix_transpose(features)
    return float(xp.linalg.matrix_norm(missed)) / float(xp.linalg.matrix_norm(exact))

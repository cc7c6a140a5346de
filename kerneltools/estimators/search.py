"""The search for a bandwidth and λ if none is given: see docs/decisions/0022-defaults.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import numpy as np

from kerneltools.arrays import Array, evenly, namespace, widest_float
from kerneltools.backend import to_host
from kerneltools.estimators.checks import require_kernel
from kerneltools.kernels import Gaussian, Kernel
from kerneltools.kernels.distances import median_distance
from kerneltools.landmarks.base import distinct, precise
from kerneltools.maps import Nystrom, nystrom
from kerneltools.progress import Progress, silent
from kerneltools.solvers import ridge_path
from kerneltools.structures.base import in_type, is_collection, like_of, take
from kerneltools.trees import Shown, Tree, shown

MULTIPLES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Bandwidths tried, over the median distance. That distance alone is too narrow for smooth functions."""

REGS = tuple(10.0 ** (power / 2) for power in range(-18, 1))
"""The λ that are tried."""

REGS_OF_CLASSES = tuple(reg for reg in REGS if reg >= 1e-6)
"""`REGS` for classifiers: least squares favour a smaller λ than suits the labels of few rows."""

UNKNOWN = 1e-3
"""The λ of a single row."""

ROWS = 2000
"""The most rows that the search uses."""

POINTS = 300
"""The number of landmarks of the search."""


@dataclass(frozen=True, eq=False)
class KernelSearch(Shown):
    """What was tried on a sample of the rows: each of the `kernels` with each λ of `regs`.

    `errors`: the mean squared error on new rows that generalised cross-validation estimates, one tuple for each kernel;
    for a classifier it is the error of ridge regression on ±1. `share`: the share of the rows of weight > 0 in the
    sample.

    >>> import numpy as np
    >>> from kerneltools.estimators import KernelRidge
    >>> x = np.linspace(0, 6, 40)[:, None]
    >>> y = np.sin(x[:, 0]) + np.random.default_rng(0).normal(0, 0.3, 40)
    >>> found = KernelRidge().fit(x, y).search_
    >>> round(found.kernel.bandwidth, 1), [round(kernel.bandwidth, 1) for kernel in found.kernels], len(found.regs)
    (1.8, [0.9, 1.8, 3.7, 7.4, 14.8], 19)
    """

    kernels: tuple[Kernel, ...]
    regs: tuple[float, ...]
    errors: tuple[tuple[float, ...], ...]
    share: float

    @property
    def kernel(self) -> Kernel:
        """That of the least error."""
        return self.kernels[self._least()[0]]

    @property
    def reg(self) -> float:
        """That of the least error."""
        return self.regs[self._least()[1]]

    def __repr__(self) -> str:
        regs = f"({len(self.regs)} from {min(self.regs):.1g} to {max(self.regs):.1g})"
        return shown(self, regs=regs, errors=f"({len(self.errors)} of {len(self.regs)})")

    def _least(self) -> tuple[int, int]:
        pairs = [(k, r) for k in range(len(self.kernels)) for r in range(len(self.regs))]
        return min(pairs, key=lambda pair: self.errors[pair[0]][pair[1]])


@dataclass(frozen=True, eq=False)
class Wide(Tree):
    """Features in float64, if it exists, of rows in any type, so that the shift of k(Z, Z) is that of float64.

    Features in float32 need a shift that changes the model, and lose digits that no greater λ brings back.
    """

    map: Nystrom

    def __call__(self, x: Array) -> Array:
        return self.map(self._wide(x))

    @property
    def whitening(self) -> Array:
        """The matrix of `of_values`: (m, m)"""
        return self.map.whitening

    def norms(self) -> Array:
        """k(z, z) of the landmarks: (m,)"""
        return self.map.norms()

    def values(self, x: Array) -> Array:
        """k(x, Z): (n, d) -> (n, m)"""
        return self.map.values(self._wide(x))

    def of_values(self, values: Array) -> Array:
        """φ(x) from k(x, Z): (n, m) -> (n, m)"""
        return self.map.of_values(values)

    def _wide(self, x: Array) -> Array:
        return in_type(x, like_of(self.map.points).dtype)


def wide_features(kernel: Kernel, points: Array) -> Wide:
    """Nyström features of some landmarks: (m, d) -> map"""
    return Wide(nystrom(kernel, precise(kernel, points)))


def search(
    kernel: Kernel | None,
    x: Array,
    y: Array,
    weights: Array | None,
    regs: Sequence[float] | None = None,
    progress: Progress = silent,
) -> KernelSearch:
    """Try kernels and λ by ridge regression on a sample of the rows.

    (n, d), (n, t), (n,) or None -> KernelSearch

    `kernel` None: Gaussians, of a few multiples of the median distance between rows that differ; `regs` None: 1e-9 to
    1. If the sample is all of the rows, their order makes no difference, nor do whole weights in place of repeated
    rows.
    """
    if kernel is None:
        require_kernel(x)
    seen = range(x.shape[0]) if weights is None else to_host(weights).nonzero()[0].tolist()
    known, seen = len(seen), [seen[number] for number in evenly(len(seen), ROWS)]
    x, y = take(x, seen), take(y, seen)
    weights = None if weights is None else take(weights, seen)
    unlike = _distinct(x)
    points = take(x, [unlike[number] for number in evenly(len(unlike), POINTS)])
    kernels = _gaussians(points) if kernel is None else (kernel,)
    like = like_of(x)
    resolved = 10 * float(namespace(like).finfo(widest_float(like)).eps)
    tried = tuple(REGS if regs is None else regs)
    tried = tuple(reg for reg in tried if reg >= resolved) or tried
    if len(seen) < 2:  # of which nothing is learnt
        return KernelSearch(kernels[:1], (UNKNOWN,), ((inf,),), 1.0)
    errors: list[tuple[float, ...]] = []
    for candidate in kernels:
        errors.append(_errors(candidate, points, x, y, weights, tried))
        progress("kernel and λ", len(errors), len(kernels), min(errors[-1]))
    return KernelSearch(kernels, tried, tuple(errors), len(seen) / known)


def _distinct(x: Any) -> list[int]:
    """The indices of the distinct rows or objects."""
    if not is_collection(x):
        return np.unique(to_host(x), axis=0, return_index=True)[1].tolist()  # type: ignore[no-any-return]
    return distinct(x, range(len(x)), len(x))


def _gaussians(points: Array) -> tuple[Kernel, ...]:
    if points.shape[0] < 2:
        return (Gaussian(max(1.0, points.shape[1] / 2) ** 0.5),)
    median = median_distance(points)
    return tuple(Gaussian(multiple * median) for multiple in MULTIPLES)


def _errors(
    kernel: Kernel, points: Array, x: Array, y: Array, weights: Array | None, regs: Sequence[float]
) -> tuple[float, ...]:
    path = ridge_path(wide_features(kernel, points)(x), y, weights=weights)
    errors = to_host(path.generalised_cross_validation(regs)).mean(axis=1).tolist()
    return tuple(error if isfinite(error) else inf for error in errors)

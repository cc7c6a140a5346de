"""Preconditioners with which conjugate gradient on the features of landmarks takes some twenty steps, for any λ."""

from dataclasses import dataclass
from math import sqrt
from typing import Protocol, runtime_checkable

from kerneltools.arrays import Array, asarray_like, indices_like, namespace
from kerneltools.linalg import identity_like
from kerneltools.primitives import solve_triangular
from kerneltools.random import Rng, generator
from kerneltools.solvers.class_steps import curved
from kerneltools.solvers.features import Features
from kerneltools.structures.base import part


@runtime_checkable
class Preconditioner(Protocol):
    """Approximates the matrices Σ_i c_i φ(x_i) φ(x_i)' without the cost of all their products.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> class NoPreconditioner:
    ...     def __call__(self, features, curvature, rng):
    ...         return np.zeros((curvature.shape[1], features.m, features.m))
    >>> isinstance(NoPreconditioner(), Preconditioner)
    True
    >>> plain = falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), 1e-6, preconditioner=NoPreconditioner())
    >>> plain.iterations > falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), 1e-6, preconditioner=SignedSums()).iterations
    True
    """

    def __call__(self, features: Features, curvature: Array, rng: Rng) -> Array:
        """(n, k) numbers >= 0 -> (k, m, m)"""


@dataclass(frozen=True)
class SignedSums:
    """Sums of rows with random signs: `rows` m of them approximate all n rows, wherever the landmarks are.

    A sparse sign embedding (Diaz, Epperly, Frangella, Tropp and Webber 2023: KRILL), in a form without scattered
    writes: `rows` m data rows at a time are permuted, given signs and summed, `repeats` times. It takes one pass over
    the rows, and 3 `rows` m³ operations. With `rows` = 4 the error of conjugate gradient halves in each step; a greater
    number makes it fall faster. If n is at most rows m, or the features of all rows are kept, nothing is approximated.

    Memory: O(rows m² k).

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x = np.random.default_rng(0).uniform(0, 6, (400, 1))
    >>> model = falkon(Gaussian(1.0), x[:10, :], x, np.sin(x), 1e-4, preconditioner=SignedSums(rows=8))
    >>> model.converged, bool(np.abs(model(x) - np.sin(x)).max() < 0.1)
    (True, True)
    """

    rows: int = 4
    repeats: int = 2

    def __post_init__(self) -> None:
        if self.rows < 2 or self.repeats < 1:
            raise ValueError(f"rows, repeats: expected at least 2 and 1, got {self.rows} and {self.repeats}")

    def __call__(self, features: Features, curvature: Array, rng: Rng) -> Array:
        """(n, k) -> (k, m, m)"""
        xp = namespace(features.whitening)
        size, root = self.rows * features.m, xp.sqrt(curvature)
        if features.kept is not None or features.n <= size:
            whole = features.of(features.x) if features.kept is None else features.kept
            return xp.stack([_curved_gram(whole, root[:, c]) for c in range(root.shape[1])])
        sketches = self._sketches(features, root, size, rng)
        return xp.stack([_gram(sketch @ features.whitening) for sketch in sketches])

    def _sketches(self, features: Features, root: Array, size: int, rng: Rng) -> list[Array]:
        """S D^(1/2) k(X, Z) for each column of roots: k times (size, m)."""
        xp, host = namespace(root), generator(rng)
        totals: list[Array] = [0.0] * root.shape[1]
        for start in range(0, features.n, size):
            # The last rows, with rows before them to fill up, which get the root 0.
            first = max(0, min(start, features.n - size))
            here = _gram_rows(features, first, size)
            roots = root[first : first + size, :]
            if first < start:
                roots = xp.concat([xp.zeros_like(roots[: start - first, :]), roots[start - first :, :]])
            for _ in range(self.repeats):
                order = indices_like(host.permutation(size), root)
                signs = asarray_like((2 * host.integers(0, 2, size) - 1) / sqrt(self.repeats), root)
                mixed, scale = xp.take(here, order, axis=0), xp.take(roots, order, axis=0) * signs[:, None]
                totals = [total + scale[:, c][:, None] * mixed for c, total in enumerate(totals)]
        return totals


FOUR_ROWS = SignedSums()


@dataclass(frozen=True)
class LandmarkRows:
    """The landmarks stand for the rows: Rudi, Carratino and Rosasco 2017 (Falkon).

    No pass over the rows and 2 m³ operations, but sound only for landmarks that were drawn uniformly from the rows.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x = np.random.default_rng(0).uniform(0, 6, (200, 1))
    >>> random_rows = x[:20, :]
    >>> model = falkon(Gaussian(1.0), random_rows, x, np.sin(x), 1e-6, preconditioner=LandmarkRows())
    >>> model.converged, bool(np.abs(model(x) - np.sin(x)).max() < 0.01)
    (True, True)
    """

    def __call__(self, features: Features, curvature: Array, rng: Rng) -> Array:
        """(n, k) -> (k, m, m)"""
        xp = namespace(features.whitening)
        whole = _gram(features.gram(features.points) @ features.whitening) / features.m
        return xp.sum(curvature, axis=0)[:, None, None] * whole[None, ...]


def inverse_factors(matrices: Array, shift: float) -> Array:
    """R^-1 for R R' = M + (shift + rounding) I: (k, m, m) -> (k, m, m)"""
    xp = namespace(matrices)
    return xp.stack([_inverse_factor(matrices[c, ...], shift) for c in range(matrices.shape[0])])


def apply_inverses(inverses: Array, x: Array) -> Array:
    """(R R')^-1 x, with a matrix for each column or one for all: (k, m, m) or (1, m, m), (m, k) -> (m, k)"""
    xp = namespace(inverses, x)
    if inverses.shape[0] == 1:
        first = inverses[0, ...]
        return xp.matrix_transpose(first) @ (first @ x)
    columns = xp.matrix_transpose(x)[:, :, None]
    return xp.matrix_transpose((xp.matrix_transpose(inverses) @ (inverses @ columns))[:, :, 0])


def _inverse_factor(matrix: Array, shift: float) -> Array:
    xp = namespace(matrix)
    rounding = matrix.shape[0] * xp.finfo(matrix.dtype).eps * xp.max(xp.linalg.diagonal(matrix))
    identity = identity_like(matrix)
    return solve_triangular(xp.linalg.cholesky(matrix + (shift + rounding) * identity), identity)


def _gram(x: Array) -> Array:
    return namespace(x).matrix_transpose(x) @ x


def _curved_gram(x: Array, root: Array) -> Array:
    """X' diag(r²) X, without the rows of root 0: (n, m), (n,) -> (m, m)"""
    part, root = curved(x, root)
    return _gram(root[:, None] * part)


def _gram_rows(features: Features, first: int, count: int) -> Array:
    """k(x, Z) of `count` rows from `first` on, block by block."""
    pieces = [
        features.gram(part(features.x, slice(start, min(start + features.block, first + count))))
        for start in range(first, first + count, features.block)
    ]
    return namespace(*pieces).concat(pieces)

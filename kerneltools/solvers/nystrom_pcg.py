"""Kernel ridge regression on all rows, without storing the kernel matrix."""

import warnings
from dataclasses import dataclass
from math import isqrt

from kerneltools.arrays import Array, blocks, is_whole, namespace, widest_float
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks import Landmarks, ReducedWarning, RPCholesky, Selector
from kerneltools.landmarks.base import chosen
from kerneltools.linalg import conjugate_gradient
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.solvers.checks import check_examples, check_reg
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.features import KernelModel, landmark_whitening, rows_of_block, wide_gram
from kerneltools.solvers.preconditioners import inverse_factors
from kerneltools.solvers.sums import row_weights
from kerneltools.structures.base import count, like_of, part, require_known

FIRST_RANK = 64
ENOUGH = 10.0
"""The residual's trace in units of the shift below which a higher rank is not worth its cost: its root bounds how many
times more steps than a perfect preconditioner would take."""


def nystrom_pcg(
    kernel: Kernel,
    x: Array,
    y: Array,
    reg: float,
    *,
    rank: int | None = None,
    selector: Selector | None = None,
    weights: Array | None = None,
    tolerance: float = 1e-6,
    iterations: int = 200,
    block: int | None = None,
    rng: Rng = 0,
    progress: Progress = silent,
) -> KernelModel:
    """Kernel ridge regression on all rows, f = k(., X) α: minimise (1/Σw) Σ w_i |f(x_i) - y_i|² + λ |f|².

    (n, d), (n, t), weights (n,) >= 0 or None -> model of (..., d) -> (..., t). `reg`: λ > 0.

    By conjugate gradient on K + λ Σw D^-1, with the weights D. A step computes the kernel matrix once, O(n² (d + t)),
    `block` rows at a time. The preconditioner is the Nyström approximation on `rank` rows and λ (Frangella, Tropp and
    Udell 2023; Diaz et al. 2023), by default those of RPCholesky: O(n rank²) operations and O(n rank) numbers of
    memory. If no rank is given, it is doubled from 64 on, until the trace of what it misses is at most 10 times the
    shift λ Σw, or up to 8 sqrt(n). `selector`: chooses other rows, or other landmarks; then its own size counts. It
    gets the weights, if it takes them.

    `residual`: relative, in the norm of the preconditioner; it stops at `tolerance`. Kernel values are computed in the
    type of x, all the rest in float64 if the library has it. In float32, a λ below 1e-7 k(x, x) is less than the
    rounding of K. `progress` as in `falkon`.

    Raises ValueError for shapes that do not fit, negative weights, NaN, λ <= 0 and indefinite kernels; warns
    (NotConvergedWarning) after `iterations` steps.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> model = nystrom_pcg(Gaussian(1.0), x, np.sin(x), reg=1e-6)
    >>> bool(np.abs(model(x) - np.sin(x)).max() < 1e-2), model.converged
    (True, True)
    """
    kernel = as_kernel(kernel)
    check_examples(x, y, weights)
    require_known(x=x, y=y)
    xp, wide = namespace(like_of(x), y), widest_float(like_of(x))
    targets = xp.astype(y, wide)
    w = row_weights(targets, weights)
    check_reg(reg, targets)
    root, shift = xp.sqrt(w)[:, None], reg * float(xp.sum(w))
    progress("preconditioner", 0, 1)
    low_rank = _low_rank(kernel, x, weights, root, shift, rank, selector, rng)
    progress("preconditioner", 1, 1)
    found = conjugate_gradient(
        lambda v: root * _product(kernel, x, root * v, rows_of_block(x, block)) + shift * v,
        root * targets,
        precondition=low_rank.inverse_times,
        tolerance=tolerance,
        iterations=iterations,
        progress=progress,
    )
    if not found.converged:
        advice = "allow more iterations or a higher rank, or raise reg or tolerance"
        warn_not_converged("nystrom_pcg", "residual", found.residual, found.iterations, advice)
    return KernelModel(kernel, x, root * found.x, found.iterations, found.residual, found.converged)


@dataclass(frozen=True, eq=False)
class _LowRank:
    """Φ Φ' + μ I, with `inverse` R^-1 for R R' = Φ'Φ + μ I: (n, r), (r, r)."""

    features: Array
    inverse: Array
    shift: float

    def inverse_times(self, v: Array) -> Array:
        """(n, t) -> (n, t), by Woodbury's formula"""
        xp = namespace(v)
        inner = self.inverse @ (xp.matrix_transpose(self.features) @ v)
        return (v - self.features @ (xp.matrix_transpose(self.inverse) @ inner)) / self.shift


def _low_rank(
    kernel: Kernel,
    x: Array,
    weights: Array | None,
    root: Array,
    shift: float,
    rank: int | None,
    selector: Selector | None,
    rng: Rng,
) -> _LowRank:
    if rank is not None and not is_whole(rank):
        raise ValueError(f"rank: expected an integer >= 1, or None, got {rank!r}")
    n = count(x)
    draws, greatest = generator(rng), min(n, max(FIRST_RANK, 8 * isqrt(n)))
    size = min(n, FIRST_RANK if rank is None else rank)
    while True:
        points = _select(selector or RPCholesky(size), kernel, x, draws, weights).points
        features, missed = _features(kernel, x, points, root)
        enough = missed <= ENOUGH * shift or size >= greatest or points.shape[0] < size
        if rank is not None or selector is not None or enough:
            break
        size = min(2 * size, greatest)
    gram = namespace(features).matrix_transpose(features) @ features
    return _LowRank(features, inverse_factors(gram[None, ...], shift)[0, ...], shift)


def _select(selector: Selector, kernel: Kernel, x: Array, rng: Rng, weights: Array | None) -> Landmarks:
    with warnings.catch_warnings():
        # A rank that the data do not have is no news here: the approximation is exact then.
        warnings.simplefilter("ignore", ReducedWarning)
        return chosen(selector, kernel, x, rng, weights)


def _features(kernel: Kernel, x: Array, points: Array, root: Array) -> tuple[Array, float]:
    """D^(1/2) Φ of all rows, and the trace of what it misses: (n, r)"""
    whitening, _ = landmark_whitening(kernel, points)
    xp = namespace(whitening)
    size = rows_of_block(points, None)
    pieces = [
        root[rows, :] * (wide_gram(kernel, part(x, rows), points, whitening.dtype) @ whitening)
        for rows in blocks(x.shape[0], size)
    ]
    features = xp.concat(pieces)
    diagonal = root[:, 0] ** 2 * xp.astype(kernel.diag(x), features.dtype)
    return features, float(xp.sum(diagonal) - xp.sum(features * features))


def _product(kernel: Kernel, x: Array, v: Array, block: int) -> Array:
    """K v, `block` rows of K at a time: (n, t) -> (n, t)"""
    pieces = [wide_gram(kernel, part(x, rows), x, v.dtype) @ v for rows in blocks(x.shape[0], block)]
    return namespace(v).concat(pieces)

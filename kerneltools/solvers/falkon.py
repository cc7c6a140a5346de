"""Kernel ridge regression in the span of landmarks: directly, and by preconditioned conjugate gradient."""

from collections.abc import Callable

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import Kernel
from kerneltools.linalg import conjugate_gradient, solve_shifted, upper_product
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng
from kerneltools.solvers.convergence import warn_not_converged
from kerneltools.solvers.features import KernelModel, Problem, problem
from kerneltools.solvers.preconditioners import FOUR_ROWS, Preconditioner, apply_inverses, inverse_factors
from kerneltools.solvers.sums import sums_will_do
from kerneltools.structures.base import part


def falkon(
    kernel: Kernel,
    points: Array,
    x: Array,
    y: Array,
    reg: float,
    *,
    weights: Array | None = None,
    preconditioner: Preconditioner = FOUR_ROWS,
    tolerance: float = 1e-6,
    iterations: int = 100,
    block: int | None = None,
    rng: Rng = 0,
    progress: Progress = silent,
) -> KernelModel:
    """Kernel ridge regression f = k(., Z) α by conjugate gradient: min (1/Σw) Σ w_i |f(x_i) - y_i|² + λ |f|².

    Landmarks (m, d), rows (n, d), (n, t), weights (n,) >= 0 or None -> model of (..., d) -> (..., t)

    |f|² = α' (k(Z, Z) + ε I) α with ε = m times the relative rounding error of the type of x; f has no intercept.
    `reg`: λ > 0. A step is one pass over the rows, O(n m (d + t)), `block` of them at a time, with kernel values in the
    type of x and all the rest in float64 if the library has it; memory beyond the data is O(m² + block m). The number
    of steps hardly depends on λ, n and m (Rudi, Carratino and Rosasco 2017; see `preconditioner`).

    If k(Z, Z) is singular and λ is below some 1e-7 k(z, z), steps would be lost in rounding; ε is then raised, up to
    1e-9 m. If this matters for λ, below some 1e-9 k(z, z), there is a PrecisionWarning; `kernel_ridge`, which forms the
    features, is more accurate then.

    It stops when the objective is within about `tolerance`² of its least value, relative to the gain from f = 0:
    `residual` is the root of that. `rng` is for the preconditioner's signs. `progress` gets each step and its residual
    (kerneltools.progress; `progress.printed` prints a line).

    Raises ValueError for shapes that do not fit, negative weights, NaN, λ <= 0 and indefinite kernels; warns
    (NotConvergedWarning) after `iterations` steps.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> model = falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), reg=1e-6)
    >>> bool(np.abs(model(x) - np.sin(x)).max() < 0.02), model.converged
    (True, True)
    """
    p = problem(kernel, points, x, y, reg, weights, block)
    features, shares = p.features, p.weights[:, None]
    progress("preconditioner", 0, 1)
    inverses = inverse_factors(preconditioner(features, shares, rng), p.reg)
    progress("preconditioner", 1, 1)
    found = conjugate_gradient(
        lambda v: features.sums(lambda rows, scores: shares[rows, :] * scores, v) + p.reg * v,
        features.sums_of(shares * p.targets),
        precondition=lambda r: apply_inverses(inverses, r),
        tolerance=tolerance,
        iterations=iterations,
        progress=progress,
    )
    if not found.converged:
        advice = "raise reg or tolerance, allow more iterations, or take kernel_ridge"
        warn_not_converged("falkon", "residual", found.residual, found.iterations, advice)
    return p.model(found.x, found.iterations, found.residual, found.converged)


def kernel_ridge(
    kernel: Kernel,
    points: Array,
    x: Array,
    y: Array,
    reg: float,
    *,
    weights: Array | None = None,
    block: int | None = None,
) -> KernelModel:
    """The same function as `falkon` finds, by one pass over the rows and one factorisation.

    Landmarks (m, d), rows (n, d), (n, t), weights (n,) >= 0 or None -> model of (..., d) -> (..., t)

    It takes O(n m² + m³) operations in float64 if the library has it, also for kernel values and ε, so that rows in
    float32 give the function of the same rows in float64. If λ is far above the rounding errors, it sums kernel values
    and whitens them at the end; otherwise it sums whitened features, which keep the digits that those lose. Directions
    whose eigenvalue is a rounding error are left out, so λ may be arbitrarily small. `choose` tells which of the two is
    faster. Raises what `falkon` raises.

    >>> import numpy as np
    >>> from kerneltools.kernels import Linear
    >>> x = np.array([[1.0], [2.0]])
    >>> kernel_ridge(Linear(), x[:1, :], x, 3 * x, reg=1e-12)(np.array([[5.0]])).round(6)
    array([[15.]])
    """
    p = problem(kernel, points, x, y, reg, weights, block, iterative=False)
    gram, cross = _moments(p)
    return p.model(solve_shifted(gram, p.reg, cross), 0, 0.0, True)


def _moments(p: Problem) -> tuple[Array, Array]:
    """Σ w φ φ' and Σ w φ y', of whitened rows or by whitening sums of kernel values: (m, m), (m, t)"""
    whitening, xp = p.features.whitening, namespace(p.features.whitening)
    if sums_will_do(whitening, p.features.norms() ** 2, p.reg):
        gram, cross = _sums(p, lambda values: values)
        # Rows may have greater values than landmarks have.
        if sums_will_do(whitening, xp.linalg.diagonal(gram), p.reg):
            half = upper_product(gram, whitening)
            return upper_product(xp.matrix_transpose(half), whitening), xp.matrix_transpose(whitening) @ cross
    return _sums(p, lambda values: upper_product(values, whitening))


def _sums(p: Problem, of_values: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Σ w φ φ' and Σ w φ y', for a function φ of kernel values: (m, m), (m, t)"""
    features = p.features
    xp, gram, cross = namespace(features.whitening), features.zeros(features.m), features.zeros(p.targets.shape[1])
    for rows in features.parts():
        root = xp.sqrt(p.weights[rows])[:, None]
        phi = root * of_values(features.gram(part(features.x, rows)))
        gram = gram + xp.matrix_transpose(phi) @ phi
        cross = cross + xp.matrix_transpose(phi) @ (root * p.targets[rows, :])
    return gram, cross

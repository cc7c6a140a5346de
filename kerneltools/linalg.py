"""Matrix functions with gradients that exist everywhere, computed in float64 where the library has it."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt
from numbers import Real

from kerneltools.arrays import (
    Array,
    blocks,
    device_of,
    holds,
    namespace,
    require_count,
    require_floating,
    require_number,
    require_rank,
    require_stopping,
    widest_float,
)
from kerneltools.backend import custom_vjp, stop_gradient
from kerneltools.precision import in_single
from kerneltools.primitives import primitive, program, reciprocal, solve_triangular
from kerneltools.progress import Progress, silent
from kerneltools.trees import Shown, together
from kerneltools.units import column_units, over_units, times_units


def inverse_sqrt(matrix: Array, reg: float | Array) -> Array:
    """(K + reg I)^(-1/2), symmetric, for symmetric positive semi-definite matrices K.

    (..., m, m) -> (..., m, m)

    `reg` > 0 is added to every eigenvalue, inside the root. The gradient is the closed form
    -V [(V' G V) / (s_i s_j (s_i + s_j))] V' with s_i the roots of the shifted eigenvalues (Mairal 2016,
    appendix): it has no differences of eigenvalues, so it exists where eigenvalues repeat.
    Only the symmetric part of K counts. On accelerators, a stack of matrices costs less than one after the other.

    Raises ValueError for matrices that are not square and for reg that is not a finite number > 0.

    >>> import numpy as np
    >>> inverse_sqrt(np.diag([3.0, 8.0]), reg=1.0)
    array([[0.5       , 0.        ],
           [0.        , 0.33333333]])
    """
    require_floating(matrix=matrix)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"matrix: expected a square matrix (m, m), got shape {tuple(matrix.shape)}")
    require_number("reg", reg, matrix)
    return _regularised_root(*together(matrix, reg))


@program
def _regularised_root(matrix: Array, reg: float | Array) -> Array:
    wide = namespace(matrix).astype(matrix, widest_float(matrix))
    if not isinstance(reg, Real):
        reg = namespace(reg).astype(reg, wide.dtype)
    # In halves, for sums of the greatest numbers overflow.
    half = wide / 2 + (reg / 2) * identity_like(wide)
    xp = namespace(half)
    definite = half + xp.matrix_transpose(half)
    unit = _root_unit(definite)
    return xp.astype(inverse_sqrt_of_definite(definite / unit / unit) / unit, matrix.dtype)


SQUARABLE = 20
"""Matrices between 4^-20 and 4^20 are not scaled: the gradient's products are far from the ends of each type."""


def _root_unit(definite: Array) -> Array:
    """A constant power of two whose square scales matrices out of that range back: (..., m, m) -> (..., 1, 1)"""
    diagonal = namespace(definite).linalg.diagonal(stop_gradient(definite))
    xp = namespace(diagonal)
    greatest = xp.max(diagonal, axis=-1) if diagonal.shape[-1] else xp.ones_like(xp.sum(diagonal, axis=-1))
    known = (greatest > 0) & xp.isfinite(greatest)
    exponent = xp.round(xp.log2(xp.where(known, greatest, xp.ones_like(greatest))) / 2)
    beyond = exponent - xp.clip(exponent, -SQUARABLE, SQUARABLE)
    return (xp.full_like(beyond, 2.0) ** beyond)[..., None, None]


@primitive
def inverse_root(definite: Array) -> Array:
    """A^(-1/2) of symmetric positive definite matrices, without a gradient: (..., m, m) -> (..., m, m)"""
    xp = namespace(definite)
    eigenvalues, vectors = xp.linalg.eigh(definite)
    return (vectors / xp.sqrt(eigenvalues)[..., None, :]) @ xp.matrix_transpose(vectors)


@primitive
def inverse_sqrt_of_definite(definite: Array) -> Array:
    """A^(-1/2) of symmetric positive definite matrices, with its gradient: (..., m, m) -> (..., m, m)"""
    return _inverse_sqrt(definite)


def pull_inverse_sqrt(cotangent: Array, root: Array, definite: Array) -> tuple[Array]:
    """The gradient of `inverse_sqrt_of_definite`, from its value."""
    # From S S = A^-1: S dS + dS S = -A^-1 dA A^-1, and A^-1 = S S.
    del definite
    inverse = root @ root
    symmetric = (cotangent + namespace(root).matrix_transpose(cotangent)) / 2
    return (-(inverse @ lyapunov(root, symmetric) @ inverse),)


@primitive
def lyapunov_solution(root: Array, rhs: Array) -> Array:
    """`lyapunov` without a gradient: (..., m, m), (..., m, m) -> (..., m, m)"""
    xp = namespace(root, rhs)
    eigenvalues, vectors = xp.linalg.eigh(root)
    rotated = xp.matrix_transpose(vectors) @ rhs @ vectors
    solved = rotated / (eigenvalues[..., :, None] + eigenvalues[..., None, :])
    return vectors @ solved @ xp.matrix_transpose(vectors)


def _lyapunov_backward(cotangent: Array, solution: Array, root: Array, rhs: Array) -> tuple[Array, Array]:
    # The operator is its own adjoint; d(S Y + Y S) = dX gives the part of S.
    del rhs
    transposed = namespace(root).matrix_transpose(solution)
    pulled = lyapunov(root, cotangent)
    return -(pulled @ transposed + transposed @ pulled), pulled


_inverse_sqrt = custom_vjp(inverse_root, pull_inverse_sqrt)

lyapunov = in_single(custom_vjp(lyapunov_solution, _lyapunov_backward))
lyapunov.__doc__ = """The solution Y of S Y + Y S = X for symmetric positive definite S.

    (..., m, m), (..., m, m) -> (..., m, m)
    """


def cholesky_factor(matrix: Array, rtol: float | None = None) -> Array:
    """The lower factor L, in float64, of K + ε I with ε = rtol times the greatest diagonal entry of K.

    (m, m) -> (m, m)

    `rtol` in (0, 1); by default m times the machine epsilon of K's type, which is what rounding has already lost.
    With kernel values of that type, L^-1 then amplifies no rounding error beyond the order of 1.

    Raises ValueError for a matrix that is not square.
    """
    require_square(matrix, "matrix")
    xp = namespace(matrix)
    m = matrix.shape[0]
    shift = m * xp.finfo(matrix.dtype).eps if rtol is None else rtol
    wide = xp.astype(matrix, widest_float(matrix))
    if m == 0:
        return wide
    greatest = xp.max(xp.linalg.diagonal(wide))
    # The zero matrix (of a blank landmark) has no scale; any will do.
    scale = xp.where(greatest > 0, greatest, xp.ones_like(greatest))
    return xp.linalg.cholesky(wide + shift * scale * identity_like(wide))


def why_no_factor(kernel: object, gram: Array) -> str:
    """The reason why k(Z, Z) of some landmarks has no Cholesky factor, as far as it is known.

    It is the pair of landmarks where it is least symmetric, or its least eigenvalue, with the rounding error.
    """
    xp, m = namespace(gram), int(gram.shape[0])
    apart = xp.abs(gram - gram.T)
    if holds(xp.max(apart) > 1e-3 * xp.max(xp.abs(gram))):
        i, j = divmod(int(xp.argmax(apart)), m)
        there, back = float(gram[i, j]), float(gram[j, i])
        return (
            f"kernel: k(Z, Z) of {m} landmarks is not symmetric, and has no Cholesky factor: {there:.6g} for landmarks "
            f"{i} and {j}, {back:.6g} for {j} and {i}. Make {kernel!r} symmetric, such as by the mean of both"
        )
    eigenvalues = xp.linalg.eigvalsh(xp.astype(gram, widest_float(gram)))
    rounding = m * float(xp.finfo(gram.dtype).eps) * float(xp.max(xp.abs(eigenvalues)))
    found = f"its least eigenvalue is {float(xp.min(eigenvalues)):.2g}, and rounding accounts for {rounding:.2g}"
    return (
        f"kernel: k(Z, Z) of {m} landmarks has no Cholesky factor: {found}. If {kernel!r} is positive semi-definite, "
        "it has lost digits: compute in float64, or give a larger reg. If not, take its values k(x, Z) themselves as "
        "features, or those of a map (kerneltools.maps)"
    )


PANEL = 128
"""Columns of a triangular factor that are multiplied at a time."""


def upper_product(x: Array, factor: Array) -> Array:
    """x U for an upper triangular U, without the products with its zeros: (n, m), (m, m) -> (n, m)."""
    panels = list(blocks(factor.shape[1], PANEL)) or [slice(0, 0)]
    xp = namespace(x, factor)
    parts = [xp.matmul(x[:, : panel.stop], factor[: panel.stop, panel]) for panel in panels]
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=1)


def solve_shifted(matrix: Array, shift: float | Array, rhs: Array) -> Array:
    """(K + λ I)^-1 b for a symmetric positive semi-definite K, without directions of K that are only rounding errors.

    (m, m), number > 0, (m, t) -> (m, t)

    It solves a linear system if λ is above the rounding errors of K. If it is not, or is not known, inside a trace, it
    uses eigenvectors, which takes ten times the work.

    >>> import numpy as np
    >>> solve_shifted(np.diag([1.0, 0.0]), 1e-300, np.ones((2, 1))).T
    array([[1., 0.]])
    """
    require_square(matrix, "matrix")
    require_rank(2, "(m, t)", rhs=rhs)
    require_number("shift", shift, matrix)
    if rhs.shape[0] != matrix.shape[0]:
        raise ValueError(f"rhs: expected ({matrix.shape[0]}, t) beside a matrix of that order, got {tuple(rhs.shape)}")
    xp, rounding = namespace(matrix, rhs), matrix.shape[0] * namespace(matrix).finfo(matrix.dtype).eps
    if not holds(shift <= rounding * xp.sum(xp.linalg.diagonal(matrix))):
        return xp.linalg.solve(matrix + shift * identity_like(matrix), rhs)
    spectrum, basis = xp.linalg.eigh(matrix)
    kept = spectrum > rounding * xp.max(spectrum)
    shrink = reciprocal(xp.where(kept, spectrum + shift, xp.zeros_like(spectrum)))
    return xp.matmul(basis, xp.matmul(xp.matrix_transpose(basis), rhs) * shrink[:, None])


def cholesky_solve(factor: Array, rhs: Array) -> Array:
    """A^-1 b for A = L L', from its lower factor L: (m, m), (m, t) -> (m, t)

    >>> import numpy as np
    >>> cholesky_solve(np.diag([2.0, 3.0]), np.asarray([[4.0], [9.0]])).T
    array([[1., 1.]])
    """
    xp = namespace(factor, rhs)
    # An upper triangle is a lower one from behind.
    turned = xp.flip(xp.matrix_transpose(factor))
    return xp.flip(solve_triangular(turned, xp.flip(solve_triangular(factor, rhs), axis=0)), axis=0)


@dataclass(frozen=True, eq=False)
class Solution(Shown):
    """The result of `conjugate_gradient`: `x` (m, t), the number of `iterations`, and the `residual`.

    `residual`: the greatest of the columns, relative to the right-hand side, in the norm of the preconditioner;
    computed from x itself, not carried on from step to step. `converged`: whether it met the tolerance.
    """

    x: Array
    iterations: int
    residual: float
    converged: bool


def conjugate_gradient(
    product: Callable[[Array], Array],
    rhs: Array,
    *,
    precondition: Callable[[Array], Array] = lambda residual: residual,
    tolerance: float = 1e-8,
    iterations: int = 200,
    refresh: int = 10,
    progress: Progress = silent,
) -> Solution:
    """Solve A x = b for a symmetric positive definite A given by its products, for all columns at once.

    (m, t) -> solution with x (m, t)

    `product(v)`: A v; `precondition(r)`: P r, for a symmetric positive definite P close to A^-1. It stops when sqrt(r'
    P r) is at most `tolerance` times what it was for x = 0, in each column: for P = A^-1 that is the error in the norm
    of A. The residual is computed anew after every `refresh` steps and before stopping, so that rounding cannot hide;
    if rounding prevents convergence, the best x is returned. A column of zeros has the solution zero. Each column is
    scaled by a power of two, so that no square over- or underflows. `progress` gets the greatest residual after each
    step. (Hestenes and Stiefel 1952.)

    Raises ValueError if v' A v is not > 0: then A, or P, is not positive definite, or not finite.

    >>> import numpy as np
    >>> a = np.diag([1.0, 2.0, 4.0])
    >>> conjugate_gradient(lambda v: a @ v, np.ones((3, 1))).x.round(6).T
    array([[1.  , 0.5 , 0.25]])
    """
    require_rank(2, "(m, t)", rhs=rhs)
    require_floating(rhs=rhs)
    if 0 in rhs.shape:
        raise ValueError(f"rhs: expected at least one row and one column, got shape {tuple(rhs.shape)}")
    require_stopping(tolerance, iterations, rhs)
    require_count("refresh", refresh)
    units = column_units(rhs)
    rhs = over_units(rhs, units)
    x, residual, steered = namespace(rhs).zeros_like(rhs), rhs, precondition(rhs)
    scale = now = _column_products(rhs, steered)
    worst = _worst(now, scale)
    direction, count, best, least = steered, 0, x, worst
    while tolerance < worst <= DIVERGED * least and count < iterations:
        count += 1
        active = now > tolerance**2 * scale
        image = product(direction)
        length = _quotient(now, _require_positive(_column_products(direction, image), active, count), active)
        x, residual = x + length * direction, residual - length * image
        after = _column_products(residual, steered := precondition(residual))
        if count % refresh == 0 or _worst(after, scale) <= tolerance:
            residual = rhs - product(x)
            after = _column_products(residual, steered := precondition(residual))
        direction, now, worst = steered + _quotient(after, now, active) * direction, after, _worst(after, scale)
        progress("conjugate gradient", count, iterations, worst)
        if worst < least:
            best, least = x, worst
    if worst > tolerance and least < worst:
        residual = rhs - product(best)
        x, worst = best, _worst(_column_products(residual, precondition(residual)), scale)
    return Solution(times_units(x, units), count, worst, worst <= tolerance)


DIVERGED = 1e4
"""Residuals may grow in between, but if they exceed the least one by this factor, rounding errors grow."""


def _column_products(a: Array, b: Array) -> Array:
    return namespace(a, b).sum(a * b, axis=0)


def _quotient(a: Array, b: Array, active: Array) -> Array:
    """a / b in the active columns, 0 in the others."""
    xp = namespace(a, b)
    return xp.where(active, a / xp.where(active, b, xp.ones_like(b)), xp.zeros_like(a))


def _worst(now: Array, scale: Array) -> float:
    """The greatest relative residual; rounding may make the products of a preconditioner negative."""
    largest = float(namespace(now).max(_quotient(now, scale, scale > 0)))
    return sqrt(max(largest, 0.0)) if isfinite(largest) else largest


def _require_positive(curvature: Array, active: Array, count: int) -> Array:
    xp = namespace(curvature)
    if bool(xp.any(active & ~(curvature > 0))):
        raise ValueError(
            f"product: v' A v = {float(xp.min(curvature)):.1e} at step {count}, and conjugate gradient needs "
            "a positive definite A; raise the regularisation, or compute in float64"
        )
    return curvature


def identity_like(matrix: Array) -> Array:
    """The identity of the size, type and device of a square matrix, or of those of a stack."""
    return namespace(matrix).eye(matrix.shape[-1], dtype=matrix.dtype, device=device_of(matrix))


def require_square(matrix: Array, name: str) -> None:
    """Raise for a matrix that is not square or not real floating-point."""
    require_rank(2, "a square matrix (m, m)", **{name: matrix})
    require_floating(**{name: matrix})
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name}: expected a square matrix (m, m), got shape {tuple(matrix.shape)}")

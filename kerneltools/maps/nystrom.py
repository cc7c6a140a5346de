"""The Nyström map: projection on the span of the landmarks' features."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace, require_floating, require_rank
from kerneltools.kernels import Kernel
from kerneltools.linalg import cholesky_factor, identity_like, inverse_sqrt
from kerneltools.precision import in_single, widened
from kerneltools.primitives import solve_triangular
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class Nystrom(Tree):
    """φ(x) = W' k(Z, x), prepared by `nystrom`.

    `points` Z (m, d), `whitening` W (m, m) with W W' = (k(Z, Z) + ε I)^-1.
    """

    kernel: Kernel
    points: Array
    whitening: Array

    @in_single
    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., m)"""
        rows, batch = _rows(x, self.points)
        phi = self.kernel(rows, self.points) @ self.whitening
        return namespace(phi).reshape(phi, (*batch, phi.shape[1]))

    @in_single
    def residual(self, x: Array) -> Array:
        """k(x, x) - |φ(x)|² >= 0: what the map misses of each x; 0 up to rounding at the landmarks.

        (..., d) -> (...,)

        The matrix K - Φ Φ' is positive semi-definite, so each of its entries is at most the root of the
        product of two residuals, and its norm at most their sum.
        """
        rows, batch = _rows(x, self.points)
        phi = self(rows)
        missed = self.kernel.diag(rows) - namespace(phi).sum(phi * phi, axis=1)
        return namespace(missed).reshape(missed, batch)


def nystrom(kernel: Kernel, points: Array, reg: float | Array | None = None) -> Nystrom:
    """The Nyström map on given landmarks (Williams and Seeger 2001).

    (m, d) -> map of (..., d) -> (..., m)

    `reg` > 0: W = (k(Z, Z) + reg I)^(-1/2), symmetric, smooth in the landmarks even where two coincide.
    Without `reg`: W = L^-T from the Cholesky factor, with the least shift that the type of `points` allows:
    the most exact.
    Both are computed in float64 where the library has it; W stays in float32 beside half-precision landmarks.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> z = np.array([[0.0], [1.0], [3.0]])
    >>> phi = nystrom(Gaussian(1.0), z)
    >>> np.allclose(phi(z) @ phi(z).T, Gaussian(1.0)(z, z))
    True
    """
    require_rank(2, "(m, d)", points=points)
    require_floating(points=points)
    if points.shape[0] == 0:
        raise ValueError(f"points: expected at least one landmark, got shape {tuple(points.shape)}")
    wide = widened(points)
    gram = widened(kernel)(wide, wide)
    return Nystrom(kernel, points, whitening(gram, reg))


def whitening(gram: Array, reg: float | Array | None) -> Array:
    """W with W W' = (K + ε I)^-1: (m, m) -> (m, m); see `nystrom`."""
    if reg is not None:
        return inverse_sqrt(gram, reg)
    xp = namespace(gram)
    factor = cholesky_factor(gram)
    inverse = solve_triangular(factor, identity_like(factor))
    return xp.astype(xp.matrix_transpose(inverse), gram.dtype)


def _rows(x: Array, points: Array) -> tuple[Array, tuple[int, ...]]:
    require_floating(x=x)
    if x.ndim < 1 or x.shape[-1] != points.shape[1]:
        raise ValueError(
            f"x: expected (..., {points.shape[1]}) for landmarks of shape {tuple(points.shape)}, got {tuple(x.shape)}"
        )
    return namespace(x, points).reshape(x, (-1, x.shape[-1])), tuple(x.shape[:-1])

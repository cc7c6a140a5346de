"""The Nyström map: projection on the span of the landmarks' features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from kerneltools.arrays import (
    A,
    Array,
    DType,
    holds,
    namespace,
    widest_float,
)
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import precise, require_room
from kerneltools.linalg import cholesky_factor, identity_like, inverse_sqrt, upper_product, why_no_factor
from kerneltools.maps.base import Map, in_type_of, of_examples, rows_of_block
from kerneltools.precision import in_single, parameters_in, widened
from kerneltools.primitives import solve_triangular
from kerneltools.structures.base import (
    Collection,
    is_collection,
    like_of,
    require_alike,
    require_examples,
    require_known,
)
from kerneltools.trees import static


@dataclass(frozen=True, eq=False)
class Nystrom(Map):
    """The Nyström map φ(x) = W' k(Z, x), prepared by `nystrom`.

    `points` Z (m, d), or m objects, `whitening` W (m, m) with W W' = (k(Z, Z) + ε I)^-1; `triangular`: whether W is
    upper triangular.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.kernels import Gaussian
    >>> phi = nystrom(Gaussian(1.0), x[:10])
    >>> phi(x).shape, phi.dimension, phi.residual(x).shape
    ((100, 10), 10, (100,))
    """

    kernel: Kernel
    points: Array
    whitening: Array
    triangular: bool = static(False)

    @property
    def dimension(self) -> int:
        """m, the number of landmarks."""
        return int(self.whitening.shape[1])

    @property
    def columns(self) -> int | None:
        """d, the number of columns of the landmarks; None if they are objects."""
        return None if is_collection(self.points) else int(self.points.shape[1])

    @property
    def rank(self) -> int:
        """The numerical rank of k(Z, Z): how many eigenvalues exceed m eps times the greatest, in the landmarks' type.

        More landmarks than that add little but noise. It takes one eigenvalue decomposition, in float64 if available.
        """
        gram, dtype = _gram(self.kernel, self.points)
        xp = namespace(gram)
        values = xp.linalg.eigvalsh(gram)
        return int(xp.count_nonzero(values > _shift(gram, dtype) * xp.max(values)))

    def of_rows(self, x: Array) -> Array:
        return self.of_values(self.values(x))

    def values(self, x: Array) -> Array:
        """k(x, Z): (n, d) -> (n, m)"""
        return self.kernel(x, self.points)

    def norms(self) -> Array:
        """k(z, z) of the landmarks: (m,)"""
        return self.kernel.diag(self.points)

    def of_values(self, values: Array) -> Array:
        """φ(x) from k(x, Z), of which it is a linear function: (n, m) -> (n, m)"""
        factor = in_type_of(self.whitening, values)
        return upper_product(values, factor) if self.triangular else values @ factor

    @overload
    def residual(self, x: A) -> A: ...

    @overload
    def residual(self, x: Collection) -> Array: ...

    @in_single
    def residual(self, x: Any) -> Array:
        """k(x, x) - |φ(x)|² >= 0: what the map misses of each x; 0 up to rounding at the landmarks.

        (..., d) -> (...,)

        The matrix K - Φ Φ' is positive semi-definite, so each of its entries is at most the root of the
        product of two residuals, and its norm at most their sum.
        """
        self._check(x)
        return of_examples(x, self._missed, rows_of_block(self), self)

    @in_single
    def trace_error(self, x: Array, block: int | None = None) -> Array:
        """tr(K - Φ Φ') >= 0, the sum of the residuals, which bounds every norm of K - Φ Φ'.

        (..., d) -> ()

        `block`: rows at a time; None for a number that suits the cache. The sum is in float64 if available.
        """
        return self._total(x, self._missed, block)

    @in_single
    def relative_error(self, x: Array, block: int | None = None) -> Array:
        """tr(K - Φ Φ') / tr K, in [0, 1] up to rounding; see `trace_error`. Raises ValueError if x has no rows.

        (..., d) -> ()
        """
        missed = self._total(x, self._missed, block)
        if 0 in tuple(x.shape):
            raise ValueError(f"x: expected at least one row, got shape {tuple(x.shape)}")
        return missed / self._total(x, self.kernel.diag, block)

    def _total(self, x: Array, of_rows: Callable[[Any], Array], block: int | None) -> Array:
        self._check(x)
        values = of_examples(x, of_rows, block or rows_of_block(self), self)
        xp = namespace(values)
        return xp.astype(xp.sum(xp.astype(values, widest_float(values))), values.dtype)

    def _missed(self, x: Array) -> Array:
        phi = self.of_rows(x)
        diag = self.kernel.diag(x)
        xp = namespace(phi, diag)
        return xp.subtract(diag, xp.sum(phi * phi, axis=1))

    def _check(self, x: Any) -> None:
        if is_collection(x) or is_collection(self.points):
            require_alike(self.points, x, "x", "the landmarks")
        else:
            super()._check(x)

    def _made_for(self) -> str:
        return f"for landmarks of shape {tuple(self.points.shape)}"


def nystrom(kernel: Kernel, points: Array, reg: float | Array | None = None) -> Nystrom:
    """The Nyström map on given landmarks (Williams and Seeger 2001).

    (m, d) -> map of (..., d) -> (..., m)

    `reg` > 0: W = (k(Z, Z) + reg I)^(-1/2), symmetric, and smooth in the landmarks even if two coincide. `reg` None: W
    = L^-T from the Cholesky factor, with the least shift that the type of `points` allows, m eps times the greatest
    k(z, z). This is the most accurate, and takes half the operations, since W is triangular. k(Z, Z) and W are computed
    in float64 if the library has it; W is kept in the type of `points`, or in float32 if the landmarks are in half
    precision.

    Raises ValueError for an indefinite kernel, which is no inner product of features, for NaN among the landmarks, with
    its row and column, and for landmarks whose k(z, z) overflows their type.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> z = np.array([[0.0], [1.0], [3.0]])
    >>> phi = nystrom(Gaussian(1.0), z)
    >>> np.allclose(phi(z) @ phi(z).T, Gaussian(1.0)(z, z))
    True
    >>> phi.rank, float(phi.relative_error(np.array([[0.5], [10.0]])).round(3))
    (3, 0.515)
    """
    require_examples("(m, d)", points=points)
    if points.shape[0] == 0:
        raise ValueError(f"points: expected at least one landmark, got shape {tuple(points.shape)}")
    kernel = as_kernel(kernel)
    if kernel.indefinite:
        raise ValueError(_indefinite(kernel))
    gram, dtype = _gram(kernel, points)
    _require_in_range(kernel, gram, points, dtype)
    factor = _checked_whitening(kernel, gram, reg, dtype)
    return Nystrom(kernel, points, factor, triangular=reg is None)


def whitening(gram: Array, reg: float | Array | None, dtype: DType = None) -> Array:
    """W with W W' = (K + ε I)^-1: (m, m) -> (m, m), or a stack of both with `reg`; see `nystrom`.

    `dtype`: the type of W, and of the data that W is for.
    """
    xp = namespace(gram)
    dtype = gram.dtype if dtype is None else dtype
    if reg is not None:
        root = inverse_sqrt(gram, reg)
        return namespace(root).astype(root, dtype)  # reg may be traced where K is not
    factor = cholesky_factor(gram, _shift(gram, dtype))
    inverse = solve_triangular(factor, identity_like(factor))
    return xp.astype(xp.matrix_transpose(inverse), dtype)


def _gram(kernel: Kernel, points: Array) -> tuple[Array, DType]:
    """k(Z, Z), in float64 if the library has it, and the type that W is for."""
    require_room(points)
    points, kernel = widened(points), widened(kernel)
    wide = precise(kernel, points)
    return parameters_in(like_of(wide).dtype, kernel)(wide, wide), like_of(points).dtype


def _shift(gram: Array, dtype: DType) -> float:
    """The rounding error of a matrix's eigenvalues in this type, relative to its greatest entry."""
    return int(gram.shape[0]) * float(namespace(gram).finfo(dtype).eps)


def _require_in_range(kernel: Kernel, gram: Array, points: Array, dtype: DType) -> None:
    """Raise ValueError if k(Z, Z) is not finite, or k(z, z) is beyond the type of the features.

    k(x, z) would then be infinite too, and all features of such rows NaN.
    """
    xp = namespace(gram)
    if not holds(xp.all(xp.isfinite(gram))):
        require_known(points=points)
        raise ValueError(
            f"kernel: {kernel!r} has values that are not finite at the landmarks; check its range and at the scale "
            "of the landmarks"
        )
    diagonal = xp.linalg.diagonal(gram)
    if not holds(xp.max(diagonal) <= float(xp.finfo(dtype).max)):
        place = int(xp.argmax(diagonal))
        raise ValueError(
            f"kernel: k(z, z) = {float(diagonal[place]):.1e} of landmark {place} is beyond {dtype}, the type of the "
            "features; leave such rows out, scale the data down, or compute in float64"
        )


def _checked_whitening(kernel: Kernel, gram: Array, reg: float | Array | None, dtype: DType) -> Array:
    try:
        factor = whitening(gram, reg, dtype)
    except (ValueError, RuntimeError) as error:  # what the libraries raise for a negative pivot
        if "expected" in str(error):
            raise
        raise ValueError(why_no_factor(kernel, gram)) from error
    xp = namespace(factor)
    if not holds(xp.all(xp.isfinite(factor))):
        raise ValueError(why_no_factor(kernel, gram))
    return factor


def _indefinite(kernel: Kernel) -> str:
    return (
        f"kernel: {kernel!r} is indefinite: its matrix has negative eigenvalues, so that it is no inner product of "
        "features; take a positive definite kernel, such as Polynomial or ArcCosine in place of Sigmoid, or the kernel "
        "values k(x, Z) themselves as features"
    )

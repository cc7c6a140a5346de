"""Models in the span of landmarks, and their features: made again, block by block, never stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, overload

from kerneltools.arrays import (
    A,
    Array,
    DType,
    blocks,
    device_of,
    holds,
    is_whole,
    namespace,
    points_of,
    require_floating,
    require_together,
    widest_float,
)
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import precise, require_room
from kerneltools.linalg import cholesky_factor, identity_like, upper_product, why_no_factor
from kerneltools.precision import parameters_in, widened
from kerneltools.primitives import by_rows, solve_triangular
from kerneltools.solvers.checks import check_examples, check_reg
from kerneltools.solvers.convergence import warn_imprecise
from kerneltools.solvers.sums import row_weights
from kerneltools.structures.base import (
    Collection,
    by_objects,
    count,
    in_type,
    is_collection,
    like_of,
    part,
    require_alike,
    require_examples,
    require_known,
)
from kerneltools.trees import Tree, static
from kerneltools.units import square_unit_of

BLOCK_ENTRIES = 2**22
"""The entries of a block of a kernel matrix: 32 MB in float64."""

KEPT_ENTRIES = 2**25
"""Of the features of all rows, where they are made once and kept: 268 MB in float64."""


@dataclass(frozen=True, eq=False)
class KernelModel(Tree):
    """The function x -> k(x, Z) α, with the numbers of its solution.

    `points` Z (m, d), `coefficients` α (m, t) in float64 where the library has it. Kernel values are computed in the
    type of the rows or of Z, the wider one: a direct solver keeps Z in float64. `shift`: the ε that was added to
    k(Z, Z), relative to its greatest entry; 0 where there was none. `iterations`, `residual` and
    `converged`: what the solver says of itself; a direct one took none.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> model = falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), reg=1e-6)
    >>> model.coefficients.shape, model.converged, model(np.array([[np.pi / 2]])).round(2)
    ((10, 1), True, array([[1.]]))
    """

    kernel: Kernel
    points: Array
    coefficients: Array
    iterations: int = static(0)
    residual: float = static(0.0)
    converged: bool = static(True)
    shift: float = static(0.0)

    @overload
    def __call__(self, x: A, block: int | None = None) -> A: ...

    @overload
    def __call__(self, x: Collection, block: int | None = None) -> Array: ...

    def __call__(self, x: Any, block: int | None = None) -> Array:
        """(..., d) -> (..., t), `block` rows at a time; memory beyond x and the result: O(block m)."""
        size = rows_of_block(self.points, block)
        if is_collection(x) or is_collection(self.points):
            require_alike(self.points, x, "x", "the landmarks")
            return by_objects(x, self._values, size)
        require_floating(x=x)
        if x.ndim < 1 or x.shape[-1] != self.points.shape[1]:
            raise ValueError(
                f"x: expected (..., {self.points.shape[1]}) for landmarks of shape {tuple(self.points.shape)}, "
                f"got {tuple(x.shape)}"
            )
        xp = namespace(x, self.points)
        rows = points_of(x)
        values = [self._values(rows[part, :]) for part in blocks(rows.shape[0], size)]
        found = xp.concat(values) if values else self._values(rows)
        return xp.reshape(found, (*x.shape[:-1], found.shape[1]))

    def _values(self, x: Array) -> Array:
        # Coefficients may be large and of both signs: what float32 would lose in the sum is what is left of it.
        gram = wide_gram(self.kernel, x, self.points, self.coefficients.dtype)
        values = gram @ self.coefficients
        return namespace(values).astype(values, like_of(x).dtype)


@dataclass(frozen=True, eq=False)
class Features:
    """φ(x) = W' k(Z, x) for the rows of x, with W W' = (k(Z, Z) + ε I)^-1; weights on φ are `whitening` @ weights on k.

    Kernel values are computed in the type of x or of Z, the wider one, products with them in that of W (m, m): float64
    where there is one. They are those of the kernel over `unit`, a power of two. `kept`: φ of all rows (n, m), or None
    where they are made again in each pass.
    """

    kernel: Kernel
    points: Array
    x: Array
    whitening: Array
    block: int
    unit: float = 1.0
    shift: float = 0.0
    kept: Array | None = None

    @property
    def n(self) -> int:
        """The number of rows."""
        return count(self.x)

    @property
    def m(self) -> int:
        """The number of landmarks."""
        return count(self.points)

    def parts(self) -> Iterator[slice]:
        """The blocks of rows."""
        return blocks(self.n, self.block)

    def keeping(self) -> "Features":
        """The same, with φ of all rows made once."""
        return replace(self, kept=(by_objects if is_collection(self.x) else by_rows)(self.x, self.of, self.block))

    def of(self, x: Array) -> Array:
        """φ(x): (b, d) -> (b, m)"""
        return upper_product(self.gram(x), self.whitening)

    def gram(self, x: Array) -> Array:
        """k(x, Z), in the type of W: (b, d) -> (b, m)"""
        values = wide_gram(self.kernel, x, self.points, self.whitening.dtype)
        return values if self.unit == 1 else values / self.unit

    def norms(self) -> Array:
        """k(z, z) of the landmarks: (m,)"""
        values = widened(self.kernel).diag(widened(self.points))
        return namespace(values).astype(values, self.whitening.dtype) / self.unit

    def scores(self, weights: Array) -> Array:
        """(m, t) -> (n, t)"""
        if self.kept is not None:
            return self.kept @ weights
        coefficients = self.whitening @ weights
        pieces = [self.gram(part(self.x, rows)) @ coefficients for rows in self.parts()]
        return namespace(*pieces).concat(pieces)

    def sums(self, of_scores: Callable[[slice, Array], Array], weights: Array) -> Array:
        """Σ φ(x) f(x)' in one pass, for a function f of the rows' numbers and scores: (m, t) -> (m, t)"""
        xp = namespace(like_of(self.x))
        if self.kept is not None:
            return xp.matrix_transpose(self.kept) @ of_scores(slice(0, self.n), self.kept @ weights)
        coefficients, total = self.whitening @ weights, xp.zeros_like(weights)
        for rows in self.parts():
            gram = self.gram(part(self.x, rows))
            total = total + xp.matrix_transpose(gram) @ of_scores(rows, gram @ coefficients)
        return xp.matrix_transpose(self.whitening) @ total

    def sums_of(self, values: Array) -> Array:
        """Σ φ(x_i) v_i': (n, t) -> (m, t)"""
        xp = namespace(like_of(self.x))
        if self.kept is not None:
            return xp.matrix_transpose(self.kept) @ values
        total = xp.zeros((self.m, values.shape[1]), dtype=values.dtype, device=device_of(values))
        for rows in self.parts():
            total = total + xp.matrix_transpose(self.gram(part(self.x, rows))) @ values[rows, :]
        return xp.matrix_transpose(self.whitening) @ total

    def zeros(self, columns: int) -> Array:
        """Weights of no features: (m, columns)."""
        xp, like = namespace(self.whitening), self.whitening
        return xp.zeros((self.m, columns), dtype=like.dtype, device=device_of(like))


@dataclass(frozen=True, eq=False)
class Problem:
    """A regularised problem on features: its targets (n, t), and the weights of the rows, which sum to 1: (n,).

    `reg`: λ over the unit of the features.
    """

    features: Features
    targets: Array
    weights: Array
    reg: float

    def model(self, weights: Array, iterations: int, residual: float, converged: bool) -> KernelModel:
        """The model with these weights on the features."""
        features = self.features
        coefficients = features.whitening @ weights / features.unit
        return KernelModel(
            features.kernel, features.points, coefficients, iterations, residual, converged, features.shift
        )


def problem(
    kernel: Kernel,
    points: Array,
    x: Array,
    targets: Array,
    reg: float,
    weights: Array | None,
    block: int | None,
    name: str = "y",
    iterative: bool = True,
) -> Problem:
    """Check the arguments that all solvers on landmarks have, and factor the landmarks' matrix in float64.

    Products of kernel values with W carry its rounding errors; `iterative` solvers need them to be below λ. The others
    go over the rows once, and compute kernel values in float64 too: then k(Z, Z) needs no greater shift than that.
    """
    kernel = as_kernel(kernel)
    check_examples(x, targets, weights, name=name)
    require_examples("(m, d)", points=points)
    require_together(x=like_of(x), points=like_of(points))
    require_alike(x, points, "points")
    if points.shape[0] == 0:
        raise ValueError(f"points: expected at least one landmark, got shape {tuple(points.shape)}")
    require_known(x=x, points=points, **{name: targets})
    check_reg(reg, like_of(points), widest_float(like_of(points)))
    require_room(points)
    if not iterative:
        points = precise(kernel, points)
    unit = _unit_of(kernel, points)
    whitening, shift = landmark_whitening(kernel, points, reg if iterative else None, unit)
    xp = namespace(whitening)
    wide = xp.astype(targets, whitening.dtype)
    shares = row_weights(wide, weights)
    features = Features(kernel, points, x, whitening, min(rows_of_block(points, block), x.shape[0]), unit, shift)
    return Problem(features, wide, shares / xp.sum(shares), reg / unit)


def _unit_of(kernel: Kernel, points: Array) -> float:
    """A power of two near the greatest k(z, z), where its square would over- or underflow; 1 inside a trace."""
    diagonal = widened(kernel).diag(widened(points))
    try:
        return square_unit_of(float(namespace(diagonal).max(diagonal)))
    except (TypeError, RuntimeError):
        return 1.0


def landmark_whitening(
    kernel: Kernel, points: Array, reg: float | None = None, unit: float = 1.0
) -> tuple[Array, float]:
    """L^-T in float64, for L L' = k(Z, Z) + ε I with ε = m times the rounding of the type of Z, relative, and ε.

    (m, d) -> (m, m), number. Identical landmarks are made independent by ε. With `reg`, ε is raised where products with
    L^-T, whose rounding errors are of the order of eps m / sqrt(ε), would not know numbers of that size apart, though
    not above 1e-9 m. Of the kernel over `unit`.

    Raises ValueError, naming the kernel, where there is no such factor; warns (PrecisionWarning) where ε then decides
    more than λ.
    """
    wide = widened(points)
    gram = parameters_in(like_of(wide).dtype, kernel)(wide, wide)
    require_definite(kernel, gram)
    if unit != 1:
        gram, reg = gram / unit, None if reg is None else reg / unit
    xp, m = namespace(gram), int(points.shape[0])
    least = m * float(xp.finfo(gram.dtype).eps)
    whitening = _inverse_factor(kernel, gram, least)
    if reg is None or not reg > 0:
        return whitening, least
    rounding = 5 * xp.finfo(whitening.dtype).eps * m
    norm = float(xp.sqrt(xp.max(xp.sum(whitening * whitening, axis=1)) * xp.max(xp.linalg.diagonal(gram))))
    if rounding * norm <= reg:
        return whitening, least
    wanted = max(min(2 * rounding / reg, sqrt(1e-9 * m)) ** 2, least)
    greatest = float(xp.max(xp.linalg.diagonal(gram)))
    # The penalty damps eigenvalues of k(Z, Z) below some m λ; ε should damp no others.
    if wanted * greatest > m * reg:
        warn_imprecise(reg * unit, wanted * greatest * unit)
    return _inverse_factor(kernel, gram, wanted), float(wanted)


def _inverse_factor(kernel: Kernel, gram: Array, rtol: float) -> Array:
    try:
        factor = cholesky_factor(gram, rtol)
    except (ValueError, RuntimeError) as error:  # what the libraries raise for it
        raise ValueError(why_no_factor(kernel, gram)) from error
    xp = namespace(factor)
    if not holds(xp.all(xp.isfinite(factor))):
        raise ValueError(why_no_factor(kernel, gram))
    return xp.matrix_transpose(solve_triangular(factor, identity_like(factor)))


def require_definite(kernel: Kernel, gram: Array) -> None:
    """Raise ValueError for a Gram matrix that is not finite or has a negative diagonal."""
    xp = namespace(gram)
    if not holds(xp.all(xp.isfinite(gram))):
        raise ValueError(f"kernel: {kernel!r} has values that are not finite on the landmarks; look at its range")
    if not holds(xp.min(xp.linalg.diagonal(gram)) >= 0):
        raise ValueError(indefinite(kernel))


def wide_gram(kernel: Kernel, x: Array, y: Array, dtype: DType) -> Array:
    """Kernel values, computed in the wider of the types of x and y, at least float32, handed over in `dtype`: (b, m)"""
    x, y = widened((x, y))
    of_x, of_y = like_of(x), like_of(y)
    if of_x.dtype == of_y.dtype:
        gram = widened(kernel)(x, y)
    else:
        wide = of_x.dtype if _bits(of_x) > _bits(of_y) else of_y.dtype
        gram = parameters_in(wide, widened(kernel))(in_type(x, wide), in_type(y, wide))
    return namespace(gram).astype(gram, dtype)


def rows_of_block(points: Array, block: int | None) -> int:
    """How many rows of a kernel matrix are made at a time; by default some four million entries."""
    if block is not None and not is_whole(block):
        raise ValueError(f"block: expected an integer >= 1, or None, got {block!r}")
    return block if block is not None else max(64, BLOCK_ENTRIES // max(1, points.shape[0]))


def indefinite(kernel: Kernel) -> str:
    """What is said of a kernel that is no inner product of features."""
    return (
        f"kernel: k(Z, Z) has no Cholesky factor, for {kernel!r} is not positive semi-definite on the landmarks; "
        "take a positive definite kernel, or solve with the features of a map instead (kerneltools.maps, ridge)"
    )


def _bits(x: Array) -> int:
    return int(namespace(x).finfo(x.dtype).bits)

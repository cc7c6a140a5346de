"""Kernel ridge regression on all rows, with an intercept, from their stored kernel matrix: exact, without landmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isqrt
from typing import Any, overload

from kerneltools.arrays import A, Array, blocks, holds, namespace, widest_float
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import precise
from kerneltools.linalg import cholesky_solve, identity_like, why_no_factor
from kerneltools.memory import require_memory
from kerneltools.precision import parameters_in, widened
from kerneltools.solvers.checks import check_examples, check_reg
from kerneltools.solvers.features import KernelModel, indefinite, require_definite
from kerneltools.solvers.ridge import several
from kerneltools.solvers.sums import row_weights, weighted_mean
from kerneltools.structures.base import Collection, count, like_of, part, require_alike, require_known
from kerneltools.trees import Shown, Tree, together

TILE = 512
"""Rows and columns of a tile of the kernel matrix. Tiles above the diagonal are copies of those below."""


@dataclass(frozen=True, eq=False)
class InterceptModel(Tree):
    """x -> f(x) + b, with f a `KernelModel` `model` and b the `intercept` (t,).

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 30)[:, None]
    >>> model = exact_ridge(Gaussian(1.0), x, np.sin(x) + 5, reg=1e-6)
    >>> far = np.array([[100.0]])
    >>> model(far) == model.intercept, model.model(far)  # far from all rows only the intercept is left
    (array([[ True]]), array([[0.]]))
    """

    model: KernelModel
    intercept: Array

    @overload
    def __call__(self, x: A) -> A: ...

    @overload
    def __call__(self, x: Collection) -> Array: ...

    def __call__(self, x: Any) -> Array:
        """(..., d) -> (..., t)"""
        values = self.model(x)
        return values + namespace(values).astype(self.intercept, values.dtype)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Checked rows in the type that kernel values are computed in, by `evaluated`, of `prepared`;
    all the rest in the widest type.

    `y`: targets less their mean; `root`: the roots of the weights, None if none were given; `total`: the weights' sum.
    """

    kernel: Kernel
    evaluated: Kernel
    x: Array
    prepared: Array
    y: Array
    y_mean: Array
    weights: Array
    root: Array | None
    total: Array

    def gram(self, shift: Array | float | None = None) -> Array:
        """W^½ K W^½ + shift I, by tiles: (n, n)"""
        parts = list(blocks(self.x.shape[0], TILE))
        tiles = [[self._tile(here, there, shift) for there in parts[: i + 1]] for i, here in enumerate(parts)]
        if len(parts) == 1:
            return tiles[0][0]
        xp = namespace(self.y)
        across = [[xp.matrix_transpose(tiles[j][i]) for j in range(i + 1, len(parts))] for i in range(len(parts))]
        return xp.concat([xp.concat([*left, *right], axis=1) for left, right in zip(tiles, across, strict=True)])

    def scaled(self, columns: Array) -> Array:
        """W^½ times columns (n, t)."""
        return columns if self.root is None else self.root[:, None] * columns

    def model(self, coefficients: Array, intercept: Array) -> InterceptModel:
        return InterceptModel(KernelModel(self.kernel, self.x, coefficients), intercept)

    def rounding(self) -> Array:
        """The λ at which rounding of the kernel's values begins to matter: ()"""
        diagonal = self.evaluated.diag(self.x)
        xp = namespace(diagonal)
        eps = self.x.shape[0] * xp.finfo(diagonal.dtype).eps
        return eps * weighted_mean(xp.astype(diagonal, self.y.dtype)[:, None], self.weights)[0]

    def _tile(self, here: slice, there: slice, shift: Array | float | None) -> Array:
        values = self.evaluated(part(self.prepared, here), part(self.prepared, there))
        tile = namespace(values).astype(values, self.y.dtype)
        if self.root is not None:
            tile = tile * self.root[here][:, None] * self.root[there][None, :]
        return tile if shift is None or here != there else tile + shift * identity_like(tile)


def exact_ridge(kernel: Kernel, x: Array, y: Array, reg: float, *, weights: Array | None = None) -> InterceptModel:
    """Exact kernel ridge regression: minimise (1/Σw) Σ w_i |f(x_i) + b - y_i|² + λ |f|², by a Cholesky factor.

    Rows (n, d), targets (n, t), weights (n,) >= 0 or None -> model of (..., d) -> (..., t)

    f = k(., X) α with (K + λ Σw W^-1) α = y - b and 1'α = 0 (Saunders, Gammerman and Vovk 1998, with an intercept).
    `reg`: λ > 0. It takes O(n³ / 3) operations and 3.4 n² numbers, in float64 if the library has it. If λ is lost in
    the rounding of K, it uses `exact_path`, which takes some ten times as long and leaves out directions that are
    rounding errors. For more rows than this allows, take `kernel_ridge`, `falkon` or `nystrom_pcg`.

    Raises ValueError for shapes that do not fit, negative weights, NaN, λ <= 0 and indefinite kernels, and MemoryError
    before it begins if there is no room.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> model = exact_ridge(Gaussian(1.0), x, np.sin(x) + 5, reg=1e-6)
    >>> bool(np.abs(model(x) - np.sin(x) - 5).max() < 0.02)
    True
    """
    rows = _rows(kernel, x, y, weights)
    check_reg(reg, rows.y)
    _require_room(rows, 3.4)
    if not holds(reg > rows.rounding()):
        return _path(rows).model(reg)
    xp, t = namespace(rows.y), y.shape[1]
    both = xp.concat([rows.y, xp.ones_like(rows.y[:, :1])], axis=1)
    solved = rows.scaled(cholesky_solve(_factor(rows, reg * rows.total), rows.scaled(both)))
    of_y, of_one = solved[:, :t], solved[:, t:]
    # Of targets less their mean: what is left for b is small.
    shift = xp.sum(of_y, axis=0) / xp.sum(of_one)
    return rows.model(of_y - of_one * shift, rows.y_mean + shift)


@dataclass(frozen=True, eq=False)
class ExactPath(Shown):
    """The solutions of `exact_ridge` for all λ, prepared by `exact_path`; each costs O(n² t), no factorisation.

    W^½ K W^½ about the means of k is U S U': `basis` U (n, n - 1), without the direction of the intercept, `spectrum` S
    (n - 1,), with 0 for directions that are rounding errors, `projected` (n - 1, t): the targets, less their mean and
    times W^½, along U. `gram_mean` (n,): the mean of k(x, .). For rows that stand for several equal ones, `count` () is
    the original number of rows, and `beyond` (t,) the squares of targets that no function of the rows explains.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 30)[:, None]
    >>> path, regs = exact_path(Gaussian(1.0), x, np.sin(x)), [1e-6, 1e-3, 1.0]
    >>> errors = np.mean(path.leave_one_out(regs) ** 2, axis=(1, 2))
    >>> path.model(regs[int(np.argmin(errors))])(np.array([[0.1]])).round(3)
    array([[0.093]])
    """

    rows: _Rows
    gram_mean: Array
    spectrum: Array
    basis: Array
    projected: Array
    count: Array
    beyond: Array

    def model(self, reg: float) -> InterceptModel:
        """The solution for λ = reg > 0. Raises ValueError if λ is not a number > 0, or underflows."""
        shifted = self.spectrum + self._shift(reg)
        xp = namespace(shifted)
        shrink = xp.where(self.spectrum > 0, 1 / shifted, xp.zeros_like(shifted))
        coefficients = self.rows.scaled(self.basis @ (shrink[:, None] * self.projected))
        return self.rows.model(coefficients, self.rows.y_mean - self.gram_mean @ coefficients)

    def leave_one_out(self, regs: Sequence[float]) -> Array:
        """The prediction of each row by a model fitted without it: r values of λ -> (r, n, t)

        Exact, like `RidgePath.leave_one_out`. Raises ValueError if there is no λ, or only one row of weight > 0.
        """
        known = namespace(self.basis).count_nonzero(self.rows.weights > 0)
        if not holds(known >= 2):
            raise ValueError(f"leave_one_out: expected at least 2 rows of weight > 0, got {int(known)}")
        return namespace(self.basis).stack([self._left_out(reg) for reg in several(regs)])

    def generalised_cross_validation(self, regs: Sequence[float]) -> Array:
        """An estimate of the mean squared error on new rows, like `RidgePath`'s: r values of λ -> (r, t)"""
        return namespace(self.basis).stack([self._gcv(reg) for reg in several(regs)])

    def noise_variance(self, reg: float) -> Array:
        """The variance of the noise of a row of weight 1, as `RidgePath.noise_variance`: -> (t,)

        Raises ValueError where λ is not a number > 0. Of a single row, nothing is known: 0.
        """
        error, left = self._misfit(reg)
        return error / namespace(error).where(left > 0, left, namespace(left).ones_like(left))

    def variance(self, x: Any, reg: float, block: int = 4096) -> Array:
        """How far f(x) + b is uncertain, in multiples of `noise_variance`: (n', d) -> (n',)

        The posterior variance of a Gaussian process with the covariance k σ² / (λ n), and any constant b alike, as
        `RidgePath.variance` (Rasmussen and Williams 2006, 2.42), `block` rows at a time, O(n²) operations each.

        Raises ValueError for rows of another length, and where λ is not a number > 0.

        >>> import numpy as np
        >>> from kerneltools.kernels import Gaussian
        >>> x = np.linspace(0, 6, 30)[:, None]
        >>> exact_path(Gaussian(1.0), x, np.sin(x)).variance(np.asarray([[3.0], [1000.0]]), reg=1e-2).round(2)
        array([0.17, 4.42])
        """
        shift, known = self._shift(reg), self.rows
        require_alike(known.x, x, "x", "the rows")
        shrink = namespace(shift).where(self.spectrum > 0, 1 / (self.spectrum + shift), 0 * self.spectrum)
        whole = weighted_mean(self.gram_mean[:, None], known.weights)[0]
        n = namespace(shift).maximum(self.count, known.total)

        def of_some(some: Any) -> Array:
            rows = widened(precise(known.kernel, some))
            xp, wide = namespace(known.y), known.y.dtype
            values = xp.astype(known.evaluated(rows, known.x), wide)
            diagonal = xp.astype(known.evaluated.diag(rows), wide)
            about = diagonal - 2 * (values @ known.weights) / known.total + whole
            along = xp.matrix_transpose(known.scaled(xp.matrix_transpose(values - self.gram_mean))) @ self.basis
            missed = about - (along * along) @ shrink
            least = xp.zeros_like(missed)
            return (xp.maximum(missed, least) / shift + 1 / known.total) * (known.total / n)

        parts = list(blocks(count(x), block)) or [slice(0, 0)]
        return namespace(shift).concat([of_some(part(x, some)) for some in parts])

    def _gcv(self, reg: float) -> Array:
        error, left = self._misfit(reg)
        xp = namespace(error, left)
        # Of a single row nothing is known.
        known = xp.where(left > 0, left, xp.ones_like(left))
        errors = error / known**2
        return xp.where(left > 0, errors, xp.full_like(errors, inf))

    def _misfit(self, reg: float) -> tuple[Array, Array]:
        """The mean squared residual (t,), and 1 - tr H / n."""
        missed, total = self._missed(reg), self.rows.total
        xp = namespace(missed)
        residual = missed[:, None] * self.projected
        n = xp.maximum(self.count, total)
        left = xp.sum(missed) + (n - 1 - missed.shape[0])
        return (self.beyond + xp.sum(residual * residual, axis=0)) / total, left / n

    def _left_out(self, reg: float) -> Array:
        missed, rows = self._missed(reg), self.rows
        residual = self.basis @ (missed[:, None] * self.projected)
        left = (self.basis * self.basis) @ missed
        residual, known = residual / left[:, None], rows.y_mean + rows.y
        if rows.root is None:
            return known - residual
        xp, seen = namespace(residual), (rows.root > 0)[:, None]
        found = known - residual / xp.where(seen, rows.root[:, None], xp.ones_like(residual))
        if not holds(~xp.all(seen)):
            return found
        # What counts for nothing leaves nothing behind.
        return xp.where(seen, found, xp.astype(self.model(reg)(rows.x), found.dtype))

    def _missed(self, reg: float) -> Array:
        """The share of the targets along each direction that the solution misses: (n - 1,)"""
        shift = self._shift(reg)
        return shift / (self.spectrum + shift)

    def _shift(self, reg: float) -> Array:
        check_reg(reg, self.spectrum)
        return reg * self.rows.total


def exact_path(kernel: Kernel, x: Array, y: Array, *, weights: Array | None = None) -> ExactPath:
    """Prepare `exact_ridge` for every λ, by the eigenvectors of the kernel matrix about its means.

    Rows (n, d), targets (n, t), weights (n,) >= 0 or None -> path

    It takes O(10 n³) operations and 7 n² numbers, in float64 if the library has it: as long as some eleven λ one by
    one, but with leave-one-out and generalised cross-validation of each. Raises what `exact_ridge` raises.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 50)[:, None]
    >>> path = exact_path(Gaussian(1.0), x, np.sin(x))
    >>> bool(np.abs(path.leave_one_out([1e-6])[0] - np.sin(x)).max() < 0.02)
    True
    """
    return _path(_rows(kernel, x, y, weights))


def merged_path(path: ExactPath, count: float, beyond: Array) -> ExactPath:
    """The path where rows stand for `count` ones, whose targets are off by so much, squared and weighted: (t,)"""
    return replace(path, count=path.count * 0 + count, beyond=beyond)


def _path(rows: _Rows) -> ExactPath:
    _require_room(rows, 7)
    gram = rows.gram()
    require_definite(rows.kernel, gram)
    xp, one = namespace(gram), rows.scaled(namespace(gram).ones_like(rows.y[:, :1]))[:, 0]
    mean = (gram @ one) / rows.total
    # Twice: the error of a mean of numbers near 1 is the same along a row, and would pass for a direction.
    centred = _centred(_centred(gram, one, rows.total), one, rows.total)
    scale = xp.max(xp.linalg.diagonal(gram))
    # The intercept's direction has the eigenvalue 0, as nearly as others have: as the greatest it mixes with none.
    greatest = 2 * xp.max(xp.sum(xp.abs(centred), axis=1)) + xp.where(scale > 0, scale, xp.ones_like(scale))
    spectrum, basis = xp.linalg.eigh(centred + one[:, None] * (greatest / rows.total * one)[None, :])
    spectrum, basis = spectrum[:-1], basis[:, :-1]
    eps = xp.finfo(rows.evaluated.diag(part(rows.x, slice(0, 1))).dtype).eps
    noise = gram.shape[0] * eps * xp.max(xp.concat([spectrum, xp.reshape(scale, (1,))]))
    if not holds(xp.all(spectrum >= -noise)):
        raise ValueError(why_no_factor(rows.kernel, rows.evaluated(rows.prepared, rows.prepared)))
    spectrum = xp.where(spectrum > noise, spectrum, xp.zeros_like(spectrum))
    projected = xp.matrix_transpose(basis) @ rows.scaled(rows.y)
    count = xp.sum(xp.astype(rows.weights > 0, rows.y.dtype))
    return ExactPath(
        rows=rows,
        gram_mean=_mean_of_gram(mean, rows),
        spectrum=spectrum,
        basis=basis,
        projected=projected,
        count=count,
        beyond=xp.zeros_like(rows.y_mean),
    )


def _require_room(rows: _Rows, squares: float) -> None:
    """Raise MemoryError unless there is room for so many matrices (n, n) at once."""
    n = int(rows.x.shape[0])
    require_memory(
        f"x: {n} rows need",
        8 * squares * n**2,
        rows.y,
        lambda free: f"take at most {isqrt(int(free / 8 / squares))} rows, or nystrom_pcg",
    )


def _centred(gram: Array, one: Array, total: Array) -> Array:
    """W^½ K W^½ less the weighted means of K's rows and columns, `one` = W^½ 1: (n, n), (n,), () -> (n, n)"""
    mean = (gram @ one) / total
    return gram - mean[:, None] * one[None, :] - one[:, None] * (mean - one * (one @ mean) / total)[None, :]


def _mean_of_gram(mean: Array, rows: _Rows) -> Array:
    """Σ_j w_j k(x_i, x_j) / Σw of the rows of weight > 0, from W^½ times it: (n,)"""
    if rows.root is None:
        return mean
    xp = namespace(mean)
    return mean / xp.where(rows.root > 0, rows.root, xp.ones_like(rows.root))


def _factor(rows: _Rows, shift: Array) -> Array:
    gram = rows.gram(shift)
    try:
        factor = namespace(gram).linalg.cholesky(gram)
    except (ValueError, RuntimeError) as error:  # what the libraries raise for it
        raise ValueError(_why(rows)) from error
    xp = namespace(factor)
    # What is not finite somewhere in a row is not on its diagonal either.
    if not holds(xp.all(xp.isfinite(xp.linalg.diagonal(factor)))):
        raise ValueError(_why(rows))
    return factor


def _why(rows: _Rows) -> str:
    gram = rows.evaluated(rows.prepared, rows.prepared)
    require_definite(rows.kernel, gram)
    return why_no_factor(rows.kernel, gram)


def _rows(kernel: Kernel, x: Array, y: Array, weights: Array | None) -> _Rows:
    kernel = as_kernel(kernel)
    check_examples(x, y, weights)
    require_known(x=x, y=y)
    if kernel.indefinite:
        raise ValueError(indefinite(kernel))
    x, y, weights = together(x, y, weights)
    x = widened(precise(kernel, x))
    targets = namespace(like_of(x), y).astype(y, widest_float(like_of(x)))
    w = row_weights(targets, weights)
    mean, xp = weighted_mean(targets, w), namespace(w)
    root = None if weights is None else xp.sqrt(w)
    evaluated = parameters_in(like_of(x).dtype, widened(kernel))
    return _Rows(kernel, evaluated, x, evaluated.prepared(x), targets - mean, mean, w, root, xp.sum(w))

"""Ridge regression on features: the whole λ path and the exact leave-one-out error from one factorisation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from kerneltools.arrays import A, Array, DType, blocks, holds, namespace, widest_float
from kerneltools.linalg import solve_shifted
from kerneltools.primitives import program, reciprocal
from kerneltools.solvers.checks import check_reg, check_rows
from kerneltools.solvers.sums import RidgeSums, check_means, ridge_sums, row_weights, weighted_mean
from kerneltools.trees import Shown, Tree, together


@dataclass(frozen=True, eq=False)
class LinearModel(Tree):
    """x -> x W + b, with `weights` W (d, t) and `intercept` b (t,).

    >>> import numpy as np
    >>> LinearModel(np.asarray([[1.0], [2.0]]), np.asarray([0.5]))(np.asarray([[1.0, 1.0]]))
    array([[3.5]])
    """

    weights: Array
    intercept: Array

    def __call__(self, x: A) -> A:
        """(..., d) -> (..., t). Raises ValueError for rows of another length, TypeError for another library."""
        namespace(x, self.weights, self.intercept)
        if x.ndim < 1 or x.shape[-1] != self.weights.shape[0]:
            raise ValueError(
                f"x: expected (..., {self.weights.shape[0]}) for a model of {self.weights.shape[0]} columns, "
                f"got {tuple(x.shape)}"
            )
        values: A = namespace(x, self.weights).matmul(x, self.weights) + self.intercept
        return values


@dataclass(frozen=True, eq=False)
class Rows(Shown):
    """The rows that a path was made of: x (n, d), y (n, t), and their weights (n,) or None."""

    x: Array
    y: Array
    weights: Array | None


@dataclass(frozen=True, eq=False)
class RidgePath(Shown):
    """The ridge solutions for all λ, prepared by `ridge_path` or `path_of`; each costs O(d² t), no factorisation.

    The problem: minimise (1/Σw) Σ w_i |y_i - W' x_i - b|² + λ |W|²; the intercept b is not penalised.

    X'X = V S V' about the means: `basis` V, `spectrum` S (0 for directions whose variance is rounding error, which
    predict nothing), `projected` V'X'y; `beyond` (t,): the squared residual that no λ takes away.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.solvers import ridge_path
    >>> path = ridge_path(x, x[:, :1])
    >>> path.model(1e-6)(x).shape, path.generalised_cross_validation([1e-3, 1.0]).shape
    ((100, 1), (2, 1))
    """

    x_mean: Array
    y_mean: Array
    weight: Array
    count: Array
    spectrum: Array
    basis: Array
    projected: Array
    beyond: Array
    dtype: DType
    rows: Rows | None = None

    def model(self, reg: float) -> LinearModel:
        """The solution for λ = reg > 0, in the type of x.

        Raises ValueError where λ is not a number > 0, or underflows.
        """
        xp = namespace(self.basis, self.projected)
        weights = self.basis @ (self._shrink(reg)[:, None] * self.projected)
        intercept = self.y_mean - self.x_mean @ weights
        return LinearModel(xp.astype(weights, self.dtype), xp.astype(intercept, self.dtype))

    def leave_one_out(self, regs: Sequence[float], block: int = 4096) -> Array:
        """The prediction of each row by a fit without it.

        r values of λ -> (r, n, t), exactly: the residual over 1 - h_ii, with h the hat matrix of the centred
        problem plus w_i / Σw for the intercept (Allen 1974). A row is left out with all of its weight: where it stands
        for so many equal ones, with all of them, and none is left that would give its value away. Goes through the
        rows once, `block` at a time.

        Raises ValueError for a path made of sums, which has no rows, and for no λ.
        """
        regs = several(regs)
        if self.rows is None:
            raise ValueError(
                "leave_one_out: this path was made of sums and has no rows; use generalised_cross_validation"
            )
        x, y, weights = self.rows.x, self.rows.y, self.rows.weights
        pieces = [
            self._leave_out(x[part, :], y[part, :], None if weights is None else weights[part], regs)
            for part in blocks(x.shape[0], block)
        ]
        return namespace(x, y).concat(pieces, axis=1)

    def generalised_cross_validation(self, regs: Sequence[float]) -> Array:
        """An estimate of the mean squared error on new rows, without a pass over the rows (Golub, Heath, Wahba 1979).

        r values of λ -> (r, t): the mean squared residual over (1 - tr H / n)², H the hat matrix with the intercept.
        n is the sum of the weights, so that rows that are repeated and whole weights have the same error, or the
        number of rows where that is more: weights that add up to less are shares (docs/decisions/0019-weights.md).
        Raises ValueError for no λ.
        """
        found = [self._misfit(reg) for reg in several(regs)]
        return namespace(self.spectrum, self.projected).stack([error / left**2 for error, left in found])

    def noise_variance(self, reg: float) -> Array:
        """The variance of the noise of a row of weight 1: the mean squared residual over 1 - tr H / n (Wahba 1983).

        -> (t,). n is as in `generalised_cross_validation`. With it the errors of rows left out have the size that a
        Gaussian process expects, were all leverages alike. Raises ValueError where λ is not a number > 0.

        >>> import numpy as np
        >>> draws = np.random.default_rng(0)
        >>> x = draws.standard_normal((1000, 2))
        >>> ridge_path(x, x[:, :1] + draws.normal(0, 0.5, (1000, 1))).noise_variance(1e-3).round(2)
        array([0.24])
        """
        error, left = self._misfit(reg)
        return error / left

    def variance(self, x: Array, reg: float, block: int = 4096) -> Array:
        """How far W' x + b is uncertain, in multiples of `noise_variance`: (n, d) -> (n,)

        The posterior variance where W has the prior N(0, σ² / (λ n)), b any value alike, and a row the noise σ² over
        its weight, in units of σ²: x̃' (X'X + λ Σw)^-1 x̃ + 1 / Σw, x̃ and X about the mean (Rasmussen and Williams 2006,
        2.7), times Σw / n where the weights are shares. `block` rows at a time.

        Raises ValueError for rows of another length, and where λ is not a number > 0.

        >>> import numpy as np
        >>> x = np.asarray([[-1.0], [0.0], [1.0]])
        >>> ridge_path(x, 2 * x).variance(np.asarray([[0.0], [10.0]]), reg=1e-9).round(2)
        array([ 0.33, 50.33])
        """
        check_reg(reg, self.spectrum)
        if x.ndim != 2 or x.shape[1] != self.basis.shape[0]:
            raise ValueError(f"x: expected (n, {self.basis.shape[0]}) as in the data, got {tuple(x.shape)}")
        xp = namespace(x, self.basis)
        parts = list(blocks(x.shape[0], block)) or [slice(0, 0)]
        return xp.concat([self._variance(x[part, :], reg) for part in parts])

    def _variance(self, x: Array, reg: float) -> Array:
        xp, shift = namespace(x, self.basis), self.weight * reg
        about = xp.astype(x, self.basis.dtype) - self.x_mean
        rotated = about @ self.basis
        found = (rotated * rotated) @ (1 / (self.spectrum + shift))
        if self.basis.shape[0] > self.basis.shape[1]:  # of the directions that no row has, nothing is known
            beyond = about - rotated @ xp.matrix_transpose(self.basis)
            found = found + xp.sum(beyond * beyond, axis=1) / shift
        return (found + 1 / self.weight) * (self.weight / xp.maximum(self.count, self.weight))

    def _misfit(self, reg: float) -> tuple[Array, Array]:
        """The mean squared residual (t,), and 1 - tr H / n."""
        xp = namespace(self.spectrum, self.projected)
        shrink, n = self._shrink(reg), xp.maximum(self.count, self.weight)
        missed = self.weight * reg * shrink
        residual = (missed * reciprocal(xp.sqrt(self.spectrum)))[:, None] * self.projected
        mean_square = (self.beyond + xp.sum(residual * residual, axis=0)) / self.weight
        # n - tr H as a sum of what is left in each direction: nothing cancels where all rows are interpolated.
        left = xp.sum(xp.where(self.spectrum > 0, missed, xp.ones_like(missed))) + (n - 1 - self.spectrum.shape[0])
        return mean_square, left / n

    def _leave_out(self, x: Array, y: Array, weights: Array | None, regs: Sequence[float]) -> Array:
        xp, wide = namespace(x, y), self.basis.dtype
        y = xp.astype(y, wide)
        rotated = (xp.astype(x, wide) - self.x_mean) @ self.basis
        w = row_weights(rotated, weights)
        squared = w[:, None] * rotated * rotated
        predictions = []
        for reg in regs:
            shrink = self._shrink(reg)
            fitted = rotated @ (shrink[:, None] * self.projected) + self.y_mean
            leverage = squared @ shrink + w / self.weight
            predictions.append(y - (y - fitted) / (1 - leverage)[:, None])
        return xp.stack(predictions)

    def _shrink(self, reg: float) -> Array:
        check_reg(reg, self.spectrum)
        xp = namespace(self.spectrum)
        shifted = self.spectrum + self.weight * reg
        return reciprocal(xp.where(self.spectrum > 0, shifted, xp.zeros_like(shifted)))


def ridge_path(
    x: Array, y: Array, block: int = 4096, *, weights: Array | None = None, qr: bool | None = None
) -> RidgePath:
    """Prepare the ridge regression of y on x for every λ.

    (n, d), (n, t), weights (n,) >= 0 or None -> path. A weight counts like so many equal rows.

    All sums are taken in float64 where the library has it, `block` rows at a time, whatever the type of x;
    then one eigenvalue problem of order min(n, d). Memory beyond x: O(min(n, d)² + block d).

    `qr`: factor the rows themselves, not their products. It takes some two to four times as long, and keeps the
    directions whose variance is between 1e-32 and 1e-16 of the greatest: for nearly dependent features and λ below
    1e-12 of their variance. The default is to do so only where the library has no float64, since products in float32
    lose all but three digits.

    Raises ValueError when the numbers of rows differ or n < 2, for negative weights, and for NaN and infinities in x
    or y, with their row and column.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> path = ridge_path(x, x @ np.asarray([[1.0], [2.0]]))
    >>> path.model(1e-8)(x).shape, path.leave_one_out([1e-3, 1e-1]).shape
    ((100, 1), (2, 100, 1))
    """
    check_rows(x, y, weights, least=2)
    wide = widest_float(x)
    if qr is None:
        qr = namespace(x).finfo(wide).bits < 64
    rows = Rows(x, y, weights)
    if qr or x.shape[1] > x.shape[0]:
        return _path_of_rows(rows, block, qr)
    sums = ridge_sums(x, y, weights, block)
    return _path_of_gram(sums, x.dtype, rows)


def path_of(sums: RidgeSums, dtype: DType = None) -> RidgePath:
    """The path from the sums of rows alone: all but leave-one-out.

    `dtype`: the type of the models; that of the sums when not given. Raises ValueError for sums of fewer than 2 rows
    and for sums that are not finite.

    >>> import numpy as np
    >>> from kerneltools.solvers import ridge_sums
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> path_of(ridge_sums(x, 2 * x + 1)).model(reg=1e-12)(np.array([[5.0]])).round(6)
    array([[11.]])
    """
    check_sums(sums)
    return _path_of_gram(sums, sums.gram.dtype if dtype is None else dtype, None)


def model_of(sums: RidgeSums, reg: float, dtype: DType = None) -> LinearModel:
    """`path_of(sums, dtype).model(reg)`, in a tenth of the time if only one λ is wanted."""
    check_sums(sums)
    check_reg(reg, sums.gram)
    xp, dtype = namespace(sums.gram), sums.gram.dtype if dtype is None else dtype
    weights = solve_shifted(sums.gram, sums.weight * reg, sums.cross)
    return LinearModel(xp.astype(weights, dtype), xp.astype(sums.y_mean - sums.x_mean @ weights, dtype))


def check_sums(sums: RidgeSums) -> None:
    """Raise ValueError for sums of fewer than 2 rows of weight > 0, and for those that are not finite."""
    if not holds(sums.rows >= 2):
        raise ValueError(f"sums: expected those of at least 2 rows of weight > 0, got {int(sums.rows)}")
    if not holds(namespace(sums.gram).isfinite(_total(sums.x_mean) + _total(sums.y_mean))):
        raise ValueError("sums: expected finite numbers; look for NaN and infinities among the rows")
    if not holds(namespace(sums.gram).isfinite(_total(sums.gram) + _total(sums.cross))):
        raise ValueError(f"sums: products of the rows overflow {sums.gram.dtype}; scale the rows down")


def ridge(x: Array, y: Array, reg: float, *, weights: Array | None = None, qr: bool | None = None) -> LinearModel:
    """The ridge regression of y on x for one λ = reg > 0: minimise (1/Σw) Σ w_i |y_i - W' x_i - b|² + λ |W|².

    (n, d), (n, t), weights (n,) >= 0 or None -> model of (..., d) -> (..., t). `qr`: see `ridge_path`.

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> ridge(x, 2 * x + 1, reg=1e-12)(np.array([[5.0]])).round(6)
    array([[11.]])
    """
    return ridge_path(x, y, weights=weights, qr=qr).model(reg)


def several(regs: Any) -> tuple[float, ...]:
    """The values of λ; one of them alone too. Raises ValueError for none."""
    alone = isinstance(regs, Real) or (hasattr(regs, "ndim") and regs.ndim == 0)
    if not alone and not (hasattr(regs, "ndim") or isinstance(regs, Iterable)):
        raise TypeError(f"regs: expected numbers > 0, got {regs!r}")
    found = (regs,) if alone else tuple(regs)
    if not found:
        raise ValueError("regs: expected at least one number > 0, got none")
    return found


def _path_of_gram(sums: RidgeSums, dtype: DType, rows: Rows | None) -> RidgePath:
    """X'X = V S V'."""
    xp = namespace(sums.gram)
    _check_squares(sums.gram)
    spectrum, basis = xp.linalg.eigh(sums.gram)
    noise = xp.max(spectrum) * sums.gram.shape[0] * xp.finfo(spectrum.dtype).eps
    projected = xp.matrix_transpose(basis) @ sums.cross
    spectrum, projected = _kept(spectrum, projected, noise)
    beyond = _not_negative(sums.square - _explained(spectrum, projected))
    return RidgePath(sums.x_mean, sums.y_mean, sums.weight, sums.rows, spectrum, basis, projected, beyond, dtype, rows)


def _path_of_rows(rows: Rows, block: int, qr: bool) -> RidgePath:
    """From the rows themselves: their QR factor for n >= d, or X X' = U S U', or X = U S^(1/2) V' for n < d."""
    xp, wide = namespace(rows.x, rows.y), widest_float(rows.x)
    x, y = xp.astype(rows.x, wide), xp.astype(rows.y, wide)
    x, y, w = together(x, y, row_weights(x, rows.weights))
    x_mean, y_mean = weighted_mean(x, w), weighted_mean(y, w)
    check_means(x_mean, y_mean, rows.x, rows.y)
    dx, dy = _about(x, x_mean, w), _about(y, y_mean, w)
    if not qr:
        spectrum, basis, projected = _dual(dx, dy)
        beyond = _not_negative(xp.sum(dy * dy, axis=0) - _explained(spectrum, projected))
    else:
        spectrum, basis, projected, beyond = _singular(*_triangle(dx, dy, block))
    count = xp.sum(xp.astype(w > 0, wide))
    return RidgePath(x_mean, y_mean, xp.sum(w), count, spectrum, basis, projected, beyond, rows.x.dtype, rows)


@program
def _about(x: Array, mean: Array, w: Array) -> Array:
    """The rows about their mean, times the roots of their weights."""
    return namespace(x, w).sqrt(w)[:, None] * (x - mean)


def _triangle(x: Array, y: Array, block: int) -> tuple[Array, Array]:
    """R and Q'y of X = Q R, block by block, with what is left of y in rows of their own.

    (n, d), (n, t) -> (r, d), (r, t) with r <= d + t. Wide matrices are left as they are.
    """
    xp = namespace(x, y)
    d = x.shape[1]
    if x.shape[0] < d:
        return x, y
    both = xp.concat([x, y], axis=1)
    factor = both[:0, :]
    for rows in blocks(x.shape[0], max(block, d)):
        factor = _folded(factor, both[rows, :])
    return factor[:, :d], factor[:, d:]


@program
def _folded(factor: Array, rows: Array) -> Array:
    """R of the rows below another factor: (r, d), (b, d) -> (r', d)"""
    xp = namespace(factor, rows)
    return xp.linalg.qr(xp.concat([factor, rows]), mode="reduced").R


@program
def _singular(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """S, V, V'X'y and the squares of y beyond the span of X = U S^(1/2) V'."""
    xp = namespace(x, y)
    left, values, right = xp.linalg.svd(x, full_matrices=False)
    noise = xp.max(values) * max(x.shape) * xp.finfo(x.dtype).eps
    rotated = xp.matrix_transpose(left) @ y
    values, rotated = _kept(values, rotated, noise)
    beyond = y - left @ rotated
    return values * values, xp.matrix_transpose(right), values[:, None] * rotated, xp.sum(beyond * beyond, axis=0)


def _dual(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """S, V and V'X'y for n < d, from X X' = U S U': V = X' U S^(-1/2)."""
    xp = namespace(x)
    gram = x @ xp.matrix_transpose(x)
    _check_squares(gram)
    spectrum, left = xp.linalg.eigh(gram)
    noise = xp.max(spectrum) * x.shape[0] * xp.finfo(x.dtype).eps
    # A direction whose variance is rounding error predicts nothing, and has no V.
    kept, rotated = _kept(spectrum, xp.matrix_transpose(left) @ y, noise)
    root = xp.sqrt(kept)
    basis = xp.matrix_transpose(x) @ (left * reciprocal(root)[None, :])
    return kept, basis, root[:, None] * rotated


def _kept(spectrum: Array, projected: Array, noise: Array) -> tuple[Array, Array]:
    """Zeros in the directions that do not rise above the noise."""
    xp = namespace(spectrum, projected)
    good = spectrum > noise
    return xp.where(good, spectrum, xp.zeros_like(spectrum)), xp.where(
        good[:, None], projected, xp.zeros_like(projected)
    )


def _explained(spectrum: Array, projected: Array) -> Array:
    """The squares of y within the span of X: (t,)."""
    return namespace(spectrum, projected).sum(reciprocal(spectrum)[:, None] * projected * projected, axis=0)


def _not_negative(x: Array) -> Array:
    return namespace(x).clip(x, min=0.0)


def _total(x: Array) -> Array:
    return namespace(x).sum(x)


def _check_squares(gram: Array) -> None:
    """Say that finite rows have squares beyond their type."""
    if not holds(namespace(gram).isfinite(_total(gram))):
        raise ValueError(f"x: its squares overflow {gram.dtype}; scale the columns down")

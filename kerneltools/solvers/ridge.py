"""Ridge regression on features: the whole λ path and the exact leave-one-out error from one factorisation."""

from collections.abc import Sequence
from dataclasses import dataclass

from kerneltools.arrays import Array, blocks, device_of, namespace, require_floating, require_rank, widest_float
from kerneltools.trees import Tree


@dataclass(frozen=True, eq=False)
class LinearModel(Tree):
    """x -> x W + b, with `weights` W (d, t) and `intercept` b (t,)."""

    weights: Array
    intercept: Array

    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., t)"""
        return x @ self.weights + self.intercept


@dataclass(frozen=True, eq=False)
class RidgePath:
    """The ridge solutions for all λ, prepared by `ridge_path`; each costs O(d² t), no factorisation.

    The problem: minimise (1/n) Σ |y_i - W' x_i - b|² + λ |W|²; the intercept b is not penalised.
    """

    x: Array
    y: Array
    x_mean: Array
    y_mean: Array
    spectrum: Array
    basis: Array
    projected: Array

    @property
    def n(self) -> int:
        """The number of rows."""
        return int(self.x.shape[0])

    def model(self, reg: float) -> LinearModel:
        """The solution for λ = reg > 0, in the type of x."""
        xp = namespace(self.x, self.projected)
        weights = self.basis @ (self._shrink(reg)[:, None] * self.projected)
        intercept = self.y_mean - self.x_mean @ weights
        return LinearModel(xp.astype(weights, self.x.dtype), xp.astype(intercept, self.x.dtype))

    def leave_one_out(self, regs: Sequence[float], block: int = 4096) -> Array:
        """What each row's prediction would be, had the row not been in the data.

        r values of λ -> (r, n, t), exactly: the residual over 1 - h_ii, with h the hat matrix of the centred
        problem plus 1/n for the intercept (Allen 1974). Goes through the rows once, `block` at a time.
        """
        xp = namespace(self.x, self.y)
        pieces = [self._leave_out_rows(rows, regs) for rows in blocks(self.n, block)]
        return xp.concat(pieces, axis=1)

    def _leave_out_rows(self, rows: slice, regs: Sequence[float]) -> Array:
        xp = namespace(self.x, self.y)
        x = xp.astype(self.x[rows, :], self.basis.dtype) - self.x_mean
        y = xp.astype(self.y[rows, :], self.basis.dtype)
        rotated = x @ self.basis
        squared = rotated * rotated
        predictions = []
        for reg in regs:
            shrink = self._shrink(reg)
            fitted = rotated @ (shrink[:, None] * self.projected) + self.y_mean
            leverage = squared @ shrink + 1 / self.n
            predictions.append(y - (y - fitted) / (1 - leverage)[:, None])
        return xp.stack(predictions)

    def _shrink(self, reg: float) -> Array:
        if not reg > 0:
            raise ValueError(f"reg: expected a number > 0, got {reg}")
        return 1 / (self.spectrum + self.n * reg)


def ridge_path(x: Array, y: Array, block: int = 4096) -> RidgePath:
    """Prepare the ridge regression of y on x for every λ.

    (n, d), (n, t) -> path

    All sums are taken in float64 where the library has it, `block` rows at a time, whatever the type of x;
    then one eigenvalue problem of order min(n, d). Memory beyond x: O(min(n, d)² + block d).

    Raises ValueError when the numbers of rows differ or n < 2.
    """
    xp = namespace(x, y)
    device_of(x, y)
    require_rank(2, "(n, d)", x=x)
    require_rank(2, "(n, t)", y=y)
    require_floating(x=x, y=y)
    n = x.shape[0]
    if y.shape[0] != n or n < 2:
        raise ValueError(f"x, y: expected as many rows in both, and at least 2, got {n} and {y.shape[0]}")
    wide = widest_float(x)
    x_mean = _column_sums(x, wide, block) / n
    y_wide = xp.astype(y, wide)
    y_mean = xp.mean(y_wide, axis=0)
    centred_y = y_wide - y_mean
    if x.shape[1] <= n:
        spectrum, basis, projected = _primal(x, x_mean, centred_y, block)
    else:
        spectrum, basis, projected = _dual(xp.astype(x, wide) - x_mean, centred_y)
    return RidgePath(x, y, x_mean, y_mean, spectrum, basis, projected)


def ridge(x: Array, y: Array, reg: float) -> LinearModel:
    """The ridge regression of y on x for one λ = reg > 0: minimise (1/n) Σ |y_i - W' x_i - b|² + λ |W|².

    (n, d), (n, t) -> model of (..., d) -> (..., t)

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> ridge(x, 2 * x + 1, reg=1e-12)(np.array([[5.0]])).round(6)
    array([[11.]])
    """
    return ridge_path(x, y).model(reg)


def _column_sums(x: Array, wide: object, block: int) -> Array:
    xp = namespace(x)
    total = xp.zeros((x.shape[1],), dtype=wide, device=device_of(x))
    for rows in blocks(x.shape[0], block):
        total = total + xp.sum(xp.astype(x[rows, :], wide), axis=0)
    return total


def _primal(x: Array, x_mean: Array, y: Array, block: int) -> tuple[Array, Array, Array]:
    """X'X = V S V' and V'X'y."""
    xp = namespace(x)
    d = x.shape[1]
    gram = xp.zeros((d, d), dtype=y.dtype, device=device_of(x))
    cross = xp.zeros((d, y.shape[1]), dtype=y.dtype, device=device_of(x))
    for rows in blocks(x.shape[0], block):
        part = xp.astype(x[rows, :], y.dtype) - x_mean
        gram = gram + xp.matrix_transpose(part) @ part
        cross = cross + xp.matrix_transpose(part) @ y[rows, :]
    spectrum, basis = xp.linalg.eigh(gram)
    return _not_negative(spectrum), basis, xp.matrix_transpose(basis) @ cross


def _dual(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """The same for n < d, from X X' = U S U': V = X' U S^(-1/2)."""
    xp = namespace(x)
    spectrum, left = xp.linalg.eigh(x @ xp.matrix_transpose(x))
    spectrum = _not_negative(spectrum)
    # A direction whose variance is rounding error predicts nothing, and has no V.
    noise = xp.max(spectrum) * x.shape[0] * xp.finfo(x.dtype).eps
    kept = spectrum > noise
    root = xp.sqrt(xp.where(kept, spectrum, xp.ones_like(spectrum)))
    scale = xp.where(kept, 1 / root, xp.zeros_like(root))
    basis = xp.matrix_transpose(x) @ (left * scale[None, :])
    projected = xp.where(kept, root, xp.zeros_like(root))[:, None] * (xp.matrix_transpose(left) @ y)
    return spectrum, basis, projected


def _not_negative(spectrum: Array) -> Array:
    return namespace(spectrum).clip(spectrum, min=0.0)

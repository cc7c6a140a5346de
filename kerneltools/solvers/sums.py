"""The sums that ridge regression needs of its rows; they add up, block by block and machine by machine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace

from kerneltools.arrays import Array, blocks, device_of, holds, namespace, require_finite, widest_float
from kerneltools.primitives import program
from kerneltools.solvers.checks import check_rows
from kerneltools.trees import Tree, together


@dataclass(frozen=True, eq=False)
class RidgeSums(Tree):
    """The sums that ridge regression needs of its rows: `a.merge(b)` are those of both, in any order.

    `rows` and `weight` (): how many rows of weight > 0, and the sum of the weights; `x_mean` (d,), `y_mean` (t,):
    the weighted means; `gram` (d, d) = Σ w (x - x̄)(x - x̄)', `cross` (d, t) = Σ w (x - x̄)(y - ȳ)' and
    `square` (t,) = Σ w (y - ȳ)²: about the means, so that data far from the origin lose no digits.

    >>> import numpy as np
    >>> from kerneltools.solvers import path_of, ridge_sums
    >>> x = np.arange(6.0)[:, None]
    >>> monday, tuesday = ridge_sums(x[:4, :], 2 * x[:4, :] + 1), ridge_sums(x[4:, :], 2 * x[4:, :] + 1)
    >>> both = monday.merge(tuesday)
    >>> int(both.rows), path_of(both).model(reg=1e-12)(np.array([[10.0]])).round(6)
    (6, array([[21.]]))
    """

    rows: Array
    weight: Array
    x_mean: Array
    y_mean: Array
    gram: Array
    cross: Array
    square: Array

    def add(self, x: Array, y: Array, weights: Array | None = None, block: int = 4096) -> "RidgeSums":
        """The sums with more rows: (b, d), (b, t), (b,) -> sums"""
        return self.merge(ridge_sums(x, y, weights, block))

    def merge(self, other: "RidgeSums") -> "RidgeSums":
        """The sums of the rows of both (Chan, Golub and LeVeque 1983).

        Raises ValueError when the columns differ in number.
        """
        if self.cross.shape != other.cross.shape:
            raise ValueError(
                f"merge: expected sums of as many features and targets, got {tuple(self.cross.shape)} "
                f"and {tuple(other.cross.shape)}"
            )
        weight = self.weight + other.weight
        share = _over(other.weight, weight)
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        apart = self.weight * share
        # Added in place: there are as many numbers as in the rows, where these are few.
        gram = (apart * dx)[:, None] * dx[None, :]
        gram += self.gram
        gram += other.gram
        return RidgeSums(
            rows=self.rows + other.rows,
            weight=weight,
            x_mean=self.x_mean + share * dx,
            y_mean=self.y_mean + share * dy,
            gram=gram,
            cross=self.cross + other.cross + (apart * dx)[:, None] * dy[None, :],
            square=self.square + other.square + apart * dy * dy,
        )

    def mapped(self, f: Callable[[Array], Array]) -> "RidgeSums":
        """The sums of f(x) for a linear function f of rows, (n, d) -> (n, m): no pass over the rows."""
        transposed = namespace(self.gram).matrix_transpose
        return replace(
            self,
            x_mean=f(self.x_mean[None, :])[0, :],
            gram=f(transposed(f(self.gram))),
            cross=transposed(f(transposed(self.cross))),
        )


def ridge_sums(x: Array, y: Array, weights: Array | None = None, block: int = 4096) -> RidgeSums:
    """The sums of these rows, in float64 where the library has it, `block` rows at a time.

    (n, d), (n, t), (n,) or None -> sums; `weights` >= 0, all 1 when not given.

    Memory beyond x and y: O(d² + block d). Raises ValueError for shapes that do not fit, negative weights,
    and NaN and infinities, with their row and column.

    >>> import numpy as np
    >>> x, y = np.array([[0.0], [2.0], [4.0]]), np.array([[1.0], [1.0], [4.0]])
    >>> sums = ridge_sums(x[:2, :], y[:2, :]).add(x[2:, :], y[2:, :])
    >>> float(sums.weight), sums.x_mean, sums.gram, sums.cross
    (3.0, array([2.]), array([[8.]]), array([[6.]]))
    """
    check_rows(x, y, weights, least_weights=0, least_targets=0)
    total: RidgeSums | None = None
    for rows in blocks(x.shape[0], block):
        part = _of_block(x[rows, :], y[rows, :], None if weights is None else weights[rows], (x, y))
        total = part if total is None else total.merge(part)
    assert total is not None  # there is at least one row
    return total


def sums_of_blocks(pairs: Iterable[tuple[Array, Array, Array | None]]) -> RidgeSums:
    """The sums of a stream of blocks of rows, with products in the type of the rows: half the time for float32.

    blocks (b, d), (b, t), (b,) or None -> sums

    Sums over the blocks are in float64 where the library has it. What rounding does to the products of a block of some
    thousand rows is of the order of 1e-6 of them: enough to choose λ by, and for `moments`; `ridge_sums` has all
    digits. Memory beyond a block: 1.5 d² numbers. Raises ValueError for no block and for NaN and infinities.

    >>> import numpy as np
    >>> x, y = np.array([[0.0], [2.0], [4.0]]), np.array([[1.0], [1.0], [4.0]])
    >>> sums = sums_of_blocks([(x[:2, :], y[:2, :], None), (x[2:, :], y[2:, :], None)])
    >>> float(sums.weight), sums.x_mean, sums.gram, sums.cross
    (3.0, array([2.]), array([[8.]]), array([[6.]]))
    """
    total: RidgeSums | None = None
    origin: tuple[Array, Array] | None = None
    for x, y, weights in pairs:
        check_rows(x, y, weights, least_weights=0, least_targets=0)
        if origin is None:
            origin = _mean_of(x), _mean_of(y)
        total = _added(total, x - origin[0], y - origin[1], row_weights(x, weights))
    if total is None or origin is None:
        raise ValueError("pairs: expected at least one block, got none")
    xp, wide = namespace(total.gram), total.gram.dtype
    check_means(total.x_mean, total.y_mean, total.x_mean, total.y_mean)
    # About their means, which are far nearer to the origin than the rows are.
    dx, dy = (_over(sum, total.weight) for sum in (total.x_mean, total.y_mean))
    gram = total.gram
    gram -= (total.weight * dx)[:, None] * dx[None, :]
    return replace(
        total,
        x_mean=xp.astype(origin[0], wide) + dx,
        y_mean=xp.astype(origin[1], wide) + dy,
        gram=gram,
        cross=total.cross - (total.weight * dx)[:, None] * dy[None, :],
        square=total.square - total.weight * dy * dy,
    )


def _mean_of(x: Array) -> Array:
    """(b, d) -> (d,), in their type"""
    return namespace(x).mean(x, axis=0)


def _added(total: RidgeSums | None, dx: Array, dy: Array, w: Array) -> RidgeSums:
    """Sums about an origin with those of a block: for once, the means are sums themselves."""
    xp, wide = namespace(dx, dy), widest_float(dx)
    root = xp.sqrt(w)[:, None]
    dx, dy, w = root * dx, root * dy, xp.astype(w, wide)
    transposed, counted = xp.matrix_transpose(dx), xp.astype(root[:, 0], wide)
    products = transposed @ dx
    parts = RidgeSums(
        rows=xp.sum(xp.astype(w > 0, wide)),
        weight=xp.sum(w),
        x_mean=xp.astype(xp.matmul(root[:, 0], dx), wide),
        y_mean=xp.matmul(counted, xp.astype(dy, wide)),
        gram=products,
        cross=xp.astype(transposed @ dy, wide),
        square=xp.sum(xp.astype(dy, wide) ** 2, axis=0),
    )
    if total is None:
        return replace(parts, gram=xp.astype(products, wide))
    gram = total.gram
    gram += products
    others = [f.name for f in fields(parts) if f.name != "gram"]
    return RidgeSums(gram=gram, **{name: getattr(total, name) + getattr(parts, name) for name in others})


def check_means(x_mean: Array, y_mean: Array, x: Array, y: Array) -> None:
    """Name the first number of the rows that is not finite: a mean has seen them all."""
    xp = namespace(x_mean, y_mean)
    total = xp.sum(x_mean) + xp.sum(y_mean)
    if not holds(xp.isfinite(total)):
        require_finite(x=x, y=y)


def _of_block(x: Array, y: Array, weights: Array | None, whole: tuple[Array, Array]) -> RidgeSums:
    xp, wide = namespace(x, y), widest_float(x)
    x, y = xp.astype(x, wide), xp.astype(y, wide)
    x, y, w = together(x, y, row_weights(x, weights))
    xp = namespace(w)
    weight = xp.sum(w)
    x_mean, y_mean = weighted_mean(x, w), weighted_mean(y, w)
    check_means(x_mean, y_mean, *whole)
    dx, dy = x - x_mean, y - y_mean
    if weights is not None:
        # Roots on both sides: a product of a matrix with its own transpose takes half the time.
        root = xp.sqrt(w)[:, None]
        dx, dy = root * dx, root * dy
    transposed = xp.matrix_transpose(dx)
    rows = xp.sum(xp.astype(w > 0, wide))
    return RidgeSums(rows, weight, x_mean, y_mean, transposed @ dx, transposed @ dy, xp.sum(dy * dy, axis=0))


def value_sums(x: Array, y: Array, weights: Array | None = None) -> RidgeSums:
    """`ridge_sums` for kernel values x, all rows at a time: their mean is no longer than they are.

    (n, d), (n, t), (n,) or None -> sums

    About the mean of y, and the origin of x: the square of mean over spread is what x loses of the digits of float64.
    """
    xp, wide = namespace(x, y), widest_float(x)
    x, y = xp.astype(x, wide, copy=False), xp.astype(y, wide, copy=False)
    w = row_weights(y, weights)
    weight, y_mean = xp.sum(w), weighted_mean(y, w)
    dy, counted = y - y_mean, w
    if weights is not None:
        counted = xp.sqrt(w)
        x, dy = counted[:, None] * x, counted[:, None] * dy
    x_mean, transposed = _over(xp.matmul(counted, x), weight), xp.matrix_transpose(x)
    gram = transposed @ x
    gram -= (weight * x_mean)[:, None] * x_mean[None, :]
    return RidgeSums(
        rows=xp.sum(xp.astype(w > 0, w.dtype)),
        weight=weight,
        x_mean=x_mean,
        y_mean=y_mean,
        gram=gram,
        cross=transposed @ dy - x_mean[:, None] * xp.matmul(counted, dy)[None, :],
        square=xp.sum(dy * dy, axis=0),
    )


FAR = 100
"""So many times the rounding of sums of kernel values λ is to be, for whitening to leave them exact enough."""


def sums_will_do(whitening: Array, squares: Array, reg: float) -> bool:
    """Whether λ is far above the rounding errors of means of products of kernel values, which whitening them enlarges.

    (m, m), the mean squares of the values (m,), or a bound on these, number -> whether

    The rounding of a sum of many products is of the order of eps times the sum, and that of different sums is
    independent: whitened, a matrix of norm sqrt(m) eps Σ_j W_ji² q_j at most. Where W has the size 1 / sqrt(m eps), λ
    rarely is above that; where landmarks lie apart it is.
    """
    xp = namespace(whitening)
    rounding = xp.finfo(whitening.dtype).eps * whitening.shape[0] ** 0.5
    size = xp.max(xp.matmul(squares, whitening * whitening))
    return not holds(~(FAR * rounding * size < reg))


def row_weights(x: Array, weights: Array | None) -> Array:
    """The weights of the rows of x in its type, 1 when not given: (n,)."""
    xp = namespace(x, weights)
    if weights is None:
        return xp.ones((x.shape[0],), dtype=x.dtype, device=device_of(x))
    return xp.astype(weights, x.dtype)


@program
def weighted_mean(x: Array, w: Array) -> Array:
    """The mean row, 0 where all weights are 0: (n, d), (n,) -> (d,)"""
    xp = namespace(x, w)
    return _over(xp.matmul(w, x), xp.sum(w))


def _over(a: Array, b: Array) -> Array:
    """a / b for b >= 0, and a where b is 0: a is 0 then."""
    xp = namespace(a, b)
    return a / xp.where(b > 0, b, xp.ones_like(b))

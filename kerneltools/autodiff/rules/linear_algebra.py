"""Derivatives of decompositions and inverses (Giles 2008, "Collected matrix derivative results"; Murray 2016 for
Cholesky). A bar stands over a cotangent on paper; here it is called g.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log2
from typing import Any

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.autodiff.array import constant
from kerneltools.autodiff.operation import Operation, Pull, Pulls, each, together
from kerneltools.autodiff.rules.sums import normalized, restored, sum_to
from kerneltools.primitives import pad


def _inv(xp: Any, y: Array, a: Array) -> Pull:
    yt = xp.matrix_transpose(y)
    return lambda g: -(yt @ g @ yt)


def _det(xp: Any, d: Array, a: Array) -> Pull:
    """The cofactors, which exist for singular matrices too.

    Where products of entries would leave the range of numbers, each row and column is in a unit of its own.
    """
    units = _units(constant(a))
    if units is None:
        return _of_cofactors(xp, d, a)
    down, up = units
    inside = _times_each(a, down)
    pull = _of_cofactors(xp, xp.linalg.det(inside), inside)
    return lambda g: _times_each(pull(g), up)


def _of_cofactors(xp: Any, d: Array, a: Array) -> Pull:
    """Of regular matrices from the inverse, which has derivatives of all orders; of others from singular vectors."""
    if _is_regular(constant(a)):
        return lambda g: _entry(xp, g * d) * xp.matrix_transpose(xp.linalg.inv(a))
    return lambda g: _entry(xp, g) * _COFACTORS(a)


Factors = tuple[Array, Array]


def _units(a: Array) -> tuple[Factors, Factors] | None:
    """Powers of two that bring rows, then columns, near 1, and those that bring cofactors back; None in safe ranges."""
    xp, n = namespace(a), a.shape[-1]
    reach = log2(xp.finfo(a.dtype).max)
    rows = _exponents(xp, a, axis=-1)
    columns = _exponents(xp, _times_each(a, _powers(xp, -rows, reach)), axis=-2)
    whole = rows + columns
    if not n or not bool(xp.all(xp.isfinite(a))) or float(xp.max(xp.abs(whole))) * n < reach / 2:
        return None
    product = xp.sum(rows, axis=-2, keepdims=True) + xp.sum(columns, axis=-1, keepdims=True)
    return _powers(xp, -whole, reach), _powers(xp, product - whole, reach)


def _exponents(xp: Any, a: Array, axis: int) -> Array:
    """Those of two in the greatest numbers along an axis, 0 for zeros."""
    greatest = _greatest(xp, xp.abs(a), axis=axis, keepdims=True)
    known = (greatest > 0) & xp.isfinite(greatest)
    return xp.round(xp.log2(xp.where(known, greatest, xp.ones_like(greatest))))


def _powers(xp: Any, exponents: Array, reach: float) -> Factors:
    """2^exponents as two factors, of which none is 0 or infinite."""
    most = float(int(reach) - 4)
    half = xp.floor(exponents / 2)
    two = xp.full_like(half, 2.0)
    first, second = (xp.clip(part, -most, most) for part in (half, exponents - half))
    return two**first, two**second


def _times_each(a: Array, factors: Factors) -> Array:
    first, second = factors
    return a * first * second


def _is_regular(a: Array) -> bool:
    """Whether the inverse of each matrix has at least half the digits."""
    xp = namespace(a)
    if 0 in a.shape or not bool(xp.all(xp.isfinite(a))):  # no singular values, or none that could be found
        return True
    s = xp.linalg.svdvals(a)
    return bool(xp.all(xp.min(s, axis=-1) > xp.finfo(a.dtype).eps ** 0.5 * xp.max(s, axis=-1)))


def _cofactors(a: Array) -> Array:
    """U C Vᵀ det(U) det(V) for A = U diag(s) Vᵀ, where C has the products of all s but one on its diagonal."""
    xp = namespace(a)
    u, s, vt = xp.linalg.svd(a)
    return (u * _entry(xp, xp.linalg.det(u) * xp.linalg.det(vt))) @ (xp.expand_dims(_others(xp, s), axis=-1) * vt)


def _second_cofactors(xp: Any, c: Array, a: Array) -> Pull:
    """The second derivative of det, which is symmetric: so it is its own derivative in g."""
    return lambda g: _SECOND_COFACTORS(g, a)


def _changes_of_cofactors(g: Array, a: Array) -> Array:
    """The products of all s but two take the place of C."""
    xp = namespace(g, a)
    u, s, vt = xp.linalg.svd(a)
    ut, v = xp.matrix_transpose(u), xp.matrix_transpose(vt)
    eye = _eye(xp, s)
    # Row i: s with 1 in place of s_i, then the products of all others but one.
    products = _others(xp, xp.expand_dims(s, axis=-2) * (1 - eye) + eye) * (1 - eye)
    sign = _entry(xp, xp.linalg.det(u) * xp.linalg.det(vt))
    h = ut @ g @ v
    diagonal = xp.sum(products * xp.expand_dims(xp.linalg.diagonal(h), axis=-2), axis=-1)
    return u @ (_diagonal_matrix(xp, diagonal) - products * xp.matrix_transpose(h)) @ vt * sign


def _third_of_det(xp: Any, y: Array, g: Array, a: Array) -> Pull:
    raise NotImplementedError("third derivatives at regular matrices only, and this one is singular or nearly so")


def _others(xp: Any, s: Array) -> Array:
    """For each entry the product of the others along the last axis."""
    before = xp.cumulative_prod(s, axis=-1, include_initial=True)[..., :-1]
    after = xp.cumulative_prod(xp.flip(s, axis=-1), axis=-1, include_initial=True)[..., :-1]
    return before * xp.flip(after, axis=-1)


_COFACTORS: Operation = Operation("cofactors", _cofactors, each(_second_cofactors))
_SECOND_COFACTORS: Operation = Operation(
    "linalg.det", _changes_of_cofactors, each(lambda xp, y, g, a: lambda h: _SECOND_COFACTORS(h, a), _third_of_det)
)


def _slogdet(xp: Any, out: Any, a: Array) -> Pull:
    """The sign is constant, the logarithm has the gradient of the inverse."""
    plain = constant(out[1])
    singular = bool(xp.any(plain == -float("inf")))

    def pull(_: Array | None, g: Array | None) -> Any:
        if g is not None and singular:
            raise ValueError(
                "gradient of linalg.slogdet: infinite at a singular matrix, where log|det| is -inf; take linalg.det, "
                "or add a multiple of the identity"
            )
        return (None if g is None else _entry(xp, g) * xp.matrix_transpose(xp.linalg.inv(a)),)

    return pull


def _entry(xp: Any, g: Array) -> Array:
    """(...) -> (..., 1, 1)"""
    return xp.expand_dims(xp.expand_dims(g, axis=-1), axis=-1)


def _solve_matrix(xp: Any, x: Array, a: Array, b: Array) -> Pull:
    shape = tuple(a.shape)
    return lambda g: sum_to(xp, -_backsolved(xp, a, g) @ xp.matrix_transpose(x), shape)


def _solve_rhs(xp: Any, x: Array, a: Array, b: Array) -> Pull:
    shape = tuple(b.shape)
    return lambda g: sum_to(xp, _backsolved(xp, a, g), shape)


def _backsolved(xp: Any, a: Array, g: Array) -> Array:
    return xp.linalg.solve(xp.matrix_transpose(a), g)


def _cholesky(xp: Any, factor: Array, a: Array) -> Pull:
    """A = L Lᵀ. The cotangent is symmetric: the matrix is known to be."""

    def pull(g: Array) -> Array:
        transposed = xp.matrix_transpose(factor)
        lower = _lower_half(xp, transposed @ g)
        inner = xp.linalg.solve(transposed, lower)
        whole = xp.matrix_transpose(xp.linalg.solve(transposed, xp.matrix_transpose(inner)))
        return 0.5 * (whole + xp.matrix_transpose(whole))

    return pull


def _lower_half(xp: Any, m: Array) -> Array:
    """The lower triangle with half its diagonal."""
    return 0.5 * (xp.tril(m) + xp.tril(m, k=-1))


def _eigh(xp: Any, out: Any, a: Array) -> Pull:
    """A = V diag(w) Vᵀ; the eigenvectors' part divides by differences of eigenvalues.

    It is infinite or wrong where eigenvalues are equal or close. A function of the whole matrix, like
    kerneltools.linalg.inverse_sqrt, has a gradient without such differences: give it as custom_vjp instead.
    """
    w, v = out
    vt = xp.matrix_transpose(v)

    def pull(gw: Array | None, gv: Array | None) -> Any:
        inner = _diagonal_matrix(xp, gw if gw is not None else xp.zeros_like(w))
        if gv is not None:
            inner = vt @ gv * _off_diagonal_inverse(xp, w) + inner
        whole = v @ inner @ vt
        return (0.5 * (whole + xp.matrix_transpose(whole)),)

    return pull


def _off_diagonal_inverse(xp: Any, w: Array) -> Array:
    """1 / (w_j - w_i) off the diagonal, 0 on it."""
    differences = xp.expand_dims(w, axis=-2) - xp.expand_dims(w, axis=-1)
    eye = _eye(xp, w)
    return xp.divide(1 - eye, differences + eye)


def _svd(xp: Any, out: Any, a: Array, *, full_matrices: bool = True) -> Pull:
    """A = U diag(s) Vᵀ with distinct, positive singular values (Townsend 2016)."""
    if full_matrices and a.shape[-1] != a.shape[-2]:
        raise NotImplementedError("only for full_matrices=False unless the matrix is square")
    u, s, vt = out
    ut, v = xp.matrix_transpose(u), xp.matrix_transpose(vt)
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)

    def pull(gu: Array | None, gs: Array | None, gvt: Array | None) -> Any:
        inner = _diagonal_matrix(xp, gs if gs is not None else xp.zeros_like(s))
        sides: Array = 0
        if gu is not None:
            m = ut @ gu * _off_diagonal_inverse(xp, s * s)
            inner = (m + xp.matrix_transpose(m)) * row + inner
            sides = sides + ((gu - u @ (ut @ gu)) / row) @ vt
        if gvt is not None:
            gv = xp.matrix_transpose(gvt)
            m = vt @ gv * _off_diagonal_inverse(xp, s * s)
            inner = (m + xp.matrix_transpose(m)) * column + inner
            sides = sides + u @ xp.matrix_transpose((gv - v @ (vt @ gv)) / row)
        return (u @ inner @ vt + sides,)

    return pull


def _qr(xp: Any, out: Any, a: Array, *, mode: str = "reduced") -> Pull:
    """A = Q R with at least as many rows as columns (Walter and Lehmann 2010)."""
    if a.shape[-2] < a.shape[-1] or (mode != "reduced" and a.shape[-2] > a.shape[-1]):
        raise NotImplementedError("only for mode='reduced' and at least as many rows as columns")
    q, r = out

    def pull(gq: Array | None, gr: Array | None) -> Any:
        gq = xp.zeros_like(q) if gq is None else gq
        gr = xp.zeros_like(r) if gr is None else xp.triu(gr)
        m = r @ xp.matrix_transpose(gr) - xp.matmul(xp.matrix_transpose(gq), q)
        symmetric = xp.tril(m) + xp.matrix_transpose(xp.tril(m, k=-1))
        return (xp.matrix_transpose(xp.linalg.solve(r, xp.matrix_transpose(q @ symmetric + gq))),)

    return pull


def _diagonal(xp: Any, y: Array, a: Array, *, offset: int = 0) -> Pull:
    n, m = a.shape[-2:]
    left = min(max(offset, 0), m)
    mask = xp.eye(n, m, k=offset, dtype=a.dtype, device=device_of(a))

    def pull(g: Array) -> Array:
        spread = pad(g, (*[(0, 0)] * (g.ndim - 1), (left, m - left - g.shape[-1])))
        return xp.expand_dims(spread, axis=-2) * mask

    return pull


def _diagonal_matrix(xp: Any, w: Array) -> Array:
    """(..., n) -> (..., n, n)"""
    return xp.expand_dims(w, axis=-1) * _eye(xp, w)


def _eye(xp: Any, w: Array) -> Array:
    return xp.eye(w.shape[-1], dtype=w.dtype, device=device_of(w))


RULES: dict[str, Pulls] = {
    "linalg.inv": each(_inv),
    "linalg.det": each(_det),
    "linalg.slogdet": together(_slogdet),
    "linalg.eigh": together(_eigh),
    "linalg.svd": together(_svd),
    "linalg.qr": together(_qr),
    "linalg.diagonal": each(_diagonal),
}


def _solve(xp: Any, a: Array, b: Array, /) -> Array:
    """A vector as a matrix of one column."""
    solve = Operation("linalg.solve", xp.traced_library.linalg.solve, each(_solve_matrix, _solve_rhs))
    return solve(a, b) if b.ndim > 1 else xp.squeeze(solve(a, xp.expand_dims(b, axis=-1)), axis=-1)


def _lower_cholesky(xp: Any, a: Array, /, *, upper: bool = False) -> Array:
    factor = Operation("linalg.cholesky", xp.traced_library.linalg.cholesky, each(_cholesky))(a)
    return xp.matrix_transpose(factor) if upper else factor


def _trace(xp: Any, a: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return xp.sum(xp.linalg.diagonal(a, offset=offset), axis=-1, dtype=dtype)


def _vector_norm(
    xp: Any, x: Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: Any = 2
) -> Array:
    """Derivative 0 where the norm is 0, and in entries that are."""
    along: dict[str, Any] = {"axis": normalized(axis, x.ndim), "keepdims": keepdims}
    if ord in (0, 1, float("inf"), -float("inf")):
        size = xp.abs(x)
        if ord == 0:
            return xp.sum(xp.astype(size != 0, x.dtype), **along)
        if ord == 1:
            return xp.sum(size, **along)
        return _greatest(xp, size, **along) if ord > 0 else xp.min(size, **along)
    return _POWER_NORM(x, ord=ord, **along)


def _power_norm(x: Array, *, axis: tuple[int, ...], keepdims: bool, ord: float) -> Array:
    """(Σ |x|^p)^(1/p) in units of the greatest number, of the least for p < 0: no power of it over- or underflows."""
    xp = namespace(x)
    size = xp.abs(x)
    zero = size == 0
    if ord > 0:
        unit = _greatest(xp, size, axis=axis, keepdims=True)
    else:
        unit = xp.min(size, axis=axis, keepdims=True) if 0 not in x.shape else xp.sum(size, axis=axis, keepdims=True)
    unit = xp.where((unit > 0) & xp.isfinite(unit), unit, xp.ones_like(unit))
    ratio = size / unit if ord > 0 else unit / xp.where(zero, xp.ones_like(size), size)
    total = xp.sum(ratio ** abs(ord), axis=axis, keepdims=True)
    # A root loses less than a power, and of nothing there is no inverse.
    none = total == 0
    root = xp.sqrt(total) if ord == 2 else xp.where(none, xp.ones_like(total), total) ** (1 / ord)
    vanishes = none if ord > 0 else xp.any(zero, axis=axis, keepdims=True)
    norm = xp.where(vanishes, xp.zeros_like(root), root * unit)
    return norm if keepdims else xp.squeeze(norm, axis=axis)


def _pull_power_norm(xp: Any, y: Array, x: Array, *, axis: tuple[int, ...], keepdims: bool, ord: float) -> Pull:
    """g sign(x) (|x| / y)^(p - 1): quotients, for powers of x may be out of range; at infinity the limit."""
    norm = restored(xp, y, tuple(x.shape), axis, keepdims)
    far, zero = xp.isinf(norm), norm == 0
    near = xp.where(far | zero, 1.0, norm)
    if ord == 2:
        slope = xp.where(far, 0.0, x) / near
    else:
        size = xp.where(far | (x == 0), 1.0, xp.abs(x))
        slope = _power_of_ratio(size, near, ord - 1) * xp.sign(x)
    slope = xp.where(zero, 0.0, xp.where(far, xp.sign(x) * xp.astype(xp.isinf(x), x.dtype), slope))
    return lambda g: restored(xp, g, tuple(x.shape), axis, keepdims) * slope


def _power_of_ratio(size: Array, norm: Array, power: float) -> Array:
    """(size / norm)^power, by quotients that are at most 1, or by powers that stay in range."""
    if abs(power) < 1:
        return size**power * norm**-power
    return (size / norm) ** power if power > 0 else (norm / size) ** -power


_POWER_NORM = Operation("linalg.vector_norm", _power_norm, each(_pull_power_norm))


def _greatest(xp: Any, size: Array, axis: Any, keepdims: bool = False) -> Array:
    """The maximum of numbers >= 0, and 0 of nothing."""
    reduce = xp.max if all(size.shape[a] for a in normalized(axis, size.ndim)) else xp.sum
    return reduce(size, axis=axis, keepdims=keepdims)


def _matrix_norm(xp: Any, a: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    if ord == "fro":
        return xp.linalg.vector_norm(a, axis=(-2, -1), keepdims=keepdims)
    reduce = xp.sum if ord == "nuc" else partial(_greatest, xp) if ord > 0 else xp.min
    if ord in ("nuc", 2, -2):
        norm = reduce(xp.linalg.svdvals(a), axis=-1)
    else:
        norm = reduce(xp.sum(xp.abs(a), axis=-2 if abs(ord) == 1 else -1), axis=-1)
    return _entry(xp, norm) if keepdims else norm


COMPOSITES: dict[str, Callable[..., Any]] = {
    "linalg.solve": _solve,
    "linalg.cholesky": _lower_cholesky,
    "linalg.trace": _trace,
    "linalg.vector_norm": _vector_norm,
    "linalg.matrix_norm": _matrix_norm,
    "linalg.eigvalsh": lambda xp, a: xp.linalg.eigh(a)[0],
    "linalg.svdvals": lambda xp, a: xp.linalg.svd(a, full_matrices=False)[1],
}

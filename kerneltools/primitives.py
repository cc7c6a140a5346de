"""Functions that the array API standard lacks, each with a body in the standard that a backend may replace.

The generic body is the definition, and the reference for every replacement: `extract_patches.generic`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from itertools import product
from math import prod
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from kerneltools.arrays import Array, DType, Namespace, blocks, device_of, flattened, namespace
from kerneltools.backend import backend_of
from kerneltools.precision import in_single
from kerneltools.trees import flatten

R = TypeVar("R")
T = TypeVar("T")

NEAR = 2**18
"""Numbers that are computed from others at a time, so that they stay near the processor."""

PANEL = 128
"""Rows of a triangular system that are solved at a time: all the rest are products."""


class Primitive(Protocol):
    """A function that a backend may replace for its own arrays."""

    generic: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any: ...


def primitive(body: Callable[..., Any]) -> Primitive:
    """Make a primitive: the backend that owns the arrays may replace `body` through its table `overrides`.

    Arguments are positional, with arrays first.
    """

    @in_single
    @wraps(body)
    def call(*arguments: Any) -> Any:
        owner = backend_of(*arguments)
        chosen = body if owner is None else owner.overrides.get(call, body)
        return chosen(*arguments)

    call.generic = body  # type: ignore[attr-defined]
    return cast(Primitive, call)


def program(body: Callable[..., R]) -> Callable[..., R]:
    """A function of trees that is one program for a library which would otherwise compile each operation.

    The backend defines how in its table `overrides`, under this function: body -> compiled body. Arguments are
    positional. Check values outside the body: inside, checks do nothing, as in any trace.
    """
    # A plain dict, and not functools.cache: compilers that trace Python code look through it.
    made: dict[str, Callable[..., R]] = {}

    @wraps(body)
    def call(*arguments: Any) -> R:
        owner = backend_of(*flatten(arguments)[0])
        compiled = None if owner is None else owner.overrides.get(program)
        if owner is None or compiled is None:
            return body(*arguments)
        if owner.name not in made:
            made[owner.name] = compiled(body)
        return made[owner.name](*arguments)

    return call


def map_blocks(f: Callable[[T], R], blocks: Iterable[T], *parts: Any) -> Iterator[R]:
    """f of each block, in their order, made when it is asked for; no block sees what is made of another.

    The backend may work on several blocks at once: its table `overrides` says how, under this function. `parts`: the
    arrays, or trees of them, that f computes with, which decide whose backend that is. Where it is a traced one, or
    has no such entry, one block follows the other. The blocks themselves are drawn one by one, where the call is.
    """
    owner = backend_of(*flatten(parts)[0])
    at_once = None if owner is None else owner.overrides.get(map_blocks)
    return map(f, blocks) if at_once is None else cast(Iterator[R], at_once(f, blocks))


def few_sizes(count: int, like: Array) -> int:
    """A size at least as large, and at most a quarter larger, of four between each power of two and the next.

    Only if the library of `like` compiles for each size; otherwise the size unchanged.
    """
    owner = backend_of(like)
    if owner is None or owner.overrides.get(program) is None:
        return count
    step = 1 << max(0, count.bit_length() - 3)
    return -(-count // step) * step


class Window(NamedTuple):
    """A sliding window over the axes of a grid: one entry per axis, in grid points."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    def output_shape(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """How many positions the window has along each axis of the grid (0 or less: it does not fit)."""
        return tuple(
            (n + before + after - (p - 1) * d - 1) // s + 1
            for n, p, s, (before, after), d in zip(
                grid, self.size, self.stride, self.padding, self.dilation, strict=True
            )
        )

    def offsets(self) -> list[tuple[int, ...]]:
        """The place of each point of the window relative to its first, last axis fastest."""
        return [
            tuple(i * d for i, d in zip(point, self.dilation, strict=True)) for point in product(*map(range, self.size))
        ]

    def slices(self, offset: tuple[int, ...], out: tuple[int, ...]) -> tuple[slice, ...]:
        """The points of the padded grid that one offset meets at all positions."""
        return tuple(slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offset, out, self.stride, strict=True))


@primitive
def extract_patches(x: Array, window: Window) -> Array:
    """All patches of grids, zero padded.

    (n, *grid, c) -> (n, *positions, points, c)
    """
    xp = namespace(x)
    out = window.output_shape(tuple(x.shape[1:-1]))
    padded = pad(x, ((0, 0), *window.padding, (0, 0)))
    views = [padded[(slice(None), *window.slices(offset, out), slice(None))] for offset in window.offsets()]
    return xp.stack(views, axis=-2)


@primitive
def fold_patches(patches: Array, window: Window, grid: tuple[int, ...]) -> Array:
    """Add patches into a grid at the places that they were taken from: the adjoint of `extract_patches`.

    (n, *positions, points, c) -> (n, *grid, c)
    """
    padded = tuple(n + before + after for n, (before, after) in zip(grid, window.padding, strict=True))
    total: Array = 0
    for point, offset in enumerate(window.offsets()):
        total = total + _place(patches[..., point, :], offset, window.stride, padded)
    crop = tuple(slice(before, before + n) for n, (before, _) in zip(grid, window.padding, strict=True))
    return total[(slice(None), *crop, slice(None))]


@primitive
def patch_gram(x: Array, filters: Array, window: Window, products: str | None = None) -> tuple[Array, Array]:
    """Inner products of all patches with filters, and the patches' squared norms.

    (n, *grid, c), (m, points, c) -> (n, *positions, m), (n, *positions)

    `products`: the type in which numbers are multiplied for the inner products, "bfloat16" or "float16"; None for that
    of x. The norms are in the type of x in any case. Raises ValueError if the library has no such type.
    """
    xp = namespace(x, filters)
    m = filters.shape[0]
    patches = extract_patches(x, window)
    flat = xp.reshape(patches, (prod(patches.shape[:-2]), prod(patches.shape[-2:])))
    rows = flattened(filters)
    if products is None:
        inner = xp.matmul(flat, xp.matrix_transpose(rows))
    else:
        narrow = short_dtype(xp, products)
        inner = xp.astype(xp.matmul(xp.astype(flat, narrow), xp.matrix_transpose(xp.astype(rows, narrow))), x.dtype)
    return xp.reshape(inner, (*patches.shape[:-2], m)), window_sum(xp.sum(x * x, axis=-1), window)


@primitive
def mix_channels(x: Array, matrix: Array) -> Array:
    """A linear map of the channels at each point.

    (..., c), (c, m) -> (..., m)
    """
    return namespace(x, matrix).matmul(x, matrix)


SHORT_TYPES = ("bfloat16", "float16")
"""The types in which patches may be multiplied with filters."""


def short_dtype(xp: Namespace, name: str) -> DType:
    """The library's type of that name. Raises ValueError for another name, and if the library has no such type."""
    # The name may come from a file: only these are looked up.
    if name not in SHORT_TYPES:
        raise ValueError(f"products: expected {' or '.join(map(repr, SHORT_TYPES))}, got {name!r}")
    if not hasattr(xp, name):
        raise ValueError(f"products: {xp.__name__.rpartition('.')[2]} has no {name}; leave it out, or choose float16")
    return getattr(xp, name)


@primitive
def exponential_response(inner: Array, scale: Array, alpha: Any) -> Array:
    """scale · exp(α (inner / scale - 1)), and 0 where the scale is 0: a CKN layer on the result of `patch_gram`.

    (..., m), (..., 1), number -> (..., m)
    """
    exponent = inner * (alpha * reciprocal(scale)) - alpha
    return scale * namespace(exponent).exp(exponent)


def exponential_response_pull(
    cotangent: Array, response: Array, inner: Array, scale: Array, alpha: Any
) -> tuple[Array, Array, Array]:
    """The gradients of `exponential_response` in its three arguments, from its value: half the passes over memory."""
    xp = namespace(cotangent, response)
    inverse = reciprocal(scale)
    weighted = cotangent * response
    total = inverse * xp.sum(weighted, axis=-1, keepdims=True)
    slope = inverse * row_products(weighted, inner)
    return weighted * (alpha * inverse), total - alpha * inverse * slope, xp.sum(slope) - xp.sum(scale * total)


def row_products(x: Array, y: Array) -> Array:
    """The inner products of rows with rows: (..., m), (..., m) -> (..., 1)

    It uses matrix products: `vecdot` moves axes, which torch.func.vmap does not follow, and costs as much.
    """
    return namespace(x, y).matmul(x[..., None, :], y[..., :, None])[..., 0]


@primitive
def sign(x: Array) -> Array:
    """-1, 0 or 1, and NaN for NaN: any shape -> the same shape"""
    return namespace(x).sign(x)


@program
def reciprocal(x: Array) -> Array:
    """1 / x, and 0 where x is 0, for x >= 0."""
    xp = namespace(x)
    positive = x > 0
    # Both branches of `where` are differentiated, so the division must never see the zero.
    return xp.where(positive, 1 / xp.where(positive, x, xp.ones_like(x)), xp.zeros_like(x))


@in_single
def window_sum(x: Array, window: Window) -> Array:
    """The sum over the window at each position.

    (n, *grid) -> (n, *positions)
    """
    out = window.output_shape(tuple(x.shape[1:]))
    padded = pad(x, ((0, 0), *window.padding))
    total: Array = 0
    for offset in window.offsets():
        total = total + padded[(slice(None), *window.slices(offset, out))]
    return total


@primitive
def segment_sum(values: Array, segments: Array, count: int) -> Array:
    """The sum of the rows with the same number.

    (n, d), (n,) integers in 0..count-1 -> (count, d)
    """
    xp = namespace(values, segments)
    numbers = xp.arange(count, dtype=segments.dtype, device=device_of(values))
    members = xp.astype(numbers[:, None] == segments[None, :], values.dtype)
    return members @ values


@primitive
def owner_sum(values: Array, owner: Array, count: int) -> Array:
    """`segment_sum` for owners of a few rows each: rows may be added one after the other, which is fast.

    (n, d), (n,) integers in 0..count-1 -> (count, d)

    Over many thousands of rows it loses digits, which `segment_sum` keeps.
    """
    return segment_sum(values, owner, count)


@primitive
def row_maxima(values: Array) -> tuple[Array, Array]:
    """The place of the first greatest entry of each row, and its value.

    (n, m) -> (n,) integers, (n,)
    """
    xp = namespace(values)
    return xp.argmax(values, axis=1), xp.max(values, axis=1)


@primitive
def index_add(target: Array, index: Array, values: Array) -> Array:
    """`target` with values added at the rows `index`; rows that occur twice are added twice.

    (m, d), (n,), (n, d) -> (m, d)
    """
    return target + segment_sum(values, index, target.shape[0])


@primitive
def segment_max(values: Array, segments: Array, count: int) -> Array:
    """The greatest of the rows with the same number, entry by entry; -inf for a number without rows.

    (n, d), (n,) integers in 0..count-1 -> (count, d)
    """
    xp = namespace(values, segments)
    lowest = xp.full((), -float("inf"), dtype=values.dtype, device=device_of(values))
    if values.shape[0] == 0:  # the standard has no maximum of nothing
        return xp.broadcast_to(lowest, (count, *values.shape[1:]))
    numbers = xp.arange(count, dtype=segments.dtype, device=device_of(values))
    members = numbers[:, None, None] == segments[None, :, None]
    return xp.max(xp.where(members, values[None, ...], lowest), axis=1)


@primitive
def solve_triangular(factor: Array, rhs: Array) -> Array:
    """The solution x of L x = b for a lower triangular L.

    (m, m), (m, n) -> (m, n)
    """
    xp = namespace(factor, rhs)
    solved: list[Array] = []
    for rows in list(blocks(factor.shape[0], PANEL)) or [slice(0, 0)]:
        left = rhs[rows, :]
        if solved:
            left = left - factor[rows, : rows.start] @ xp.concat(solved)
        solved.append(xp.linalg.solve(factor[rows, rows], left))
    return solved[0] if len(solved) == 1 else xp.concat(solved)


@primitive
def by_rows(x: Array, f: Callable[[Array], Array], block: int, *parts: Any) -> Array:
    """f(x), computed for `block` rows at a time, for an f that treats each row separately.

    (n, d), f: (b, d) -> (b, ...) -> (n, ...)

    `parts`: the arrays, or trees of them, that f computes with besides x; see `map_blocks`.
    """
    n = x.shape[0]
    if n <= block:
        return f(x)
    pieces = [f(x[rows, :]) for rows in blocks(n, block)]
    return namespace(*pieces).concat(pieces)


@primitive
def cosines_and_sines(angle: Array, scale: float) -> Array:
    """Cosines next to sines, times a number.

    (n, k), a number -> (n, 2k)
    """
    xp = namespace(angle)
    return xp.concat([scale * xp.cos(angle), scale * xp.sin(angle)], axis=1)


@primitive
def cosine_features(x: Array, weights: Array, lengths: Any, scale: float) -> Array:
    """Cosines next to sines of inner products with the rows, divided by lengths, times a number, in the type of x.

    (n, d), (k, d), (d,) or a number, a number -> (n, 2k)
    """
    turned = namespace(weights).matrix_transpose(weights)

    def of_rows(rows: Array) -> Array:
        return cosines_and_sines((rows / lengths) @ turned, scale)

    return by_rows(x, of_rows, max(64, NEAR // max(1, 2 * turned.shape[1])), weights, lengths, scale)


def by_rows_into_one(x: Array, f: Callable[[Array], Array], block: int, writable: Callable[[Array], bool]) -> Array:
    """`by_rows` for libraries whose arrays can be written to, without a second copy of the result.

    `writable`: whether such a piece of the result can be copied into an array; if not, the generic body is used.
    """
    n = x.shape[0]
    if n <= block:
        return f(x)
    first, *rest = blocks(n, block)
    piece = f(x[first, :])
    if not writable(piece):
        return by_rows.generic(x, f, block)
    xp = namespace(piece)
    result = xp.empty((n, *piece.shape[1:]), dtype=piece.dtype, device=device_of(piece))
    result[first, ...] = piece
    for rows in rest:
        result[rows, ...] = f(x[rows, :])
    return result


def pad(x: Array, widths: tuple[tuple[int, int], ...]) -> Array:
    """Zeros before and after, `widths` of them for each axis."""
    xp = namespace(x)
    for axis, (before, after) in enumerate(widths):
        pieces = [_zeros(x, axis, before), x, _zeros(x, axis, after)]
        kept = [piece for piece in pieces if piece is not None]
        x = kept[0] if len(kept) == 1 else xp.concat(kept, axis=axis)
    return x


def _zeros(like: Array, axis: int, width: int) -> Array | None:
    if width == 0:
        return None
    shape = (*like.shape[:axis], width, *like.shape[axis + 1 :])
    return namespace(like).zeros(shape, dtype=like.dtype, device=device_of(like))


def _place(values: Array, offset: tuple[int, ...], stride: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Grid values (n, *positions, c) spread `stride` apart from `offset` on, zeros elsewhere."""
    for axis, (step, size) in enumerate(zip(stride, shape, strict=True), start=1):
        spread = _spread(values, axis, step)
        start = offset[axis - 1]
        length = spread.shape[axis]
        widths = tuple((start, size - start - length) if a == axis else (0, 0) for a in range(values.ndim))
        values = pad(spread, widths)
    return values


def _spread(values: Array, axis: int, step: int) -> Array:
    """step - 1 zeros between neighbours along an axis."""
    if step == 1:
        return values
    xp = namespace(values)
    count = values.shape[axis]
    apart = xp.expand_dims(values, axis=axis + 1)
    gaps = _zeros(apart, axis + 1, step - 1)
    joined = xp.concat([apart, gaps], axis=axis + 1)
    shape = (*values.shape[:axis], count * step, *values.shape[axis + 1 :])
    whole = xp.reshape(joined, shape)
    return whole[(*[slice(None)] * axis, slice(0, (count - 1) * step + 1), ...)]

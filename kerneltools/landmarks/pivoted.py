"""The partial Cholesky factor of a kernel matrix, grown by chosen rows, without forming the matrix."""

from dataclasses import dataclass, replace

from kerneltools.arrays import Array, asarray_like, indices_like, namespace, widest_float
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel, as_kernel
from kerneltools.landmarks.base import INDEFINITE, Host, positive_diagonal, precise, rounding
from kerneltools.linalg import identity_like
from kerneltools.memory import require_memory
from kerneltools.primitives import solve_triangular
from kerneltools.structures import take
from kerneltools.structures.base import like_of


class Elimination:
    """Cholesky on the host, in an order found along the way: `take` rows of a block one after the other.

    `left` is what remains of the diagonal, which is `diagonal` at the start.
    """

    def __init__(self, block: Host, diagonal: Host) -> None:
        self.block, self.left, self.taken = block, diagonal.copy(), list[int]()
        self._columns = namespace(block).zeros_like(block)

    def take(self, j: int) -> None:
        """Take row j out of all others."""
        k, pivot = len(self.taken), float(self.left[j]) ** 0.5
        column = (self.block[:, j] - self._columns[:, :k] @ self._columns[j, :k]) / pivot
        column[j] = pivot
        self.left -= column * column
        self.left[j] = 0.0
        self._columns[:, k] = column
        self.taken.append(j)

    @property
    def factor(self) -> Host:
        """The lower factor of the rows taken, in their order."""
        return namespace(self.block).tril(self._columns[self.taken, : len(self.taken)])


@dataclass(frozen=True, eq=False)
class PartialCholesky:
    """K ≈ F'F on the rows picked so far, and what F misses of the diagonal.

    `pieces` are F (k, n), in blocks of rows. `residual` k(x, x) - |F_x|² (n,) is on the host, in float64, and 0 for
    the rows that are picked or represented up to rounding, `floor` times the diagonal.
    """

    kernel: Kernel
    x: Array
    diagonal: Host
    residual: Host
    floor: float
    pieces: tuple[Array, ...] = ()

    @property
    def count(self) -> int:
        """How many rows have been picked."""
        return sum(int(piece.shape[0]) for piece in self.pieces)

    def block(self, picks: list[int]) -> Host:
        """The part of the kernel matrix of these rows that F misses: (b, b) on the host."""
        points = take(self.x, picks)
        missed = _wide(self.kernel(points, points))
        for piece in self.pieces:
            columns = _columns(piece, picks)
            missed = missed - namespace(piece).matrix_transpose(columns) @ columns
        return to_host(missed)

    def extended(self, picks: list[int], lower: Host) -> "PartialCholesky":
        """The factor extended by these rows, whose missed part has the Cholesky factor `lower` (b, b).

        Raises ValueError for a kernel that turns out to be indefinite, MemoryError if there is no room for more.
        """
        self._require_room(len(picks))
        values = self.kernel(take(self.x, picks), self.x)
        xp = namespace(values)
        rest = _wide(values)
        own = to_host(_columns(rest, picks)).diagonal()
        for piece in self.pieces:
            rest = rest - xp.matrix_transpose(_columns(piece, picks)) @ piece
        factor = asarray_like(lower, rest)
        new = solve_triangular(factor, identity_like(factor)) @ rest
        residual = self.residual - to_host(xp.sum(new * new, axis=0))
        self._require_definite(residual, len(picks))
        floor = self._floor(own, picks)
        left = residual * (residual > floor * self.diagonal)
        return replace(self, residual=left, floor=floor, pieces=_appended(self.pieces, new)).without(picks)

    def _require_room(self, more: int) -> None:
        """Raise MemoryError unless there is room for the values, residuals, factor and joined piece of so many rows."""
        n = len(self.diagonal)
        joined = sum(int(piece.shape[0]) for piece in self.pieces if piece.shape[0] <= more)
        require_memory(
            f"m: after {self.count} landmarks of {n} rows, {more} more need",
            8 * n * (3 * more + joined),
            like_of(self.x),
            lambda free: "take fewer, or landmarks.Uniform or landmarks.KMeans, which keep no numbers for each row",
        )

    def without(self, done: list[int]) -> "PartialCholesky":
        """The factor with residual 0 at these rows."""
        residual = self.residual.copy()
        residual[done] = 0.0
        return replace(self, residual=residual)

    def _floor(self, own: Host, picks: list[int]) -> float:
        """The difference, by rounding, between a kernel's value of a row with itself and its diagonal."""
        noise = abs(own - self.diagonal[picks]) / self.diagonal[picks]
        return max(self.floor, 4 * float(noise.max()))

    def _require_definite(self, residual: Host, picked: int) -> None:
        worst = int(residual.argmin())
        # Rounding of one value, divided by the root of a pivot at the floor, stays below the root of the floor.
        if residual[worst] < -(self.floor**0.5) * self.diagonal.max():
            raise ValueError(
                f"kernel: expected a positive semi-definite one, but after {self.count + picked} landmarks the "
                f"residual k(x, x) - |φ(x)|² of row {worst} is {residual[worst]:.3g}; {INDEFINITE}"
            )


def partial_cholesky(kernel: Kernel, x: Array, tolerance: float | None = None) -> PartialCholesky:
    """The empty factor.

    Rows whose residual is at most `tolerance` times the diagonal count as represented; by default, the tolerance is the
    rounding of kernel values. Raises ValueError for a diagonal that is negative, not finite or all 0.
    """
    kernel = as_kernel(kernel)
    x = precise(kernel, x)
    diagonal = positive_diagonal(kernel, x)
    if not diagonal.max() > 0:
        raise ValueError(f"kernel: k(x, x) is 0 for all {x.shape[0]} rows: there is nothing to represent")
    floor = max(tolerance or 0.0, rounding(kernel, x))
    return PartialCholesky(kernel, kernel.prepared(x), diagonal, diagonal, floor)


def _wide(values: Array) -> Array:
    return namespace(values).astype(values, widest_float(values))


def _columns(matrix: Array, picks: list[int]) -> Array:
    return namespace(matrix).take(matrix, indices_like(picks, matrix), axis=1)


def _appended(pieces: tuple[Array, ...], new: Array) -> tuple[Array, ...]:
    """The pieces and one more; small ones are joined, so that there are few and each row is copied few times."""
    while pieces and pieces[-1].shape[0] <= new.shape[0]:
        new = namespace(new).concat([pieces[-1], new], axis=0)
        pieces = pieces[:-1]
    return (*pieces, new)

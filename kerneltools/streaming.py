"""Rows that come block by block: maps and ridge regression in memory that does not grow with their number."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kerneltools.arrays import (
    Array,
    DType,
    blocks,
    device_of,
    holds,
    is_whole,
    namespace,
    require_finite,
    require_floating,
    require_rank,
    require_weights,
    widest_float,
)
from kerneltools.backend import backend_of, move, to_host
from kerneltools.files import open_rows, save_rows
from kerneltools.linalg import identity_like
from kerneltools.maps import Nystrom
from kerneltools.maps.base import require_finite_features
from kerneltools.progress import Progress, silent
from kerneltools.solvers import LinearModel, RidgePath, RidgeSums, path_of, ridge_sums
from kerneltools.solvers.features import BLOCK_ENTRIES
from kerneltools.solvers.ridge import model_of
from kerneltools.solvers.sums import sums_will_do, value_sums
from kerneltools.structures.base import Collection, is_collection, like_of, part, require_examples, require_known
from kerneltools.trees import Tree, flatten, static
from kerneltools.units import square_unit_of

FeatureMap = Callable[[Array], Array]
"""A map of kerneltools.maps, or any function (b, d) -> (b, m) that treats each row separately."""

BLOCK = 8192
"""The default number of rows at a time."""

MANY = 4
"""The multiple of the landmarks from which whitening the sums of rows is cheaper than whitening the rows."""

VALUES = 2048
"""Rows whose kernel values are summed at a time: they stay in a cache, and adding up the sums takes less than they."""


def rows(source: Array | Collection | str | Path, block: int = BLOCK) -> Iterator[Array]:
    """Rows of an array, of an .npy file that is mapped and never read as a whole, or objects, `block` at a time.

    (n, d) -> blocks (b, d); those of a file are NumPy arrays

    Raises ValueError for block < 1, FileNotFoundError, and kerneltools.files.FileFormatError for another
    kind of file.

    >>> import numpy as np
    >>> [part.shape for part in rows(np.zeros((5, 3)), block=2)]
    [(2, 3), (2, 3), (1, 3)]
    """
    _check_block(block)
    if isinstance(source, str | Path):
        return open_rows(source).blocks(block)
    if not is_collection(source):
        require_rank(2, "(n, d)", source=source)
    return (part(source, here) for here in blocks(source.shape[0], block))


def transform(phi: FeatureMap, blocks: Iterable[Array]) -> Iterator[Array]:
    """φ of each block, computed on demand.

    blocks (b, d) -> blocks (b, m)

    NumPy blocks are moved to the library, device and type of the map, so that a file can feed a GPU.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.maps import nystrom
    >>> x = np.linspace(0, 1, 6)[:, None]
    >>> phi = nystrom(Gaussian(1.0), x[:2, :])
    >>> bool(np.allclose(np.concatenate(list(transform(phi, rows(x, block=4)))), phi(x)))
    True
    """
    if hasattr(blocks, "dtype") or is_collection(blocks):
        raise TypeError("blocks: expected blocks (b, d) one after the other, got a single array; pass rows(array)")
    return (phi(_for_map(phi, piece)) for piece in blocks)


def transform_file(
    phi: FeatureMap, source: str | Path, target: str | Path, block: int = BLOCK, progress: Progress = silent
) -> tuple[int, int]:
    """Write φ of the rows of an .npy file to another one, `block` rows at a time; returns the new file's shape.

    (n, d) in a file -> (n, m) in a file, in the type that φ returns

    The target is written under a temporary name and then renamed: if anything fails, the earlier file remains.
    `progress`: is told how many rows are done, stage "rows".
    `numpy.load(target, mmap_mode="r")` or `rows(target)` read it piece by piece.

    Raises what `rows` raises, ValueError for a file without rows, and OSError if the target cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from kerneltools import maps
    >>> from kerneltools.kernels import Gaussian
    >>> folder = Path(tempfile.mkdtemp())
    >>> np.save(folder / "rows.npy", np.zeros((1000, 3)))
    >>> phi = maps.fourier(Gaussian(1.0), d=3, m=20, rng=0)
    >>> transform_file(phi, folder / "rows.npy", folder / "features.npy", block=100)
    (1000, 20)
    """
    _check_block(block)
    file = open_rows(source)
    if file.shape[0] == 0:
        raise ValueError(f"source: expected at least one row, got {source} of shape {file.shape}")
    n, done = file.shape[0], 0

    def made() -> Iterator[Any]:
        nonlocal done
        for piece in transform(phi, file.blocks(block)):
            yield to_host(piece)
            done += int(piece.shape[0])
            progress("rows", done, n)

    return save_rows(target, n, made())


@dataclass(frozen=True, eq=False)
class FeatureModel(Tree):
    """A linear model on features: x -> φ(x) W + b.

    >>> import numpy as np
    >>> from kerneltools import maps
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 60)[:, None]
    >>> phi = maps.nystrom(Gaussian(1.0), x[::6, :])
    >>> model = ridge(phi, [(x[:30, :], np.sin(x[:30, :])), (x[30:, :], np.sin(x[30:, :]))]).model(1e-6)
    >>> model.map is phi, model(np.array([[np.pi / 2]])).round(2)
    (True, array([[1.]]))
    """

    map: FeatureMap
    linear: LinearModel

    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., t)"""
        return self.linear(self.map(x))


@dataclass(frozen=True, eq=False)
class FeatureSums(Tree):
    """The sums that ridge regression and principal components need of the rows seen so far, in the features of a map.

    Frozen: `partial_fit` and `merge` return new sums, so that a failed call loses nothing. Both are exact: the order of
    the rows, their blocks and the machines that saw them change only rounding. `sums` are O(m²) numbers, in float64 if
    the library has it; `dtype` is the type of the features.

    >>> import numpy as np
    >>> x = np.linspace(0, 1, 8)[:, None]
    >>> start = FeatureSums(lambda x: x)
    >>> here, there = start.partial_fit(x[:5, :], 2 * x[:5, :]), start.partial_fit(x[5:, :], 2 * x[5:, :])
    >>> merge(here, there).model(reg=1e-12)(np.array([[3.0]])).round(6)
    array([[6.]])
    """

    map: FeatureMap
    sums: RidgeSums | None = None
    dtype: DType = static(None)

    def partial_fit(
        self,
        x: Array,
        y: Array | None = None,
        weights: Array | None = None,
        block: int = BLOCK,
        *,
        reg: float | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> "FeatureSums":
        """The sums with more rows: (n, d), targets (n, t) or None, weights (n,) >= 0 or None, `block` rows at a time.

        `reg`: the least λ that is to be asked for. Where rounding is far below it, Nyström features in float64 are
        summed in half the time: predictions change by some 1e-6 of the targets' spread at most, and for a λ below it
        by what rounding makes of that. `progress` is told how many rows of how many are done, of several blocks.

        Rows of weight 0 are ignored. Raises ValueError for shapes that do not fit earlier ones, negative weights, and
        NaN or infinities, with their row and column.
        """
        _check_block(block)
        require_examples(x=x)
        if y is not None:
            require_rank(2, "(n, t)", y=y)
            if y.shape[0] != x.shape[0]:
                raise ValueError(f"x, y: expected as many rows in both, got {x.shape[0]} and {y.shape[0]}")
        if weights is not None:
            require_weights(weights, x.shape[0], least=0)
        require_known(x=x)
        if y is not None:
            require_floating(y=y)
            require_finite(y=y)
        if x.shape[0] == 0:
            return self
        targets = _no_targets(x) if y is None else y
        sums = _sums(self.map, x, targets, weights, block, reg, progress)
        dtype = self.map(part(x, slice(0, 1))).dtype
        return FeatureSums(self.map, sums if self.sums is None else self.sums.merge(sums), dtype)

    def merge(self, other: "FeatureSums") -> "FeatureSums":
        """The sums of the rows of both. Raises ValueError if they are in features of different maps."""
        if not isinstance(other, FeatureSums):
            raise TypeError(f"merge: expected FeatureSums, got {type(other).__name__}")
        if not _same(self.map, other.map):
            raise ValueError(
                "merge: expected sums in the features of one map, got two that differ; share the landmarks"
            )
        if self.sums is None or other.sums is None:
            return self if other.sums is None else other
        return replace(self, sums=self.sums.merge(other.sums))

    def path(self) -> RidgePath:
        """The ridge solutions of all rows seen, for every λ. Raises ValueError for fewer than 2 rows."""
        return path_of(self._seen(), self.dtype)

    def model(self, reg: float) -> FeatureModel:
        """The ridge regression of all rows seen on their features, for λ = reg > 0; see `kerneltools.solvers.ridge`."""
        return FeatureModel(self.map, model_of(self._seen(), reg, self.dtype))

    def _seen(self) -> RidgeSums:
        if self.sums is None:
            raise ValueError("sums: no rows have been seen; call partial_fit first")
        return self.sums


def ridge(
    phi: FeatureMap,
    pairs: Iterable[tuple[Array, ...]],
    start: FeatureSums | None = None,
    progress: Progress = silent,
) -> FeatureSums:
    """The sums of a stream of blocks (x, y) or (x, y, weights): `ridge(phi, pairs).model(reg)` is the regression.

    blocks (b, d), (b, t), (b,) -> sums

    Equal to the result on all rows at once, in memory that does not grow with their number. NumPy blocks are moved to
    the library, device and type of the map. `start`: earlier sums to continue from, with the same map. `progress`: is
    told of each block, stage "blocks".

    Raises what `FeatureSums.partial_fit` raises, with the number of the block, from 0, ValueError if there are no
    blocks, and TypeError for blocks that are no tuples.

    >>> import numpy as np
    >>> from kerneltools import maps
    >>> from kerneltools.kernels import Gaussian
    >>> rng = np.random.default_rng(0)
    >>> phi = maps.fourier(Gaussian(1.0), d=1, m=20, rng=0)
    >>> blocks = ((x, np.sin(x)) for x in (rng.uniform(-3, 3, (100, 1)) for _ in range(5)))
    >>> ridge(phi, blocks).model(reg=1e-6)(np.array([[1.0]])).round(2)
    array([[0.84]])
    """
    found = FeatureSums(phi) if start is None else FeatureSums(phi).merge(start)
    for number, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or not 1 <= len(pair) <= 3:
            raise TypeError(f"block {number}: expected (x, y) or (x, y, weights), got {type(pair).__name__}")
        try:
            found = found.partial_fit(*(_for_map(phi, array) for array in pair))
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"block {number}: {error}") from error
        progress("blocks", number + 1, 0)
    if found.sums is None:
        raise ValueError("pairs: expected at least one block (x, y), got none")
    return found


def merge(a: FeatureSums, b: FeatureSums) -> FeatureSums:
    """The exact sums of the rows of both, for streams that were read on several machines.

    Raises ValueError if they are in features of different maps, or of different numbers of targets.

    >>> import numpy as np
    >>> from kerneltools import maps
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(-3, 3, 200)[:, None]
    >>> phi = maps.fourier(Gaussian(1.0), d=1, m=20, rng=0)
    >>> here, there = ridge(phi, [(x[:100, :], np.sin(x[:100, :]))]), ridge(phi, [(x[100:, :], np.sin(x[100:, :]))])
    >>> merge(here, there).model(reg=1e-6)(np.array([[1.0], [-1.0]])).round(2).ravel()
    array([ 0.84, -0.84])
    """
    return a.merge(b)


@runtime_checkable
class _Whitened(Protocol):
    """Features that are a linear function of kernel values: φ(x) = W' k(Z, x), with the matrix W `whitening` (m, m)."""

    @property
    def whitening(self) -> Array: ...

    def __call__(self, x: Array) -> Array: ...

    def norms(self) -> Array:
        """k(z, z) of the landmarks: (m,)"""

    def values(self, x: Array) -> Array:
        """k(x, Z): (n, d) -> (n, m)"""

    def of_values(self, values: Array) -> Array:
        """φ(x) from k(x, Z): (n, m) -> (n, m)"""


def _sums(
    phi: FeatureMap,
    x: Array,
    y: Array,
    weights: Array | None,
    block: int,
    reg: float | None,
    progress: Callable[[int, int], None],
) -> RidgeSums:
    """Sums of kernel values, whitened at the end, m³ operations, where there are many rows; else of features.

    Whitening enlarges rounding errors: those of sums in float64 stay below what rounding makes of features in float32.
    Sums of features in float64 are as exact where λ is far above what whitening makes of that rounding.
    """
    if isinstance(phi, _Whitened) and x.shape[0] >= MANY * phi.whitening.shape[0]:
        if _is_narrow(phi, x):
            values = _sums_of_values(phi, x, y, weights, block, progress)
            sums = values.mapped(phi.of_values)
            return replace(sums, gram=sums.gram + _rounding(phi, values))
        if reg is not None and _may_be_summed(phi, x, reg):
            values = _sums_of_values(phi, x, y, weights, block, progress)
            # Rows may have greater values than landmarks have.
            if sums_will_do(phi.whitening, _squares(values) / values.weight, reg):
                return values.mapped(phi.of_values)
    return _sums_of_features(phi, x, y, weights, block, progress)


def _is_narrow(phi: _Whitened, x: Array) -> bool:
    """Whether rows, landmarks and features are in one type, which is not the widest."""
    if not isinstance(phi, Nystrom):
        return False
    of_x, of_points = like_of(x), like_of(phi.points)
    return bool(of_x.dtype == of_points.dtype == phi.whitening.dtype != widest_float(of_x))


def _may_be_summed(phi: _Whitened, x: Array, reg: float) -> bool:
    """Whether values in the widest type, as great as those of the landmarks, may be summed for λ = reg."""
    norms, wide = phi.norms(), widest_float(like_of(x))
    if not norms.dtype == phi.whitening.dtype == wide or not holds(reg > 0):
        return False
    try:
        greatest = float(namespace(norms).max(norms))
    except (TypeError, RuntimeError):  # inside a trace, where numbers are not known
        return False
    return square_unit_of(greatest) == 1 and sums_will_do(phi.whitening, norms**2, reg)


def _sums_of_values(
    phi: _Whitened, x: Array, y: Array, weights: Array | None, block: int, progress: Callable[[int, int], None]
) -> RidgeSums:
    size = min(block, VALUES, max(64, BLOCK_ENTRIES // phi.whitening.shape[0]))
    parts = (
        value_sums(phi.values(part(x, rows)), y[rows, :], None if weights is None else weights[rows])
        for rows in _told(x.shape[0], size, progress)
    )
    return reduce(RidgeSums.merge, parts)


def _squares(values: RidgeSums) -> Array:
    """Σ k(x, z_j)² of each landmark: (m,)"""
    return namespace(values.gram).linalg.diagonal(values.gram) + values.weight * values.x_mean * values.x_mean


def _rounding(phi: _Whitened, values: RidgeSums) -> Array:
    """What rounding in the type of W adds to sums of features: eps² Σ_x Σ_j W_ji² k(x, z_j)² for each φ_i, (m, m).

    Sums of values lack them, and without them a tiny λ would trust directions in which the features are noise.
    """
    xp, squares = namespace(values.gram), _squares(values)
    whitening, eps = xp.astype(phi.whitening, squares.dtype), xp.finfo(phi.whitening.dtype).eps
    return identity_like(values.gram) * (eps**2 * (squares @ (whitening * whitening)))[None, :]


def _sums_of_features(
    phi: FeatureMap, x: Array, y: Array, weights: Array | None, block: int, progress: Callable[[int, int], None]
) -> RidgeSums:
    def of_block(rows: slice) -> RidgeSums:
        features = phi(part(x, rows))
        require_finite_features(features, rows.start)
        return ridge_sums(features, y[rows, :], None if weights is None else weights[rows], block)

    return reduce(RidgeSums.merge, map(of_block, _told(x.shape[0], block, progress)))


def _told(n: int, block: int, progress: Callable[[int, int], None]) -> Iterator[slice]:
    """The blocks of n rows; where there are several, each is told of when it is done."""
    for rows in blocks(n, block):
        yield rows
        if block < n:
            progress(rows.stop, n)


def _no_targets(x: Any) -> Array:
    """Targets without columns: (n, 0)"""
    like = like_of(x)
    return namespace(like).zeros((x.shape[0], 0), dtype=like.dtype, device=device_of(like))


def _for_map(phi: FeatureMap, piece: Any) -> Any:
    """A NumPy block in the library, device and type of the map; any other unchanged."""
    if is_collection(piece):
        return piece
    like = next((leaf for leaf in flatten(phi)[0] if hasattr(leaf, "dtype")), None)
    if like is None or type(piece) is type(like) or not _is_host(piece):
        return piece
    return move(piece, like)


def _is_host(array: Array) -> bool:
    owner = backend_of(array)
    return owner is not None and owner.name == "numpy"


def _same(a: Any, b: Any) -> bool:
    """Whether two maps give the same features: they are the same object, or have equal parts of the same types."""
    if a is b:
        return True
    if hasattr(a, "dtype") and hasattr(b, "dtype"):
        here, there = to_host(a), to_host(b)
        return here.shape == there.shape and bool((here == there).all())
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(_same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _check_block(block: int) -> None:
    if not is_whole(block):
        raise ValueError(f"block: expected an integer >= 1, got {block!r}")

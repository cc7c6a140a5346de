"""The exact features of kernels that count: sparse on the host, or hashed to a given number of columns."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Self

import numpy as np

from kerneltools.arrays import Array, asarray_like, namespace, require_count
from kerneltools.backend import to_host
from kerneltools.encoding import Host as InFile
from kerneltools.kernels import Kernel, Normalised, On, Scaled, Sum
from kerneltools.kernels.counting import ENTRIES, CountingKernel, Counts, mixed, parts
from kerneltools.maps.base import Map
from kerneltools.random import Rng, generator
from kerneltools.structures import Views
from kerneltools.structures.base import Collection, Host, is_collection, require_alike
from kerneltools.trees import static

Piece = tuple[Host, Host, Any]

HASHED = 2**20
"""About how many features are hashed at a time, and how long a table they are added to is: both stay in a cache."""


@dataclass(frozen=True, eq=False)
class CountFeatures(Map):
    """The features φ(x) that a kernel counts, a column for each feature of the training objects: sparse, on the host.

    Prepared by `counts`. `codes` (m,), sorted integers: the code of the feature of each column. `none`: an empty
    collection like the training objects, which tells what others must share with them, such as the alphabet.

    >>> from kerneltools.kernels.strings import Spectrum
    >>> from kerneltools.structures import Strings
    >>> phi = counts(Spectrum(2), Strings.of(["ACAC", "CAT"]))
    >>> phi.dimension, phi(Strings.of(["CACAGA"])).toarray()
    (3, array([[1., 0., 2.]]))
    >>> phi.residual(Strings.of(["CACAGA"]))  # AG and GA have no column
    array([2.])
    """

    kernel: Kernel
    codes: Host = static(())
    none: Collection | None = None

    def __post_init__(self) -> None:
        codes = np.asarray(self.codes)
        if codes.ndim != 1 or codes.dtype != np.int64 or len(codes) == 0 or (codes[1:] <= codes[:-1]).any():
            raise ValueError(f"codes: expected (m,) integers in order, at least one, got {codes!r:.60}")
        object.__setattr__(self, "codes", codes)

    @property
    def dimension(self) -> int:
        """m"""
        return len(self.codes)

    @property
    def columns(self) -> None:
        """None: the map is for objects."""

    def __call__(self, x: Any) -> Any:
        """(n,) objects -> a sparse array of SciPy (n, m), float64; features without a column are left out."""
        from scipy.sparse import vstack

        pieces = [counts.matrix(self.codes)[0] for counts in self._counted(x)]
        return pieces[0] if len(pieces) == 1 else vstack(pieces, format="csr")

    def of_rows(self, x: Any) -> Any:
        return self(x)

    def unseen(self, x: Any) -> Host:
        """How many different features of each object have no column, since no training object had them: (n,) -> (n,)"""
        return np.concatenate([_others(counts, self.codes)[1] for counts in self._counted(x)])

    def residual(self, x: Any) -> Array:
        """k(x, x) - φ(x)·φ(x), the part of k(x, x) from features without a column: (n,) -> (n,)"""
        found = [_others(counts, self.codes)[0] for counts in self._counted(x)]
        return asarray_like(np.concatenate(found), x.like)

    def _counted(self, x: Any) -> Iterator[Counts]:
        if self.none is not None and not isinstance(x, Counts):
            require_alike(self.none, x, "x", "the objects that the map was made for")
        return _in_parts(self.kernel, x)

    def _stored(self) -> dict[str, Any]:
        return {"kernel": self.kernel, "codes": InFile(self.codes), "none": self.none}

    @classmethod
    def _restored(cls, kernel: Any, codes: Any, none: Any) -> Self:
        require_counting(kernel)
        if none is not None and not is_collection(none):
            raise TypeError(f"none: expected a collection, got {none!r:.60}")
        return cls(kernel, codes.tree if isinstance(codes, InFile) else codes, none)


@dataclass(frozen=True, eq=False)
class HashedCounts(Map):
    """φ(x)_j = Σ ±(what a kernel counts), over the features hashed to column j. Prepared by `counts`.

    `size`: m; `seed`: the seed of the hash, which gives each feature its column and its sign.

    >>> from kerneltools.kernels.strings import Spectrum
    >>> from kerneltools.structures import Strings
    >>> phi, x = HashedCounts(Spectrum(3), size=512), Strings.of(["ACACA", "CACAT"])
    >>> phi(x) @ phi(x).T, Spectrum(3)(x, x)
    (array([[5., 3.],
           [3., 3.]]), array([[5., 3.],
           [3., 3.]]))
    """

    kernel: Kernel
    size: int = static(1024)
    seed: int = static(0)

    def __post_init__(self) -> None:
        require_counting(self.kernel)
        require_count("size", self.size)
        require_count("seed", self.seed, least=0)
        if self.size > LARGEST or self.seed >= 2**63:
            raise ValueError(f"columns, seed: expected at most {LARGEST} and 2**63, got {self.size} and {self.seed}")

    @property
    def dimension(self) -> int:
        """m"""
        return self.size

    @property
    def columns(self) -> None:
        """None: the map is for objects."""

    def __call__(self, x: Any) -> Array:
        """(n,) objects -> (n, m), in the library, device and type of the objects' `like`."""
        return self.of_rows(x)

    def of_rows(self, x: Any) -> Array:
        bits = namespace(x.like).finfo(x.like.dtype).bits
        found = np.zeros((len(x), self.size), dtype=np.float64 if bits > 32 else np.float32)
        load = np.maximum(_load(self.kernel, x), self.size)
        for part in parts(load, HASHED):
            groups: dict[float | None, list[tuple[Host, Host | None]]] = {}
            for codes, owners, values in _found(self.kernel, x[part]):
                single = None if np.ndim(values) else float(values)
                groups.setdefault(single, []).append((self._places(codes, owners), None if single else values))
            for factor, pieces in groups.items():
                places = np.concatenate([place for place, _ in pieces])
                weights = np.concatenate([weight for _, weight in pieces]) if factor is None else None
                sums = np.bincount(places, weights, minlength=2 * found[part].size) * (factor or 1.0)
                found[part] += (sums[0::2] - sums[1::2]).reshape(found[part].shape)
        return asarray_like(found, x.like)

    def _places(self, codes: Host, owners: Host) -> Host:
        """The column of each feature among twice as many: features in even ones are added, in odd ones subtracted."""
        hashed = mixed(codes.view(np.uint64) ^ np.uint64(self.seed))
        column = ((hashed >> np.uint64(32)) * np.uint64(self.size)) >> np.uint64(32)
        return ((column << np.uint64(1)) | (hashed & np.uint64(1))).view(np.int64) + owners * (2 * self.size)


LARGEST = 2**24
"""The greatest number of columns of a hashed map."""


def counts(kernel: Kernel, x: Any = None, columns: int | None = None, rng: Rng = 0) -> CountFeatures | HashedCounts:
    """The features that a kernel counts, with φ(x)·φ(y) = k(x, y): sparse, or hashed to a number of columns.

    -> map of (n,) objects -> (n, m)

    `kernel`: one that counts (spectrum, mismatch, gapped k-mers, Weisfeiler-Lehman, shortest paths), `Normalised`,
    multiples, sums and `On` of these. With training objects x, each of their features gets a column: φ returns sparse
    arrays of SciPy on the host, as scikit-learn's linear models take them. φ(x)·φ(y) is the kernel if x or y is a
    training object. Other features of new objects are left out: `phi.unseen(y)` is their number, `phi.residual(y)`
    their part of k(y, y).

    With `columns` = m, no objects are needed: a hash gives each feature one of m columns and a sign, and φ returns
    arrays (n, m) of the library, device and type of the objects (Weinberger et al. 2009). The mean of φ(x)·φ(y) over
    `rng` is k(x, y), its standard deviation at most about sqrt(2 k(x, x) k(y, y) / m).

    Raises TypeError for a kernel that does not count, ValueError unless exactly one of x and columns is given.

    >>> from kerneltools.kernels.strings import Spectrum
    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACAC", "CAT"])
    >>> phi = counts(Spectrum(2), x)
    >>> phi(x).toarray()
    array([[2., 0., 1.],
           [0., 1., 1.]])
    >>> phi.unseen(Strings.of(["CAGA"]))
    array([2])
    >>> counts(Spectrum(2), columns=64)(x).shape
    (2, 64)
    """
    require_counting(kernel)
    if (x is None) == (columns is None):
        raise ValueError(
            "x, columns: expected either x, objects whose features get a column each, or a number of columns that all "
            f"features are hashed to, got {'neither' if x is None else 'both'}"
        )
    if columns is not None:
        require_count("columns", columns)
        return HashedCounts(kernel, int(columns), int(generator(rng).integers(0, 2**63)))
    codes = np.zeros(0, dtype=np.int64)
    for found in _in_parts(kernel, x):
        codes = np.union1d(codes, found.codes)
    if len(codes) == 0:
        raise ValueError(f"x: expected objects with features of {kernel!r}, got {len(x)} that have none")
    return CountFeatures(kernel, codes, None if isinstance(x, Counts) else x[:0])


def require_counting(kernel: Any) -> None:
    """Raise TypeError unless the kernel counts, or is `Normalised`, a multiple, a sum or `On` of such kernels."""
    if isinstance(kernel, CountingKernel) and kernel.counted:
        return
    if isinstance(kernel, Sum):
        for term in kernel.terms:
            require_counting(term)
    elif isinstance(kernel, Normalised | Scaled | On):
        require_counting(kernel.kernel)
    else:
        raise TypeError(
            f"kernel: expected one that counts, such as kernels.strings.Spectrum, or Normalised, multiples, sums and "
            f"On of such, got {kernel!r}; maps.nystrom takes any kernel"
        )


def _in_parts(kernel: Kernel, x: Any) -> Iterator[Counts]:
    """The counts of the objects, `ENTRIES` features at a time."""
    return (_counted(kernel, x[part]) for part in parts(_load(kernel, x), ENTRIES))


def _counted(kernel: Kernel, x: Any) -> Counts:
    """The counts, scaled so that their products are the kernel."""
    if isinstance(kernel, Scaled):
        return _times(_counted(kernel.kernel, x), _root(kernel))
    if isinstance(kernel, Normalised):
        counts = _counted(kernel.kernel, x)
        return _times(counts, np.repeat(_inverse_roots(counts.squares()), counts.lengths))
    if isinstance(kernel, On):
        return _counted(kernel.kernel, _view(kernel, x))
    if isinstance(kernel, Sum):
        terms = [_counted(term, x) for term in kernel.terms]
        codes = np.concatenate([_of_term(counts.codes, number) for number, counts in enumerate(terms)])
        owners, values = (np.concatenate([getattr(counts, name) for counts in terms]) for name in ("owners", "values"))
        return Counts.of(codes, owners, len(x), values)
    held: Any = kernel
    return x if isinstance(x, Counts) else held.counts(held.checked(x))


def _found(kernel: Kernel, x: Any) -> Iterator[Piece]:
    """The same as features that are not yet summed: codes, the object of each, and values."""
    if isinstance(kernel, Scaled):
        root = _root(kernel)
        yield from ((codes, owners, root * values) for codes, owners, values in _found(kernel.kernel, x))
    elif isinstance(kernel, Sum):
        for number, term in enumerate(kernel.terms):
            yield from ((_of_term(codes, number), owners, values) for codes, owners, values in _found(term, x))
    elif isinstance(kernel, On):
        yield from _found(kernel.kernel, _view(kernel, x))
    elif isinstance(kernel, Normalised):
        inverse = _inverse_roots(np.asarray(to_host(kernel.kernel.diag(x)), dtype=np.float64))
        yield from ((codes, owners, inverse[owners] * values) for codes, owners, values in _found(kernel.kernel, x))
    elif isinstance(x, Counts):
        yield x.codes, x.owners, x.values
    elif isinstance(kernel, CountingKernel):
        yield from kernel.found(kernel.checked(x))


def _times(counts: Counts, factor: Any) -> Counts:
    return replace(counts, values=counts.values * factor)


def _root(kernel: Scaled) -> float:
    scale: Any = kernel.scale
    return sqrt(float(to_host(scale) if hasattr(scale, "dtype") else scale))


def _inverse_roots(squares: Host) -> Host:
    """s^(-1/2), 0 for 0: (n,)"""
    return np.where(squares > 0, 1 / np.sqrt(np.where(squares > 0, squares, 1.0)), 0.0)


def _of_term(codes: Host, number: int) -> Host:
    """Codes that differ from those of all other terms."""
    key = mixed(np.asarray([number + 1], dtype=np.uint64))
    return mixed(codes.view(np.uint64) ^ key).view(np.int64)


def _load(kernel: Any, x: Any) -> Host:
    """About how many features each object has: (n,)"""
    if isinstance(kernel, Sum):
        loads = [_load(term, x) for term in kernel.terms]
        return np.sum(loads, axis=0)
    if isinstance(kernel, CountingKernel):
        return x.lengths if isinstance(x, Counts) else kernel.load(kernel.checked(x))
    return _load(kernel.kernel, _view(kernel, x) if isinstance(kernel, On) else x)


def _view(kernel: On, x: Any) -> Any:
    if not isinstance(x, Views):
        raise TypeError(f"x: expected structures.Views for {kernel!r}, got {type(x).__name__}")
    return kernel.view(x)


def _others(counts: Counts, codes: Host) -> tuple[Host, Host]:
    """The sum of squares and the number of each object's features without a column, (n,), (n,)"""
    at = np.searchsorted(codes, counts.codes).clip(0, len(codes) - 1)
    new = codes[at] != counts.codes
    owners, n = counts.owners[new], len(counts)
    return np.bincount(owners, counts.values[new] ** 2, minlength=n), np.bincount(owners, minlength=n)

"""Kernels that count features of objects: inner products of sparse vectors of integer codes, made on the host."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from kerneltools.arrays import Array, asarray_like, namespace
from kerneltools.kernels.base import Kernel
from kerneltools.structures.base import Collection, Host, number_like, offsets_of, require_alike, spans
from kerneltools.trees import static

ENTRIES = 2**23
"""Counts in memory at a time, about: 200 MB."""


@dataclass(frozen=True, eq=False, repr=False)
class Counts(Collection):
    """The counts of n objects: object i has the `values` of the `codes` between two `offsets`, sorted by code.

    `codes` (z,) int64, each the name of a feature; `values` (z,) float64; `offsets` (n + 1,).

    >>> import numpy as np
    >>> found = Counts.of(codes=np.array([7, 7, 3, 7]), owners=np.array([0, 0, 1, 1]), n=2)
    >>> found.codes, found.values, found.offsets
    (array([7, 3, 7]), array([2., 1., 1.]), array([0, 1, 3]))
    """

    objects: ClassVar[str] = "counted objects"

    codes: Host = static(())
    values: Host = static(())
    offsets: Host = static((0,))
    number: Array = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", number_like(self.number))

    @classmethod
    def of(cls, codes: Host, owners: Host, n: int, values: Host | float = 1.0, like: Array | None = None) -> Self:
        """Counts from features in any order: codes (z,), the object of each (z,), and how much each counts."""
        least, most = (int(codes.min()), int(codes.max())) if len(codes) else (0, 0)
        if np.ndim(values) == 0 and n * (most - least + 1) < 2**63:  # object and code in one number
            keys = owners * np.int64(most - least + 1) + (codes - least)
            keys.sort()
            starts = _starts(keys)
            total = np.diff(np.append(starts, len(keys))) * float(values)
            owners, codes = np.divmod(keys[starts], most - least + 1)
            return cls(codes + least, total, offsets_of(np.bincount(owners, minlength=n)), like)
        order = _order(codes, owners, n, stable=np.ndim(values) > 0)
        codes, owners = codes[order], owners[order]
        starts = _starts(codes, owners)
        held = np.broadcast_to(np.asarray(values, dtype=np.float64), (len(order),))[order]
        total = np.add.reduceat(held, starts) if len(starts) else np.zeros(0)
        return cls(codes[starts], total, offsets_of(np.bincount(owners[starts], minlength=n)), like)

    @property
    def like(self) -> Array:
        return self.number

    @property
    def lengths(self) -> Host:
        """How many features each object has: (n,)"""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Host:
        """The object that each entry belongs to: (z,)"""
        return np.repeat(np.arange(len(self)), self.lengths)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def taken(self, numbers: Host) -> Self:
        lengths = self.lengths[numbers]
        where = spans(self.offsets[numbers], lengths)
        return type(self)(self.codes[where], self.values[where], offsets_of(lengths), self.number)

    def joined(self, others: Sequence[Self]) -> Self:
        every = [self, *others]
        lengths = np.concatenate([one.lengths for one in every])
        codes, values = (np.concatenate([getattr(one, name) for one in every]) for name in ("codes", "values"))
        return type(self)(codes, values, offsets_of(lengths), self.number)

    def item(self, number: int) -> dict[int, float]:
        part = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        return dict(zip(self.codes[part].tolist(), self.values[part].tolist(), strict=True))

    def key(self, number: int) -> bytes:
        part = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        return bytes(self.codes[part].tobytes() + self.values[part].tobytes())

    def squares(self) -> Host:
        """The sum of the squared counts of each object: (n,)"""
        return np.bincount(self.owners, self.values**2, minlength=len(self))

    def products(self, other: "Counts") -> Host:
        """All inner products: (n,), (m,) -> (n, m)"""
        columns, codes = other.matrix()
        rows, _ = self.matrix(codes)
        return (rows @ columns.T).toarray()

    def matrix(self, columns: Host | None = None) -> tuple[Any, Host]:
        """The counts as a sparse matrix of SciPy, and the code of each column, in order: (n, c), (c,)

        `columns`: the codes to keep; None for all that occur.
        """
        if columns is None:
            found, place = np.unique(self.codes, return_inverse=True)
            return _sparse(self.values, place, self.offsets, len(found)), found
        at: Host = np.searchsorted(columns, self.codes)
        known = at < len(columns)
        known[known] = columns[at[known]] == self.codes[known]
        offsets = offsets_of(np.bincount(self.owners[known], minlength=len(self)))
        return _sparse(self.values[known], at[known], offsets, len(columns)), columns


def _sparse(values: Host, place: Host, offsets: Host, width: int) -> Any:
    """The matrix with indices of 32 bits if these suffice: scikit-learn accepts no others."""
    from scipy.sparse import csr_array

    kind = np.int32 if max(len(values), width) < 2**31 else np.int64
    return csr_array((values, place.astype(kind), offsets.astype(kind)), shape=(len(offsets) - 1, width))


def _order(codes: Host, owners: Host, n: int, stable: bool) -> Host:
    """The permutation that sorts by object, and by code within each: (z,), (z,) -> (z,)

    The result of `lexsort`, in a quarter of its time: objects are sorted by 16 bits at a time, which NumPy does in
    linear time. `stable`: equal pairs keep their order, so that sums of their values do not depend on other objects.
    """
    order = np.argsort(codes, kind="stable" if stable else None)
    for bits in range(0, max(n - 1, 1).bit_length(), 16):
        order = order[np.argsort((owners[order] >> bits).astype(np.uint16), kind="stable")]
    return order


class CountingKernel(Kernel):
    """k(x, y) = Σ_c φ_c(x) φ_c(y), of counts φ_c >= 0; a new kernel names its `structure` and defines `counts`.

    Codes are integers that depend on the feature alone, never on the other objects, so that the counts of new objects
    can be compared with earlier ones.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from kerneltools.structures import Strings
    >>> @dataclass(frozen=True)
    ... class Letters(CountingKernel):
    ...     structure = Strings
    ...     def counts(self, x):
    ...         return Counts.of(x.tokens.astype(np.int64), np.repeat(np.arange(len(x)), x.lengths), len(x))
    >>> x = Strings.of(["AAC", "AG"])
    >>> Letters()(x, x)
    array([[5., 2.],
           [2., 2.]])
    """

    @property
    def counted(self) -> bool:
        """Whether the kernel, with its parameters, has features that `counts` returns."""
        return True

    @abstractmethod
    def counts(self, x: Any) -> Counts:
        """The counts of each object's features: (n,) -> (n,)"""

    def found(self, x: Any) -> Iterator[tuple[Host, Host, Host | float]]:
        """Features that are not yet summed: their codes (z,), the object of each, and how much each counts.

        A code may occur several times. For kernels that find far more features than objects have letters or nodes.
        """
        counts = self.counts(x)
        yield counts.codes, counts.owners, counts.values

    def load(self, x: Any) -> Host:
        """About how many features each object has before equal ones are summed: (n,)"""
        return x.lengths

    def prepared(self, x: Any) -> Counts:
        """The counts of all objects, `ENTRIES` at a time."""
        if isinstance(x, Counts):
            return x
        x = self.checked(x)
        pieces = [self.counts(x[part]) for part in parts(self.load(x))]
        return pieces[0] if len(pieces) == 1 else pieces[0].joined(pieces[1:])

    def checked(self, x: Any) -> Any:
        """The objects. Raises TypeError for objects that the kernel does not compare."""
        if self.structure is not None and not isinstance(x, self.structure):
            raise TypeError(
                f"x: expected {self.structure.__name__} for {self!r}, got {type(x).__name__}; make them with "
                f"structures.{self.structure.__name__}.of(a list of objects)"
            )
        return x

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) -> (n, m)"""
        if not isinstance(x, Counts) and not isinstance(y, Counts):
            require_alike(self.checked(x), self.checked(y), "y")
        other = self.prepared(y)
        if isinstance(x, Counts):
            return asarray_like(x.products(other), wider(x.like, other.like))
        x = self.checked(x)
        like = wider(x.like, other.like)
        pieces = [self.counts(x[part]).products(other) for part in parts(self.load(x))]
        return asarray_like(np.concatenate(pieces), like)

    def diag(self, x: Any) -> Array:
        """k(x, x) of each object: (n,) -> (n,)"""
        if isinstance(x, Counts):
            return asarray_like(x.squares(), x.like)
        x = self.checked(x)
        return asarray_like(np.concatenate([self.counts(x[part]).squares() for part in parts(self.load(x))]), x.like)


def parts(load: Host, most: int = ENTRIES) -> list[slice]:
    """Slices of consecutive objects with about `most` features together, at least one object each."""
    ends = np.cumsum(np.maximum(load, 1))
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.unique(np.searchsorted(ends, np.arange(most, total, most)) + 1).tolist()
    bounds = [0, *(cut for cut in cuts if cut < len(load)), len(load)]
    return [slice(a, b) for a, b in pairwise(bounds) if b > a] or [slice(0, 0)]


def mixed(codes: Host) -> Host:
    """A permutation of the 64-bit numbers that leaves no order in them (Steele, Lea and Flood 2014)."""
    codes = (codes + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(2**64 - 1)
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))


def _starts(*columns: Host) -> Host:
    """Where rows that are in order differ from the row before."""
    first = np.ones(len(columns[0]), dtype=bool)
    first[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return first.nonzero()[0]


def wider(a: Array, b: Array) -> Array:
    """The one of two arrays of one library whose type has more digits; values are made in it."""
    xp = namespace(a, b)
    return a if xp.finfo(a.dtype).bits >= xp.finfo(b.dtype).bits else b

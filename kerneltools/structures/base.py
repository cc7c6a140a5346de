"""What a collection of objects is, and the three questions that the rest of the house asks of it, and of arrays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from operator import index as whole
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from kerneltools.arrays import (
    Array,
    blocks,
    device_of,
    indices_like,
    namespace,
    require_finite,
    require_floating,
    require_rank,
)
from kerneltools.backend import move, to_host
from kerneltools.trees import Tree, map_leaves, named_leaves

Host = Any
"""An array of NumPy: structure is on the host, whatever library the numbers are in."""

Data = TypeVar("Data")


class Collection(Tree, ABC):
    """n objects in an order, of one kind, such as `Strings`: what stands for rows (n, d) where examples are no vectors.

    Like an array of one axis: `len`, `shape` (n,), `x[3]` is an object, `x[2:5]`, `x[[4, 0]]` and `x[mask]` are
    collections, and iterating gives the objects. Their structure (letters, lengths, edges) is whole numbers on the
    host; `like` says in which library, on which device and in which type their kernel values are made: float64 of
    NumPy, unless something else is given, or `to` is called.

    A new one is a frozen dataclass that defines `like`, `__len__`, `taken`, `joined`, `item` and `key`. Structure
    is declared with `kerneltools.trees.static()`; arrays that gradients go through are the other fields.

    >>> from kerneltools import structures
    >>> x = structures.of(["ACGT", "GGA", "TTTA"])
    >>> isinstance(x, Collection), len(x), x[1], list(x[[2, 0]])
    (True, 3, 'GGA', ['TTTA', 'ACGT'])
    """

    objects: ClassVar[str] = "objects"
    """What messages call them."""

    no_rows: ClassVar[str] = "kernels of objects are in kernels.strings, kernels.graphs and kernels.series"
    """What to do where rows are wanted."""

    # NumPy asks the collection, and makes no array of its objects one by one.
    __array_ufunc__ = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "__repr__" not in vars(cls):
            cls.__repr__ = Collection.__repr__  # type: ignore[method-assign]
        super().__init_subclass__(**keywords)

    @property
    @abstractmethod
    def like(self) -> Array:
        """An array of the library, device and floating-point type of what is computed of the objects."""

    @abstractmethod
    def __len__(self) -> int:
        """n"""

    @abstractmethod
    def taken(self, numbers: Host) -> Self:
        """The objects with these numbers, (m,) integers on the host, in 0..n-1."""

    @abstractmethod
    def joined(self, others: Sequence[Self]) -> Self:
        """These objects and those of the others behind them, of the same class.

        Raises ValueError where they do not go together, such as strings of two alphabets.
        """

    @abstractmethod
    def item(self, number: int) -> Any:
        """The object with this number, as a Python object of its own."""

    @abstractmethod
    def key(self, number: int) -> Any:
        """What two objects have in common if and only if they are equal; hashable."""

    def differs(self, other: Self) -> str:
        """What keeps another collection of this class from being compared with this one, such as its alphabet.

        Empty where nothing does: "letters of DNA, got letters of PROTEIN".
        """
        return ""

    @property
    def shape(self) -> tuple[int]:
        """(n,)"""
        return (len(self),)

    @property
    def ndim(self) -> int:
        """1"""
        return 1

    def to(self, like: Array) -> Self:
        """The same objects, with everything that is computed of them in the library, device and type of `like`."""
        return cast_numbers(self, lambda leaf: move(leaf, like))

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, tuple):  # x[rows, ...], as for arrays
            at = at[0] if at[1:] in ((), (Ellipsis,)) else self._refused(at)
        if at is Ellipsis:
            return self
        if isinstance(at, slice):
            return self.taken(np.arange(*at.indices(len(self))))
        if hasattr(at, "ndim") and at.ndim == 1:
            return take(self, to_host(at))
        if isinstance(at, Sequence) and not isinstance(at, str):
            return take(self, np.asarray(at) if len(at) else np.zeros(0, dtype=np.int64))
        try:
            number = whole(at)
        except TypeError:
            return self._refused(at)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no object {number} among {len(self)} {self.objects}")
        return self.item(number % len(self))

    def _refused(self, at: Any) -> Any:
        raise TypeError(f"{type(self).__name__}: expected a number, a slice, or numbers or a mask (m,), got {at!r:.60}")

    def __iter__(self) -> Iterator[Any]:
        return (self.item(number) for number in range(len(self)))

    def __add__(self, other: Self) -> Self:
        return concat([self, other])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} {self.objects}{self.described()})"

    def described(self) -> str:
        """What `repr` says beyond the number of objects."""
        return ""


def is_collection(x: Any) -> bool:
    """Whether x is a collection of objects, and no array of rows."""
    return isinstance(x, Collection)


def count(x: Any) -> int:
    """How many: the objects of a collection, or the rows of an array (n, ...)

    >>> import numpy as np
    >>> from kerneltools.structures import Objects
    >>> count(np.zeros((3, 2))), count(Objects(("a", "b")))
    (3, 2)
    """
    return len(x) if is_collection(x) else int(x.shape[0])


def take(x: Data, numbers: Any) -> Data:
    """The objects or rows with these numbers (m,), or those where a mask (n,) is true: a collection, or (m, ...)

    Raises IndexError for numbers outside of 0..n-1, or of -n..-1 from the end, and ValueError for a mask of another
    length.

    >>> import numpy as np
    >>> take(np.asarray([[1.0], [2.0], [3.0]]), [2, 0])
    array([[3.],
           [1.]])
    """
    n, host = count(x), np.asarray(numbers)
    if host.dtype == bool:
        if host.shape != (n,):
            raise ValueError(f"numbers: expected a mask of {n} entries, got shape {host.shape}")
        host = host.nonzero()[0]
    if host.size == 0:
        host = host.astype(np.int64)
    if host.ndim != 1 or host.dtype.kind not in "iu":
        raise TypeError(f"numbers: expected integers (m,) or a mask ({n},), got {host.dtype} of shape {host.shape}")
    if host.size and not -n <= int(host.min()) <= int(host.max()) < n:
        wrong = int(host[(host < -n) | (host >= n)][0])
        raise IndexError(f"numbers: there is no {wrong} among {n}")
    host = np.where(host < 0, host + n, host).astype(np.int64)
    if isinstance(x, Collection):
        return x.taken(host)
    xp: Any = namespace(x)
    found: Data = xp.take(x, indices_like(host, x), axis=0)
    return found


def part(x: Data, rows: slice) -> Data:
    """The objects or rows of a slice, without a copy of an array."""
    held: Any = x
    found: Data = held[rows] if is_collection(x) else held[(rows, *[slice(None)] * (held.ndim - 1))]
    return found


def concat(pieces: Sequence[Data]) -> Data:
    """Several collections of one class, or arrays of rows of one shape, one after the other.

    Raises ValueError for none, TypeError for pieces of several kinds.

    >>> from kerneltools import structures
    >>> len(concat([structures.of(["AC", "GT"]), structures.of(["ACGT"])]))
    3
    """
    if not pieces:
        raise ValueError("pieces: expected at least one, got none")
    first: Any = pieces[0]
    if not any(map(is_collection, pieces)):
        found: Data = namespace(*pieces).concat(list(pieces), axis=0)
        return found
    if len({type(piece) for piece in pieces}) > 1:
        raise TypeError(f"pieces: expected one kind, got {', '.join(sorted({type(p).__name__ for p in pieces}))}")
    joined: Data = first if len(pieces) == 1 else first.joined(list(pieces[1:]))
    return joined


def like_of(x: Any) -> Array:
    """An array that says in which library, on which device and in which type values of x are made: x, or its `like`."""
    return x.like if isinstance(x, Collection) else x


def in_type(x: Data, dtype: Any) -> Data:
    """The same objects or rows with their floating-point numbers in that type of their library."""
    return cast_numbers(x, lambda leaf: namespace(leaf).astype(leaf, dtype))


def cast_numbers(x: Data, f: Callable[[Array], Array]) -> Data:
    """x with f of its floating-point arrays, whole numbers as they are."""
    found: Data = map_leaves(lambda leaf: f(leaf) if _is_floating(leaf) else leaf, x)
    return found


def keys(x: Any, numbers: Sequence[int]) -> list[Any]:
    """For each of these objects or rows, what it has in common with those that are equal to it, and no others."""
    if isinstance(x, Collection):
        return [x.key(number) for number in numbers]
    # -0.0 and 0.0 are one number with two bit patterns; adding 0.0 leaves one.
    return [row.tobytes() for row in to_host(take(x, list(numbers))) + 0.0]


def require_examples(form: str = "(n, d)", **named: Any) -> None:
    """Raise TypeError or ValueError for the first that is neither a collection nor floating-point rows (n, d)."""
    for name, x in named.items():
        if not is_collection(x):
            require_rank(2, form, **{name: x})
            require_floating(**{name: x})


def require_known(**named: Any) -> None:
    """Raise ValueError for the first rows, or numbers of a collection, with a NaN or an infinity, with its place."""
    for name, x in named.items():
        leaves = named_leaves(x) if is_collection(x) else [("", x)]
        require_finite(**{f"{name}.{path}" if path else name: leaf for path, leaf in leaves if _is_floating(leaf)})


def require_alike(x: Any, other: Any, name: str, of: str = "x") -> None:
    """Raise unless the other is what x is: a collection that goes with it, or an array of as many columns.

    `name`: what the other is called; `of`: what x is.
    """
    if is_collection(x) or is_collection(other):
        if type(x) is not type(other):
            raise TypeError(f"{name}: expected {_kind(x)} as {of}, got {_kind(other)}")
        if difference := x.differs(other):
            raise ValueError(f"{name}: expected what goes with {of}, {difference}")
    elif x.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"{name}: expected {x.shape[-1]} columns as in {of} of shape {tuple(x.shape)}, got shape "
            f"{tuple(other.shape)}"
        )


def by_objects(x: Any, f: Callable[[Any], Array], block: int) -> Array:
    """f of the objects, `block` of them at a time: (n,), f: (b,) -> (b, ...) -> (n, ...)"""
    if len(x) <= block:
        return f(x)
    pieces = [f(part(x, rows)) for rows in blocks(len(x), block)]
    return namespace(*pieces).concat(pieces, axis=0)


def number_like(like: Array | None) -> Array:
    """The number 0 () of the library, device and type of `like`: NumPy's float64 without one."""
    if like is None:
        return np.zeros(())
    xp = namespace(like)
    if not xp.isdtype(like.dtype, "real floating"):
        raise TypeError(f"like: expected a floating-point array, got {like.dtype}")
    return xp.zeros((), dtype=like.dtype, device=device_of(like))


def spans(starts: Host, lengths: Host) -> Host:
    """All numbers of several ranges, one range behind the other: starts (m,), lengths (m,) -> (Σ lengths,)"""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def offsets_of(lengths: Any) -> Host:
    """Where each of several objects starts, and where the last ends: lengths (n,) -> (n + 1,)"""
    found = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


def check_offsets(offsets: Any, total: int, of: str) -> Host:
    """Raise unless these are whole numbers from 0 to `total` that never fall: (n + 1,)"""
    host = np.asarray(offsets)
    good = host.ndim == 1 and host.size >= 1 and host.dtype.kind in "iu"
    if not good or host[0] != 0 or host[-1] != total or (np.diff(host.astype(np.int64)) < 0).any():
        raise ValueError(f"offsets: expected (n + 1,) integers that rise from 0 to the {total} {of}, got {host!r:.80}")
    return host.astype(np.int64)


def extremes(lengths: Host, of: str) -> str:
    """How long the objects are, for `repr`."""
    if len(lengths) == 0:
        return ""
    least, most = int(lengths.min()), int(lengths.max())
    return f" of {least}{f' to {most}' if most > least else ''} {of}"


def _kind(x: Any) -> str:
    return type(x).__name__ if is_collection(x) else "an array of rows"


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))

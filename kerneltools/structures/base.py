"""What a collection of objects is, and the functions that treat collections and arrays of rows alike."""

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
"""A NumPy array: structure is kept on the host, whatever library the numbers are in."""

Data = TypeVar("Data")


class Collection(Tree, ABC):
    """n objects of one kind in order, such as `Strings`: what stands for rows (n, d) if examples are no vectors.

    It behaves like an array of one axis: it has `len` and `shape` (n,); `x[3]` is an object; `x[2:5]`, `x[[4, 0]]` and
    `x[mask]` are collections; iterating gives the objects. Their structure (letters, lengths, edges) is integers on the
    host. `like` determines the library, device and type of their kernel values: NumPy's float64, unless another is
    given or `to` is called.

    A new collection is a frozen dataclass that defines `like`, `__len__`, `taken`, `joined`, `item` and `key`. Fields
    of structure are declared with `kerneltools.trees.static()`; the other fields are arrays that gradients go through.

    >>> from kerneltools import structures
    >>> x = structures.of(["ACGT", "GGA", "TTTA"])
    >>> isinstance(x, Collection), len(x), x[1], list(x[[2, 0]])
    (True, 3, 'GGA', ['TTTA', 'ACGT'])
    """

    objects: ClassVar[str] = "objects"
    """What messages call the objects."""

    no_rows: ClassVar[str] = "kernels of objects are in kernels.strings, kernels.graphs and kernels.series"
    """The advice of messages where rows are needed."""

    # NumPy asks the collection, and makes no array of its objects one by one.
    __array_ufunc__ = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "__repr__" not in vars(cls):
            cls.__repr__ = Collection.__repr__  # type: ignore[method-assign]
        super().__init_subclass__(**keywords)

    @property
    @abstractmethod
    def like(self) -> Array:
        """An array in the library, device and floating-point type of what is computed from the objects."""

    @abstractmethod
    def __len__(self) -> int:
        """n"""

    @abstractmethod
    def taken(self, numbers: Host) -> Self:
        """The objects with these numbers, (m,) integers on the host, in 0..n-1."""

    @abstractmethod
    def joined(self, others: Sequence[Self]) -> Self:
        """These objects followed by those of the other collections, which are of the same class.

        Raises ValueError for collections that do not fit together, such as strings of two alphabets.
        """

    @abstractmethod
    def item(self, number: int) -> Any:
        """The object with this number, as a Python object of its own."""

    @abstractmethod
    def key(self, number: int) -> Any:
        """A hashable value that two objects share if and only if they are equal."""

    def differs(self, other: Self) -> str:
        """Why another collection of this class cannot be compared with this one, such as another alphabet.

        Such as "letters of DNA, got letters of PROTEIN"; empty if it can be.
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
        """The same objects, with all that is computed from them in the library, device and type of `like`."""
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
        """What `repr` shows besides the number of objects."""
        return ""


def is_collection(x: Any) -> bool:
    """Whether x is a collection of objects, not an array of rows."""
    return isinstance(x, Collection)


def count(x: Any) -> int:
    """The number of objects of a collection, or of rows of an array (n, ...)

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
    """Several collections of one class, or arrays of rows of one shape, joined one after the other.

    Raises ValueError if there are none, TypeError for pieces of several kinds.

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
    """An array in the library, device and type in which values of x are computed: x itself, or its `like`."""
    return x.like if isinstance(x, Collection) else x


def in_type(x: Data, dtype: Any) -> Data:
    """The same objects or rows with their floating-point numbers in another type of their library."""
    return cast_numbers(x, lambda leaf: namespace(leaf).astype(leaf, dtype))


def cast_numbers(x: Data, f: Callable[[Array], Array]) -> Data:
    """x with f applied to its floating-point arrays; integers are unchanged."""
    found: Data = map_leaves(lambda leaf: f(leaf) if _is_floating(leaf) else leaf, x)
    return found


def keys(x: Any, numbers: Sequence[int]) -> list[Any]:
    """For each of these objects or rows, a value that it shares with its equals and no others."""
    if isinstance(x, Collection):
        return [x.key(number) for number in numbers]
    # -0.0 and 0.0 are one number with two bit patterns; adding 0.0 leaves one.
    return [row.tobytes() for row in to_host(take(x, list(numbers))) + 0.0]


def require_examples(form: str = "(n, d)", **named: Any) -> None:
    """Raise TypeError or ValueError for the first value that is neither a collection nor floating-point rows (n, d)."""
    for name, x in named.items():
        if not is_collection(x):
            require_rank(2, form, **{name: x})
            require_floating(**{name: x})


def require_known(**named: Any) -> None:
    """Raise ValueError, with the place, for the first rows or collection with a NaN or an infinity."""
    for name, x in named.items():
        leaves = named_leaves(x) if is_collection(x) else [("", x)]
        require_finite(**{f"{name}.{path}" if path else name: leaf for path, leaf in leaves if _is_floating(leaf)})


def require_alike(x: Any, other: Any, name: str, of: str = "x") -> None:
    """Raise unless `other` fits x: a collection that can be compared with it, or an array of as many columns.

    `name`: what messages call the other; `of`: what they call x.
    """
    if is_collection(x) or is_collection(other):
        if type(x) is not type(other):
            raise TypeError(f"{name}: expected {_kind(x)} as {of}, got {_kind(other)}")
        if difference := x.differs(other):
            raise ValueError(f"{name}: expected the same kind as {of}: {difference}")
    elif x.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"{name}: expected {x.shape[-1]} columns as in {of} of shape {tuple(x.shape)}, got shape "
            f"{tuple(other.shape)}"
        )


def by_objects(x: Any, f: Callable[[Any], Array], block: int) -> Array:
    """f on the objects, `block` of them at a time: (n,), f: (b,) -> (b, ...) -> (n, ...)"""
    if len(x) <= block:
        return f(x)
    pieces = [f(part(x, rows)) for rows in blocks(len(x), block)]
    return namespace(*pieces).concat(pieces, axis=0)


def number_like(like: Array | None) -> Array:
    """The number 0 () in the library, device and type of `like`; NumPy's float64 if it is None."""
    if like is None:
        return np.zeros(())
    xp = namespace(like)
    if not xp.isdtype(like.dtype, "real floating"):
        raise TypeError(f"like: expected a floating-point array, got {like.dtype}")
    return xp.zeros((), dtype=like.dtype, device=device_of(like))


def spans(starts: Host, lengths: Host) -> Host:
    """All numbers of several ranges, one range after the other: starts (m,), lengths (m,) -> (Σ lengths,)"""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)


def offsets_of(lengths: Any) -> Host:
    """Where each object starts, and where the last one ends: lengths (n,) -> (n + 1,)"""
    found = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


def check_offsets(offsets: Any, total: int, of: str) -> Host:
    """Raise unless the offsets are integers from 0 to `total` that never decrease: (n + 1,)"""
    host = np.asarray(offsets)
    good = host.ndim == 1 and host.size >= 1 and host.dtype.kind in "iu"
    if not good or host[0] != 0 or host[-1] != total or (np.diff(host.astype(np.int64)) < 0).any():
        raise ValueError(f"offsets: expected (n + 1,) integers that rise from 0 to the {total} {of}, got {host!r:.80}")
    return host.astype(np.int64)


def extremes(lengths: Host, of: str) -> str:
    """The range of the objects' lengths, for `repr`."""
    if len(lengths) == 0:
        return ""
    least, most = int(lengths.min()), int(lengths.max())
    return f" of {least}{f' to {most}' if most > least else ''} {of}"


def _kind(x: Any) -> str:
    return type(x).__name__ if is_collection(x) else "an array of rows"


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))

"""Objects as items with vectors: what the first layer of a network on objects sees."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckn.layers.laid import before_zeros, blank_rows
from kerneltools.arrays import Array, asarray_like, namespace
from kerneltools.backend import move
from kerneltools.structures import Alphabet, Collection, Graphs, Ragged, Sequences, Strings, of
from kerneltools.structures.base import Host, is_collection
from kerneltools.trees import Tree, static


class Embedding(Tree, ABC):
    """A vector for each item of objects of one kind."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """How many numbers a vector has."""

    @abstractmethod
    def collected(self, x: Any) -> Collection:
        """A list of objects as a collection of the kind that the network takes; collections unchanged.

        Raises TypeError and ValueError for a list of other things.
        """

    @abstractmethod
    def check(self, x: Any) -> None:
        """Raise TypeError for objects of another kind, ValueError for objects that do not fit the network."""

    @abstractmethod
    def __call__(self, x: Any, like: Array) -> Array:
        """n objects of N items -> (N + 1 or more, columns) in the library and type of `like`, zeros at the end"""


@dataclass(frozen=True)
class Letters(Embedding):
    """Letters of strings as unit vectors, ambiguous ones as 1/A in each of the A entries."""

    alphabet: Alphabet = static()

    @property
    def columns(self) -> int:
        return len(self.alphabet)

    def collected(self, x: Any) -> Collection:
        return collected(x, Strings, Strings((), (0,), self.alphabet))

    def check(self, x: Any) -> None:
        if not isinstance(x, Strings):
            raise TypeError(f"x: expected strings, as the network was made for, got {x!r:.80}")
        if x.alphabet != self.alphabet:
            raise ValueError(
                f"x: expected strings of {self.alphabet.letters}, as the network was made for, got {x!r:.80}; make "
                "them with structures.Strings.of(strings, alphabet=...)"
            )

    def __call__(self, x: Any, like: Array) -> Array:
        size = len(self.alphabet)
        vectors = np.concatenate([np.eye(size), np.full((1, size), 1 / size)])
        return _on_host(vectors[x.tokens], like)


@dataclass(frozen=True)
class Labels(Embedding):
    """Labels of nodes as unit vectors; nodes whose labels are not among `labels` become zeros."""

    labels: tuple[int, ...] = static(())

    @property
    def columns(self) -> int:
        return len(self.labels)

    def collected(self, x: Any) -> Collection:
        return collected(x, Graphs)

    def check(self, x: Any) -> None:
        if not isinstance(x, Graphs):
            raise TypeError(f"x: expected graphs, as the network was made for, got {x!r:.80}")
        if x.labels is None:
            raise ValueError(f"x: expected graphs with labels of nodes, as the network was made for, got {x!r:.80}")

    def __call__(self, x: Any, like: Array) -> Array:
        return _on_host(x.labels[:, None] == np.asarray(self.labels), like)


@dataclass(frozen=True)
class Vectors(Embedding):
    """The vectors that items have: the rows of arrays, or, with `of_graphs`, the attributes of nodes."""

    width: int = static(1)
    of_graphs: bool = static(False)

    @property
    def columns(self) -> int:
        return self.width

    def collected(self, x: Any) -> Collection:
        return collected(x, Graphs if self.of_graphs else Ragged)

    def check(self, x: Any) -> None:
        if not isinstance(x, Graphs if self.of_graphs else Ragged):
            wanted = "graphs with attributes of nodes" if self.of_graphs else "sets or series, of arrays"
            raise TypeError(f"x: expected {wanted}, as the network was made for, got {x!r:.80}")
        columns = vectors_of(x).shape[1]
        if columns != self.width:
            raise ValueError(f"x: expected {self.width} columns, as the network was made for, got {columns}")

    def __call__(self, x: Any, like: Array) -> Array:
        values = vectors_of(x)
        if not hasattr(values, "beside"):  # traced ones are in their place
            values = move(values, like)
        return before_zeros(values)


def embedding_of(x: Collection) -> Embedding:
    """The embedding that suits a collection: letters, labels of nodes if there are no attributes, or vectors.

    Raises TypeError for objects that have none, ValueError for graphs without labels and attributes.
    """
    if isinstance(x, Strings):
        return Letters(x.alphabet)
    if isinstance(x, Graphs) and x.attributes is None:
        if x.labels is None:
            raise ValueError(f"x: expected graphs with labels or attributes of nodes, got {x!r:.80}")
        return Labels(tuple(np.unique(x.labels).tolist()))
    return Vectors(int(vectors_of(x).shape[1]), isinstance(x, Graphs))


def collected(x: Any, kind: type[Collection], beside: Collection | None = None) -> Collection:
    """Objects as a collection of a kind: a collection unchanged, whatever its kind, or whatever `structures.of` takes.

    Also the result of `structures.read_fasta`, and for arrays padded ones (n, t, d), or (n, t), of any library.
    """
    if isinstance(x, Sequences):
        x = x.strings
    if is_collection(x):
        found: Collection = x
        return found
    if kind is Ragged and getattr(x, "ndim", 0) in (2, 3):
        xp = namespace(x)
        numbers = x if xp.isdtype(x.dtype, "real floating") else xp.astype(x, xp.float64)
        x = [numbers[number, ...] for number in range(x.shape[0])]
    return of(x, kind, beside)


def vectors_of(x: Any) -> Array:
    """The vectors of all items: (N, d). Raises TypeError for objects that have none."""
    values = x.values if isinstance(x, Ragged) else x.attributes if isinstance(x, Graphs) else None
    if values is None:
        raise TypeError(f"x: expected strings, arrays, or graphs whose nodes have attributes, got {x!r:.80}")
    return values


def _on_host(vectors: Host, like: Array) -> Array:
    # Put behind them on the host: a library that compiles would do it anew for each number of items.
    blank = np.zeros((blank_rows(len(vectors), like), vectors.shape[1]))
    return asarray_like(np.concatenate([vectors, blank]), like)

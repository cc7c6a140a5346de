"""Objects as items that have vectors: what the first layer of a network on parts sees."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerneltools.arrays import asarray_like
from kerneltools.structures import Alphabet, Collection, Graphs, Ragged, Strings
from kerneltools.trees import Tree, static


@dataclass(frozen=True)
class Letters(Tree):
    """Strings -> arrays (T, A): letters as unit vectors, ambiguous ones as 1/A in each place.

    Raises TypeError for what is no strings, ValueError for those of another alphabet.
    """

    alphabet: Alphabet = static()

    @property
    def columns(self) -> int:
        """A"""
        return len(self.alphabet)

    def __call__(self, x: Any) -> Ragged:
        """(n,) strings -> (n,) arrays"""
        if not isinstance(x, Strings):
            raise TypeError(f"x: expected strings, as the network was made for, got {x!r:.80}")
        if x.alphabet != self.alphabet:
            raise ValueError(
                f"x: expected strings of {self.alphabet.letters}, as the network was made for, got {x!r:.80}; make "
                "them with structures.Strings.of(strings, alphabet=...)"
            )
        size = len(self.alphabet)
        vectors = np.concatenate([np.eye(size), np.full((1, size), 1 / size)])
        return Ragged(asarray_like(vectors[x.tokens], x.like), x.offsets)


@dataclass(frozen=True)
class Labels(Tree):
    """Graphs whose nodes have labels -> graphs whose nodes have unit vectors; `labels` are those that have a place.

    Nodes of other labels have zeros: they are as if they were not there. Raises TypeError for what is no graphs,
    ValueError for graphs without labels.
    """

    labels: tuple[int, ...] = static(())

    @property
    def columns(self) -> int:
        """How many labels have a place."""
        return len(self.labels)

    def __call__(self, x: Any) -> Graphs:
        """(n,) graphs -> (n,) graphs"""
        if not isinstance(x, Graphs):
            raise TypeError(f"x: expected graphs, as the network was made for, got {x!r:.80}")
        if x.labels is None:
            raise ValueError(f"x: expected graphs with labels of nodes, as the network was made for, got {x!r:.80}")
        held = np.asarray(self.labels)
        vectors = (x.labels[:, None] == held).astype(np.float64)
        return replace(x, attributes=asarray_like(vectors, x.like))


@dataclass(frozen=True)
class Vectors(Tree):
    """Arrays, and graphs whose nodes have attributes: their vectors, of `columns` numbers, as they are."""

    columns: int = static(1)

    def __call__(self, x: Any) -> Any:
        """The same. Raises TypeError for what has no vectors, ValueError for vectors of another length."""
        values = vectors_of(x)
        if values.shape[1] != self.columns:
            raise ValueError(f"x: expected {self.columns} columns, as the network was made for, got {values.shape[1]}")
        return x


Embedding = Letters | Labels | Vectors


def embedding_of(x: Collection) -> Embedding:
    """The embedding that suits a collection: letters, labels of nodes where there are no attributes, or vectors."""
    if isinstance(x, Strings):
        return Letters(x.alphabet)
    if isinstance(x, Graphs) and x.attributes is None:
        if x.labels is None:
            raise ValueError(f"x: expected graphs with labels or attributes of nodes, got {x!r:.80}")
        return Labels(tuple(np.unique(x.labels).tolist()))
    return Vectors(int(vectors_of(x).shape[1]))


def vectors_of(x: Any) -> Any:
    """The vectors of all items: (N, d). Raises TypeError for objects that have none."""
    values = x.values if isinstance(x, Ragged) else x.attributes if isinstance(x, Graphs) else None
    if values is None:
        raise TypeError(f"x: expected strings, arrays or graphs, got {x!r:.80}")
    return values


def with_vectors(x: Any, values: Any, offsets: Any) -> Any:
    """Objects of the same kind whose items have these vectors: (owners, m)"""
    return Ragged(values, offsets) if isinstance(x, Ragged) else replace(x, attributes=values)

"""Parts of graphs: paths, walks and neighbours, each owned by the node that it starts at."""

import warnings
from abc import ABC
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.landmarks.base import ReducedWarning
from kerneltools.patches.parts import Parts, by_item, of_counts
from kerneltools.random import Rng, generator
from kerneltools.structures import Graphs
from kerneltools.structures.base import Host, offsets_of
from kerneltools.trees import Tree, static

LIMIT = 2**23
"""The default limit of paths in a table: 200 MB for three nodes each."""


class _Walked(Tree, ABC):
    size: int
    limit: int
    simple: ClassVar[bool]

    def __post_init__(self) -> None:
        require_count("size", self.size)
        require_count("limit", self.limit)

    def __call__(self, x: Graphs, rng: Rng = 0) -> Parts:
        """Graphs -> parts, sorted by their nodes. Raises TypeError for other objects."""
        _require_graphs(x, self)
        *_, found = _walked(x, self.size, self.limit, rng, self.simple)
        return _of_nodes(x, *found)

    def prefixes(self, x: Graphs, rng: Rng = 0) -> tuple[Parts, ...]:
        """Graphs -> the parts of 1, 2, ... and `size` nodes, found together; a call returns the last of them.

        Raises TypeError for other objects.
        """
        _require_graphs(x, self)
        return tuple(_of_nodes(x, *found) for found in _walked(x, self.size, self.limit, rng, self.simple))


@dataclass(frozen=True)
class Paths(_Walked):
    """All paths of `size` nodes, none twice, from each node (Chen, Jacob and Mairal 2020).

    They are counted before they are made. If there are more than `limit`, `limit` of them are drawn at random, with
    weights that make sums correct on average; a ReducedWarning tells how many of how many.

    >>> from kerneltools.structures import Graph, Graphs
    >>> Paths(3)(Graphs.of([Graph(3, [[0, 1], [1, 2]])])).index.tolist()
    [[0, 1, 2], [2, 1, 0]]
    """

    simple = True

    size: int = static(3)
    limit: int = static(LIMIT)


@dataclass(frozen=True)
class Walks(_Walked):
    """`Paths` whose nodes may repeat.

    >>> from kerneltools.structures import Graph, Graphs
    >>> Walks(2)(Graphs.of([Graph(3, [[0, 1], [1, 2]])])).index.tolist()
    [[0, 1], [1, 0], [1, 2], [2, 1]]
    """

    simple = False

    size: int = static(3)
    limit: int = static(LIMIT)


@dataclass(frozen=True)
class Neighbours(Tree):
    """Pairs of a node and another one at most `hops` edges away.

    >>> from kerneltools.structures import Graph, Graphs
    >>> path = Graphs.of([Graph(3, [[0, 1], [1, 2]])])
    >>> Neighbours()(path).index.tolist()
    [[0, 1], [1, 0], [1, 2], [2, 1]]
    >>> Neighbours(hops=2)(path).index.tolist()
    [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    """

    hops: int = static(1)
    limit: int = static(LIMIT)

    def __post_init__(self) -> None:
        require_count("hops", self.hops)
        require_count("limit", self.limit)

    def __call__(self, x: Graphs, rng: Rng = 0) -> Parts:
        """Graphs -> parts, sorted by their nodes.

        Raises ValueError if there are more than `limit`, TypeError for other objects.
        """
        _require_graphs(x, self)
        total, starts = int(x.offsets[-1]), _starts(x)
        nodes = np.arange(total)
        seen, edge = nodes * (total + 1), np.stack([nodes, nodes], axis=1)
        found = []
        for _ in range(self.hops):
            counts = np.diff(starts)[edge[:, 1]]
            if int(counts.sum()) > self.limit:
                raise ValueError(f"x: {int(counts.sum()):.1e} pairs are more than the limit of {self.limit:.1e}")
            run, place = of_counts(counts)
            step = np.stack([edge[run, 0], x.edges[starts[edge[run, 1]] + place, 1]], axis=1)
            codes = np.setdiff1d(step[:, 0] * total + step[:, 1], seen)
            seen, edge = np.union1d(seen, codes), np.stack([codes // max(total, 1), codes % max(total, 1)], axis=1)
            found.append(edge)
        index = np.concatenate(found)
        return by_item(index[np.lexsort((index[:, 1], index[:, 0]))], x.offsets)


def _require_graphs(x: Any, extractor: Any) -> None:
    if not isinstance(x, Graphs):
        raise TypeError(
            f"x: expected graphs, for {extractor!r}, got {x!r:.80}; parts of sequences are those of "
            "kerneltools.patches.Windows, and those of sets Elements"
        )


def _starts(x: Graphs) -> Host:
    """Where the arcs from each node start, and where those of the last end: (N + 1,)"""
    return offsets_of(np.bincount(x.edges[:, 0], minlength=int(x.offsets[-1])))


def _walked(x: Graphs, size: int, limit: int, rng: Rng, simple: bool) -> Iterator[tuple[list[Host], Host | None]]:
    """The nodes at each place of parts of one node, of two, ... and of `size`, and the parts' weights."""
    starts, draws = _starts(x), generator(rng)
    degrees, ends = np.diff(starts), np.ascontiguousarray(x.edges[:, 1])
    # Place by place, and not path by path: a column is gathered and compared several times as fast as columns of a row.
    nodes, weight, asked = [np.arange(int(x.offsets[-1]))], None, 0.0
    yield nodes, weight
    for _ in range(size - 1):
        counts = degrees[nodes[-1]]
        total = int(counts.sum())
        run, place = of_counts(counts) if total <= limit else _drawn(counts, limit, draws)
        if total > limit:
            ratio = total / limit
            asked = max(asked, limit * ratio * (1.0 if weight is None else float(weight[0])))
            weight = np.full(len(run), ratio) if weight is None else weight[run] * ratio
        elif weight is not None:
            weight = weight[run]
        step = ends[starts[nodes[-1]][run] + place]
        nodes = [column[run] for column in nodes]
        if simple:
            new = reduce(np.logical_and, (column != step for column in nodes))
            nodes, step = [column[new] for column in nodes], step[new]
            weight = None if weight is None else weight[new]
        nodes = [*nodes, step]
        yield nodes, weight
    if weight is not None:
        warnings.warn(
            f"parts: about {asked:.1e} paths of {size} nodes are more than the limit of {limit:.1e}; so many were "
            "drawn at random, with weights that keep sums right in the mean",
            ReducedWarning,
            stacklevel=3,
        )


def _of_nodes(x: Graphs, nodes: list[Host], weight: Host | None) -> Parts:
    return by_item(np.stack(nodes, axis=1), x.offsets, weight)


def _drawn(counts: Host, limit: int, draws: np.random.Generator) -> tuple[Host, Host]:
    """`of_counts` for `limit` of all places, drawn without replacement; the list of all is never made."""
    ends = np.cumsum(counts)
    picked = np.sort(draws.choice(int(ends[-1]), size=limit, replace=False, shuffle=False))
    run = np.searchsorted(ends, picked, side="right")
    return run, picked - (ends - counts)[run]

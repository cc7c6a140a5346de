"""Kernels of graphs that have nodes with the same labels equally far apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from kerneltools.kernels.counting import Counts, mixed
from kerneltools.kernels.graphs.colours import NEIGHBOUR, NODE, ROUND, GraphCounting, hashed, labels_of
from kerneltools.structures import Graphs
from kerneltools.structures.base import Host, offsets_of, spans
from kerneltools.trees import static

REACHED = 2**21
"""Pairs of nodes, or arcs, in memory at a time, about: 200 MB."""


@dataclass(frozen=True)
class ShortestPath(GraphCounting):
    """k(G, H) = Σ φ(G) φ(H), where φ counts ordered pairs (i, j) of nodes with labels a and b, d >= 1 edges apart.

    (n,), (m,) graphs -> (n, m)

    `labelled`: whether labels count, if graphs have labels. d is the least number of edges from i to j; pairs without a
    path between them are left out, and labels of edges and attributes are ignored. If edges have a direction, paths
    follow it. The time is nodes times edges of each graph; memory is bounded, since nodes are processed in blocks
    (Borgwardt and Kriegel 2005).

    >>> from kerneltools.structures import Graph, Graphs
    >>> path, triangle = Graph(3, [[0, 1], [1, 2]]), Graph(3, [[0, 1], [1, 2], [2, 0]])
    >>> ShortestPath()(Graphs.of([path]), Graphs.of([path, triangle]))
    array([[20., 24.]])
    """

    labelled: bool = static(True)

    def load(self, x: Any) -> Host:
        return x.sizes**2

    def counts(self, x: Graphs) -> Counts:
        known = labels_of(x)
        names, labels = np.unique(known if self.labelled else np.zeros_like(known), return_inverse=True)
        starts, ends = hashed(names, NODE), hashed(names, NEIGHBOUR)
        codes, owners, values = ([np.zeros(0, dtype=np.int64)] for _ in range(3))
        for sources, targets, steps in reached(x):
            # The sources of a block have few labels: (graph, label), label and distance in one whole number.
            kinds, kind = np.unique(x.owner[sources] * len(names) + labels[sources], return_inverse=True)
            most = int(steps.max(initial=0)) + 1
            keys = (kind * len(names) + labels[targets]) * most + steps
            keys, times = np.unique(keys, return_counts=True)
            first, (second, far) = keys // (len(names) * most), np.divmod(keys % (len(names) * most), most)
            owner, label = np.divmod(kinds[first], len(names))
            codes.append(mixed(mixed(starts[label] + ends[second]) + hashed(far, ROUND)).view(np.int64))
            owners.append(owner)
            values.append(times)
        return Counts.of(np.concatenate(codes), np.concatenate(owners), len(x), np.concatenate(values), x.like)


def reached(x: Graphs) -> Iterator[tuple[Host, Host, Host]]:
    """All pairs of a node and another that it has a path to, and the path's edges: (p,), (p,), (p,), block by block."""
    first: Host = np.searchsorted(x.edges[:, 0], np.arange(int(x.offsets[-1]) + 1))
    cost = np.maximum(x.sizes, np.diff(x.edge_offsets))[x.owner]
    for sources in _sources(cost):
        yield _search(x, first, sources)


def _sources(cost: Host) -> Iterator[Host]:
    cuts = np.searchsorted(np.cumsum(cost), np.arange(REACHED, int(cost.sum()) + REACHED, REACHED), side="right")
    bounds = np.unique(np.concatenate([[0], np.maximum(cuts, 1), [len(cost)]])) if len(cost) else np.zeros(1, int)
    return (np.arange(a, b) for a, b in pairwise(bounds.tolist()))


def _search(x: Graphs, first: Host, sources: Host) -> tuple[Host, Host, Host]:
    """Breadth-first search from all sources at a time."""
    sizes = x.sizes[x.owner[sources]]
    # The pair of a source and a node of its graph has a place of its own.
    base = offsets_of(sizes)
    shift = base[:-1] - x.offsets[x.owner[sources]]
    seen = np.zeros(int(base[-1]), dtype=bool)
    mark = np.zeros(int(base[-1]), dtype=np.int64)
    seen[shift + sources] = True
    rows, nodes = np.arange(len(sources)), sources
    found = [(sources[:0], sources[:0], sources[:0])]
    distance = 0
    while len(rows):
        distance += 1
        degrees = first[nodes + 1] - first[nodes]
        rows, nodes = np.repeat(rows, degrees), x.edges[spans(first[nodes], degrees), 1]
        places = shift[rows] + nodes
        new = ~seen[places]
        rows, nodes, places = rows[new], nodes[new], places[new]
        # Of several arcs to a node, the last one that wrote there stays.
        mark[places] = np.arange(len(places))
        new = mark[places] == np.arange(len(places))
        rows, nodes = rows[new], nodes[new]
        seen[places] = True
        found.append((sources[rows], nodes, np.full(len(rows), distance)))
    columns = zip(*found, strict=True)
    starts, targets, steps = (np.concatenate(column) for column in columns)
    return starts, targets, steps

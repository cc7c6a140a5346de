"""Kernels of graphs that match nodes one to one, as well as their surroundings allow."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.kernels.counting import Counts, mixed
from kerneltools.kernels.graphs.colours import ROUND, GraphCounting, colours, hashed
from kerneltools.structures import Graphs
from kerneltools.structures.base import Host, spans
from kerneltools.trees import static


@dataclass(frozen=True)
class OptimalAssignment(GraphCounting):
    """k(G, H) = Σ_t Σ_c min(#c in G_t, #c in H_t), t = 0..`iterations`, over the colours c of `WeisfeilerLehman`.

    (n,), (m,) graphs -> (n, m)

    It is the greatest sum over all matchings of the nodes of G with those of H, where a pair counts how many of its
    colours are equal (Kriege, Giscard and Wilson 2016). It is a kernel that counts: its features are "colour c occurs
    at least j times", and k(G, G) is (`iterations` + 1) times the number of nodes. Labels, attributes and directions
    count as in `WeisfeilerLehman`.

    >>> from kerneltools.structures import Graph, Graphs
    >>> path, triangle = Graph(3, [[0, 1], [1, 2]]), Graph(3, [[0, 1], [1, 2], [2, 0]])
    >>> OptimalAssignment(1)(Graphs.of([path]), Graphs.of([path, triangle]))
    array([[6., 4.]])
    """

    iterations: int = static(5)

    def __post_init__(self) -> None:
        require_count("iterations", self.iterations, 0)

    def load(self, x: Any) -> Host:
        return (self.iterations + 1) * x.sizes

    def counts(self, x: Graphs) -> Counts:
        rounds = list(colours(x, self.iterations))
        found = Counts.of(np.concatenate(rounds), np.tile(x.owner, len(rounds)), len(x), like=x.like)
        times = found.values.astype(np.int64)
        place = spans(np.zeros_like(times), times)
        codes = mixed(np.repeat(found.codes, times).view(np.uint64) + hashed(place, ROUND))
        return Counts.of(codes.view(np.int64), np.repeat(found.owners, times), len(x), like=x.like)

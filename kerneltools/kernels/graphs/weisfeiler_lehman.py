"""Kernels of graphs that have nodes with the same surroundings."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import require_count
from kerneltools.kernels.counting import CountingKernel, Counts
from kerneltools.kernels.graphs.colours import ROUND, GraphCounting, colours, hashed
from kerneltools.structures import Graphs
from kerneltools.structures.base import Host
from kerneltools.trees import replace_children, static


@dataclass(frozen=True)
class WeisfeilerLehman(GraphCounting):
    """k(G, H) = Σ_t k₀(G_t, H_t), t = 0..`iterations`: nodes have labels in G_0, then colours refined each time.

    (n,), (m,) graphs -> (n, m)

    A node's next colour stands for its colour and those of its neighbours, with the labels of the edges to them.
    `base`: k₀, a kernel of graphs that counts, such as `ShortestPath()`; None means the inner product of the counts of
    each colour, which for `iterations` = 0 are the counts of labels. Colours depend on a node's surroundings alone, so
    that new graphs may have colours that no other graph has. Graphs without labels start with one colour, and have
    degrees after one iteration; attributes are ignored. If edges have a direction, neighbours are the nodes that they
    lead to. Time is linear in the edges (Shervashidze et al. 2011). Raises TypeError for a base that does not count.

    >>> from kerneltools.structures import Graph, Graphs
    >>> path, triangle = Graph(3, [[0, 1], [1, 2]]), Graph(3, [[0, 1], [1, 2], [2, 0]])
    >>> WeisfeilerLehman(1)(Graphs.of([path]), Graphs.of([path, triangle]))
    array([[14., 12.]])
    """

    iterations: int = static(5)
    base: CountingKernel | None = None

    def __post_init__(self) -> None:
        require_count("iterations", self.iterations, 0)
        if self.base is not None and not (isinstance(self.base, CountingKernel) and self.base.structure is Graphs):
            raise TypeError(f"base: expected a kernel of graphs that counts, or None, got {self.base!r}")

    def load(self, x: Any) -> Host:
        return (self.iterations + 1) * (x.sizes if self.base is None else self.base.load(x))

    def counts(self, x: Graphs) -> Counts:
        rounds = list(colours(x, self.iterations))
        if self.base is None:
            return Counts.of(np.concatenate(rounds), np.tile(x.owner, len(rounds)), len(x), like=x.like)
        found = [self.base.counts(replace_children(x, {"labels": labels})) for labels in rounds]
        codes = [hashed(one.codes, ROUND ^ np.uint64(number)) for number, one in enumerate(found)]
        return Counts.of(
            np.concatenate(codes).view(np.int64),
            np.concatenate([one.owners for one in found]),
            len(x),
            np.concatenate([one.values for one in found]),
            x.like,
        )

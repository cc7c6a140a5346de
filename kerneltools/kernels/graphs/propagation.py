"""Kernels of graphs whose nodes have similar labels and attributes around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import require_count, require_number
from kerneltools.backend import to_host
from kerneltools.kernels.counting import Counts, mixed
from kerneltools.kernels.graphs.colours import NODE, ROUND, GraphCounting, hashed
from kerneltools.random import stream
from kerneltools.structures import Graphs
from kerneltools.structures.base import Host
from kerneltools.trees import static

FARTHEST = 2.0**62
"""The most bins that have an integer number."""


@dataclass(frozen=True)
class Propagation(GraphCounting):
    """k(G, H) = Σ_t Σ_b #b(G) #b(H), t = 0..`iterations`, over bins b of what nodes see t steps around them.

    (n,), (m,) graphs -> (n, m)

    At t = 0 a node sees its label, as a unit vector of its own, and its attributes; at each further step, it sees the
    mean of what its neighbours saw, or, without neighbours, what it saw itself. Bins are floor((<u_t, seen> + b_t) /
    `width`), u_t standard normal and b_t uniform numbers drawn from `seed` >= 0, the same for all graphs ever seen
    (Neumann et al. 2016): values closer than the `width` > 0 often share a bin, values several widths apart do not. If
    edges have a direction, neighbours are the nodes that they lead to; labels of edges are ignored. Standardise
    attributes first. There are no gradients through bins. Time is linear in the edges.

    Raises ValueError for graphs with neither labels nor attributes, and for attributes beyond 2^62 widths.

    >>> import numpy as np
    >>> from kerneltools.structures import Graph, Graphs
    >>> near, far = (Graph(2, [[0, 1]], attributes=np.array([[0.0], [high]])) for high in (1.0, 9.0))
    >>> Propagation(0, width=1.0)(Graphs.of([near]), Graphs.of([near, far]))
    array([[2., 1.]])
    """

    iterations: int = static(5)
    width: float = static(0.1)
    seed: int = static(0)

    def __post_init__(self) -> None:
        require_count("iterations", self.iterations, 0)
        require_number("width", self.width)
        require_count("seed", self.seed, 0)

    def load(self, x: Any) -> Host:
        return (self.iterations + 1) * x.sizes

    def counts(self, x: Graphs) -> Counts:
        rounds = [hashed(places, ROUND ^ np.uint64(t)).view(np.int64) for t, places in enumerate(self._bins(x))]
        return Counts.of(np.concatenate(rounds), np.tile(x.owner, len(rounds)), len(x), like=x.like)

    def _bins(self, x: Graphs) -> Iterator[Host]:
        """The bins of all nodes, iteration by iteration: (N,)"""
        from scipy.sparse import csr_array

        total = int(x.offsets[-1])
        # Means of projections are projections of means: each node carries one number for each iteration to come.
        seen, shifts = self._projected(x)
        degrees = np.bincount(x.edges[:, 0], minlength=total)
        matrix = csr_array((np.ones(len(x.edges)), (x.edges[:, 0], x.edges[:, 1])), shape=(total, total))
        for t in range(self.iterations + 1):
            places = np.floor(seen[:, t] / self.width + shifts[t])
            if (np.abs(places) > FARTHEST).any():
                node = int(np.abs(places).argmax())
                graph = int(x.owner[node])
                raise ValueError(
                    f"width: {self.width:g} is too small for the attributes of node {node - int(x.offsets[graph])} of "
                    f"graph {graph}; standardise attributes, or take a larger width"
                )
            yield places.astype(np.int64)
            around = matrix @ seen
            seen = np.where(degrees[:, None] > 0, around / np.maximum(degrees, 1)[:, None], seen)

    def _projected(self, x: Graphs) -> tuple[Host, Host]:
        """<u_t, what each node sees of itself> and b_t / `width`, for all t: (N, iterations + 1), (iterations + 1,)"""
        rounds = self.iterations + 1
        if x.labels is None and x.attributes is None and len(x.owner):
            raise ValueError(
                "x: expected graphs with labels or attributes for Propagation, got graphs with neither; take "
                "WeisfeilerLehman"
            )
        # A generator for each iteration: more iterations change nothing in the first.
        draws = [stream(self.seed, f"propagation {t}") for t in range(rounds)]
        shifts = np.array([draw.random() for draw in draws])
        seen = np.zeros((len(x.owner), rounds))
        if x.labels is not None:
            names, place = np.unique(x.labels, return_inverse=True)
            seen += np.stack([_normal(names, self.seed, t) for t in range(rounds)], axis=1)[place]
        if x.attributes is not None:
            directions = np.stack([draw.standard_normal(x.attributes.shape[1]) for draw in draws], axis=1)
            seen += to_host(x.attributes).astype(np.float64) @ directions
        return seen, shifts


def _normal(names: Host, seed: int, t: int) -> Host:
    """A standard normal number for each label, independent of which other labels occur: (L,) -> (L,)"""
    salt = mixed(hashed(np.array([seed], dtype=np.int64), NODE) + np.uint64(t))
    first = hashed(names, salt)
    u, v = ((number >> np.uint64(11)).astype(np.float64) / 2.0**53 for number in (first, mixed(first)))
    # Box and Muller's
    return np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)

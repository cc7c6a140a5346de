"""Kernels of graphs with nodes of similar attributes equally far apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.arrays import Array, asarray_like, blocks, device_of, indices_like, namespace
from kerneltools.kernels.base import Kernel, check_parts
from kerneltools.kernels.graphs.colours import labels_of
from kerneltools.kernels.graphs.shortest_path import reached
from kerneltools.memory import size
from kerneltools.structures import Graphs
from kerneltools.structures.base import Collection, Host, by_objects, require_alike
from kerneltools.trees import static

NODES = 2**11
"""Graphs that are compared at a time with as many others: 32 MB for each array."""

MOST = 2**26
"""The most pairs of nodes that two graphs may have: 4 GB."""


@dataclass(frozen=True)
class AttributedShortestPath(Kernel):
    """k(G, H) = Σ κ(a_i, b_k) κ(a_j, b_l), over all i, j in G and k, l in H with d(i, j) = d(k, l) >= 1 edges.

    (n,), (m,) graphs -> (n, m)

    `kernel`: κ, a kernel of the attributes a of nodes of G and b of nodes of H, such as `Gaussian(1.0)`; gradients go
    through its parameters and through attributes. `labelled`: κ is 0 for nodes of different labels, if graphs have
    labels. Distances are those of `ShortestPath`; with κ = 1 for equal labels and 0 else, this is that kernel. For
    graphs of v and w nodes, the time is v w (v + w) for each distance; two graphs of more than 2^26 pairs of nodes are
    refused (Borgwardt and Kriegel 2005). Positive semi-definite if κ is.

    Raises ValueError for graphs without attributes, and for graphs that are too large, with their numbers.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.structures import Graph, Graphs
    >>> ends = Graphs.of([Graph(2, [[0, 1]], attributes=np.array([[0.0], [high]])) for high in (0.0, 1.0)])
    >>> AttributedShortestPath(Gaussian(1.0))(ends, ends).round(3)
    array([[4.   , 2.426],
           [2.426, 2.736]])
    """

    kernel: Kernel
    labelled: bool = static(True)

    def __post_init__(self) -> None:
        check_parts("kernel", self.kernel)

    @property
    def structure(self) -> type[Collection]:
        return Graphs

    @property
    def indefinite(self) -> bool:
        return self.kernel.indefinite

    def __call__(self, x: Any, y: Any) -> Array:
        """Kernel values of all pairs: (n,), (m,) -> (n, m)"""
        self._check(x, "x")
        self._check(y, "y")
        require_alike(x, y, "y")
        xp = namespace(x.like, y.like)
        if x.attributes is None or y.attributes is None or not len(x.owner) or not len(y.owner):
            return xp.zeros((len(x), len(y)), dtype=x.like.dtype, device=device_of(x.like))
        _require_room(x, y)
        columns = [_padded(y, part) for part in _parts(y)]
        rows = (_padded(x, part) for part in _parts(x))
        return xp.concat([xp.concat([self._block(row, column) for column in columns], axis=1) for row in rows], axis=0)

    def diag(self, x: Any) -> Array:
        """k(x, x) of each graph: (n,) -> (n,)"""
        self._check(x, "x")
        return by_objects(x, lambda some: namespace(found := self(some, some)).linalg.diagonal(found), 4)

    def _check(self, x: Any, name: str) -> None:
        if not isinstance(x, Graphs):
            raise TypeError(
                f"{name}: expected Graphs for {self!r}, got {type(x).__name__}; make them with structures.Graphs.of"
            )
        if x.knows("attributes") is False:
            raise ValueError(f"{name}: expected graphs with attributes, got graphs without; take ShortestPath")

    def _block(self, x: "_Padded", y: "_Padded") -> Array:
        """(a,), (b,) graphs of at most v and w nodes -> (a, b)"""
        (a, v, _), (b, w, _) = x.far.shape, y.far.shape
        values = self.kernel(x.attributes, y.attributes)
        if self.labelled:
            values = values * asarray_like(np.equal.outer(x.labels, y.labels).astype(np.float64), values)
        xp = namespace(values)
        total = 0.0 * xp.sum(xp.reshape(values, (a, v, b, w)), axis=(1, 3))
        by_row = xp.reshape(values, (a, v, b * w))
        by_column = xp.permute_dims(xp.reshape(values, (a * v, b, w)), (1, 0, 2))
        for distance in range(1, int(min(x.far.max(initial=0), y.far.max(initial=0))) + 1):
            # Σ_jk of the pairs at this distance, of κ_ik from the one side and κ_jl from the other.
            here, there = (asarray_like((one.far == distance).astype(np.float64), values) for one in (x, y))
            ours, theirs = here @ by_row, xp.permute_dims(by_column @ there, (1, 0, 2))
            product = xp.reshape(ours, (a, v, b, w)) * xp.reshape(theirs, (a, v, b, w))
            total = total + xp.sum(product, axis=(1, 3))
        return total


@dataclass(frozen=True, eq=False)
class _Padded:
    """a graphs padded to v nodes: attributes (a v, d), labels (a v,), and distances of nodes, 0 for no path."""

    attributes: Array
    labels: Host
    far: Host


def _padded(x: Graphs, part: slice) -> _Padded:
    some = x[part]
    v = max(int(some.sizes.max(initial=0)), 1)
    place = np.arange(int(some.offsets[-1])) - some.offsets[some.owner]
    far = np.zeros((len(some), v, v), dtype=np.int32)
    for sources, targets, steps in reached(some):
        far[some.owner[sources], place[sources], place[targets]] = steps
    # Any node stands where there is none: no way leads there.
    rows = np.zeros(len(some) * v, dtype=np.int64)
    rows[some.owner * v + place] = np.arange(int(x.offsets[part.start]), int(x.offsets[part.stop]))
    attributes = namespace(x.attributes).take(x.attributes, indices_like(rows, x.attributes), axis=0)
    return _Padded(attributes, labels_of(x)[rows], far)


def _parts(x: Graphs) -> Iterator[slice]:
    return blocks(len(x), max(1, NODES // max(int(x.sizes.max(initial=0)), 1)))


def _require_room(x: Graphs, y: Graphs) -> None:
    i, j = int(x.sizes.argmax()), int(y.sizes.argmax())
    if x.sizes[i] * y.sizes[j] > MOST:
        raise ValueError(
            f"x: graphs {i} of {x.sizes[i]} nodes and {j} of {y.sizes[j]} need some "
            f"{size(x.sizes[i] * y.sizes[j] * 64)} for AttributedShortestPath; take Propagation or smaller graphs"
        )

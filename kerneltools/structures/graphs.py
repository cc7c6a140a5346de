"""Graphs: nodes with labels or attributes, and edges between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from kerneltools.arrays import (
    Array,
    asarray_like,
    indices_like,
    namespace,
    require_finite,
    require_floating,
    require_rank,
)
from kerneltools.backend import to_host
from kerneltools.encoding import Host as InFile
from kerneltools.structures.base import Collection, Host, check_offsets, extremes, number_like, offsets_of, spans
from kerneltools.trees import static

KNOWN = ("labels", "edge_labels", "attributes")
"""The properties that all graphs of a collection have, or none."""


class Graph(NamedTuple):
    """One graph: `edges` (E, 2) among nodes 0..v-1, each once if it has no direction, with labels and attributes.

    `labels` (v,) integers, `attributes` (v, d), `edge_labels` (E,), each or None. `directed`: edges are arcs from the
    first node to the second.

    >>> import numpy as np
    >>> Graph(3, [[0, 1], [1, 2]], labels=np.asarray([0, 1, 0])).nodes
    3
    """

    nodes: int
    edges: Host
    labels: Host | None = None
    attributes: Array | None = None
    edge_labels: Host | None = None
    directed: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Graphs(Collection):
    """A collection of graphs with labels, attributes or neither: `Graphs.of([Graph(3, edges, labels), ...])`.

    `offsets` (n + 1,): where the nodes of each graph start, and where those of the last end; `edges` (E, 2): the arcs,
    from one node to another, numbered through all graphs: an edge without direction occurs both ways, and no arc twice.
    `labels` (N,) and `edge_labels` (E,): integers; `attributes` (N, d): floating-point, of any library.

    Raises ValueError, with the graph, for edges to nodes that do not exist, edges between two graphs, and loops.

    >>> from kerneltools.kernels.graphs import WeisfeilerLehman
    >>> from kerneltools.structures import Graph, Graphs
    >>> x = Graphs.of([Graph(3, [[0, 1], [1, 2]]), Graph(3, [[0, 1], [1, 2], [2, 0]])])
    >>> x, x.offsets, WeisfeilerLehman(1)(x, x)
    (Graphs(2 graphs of 3 nodes, without labels and attributes), array([0, 3, 6]), array([[14., 12.],
           [12., 18.]]))
    """

    objects: ClassVar[str] = "graphs"

    offsets: Host = static((0,))
    edges: Host = static(())
    labels: Host | None = static(None)
    edge_labels: Host | None = static(None)
    attributes: Array | None = None
    number: Array = field(default=None)

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets)
        total = int(offsets[-1]) if offsets.ndim == 1 and offsets.size else 0
        offsets = check_offsets(self.offsets, total, "nodes")
        edges = np.asarray(self.edges)
        if edges.size == 0:
            edges = _NO_EDGES
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
            raise ValueError(f"edges: expected (E, 2) integers, got {edges.dtype} of shape {edges.shape}")
        edges = edges.astype(np.int64)
        _check_edges(edges, offsets)
        owner = np.searchsorted(offsets, edges[:, 0], side="right") - 1
        order = np.lexsort((edges[:, 1], edges[:, 0], owner))
        edges = edges[order]
        if (twice := (np.diff(edges, axis=0) == 0).all(axis=1)).any():
            at = int(twice.argmax())
            raise ValueError(f"edges: expected each once, got {_named(edges[at], offsets)} twice")
        labels, edge_labels = _whole("labels", self.labels, total), _whole("edge_labels", self.edge_labels, len(edges))
        if self.attributes is not None:
            require_rank(2, "(N, d)", attributes=self.attributes)
            require_floating(attributes=self.attributes)
            if self.attributes.shape[0] != total:
                raise ValueError(f"attributes: expected ({total}, d), a row for each node, got {self.attributes.shape}")
            _check_attributes(self.attributes, offsets)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "edge_labels", None if edge_labels is None else edge_labels[order])
        object.__setattr__(self, "number", number_like(self.number if self.attributes is None else self.attributes))

    @classmethod
    def of(cls, graphs: Iterable[Graph], directed: bool = False, like: Array | None = None) -> Self:
        """A collection of single graphs; an edge without direction may be given once or both ways.

        `directed`: whether all are; by default, each graph says so itself. Raises ValueError, with a number, if only
        some graphs have labels, attributes or edge labels.
        """
        held = [one if isinstance(one, Graph) else Graph(*one) for one in graphs]
        offsets = offsets_of([one.nodes for one in held])
        pieces, arcs = [], []
        for number, one in enumerate(held):
            edges = np.asarray(one.edges)
            edges = edges if edges.size else _NO_EDGES
            if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
                raise ValueError(
                    f"edges: expected (E, 2) integers in graph {number}, got {edges.dtype} of shape {edges.shape}"
                )
            given = one.edge_labels
            codes = np.zeros(len(edges), dtype=np.int64) if given is None else np.asarray(given, dtype=np.int64)
            if len(codes) != len(edges):
                raise ValueError(f"edge_labels: expected {len(edges)} in graph {number}, got {len(codes)}")
            if edges.size and not 0 <= int(edges.min()) <= int(edges.max()) < one.nodes:
                raise ValueError(
                    f"edges: expected nodes 0 to {one.nodes - 1} in graph {number}, got {int(edges.min())} to "
                    f"{int(edges.max())}"
                )
            pieces.append(edges.astype(np.int64) + offsets[number])
            arcs.append(codes)
        edges, codes = np.concatenate([_NO_EDGES, *pieces]), np.concatenate([_NO_EDGES[:, 0], *arcs])
        one_way = np.repeat([directed or one.directed for one in held], [len(piece) for piece in pieces]).astype(bool)
        both, both_codes = both_ways(edges[~one_way], codes[~one_way], offsets)
        return cls(
            offsets,
            np.concatenate([edges[one_way], both]),
            _all_or_none(held, "labels"),
            np.concatenate([codes[one_way], both_codes]) if _known(held, "edge_labels") else None,
            _attributes(held, like),
            like,
        )

    @property
    def like(self) -> Array:
        return self.number if self.attributes is None else self.attributes

    @property
    def sizes(self) -> Host:
        """The number of nodes of each graph: (n,)"""
        return np.diff(self.offsets)

    @property
    def owner(self) -> Host:
        """The graph of each node: (N,)"""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def edge_offsets(self) -> Host:
        """Where the arcs of each graph start, and where those of the last end: (n + 1,)"""
        return np.searchsorted(self.edges[:, 0], self.offsets)

    @property
    def directed(self) -> bool:
        """Whether some arc has no opposite one of the same label."""
        return bool(one_way(self.edges, self.edge_labels).any())

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def taken(self, numbers: Host) -> Self:
        sizes, ends = self.sizes[numbers], self.edge_offsets
        nodes, offsets = spans(self.offsets[numbers], sizes), offsets_of(sizes)
        counts = np.diff(ends)[numbers]
        arcs = spans(ends[numbers], counts)
        shift = np.repeat(offsets[:-1] - self.offsets[numbers], counts)
        attributes = self.attributes
        if attributes is not None:
            attributes = namespace(attributes).take(attributes, indices_like(nodes, attributes), axis=0)
        return type(self)(
            offsets,
            self.edges[arcs] + shift[:, None],
            None if self.labels is None else self.labels[nodes],
            None if self.edge_labels is None else self.edge_labels[arcs],
            attributes,
            self.number,
        )

    def joined(self, others: Sequence[Self]) -> Self:
        every = [self, *others]
        starts = offsets_of([int(one.offsets[-1]) for one in every])
        for name in KNOWN:
            if len({one.knows(name) for one in every} - {None}) > 1:
                raise ValueError(f"{name}: expected all graphs to have some, or none; only some do")
        rows = [one.attributes for one in every if one.attributes is not None]
        attributes = namespace(*rows).concat(rows, axis=0) if rows else None
        return type(self)(
            offsets_of(np.concatenate([one.sizes for one in every])),
            np.concatenate([one.edges + start for one, start in zip(every, starts[:-1], strict=True)]),
            _joined(every, "labels"),
            _joined(every, "edge_labels"),
            attributes,
            self.number,
        )

    def knows(self, name: str) -> bool | None:
        """Whether the graphs have `labels`, `edge_labels` or `attributes`; None if they have no node or edge."""
        if getattr(self, name) is not None:
            return bool(len(getattr(self, name))) or None
        return False if len(self.edges if name == "edge_labels" else self.owner) else None

    def differs(self, other: Self) -> str:
        for name in KNOWN:
            mine, theirs = self.knows(name), other.knows(name)
            if None not in (mine, theirs) and mine != theirs:
                return f"graphs with{'' if mine else 'out'} {name}, got graphs with{'' if theirs else 'out'}"
        widths = [one.attributes.shape[1] for one in (self, other) if one.attributes is not None]
        return "" if len(set(widths)) < 2 else f"attributes of {widths[0]} columns, got {widths[1]}"

    def item(self, number: int) -> Graph:
        """The graph with this number: its arcs among nodes 0..v-1, an edge without direction both ways."""
        nodes = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        arcs = slice(*np.searchsorted(self.edges[:, 0], [nodes.start, nodes.stop]).tolist())
        edges = self.edges[arcs] - nodes.start
        edge_labels = None if self.edge_labels is None else self.edge_labels[arcs]
        return Graph(
            nodes.stop - nodes.start,
            edges,
            None if self.labels is None else self.labels[nodes],
            None if self.attributes is None else self.attributes[nodes, :],
            edge_labels,
            bool(one_way(edges, edge_labels).any()),
        )

    def key(self, number: int) -> Any:
        one = self.item(number)
        attributes = None if one.attributes is None else (to_host(one.attributes) + 0.0).tobytes()
        parts = (one.edges, one.labels, one.edge_labels)
        return (one.nodes, attributes, *(None if part is None else part.tobytes() for part in parts))

    def described(self) -> str:
        if not len(self):
            return ""
        known = [name for name in ("labels", "edge_labels", "attributes") if getattr(self, name) is not None]
        told = f"with {', '.join(known)}" if known else "without labels and attributes"
        return f"{extremes(self.sizes, 'nodes')}, {told}"

    def _stored(self) -> dict[str, Any]:
        fixed = {name: getattr(self, name) for name in ("offsets", "edges", "labels", "edge_labels")}
        return {"fixed": InFile(fixed), "attributes": self.attributes, "number": self.number}

    @classmethod
    def _restored(cls, fixed: Any, attributes: Any, number: Any) -> Self:
        held = fixed.tree if isinstance(fixed, InFile) else fixed
        return cls(held["offsets"], held["edges"], held["labels"], held["edge_labels"], attributes, number)


def both_ways(edges: Host, labels: Host, offsets: Host) -> tuple[Host, Host]:
    """Edges without direction, given once or both ways, as arcs both ways with their labels: (E, 2) -> (A, 2), (A,)

    Raises ValueError for an edge with several labels.
    """
    ends = np.sort(edges, axis=1)
    _, first, same = np.unique(ends[:, 0] * int(offsets[-1]) + ends[:, 1], return_index=True, return_inverse=True)
    if (other := labels != labels[first][same]).any():
        raise ValueError(
            f"edge_labels: expected one for each edge, got several for {_named(edges[other.argmax()], offsets)}; say "
            "directed=True if its directions differ"
        )
    once = edges[first]
    return np.concatenate([once, once[:, ::-1]]), np.concatenate([labels[first], labels[first]])


def one_way(edges: Host, labels: Host | None) -> Host:
    """Whether each arc has no opposite one, or one of another label; arcs are sorted: (E, 2), (E,) -> (E,)"""
    total = int(edges.max(initial=0)) + 1
    keys, back = edges[:, 0] * total + edges[:, 1], edges[:, 1] * total + edges[:, 0]
    place = np.minimum(np.searchsorted(keys, back), max(len(keys) - 1, 0))
    alone: Host = keys[place] != back
    return alone if labels is None else alone | (labels[place] != labels)


_NO_EDGES: Host = np.zeros((0, 2), dtype=np.int64)


def _check_edges(edges: Host, offsets: Host) -> None:
    total = int(offsets[-1])
    if edges.size and not 0 <= int(edges.min()) <= int(edges.max()) < total:
        raise ValueError(f"edges: expected nodes 0 to {total - 1}, got {int(edges.min())} to {int(edges.max())}")
    owners: Host = np.searchsorted(offsets, edges, side="right") - 1
    if (apart := owners[:, 0] != owners[:, 1]).any():
        at = int(apart.argmax())
        raise ValueError(f"edges: expected both nodes in one graph, got {owners[at, 0]} and {owners[at, 1]}")
    if (loops := edges[:, 0] == edges[:, 1]).any():
        at = int(loops.argmax())
        raise ValueError(
            f"edges: expected none from a node to itself, got {_named(edges[at], offsets)}; leave them out"
        )


def _named(edge: Host, offsets: Host) -> str:
    graph = int(np.searchsorted(offsets, edge[0], side="right")) - 1
    return f"{(edge - offsets[graph]).tolist()} in graph {graph}"


def _check_attributes(attributes: Array, offsets: Host) -> None:
    try:
        require_finite(attributes=attributes)
    except ValueError as error:
        bad = ~np.isfinite(to_host(attributes)).all(axis=1)
        graph = int(np.searchsorted(offsets, int(bad.argmax()), side="right")) - 1
        raise ValueError(
            f"{error}, which is node {int(bad.argmax()) - int(offsets[graph])} of graph {graph}"
        ) from error


def _whole(name: str, values: Any, total: int) -> Host | None:
    if values is None:
        return None
    host = np.asarray(values)
    if host.size == 0:
        host = host.astype(np.int64)
    if host.shape != (total,) or host.dtype.kind not in "iu":
        raise ValueError(f"{name}: expected ({total},) integers, got {host.dtype} of shape {host.shape}")
    return host.astype(np.int64)


def _joined(every: Sequence[Graphs], name: str) -> Host | None:
    if not any(one.knows(name) for one in every):
        return getattr(every[0], name) if all(one.knows(name) is None for one in every) else None
    held = [getattr(one, name) for one in every]
    return np.concatenate([values for values in held if values is not None])


def _known(graphs: Sequence[Graph], name: str) -> bool:
    """Whether all graphs have some; a graph without nodes, or without edges, may lack them."""
    there = [number for number, one in enumerate(graphs) if (len(one.edges) if name == "edge_labels" else one.nodes)]
    without = [number for number in there if getattr(graphs[number], name) is None]
    if without and len(without) < len(there):
        raise ValueError(f"{name}: expected all graphs to have some, or none; graph {without[0]} has none")
    return not without and any(getattr(one, name) is not None for one in graphs)


def _all_or_none(graphs: Sequence[Graph], name: str) -> Host | None:
    if not _known(graphs, name):
        return None
    pieces = []
    for number, one in enumerate(graphs):
        values = getattr(one, name)
        pieces.append(np.zeros(0, dtype=np.int64) if values is None else np.asarray(values).reshape(-1))
        if len(pieces[-1]) != one.nodes:
            raise ValueError(f"{name}: expected {one.nodes} in graph {number}, got {len(pieces[-1])}")
    return np.concatenate([piece for piece in pieces if len(piece)] or pieces)


def _attributes(graphs: Sequence[Graph], like: Array | None) -> Array | None:
    if not _known(graphs, "attributes"):
        return None
    pieces: list[Array] = []
    for number, one in enumerate(graphs):
        held: Any = one.attributes
        if held is None:  # of no nodes
            continue
        if not hasattr(held, "dtype") or (
            isinstance(held, np.ndarray) and (like is not None or held.dtype.kind != "f")
        ):
            host = np.asarray(held, dtype=np.float64)
            held = host if like is None else asarray_like(host, like)
        if held.ndim != 2 or held.shape[0] != one.nodes:
            raise ValueError(f"attributes: expected ({one.nodes}, d) in graph {number}, got {tuple(held.shape)}")
        if held.shape[1] != (pieces or [held])[0].shape[1]:
            wanted = pieces[0].shape[1]
            raise ValueError(f"attributes: expected {wanted} columns as in graph 0, got {held.shape[1]} in {number}")
        pieces.append(held)
    return namespace(*pieces).concat(pieces, axis=0)

"""Graphs of networkx and of sparse adjacency matrices, both ways."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerneltools.arrays import Array
from kerneltools.backend import to_host
from kerneltools.structures.graphs import Graph, Graphs

LABEL, ATTRIBUTES = "label", "attributes"


def of_networkx(graphs: Sequence[Any], like: Array | None = None) -> Graphs:
    """From networkx graphs: whole numbers `label` of nodes and edges, and lists of numbers `attributes` of nodes.

    Nodes are numbered in their order. Raises ValueError for loops, and for graphs of which only some have labels.
    """
    directed = {bool(one.is_directed()) for one in graphs}
    if len(directed) > 1:
        raise ValueError("graphs: expected all of them directed, or none; only some are")
    return Graphs.of([_of_networkx(one, number) for number, one in enumerate(graphs)], directed == {True}, like)


def _of_networkx(graph: Any, number: int) -> Graph:
    nodes = {node: place for place, node in enumerate(graph.nodes)}
    ends = list(graph.edges(data=True))
    edges = np.array([(nodes[a], nodes[b]) for a, b, _ in ends], dtype=np.int64).reshape(-1, 2)
    rows = [data.get(ATTRIBUTES) for _, data in graph.nodes(data=True)]
    attributes = None if not rows or rows[0] is None else np.asarray(rows, dtype=np.float64)
    return Graph(
        len(nodes),
        edges,
        _labels([data for _, data in graph.nodes(data=True)], f"nodes of graph {number}"),
        attributes,
        _labels([data for _, _, data in ends], f"edges of graph {number}"),
    )


def _labels(found: list[dict[str, Any]], of: str) -> Any:
    values = [data.get(LABEL) for data in found]
    if all(value is None for value in values):
        return None
    if any(isinstance(value, bool) or not isinstance(value, int | np.integer) for value in values):
        raise ValueError(f"{LABEL}: expected a whole number at all {of}, or at none, got {values!r:.60}")
    return np.asarray(values, dtype=np.int64)


def of_sparse(matrices: Sequence[Any], like: Array | None = None) -> Graphs:
    """From SciPy's sparse adjacency matrices, symmetric ones: entries that are not 0 are edges, 1 or whole labels.

    Raises ValueError for matrices that are not square or symmetric, with their number.
    """
    found = []
    for number, one in enumerate(matrices):
        matrix = one.tocoo()
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"matrices: expected square ones, got shape {matrix.shape} as number {number}")
        if abs(matrix - matrix.T).sum() > 0:
            raise ValueError(f"matrices: expected symmetric ones, number {number} is not; see Graphs.of")
        kept = matrix.data != 0
        edges = np.stack([matrix.row[kept], matrix.col[kept]], axis=1).astype(np.int64)
        found.append(Graph(int(matrix.shape[0]), edges))
    return Graphs.of(found, like=like)


def to_networkx(graphs: Graphs) -> list[Any]:
    """As networkx graphs, directed where the collection is; `label` and `attributes` as `of_networkx` reads them."""
    import networkx  # type: ignore[import-untyped]

    made = networkx.DiGraph if graphs.directed else networkx.Graph
    return [_to_networkx(made(), one) for one in graphs]


def _to_networkx(made: Any, graph: Graph) -> Any:
    attributes = None if graph.attributes is None else to_host(graph.attributes).tolist()
    for node in range(graph.nodes):
        known = {} if graph.labels is None else {LABEL: int(graph.labels[node])}
        made.add_node(node, **known, **({} if attributes is None else {ATTRIBUTES: attributes[node]}))
    for place, (a, b) in enumerate(graph.edges.tolist()):
        made.add_edge(a, b, **({} if graph.edge_labels is None else {LABEL: int(graph.edge_labels[place])}))
    return made


def to_sparse(graphs: Graphs) -> list[Any]:
    """As SciPy's sparse adjacency matrices (v, v) of ones."""
    from scipy.sparse import coo_array

    return [
        coo_array((np.ones(len(one.edges)), (one.edges[:, 0], one.edges[:, 1])), shape=(one.nodes, one.nodes)).tocsr()
        for one in graphs
    ]

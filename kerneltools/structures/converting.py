"""Graphs from and to networkx and sparse adjacency matrices, and from lists of edges."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerneltools.arrays import Array, indices_like, namespace
from kerneltools.backend import to_host
from kerneltools.structures.base import Host, number_like, offsets_of
from kerneltools.structures.graphs import Graph, Graphs, both_ways

LABEL, ATTRIBUTES = "label", "attributes"


def of_networkx(graphs: Sequence[Any], like: Array | None = None) -> Graphs:
    """Graphs of networkx, with the integer `label` of nodes and edges, and the `attributes` of nodes, lists of numbers.

    Nodes are numbered in their order. Raises ValueError for loops, and if only some graphs have labels.

    >>> import networkx
    >>> of_networkx([networkx.path_graph(3), networkx.cycle_graph(4)])
    Graphs(2 graphs of 3 to 4 nodes, without labels and attributes)
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
        raise ValueError(
            f"{LABEL}: expected a whole number at all {of}, or at none, got {values!r:.60}; number words first, in the "
            "same way for all graphs, such as {'C': 0, 'N': 1}[label]"
        )
    return np.asarray(values, dtype=np.int64)


def of_sparse(matrices: Sequence[Any], like: Array | None = None) -> Graphs:
    """Graphs of SciPy's sparse, symmetric adjacency matrices: nonzero entries are edges, either 1 or integer labels.

    Raises ValueError for matrices that are not square or symmetric, with their number.

    >>> from scipy.sparse import coo_array
    >>> of_sparse([coo_array([[0, 1], [1, 0]])])
    Graphs(1 graphs of 2 nodes, without labels and attributes)
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


def of_edges(
    edges: Any,
    owner: Any,
    n: int | None = None,
    *,
    labels: Any = None,
    attributes: Array | None = None,
    edge_labels: Any = None,
    directed: bool = False,
    like: Array | None = None,
) -> Graphs:
    """Graphs from one list of edges (E, 2) between nodes 0..N-1, and the graph 0..n-1 of each node, owner (N,).

    `n`: the number of graphs, needed if the last have no nodes; `labels` (N,), `attributes` (N, d), `edge_labels` (E,).
    Nodes are sorted by graph, and keep their order within one. An edge without direction may be given once or both
    ways; `directed`: edges are arcs.

    Raises ValueError for nodes and graphs that do not exist, loops, edges between graphs, and arrays of another length.

    >>> x = of_edges([[0, 2], [1, 3]], [0, 1, 0, 1], labels=[5, 6, 7, 8])
    >>> [(one.nodes, one.labels.tolist(), one.edges.tolist()) for one in x]
    [(2, [5, 7], [[0, 1], [1, 0]]), (2, [6, 8], [[0, 1], [1, 0]])]
    """
    owner, edges = _numbers("owner", owner, (None,)), _numbers("edges", edges, (None, 2))
    total = len(owner)
    count = int(owner.max(initial=-1)) + 1 if n is None else n
    if total and not 0 <= int(owner.min()) <= int(owner.max()) < count:
        raise ValueError(f"owner: expected graphs 0 to {count - 1}, got {int(owner.min())} to {int(owner.max())}")
    if edges.size and not 0 <= int(edges.min()) <= int(edges.max()) < total:
        wrong = int(((edges < 0) | (edges >= total)).any(axis=1).argmax())
        raise ValueError(f"edges: expected nodes 0 to {total - 1}, got {edges[wrong].tolist()} as number {wrong}")
    order = np.argsort(owner, kind="stable")
    place = np.argsort(order)
    offsets = offsets_of(np.bincount(owner, minlength=count))
    codes = np.zeros(len(edges), dtype=np.int64)
    if edge_labels is not None:
        codes = _numbers("edge_labels", edge_labels, (len(edges),))
    arcs = place[edges]
    if not directed:
        arcs, codes = both_ways(arcs, codes, offsets)
    if attributes is not None:
        if attributes.shape[0] != total:
            raise ValueError(f"attributes: expected ({total}, d), a row for each node, got {tuple(attributes.shape)}")
        attributes = namespace(attributes).take(attributes, indices_like(order, attributes), axis=0)
    return Graphs(
        offsets,
        arcs,
        None if labels is None else _numbers("labels", labels, (total,))[order],
        None if edge_labels is None else codes,
        attributes,
        number_like(like),
    )


def _numbers(name: str, values: Any, shape: tuple[int | None, ...]) -> Host:
    host = np.asarray(values)
    host = host if host.size else np.zeros((0, *(size or 0 for size in shape[1:])), dtype=np.int64)
    good = len(host.shape) == len(shape) and all(b in (None, a) for a, b in zip(host.shape, shape, strict=True))
    if not good or host.dtype.kind not in "iu":
        wanted = ", ".join("m" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: expected ({wanted}) integers, got {host.dtype} of shape {host.shape}")
    return host.astype(np.int64)


def to_networkx(graphs: Graphs) -> list[Any]:
    """Graphs of networkx, directed if the collection is; `label` and `attributes` are those that `of_networkx` reads.

    >>> from kerneltools.structures import Graph, Graphs
    >>> one = to_networkx(Graphs.of([Graph(3, [[0, 1], [1, 2]], labels=[7, 4, 7])]))[0]
    >>> list(one.edges), dict(one.nodes(data="label"))
    ([(0, 1), (1, 2)], {0: 7, 1: 4, 2: 7})
    """
    import networkx

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
    """SciPy's sparse adjacency matrices (v, v) of ones.

    >>> from kerneltools.structures import Graph, Graphs
    >>> to_sparse(Graphs.of([Graph(3, [[0, 1], [1, 2]])]))[0].toarray()
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]])
    """
    from scipy.sparse import coo_array

    return [
        coo_array((np.ones(len(one.edges)), (one.edges[:, 0], one.edges[:, 1])), shape=(one.nodes, one.nodes)).tocsr()
        for one in graphs
    ]

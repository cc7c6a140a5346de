"""Kernels of graphs: against numbers of another implementation, definitions written out, and what graphs may be."""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerneltools.kernels import Normalised
from kerneltools.kernels.graphs import OptimalAssignment, ShortestPath, WeisfeilerLehman
from kerneltools.structures import Graph, Graphs, concat

with np.load(Path(__file__).parents[1] / "golden" / "data" / "structured_graph_kernels.npz") as file:
    GOLDEN = dict(file)
GRAPHS = Graphs(GOLDEN["graph_ptr"], GOLDEN["edge_index"].T, labels=GOLDEN["node_label"])

COUNTING = [
    WeisfeilerLehman(2),
    WeisfeilerLehman(1, ShortestPath()),
    WeisfeilerLehman(1, OptimalAssignment(1)),
    OptimalAssignment(2),
    ShortestPath(),
    ShortestPath(labelled=False),
]
KERNELS: list[Any] = [*COUNTING, Normalised(WeisfeilerLehman(1))]


def drawn(seed: int, sizes: tuple[int, ...], directed: bool = False) -> Graphs:
    """Graphs of these sizes with labels of nodes and edges and attributes, each edge with probability 0.4."""
    rng = np.random.default_rng(seed)
    found = []
    for v in sizes:
        arcs = np.array([(a, b) for a in range(v) for b in range(v) if (a < b or (directed and a != b))]).reshape(-1, 2)
        arcs = arcs[rng.random(len(arcs)) < 0.4]
        labels = rng.integers(0, 3, v)
        found.append(Graph(v, arcs, labels, rng.standard_normal((v, 2)), rng.integers(0, 2, len(arcs))))
    return Graphs.of(found, directed)


SMALL = drawn(0, (5, 1, 7, 0, 6, 6))


def shuffled(x: Graphs, seed: int) -> Graphs:
    """The same graphs with their nodes in another order."""
    rng = np.random.default_rng(seed)
    made = []
    for one in x:
        order = rng.permutation(one.nodes)
        new = np.argsort(order)
        made.append(Graph(one.nodes, new[one.edges], one.labels[order], one.attributes[order], one.edge_labels))
    return Graphs.of(made, directed=True)


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (WeisfeilerLehman(0), "wl_h0_vertex_histogram"),
        (WeisfeilerLehman(1), "wl_h1"),
        (WeisfeilerLehman(2), "wl_h2"),
        (WeisfeilerLehman(3), "wl_h3"),
        (ShortestPath(), "sp_labelled_ordered_pairs"),
        (OptimalAssignment(3), "wloa_h3_grakel_first8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_of_another_implementation(kernel: Any, name: str) -> None:
    x = GRAPHS[: len(GOLDEN[name])]
    assert (kernel(x, x) == GOLDEN[name]).all()


def colours(x: Graphs, iterations: int) -> list[Counter[Any]]:
    """What Weisfeiler and Lehman's colours are, as nested tuples: how often each is in each graph."""
    found = []
    for one in x:
        now: list[Any] = [int(label) for label in one.labels]
        seen = Counter(now)
        for _ in range(iterations):
            arcs = [(a, now[b], int(kind)) for (a, b), kind in zip(one.edges.tolist(), one.edge_labels, strict=True)]
            now = [(old, tuple(sorted((str(c), e) for a, c, e in arcs if a == node))) for node, old in enumerate(now)]
            seen.update(now)
        found.append(seen)
    return found


@pytest.mark.parametrize("directed", [False, True])
def test_colours_are_those_of_nested_tuples(directed: bool) -> None:
    x = drawn(1, (6, 6, 4, 1, 0), directed)
    seen = colours(x, 3)
    wanted = [[sum(a[c] * b[c] for c in a) for b in seen] for a in seen]
    assert (WeisfeilerLehman(3)(x, x) == wanted).all()
    wanted = [[sum(min(a[c], b[c]) for c in a) for b in seen] for a in seen]
    assert (OptimalAssignment(3)(x, x) == wanted).all()


def distances(one: Graph) -> Any:
    """Floyd and Warshall's: (v, v)"""
    far = np.full((one.nodes, one.nodes), np.inf)
    far[one.edges[:, 0], one.edges[:, 1]] = 1
    for k in range(one.nodes):
        far = np.minimum(far, far[:, [k]] + far[[k], :])
    return far


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_ways_are_the_shortest(directed: bool, labelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn(2, (7, 6, 1, 0, 5), directed)
    seen = []
    for one in x:
        far = distances(one)
        pairs = [(i, j) for i, j in product(range(one.nodes), repeat=2) if i != j and np.isfinite(far[i, j])]
        label = one.labels if labelled else np.zeros(one.nodes)
        seen.append(Counter((label[i], label[j], far[i, j]) for i, j in pairs))
    wanted = [[sum(a[c] * b[c] for c in a) for b in seen] for a in seen]
    kernel = ShortestPath(labelled)
    assert (kernel(x, x) == wanted).all()
    monkeypatch.setattr("kerneltools.kernels.graphs.shortest_path.REACHED", 15)
    assert (kernel(x, x) == wanted).all()


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_order_of_nodes_and_graphs_is_nothing(kernel: Any) -> None:
    gram = kernel(SMALL, SMALL)
    assert np.allclose(kernel(shuffled(SMALL, 0), SMALL), gram, rtol=1e-12)
    order = np.random.default_rng(1).permutation(len(SMALL))
    assert np.allclose(kernel(SMALL[order], SMALL[order]), gram[np.ix_(order, order)], rtol=1e-12)
    assert np.allclose(kernel(concat([SMALL[:2], SMALL[2:]]), SMALL[3:]), gram[:, 3:], rtol=1e-12)
    assert np.allclose(kernel.diag(SMALL), np.diagonal(gram), rtol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-10 * gram.max()


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_there_may_be_nothing_in_a_graph(kernel: Any) -> None:
    nothing, alone = Graph(0, []), Graph(2, [])
    x = Graphs.of([nothing, alone, Graph(3, [[0, 1]])])
    gram = kernel(x, x)
    assert (gram[0] == 0).all()
    assert np.isfinite(gram).all()
    assert (kernel(x[:1], x[:1]) == 0).all()
    assert kernel(x[:0], x).shape == (0, 3)


def test_labels_of_edges_count() -> None:
    a, b = (Graphs.of([Graph(3, [[0, 1], [1, 2]], [0, 0, 0], None, kinds)]) for kinds in ([1, 1], [1, 2]))
    kernel = WeisfeilerLehman(1)
    assert kernel(a, b) < kernel(a, a)
    bare = Graphs.of([Graph(3, [[0, 1], [1, 2]], [0, 0, 0])])
    assert kernel(bare, bare) == kernel(a, a)


def test_new_graphs_have_the_colours_of_old_ones() -> None:
    kernel, x = WeisfeilerLehman(3), GRAPHS
    known = kernel.prepared(x)
    assert (kernel(x[[7]], known) == GOLDEN["wl_h3"][7]).all()
    unseen = Graphs.of([Graph(2, [[0, 1]], [1000, 1001])])
    assert (kernel(unseen, known) == 0).all()


def test_a_star_of_many_nodes() -> None:
    n = 2000
    star = Graphs.of([Graph(n, np.stack([np.zeros(n - 1, dtype=int), np.arange(1, n)], axis=1))])
    pairs = 2 * (n - 1)
    assert ShortestPath()(star, star) == pairs**2 + ((n - 1) * (n - 2)) ** 2
    assert WeisfeilerLehman(1)(star, star) == n**2 + (n - 1) ** 2 + 1


LABELLED = Graphs.of([Graph(2, [[0, 1]], [0, 1])])
BARE = Graphs.of([Graph(2, [[0, 1]])])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeisfeilerLehman(-1), "iterations"),
        (lambda: WeisfeilerLehman(1, Normalised(ShortestPath())), "base: expected a kernel of graphs that counts"),
        (lambda: WeisfeilerLehman(1)(LABELLED, BARE), "y: expected .* graphs with labels, got graphs without"),
        (lambda: ShortestPath()(np.zeros((2, 2)), np.zeros((2, 2))), "expected Graphs for ShortestPath"),
        (lambda: Graphs.of([Graph(1, []), Graph(3, [[0, 1, 2]])]), "integers in graph 1, got int64 of shape"),
        (lambda: Graphs.of([Graph(3, [[0.0, 1.0]])]), "integers in graph 0, got float64"),
        (
            lambda: Graphs.of([Graph(2, [[0, 1], [1, 0]], None, None, [1, 2])]),
            r"edge_labels: .*several for \[1, 0\] in graph 0",
        ),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_graph_without_edges_leaves_their_labels_open() -> None:
    both = Graphs.of([Graph(2, []), Graph(2, [[0, 1]], None, None, [3]), Graph(0, [])])
    assert both.edge_labels.tolist() == [3, 3]
    assert len(concat([both, Graphs.of([Graph(1, [])])]).edge_labels) == 2
    assert len(concat([Graphs.of([Graph(1, [])]), both]).edge_labels) == 2
    assert WeisfeilerLehman(1)(Graphs.of([Graph(1, [])]), both).shape == (1, 3)

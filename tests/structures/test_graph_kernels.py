"""Kernels of graphs: against numbers of another implementation, definitions written out, and what graphs may be."""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian, Linear, Normalised
from kerneltools.kernels.counting import Counts
from kerneltools.kernels.graphs import (
    AttributedShortestPath,
    OptimalAssignment,
    Propagation,
    RandomWalk,
    ShortestPath,
    WeisfeilerLehman,
)
from kerneltools.kernels.graphs.propagation import _normal
from kerneltools.kernels.graphs.random_walk import radii
from kerneltools.random import stream
from kerneltools.structures import Graph, Graphs, Strings, concat
from kerneltools.trees import replace_children

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
KERNELS: list[Any] = [
    *COUNTING,
    Normalised(WeisfeilerLehman(1)),
    Propagation(2, 0.5),
    RandomWalk(0.05),
    RandomWalk(0.03, labelled=False),
    AttributedShortestPath(Gaussian(1.0)),
]


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
    nothing, alone = Graph(0, []), Graph(2, [], [1, 2], np.zeros((2, 1)))
    x = Graphs.of([nothing, alone, Graph(3, [[0, 1]], [1, 1, 1], np.ones((3, 1)))])
    gram = kernel(x, x)
    assert (gram[0] == 0).all()
    assert np.isfinite(gram).all()
    assert (kernel(x[:1], x[:1]) == 0).all()
    assert kernel(x[:0], x).shape == (0, 3)


@pytest.mark.parametrize("kernel", [WeisfeilerLehman(1), RandomWalk(0.1)], ids=repr)
def test_labels_of_edges_count(kernel: Any) -> None:
    a, b = (Graphs.of([Graph(3, [[0, 1], [1, 2]], [0, 0, 0], None, kinds)]) for kinds in ([1, 1], [1, 2]))
    assert kernel(a, b) < kernel(a, a)
    bare = Graphs.of([Graph(3, [[0, 1], [1, 2]], [0, 0, 0])])
    assert kernel(bare, bare) == kernel(a, a)


def adjacency(one: Graph, kind: int) -> Any:
    found = np.zeros((one.nodes, one.nodes))
    arcs = one.edges[one.edge_labels == kind]
    found[arcs[:, 0], arcs[:, 1]] = 1.0
    return found


@pytest.mark.parametrize("labelled", [False, True])
def test_walks_are_those_of_the_product_graph(labelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, decay = SMALL[:5], 0.05

    def value(a: Graph, b: Graph) -> float:
        if labelled:
            arcs = sum(np.kron(adjacency(a, kind), adjacency(b, kind)) for kind in (0, 1))
            same = np.equal.outer(a.labels, b.labels).astype(float).reshape(-1)
        else:
            arcs = np.kron(adjacency(a, 0) + adjacency(a, 1), adjacency(b, 0) + adjacency(b, 1))
            same = np.ones(a.nodes * b.nodes)
        arcs = same[:, None] * arcs * same
        return float(same @ np.linalg.solve(np.eye(len(same)) - decay * arcs, same))

    wanted = np.array([[value(a, b) for b in x] for a in x])
    kernel = RandomWalk(decay, labelled)
    assert np.allclose(kernel(x, x), wanted, rtol=1e-12)
    monkeypatch.setattr("kerneltools.kernels.graphs.random_walk.AT_A_TIME", 50)
    monkeypatch.setattr("kerneltools.kernels.graphs.random_walk.PAIRS", 7)
    assert np.allclose(kernel(x, x), wanted, rtol=1e-12)
    assert np.allclose(kernel(x, x[:4]), wanted[:, :4], rtol=1e-12)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_the_decay_has_a_gradient(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    backend = kerneltools.backend(library)
    decay = backend.asarray(0.05, dtype=backend.namespace.float64)
    x, step = SMALL[:3].to(decay), 1e-6

    def total(kernel: Any) -> Any:
        values = kernel(x, x)
        return namespace(values).sum(values)

    value, gradient = backend.value_and_grad(total)(RandomWalk(decay))
    here = SMALL[:3]
    ends = [RandomWalk(0.05 + shift)(here, here).sum() for shift in (step, -step, 0.0)]
    assert np.isclose(float(value), ends[2], rtol=1e-14)
    assert np.isclose(float(gradient.decay), (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_attributes_of_another_library(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    backend = kerneltools.backend(library)
    x = SMALL.to(backend.asarray(0.0, dtype=backend.namespace.float32))
    for kernel in (Propagation(2, 0.5), WeisfeilerLehman(2), RandomWalk(0.05)):
        values = kernel(x, x)
        assert values.dtype == x.attributes.dtype
        assert np.allclose(np.asarray(values), kernel(SMALL, SMALL), rtol=1e-6)


@pytest.mark.parametrize("labelled", [False, True])
def test_attributes_are_compared_at_equal_distances(labelled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, bandwidth = SMALL, 1.5

    def value(a: Graph, b: Graph) -> float:
        near = Gaussian(bandwidth)(a.attributes, b.attributes)
        if labelled:
            near = near * np.equal.outer(a.labels, b.labels)
        one, other = distances(a), distances(b)
        pairs = [(i, j) for i, j in product(range(a.nodes), repeat=2) if i != j and np.isfinite(one[i, j])]
        others = [(k, m) for k, m in product(range(b.nodes), repeat=2) if k != m]
        return sum(near[i, k] * near[j, m] for i, j in pairs for k, m in others if one[i, j] == other[k, m])

    wanted = np.array([[value(a, b) for b in x] for a in x])
    kernel = AttributedShortestPath(Gaussian(bandwidth), labelled)
    assert np.allclose(kernel(x, x), wanted, rtol=1e-12)
    monkeypatch.setattr("kerneltools.kernels.graphs.attributed.NODES", 14)
    assert np.allclose(kernel(x, x[1:]), wanted[:, 1:], rtol=1e-12)


def test_labels_are_attributes_of_their_own() -> None:
    one_hot = replace_children(SMALL, {"attributes": np.eye(3)[SMALL.labels]})
    wanted = ShortestPath()(SMALL, SMALL)
    assert np.allclose(AttributedShortestPath(Linear(), labelled=False)(one_hot, one_hot), wanted, rtol=1e-12)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_gradients_go_through_attributes(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    backend = kerneltools.backend(library)
    like = backend.asarray(1.5, dtype=backend.namespace.float64)
    x, step = SMALL[:3].to(like), 1e-6

    def total(kernel: Any, attributes: Any) -> Any:
        some = replace_children(x, {"attributes": attributes})
        values = kernel(some, some)
        return namespace(values).sum(values)

    kernel = AttributedShortestPath(Gaussian(like))
    _, (of_kernel, of_rows) = backend.value_and_grad(total, argnums=(0, 1))(kernel, x.attributes)
    here, host = SMALL[:3], SMALL[:3].attributes

    def shifted(bandwidth: float, place: float) -> float:
        moved = host.copy()
        moved[2, 1] += place
        some = replace_children(here, {"attributes": moved})
        return float(AttributedShortestPath(Gaussian(1.5 + bandwidth))(some, some).sum())

    wanted = (shifted(step, 0.0) - shifted(-step, 0.0)) / (2 * step)
    assert np.isclose(float(of_kernel.kernel.bandwidth), wanted, rtol=1e-5)
    wanted = (shifted(0.0, step) - shifted(0.0, -step)) / (2 * step)
    assert np.isclose(float(of_rows[2, 1]), wanted, rtol=1e-5)


def test_bins_are_those_of_distributions_that_spread() -> None:
    x, kernel = SMALL, Propagation(3, 0.4)
    label, rounds = _normal(np.arange(3), 0, 2), [stream(0, f"propagation {t}") for t in range(4)]
    shift, direction = rounds[2].random(), rounds[2].standard_normal(2)
    seen = [one.attributes @ direction + label[one.labels] for one in x]
    for _ in range(2):
        arcs = [adjacency(one, 0) + adjacency(one, 1) for one in x]
        alone = [a + np.diag(1.0 - a.any(axis=1)) for a in arcs]
        seen = [a / a.sum(axis=1, keepdims=True) @ values for a, values in zip(alone, seen, strict=True)]
    histograms = [Counter(np.floor(values / 0.4 + shift)) for values in seen]
    wanted = [[sum(a[b] * c[b] for b in a) for c in histograms] for a in histograms]
    # What the third round adds.
    assert (Propagation(2, 0.4)(x, x) - Propagation(1, 0.4)(x, x) == wanted).all()
    assert (kernel(x, x) >= Propagation(2, 0.4)(x, x)).all()


def test_what_is_close_shares_a_bin() -> None:
    rng = np.random.default_rng(0)
    base = rng.standard_normal((8, 2))
    x = Graphs.of([Graph(8, [[0, 1]], None, base + far) for far in (0.0, 1e-4, 3.0)])
    gram = Propagation(0, 0.5)(x, x)
    assert gram[0, 1] > gram[0, 2]
    shares = np.mean([Propagation(0, 0.5, seed)(x, x)[0, :2] for seed in range(20)], axis=0)
    assert shares[1] > 0.98 * shares[0]


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


def test_the_greatest_eigenvalues_are_bounded() -> None:
    exact = [np.linalg.eigvalsh(adjacency(one, 0) + adjacency(one, 1)).max(initial=0) for one in SMALL]
    assert (radii(SMALL) >= np.array(exact) - 1e-12).all()
    assert np.allclose(radii(SMALL), exact, atol=1e-3)
    star = Graphs.of([Graph(402, [[0, i] for i in range(1, 401)])])
    assert np.allclose(radii(star), 20.0)


# Three labels have no more than three landmarks.
@pytest.mark.filterwarnings("ignore::kerneltools.landmarks.ReducedWarning")
def test_lists_of_graphs_in_a_grid_search() -> None:
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.model_selection import GridSearchCV

    from kerneltools.estimators import KernelClassifier

    rng, rings = np.random.default_rng(0), np.arange(40) % 2
    graphs = [(networkx.cycle_graph if ring else networkx.path_graph)(rng.integers(6, 12)) for ring in rings]
    for one in graphs:
        networkx.set_node_attributes(one, {node: int(rng.integers(0, 3)) for node in one}, "label")
    model = KernelClassifier(Normalised(WeisfeilerLehman(1)), landmarks=10)
    found = GridSearchCV(model, {"kernel__kernel__iterations": [0, 1]}, cv=3).fit(graphs, rings)
    assert found.best_params_ == {"kernel__kernel__iterations": 1}
    assert found.predict(graphs[:2]).tolist() == [0, 1]
    with pytest.raises(ValueError, match="graphs with labels, got graphs without"):
        found.predict([networkx.cycle_graph(5)])


@pytest.mark.parametrize("kernel", [RandomWalk(0.03), WeisfeilerLehman(1, ShortestPath()), Propagation(1)], ids=repr)
def test_a_file_keeps_kernels(kernel: Any, tmp_path: Path) -> None:
    kerneltools.save(Normalised(kernel), tmp_path / "kernel.safetensors")
    again = kerneltools.load(tmp_path / "kernel.safetensors")
    assert (again(SMALL, SMALL) == Normalised(kernel)(SMALL, SMALL)).all()


def test_many_objects_come_into_order() -> None:
    rng = np.random.default_rng(0)
    codes, owners = rng.integers(-(2**63), 2**63 - 1, 30)[rng.integers(0, 30, 400)], rng.integers(0, 70_000, 400)
    owners[:50] = owners[50]
    found = Counts.of(codes, owners, 70_000)
    wanted = Counter(zip(owners.tolist(), codes.tolist(), strict=True))
    assert list(zip(found.owners.tolist(), found.codes.tolist(), strict=True)) == sorted(wanted)
    assert found.values.tolist() == [wanted[key] for key in sorted(wanted)]


LABELLED = Graphs.of([Graph(2, [[0, 1]], [0, 1])])
BARE = Graphs.of([Graph(2, [[0, 1]])])
ARC = Graphs.of([Graph(2, [[0, 1]])], directed=True)
FAR = Graphs.of([Graph(2, [[0, 1]], None, [[0.0], [1.0]])])
MANY = Graphs.of([Graph(6000, [[0, i] for i in range(1, 6000)])])
WIDE = Graphs.of([Graph(9000, [], None, np.zeros((9000, 1)))])
NAMES = Strings.of(["A"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeisfeilerLehman(-1), "iterations"),
        (lambda: WeisfeilerLehman(1, Normalised(ShortestPath())), "base: expected a kernel of graphs that counts"),
        (lambda: WeisfeilerLehman(1)(LABELLED, BARE), "y: expected .* graphs with labels, got graphs without"),
        (lambda: ShortestPath()(np.zeros((2, 2)), np.zeros((2, 2))), "expected Graphs for ShortestPath"),
        (lambda: AttributedShortestPath(Linear())(BARE, BARE), "x: expected graphs with attributes"),
        (lambda: AttributedShortestPath(Linear())(NAMES, NAMES), "expected Graphs for AttributedShortestPath"),
        (lambda: AttributedShortestPath(Linear()).diag(WIDE), "graphs 0 of 9000 nodes and 0 of 9000 need some 5.2 GB"),
        (lambda: Propagation(1)(BARE, BARE), "x: expected graphs with labels or attributes"),
        (lambda: Propagation(1, 0.0), "width: expected a number > 0"),
        (lambda: Propagation(1, 1e-300)(FAR, FAR), "width: 1e-300 is too small for .* node 1 of graph 0"),
        (lambda: RandomWalk(-0.1), "decay: expected a number >= 0"),
        (lambda: RandomWalk(1.0)(BARE, BARE), r"decay: expected less than 1, 1 / .* graphs 0 of x and 0 of y, got 1"),
        (lambda: RandomWalk(0.1)(ARC, ARC), r"x: expected edges without direction, got \[0, 1\] in graph 0"),
        (lambda: RandomWalk(0.1)(NAMES, NAMES), "expected Graphs for RandomWalk"),
        (lambda: RandomWalk(1e-6).diag(MANY), "graphs 0 of 6000 nodes and 0 of 6000 need some .* GB for RandomWalk"),
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

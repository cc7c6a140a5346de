"""Graphs in lists of edges and in folders of the TU Dortmund collection, damaged ones too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerneltools import structures
from kerneltools.structures import Graph, Graphs, read_tudataset
from kerneltools.structures.converting import of_edges

FILES = {
    "A": "1, 2\n2, 1\n4, 5\n5, 4\n",
    "graph_indicator": "1\n1\n2\n3\n3\n",
    "graph_labels": "1\n-1\n1\n",
    "node_labels": "7\n8\n7\n9\n9\n",
    "edge_labels": "3\n3\n4\n4\n",
    "node_attributes": "0.5, 1\n-1e3, 2\n0, 0\n1, 1\n2, 2\n",
}
WANTED = Graphs.of(
    [
        Graph(2, [[0, 1]], [7, 8], [[0.5, 1.0], [-1000.0, 2.0]], [3]),
        Graph(1, [], [7], [[0.0, 0.0]]),
        Graph(2, [[0, 1]], [9, 9], [[1.0, 1.0], [2.0, 2.0]], [4]),
    ]
)


def written(folder: Path, **other: str | None) -> Path:
    """A folder of the collection; other texts for some of its files, None for none."""
    folder.mkdir()
    for kind, text in (FILES | other).items():
        if text is not None:
            (folder / f"{folder.name}_{kind}.txt").write_text(text, encoding="utf-8")
    return folder


def same(a: Graphs, b: Graphs) -> bool:
    return len(a) == len(b) and all(a.key(i) == b.key(i) for i in range(len(a)))


def test_a_folder_is_read(tmp_path: Path) -> None:
    x, y = read_tudataset(written(tmp_path / "TOY"))
    assert same(x, WANTED)
    assert y is not None
    assert y.tolist() == [1, -1, 1]


def test_forms_of_the_same_folder(tmp_path: Path) -> None:
    windows = {kind: "\ufeff" + text.replace("\n", "\r\n") + "\r\n" for kind, text in FILES.items()}
    assert same(read_tudataset(written(tmp_path / "A", **windows))[0], WANTED)
    once = written(tmp_path / "B", A="1,2\n5,4\n", edge_labels="3\n4")
    assert same(read_tudataset(once)[0], WANTED)
    order = {
        "graph_indicator": "3\n3\n1\n2\n1\n",
        "A": "3,5\n1,2\n",
        "edge_labels": "3\n4\n",
        "node_labels": "9\n9\n7\n7\n8\n",
        "node_attributes": "1,1\n2,2\n.5,1\n0,0\n-1000,2\n",
    }
    assert same(read_tudataset(written(tmp_path / "C", **order))[0], WANTED)
    arcs = read_tudataset(written(tmp_path / "D", A="1,2\n5,4\n", edge_labels=None), directed=True)[0]
    assert arcs.edges.tolist() == [[0, 1], [4, 3]]


def test_what_may_be_left_out(tmp_path: Path) -> None:
    bare = dict.fromkeys(("node_labels", "edge_labels", "node_attributes", "graph_labels"))
    x, y = read_tudataset(written(tmp_path / "A", **bare))
    assert (x.labels, x.edge_labels, x.attributes, y) == (None, None, None, None)
    targets = read_tudataset(written(tmp_path / "B", graph_labels=None, graph_attributes=".5\n1\n2\n4\n"))
    assert targets[1].tolist() == [[0.5], [1.0], [2.0], [4.0]]
    assert targets[0].sizes.tolist() == [2, 1, 2, 0]
    assert len(read_tudataset(written(tmp_path / "C", A="", edge_labels=""))[0].edges) == 0
    with pytest.warns(UserWarning, match="edge_attributes.txt is left out"):
        read_tudataset(written(tmp_path / "D", edge_attributes="1\n1\n1\n1\n"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"A": "1, 2\n2, 6\n"}, r"T_A.txt, line 2: expected two of the nodes 1 to 5, got \[2, 6\]"),
        ({"A": "1, 2\n0, 1\n"}, "T_A.txt, line 2: expected two of the nodes"),
        ({"A": "2, 3\n"}, r"T_A.txt, line 1: expected two nodes of one graph, got \[2, 3\]"),
        ({"A": "1, 2\n\n4, 4\n"}, "T_A.txt, line 2: expected 2 numbers, got"),
        ({"A": "1, 2\n4, 4\n"}, r"T_A.txt, line 2: expected two different nodes.*got \[4, 4\]"),
        ({"A": "1, 2\n4, x\n"}, "T_A.txt, line 2: expected whole numbers, got 4, x"),
        ({"A": "1, 2, 3\n"}, "T_A.txt, line 1: expected 2 numbers, got 1, 2, 3"),
        ({"A": None}, "T: expected one file NAME_A.txt, got 0"),
        ({"graph_indicator": None}, "T_graph_indicator.txt"),
        ({"graph_indicator": "1\n1\n2\n3\n4\n", "A": ""}, "indicator.txt, line 5: expected one of the 3 graphs"),
        ({"graph_indicator": "1\n0\n2\n3\n3\n"}, "indicator.txt, line 2: expected a graph, counted from 1, got 0"),
        ({"graph_labels": "1\n1.5\n1\n"}, "T_graph_labels.txt, line 2: expected whole numbers, got 1.5"),
        ({"node_labels": "1\n2\n"}, "T_node_labels.txt: expected 5 lines, got 2"),
        ({"node_labels": "1, 1\n1, 2\n1, 1\n1, 1\n1, 1"}, "T_node_labels.txt, line 1: expected 1 number, got 1, 1"),
        ({"edge_labels": "1\n"}, "T_edge_labels.txt: expected 4 lines, got 1"),
        ({"edge_labels": "1\n2\n1\n1\n"}, r"T: edge_labels: .*several for \[1, 0\] in graph 0"),
        (
            {"node_attributes": "1\n2\nnan\n1\n1\n"},
            r"node_attributes.txt, line 3: expected finite numbers, got \[nan\]",
        ),
        ({"node_attributes": "1\n2\n3, 4\n1\n1\n"}, "node_attributes.txt, line 3: expected 1 number, got 3, 4"),
    ],
)
def test_what_is_wrong_has_its_line(files: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_tudataset(written(tmp_path / "T", **files) if files else tmp_path)


def test_a_file_of_other_bytes_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "T")
    (folder / "T_node_labels.txt").write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match=r"T_node_labels\.txt: expected text in UTF-8"):
        read_tudataset(folder)


def test_lists_of_edges() -> None:
    x = of_edges([[3, 1], [0, 4]], [2, 0, 2, 0, 2], 4, attributes=np.arange(5.0)[:, None], edge_labels=[6, 7])
    assert x.sizes.tolist() == [2, 0, 3, 0]
    assert x.attributes[:, 0].tolist() == [1.0, 3.0, 0.0, 2.0, 4.0]
    assert x.edges.tolist() == [[0, 1], [1, 0], [2, 4], [4, 2]]
    assert x.edge_labels.tolist() == [6, 6, 7, 7]
    assert len(of_edges([], [])) == 0
    assert structures.of(list(x)).edges.tolist() == x.edges.tolist()


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        (([[0, 2]], [0, 0]), {}, r"edges: expected nodes 0 to 1, got \[0, 2\] as number 0"),
        (([[0, 1]], [0, 1]), {}, "both nodes in one graph, got 0 and 1"),
        (([[1, 1]], [0, 0]), {}, r"to itself, got \[1, 1\] in graph 0"),
        (([], [0, -1]), {}, "owner: expected graphs 0 to 0, got -1"),
        (([], [0, 3], 2), {}, "owner: expected graphs 0 to 1, got 0 to 3"),
        (([], [0, 0]), {"labels": []}, r"labels: expected \(2\) integers, got int64 of shape \(0,\)"),
        (([[0, 1]], [0, 0]), {"edge_labels": [0.5]}, "edge_labels: .* got float64"),
        (([], [0, 0]), {"attributes": np.zeros((3, 1))}, "attributes: expected .2, d., a row for each node"),
    ],
)
def test_wrong_lists_of_edges(arguments: Any, named: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        of_edges(*arguments, **named)

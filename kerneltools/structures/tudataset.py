"""Graphs in the files of the TU Dortmund collection."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np

from kerneltools.arrays import Array, asarray_like
from kerneltools.structures.base import Host
from kerneltools.structures.converting import of_edges
from kerneltools.structures.graphs import Graphs


def read_tudataset(folder: str | Path, directed: bool = False, like: Array | None = None) -> tuple[Graphs, Host | None]:
    """The graphs of a folder NAME with the files NAME_A.txt, NAME_graph_indicator.txt and so on, with their classes.

    -> graphs (n), and the integer classes (n,) of NAME_graph_labels.txt, or else the numbers (n, c) of
    NAME_graph_attributes.txt, or None if there is neither file. Labels of nodes and edges and attributes of nodes are
    read if their files exist. Edges may be listed once or both ways; `directed`: they are arcs. Nodes need not be
    sorted by graph. Attributes of edges are not used: a UserWarning says that they are left out.

    Raises FileNotFoundError for a folder without one of the first two files, and ValueError, with the file and line,
    for anything but numbers, NaN and infinity, nodes that do not exist, edges from a node to itself or between graphs.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp()) / "TWO"
    >>> folder.mkdir()
    >>> found = {"A": "1, 2\\n3, 4\\n4, 5", "graph_indicator": "1\\n1\\n2\\n2\\n2", "graph_labels": "1\\n-1"}
    >>> for name, lines in found.items():
    ...     _ = (folder / f"TWO_{name}.txt").write_text(lines)
    >>> graphs, classes = read_tudataset(folder)
    >>> graphs, classes
    (Graphs(2 graphs of 2 to 3 nodes, without labels and attributes), array([ 1, -1]))
    """
    files = _Files(Path(folder))
    owner = files.whole("graph_indicator") - 1
    classes, targets = files.found("graph_labels"), files.found("graph_attributes")
    n = int(owner.max(initial=-1)) + 1
    y = files.whole("graph_labels") if classes else files.numbers("graph_attributes") if targets else None
    if y is not None:
        files.require(owner < len(y), "graph_indicator", f"one of the {len(y)} graphs that have a label", owner + 1)
        n = len(y)
    files.require(owner >= 0, "graph_indicator", "a graph, counted from 1", owner + 1)
    edges = files.whole("A", 2) - 1
    there = ((edges >= 0) & (edges < len(owner))).all(axis=1)
    files.require(there, "A", f"two of the nodes 1 to {len(owner)}", edges + 1)
    files.require(owner[edges[:, 0]] == owner[edges[:, 1]], "A", "two nodes of one graph", edges + 1)
    files.require(edges[:, 0] != edges[:, 1], "A", "two different nodes; leave the line out", edges + 1)
    if files.found("edge_attributes"):
        warn(
            f"{files.path('edge_attributes')} is left out: attributes of edges are not used", UserWarning, stacklevel=2
        )
    attributes: Any = files.numbers("node_attributes", len(owner)) if files.found("node_attributes") else None
    labels = files.whole("node_labels", rows=len(owner)) if files.found("node_labels") else None
    edge_labels = files.whole("edge_labels", rows=len(edges)) if files.found("edge_labels") else None
    rows = attributes if attributes is None or like is None else asarray_like(attributes, like)
    try:
        found = of_edges(
            edges, owner, n, labels=labels, attributes=rows, edge_labels=edge_labels, directed=directed, like=like
        )
    except ValueError as error:
        raise ValueError(f"{files.folder}: {error}") from error
    return found, y


@dataclass(frozen=True)
class _Files:
    """The files of a folder that begin with its name, or with any other prefix of `_A.txt`."""

    folder: Path

    def path(self, kind: str) -> Path:
        starts = sorted(self.folder.glob("*_A.txt"))
        if len(starts) > 1 and self.folder / f"{self.folder.name}_A.txt" in starts:
            starts = [self.folder / f"{self.folder.name}_A.txt"]
        if len(starts) != 1:
            raise FileNotFoundError(f"{self.folder}: expected one file NAME_A.txt, got {len(starts)}")
        return starts[0].with_name(f"{starts[0].name.removesuffix('_A.txt')}_{kind}.txt")

    def found(self, kind: str) -> bool:
        return self.path(kind).exists()

    def whole(self, kind: str, columns: int = 1, rows: int | None = None) -> Host:
        """Integers: (rows, columns), or (rows,) for one column"""
        found = self._read(kind, np.int64, columns, rows)
        return found[:, 0] if columns == 1 else found

    def numbers(self, kind: str, rows: int | None = None) -> Host:
        """Finite numbers: (rows, c)"""
        found = self._read(kind, np.float64, None, rows)
        self.require(np.isfinite(found).all(axis=1), kind, "finite numbers", found)
        return found

    def require(self, good: Host, kind: str, wanted: str, values: Any) -> None:
        """Raise ValueError for the first line that is not valid."""
        if not good.all():
            at = int(good.argmin())
            got = values[at] if isinstance(values, list) else values[at].tolist()
            raise ValueError(f"{self.path(kind)}, line {at + 1}: expected {wanted}, got {got}")

    def _read(self, kind: str, dtype: Any, columns: int | None, rows: int | None) -> Host:
        try:
            lines = self.path(kind).read_text(encoding="utf-8-sig").rstrip().splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path(kind)}: expected text in UTF-8: {error}") from error
        if rows is not None and len(lines) != rows:
            raise ValueError(f"{self.path(kind)}: expected {rows} lines, got {len(lines)}")
        if not lines:
            return np.zeros((0, columns or 0), dtype=dtype)
        widths = np.array([line.count(",") + 1 for line in lines])
        width = columns or int(widths[0])
        self.require(widths == width, kind, f"{width} number{'s' if width > 1 else ''}", lines)
        try:
            return np.loadtxt(lines, dtype=dtype, delimiter=",", comments=None, ndmin=2)
        except ValueError:
            kind_of = "whole number" if dtype is np.int64 else "number"
            self.require(np.array([_reads(line, dtype) for line in lines]), kind, f"{kind_of}s", lines)
            raise


def _reads(line: str, dtype: Any) -> bool:
    try:
        np.loadtxt([line], dtype=dtype, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return False
    return bool(line.strip())

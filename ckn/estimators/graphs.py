"""The estimators for graphs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ckn.architecture import Architecture
from ckn.estimators.objects import ObjectClassifier, ObjectKind, ObjectRegressor, require_items
from ckn.layers.parts import PartSpec
from ckn.preprocessing import DegreeLabels, LabelColumns, Standardise, Step
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import Averaged, FirstNorm, PartKernel, PartSum, Paths
from kerneltools.structures import Graphs


@dataclass(frozen=True)
class GraphKind(ObjectKind):
    """`Graphs`, and lists of `Graph`, of tuples of its arguments, of networkx graphs and of sparse matrices."""

    collection = Graphs
    noun = "graph"
    nouns = "graphs"

    def usual(self, data: Any) -> Architecture:
        """Sums over all paths of one, two and three nodes, as in GCKN (Chen, Jacob and Mairal 2020).

        Paths have at most two nodes, or one, if no graph has longer ones.
        """
        kernel = PartKernel(Exponential(1.5), Averaged(), FirstNorm())
        return Architecture((PartSpec(32, Paths(_longest_path(data)), kernel, lengths=True),), PartSum())

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Standardised attributes with labels as columns next to them; degrees replace labels if there are neither."""
        if data.attributes is not None:
            return (Standardise(),) if data.labels is None else (Standardise(), LabelColumns())
        return () if data.labels is not None else (DegreeLabels(),)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for a graph without nodes."""
        require_items(data, self.noun)


def _longest_path(data: Graphs) -> int:
    """The number of nodes of the longest path, up to three."""
    if not len(data.edges):
        return 1
    total = int(data.offsets[-1])
    first, last = data.edges[:, 0], data.edges[:, 1]
    # Through a node go as many as it has pairs of an arc to it and one from it, but those there and back.
    back = np.isin(first * total + last, last * total + first)
    into, out, both = (np.bincount(ends, minlength=total) for ends in (last, first, first[back]))
    return 3 if bool((into * out > both).any()) else 2


class GraphClassifier(ObjectClassifier):
    """Classifier of graphs: paths learnt without labels, and a linear head on how many paths like each a graph has.

    (n,) graphs, (n,) labels -> (n,) labels

    A convolutional kernel network on graphs (GCKN; Chen, Jacob and Mairal 2020): k-means of paths, a kernel map on
    their centres, sums over the paths from each node and over the nodes, then a head as in `ckn.ImageClassifier`.

    Graphs are a `structures.Graphs`, or a list of `structures.Graph`, of tuples (nodes, edges, labels, attributes), of
    networkx graphs, of sparse adjacency matrices, or of edges (E, 2). Labels of edges are ignored.

    Parameters: `architecture`, a `ckn.Architecture` of layers such as `ckn.PartSpec`; None: 32 filters on paths of up
    to three nodes, σ = 1.5, and sums. `preprocessing`, a tuple of steps of `ckn.preprocessing`; None: attributes of
    nodes are standardised by column (`Standardise`), labels become columns next to them (`LabelColumns`), and degrees
    replace labels if there are neither (`DegreeLabels`); the steps learn what they need from the training, and are part
    of the model. `parts`: how many each layer learns from. `supervised`, `validation`, `regs`, `class_weight`, `head`,
    `batch`, `random_state`, `backend`, `device`, `dtype`, `verbose`: as in `ckn.ImageClassifier`.

    After `fit`: the attributes of `ckn.ImageClassifier`, and `architecture_`, the one used. Features are standardised
    by column.

    If there are more paths than the limit of `patches.Paths`, some are drawn and weighted, and a ReducedWarning tells
    how many.

    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.structures import Graph
    >>> chain = lambda n: [[i, i + 1] for i in range(n - 1)]
    >>> graph = lambda n, ring: Graph(n, chain(n) + ([[n - 1, 0]] if ring else []))
    >>> rings = np.arange(40) % 2
    >>> graphs = [graph(5 + i % 7, ring) for i, ring in enumerate(rings)]
    >>> float(ckn.GraphClassifier().fit(graphs[:30], rings[:30]).score(graphs[30:], rings[30:]))
    1.0
    """

    kind = GraphKind()


class GraphRegressor(ObjectRegressor):
    """Regression on graphs: paths learnt without labels, and a linear head on how many paths like each a graph has.

    (n,) graphs, (n,) or (n, q) numbers -> (n,) or (n, q)

    Graphs and parameters are as in `GraphClassifier`, the attributes after `fit` as in `ckn.ImageRegressor`.

    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.structures import Graph
    >>> sizes = np.arange(40) % 9 + 3
    >>> graphs = [Graph(n, [[i, i + 1] for i in range(n - 1)]) for n in sizes.tolist()]
    >>> model = ckn.GraphRegressor().fit(graphs[:30], sizes[:30])
    >>> bool(abs(model.predict(graphs[30:]) - sizes[30:]).max() < 0.1)
    True
    """

    kind = GraphKind()

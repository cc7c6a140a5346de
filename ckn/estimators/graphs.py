"""The estimators of graphs."""

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
    """`Graphs`, and lists of `Graph`, of tuples of what it has, of networkx graphs and of sparse matrices."""

    collection = Graphs
    noun = "graph"
    nouns = "graphs"

    def usual(self, data: Any) -> Architecture:
        """Sums over all paths of one, two and three nodes, as in GCKN (Chen, Jacob and Mairal 2020).

        Of two, or one, where no graph has a longer one.
        """
        kernel = PartKernel(Exponential(1.5), Averaged(), FirstNorm())
        return Architecture((PartSpec(32, Paths(_longest_path(data)), kernel, lengths=True),), PartSum())

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Attributes are standardised, with labels in columns beside them; degrees stand for labels where none are."""
        if data.attributes is not None:
            return (Standardise(),) if data.labels is None else (Standardise(), LabelColumns())
        return () if data.labels is not None else (DegreeLabels(),)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for a graph without nodes."""
        require_items(data, self.noun)


def _longest_path(data: Graphs) -> int:
    """How many nodes the longest path has, of up to three."""
    if not len(data.edges):
        return 1
    total = int(data.offsets[-1])
    first, last = data.edges[:, 0], data.edges[:, 1]
    # Through a node go as many as it has pairs of an arc to it and one from it, but those there and back.
    back = np.isin(first * total + last, last * total + first)
    into, out, both = (np.bincount(ends, minlength=total) for ends in (last, first, first[back]))
    return 3 if bool((into * out > both).any()) else 2


class GraphClassifier(ObjectClassifier):
    """Paths learnt without labels; a linear classifier of how many paths like each a graph has.

    (n,) graphs, (n,) labels -> (n,) labels

    A convolutional kernel network on graphs (GCKN; Chen, Jacob and Mairal 2020): k-means of paths, a kernel map on
    their centres, sums over the paths from each node and over the nodes, then a head as that of
    `ckn.ImageClassifier`.

    Graphs are a `structures.Graphs`, or a list of `structures.Graph`, of tuples (nodes, edges, labels, attributes), of
    networkx graphs, of sparse adjacency matrices, or of edges (E, 2). Paths do not look at labels of edges.

    Parameters: `architecture`, a `ckn.Architecture` of `ckn.PartSpec` and the like; None: 32 filters on paths of up to
    three nodes, σ = 1.5, and sums. `preprocessing`, a tuple of steps of `ckn.preprocessing`; None: attributes of nodes
    are standardised by column (`Standardise`), labels become columns beside them (`LabelColumns`), and degrees stand
    for labels where there are neither (`DegreeLabels`): what that takes is learnt from the training, and is in the
    model. `parts` for each layer to learn from. `supervised`, `validation`, `regs`, `class_weight`, `head`, `batch`,
    `random_state`, `backend`, `device`, `dtype`: as in `ckn.ImageClassifier`.

    After `fit`: what `ckn.ImageClassifier` has, and `architecture_`, the one that was taken. Features are standardised
    by column.

    Where there are more paths than the limit of `patches.Paths`, some are drawn and weighted, and a ReducedWarning says
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
    """Paths learnt without labels; a linear regression on how many paths like each a graph has.

    (n,) graphs, (n,) or (n, q) numbers -> (n,) or (n, q)

    Graphs and parameters are as for `GraphClassifier`, what there is after `fit` as for `ckn.ImageRegressor`.

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

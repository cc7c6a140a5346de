"""Kernels of graphs: of the objects in a `kerneltools.structures.Graphs`.

Labels of nodes and of edges count if graphs have them; without labels, all are as if equal. Two collections must have
the same kinds of labels.
"""

from kerneltools.kernels.graphs.attributed import AttributedShortestPath
from kerneltools.kernels.graphs.optimal_assignment import OptimalAssignment
from kerneltools.kernels.graphs.propagation import Propagation
from kerneltools.kernels.graphs.random_walk import RandomWalk
from kerneltools.kernels.graphs.shortest_path import ShortestPath
from kerneltools.kernels.graphs.weisfeiler_lehman import WeisfeilerLehman

__all__ = [
    "AttributedShortestPath",
    "OptimalAssignment",
    "Propagation",
    "RandomWalk",
    "ShortestPath",
    "WeisfeilerLehman",
]

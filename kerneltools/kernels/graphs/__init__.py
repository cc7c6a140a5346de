"""Kernels of graphs: collections `kerneltools.structures.Graphs`.

Labels of nodes and of edges count where graphs have them; graphs without are as if all their labels were equal. Two
collections have the same of them, or are refused.
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

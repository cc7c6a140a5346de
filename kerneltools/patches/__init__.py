"""Patches of regular grids, and parts of objects that are no grids."""

from kerneltools.patches.gapped import (
    GappedKernel,
    GappedMax,
    GappedMean,
    GappedPool,
    gapped_max,
    gapped_responses,
    gapped_sum,
)
from kerneltools.patches.graphs import Neighbours, Paths, Walks
from kerneltools.patches.grid import Grid, Padding
from kerneltools.patches.local import (
    Added,
    Averaged,
    Concatenated,
    FirstNorm,
    Multiplied,
    PartKernel,
    PartNorm,
    Positions,
    ProductOfNorms,
    Scale,
    Unscaled,
)
from kerneltools.patches.parts import Extractor, Growing, Parts, Several, Table
from kerneltools.patches.pools import GaussianWindow, PartMax, PartMean, PartPool, PartSum, PositionPool
from kerneltools.patches.sequences import Elements, Subsequences, Windows

__all__ = [
    "Added",
    "Averaged",
    "Concatenated",
    "Elements",
    "Extractor",
    "FirstNorm",
    "GappedKernel",
    "GappedMax",
    "GappedMean",
    "GappedPool",
    "GaussianWindow",
    "Grid",
    "Growing",
    "Multiplied",
    "Neighbours",
    "Padding",
    "PartKernel",
    "PartMax",
    "PartMean",
    "PartNorm",
    "PartPool",
    "PartSum",
    "Parts",
    "Paths",
    "PositionPool",
    "Positions",
    "ProductOfNorms",
    "Scale",
    "Several",
    "Subsequences",
    "Table",
    "Unscaled",
    "Walks",
    "Windows",
    "gapped_max",
    "gapped_responses",
    "gapped_sum",
]

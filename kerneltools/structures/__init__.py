"""Collections of objects that are no vectors: strings, graphs, series, sets, and any others."""

from kerneltools.structures.base import Collection, concat, count, take
from kerneltools.structures.fasta import Sequences, read_fasta
from kerneltools.structures.graphs import Graph, Graphs
from kerneltools.structures.making import of
from kerneltools.structures.objects import Objects, Views
from kerneltools.structures.ragged import Ragged
from kerneltools.structures.strings import BYTES, DNA, PROTEIN, RNA, Alphabet, Strings
from kerneltools.structures.ts import read_ts
from kerneltools.structures.tudataset import read_tudataset

__all__ = [
    "BYTES",
    "DNA",
    "PROTEIN",
    "RNA",
    "Alphabet",
    "Collection",
    "Graph",
    "Graphs",
    "Objects",
    "Ragged",
    "Sequences",
    "Strings",
    "Views",
    "concat",
    "count",
    "of",
    "read_fasta",
    "read_ts",
    "read_tudataset",
    "take",
]

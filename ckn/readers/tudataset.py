"""Graphs in the files of the TU Dortmund collection."""

from dataclasses import dataclass
from pathlib import Path
from warnings import warn

import numpy as np

from ckn.readers.examples import Examples
from ckn.readers.images import DataError, Source
from ckn.readers.labels import Coding
from kerneltools.structures import read_tudataset

_KINDS = ("A", "graph_indicator", "graph_labels", "node_labels")


@dataclass(frozen=True)
class TUDataset:
    """A folder with NAME_A.txt, NAME_graph_indicator.txt and NAME_graph_labels.txt, and what else is known of nodes and
    edges; see `kerneltools.structures.read_tudataset`."""

    name: str = "tudataset"
    accepts: str = (
        "graphs: a folder of the TU Dortmund collection, with NAME_A.txt, NAME_graph_indicator.txt, "
        "NAME_graph_labels.txt and, if you like, NAME_node_labels.txt, NAME_node_attributes.txt, NAME_edge_labels.txt"
    )

    def recognises(self, source: Source) -> bool:
        path = Path(source)
        return path.is_dir() and any(next(path.glob(f"*_{kind}.txt"), None) for kind in _KINDS)

    def read(self, source: Source) -> Examples:
        try:
            graphs, labels = read_tudataset(source)
        except FileNotFoundError as error:
            raise DataError(f"{error.filename}: no such file" if error.filename else str(error)) from error
        except ValueError as error:
            raise DataError(str(error)) from error
        if labels is None:
            return Examples(graphs)
        if labels.dtype.kind == "f":
            warn(
                f"{source}: its graphs have numbers to predict, and no classes: the numbers are left out", stacklevel=2
            )
            return Examples(graphs)
        coding = Coding.of(labels.astype(np.int64))
        return Examples(graphs, coding.encode(labels, str(source)), coding.names)

"""Objects other than images, with their labels: sequences, graphs, series."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kerneltools.structures import Collection, Graphs, Ragged, Strings, take
from kerneltools.structures.base import extremes
from kerneltools.trees import Shown

KINDS: tuple[tuple[type[Collection], str, str], ...] = (
    (Strings, "sequences", "sequence"),
    (Graphs, "graphs", "graph"),
    (Ragged, "series", "series"),
)
"""Collections, and the command's words for several of their objects, and for one."""


@dataclass(frozen=True, eq=False)
class Examples(Shown):
    """Objects with their labels: the counterpart of `Images` for sequences, graphs and series.

    data: n objects, `Strings`, `Graphs` or `Ragged` of `kerneltools.structures`.
    labels: (n,) int64, positions in `classes`; None for objects without labels.
    classes: the names of the classes; empty without labels.
    test: the source's own test split, with the same classes; None if it has none.
    names: the name of each object; None if they have none.

    >>> import numpy as np
    >>> from kerneltools.structures import Strings
    >>> found = Examples(Strings.of(["ACGT", "GGA"]), labels=np.array([1, 0]), classes=("no", "yes"))
    >>> found.nouns, list(found.data), [found.classes[label] for label in found.labels]
    ('sequences', ['ACGT', 'GGA'], ['yes', 'no'])
    """

    data: Collection
    labels: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    test: Self | None = None
    names: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def nouns(self) -> str:
        """What several of the objects are called: "sequences", "graphs", "series"."""
        return nouns_of(self.data)

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return next((one for kind, _, one in KINDS if isinstance(self.data, kind)), "object")

    @property
    def described(self) -> str:
        """The number and kind of the objects, in words."""
        if isinstance(self.data, Ragged):
            d = self.data.columns
            return f"{len(self)} series{extremes(self.data.lengths, 'values')} in {d} channel{'s' if d > 1 else ''}"
        return f"{len(self)} {self.nouns}{self.data.described()}"

    def taken(self, rows: Any) -> "Examples":
        """The objects with these numbers, or where a mask (n,) is true, without the test split."""
        labels, names = annotations_of(self.labels, self.names, rows)
        return Examples(take(self.data, rows), labels, self.classes, None, names)


def nouns_of(data: Any) -> str:
    """What several of the objects of a collection are called."""
    return next((many for kind, many, _ in KINDS if isinstance(data, kind)), getattr(data, "objects", "objects"))


def annotations_of(
    labels: npt.NDArray[np.int64] | None, names: tuple[str, ...] | None, rows: Any
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...] | None]:
    """The labels and names of some rows, numbers or a mask."""
    kept = None if names is None else tuple(np.asarray(names, dtype=np.object_)[rows].tolist())
    return None if labels is None else labels[rows], kept

"""Labels as files have them (names, any integers) -> positions in a tuple of class names."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ckn.readers.images import DataError, HostArray, listed


@dataclass(frozen=True, eq=False)
class Coding:
    """Which label stands for which class: `values[i]` is the label of the class `names[i]`."""

    values: HostArray
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: HostArray, classes: HostArray | None = None) -> Self:
        """The coding of training labels: their sorted values, or the classes of a file.

        Names of classes together with integer labels are counted from 0.
        """
        values = np.unique(labels) if classes is None else classes
        names = tuple(str(v) for v in values)
        by_position = classes is not None and _kind(classes) == "strings" and _kind(labels) == "integers"
        return cls(np.arange(len(names)) if by_position else values, names)

    def encode(self, labels: HostArray, where: str) -> npt.NDArray[np.int64]:
        """(n,) labels -> (n,) positions; raises DataError for labels that stand for no class."""
        if _kind(labels) != _kind(self.values):
            raise DataError(f"{where}: labels are {_kind(labels)}, but the classes are {_kind(self.values)}")
        unknown = np.setdiff1d(labels, self.values)
        if unknown.size:
            raise DataError(
                f"{where}: labels {listed(unknown)} stand for none of the {len(self.names)} classes, "
                f"whose labels are {listed(self.values, most=10)}"
            )
        order = np.argsort(self.values, kind="stable")
        return order[np.searchsorted(self.values, labels, sorter=order)].astype(np.int64)


def plain_labels(labels: HostArray, where: str) -> HostArray:
    """(n,) or (n, 1) labels of any type -> (n,) int64 or strings. Raises DataError for other labels."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        hint = "; one-hot rows become labels with y.argmax(axis=1)" if labels.ndim == 2 else ""
        raise DataError(f"{where}: expected labels of shape (n,), got shape {labels.shape}{hint}")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind in "biu" or (labels.dtype.kind == "f" and bool(np.all(labels == np.round(labels)))):
        return labels.astype(np.int64)
    raise DataError(f"{where}: expected labels that are integers or strings, got {labels.dtype}")


def _kind(labels: HostArray) -> str:
    return "strings" if labels.dtype.kind == "U" else "integers"

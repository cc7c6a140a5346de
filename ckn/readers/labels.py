"""Labels as in files (names, any integers) -> positions in a tuple of class names."""

import sys
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


def plain_labels(labels: HostArray, where: str, numbers: bool = False) -> HostArray:
    """(n,) or (n, 1) labels of any type -> (n,) int64 or strings. Raises DataError for other labels.

    With `numbers`, floating-point ones become strings of their digits, and have to be finite.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        hint = "; one-hot rows become labels with y.argmax(axis=1)" if labels.ndim == 2 else ""
        raise DataError(f"{where}: expected labels of shape (n,), got shape {labels.shape}{hint}")
    if labels.dtype.kind == "U":
        return _characters(labels, where)
    if labels.dtype.kind == "S":
        return _decoded(labels, where)
    if labels.dtype.kind not in "biuf":
        raise DataError(f"{where}: expected labels that are integers or strings, got {labels.dtype}")
    if numbers and labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise DataError(f"{where}: expected finite numbers, got {labels[np.argmin(np.isfinite(labels))]}")
        return np.asarray([repr(float(label)) for label in labels])
    return _integers(labels, where)


def _characters(labels: HostArray, where: str) -> HostArray:
    # Python has no text with such a code: NumPy would fail at the first use.
    codes = labels.astype(labels.dtype.newbyteorder("="), order="C").view(np.uint32)
    if codes.size and codes.max() > sys.maxunicode:
        raise DataError(f"{where}: expected labels of characters, got a code beyond Unicode, {codes.max():#x}: damaged")
    return labels


def _decoded(labels: HostArray, where: str) -> HostArray:
    """Bytes as text; replacing characters that cannot be read would make one class of different labels."""
    for label in labels.tolist():
        try:
            label.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: expected labels in UTF-8, got {label!r}; save them as strings") from error
    return np.char.decode(labels, "utf-8")


def _integers(labels: HostArray, where: str) -> npt.NDArray[np.int64]:
    """Labels as int64; raises DataError for fractions and out-of-range numbers, which would become other labels."""
    if labels.dtype.kind == "f":
        odd = ~np.isfinite(labels) | (labels != np.round(labels))
        if odd.any():
            wanted = "expected labels that are integers or strings"
            raise DataError(f"{where}: {wanted}, got {labels.dtype} with {labels[np.argmax(odd)]}")
    beyond = _beyond(labels)
    if beyond.any():
        raise DataError(
            f"{where}: expected integers of 64 bits with sign, got {labels[np.argmax(beyond)]}; save them as strings"
        )
    return labels.astype(np.int64)


def _beyond(labels: HostArray) -> npt.NDArray[np.bool_]:
    # In the type of the labels: 2^63 - 1 itself would be rounded up to 2^63 in floating point.
    if labels.dtype.kind == "f":
        return (labels < -(2.0**63)) | (labels >= 2.0**63)
    return (
        labels.astype(np.uint64) > np.iinfo(np.int64).max if labels.dtype.kind == "u" else np.zeros(len(labels), bool)
    )


def _kind(labels: HostArray) -> str:
    return "strings" if labels.dtype.kind == "U" else "integers"

"""Sequences in FASTA files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from warnings import warn

import numpy as np

from ckn.readers.examples import Examples
from ckn.readers.images import DataError, HostArray, Source, listed
from ckn.readers.labels import Coding
from ckn.readers.tables import LabelTable
from kerneltools.files import FileFormatError
from kerneltools.structures import DNA, RNA, Alphabet, Sequences, read_fasta
from kerneltools.structures.strings import guessed

ENDINGS = (".fa", ".fasta", ".fna", ".faa", ".ffn", ".frn", ".fas")
PARTS = ("training", "testing")
NUCLEOTIDES = (DNA, RNA)


@dataclass(frozen=True)
class Fasta:
    """A FASTA file, compressed or not, with the classes in a table of `labels`, or in its own headers.

    Headers `>name|class|training` and `>name|class|testing`, as in iLearn, give classes and split; all headers of a
    file have this form, or none. `alphabet`: the alphabet of the sequences, if it is known; otherwise it is guessed as
    in `kerneltools.structures.read_fasta`.
    """

    name: str = "fasta"
    accepts: str = (
        "sequences: a FASTA file (.fa, .fasta, .fna, .faa, or with .gz), with --labels TABLE for their classes, or "
        "headers >name|class|training and >name|class|testing"
    )
    labels: LabelTable | None = None
    alphabet: Alphabet | None = None

    def recognises(self, source: Source) -> bool:
        return str(source).lower().removesuffix(".gz").endswith(ENDINGS) and Path(source).is_file()

    def read(self, source: Source) -> Examples:
        found = self._sequences(Path(source))
        if self.labels is not None:
            values = self.labels.labels_of(found.names, str(source))
            coding = Coding.of(values)
            return Examples(found.strings, coding.encode(values, str(source)), coding.names, None, found.names)
        headers = [header if _is_labelled(header := name.rsplit("|", 2)) else None for name in found.names]
        if not any(headers):
            return Examples(found.strings, names=found.names)
        return _by_headers(found, headers, str(source))

    def _sequences(self, path: Path) -> Sequences:
        try:
            found = read_fasta(path, self.alphabet)
        except FileFormatError as error:
            said, _, advice = str(error).partition("; pass an alphabet")
            raise DataError(f"{said}; the alphabet is that of the training" if advice else said) from error
        known = found.strings.alphabet
        if self.alphabet is not None and known not in NUCLEOTIDES and guessed(list(found.strings)) in NUCLEOTIDES:
            warn(f"{path}: looks like nucleotides, and is read as {known.letters}, as in training", stacklevel=2)
        return found


def _is_labelled(header: Sequence[str]) -> bool:
    return len(header) == 3 and header[2].lower() in PARTS and bool(header[0] and header[1])


def _by_headers(found: Sequences, headers: Sequence[Sequence[str] | None], source: str) -> Examples:
    bare = [name for name, header in zip(found.names, headers, strict=True) if header is None]
    if bare:
        raise DataError(
            f"{source}: headers such as {'|'.join(next(filter(None, headers)))} say classes, but {len(bare)} of "
            f"{len(headers)} do not: {listed(bare)}; write all as >name|class|training or >name|class|testing"
        )
    names, classes, parts = map(np.asarray, zip(*(header for header in headers if header is not None), strict=True))
    _require_different(names, source)
    whole = Examples(found.strings, names=tuple(names.tolist()))
    testing = np.char.lower(parts) == PARTS[1]
    if testing.all() or not testing.any():
        coding = Coding.of(classes)
        return Examples(found.strings, coding.encode(classes, source), coding.names, None, whole.names)
    coding = Coding.of(classes[~testing])
    train, test = (
        Examples(part.data, coding.encode(classes[rows], source), coding.names, None, part.names)
        for rows in (~testing, testing)
        for part in [whole.taken(rows)]
    )
    return Examples(train.data, train.labels, train.classes, test, train.names)


def _require_different(names: HostArray, source: str) -> None:
    found, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise DataError(f"{source}: records of one name: {listed(found[counts > 1])}; give each its own")

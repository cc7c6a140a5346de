"""Sequences from FASTA files."""

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

from kerneltools.arrays import Array
from kerneltools.files import FileFormatError
from kerneltools.structures.base import offsets_of
from kerneltools.structures.strings import Alphabet, Strings, concatenated, guessed

GZIP = b"\x1f\x8b"


class Sequences(NamedTuple):
    """The contents of a file of sequences: the strings, and the name of each.

    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "two.fasta"
    >>> _ = file.write_text(">first\\nACGT\\n>second\\nGGA\\n")
    >>> strings, names = read_fasta(file)
    >>> strings, names
    (Strings(2 strings of 3 to 4 letters, ACGT), ('first', 'second'))
    """

    strings: Strings
    names: tuple[str, ...]


def read_fasta(path: str | Path, alphabet: Alphabet | None = None, like: Array | None = None) -> Sequences:
    """The sequences of a FASTA file, plain or compressed by gzip, with their names, the first word after each ">".

    Letters may be lower case if the alphabet allows it (DNA, RNA and PROTEIN do); line ends may be of any system. If no
    alphabet is given, it is guessed as in `Strings.of`. (For a column of a table of pandas, write
    `Strings.of(table["sequence"])`.)

    Raises FileNotFoundError, and kerneltools.files.FileFormatError, with the line or the record and its name, for a
    file that is truncated or wrongly compressed, that has no records or letters before the first, a record without a
    name or letters, two records of one name, or letters that are not in the alphabet.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from kerneltools.structures import read_fasta
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "two.fa").write_text(">a first\\nACGT\\nAC\\n>b\\nggn\\n")
    ...     read_fasta(f"{folder}/two.fa")
    Sequences(strings=Strings(2 strings of 3 to 6 letters, ACGT), names=('a', 'b'))
    """
    names, found = _records(Path(path))
    held = guessed(found) if alphabet is None else alphabet
    pieces = []
    for number, (name, letters) in enumerate(zip(names, found, strict=True)):
        try:
            pieces.append(held.tokens(letters, f"record {number}, {name!r}"))
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from error
    tokens = concatenated(pieces)
    return Sequences(Strings(tokens, offsets_of([len(piece) for piece in pieces]), held, like), tuple(names))


def _records(path: Path) -> tuple[list[str], list[str]]:
    """Names and letters of the records."""
    names: dict[str, int] = {}
    found: list[list[str]] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.startswith(">"):
            name = (line[1:].split() or [""])[0]
            if not name:
                raise FileFormatError(f"{path}: line {number}: expected a name behind '>'")
            if name in names:
                raise FileFormatError(f"{path}: line {number}: {name!r} is the name of record {names[name]} too")
            names[name] = len(names)
            found.append([])
        elif line.strip() and not found:
            raise FileFormatError(f"{path}: line {number}: expected '>' and a name first, got {line:.40}")
        elif line.strip():
            found[-1].append("".join(line.split()))
    if not found:
        raise FileFormatError(f"{path}: expected records, a line '>name' and lines of letters each, got none")
    for (name, number), lines in zip(names.items(), found, strict=True):
        if not lines:
            raise FileFormatError(f"{path}: record {number}, {name!r}, has no letters; leave it out")
    return list(names), ["".join(lines) for lines in found]


def _text(path: Path) -> str:
    held = path.read_bytes()
    if held.startswith(GZIP) or path.suffix == ".gz":
        try:
            held = gzip.decompress(held)
        except (EOFError, OSError, zlib.error) as error:
            raise FileFormatError(f"{path}: cannot be decompressed, it is truncated or damaged: {error}") from error
    return held.decode("latin-1")

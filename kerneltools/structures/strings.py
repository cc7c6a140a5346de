"""Sequences of letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from kerneltools.arrays import Array
from kerneltools.encoding import Host as InFile
from kerneltools.structures.base import Collection, Host, check_offsets, extremes, number_like, offsets_of, spans
from kerneltools.trees import static

UNKNOWN = -1
"""The token of an ambiguous letter."""

MOSTLY = 0.8
"""The least share of plain letters, besides N and gaps, in nucleotides: the other codes are amino acids too."""

NO_OTHER = "Nn-."
"""Letters that stand for any nucleotide, or for none, in any alphabet of nucleotides."""


@dataclass(frozen=True)
class Alphabet:
    """The letters of strings: `letters` are tokens 0, 1, ...; `ambiguous` ones stand for any, and are token -1.

    `complement`: for each letter, the one that it is paired with on the other strand, if there is one. `folded`:
    whether lower-case letters count as upper-case ones. Raises ValueError for letters that repeat, for no letters, and
    for a complement that is no permutation of order 2.

    >>> Alphabet("01").tokens("0110").tolist()
    [0, 1, 1, 0]
    """

    letters: str
    ambiguous: str = ""
    complement: str | None = None
    folded: bool = False

    def __post_init__(self) -> None:
        everything = self.letters + self.ambiguous
        if not self.letters or len(set(everything)) < len(everything):
            raise ValueError(f"letters, ambiguous: expected different letters, at least one, got {everything!r}")
        if self.complement is not None:
            pairs = dict(zip(self.letters, self.complement, strict=False))
            if sorted(self.complement) != sorted(self.letters) or any(pairs[pairs[a]] != a for a in self.letters):
                raise ValueError(f"complement: expected a pairing of {self.letters!r}, got {self.complement!r}")

    def __len__(self) -> int:
        return len(self.letters)

    def tokens(self, string: str | bytes, where: str = "string") -> Host:
        """The tokens (T,) of a string, integers. Raises ValueError for an unknown letter, with its place in `where`."""
        if isinstance(string, bytes):
            string = string.decode("latin-1")
        points = np.frombuffer((string.upper() if self.folded else string).encode("utf-32-le"), dtype=np.uint32)
        table, codes = self._table()
        place = np.searchsorted(table, points).clip(0, len(table) - 1)
        wrong = (table[place] != points).nonzero()[0]
        if len(wrong):
            letter = string[int(wrong[0])]
            raise ValueError(
                f"{where}: expected letters {_shown(self.letters)}{self._others()}, got {letter!r} at position "
                f"{int(wrong[0])}; pass an alphabet that has it, such as structures.Strings.of(strings, alphabet=...)"
            )
        return codes[place]

    def string(self, tokens: Host) -> str:
        """The string of tokens (T,); ambiguous ones become the first of `ambiguous`, or "?"."""
        letters = np.array([*self.letters, (self.ambiguous or "?")[0]])
        return "".join(letters[tokens].tolist())

    @property
    def pairing(self) -> Host:
        """The token paired with each token (A + 1,); -1, the last, with itself. Raises ValueError if there is none."""
        if self.complement is None:
            raise ValueError(
                f"reverse_complement: the letters {_shown(self.letters)} have no complement; take structures.DNA or "
                "RNA, or an Alphabet with one"
            )
        return np.array([*(self.letters.index(letter) for letter in self.complement), UNKNOWN])

    def _table(self) -> tuple[Host, Host]:
        points = np.array([ord(letter) for letter in self.letters + self.ambiguous], dtype=np.uint32)
        codes = np.array([*range(len(self.letters)), *[UNKNOWN] * len(self.ambiguous)], dtype=np.int32)
        order = points.argsort()
        return points[order], codes[order]

    def _others(self) -> str:
        return f" (and {self.ambiguous!r} for any)" if self.ambiguous else ""


DNA = Alphabet("ACGT", "NRYSWKMBDHVX-.", "TGCA", folded=True)
"""Nucleotides; the codes of several nucleotides are ambiguous, and so are gaps."""

RNA = Alphabet("ACGU", "NRYSWKMBDHVX-.", "UGCA", folded=True)

PROTEIN = Alphabet("ARNDCQEGHILKMFPSTWYV", "XBZJUO*-.", folded=True)
"""The twenty amino acids, in the order of substitution matrices."""

BYTES = Alphabet("".join(map(chr, range(256))))
"""Any bytes."""


@dataclass(frozen=True, eq=False, repr=False)
class Strings(Collection):
    """A collection of sequences of letters of an alphabet: `Strings.of(["ACGT", "GGA"])`.

    `tokens` (N,): the letters of all strings, one string after the other, as their numbers in the `alphabet`, -1 for
    ambiguous ones; `offsets` (n + 1,): where each string starts, and where the last ends. Each kernel documents how it
    treats ambiguous letters; those that count skip pieces that hold one.

    Raises ValueError for tokens and offsets that do not fit together.

    >>> from kerneltools.structures import Strings
    >>> x = Strings.of(["ACGT", "GGA", "ANA"])
    >>> x
    Strings(3 strings of 3 to 4 letters, ACGT)
    >>> x[2], list(x[[1, 0]])
    ('ANA', ['GGA', 'ACGT'])
    """

    objects: ClassVar[str] = "strings"

    tokens: Host = static(())
    offsets: Host = static((0,))
    alphabet: Alphabet = static(DNA)
    number: Array = None

    def __post_init__(self) -> None:
        tokens = np.asarray(self.tokens)
        if tokens.size == 0:
            tokens = tokens.astype(np.int32)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(f"tokens: expected (N,) integers, got {tokens.dtype} of shape {tokens.shape}")
        if tokens.size and not UNKNOWN <= int(tokens.min()) <= int(tokens.max()) < len(self.alphabet):
            raise ValueError(
                f"tokens: expected numbers of the {len(self.alphabet)} letters, 0 to {len(self.alphabet) - 1}, or -1, "
                f"got {int(tokens.min())} to {int(tokens.max())}"
            )
        object.__setattr__(self, "tokens", tokens.astype(np.int32))
        object.__setattr__(self, "offsets", check_offsets(self.offsets, len(tokens), "tokens"))
        object.__setattr__(self, "number", number_like(self.number))

    @classmethod
    def of(cls, strings: Iterable[str | bytes], alphabet: Alphabet | None = None, like: Array | None = None) -> Self:
        """A collection of Python strings or bytes.

        Without an alphabet it is the first of DNA, RNA and PROTEIN that has all letters, or else that of the letters
        that occur; for bytes that are no such text, all 256. It is DNA or RNA only if at least 80 % of the letters
        besides N and gaps are plain ones.

        Raises TypeError for anything but a string, with its number, ValueError for letters that are not in the
        alphabet.
        """
        held = list(strings) if not isinstance(strings, str | bytes) else _alone(strings)
        for number, string in enumerate(held):
            if not isinstance(string, str | bytes):
                raise TypeError(f"strings: expected strings, got {type(string).__name__} as number {number}")
        alphabet = guessed(held) if alphabet is None else alphabet
        pieces = [alphabet.tokens(string, f"string {number}") for number, string in enumerate(held)]
        return cls(concatenated(pieces), offsets_of([len(piece) for piece in pieces]), alphabet, like)

    @classmethod
    def of_tokens(
        cls, tokens: Sequence[Any] | Any, alphabet: Alphabet, mask: Any = None, like: Array | None = None
    ) -> Self:
        """Strings from lists of integers, or padded ones (n, T) with a mask (n, T) of valid letters; -1: ambiguous."""
        if mask is not None:
            here = np.asarray(mask, dtype=bool)
            tokens = [row[kept] for row, kept in zip(np.asarray(tokens), here, strict=True)]
        pieces = [np.asarray(one, dtype=np.int32).reshape(-1) for one in tokens]
        return cls(concatenated(pieces), offsets_of([len(piece) for piece in pieces]), alphabet, like)

    @classmethod
    def of_one_hot(cls, x: Any, alphabet: Alphabet, like: Array | None = None) -> Self:
        """Strings from one-hot letters (n, T, A): equal entries, 1/A or 1 each, are an ambiguous letter, zeros padding.

        Padding is at the end of a string. Raises ValueError unless there is a column for each letter of the alphabet.
        """
        held = np.asarray(x)
        if held.ndim != 3 or held.shape[2] != len(alphabet):
            raise ValueError(f"x: expected (n, T, {len(alphabet)}) for {_shown(alphabet.letters)}, got {held.shape}")
        there = held.any(axis=2)
        lengths = there.sum(axis=1)
        if (there != (np.arange(held.shape[1]) < lengths[:, None])).any():
            raise ValueError("x: expected columns of zeros at the end of strings only")
        tokens = np.where((held == held[:, :, :1]).all(axis=2), UNKNOWN, held.argmax(axis=2))
        return cls(tokens[there], offsets_of(lengths), alphabet, like)

    @property
    def like(self) -> Array:
        return self.number

    @property
    def lengths(self) -> Host:
        """The number of letters of each string: (n,)"""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def taken(self, numbers: Host) -> Self:
        lengths = self.lengths[numbers]
        return self._with(self.tokens[spans(self.offsets[numbers], lengths)], offsets_of(lengths))

    def joined(self, others: Sequence[Self]) -> Self:
        for other in others:
            if other.alphabet != self.alphabet:
                raise ValueError(
                    f"alphabet: expected strings of one alphabet, got {_shown(self.alphabet.letters)} and "
                    f"{_shown(other.alphabet.letters)}; make them with the same one"
                )
        every = [self, *others]
        tokens = np.concatenate([one.tokens for one in every])
        return self._with(tokens, offsets_of(np.concatenate([one.lengths for one in every])))

    def differs(self, other: Self) -> str:
        mine, theirs = (_shown(one.alphabet.letters) for one in (self, other))
        return "" if self.alphabet == other.alphabet else f"strings of the alphabet {mine}, got {theirs}"

    def item(self, number: int) -> str:
        return self.alphabet.string(self.tokens[self.offsets[number] : self.offsets[number + 1]])

    def key(self, number: int) -> bytes:
        found: bytes = self.tokens[self.offsets[number] : self.offsets[number + 1]].tobytes()
        return found

    def reverse_complement(self) -> Self:
        """Each string read on the other strand. Raises ValueError for an alphabet without a complement."""
        starts = np.repeat(self.offsets[:-1] + self.offsets[1:] - 1, self.lengths)
        return self._with(self.alphabet.pairing[self.tokens[starts - np.arange(len(self.tokens))]], self.offsets)

    def padded(self) -> tuple[Host, Host]:
        """Tokens with 0 after the end, and which of them are valid: (n, T), (n, T)"""
        lengths = self.lengths
        mask = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
        tokens = np.zeros(mask.shape, dtype=np.int32)
        tokens[mask] = self.tokens
        return tokens, mask

    def one_hot(self) -> Host:
        """Letters as unit vectors, ambiguous ones as 1/A in each entry, 0 after the end: (n, T, A)"""
        tokens, mask = self.padded()
        rows = np.concatenate([np.eye(len(self.alphabet)), np.full((1, len(self.alphabet)), 1 / len(self.alphabet))])
        return rows[tokens] * mask[:, :, None]

    def described(self) -> str:
        return f"{extremes(self.lengths, 'letters')}, {_shown(self.alphabet.letters)}"

    def _with(self, tokens: Host, offsets: Host) -> Self:
        return type(self)(tokens, offsets, self.alphabet, self.number)

    def _stored(self) -> dict[str, Any]:
        fixed = InFile({"tokens": self.tokens, "offsets": self.offsets})
        return {"fixed": fixed, "alphabet": self.alphabet, "number": self.number}

    @classmethod
    def _restored(cls, fixed: Any, alphabet: Any, number: Any) -> Self:
        if not isinstance(alphabet, Alphabet):
            raise TypeError(f"alphabet: expected an Alphabet, got {alphabet!r:.60}")
        held = fixed.tree if isinstance(fixed, InFile) else fixed
        return cls(held["tokens"], held["offsets"], alphabet, number)


def concatenated(pieces: Sequence[Host]) -> Host:
    """Tokens of several strings, one after the other: (Σ T,)"""
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)


def guessed(strings: Sequence[str | bytes]) -> Alphabet:
    """The alphabet guessed from the letters of strings."""
    if strings and all(isinstance(string, bytes) for string in strings):
        found = {chr(code) for code in set(b"".join(strings))}  # type: ignore[arg-type]
    else:
        found = set().union(*(string if isinstance(string, str) else string.decode("latin-1") for string in strings))
    upper = {letter.upper() for letter in found}
    for alphabet, share in ((DNA, MOSTLY), (RNA, MOSTLY), (PROTEIN, 0.0)):
        if upper <= set(alphabet.letters + alphabet.ambiguous) and _share(strings, alphabet) >= share:
            return alphabet
    if all(isinstance(string, bytes) for string in strings):
        return BYTES
    return Alphabet("".join(sorted(found)))


def _share(strings: Sequence[str | bytes], alphabet: Alphabet) -> float:
    """The share of plain letters among all but N and gaps; 0 if there is no other letter, 1 if there is none at all."""
    tokens = np.concatenate([alphabet.tokens(string) for string in strings])
    texts = (string if isinstance(string, str) else string.decode("latin-1") for string in strings)
    left_out = sum(text.count(letter) for text in texts for letter in NO_OTHER)
    if not len(tokens):
        return 1.0
    return int((tokens >= 0).sum()) / max(1, len(tokens) - left_out)


def _alone(string: str | bytes) -> list[str | bytes]:
    raise TypeError(f"strings: expected several, got one, {string!r:.40}; write [string]")


def _shown(letters: str) -> str:
    return letters if len(letters) <= 32 else f"{letters[:12]!r}... ({len(letters)} letters)"

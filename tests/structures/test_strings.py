"""Kernels of strings: numbers of another implementation, laws, gradients, and what they refuse."""

import gzip
from collections.abc import Callable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools import maps
from kerneltools.arrays import namespace
from kerneltools.files import FileFormatError
from kerneltools.kernels import Kernel, Normalised
from kerneltools.kernels.strings import (
    GappedKmer,
    LocalAlignment,
    Mismatch,
    Spectrum,
    Subsequence,
    blosum62,
    match_scores,
)
from kerneltools.kernels.strings.gapped import filtered
from kerneltools.structures import DNA, PROTEIN, Alphabet, Strings, read_fasta

with np.load(Path(__file__).parents[1] / "golden" / "data" / "structured_string_kernels.npz") as file:
    GOLDEN = dict(file)
X = Strings(GOLDEN["tokens"], GOLDEN["ptr"], DNA)
ALIGNMENT = LocalAlignment(match_scores(4), 2.0, 1.0, 0.5)

KNOWN: dict[str, Kernel] = {
    **{f"spectrum_k{k}": Spectrum(k) for k in (2, 3, 4)},
    **{f"mismatch_k{k}_m{m}": Mismatch(k, m) for k, m in ((3, 1), (4, 1), (4, 2))},
    **{f"gkm_l{length}_k{k}": GappedKmer(length, k) for length, k in ((4, 2), (5, 3))},
    **{f"subseq_k{k}_lam{decay}": Subsequence(k, decay) for k, decay in ((2, 0.5), (3, 0.5), (3, 0.8))},
    "la_beta0.5_d2_e1": ALIGNMENT,
}

BOTH_STRANDS: list[Kernel] = [
    Spectrum(3, reverse_complement=True),
    Mismatch(3, 1, reverse_complement=True),
    GappedKmer(4, 2, reverse_complement=True),
    GappedKmer(4, 2, reverse_complement=True, peak=5, half_life=2.0),
    GappedKmer(4, 2, truncated=True, reverse_complement=True),
    Subsequence(2, 0.7, reverse_complement=True),
    LocalAlignment(match_scores(4), 2.0, 1.0, 0.5, reverse_complement=True),
]
COUNTING: list[Kernel] = [
    Mismatch(3, 1),
    GappedKmer(4, 2),
    GappedKmer(4, 2, peak=5, half_life=2.0),
    *(kernel for kernel in BOTH_STRANDS[:4]),
]


def test_all_known_numbers_are_compared() -> None:
    assert set(KNOWN) == set(GOLDEN) - {"tokens", "ptr", "alphabet_size"}


@pytest.mark.parametrize("name", KNOWN)
def test_values_are_those_of_brute_force(name: str) -> None:
    kernel, wanted = KNOWN[name], GOLDEN[name]
    assert np.allclose(kernel(X, X), wanted, rtol=1e-10)
    assert np.allclose(kernel(X[1:4], X), wanted[1:4], rtol=1e-10)
    assert np.allclose(kernel.diag(X), np.diagonal(wanted), rtol=1e-10)


@pytest.mark.parametrize("kernel", BOTH_STRANDS, ids=str)
def test_either_strand_will_do(kernel: Kernel) -> None:
    back, gram = X.reverse_complement(), kernel(X, X)
    assert np.allclose(kernel(back, X), gram, rtol=1e-10)
    assert np.allclose(kernel(back, back), gram, rtol=1e-10)
    assert np.allclose(kernel.diag(X), np.diagonal(gram), rtol=1e-10)
    assert np.linalg.eigvalsh(gram).min() > -1e-10 * gram.max()


@pytest.mark.parametrize("kernel", [*KNOWN.values(), *BOTH_STRANDS], ids=str)
def test_short_and_empty_strings_have_no_features(kernel: Kernel) -> None:
    x = Strings.of(["", "A", "NNNNNNNN", "ACGTACGT"], DNA)
    gram, one = kernel(x, x), 4.0 if getattr(kernel, "reverse_complement", False) else 1.0
    if isinstance(kernel, LocalAlignment):  # the empty alignment
        assert np.allclose(gram[0], one)
        assert gram[2, 2] > one
    else:
        assert (gram[:3, :] == 0).all()
        assert (gram[:, :3] == 0).all()
    assert gram[3, 3] > 0
    assert kernel(x[:0], x).shape == (0, 4)


@pytest.mark.parametrize("kernel", COUNTING, ids=str)
def test_features_make_the_kernel(kernel: Kernel) -> None:
    features = maps.counts(kernel, X)(X)
    assert np.allclose((features @ features.T).toarray(), kernel(X, X), rtol=1e-12)


def test_pieces_with_an_ambiguous_letter_count_for_nothing() -> None:
    whole, cut = Strings.of(["ACGTACGNTTACG"]), Strings.of(["ACGTACG", "TTACG"])
    for kernel in (Spectrum(3), Mismatch(3, 1), GappedKmer(4, 2), GappedKmer(4, 2, truncated=True)):
        assert np.allclose(kernel(whole, X), kernel(cut, X).sum(axis=0))


@pytest.mark.parametrize("letters", ["01", "".join(map(chr, range(0x3B1, 0x3B1 + 20)))])
def test_any_alphabet_will_do(letters: str) -> None:
    rng = np.random.default_rng(0)
    strings = ["".join(rng.choice(list(letters), size=30)) for _ in range(4)]
    x = Strings.of(strings, Alphabet(letters))
    windows = [[string[i : i + 4] for i in range(27)] for string in strings]
    for kernel, of in (
        (GappedKmer(4, 3), [0, 0, 0, 1, 4]),
        (Mismatch(4, 1), [0, 0, 2, len(letters), 1 + 4 * (len(letters) - 1)]),
    ):
        wanted = [[sum(of[sum(map(str.__eq__, u, v))] for u, v in product(a, b)) for b in windows] for a in windows]
        assert np.allclose(kernel(x, x), wanted)


def test_codes_that_do_not_fit_are_hashes() -> None:
    x = Strings.of(["MKVLAAGIVGLCAKAYHHAQRGE", "MKVLAAGIVGLCAKWYHHAQRGE", "GGGGGAKAYHHAQRGEMMKKPPWW"])
    assert x.alphabet is PROTEIN
    for kernel in (GappedKmer(18, 16), Mismatch(16, 1), GappedKmer(18, 16, peak=9)):
        features = maps.counts(kernel, x)(x)
        gram = kernel(x, x)
        assert gram[0, 1] > 0
        assert np.allclose((features @ features.T).toarray(), gram)


@pytest.mark.parametrize(("length", "informative", "letters"), [(4, 2, 3), (4, 2, 2), (3, 1, 4)])
def test_the_filter_is_that_of_estimated_counts(length: int, informative: int, letters: int) -> None:
    """Estimates of least norm from counts of gapped pieces, by a pseudo-inverse, cut off where not positive."""
    words = list(product(range(letters), repeat=length))
    gapped = [
        [float(all(word[i] == letter for i, letter in zip(places, piece, strict=True))) for word in words]
        for places in combinations(range(length), informative)
        for piece in product(range(letters), repeat=informative)
    ]
    away = np.array([[sum(a != b for a, b in zip(u, v, strict=True)) for v in words] for u in words])
    estimate = np.linalg.pinv(np.array(gapped)) @ np.array(gapped)
    by_distance = np.array([estimate[0][away[0] == d].mean() for d in range(length + 1)])
    cut = (by_distance < 1e-12).nonzero()[0]
    by_distance[cut[0] if len(cut) else length + 1 :] = 0
    products = by_distance[away] @ by_distance[away]
    wanted = [products[0][away[0] == length - common].mean() for common in range(length + 1)]
    assert np.allclose(filtered(length, informative, letters), wanted, atol=1e-14)


def test_positions_count_as_lsgkm_has_them() -> None:
    x = Strings.of(["ACGTACG", "ACGTACC"])
    kernel = GappedKmer(3, 3, peak=4, half_life=1.0)
    weights = [2.0, 3.0, 4.0, 3.0, 2.0]  # min(4, ⌊4 / 2^|2 - i| + 1⌋)
    found = maps.counts(kernel, x)(x).sum(axis=1)
    assert np.allclose(found, sum(weights))
    # ACG is in the first string at both ends, in the second at its start; CGT, GTA, TAC once in each.
    assert np.allclose(kernel(x, x)[0, 1], (2 + 2) * 2 + 3 * 3 + 4 * 4 + 3 * 3)


def test_what_is_no_kernel_says_so() -> None:
    assert not GappedKmer(11, 7).indefinite
    assert not GappedKmer(11, 7, truncated=True).indefinite
    assert not GappedKmer(11, 7, mismatches=4).indefinite
    assert GappedKmer(11, 7, truncated=True, mismatches=3).indefinite
    assert LocalAlignment(match_scores(4), logarithm=True).indefinite
    assert Normalised(GappedKmer(5, 2, mismatches=1)).indefinite
    words = Strings.of(["".join(word) for word in product("ACGT", repeat=3)], DNA)
    for kernel in (GappedKmer(3, 1, mismatches=1), GappedKmer(3, 2, truncated=True, mismatches=1)):
        gram = kernel(words, words)
        assert (np.linalg.eigvalsh(gram).min() < -1e-9 * gram.max()) == kernel.indefinite


def test_logarithms_do_not_overflow() -> None:
    rng = np.random.default_rng(1)
    x = Strings.of_tokens(rng.integers(0, 20, (2, 400)), PROTEIN)
    kernel = LocalAlignment(blosum62(), beta=1.0, logarithm=True)
    score = blosum62()[x.tokens[:400], x.tokens[:400]].sum()
    assert score < kernel.diag(x)[0] < 1.2 * score
    with pytest.raises(ValueError, match=r"beta: values up to exp\(\d+\) overflow float64; .* logarithm=True"):
        LocalAlignment(blosum62(), beta=1.0)(x, x)
    small = Strings.of(["ACCA", "CACG"])
    logarithm = LocalAlignment(match_scores(4), 2.0, 1.0, 0.5, logarithm=True)
    assert np.allclose(logarithm(small, small), np.log(ALIGNMENT(small, small)) / 0.5)
    assert np.array_equal(blosum62(), blosum62().T)


def test_long_strings_are_summed_piece_by_piece() -> None:
    x = Strings.of(["ACGT" * 40, "CA" * 70])
    wanted = np.zeros((2, 2))
    for i, j in product(range(2), repeat=2):
        a, b = x[i], x[j]
        match = 0.81 * np.array([[s == t for t in b] for s in a])
        decays = [0.9 ** np.maximum(np.subtract.outer(np.arange(n), np.arange(n)) - 1.0, 0) for n in map(len, (a, b))]
        rows, columns = (np.tril(decay, -1) for decay in decays)
        wanted[i, j] = (match * (rows @ match @ columns.T)).sum()
    assert np.allclose(Subsequence(2, 0.9)(x, x), wanted)


MAKE: dict[str, Callable[[Any], Kernel]] = {
    "decay": lambda v: Subsequence(3, v),
    "gap_open": lambda v: LocalAlignment(match_scores(4), v, 0.3, 0.5),
    "gap_extend": lambda v: LocalAlignment(match_scores(4), 0.9, v, 0.5),
    "beta": lambda v: LocalAlignment(match_scores(4), 0.9, 0.4, v, logarithm=True),
    "substitution": lambda v: LocalAlignment(v, 0.9, 0.4, 0.5),
}


@pytest.mark.parametrize(
    ("name", "library"),
    # Of the diagonals of an alignment, each is compiled by JAX.
    [*((name, library) for name in MAKE for library in ("numpy", "torch")), ("decay", "jax")],
)
def test_gradients_are_those_of_differences(name: str, library: str) -> None:
    if library != "numpy":
        pytest.importorskip(library, reason=f"{library} is not installed")
    owner, start = kerneltools.backend(library), np.asarray(0.6 * np.eye(4) if name == "substitution" else 0.6)
    strings = Strings.of(["ACAGT", "CAGNT"])

    def loss(value: Any, like: Any) -> Any:
        values = MAKE[name](value)(strings.to(like), strings[:1].to(like))
        return namespace(values).sum(values)

    _, found = owner.value_and_grad(loss)(owner.asarray(start), owner.asarray(np.zeros(())))
    like = np.zeros(())
    step = 1e-6
    wanted = np.zeros(start.shape)
    for place in np.ndindex(start.shape):
        ahead, behind = start.copy(), start.copy()
        ahead[place] += step
        behind[place] -= step
        wanted[place] = (loss(ahead, like) - loss(behind, like)) / (2 * step)
    assert np.allclose(np.asarray(found), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("kernel", "library"),
    [(Subsequence(2), "jax"), (GappedKmer(4, 2), "jax"), (Subsequence(2), "torch"), (ALIGNMENT, "torch")],
    ids=str,
)
def test_values_are_in_the_library_of_the_strings(kernel: Kernel, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    owner = kerneltools.backend(library)
    x = X[:3].to(owner.asarray(0.0, dtype=owner.namespace.float32))
    assert kernel(x, x[:2]).dtype == owner.namespace.float32
    assert np.allclose(np.asarray(kernel(x, x[:2])), kernel(X[:3], X[:2]), rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mismatch(3, 4), "m: expected 0 to k = 3, got 4"),
        (lambda: GappedKmer(3, 4), "informative <= length <= 100, got 3 and 4"),
        (lambda: GappedKmer(3, 2, half_life=0.0), "half_life: expected a finite number > 0"),
        (lambda: Subsequence(2, -1.0), "decay: expected"),
        (lambda: Subsequence(2, np.asarray(1.5)), r"decay: expected numbers in \(0, 1\]"),
        (lambda: LocalAlignment(np.eye(3))(X, X), r"substitution: expected \(4, 4\) for an alphabet of 4 letters"),
        (lambda: LocalAlignment(np.ones((2, 3))), r"substitution: expected \(A, A\), got shape \(2, 3\)"),
        (lambda: Subsequence(2)(X, Strings.of(["AC"], Alphabet("AC"))), "x, y: expected strings of one alphabet"),
        (lambda: GappedKmer(3, 2)(X, Strings.of(["AC"], Alphabet("AC"))), "x, y: expected strings of one alphabet"),
        (lambda: Subsequence(2)(["AC"], X), "x: expected Strings for Subsequence.*structures.Strings.of"),
        (lambda: Subsequence(2, longest=15)(X, X), r"x: string 3 has 20 letters: .* GiB; .*longest=20"),
        (lambda: GappedKmer(3, 2, longest=15).diag(X), r"x: string 3 has 20 letters: .*maps.counts.*longest=20"),
        (lambda: GappedKmer(3, 2, truncated=True, letters=5).diag(X), "letters: expected 4, as the alphabet has"),
        (lambda: maps.counts(GappedKmer(3, 2, truncated=True), X), "kernel: expected one that counts.*maps.nystrom"),
        (lambda: maps.counts(GappedKmer(40, 20), X), "choices of places, at most 100000"),
        (lambda: Spectrum(2, reverse_complement=True).diag(Strings.of(["AC"], Alphabet("AC"))), "have no complement"),
        (lambda: match_scores(4, np.inf), "match: expected a finite number"),
    ],
)
def test_what_is_wrong_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()


class TestFasta:
    def test_records_are_read(self, tmp_path: Path) -> None:
        text = b">one of them\r\nACGT\r\nacgn\r\n\r\n>two\r\nGG A\r\n"
        (tmp_path / "a.fa").write_bytes(text)
        (tmp_path / "a.fa.gz").write_bytes(gzip.compress(text))
        for name in ("a.fa", "a.fa.gz"):
            strings, names = read_fasta(tmp_path / name)
            assert list(strings) == ["ACGTACGN", "GGA"]
            assert names == ("one", "two")
            assert strings.alphabet is DNA
        (tmp_path / "b.fa").write_text(">p\nmkv*\n")
        assert read_fasta(tmp_path / "b.fa").strings.alphabet is PROTEIN

    @pytest.mark.parametrize(
        ("held", "message"),
        [
            (b">a\nAC\n>b\nG\n>a x\nT\n", "line 5: 'a' is the name of record 0 too"),
            (b">a\n>b\nG\n", "record 0, 'a', has no letters"),
            (b"ACGT\n>a\nAC\n", "line 1: expected '>' and a name first, got ACGT"),
            (b">\nAC\n", "line 1: expected a name behind '>'"),
            (b"", "expected records"),
            (b">a\nAC\n>b\nAC5G\n", "record 1, 'b': expected letters .*'5' at position 2"),
            (gzip.compress(b">a\n" + b"ACGT" * 100, mtime=0)[:-10], "truncated or damaged"),
        ],
    )
    def test_what_is_wrong_is_named(self, held: bytes, message: str, tmp_path: Path) -> None:
        (tmp_path / "x.fa").write_bytes(held)
        with pytest.raises(FileFormatError, match=f"x.fa: .*{message}"):
            read_fasta(tmp_path / "x.fa", DNA)


def test_files_keep_them(tmp_path: Path) -> None:
    for kernel in (*KNOWN.values(), *BOTH_STRANDS):
        kerneltools.save(kernel, tmp_path / "kernel")
        found = kerneltools.load(tmp_path / "kernel")
        assert repr(found) == repr(kernel)
        assert np.array_equal(found(X[:3], X[:3]), kernel(X[:3], X[:3]))

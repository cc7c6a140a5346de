"""Collections of objects: what they are made of, cut into, and refuse."""

from typing import Any

import numpy as np
import pytest

import kerneltools
from kerneltools import structures
from kerneltools.kernels.graphs import WeisfeilerLehman
from kerneltools.kernels.series import GlobalAlignment
from kerneltools.kernels.strings import Spectrum
from kerneltools.maps import nystrom
from kerneltools.structures import (
    DNA,
    PROTEIN,
    RNA,
    Alphabet,
    Collection,
    Graph,
    Graphs,
    Objects,
    Ragged,
    Strings,
    Views,
    concat,
    count,
    of,
    take,
)

LETTERS = ["ACGT", "GGA", "ANA", "C", ""]
ARRAYS = [np.arange(6.0).reshape(3, 2), np.zeros((1, 2)), np.ones((4, 2)), np.full((2, 2), 7.0)]
GRAPHS = [
    Graph(3, np.array([[0, 1], [1, 2]]), np.array([5, 6, 5])),
    Graph(1, np.zeros((0, 2), dtype=int), np.array([7])),
    Graph(4, np.array([[0, 1], [2, 1], [3, 0]]), np.array([1, 1, 1, 2])),
]

GRAPH_OF_TWO, GRAPH_OF_ONE = (Graphs.of([Graph(1, [], None, np.zeros((1, d)))]) for d in (2, 1))

COLLECTIONS: list[Collection] = [
    Strings.of(LETTERS),
    Ragged.of(ARRAYS),
    Graphs.of(GRAPHS),
    Graphs.of(GRAPHS, directed=True),
    Objects(("a", ("b", 1), "a", 3.5)),
    Views((Strings.of(LETTERS[:4]), Ragged.of(ARRAYS), np.arange(8.0).reshape(4, 2))),
]


def _same(a: Collection, b: Collection) -> bool:
    return len(a) == len(b) and all(a.key(i) == b.key(i) for i in range(len(a)))


@pytest.fixture(params=COLLECTIONS, ids=lambda x: type(x).__name__)
def x(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_cuts_are_those_of_a_list(x: Any) -> None:
    numbers = np.arange(len(x))
    for at in (slice(1, None), slice(None, None, -1), slice(0, 0)):
        assert [x[at].key(i) for i in range(len(x[at]))] == [x.key(i) for i in numbers[at].tolist()]
    picked = [len(x) - 1, 0, 0]
    assert [x[picked].key(i) for i in range(3)] == [x.key(i) for i in picked]
    assert _same(x[numbers > 0], x[1:])
    assert _same(x[numbers[::-1], ...], x[::-1])
    assert _same(take(x, [-1]), x[-1:])
    assert count(x) == len(x) == x.shape[0] == len(list(x))
    assert repr(x).startswith(f"{type(x).__name__}({len(x)} ")


def test_pieces_go_together_again(x: Any) -> None:
    assert _same(concat([x[:2], x[2:]]), x)
    assert _same(x[:1] + x[1:], x)


def test_the_objects_make_the_collection_again(x: Any) -> None:
    again = of(list(x), type(x), x)
    assert _same(again, x)
    assert type(again) is type(x)


@pytest.mark.parametrize(
    ("kernel", "x", "y", "message"),
    [
        (Spectrum(1), Strings.of(["ACGT"]), Strings.of(["MKV"]), "strings of the alphabet ACGT, got ARND"),
        (GlobalAlignment(1.0), Ragged.of([[1.0]]), Ragged.of([np.zeros((1, 2))]), "arrays of 1 columns, got 2"),
        (WeisfeilerLehman(1), Graphs.of([Graph(1, [])]), Graphs.of([Graph(1, [], [3])]), "graphs without labels, got "),
        (WeisfeilerLehman(1), GRAPH_OF_TWO, GRAPH_OF_ONE, "attributes of 2 columns, got 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_new_objects_are_of_the_kind_of_the_old_ones(kernel: Any, x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"x: expected the same kind as the landmarks: {message}"):
        nystrom(kernel, x)(y)


def test_a_file_keeps_it(x: Any, tmp_path: Any) -> None:
    kerneltools.save(x, tmp_path / "x.safetensors")
    again = kerneltools.load(tmp_path / "x.safetensors")
    assert _same(again, x)
    if not isinstance(x, Views):
        assert kerneltools.load(tmp_path / "x.safetensors", backend="torch").like.dtype == _torch().float64


def _torch() -> Any:
    return pytest.importorskip("torch", reason="torch is not installed")


def test_it_goes_to_another_library(x: Any) -> None:
    torch = _torch()
    moved = x.to(torch.zeros((), dtype=torch.float32))
    assert isinstance(moved.like, torch.Tensor)
    assert moved.like.dtype == torch.float32
    assert len(moved) == len(x)


def test_wrong_numbers_are_refused(x: Any) -> None:
    n = len(x)
    with pytest.raises(IndexError, match=f"there is no {n} among {n}"):
        take(x, [0, n])
    with pytest.raises(IndexError, match=f"no object {n} among {n}"):
        x[n]
    with pytest.raises(ValueError, match=f"mask of {n} entries"):
        take(x, np.ones(n + 1, dtype=bool))
    with pytest.raises(TypeError, match="expected a number, a slice"):
        x["a"]
    with pytest.raises(TypeError, match="integers"):
        take(x, [0.5])


@pytest.mark.parametrize(
    ("strings", "alphabet"),
    [
        (["acgtacgt", "NN"], DNA),
        (["ACGU"], RNA),
        (["MKV", "W"], PROTEIN),
        (["Ω-b"], Alphabet("-bΩ")),
        ([b"\x00"], None),
    ],
)
def test_alphabets_are_found(strings: list[Any], alphabet: Alphabet | None) -> None:
    assert Strings.of(strings).alphabet == (structures.BYTES if alphabet is None else alphabet)


def test_strings_have_their_forms() -> None:
    x = Strings.of(LETTERS)
    assert list(x.reverse_complement()) == ["ACGT", "TCC", "TNT", "G", ""]
    assert list(Strings.of_one_hot(x.one_hot(), DNA)) == list(x)
    tokens, mask = x.padded()
    assert list(Strings.of_tokens(tokens, DNA, mask)) == list(x)
    assert x.one_hot()[2, 1].tolist() == [0.25] * 4


def test_arrays_have_their_forms() -> None:
    x = Ragged.of(ARRAYS)
    values, mask = x.padded(length=5)
    assert values.shape == (4, 5, 2)
    assert _same(Ragged.of_padded(values, mask), x)
    assert Ragged.of([[1, 2, 3], [4]]).values[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_graphs_have_their_forms() -> None:
    x = Graphs.of(GRAPHS)
    assert not x.directed
    assert x.edges.shape == (10, 2)
    assert x.owner.tolist() == [0] * 3 + [1] + [2] * 4
    assert x[2].edges.tolist() == [[0, 1], [0, 3], [1, 0], [1, 2], [2, 1], [3, 0]]
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    from kerneltools.structures.converting import to_networkx, to_sparse

    assert all(isinstance(one, networkx.Graph) for one in to_networkx(x))
    assert _same(of(to_networkx(x)), x)
    assert of(to_sparse(x)).edges.tolist() == x.edges.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Strings.of(["ACGT", "AXT"], DNA) and Strings.of(["ACGT", "A5T"], DNA), "string 1.*'5' at position 1"),
        (lambda: Strings.of(["A", 3]), "got int as number 1"),
        (lambda: Strings.of("ACGT"), r"write \[string\]"),
        (lambda: Strings.of(["MKV"]).reverse_complement(), "have no complement"),
        (lambda: concat([Strings.of(["A"]), Strings.of(["MKV"])]), "one alphabet"),
        (lambda: concat([Strings.of(["A"]), Ragged.of([[1.0]])]), "one kind, got Ragged, Strings"),
        (lambda: Strings([0, 9], [0, 2]), "numbers of the 4 letters"),
        (lambda: Strings([0, 1], [0, 1]), "rise from 0 to the 2 tokens"),
        (lambda: Ragged.of([np.zeros((2, 3)), np.zeros((2, 1))]), r"expected 3 columns.*\(2, 1\) as number 1"),
        (lambda: Ragged.of([]), "at least one"),
        (lambda: Ragged.of([[1.0, np.nan]]), "finite numbers.*of number 0"),
        (lambda: Graphs.of([Graph(2, [[0, 1]]), Graph(2, [[0, 2]])]), "nodes 0 to 1 in graph 1"),
        (lambda: Graphs.of([Graph(2, [[1, 1]])]), r"to itself, got \[1, 1\] in graph 0"),
        (lambda: Graphs.of([GRAPHS[0], Graph(1, [])]), "labels.*graph 1 has none"),
        (lambda: Graphs.of([Graph(1, [], None, [[np.nan]])]), "node 0 of graph 0"),
        (lambda: Views((np.zeros((2, 1)), np.zeros((3, 1)))), "as many objects in each, got 2, 3"),
        (lambda: of([]), "at least one"),
        (lambda: of(["a", 3]), "one kind, got int, str"),
        (lambda: of("abc"), r"write \[string\]"),
        (lambda: of(7), "expected a list"),
        (lambda: Alphabet("AA"), "different letters"),
        (lambda: Alphabet("AC", complement="AA"), "a pairing"),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()

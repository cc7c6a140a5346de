"""Networks on sequences, graphs and sets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
import kerneltools
from ckn import Architecture, Joined, Network, PartLayer, PartSpec, fit_unsupervised
from kerneltools.files import FileFormatError
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import (
    Averaged,
    Elements,
    FirstNorm,
    GaussianWindow,
    PartKernel,
    PartMax,
    PartMean,
    PartSum,
    Paths,
    Several,
    Subsequences,
    Windows,
)
from kerneltools.structures import Graph, Graphs, Objects, Ragged, Strings

DRAWS = np.random.default_rng(0)
WORDS = Strings.of(["".join(DRAWS.choice(list("ACGT"), size=DRAWS.integers(8, 20))) for _ in range(30)])
SERIES = Ragged.of([DRAWS.standard_normal((DRAWS.integers(6, 15), 3)) for _ in range(30)])


def _ring(n: int, chord: int) -> Graph:
    return Graph(n, [[i, (i + 1) % n] for i in range(n)] + [[0, chord]], DRAWS.integers(0, 3, size=n))


GRAPHS = Graphs.of([_ring(int(n), int(n) // 2) for n in DRAWS.integers(6, 12, size=30)])
OF_PATHS = PartKernel(Exponential(1.0), Averaged(), FirstNorm())


def fitted(specs: list[Any], x: Any, **choices: Any) -> Network:
    return fit_unsupervised(Architecture(tuple(specs), **choices), x, 0)


CENTRED = PartKernel(Exponential(0.6), centred=True)
PAIR = ckn.Beside(tuple(PartSpec(m, Windows(3, dilation=m, partial=True), CENTRED) for m in (4, 1)))
CASES: list[Any] = [
    (WORDS, [PartSpec(8, Windows(4), pool=GaussianWindow(2)), PartSpec(6, Windows(3))]),
    (SERIES, [PAIR, PartSpec(5, Windows(2))]),
    (GRAPHS, [PartSpec(8, Paths(3), OF_PATHS, lengths=True), PartSpec(6, Paths(2), OF_PATHS, PartMean())]),
]


@pytest.fixture(params=CASES, ids=["strings", "series", "graphs"])
def case(request: pytest.FixtureRequest) -> Any:
    x, specs = request.param
    return x, fitted(specs, x)


def test_features_of_objects_are_their_own(case: Any) -> None:
    x, network = case
    features = network(x)
    assert features.shape == (30, network.dimension)
    assert np.isfinite(features).all()
    assert np.allclose(network.encode(x, batch=7), features, rtol=1e-10, atol=1e-12)
    assert np.allclose(network(x[[3, 20]]), features[[3, 20]], rtol=1e-10, atol=1e-12)


def test_the_same_seed_gives_the_same_network(case: Any) -> None:
    x, network = case
    specs = next(specs for data, specs in CASES if data is x)
    again = fitted(specs, x)
    assert all((a.filters == b.filters).all() for a, b in zip(again.layers, network.layers, strict=True))


def test_filters_are_on_the_sphere(case: Any) -> None:
    for layer in case[1].layers:
        assert np.allclose(layer.kernel.normalised(layer.filters), layer.filters)
        assert np.allclose(np.diagonal(layer.kernel.gram(layer.filters)), 1.0)


def test_what_the_map_misses_is_not_negative(case: Any) -> None:
    x, network = case
    missed, whole = next(network.residuals(x))
    assert (missed >= -1e-8 * whole.max()).all()
    assert missed.sum() < whole.sum()


def test_all_parts_as_filters_miss_nothing() -> None:
    x = WORDS[:2]
    specs = [PartSpec(10_000, Windows(3), reg=1e-10)]
    with pytest.warns(kerneltools.landmarks.ReducedWarning):
        network = fitted(specs, x)
    missed, whole = next(network.residuals(x))
    assert np.abs(missed).max() < 1e-6 * whole.max()


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_libraries_agree_on_values_and_gradients(case: Any, library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    x, network = case
    there = kerneltools.backend(library)
    like = there.asarray(0.0, dtype=there.namespace.float64)
    moved = x.to(like)

    def placed(leaf: Any) -> Any:
        return there.asarray(leaf, dtype=like.dtype) if hasattr(leaf, "dtype") else leaf

    held = kerneltools.trees.map_leaves(placed, network)
    assert np.allclose(np.asarray(held(moved)), network(x), rtol=1e-9, atol=1e-11)
    here = kerneltools.backend("numpy").value_and_grad(lambda z: _squares(replace_first(network, z)(x)))
    across = there.value_and_grad(lambda z: _squares(replace_first(held, z)(moved)))
    value, gradient = here(network.layers[0].filters)
    other, found = across(held.layers[0].filters)
    assert np.allclose(float(other), float(value), rtol=1e-9)
    assert np.allclose(np.asarray(found), np.asarray(gradient), rtol=1e-7, atol=1e-9)


def _squares(features: Any) -> Any:
    return kerneltools.arrays.namespace(features).sum(features * features)


def replace_first(network: Network, filters: Any) -> Network:
    first, *others = network.layers
    assert isinstance(first, PartLayer)
    return replace(network, layers=(replace(first, filters=filters), *others))


def test_graphs_in_another_order_of_nodes_are_the_same() -> None:
    network = fitted([PartSpec(8, Paths(3), OF_PATHS, lengths=True)], GRAPHS, readout=PartSum())
    one = GRAPHS[0]
    order = np.random.default_rng(1).permutation(one.nodes)
    place = np.argsort(order)
    edges = place[one.edges]
    shuffled = Graphs.of([Graph(one.nodes, edges, one.labels[order])])
    assert np.allclose(network(shuffled), network(GRAPHS[:1]))


def test_paths_of_each_length_are_a_channel() -> None:
    specs = [PartSpec(5, Paths(3), OF_PATHS, lengths=True), PartSpec(4, Paths(2), OF_PATHS, lengths=True)]
    network = fitted([*specs, PartSpec(3, Elements(), OF_PATHS)], GRAPHS, readout=PartSum())
    first, second, third = network.layers
    assert [layer.filters.shape for layer in network.layers] == [(5, 3, 3), (4, 2, 5), (3, 1, 4)]
    assert network.dimension == 3 * 2 * 3
    found = network(GRAPHS)
    for channel in range(6):
        one, two = channel // 2 + 1, channel % 2 + 1
        alone = [
            replace(first, filters=first.filters[:, :one, :], parts=Paths(one), lengths=False),
            replace(second, filters=second.filters[:, :two, :], parts=Paths(two), lengths=False),
        ]
        wanted = network.with_layers([*alone, third])(GRAPHS)
        assert np.allclose(found[:, 3 * channel : 3 * channel + 3], wanted, rtol=1e-10, atol=1e-12)


def test_shorter_paths_are_there_without_longer_ones() -> None:
    network = fitted([PartSpec(8, Paths(3), OF_PATHS, lengths=True)], GRAPHS, readout=PartSum())
    alone, pair = Graph(2, [], [0, 1]), Graph(2, [[0, 1]], [0, 1])
    found = network(Graphs.of([alone, pair, Graph(0, [], [])]))
    assert [[bool(found[i, 8 * j : 8 * j + 8].any()) for j in range(3)] for i in range(3)] == [
        [True, False, False],
        [True, True, False],
        [False, False, False],
    ]
    assert np.allclose(found[0, :8], found[1, :8])


def test_layers_beside_each_other_see_the_same() -> None:
    network = fitted([PAIR, PartSpec(5, Windows(2))], SERIES, readout=ckn.Joined((PartMean(), PartMax())))
    assert [layer.filters.shape for layer in network.layers] == [(4, 3, 3), (1, 3, 3), (5, 2, 5)]
    assert [len(stage) for stage in network.stages] == [2, 1]
    assert network.dimension == 10
    wide, narrow, last = network.layers
    whole = network.below(2)
    alone = [replace(network, layers=(layer,), beside=()).items(SERIES).values for layer in (wide, narrow)]
    assert np.allclose(whole.items(SERIES).values, np.concatenate(alone, axis=1))
    after = network.with_layers([narrow, wide, replace(last, filters=last.filters[:, :, [4, 0, 1, 2, 3]])])
    assert np.allclose(after(SERIES), network(SERIES), rtol=1e-9)
    assert [missed.shape for missed, _ in network.residuals(SERIES)] == [(len(SERIES.values) + 1,)] * 2 + [
        (len(SERIES.values) - len(SERIES) + 1,)
    ]


def test_several_kinds_of_parts_have_one_set_of_filters(tmp_path: Path) -> None:
    kinds = tuple(Windows(3, dilation=d, partial=True) for d in (1, 2))
    specs = [PartSpec(4, Several(kinds), pool=GaussianWindow(2)), PartSpec(3, Windows(2))]
    network = fitted(specs, SERIES, readout=PartMax())
    first, second = network.layers
    assert [first.filters.shape, second.filters.shape, network.dimension] == [(4, 3, 3), (3, 2, 4), 6]
    alone = [network.with_layers([replace(first, parts=kind), second])(SERIES) for kind in kinds]
    assert np.allclose(network(SERIES), np.concatenate(alone, axis=1), rtol=1e-10)
    ckn.save(network, tmp_path / "network.ckn")
    assert (ckn.load(tmp_path / "network.ckn")(SERIES) == network(SERIES)).all()


def test_layers_beside_each_other_have_one_owner() -> None:
    apart = ckn.Beside((PartSpec(2, Windows(3)), PartSpec(2, Windows(4))))
    with pytest.raises(ValueError, match=r"parts of the same owners, got .*by_item=True"):
        fitted([apart], SERIES)(SERIES)


def test_both_strands_are_one() -> None:
    network = fitted([PartSpec(8, Windows(4))], WORDS, strands=True, readout=PartMax())
    assert np.allclose(network(WORDS), network(WORDS.reverse_complement()))
    with pytest.raises(ValueError, match="strands: expected strings"):
        fitted([PartSpec(8, Windows(4))], SERIES, strands=True)


def test_joined_readouts_are_both_of_them() -> None:
    specs = [PartSpec(8, Windows(3))]
    both = fitted(specs, SERIES, readout=Joined((PartMean(), PartMax())))
    each = [fitted(specs, SERIES, readout=readout)(SERIES) for readout in (PartMean(), PartMax())]
    assert both.dimension == 16
    assert np.allclose(both(SERIES), np.concatenate(each, axis=1))


def test_a_joined_readout_is_kept_in_a_file(tmp_path: Path) -> None:
    network = fitted([PartSpec(8, Windows(3))], WORDS, readout=Joined((PartMean(), PartMax())), strands=True)
    ckn.save(network, tmp_path / "network.ckn")
    assert (ckn.load(tmp_path / "network.ckn")(WORDS) == network(WORDS)).all()


def test_what_has_no_part_has_no_features() -> None:
    network = fitted([PartSpec(8, Windows(6))], WORDS)
    short = Strings.of(["ACG", "", "ACGTAC"], WORDS.alphabet)
    assert (network(short)[:2] == 0).all()
    assert (network(short)[2] != 0).any()


def test_a_file_keeps_it(case: Any, tmp_path: Path) -> None:
    x, network = case
    ckn.save(network, tmp_path / "network.ckn")
    again = ckn.load(tmp_path / "network.ckn")
    assert (again(x) == network(x)).all()
    wrong = replace_first(network, 2 * network.layers[0].filters)
    with pytest.raises(ValueError, match=r"not written.*on the sphere"):
        ckn.save(wrong, tmp_path / "network.ckn")
    narrow = replace(network, layers=network.layers[-1:], beside=())
    with pytest.raises(ValueError, match="layer 1: filters: expected"):
        ckn.save(narrow, tmp_path / "network.ckn")
    assert (ckn.load(tmp_path / "network.ckn")(x) == network(x)).all()
    content = (tmp_path / "network.ckn").read_bytes()
    (tmp_path / "cut.ckn").write_bytes(content[:-10])
    with pytest.raises(FileFormatError):
        ckn.load(tmp_path / "cut.ckn")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fitted([], WORDS), "at least one LayerSpec or PartSpec"),
        (lambda: fitted([PartSpec(4, Windows(50))], WORDS), "none of 30 strings has a part"),
        (lambda: fitted([PartSpec(4, Windows(2))], Ragged.of([[0.0, 0.0, 0.0]])), "all 2 parts of 1 arrays .* blank"),
        (lambda: fitted([PartSpec(4)], Objects((1, 2))), "expected strings, arrays, or graphs whose"),
        (lambda: fitted([PartSpec(4, Paths(2))], Graphs.of([Graph(2, [[0, 1]])])), "labels or attributes"),
        (lambda: Joined((PartMean(),)), "readouts: expected a tuple of at least two"),
        (lambda: PartSpec(0), "filters: expected an integer >= 1"),
        (lambda: PartSpec(4, Windows), "parts: expected an object"),  # type: ignore[arg-type]
        (lambda: PartSpec(4, kernel=Exponential(1.0)), "kernel: expected a"),  # type: ignore[arg-type]
        (lambda: ckn.Beside((PartSpec(4),)), "specs: expected a tuple of at least two"),
        (lambda: ckn.Beside((PartSpec(4), Windows(3))), "specs: expected layers for objects"),  # type: ignore[arg-type]
        (lambda: Network((), beside=(2, 1)), "beside: expected integers >= 1 with the sum 0"),
        (lambda: PartSpec(4, lengths=True), "lengths: expected parts that begin with shorter ones"),
        (lambda: PartSpec(4, Paths(3), lengths=True), "on no sphere"),
        (lambda: PartSpec(4, Paths(3), OF_PATHS, lengths=1), "lengths: expected True or False"),  # type: ignore[arg-type]
        (lambda: fitted([PartSpec(4, Windows(2))], GRAPHS), "expected sequences, for Windows"),
        (
            lambda: fitted([PartSpec(3, Elements(), pool=GaussianWindow())], GRAPHS)(GRAPHS),
            "needs parts in a row, unlike nodes of graphs",
        ),
        (lambda: fitted([PartSpec(4, Subsequences(2), pool=GaussianWindow())], WORDS[:3])(WORDS), "one of each owner"),
        (lambda: fitted([PartSpec(4)], WORDS, readout=GaussianWindow()), "readout: expected a pool such as"),
        (lambda: fitted([PartSpec(4, Paths(2))], WORDS), "expected graphs, for Paths"),
        (lambda: fitted([PartSpec(4)], WORDS)(SERIES), "x: expected strings"),
        (lambda: fitted([PartSpec(4)], WORDS)(Strings.of(["MKV"])), "expected strings of ACGT"),
        (lambda: fitted([PartSpec(4, Windows(2))], SERIES)(Ragged.of([[1.0, 2.0]])), "expected 3 columns"),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()

"""Pictures of networks on sequences, graphs, series, and of transport plans."""

import sys
from dataclasses import replace
from itertools import combinations
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import ckn
from ckn.layers.readouts import standardised
from ckn.pictures import excited, graphs, sequences, series, transport
from ckn.pictures.gaps import best_with_gaps
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import Averaged, Elements, FirstNorm, PartKernel, PartMax, PartMean, PartSum, Paths, Windows
from kerneltools.structures import DNA, PROTEIN, Alphabet, Graph, Graphs, Ragged, Strings
from kerneltools.trees import map_leaves

DRAWS = np.random.default_rng(0)
SITE = "TGACGTCATG"
SHARP = PartKernel(Exponential(0.4))


def _word(number: int) -> str:
    letters = "".join(DRAWS.choice(list("ACGT"), 40))
    return letters[:12] + SITE + letters[22:] if number % 2 else letters


WORDS = Strings.of([_word(number) for number in range(60)], DNA)
BUMP = np.sin(np.linspace(0, np.pi, 9))
SERIES = [0.05 * DRAWS.standard_normal(50) for _ in range(24)]
for _number, _one in enumerate(SERIES[::2]):
    _one[10 + 2 * _number : 19 + 2 * _number] += BUMP
RAGGED = Ragged.of(SERIES)


def _ring(labels: list[int]) -> Graph:
    n = len(labels)
    return Graph(n, [[i, (i + 1) % n] for i in range(n)], np.asarray(labels))


# Twos stand beside each other in every third ring only.
RINGS = Graphs.of([_ring([2, 2, 0, 1, 0, 0] if i % 3 == 0 else [0, 1, 0, 1, 0, 0, 1][: 5 + i % 3]) for i in range(18)])


def fitted(x: Any, *specs: Any, readout: Any = None, strands: bool = False) -> ckn.Network:
    return ckn.fit_unsupervised(ckn.Architecture(specs, readout or PartMax(), strands), x, rng=0)


@pytest.fixture(scope="module")
def of_words() -> ckn.Network:
    return fitted(WORDS, ckn.PartSpec(10, Windows(8), SHARP), strands=True)


@pytest.fixture(scope="module")
def of_rings() -> ckn.Network:
    kernel = PartKernel(Exponential(1.0), Averaged(), FirstNorm())
    return fitted(RINGS, ckn.PartSpec(6, Paths(3), kernel), readout=PartSum())


@pytest.fixture(scope="module")
def of_series() -> ckn.Network:
    return fitted(RAGGED, ckn.PartSpec(6, Windows(9), SHARP))


def texts(figure: Figure) -> list[Text]:
    """What is written, as it is drawn: not the ticks beyond the ends of an axis."""
    drawn: list[Text] = []
    with patch.object(Text, "draw", lambda text, renderer: drawn.append(text)):
        FigureCanvasAgg(figure).draw()
    return [text for text in dict.fromkeys(drawn) if text.get_visible() and text.get_text().strip()]


def looked_over(figure: Figure) -> str:
    """All that is written in a picture, which is as wide as a slide and of which no words are over others."""
    written = texts(figure)
    assert figure.get_figwidth() * figure.dpi == 1200
    boxes = [text.get_window_extent() for text in written]
    for number, (text, box) in enumerate(zip(written, boxes, strict=True)):
        assert box.x0 >= -1, text
        assert box.x1 <= 1201, text
        for other, beside in zip(written[:number], boxes, strict=False):
            wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert min(wide, high) < 2, (text, other)
    return "\n".join(text.get_text().replace("\n", " ") for text in written)


def letters_of(figure: Figure) -> int:
    return sum(len(found.get_paths()) for axes in figure.axes for found in axes.collections)


# Sequences


def test_logos_are_as_high_as_positions_have_information() -> None:
    rows = np.asarray([[2.0, 0, 0, 0], [1.0, 0, 1.0, 0], [0.5, 0.5, 0.5, 0.5], [0.0, -2.0, 0, 0]])
    high = sequences.heights(rows)
    np.testing.assert_allclose(high, [[2, 0, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 0], [0, -2, 0, 0]], atol=1e-12)
    # Half of what another position has: a half of one letter and an eighth of each.
    quiet = sequences.heights(np.asarray([[2.0, 0, 0, 0], [1.0, 0, 0, 0]]))[1]
    share = np.asarray([5, 1, 1, 1]) / 8
    np.testing.assert_allclose(quiet, share * (2 + (share * np.log2(share)).sum()))
    np.testing.assert_allclose(sequences.heights(np.asarray([[2.0, 0], [1.0, 0]]), shared=False)[1], [1, 0])


def test_logos_of_few_sites_are_lower() -> None:
    tokens = np.asarray([[0, -1], [0, -1], [0, 2]])
    few, many = (sequences.of_sites(np.repeat(tokens, times, axis=0), 4) for times in (1, 100))
    assert few[0, 0] == pytest.approx(2 - 3 / (2 * np.log(2) * 3))
    assert few[0, 0] < many[0, 0] < 2
    assert few[1, 2] == 0  # one letter says nothing
    assert many[1, 2] > 1.9


def test_what_is_planted_is_found_on_either_strand(of_words: ckn.Network) -> None:
    turned = WORDS.reverse_complement()
    either = Strings.of([a if i % 4 < 2 else b for i, (a, b) in enumerate(zip(WORDS, turned, strict=True))], DNA)
    best = sequences.found_motifs(of_words, either, each=10)[0]
    string = DNA.string(best.letters[0])
    assert string in SITE or string in Strings.of([SITE], DNA).reverse_complement()[0]
    assert (best.letters == best.letters[0]).all()
    # 12 of 40 letters before the site, or 18 seen from the other strand.
    assert np.all((best.places > 10 / 32) & (best.places < 22 / 32))
    assert best.notes[-1].endswith("alike")


def test_weights_say_which_filters_are_strongest_and_what_for(of_words: ckn.Network) -> None:
    weights = np.zeros((10, 2))
    weights[7] = 3.0, -3.0
    first = sequences.found_motifs(of_words, WORDS, weights, ["with", "without"])[0]
    assert first.name == "filter 8"
    assert first.notes[0] == "for with"
    assert sequences.found_motifs(of_words, WORDS, weights[:, 1], ["with", "without"])[0].notes[0] == "for with"
    with pytest.raises(ValueError, match=r"weights: expected \(10,\) or \(10, classes\), got shape \(3,\)"):
        sequences.motifs(of_words, WORDS, np.zeros(3))
    # Features of two readouts: the mean of each filter, then the greatest.
    joined = replace(of_words, readout=ckn.Joined((PartMean(), PartMax())))
    both = sequences.found_motifs(joined, WORDS, np.concatenate([0 * weights, weights]), ["with", "without"])[0]
    assert (both.name, both.notes) == (first.name, first.notes)


def test_standardised_features_differ_as_they_did_before(of_words: ckn.Network) -> None:
    scaled = replace(of_words, readout=standardised(PartMax(), of_words.encode(WORDS)))
    names = [[motif.name for motif in sequences.found_motifs(network, WORDS, most=3)] for network in (of_words, scaled)]
    assert names[0] == names[1]


def test_filters_that_are_alike_speak_for_one_class() -> None:
    one = np.random.default_rng(0).standard_normal(50)
    features = np.stack([one, one + 1e-3, np.random.default_rng(1).standard_normal(50)], axis=1)
    network = fitted(WORDS, ckn.PartSpec(3, Windows(4)))
    head = excited.Head(features, np.asarray([[5.0], [-3.0], [0.0]]))
    assert [head.speaks(network, 0, number, ["a", "b"]) for number in range(3)] == ["for b", "for b", ""]


def test_pictures_of_sequences(of_words: ckn.Network) -> None:
    sheet = sequences.filters(of_words, most=6)
    assert {"the first 6 of 10 filters, 8 letters each", "filter 6"} <= set(looked_over(sheet).split("\n"))
    assert letters_of(sheet) > 6 * 8
    found = looked_over(sequences.motifs(of_words, WORDS, most=3))
    assert "3 of 10 filters, those whose features differ most, and the 15 best sites of each in 60 sequences" in found
    along = looked_over(sequences.profile(of_words, WORDS, 1, most=2))
    assert "the other strand" in along
    assert "sequence 1 of 60" in along


@pytest.mark.parametrize(
    ("alphabet", "m", "k"), [(PROTEIN, 7, 3), (Alphabet("$ _a"), 1, 30), (Alphabet("".join(map(chr, range(64)))), 2, 5)]
)
def test_logos_of_any_alphabet_and_of_negative_entries(alphabet: Alphabet, m: int, k: int) -> None:
    found = np.random.default_rng(1).standard_normal((m, k, len(alphabet)))
    written = looked_over(sequences.logos(found, alphabet))
    assert "below the line what they turn away from" in written
    assert ("hydrophobic" in written) == (alphabet is PROTEIN)
    assert looked_over(sequences.logos(np.zeros((m, k, len(alphabet))), alphabet))


def test_layers_above_see_as_much_as_all_of_their_windows() -> None:
    network = fitted(WORDS, ckn.PartSpec(8, Windows(5), SHARP), ckn.PartSpec(5, Windows(4), SHARP))
    found = excited.peaks(network, WORDS, 1)
    first, behind = found.spans
    assert (behind - first == 8).all()
    assert found.values.shape == (60, 5)
    written = looked_over(sequences.motifs(network, WORDS, most=2))
    assert "the filter, in bits" not in written
    assert "its best sites, in bits" in looked_over(sequences.motifs(network, WORDS, layer=1, most=2))
    with pytest.raises(ValueError, match="layer: expected 1 to 2, got 3"):
        sequences.motifs(network, WORDS, layer=3)


def test_with_gaps_the_items_are_those_of_the_greatest_response() -> None:
    responses, decay = np.random.default_rng(0).random((2, 7, 3, 4)), 0.6
    responses[1, 5:] = 0
    ends, at = best_with_gaps(responses, decay)

    def response(number: int, filter_: int, places: tuple[int, ...]) -> float:
        found = np.prod([responses[number, t, j, filter_] for j, t in enumerate(places)])
        return float(found * decay ** (places[-1] - places[0] - 2))

    for number in range(2):
        for filter_ in range(4):
            every = {places: response(number, filter_, places) for places in combinations(range(7), 3)}
            assert tuple(at[number, filter_]) == max(every, key=lambda places: every[places])
            assert ends[number, :, filter_].max() == pytest.approx(max(every.values()))
    assert (best_with_gaps(responses[:, :2], decay)[1] == -1).all()


def test_letters_are_found_over_gaps() -> None:
    apart = [word[:15] + word[15:18] + "A" * (number % 3) + word[18:] for number, word in enumerate(WORDS)]
    words = Strings.of(apart[1::2], DNA)
    network = ckn.fit_unsupervised(ckn.Architecture((ckn.GappedSpec(6, 6, decay=0.6),), PartMax()), words, rng=0)
    best = sequences.found_motifs(network, words, most=1, each=7)[0]
    assert best.letters.shape == (7, 6)
    assert looked_over(sequences.motifs(network, words, most=2))
    assert looked_over(sequences.profile(network, words, most=2))
    (found,) = excited.responses(network, words, 0)
    greatest = excited.peaks(network, words, 0)
    for number in (0, 11):
        np.testing.assert_allclose(found.values[found.objects == number].max(axis=0), greatest.values[number])
    # As the layer has it, whose features are of the same responses.
    pooled = network.layers[0].prepare()
    np.testing.assert_allclose(
        network(words), np.asarray([_pooled(found.values[found.objects == i], pooled.whitening) for i in range(30)])
    )


def _pooled(ends: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    return np.maximum((ends @ whitening).max(axis=0), 0)


def test_networks_of_another_library_see_the_same(of_words: ckn.Network) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    moved = map_leaves(lambda leaf: torch.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, of_words)
    here, there = (sequences.found_motifs(network, WORDS, most=1)[0] for network in (of_words, moved))
    np.testing.assert_array_equal(here.letters, there.letters)


def test_strings_that_are_too_short_are_passed_over(of_words: ckn.Network) -> None:
    some = WORDS[:8] + Strings.of(["ACG", ""], DNA)
    assert all(len(motif.letters) == 2 for motif in sequences.found_motifs(of_words, some, most=2))
    assert looked_over(sequences.profile(of_words, some, 8, most=2))
    with pytest.raises(ValueError, match=r"x: none of Strings\(2 strings .* has a part that layer 1 sees"):
        sequences.motifs(of_words, some[8:])


# Graphs


def test_paths_that_are_planted_are_found(of_rings: ckn.Network) -> None:
    weights = np.zeros(6)
    rings = graphs.found_chains(of_rings, RINGS, weights, most=6)
    chains = [chain for _, _, found in rings for chain in found]
    assert {chain.labels for chain in chains} >= {(2, 2, 0), (0, 1, 0)}
    # From each of two nodes in six rings over the other.
    assert {chain.count for chain in chains if chain.labels == (2, 2, 0)} == {12}
    for _, filter_, found in rings:
        assert filter_ is not None
        assert found[0].labels == tuple(of_rings.embedding.labels[j] for j in filter_.argmax(axis=1))
        assert [chain.response for chain in found] == sorted((chain.response for chain in found), reverse=True)


def test_pictures_of_graphs(of_rings: ckn.Network) -> None:
    names = {0: "carbon$", 1: "b_", 2: "an unusually long name"}
    written = looked_over(graphs.filters(of_rings, names, most=4))
    assert "the first 4 of 6 filters, paths of 3 nodes by their labels" in written
    assert "an unusuall…" in written
    weights = np.linspace(-1, 1, 6)
    found = looked_over(graphs.motifs(of_rings, RINGS, weights, ["chain", "ring"], names, most=3))
    assert "3 of 6 filters, those that move the scores most" in found
    assert "for ring" in found
    assert "in 18 graphs" in found
    whole = graphs.places(of_rings, RINGS, weights, ["chain", "ring"], names, most=4)
    assert "(yellow)" in looked_over(whole)


def test_layers_above_paths_show_what_they_have_seen() -> None:
    kernel = PartKernel(Exponential(1.0), Averaged(), FirstNorm())
    paths, nodes = ckn.PartSpec(5, Paths(3), kernel, lengths=True), ckn.PartSpec(4, Elements(), kernel)
    network = fitted(RINGS, paths, nodes, readout=PartSum())
    assert network.dimension == 3 * 4
    assert excited.reach(network, RINGS[:1], 1, [0]) == {0, 1, 2, 4, 5}  # two steps along a ring of six
    written = looked_over(graphs.motifs(network, RINGS, np.ones(12), most=2))
    assert "in a graph with the strongest node (yellow); in full colour what that has seen" in written
    assert "below each path its response" in looked_over(graphs.motifs(network, RINGS, layer=1, most=2))


def test_graphs_of_attributes() -> None:
    attributes = np.random.default_rng(0).standard_normal((int(RINGS.offsets[-1]), 4))
    x = replace(RINGS, labels=None, attributes=attributes)
    network = fitted(x, ckn.PartSpec(3, Paths(2)))
    assert "3 filters, paths of 2 nodes with 4 attributes" in looked_over(graphs.filters(network))
    assert "Where the strongest paths are" in looked_over(graphs.motifs(network, x, most=2))
    with pytest.raises(ValueError, match="x: expected graphs with labels of nodes"):
        graphs.found_chains(network, x)


def test_one_label_and_many() -> None:
    alone = replace(RINGS, labels=np.zeros_like(RINGS.labels))
    kernel = PartKernel(Exponential(1.0), Averaged(), FirstNorm())
    network = fitted(alone, ckn.PartSpec(1, Paths(3), kernel))
    assert "the only filter; below" in looked_over(graphs.motifs(network, alone))
    assert looked_over(graphs.places(network, alone))
    found = np.random.default_rng(0).standard_normal((2, 2, 40))
    assert "19 others" in looked_over(graphs.mixtures(found, range(40)))


def test_layout_is_that_of_the_seed_and_pieces_are_apart() -> None:
    graph = Graph(7, np.asarray([[0, 1], [1, 2], [2, 0], [3, 4], [4, 5]]))
    places = graphs.layout(graph)
    np.testing.assert_array_equal(places, graphs.layout(graph))
    assert places[:3, 0].max() < places[3:6, 0].min()
    assert places[3:6, 0].max() < places[6, 0]
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(1, abs=0.1)


def test_without_networkx_it_says_what_to_install(of_rings: ckn.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match=r"networkx.*pip install 'kerneltools\[structures\]'"):
        graphs.places(of_rings, RINGS)
    assert graphs.motifs(of_rings, RINGS)


# Series


def test_bumps_are_found_where_they_are(of_series: ckn.Network) -> None:
    found = excited.peaks(of_series, RAGGED, 0)
    one = int(found.values[::2].mean(axis=0).argmax())
    begins = found.spans[0][::2, one] - (10 + 2 * np.arange(12))
    assert np.ptp(begins) <= 2
    assert np.abs(begins).max() < 9


def test_pictures_of_series(of_series: ckn.Network) -> None:
    assert "6 filters, 9 points, each scaled to length 1" in looked_over(series.filters(of_series))
    written = looked_over(series.motifs(of_series, RAGGED, most=2, each=2))
    assert "in those of 24 series where they respond most" in written
    assert written.count(", response ") == 4


@pytest.mark.parametrize("c", [3, 12])
def test_series_of_several_channels(c: int) -> None:
    x = Ragged.of([DRAWS.standard_normal((DRAWS.integers(12, 20), c)) for _ in range(12)])
    network = fitted(x, ckn.PartSpec(5, Windows(4, dilation=2)), ckn.PartSpec(3, Windows(2)), readout=PartMean())
    channels = ["heart$rate_", *map(str, range(1, c))]
    assert ("heart$rate_" in looked_over(series.filters(network, channels))) == (c == 3)
    assert looked_over(series.motifs(network, x, channels=channels, layer=1))
    assert looked_over(series.motifs(network, x))


def test_layers_beside_each_other_are_told_apart() -> None:
    scales = ckn.Beside(tuple(ckn.PartSpec(m, Windows(5, dilation=d, partial=True)) for m, d in ((3, 1), (4, 2))))
    network = fitted(RAGGED, scales, readout=ckn.Joined((PartMean(), PartMax())))
    weights = np.zeros(14)
    weights[7 + 3 + 2] = 1.0  # the greatest response to the third filter of the second
    told, pieces = excited.Head.of(network, RAGGED, weights), [excited.peaks(network, RAGGED, at) for at in (0, 1)]
    strong = excited.strengths(network, (0, 1), pieces, told)
    assert (strong > 0).tolist() == [False] * 5 + [True, False]
    assert told.speaks(network, 1, 2, ["slow", "fast"]) == "for fast"
    written = looked_over(series.motifs(network, RAGGED, weights, most=2))
    assert "of 7 filters of 2 layers beside each other, those that move the scores most" in written
    assert written.count("filter 3 dilation 2") == 1
    assert "of 4 filters of layer 2 of 2, those" in looked_over(series.motifs(network, RAGGED, layer=2, most=1))
    assert "4 filters of layer 2 of 2, 5 points" in looked_over(series.filters(network, layer=2))
    both = looked_over(series.filters(network, most=4))
    assert "the first 2 of each of 2 layers beside each other, 7 filters, 5 points" in both
    assert "filter 2, dilation 1" in both
    with pytest.raises(ValueError, match="layer: expected 1 to 2, which sees the data, got 3"):
        series.filters(network, layer=3)


def test_channels_are_seen_where_they_excite_most() -> None:
    kernel = PartKernel(Exponential(1.0), Averaged(), FirstNorm())
    specs = (ckn.PartSpec(5, Paths(2), kernel, lengths=True), ckn.PartSpec(3, Paths(2), kernel))
    network = fitted(RINGS, *specs, readout=PartSum())
    found = next(excited.responses(network, RINGS, 1))
    items = network.below(1).reached(RINGS)[0]
    parts, layer = Paths(2)(RINGS), network.layers[1]
    each = [layer.kernel(items[:, 5 * i : 5 * i + 5], parts.index, layer.filters) for i in range(2)]
    assert np.allclose(found.values, np.maximum(*each))
    assert looked_over(graphs.motifs(network, RINGS, most=2))


def test_filters_of_single_points_are_bars() -> None:
    written = looked_over(series.curves(np.random.default_rng(0).standard_normal((3, 1, 9))))
    assert "3 filters, 1 point in 9 channels, each scaled to length 1\n" in written + "\n"
    assert "time steps" not in written


# Transport


def test_attention_shows_what_each_reference_receives() -> None:
    plan = np.random.default_rng(0).random((2, 10, 4))
    figure = transport.heat_maps(plan, "ACGTACGTAC", "of a sequence")
    assert "of a sequence; 4 references, each row sums to 1" in looked_over(figure)
    shown = np.asarray(figure.axes[1].images[0].get_array())
    np.testing.assert_allclose(shown, (plan[1] / plan[1].sum(axis=0)).T)
    assert looked_over(transport.heat_maps(plan, np.random.default_rng(1).standard_normal((10, 2))))
    assert looked_over(transport.heat_maps(plan[:1], ["$word", "incomprehensibilities", *"abcdefgh"]))
    assert "the first 4 of 6 heads" in looked_over(transport.heat_maps(np.zeros((6, 200, 30))))


def test_attention_of_networks() -> None:
    of_words = fitted(WORDS, ckn.PartSpec(6, Windows(5), SHARP), readout=ckn.Transport(3, eps=0.2), strands=True)
    figure = transport.attention(of_words, WORDS, 7)
    assert "sequence 7 of 60; 3 references, each row sums to 1" in looked_over(figure)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.shape == (3, 36)
    np.testing.assert_allclose(shown.sum(axis=1), 1)
    letters = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "".join(letters) == WORDS[7][2:-2]
    both = ckn.Joined((PartMean(), ckn.Transport(2)))
    assert "series 0 of 24" in looked_over(transport.attention(fitted(RAGGED, ckn.PartSpec(4), readout=both), RAGGED))
    of_rings = fitted(RINGS, ckn.PartSpec(3, Paths(2)), readout=ckn.Transport(2))
    assert "graph 1 of 18" in looked_over(transport.attention(of_rings, RINGS, 1))
    images = np.random.default_rng(0).random((9, 6, 6, 1))
    architecture = ckn.Architecture((ckn.LayerSpec(4, 3),), ckn.Transport(2))
    of_images = ckn.fit_unsupervised(architecture, images, rng=0)
    assert "image 8 of 9; 2 references" in looked_over(transport.attention(of_images, images, 8))
    with pytest.raises(IndexError, match="number: expected 0 to 8, got 9"):
        transport.attention(of_images, images, 9)


def test_attention_over_images() -> None:
    plan = np.random.default_rng(0).random((1, 12, 14))
    image = np.random.default_rng(1).random((9, 12, 3))
    assert "the first 12 of 14 references" in looked_over(transport.over_grid(plan, (3, 4), image))
    assert looked_over(transport.over_grid(plan[:, :, :3].repeat(2, axis=0), (3, 4)))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: transport.heat_maps(np.zeros((3, 4))), r"plan: expected \(heads, T, p\)"),
        (lambda: transport.heat_maps(np.zeros((1, 3, 4)), "ACGT"), r"elements: expected 3, .*got 4"),
        (lambda: transport.over_grid(np.zeros((1, 12, 4)), (3, 3)), r"grid: .*12 elements of the plan, got \(3, 3\)"),
        (lambda: transport.attention(ckn.Network(()), WORDS), "network: expected one with a transport pool"),
        (lambda: sequences.filters(ckn.Network(())), "network: expected one on strings"),
        (lambda: graphs.filters(ckn.Network(())), "network: expected one on graphs"),
        (lambda: series.filters(ckn.Network(())), "network: expected one on series"),
        (lambda: graphs.motifs(fitted(RINGS, ckn.PartSpec(2, Paths(2))), WORDS), "x: expected graphs, got Strings"),
    ],
)
def test_what_is_wrong_is_named(draw: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        draw()

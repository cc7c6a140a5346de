"""Pictures of networks on graphs: the labels that filters look for, the paths that excite them, and where these are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Wedge

from ckn.layers.embedding import Labels, Vectors
from ckn.pictures.common import COLOURS, INK, SOFT, WIDTH, Numbers, bare, head, of_all, sheet, short, sizes_of
from ckn.pictures.excited import (
    Head,
    among,
    bare_layer,
    called,
    first_filters,
    layers_of,
    looked_at,
    numbered,
    peaks,
    reach,
    responses,
    sees_items,
    strengths,
    strongest,
    together,
)
from kerneltools.backend import to_host
from kerneltools.patches.parts import NOTHING
from kerneltools.structures import Graph, Graphs

Names = Mapping[int, str] | Sequence[str] | None
"""What labels are called, by their numbers; None: their numbers."""

ATOMS: Mapping[str, str] = {
    "C": "#5f5f5f",
    "N": "#0072b2",
    "O": "#d55e00",
    "H": "#d9d9d9",
    "S": "#e69f00",
    "P": "#f0b27a",
    "F": "#7fcdbb",
    "Cl": "#009e73",
    "Br": "#8b4513",
    "I": "#7a5195",
}
"""As chemists are used to, in shades that are told apart by all kinds of colour vision."""

OTHER = "#b5b5b5"
"""Of labels beyond those that have a colour of their own: what is written in nodes tells them apart."""

LEGEND = 0.7
"""Inches."""

FADED = 0.72
"""How far what is beside the path fades into white."""

BLANK = "#5f5f5f"
"""Of nodes without labels."""

MARKER = "#ffd92f"
"""Of the path, as with a highlighter: no label has it."""

SMALL, LEGIBLE = 0.045, 0.065
"""Inches: the least radius of a node, and of one that has its label written in it."""


@dataclass(frozen=True)
class Chain:
    """A kind of path: the `labels` of its nodes, -1 for missing ones, the greatest `response`, its frequency."""

    labels: tuple[int, ...]
    response: float
    count: int


@dataclass(frozen=True)
class Look:
    """The look of labels: `names` and `colours` by their numbers."""

    names: Mapping[int, str]
    colours: Mapping[int, Any]

    @classmethod
    def of(cls, labels: Sequence[int], names: Names) -> "Look":
        """Elements of chemistry in their usual colours; other labels in a colour each for the first 21."""
        pairs = names if isinstance(names, Mapping) else dict(enumerate(names or ()))
        called = {label: short(pairs.get(label, label), 12) for label in labels}
        if names is not None and set(called.values()) <= set(ATOMS):
            return cls(called, {label: ATOMS[name] for label, name in called.items()})
        light, dark = (tuple(_towards(end, colour, 0.5) for colour in COLOURS) for end in (1.0, 0.0))
        shades = (*COLOURS, *light, *dark)
        return cls(called, {label: shades[i] if i < len(shades) else OTHER for i, label in enumerate(labels)})


def filters(network: Any, names: Names = None, most: int = 24, layer: int | None = None) -> Figure:
    """The filters of a network on graphs with labels as chains of nodes: the first `most` of those that see the nodes.

    network -> figure; heat maps where nodes have attributes. `names`: what labels are called. `layer`: one of several
    that are beside each other; None: all. Raises TypeError for a network on something else, ValueError for a layer that
    does not see nodes as they are.
    """
    held = _embedding(network)
    shown, layers, said = first_filters(network, layer, most)
    found = [to_host(bare_layer(network, at).filters[number, :, :]) for at, number in shown]
    titles = [", ".join(called(network, layers, at, number)) for at, number in shown]
    if isinstance(held, Labels):
        return mixtures(found, held.labels, names, titles, said)
    return heat_maps(found, titles, said)


def motifs(
    network: Any,
    x: Graphs,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    names: Names = None,
    layer: int | None = None,
    most: int = 8,
    each: int = 4,
) -> Figure:
    """The paths in the data that excite the strongest filters most, as chains of labelled nodes.

    network, (n,) graphs -> figure. `weights` (features,) or (features, classes): of a head, whose scores
    the strongest filters move most; without them, the strongest are those whose features differ most between graphs.
    `classes` and `names`: what classes and labels are called. `layer`: from 1 on; None: the last, or
    those beside each other at the end. `each`: kinds of
    paths for each filter. Graphs without labels, and layers that see single nodes of what lower ones have made, have no
    such chains: what is drawn are their `places`. Raises TypeError for other than graphs, ValueError for a layer that
    is not there and for weights of other sizes.
    """
    _embedding(network)
    labels, layers = _labels(x), layers_of(network, layer)
    if labels is None or not (sees_items(network, layers[0]) or _longest(network, layers) > 1):
        return places(network, x, weights, classes, names, layer, min(most, 6))
    some = looked_at(x)
    rows = found_chains(network, some, weights, classes, layer, most, each)
    which = strongest(network, layers, len(rows), weights)
    said = f"{which}; below each path its response, and how often it is in {among(len(some), len(x), 'graphs')}"
    return chains(rows, _held(network, labels), names, said)


def found_chains(
    network: Any,
    x: Graphs,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    layer: int | None = None,
    most: int = 8,
    each: int = 4,
) -> list[tuple[str, Numbers | None, list[Chain]]]:
    """The content of `motifs`, for all given graphs, which have labels: words, filter or None, chains"""
    labels, layers = _labels(x), layers_of(network, layer)
    if labels is None:
        raise ValueError(f"x: expected graphs with labels of nodes, got {x!r:.80}")
    pieces, told = [peaks(network, x, at) for at in layers], Head.of(network, x, weights)
    strong, which = strengths(network, layers, pieces, told), numbered(network, layers)
    shown = [which[one] for one in np.argsort(-strong, kind="stable")[:most].tolist()]
    found = {at: _kinds_of(network, x, at, labels, [j for layer, j in shown if layer == at]) for at in layers}
    rows = []
    for at, number in shown:
        kinds, greatest, counts, columns = found[at]
        values = greatest[:, columns.index(number)]
        best = np.argsort(-values, kind="stable")[:each].tolist()
        strong_ones = [Chain(tuple(kinds[k].tolist()), float(values[k]), int(counts[k])) for k in best]
        filter_ = to_host(bare_layer(network, at).filters[number, :, :]) if _drawn(network, at) else None
        notes = (*called(network, layers, at, number), told.speaks(network, at, number, classes))
        rows.append(("\n".join(filter(None, notes)), filter_, strong_ones))
    return rows


def places(
    network: Any,
    x: Graphs,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    names: Names = None,
    layer: int | None = None,
    most: int = 6,
) -> Figure:
    """For the strongest filters, the graph in the data with the path that excites it most, and the path in it.

    network, (n,) graphs -> figure; arguments as for `motifs`. Needs networkx. What lower layers have seen from the path
    is in full colours too. A graph is shown once where others have as strong a path.
    """
    _embedding(network)
    labels, layers, some = _labels(x), layers_of(network, layer), looked_at(x)
    pieces = [peaks(network, some, at) for at in layers]
    found, which = together(pieces), numbered(network, layers)
    told = Head.of(network, some, weights)
    strong = strengths(network, layers, pieces, told)
    panels: list[tuple[str, Graph, Numbers, set[int]]] = []
    taken: set[int] = set()
    for one in np.argsort(-strong, kind="stable")[:most].tolist():
        at, number = which[one]
        values = found.values[:, one]
        as_strong = np.flatnonzero(values >= values.max() - 1e-9 * abs(values.max())).tolist()
        graph = min(as_strong, key=lambda i: (i in taken, some.sizes[i]))
        taken.add(graph)
        notes = (*called(network, layers, at, number), told.speaks(network, at, number, classes))
        path = found.places[graph, one][found.places[graph, one] != NOTHING]
        seen = reach(network, some[[graph]], at, path.tolist())
        panels.append((", ".join(filter(None, notes)), some[graph], path, seen))
    what = "path" if _longest(network, layers) > 1 else "node"
    said = f"{strongest(network, layers, len(panels), weights)}, in a graph with the strongest {what} (yellow)"
    said += "" if sees_items(network, layers[0]) else "; in full colour what that has seen"
    return graphs(panels, _held(network, labels), names, said)


def mixtures(
    found: Sequence[Numbers],
    labels: Sequence[int],
    names: Names = None,
    titles: Sequence[str] | None = None,
    said: str | None = None,
) -> Figure:
    """Filters as chains of nodes divided by the mix of labels; labels that they reject are hatched.

    m of (k, labels) -> figure; `titles` of the filters; `said`: which they are, in words
    """
    look, k = Look.of(labels, names), max(map(len, found))
    columns = int(np.clip(20 // (k + 1), 1, 6))
    figure, panels = sheet(-(-len(found) // columns), columns, 0.72, below=LEGEND)
    for number, axes in enumerate(panels.flat):
        _blank(axes, k)
        if number < len(found):
            _draw_mixture(axes, found[number], labels, look)
            axes.set_title(titles[number] if titles else f"filter {number + 1}", fontsize=8, color=SOFT, pad=1)
    which = of_all(len(found), len(found)) if said is None else said
    head(figure, "What the filters look for", f"{which}, paths of {sizes_of(found, 'node')} by their labels")
    _legend(figure, look, labels)
    return figure


def heat_maps(found: Sequence[Numbers], titles: Sequence[str] | None = None, said: str | None = None) -> Figure:
    """Filters of attributes as heat maps: a column for each node of a path, a row for each attribute.

    m of (k, d) -> figure; `titles` of the filters; `said`: which they are, in words
    """
    k, d, columns = max(map(len, found)), found[0].shape[1], 6
    height = float(np.clip(0.1 * d + 0.4, 0.9, 3.0))
    figure, panels = sheet(-(-len(found) // columns), columns, height, below=0.3, sharex=True, sharey=True)
    greatest = max(float(np.abs(one).max()) for one in found) or 1.0
    for number, axes in enumerate(panels.flat):
        if number >= len(found):
            axes.set_axis_off()
            continue
        extent = (0.5, len(found[number]) + 0.5, d + 0.5, 0.5)
        axes.imshow(found[number].T, cmap="RdBu_r", vmin=-greatest, vmax=greatest, aspect="auto", extent=extent)
        axes.set_title(titles[number] if titles else f"filter {number + 1}", fontsize=8, color=SOFT, pad=2)
        axes.set_xticks(range(1, k + 1))
        axes.locator_params(axis="y", nbins=4, integer=True)
        bare(axes)
        axes.tick_params(labelsize=7, pad=1)
    panels[0, 0].set_xlim(0.5, k + 0.5)
    for axes in panels[:, 0]:
        axes.set_ylabel("attribute", fontsize=8, color=SOFT)
    figure.supxlabel("node of the path", fontsize=9, color=SOFT)
    which = of_all(len(found), len(found)) if said is None else said
    words = f"{which}, paths of {sizes_of(found, 'node')} with {d} attributes; blue < 0 < red"
    head(figure, "What the filters look for", words)
    return figure


def chains(
    rows: Sequence[tuple[str, Numbers | None, Sequence[Chain]]], labels: Sequence[int], names: Names, said: str
) -> Figure:
    """Rows of a filter and of the kinds of paths that excite it most, the strongest first.

    (words, filter (k, labels) or None, chains) -> figure; `said`: in grey below the title
    """
    look, columns = Look.of(labels, names), max(len(found) for _, _, found in rows)
    k = max((len(chain.labels) for _, _, found in rows for chain in found), default=1)
    with_filters = any(filter_ is not None for _, filter_, _ in rows)
    columns = min(max(columns, 4), max(1, 30 // (k + 1) - with_filters))
    figure, panels = sheet(len(rows), columns + with_filters, 0.78, below=LEGEND)
    for (words, filter_, found), row in zip(rows, panels, strict=True):
        for axes in row:
            _blank(axes, k, below=0.55)
        if filter_ is not None:
            _draw_mixture(row[0], filter_, labels, look)
        for chain, axes in zip(found, row[int(with_filters) :], strict=False):
            _draw_chain(axes, chain, look)
        row[0].text(-0.75, 0.0, words, fontsize=8, color=INK, ha="right", va="center", parse_math=False)
    if with_filters:
        panels[0, 0].set_title("the filter", fontsize=8.5, color=SOFT, pad=3)
    panels[0, int(with_filters)].set_title("strongest path", fontsize=8.5, color=SOFT, pad=3)
    head(figure, "Paths in the data that excite filters most", said)
    _legend(figure, look, labels)
    return figure


def graphs(
    panels: Sequence[tuple[str, Graph, Numbers, set[int]]],
    labels: Sequence[int],
    names: Names,
    said: str,
    seed: int = 0,
) -> Figure:
    """Whole graphs with a path in each of them.

    (words, graph, nodes of the path (w,), nodes in full colours) -> figure; `seed`: of the layout
    """
    look = Look.of(labels, names)
    columns = min(max(len(panels), 2), 3 if max(graph.nodes for _, graph, *_ in panels) <= 30 else 2)
    size = (WIDTH / columns - 0.15, min(2.1, 0.8 * WIDTH / columns))
    figure, axes = sheet(-(-len(panels) // columns), columns, size[1] + 0.25, below=LEGEND)
    for at, place in enumerate(axes.flat):
        place.set_axis_off()
        if at < len(panels):
            words, graph, path, seen = panels[at]
            _draw_graph(place, graph, path, seen, look, seed, size)
            place.set_title(words, fontsize=9, color=INK, pad=3)
    head(figure, "Where the strongest paths are", said)
    _legend(figure, look, labels)
    return figure


def layout(graph: Graph, seed: int = 0) -> Numbers:
    """Where to draw the nodes: the longest direction is horizontal, and separate pieces are side by side.

    v nodes -> (v, 2), edges are about 1 long. Raises ImportError without networkx.
    """
    try:
        import networkx
    except ImportError as error:
        raise ImportError(
            "networkx, which lays graphs out, is not installed; install it with: pip install 'kerneltools[structures]'"
        ) from error
    whole = networkx.Graph()
    whole.add_nodes_from(range(graph.nodes))
    whole.add_edges_from(np.asarray(graph.edges).reshape(-1, 2).tolist())
    found, right = np.zeros((graph.nodes, 2)), 0.0
    for piece in networkx.connected_components(whole):
        nodes = sorted(piece)
        held = _laid(networkx, whole.subgraph(nodes), nodes, seed)
        found[nodes] = held - held.min(axis=0) * [1, 0] + [right, 0.0]
        right = float(found[nodes, 0].max()) + 1.2
    return found


def _laid(networkx: Any, piece: Any, nodes: Sequence[int], seed: int) -> Numbers:
    if len(nodes) == 1:
        return np.zeros((1, 2))
    start = networkx.spring_layout(piece, seed=seed)
    # Springs of all distances: rings become round. For large graphs these are too many.
    places = networkx.kamada_kawai_layout(piece, pos=start) if len(nodes) <= 150 else start
    held = np.asarray([places[node] for node in nodes], dtype=np.float64)
    number = {node: i for i, node in enumerate(nodes)}
    ends = np.asarray([(number[a], number[b]) for a, b in piece.edges])
    held = held - held.mean(axis=0)
    held = held / max(float(np.median(np.linalg.norm(held[ends[:, 0]] - held[ends[:, 1]], axis=1))), 1e-9)
    turn = np.linalg.svd(held, full_matrices=False)[2]
    return np.asarray(held @ turn.T)


def _kinds_of(
    network: Any, x: Graphs, layer: int, labels: Numbers, shown: list[int]
) -> tuple[Numbers, Numbers, Numbers, list[int]]:
    """The `_kinds` of the paths that a layer sees, with the values of the filters shown."""
    with_nothing = np.append(labels, NOTHING)
    every = [
        _kinds(with_nothing[f.places], f.values[:, shown], np.ones(len(f.places))) for f in responses(network, x, layer)
    ]
    return *_kinds(*(np.concatenate(pieces) for pieces in zip(*every, strict=True))), shown


def _longest(network: Any, layers: Sequence[int]) -> int:
    """The most items that filters of these layers see."""
    return max(int(bare_layer(network, at).filters.shape[1]) for at in layers)


def _kinds(labels: Numbers, values: Numbers, times: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Distinct paths by the labels of their nodes, the greatest values of each, and how often it occurs.

    (P, k), (P, m), (P,) -> (kinds, k), (kinds, m), (kinds,)
    """
    kinds, inverse = np.unique(labels, axis=0, return_inverse=True)
    greatest = np.full((len(kinds), values.shape[1]), -np.inf)
    np.maximum.at(greatest, inverse.reshape(-1), values)
    return kinds, greatest, np.bincount(inverse.reshape(-1), times, minlength=len(kinds))


def _draw_graph(
    axes: Axes, graph: Graph, path: Numbers, seen: set[int], look: Look, seed: int, size: tuple[float, float]
) -> None:
    """Draw a graph in a panel of that size in inches."""
    where = layout(graph, seed)
    low, high = where.min(axis=0) - 0.7, where.max(axis=0) + 0.7
    # Inches for an edge: no more than a third, for small graphs.
    scale = min(1 / 3, size[0] / float(high[0] - low[0]), size[1] / float(high[1] - low[1]))
    radius = max(0.36, SMALL / scale)
    ends = np.asarray(graph.edges).reshape(-1, 2)
    consecutive = {frozenset(pair) for pair in zip(path[:-1].tolist(), path[1:].tolist(), strict=True)}
    on = np.asarray([frozenset(pair) in consecutive for pair in ends.tolist()], dtype=bool)
    axes.add_collection(LineCollection(list(where[ends]), colors="#c9c9c9", linewidths=1.3, zorder=1))
    axes.add_collection(LineCollection(list(where[ends[on]]), colors=MARKER, linewidths=9.0, zorder=1.5))
    axes.add_collection(LineCollection(list(where[ends[on]]), colors=INK, linewidths=1.6, zorder=1.6))
    if graph.directed:
        _draw_arrows(axes, where[ends], radius, scale)
    labels = [NOTHING] * graph.nodes if graph.labels is None else np.asarray(graph.labels).tolist()
    inside = set(path.tolist())
    for node, (label, place) in enumerate(zip(labels, where, strict=True)):
        colour = look.colours.get(label, BLANK)
        shade = colour if node in inside or node in seen else _towards(1.0, colour, FADED)
        here = max(radius, LEGIBLE / scale) if node in inside else radius
        if node in inside:
            axes.add_patch(Circle(place, here + 0.06 / scale, facecolor=MARKER, edgecolor="none", zorder=1.5))
        edge = INK if node in inside else "white"
        axes.add_patch(Circle(place, here, facecolor=shade, edgecolor=edge, linewidth=0.8, zorder=3))
        if here * scale >= LEGIBLE:
            _write(axes, place, look.names.get(label, ""), shade, min(8.0, 90 * here * scale))
    middle, half = (low + high) / 2, np.asarray(size) / (2 * scale)
    axes.set_xlim(middle[0] - half[0], middle[0] + half[0])
    axes.set_ylim(middle[1] - half[1], middle[1] + half[1])
    axes.set_aspect("equal")


def _draw_arrows(axes: Axes, lines: Numbers, radius: float, scale: float) -> None:
    shrink = 72 * radius * scale
    for tail, tip in lines:
        style = {"arrowstyle": "-|>", "color": "#8c8c8c", "shrinkA": shrink, "shrinkB": shrink, "linewidth": 0.8}
        axes.annotate("", tip, tail, arrowprops=style, zorder=2)


def _draw_chain(axes: Axes, chain: Chain, look: Look) -> None:
    there = [place for place, label in enumerate(chain.labels) if label != NOTHING]
    axes.plot(there, [0.0] * len(there), color="#8c8c8c", linewidth=2.0, zorder=1)
    for place in there:
        label = chain.labels[place]
        axes.add_patch(Circle((place, 0), 0.36, facecolor=look.colours[label], edgecolor="white", zorder=2))
        _write(axes, (place, 0), look.names[label], look.colours[label], 8.0)
    middle = (len(chain.labels) - 1) / 2
    words = f"{chain.response:.2f}, {chain.count:,} times" if chain.count > 1 else f"{chain.response:.2f}, once"
    axes.text(middle, -0.52, words, ha="center", va="top", fontsize=7, color=SOFT)


def _draw_mixture(axes: Axes, filter_: Numbers, labels: Sequence[int], look: Look) -> None:
    k = len(filter_)
    axes.plot([0, k - 1], [0.0, 0.0], color="#8c8c8c", linewidth=2.0, zorder=1)
    for place, entries in enumerate(filter_):
        size = np.abs(entries)
        share = size / size.sum() if size.sum() > 0 else size
        begin = 90.0
        for number in np.argsort(-share, kind="stable").tolist():
            end = begin - 360.0 * float(share[number])
            piece = Wedge((place, 0), 0.36, end, begin, facecolor=look.colours[labels[number]], zorder=2)
            if entries[number] < 0:
                piece.set(hatch="/////", edgecolor="white")
            axes.add_patch(piece)
            begin = end
        first = int(np.argmax(entries))
        if share[first] > 0.8 and entries[first] > 0:
            _write(axes, (place, 0), look.names[labels[first]], look.colours[labels[first]], 8.0)


def _write(axes: Axes, place: Any, name: str, colour: Any, size: float) -> None:
    """Write text in a node, in white or black, short enough to be read."""
    red, green, blue = to_rgb(colour)
    dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.6
    shown = name if len(name) <= 3 else name[:2] + "…"
    axes.text(
        float(place[0]),
        float(place[1]),
        shown,
        ha="center",
        va="center",
        fontsize=size if len(shown) < 3 else 0.8 * size,
        color="white" if dark else INK,
        zorder=4,
        parse_math=False,
    )


def _blank(axes: Axes, k: int, below: float = 0.0) -> None:
    axes.set_xlim(-0.6, max(k, 2) - 0.4)
    axes.set_ylim(-0.5 - below, 0.5)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _legend(figure: Figure, look: Look, labels: Sequence[int]) -> None:
    """The labels that have colours of their own, and how many have none."""
    if not labels:
        return
    own = [label for label in labels if look.colours[label] != OTHER]
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=8, color=look.colours[label], label=look.names[label])
        for label in own
    ]
    if len(own) < len(labels):
        words = f"{len(labels) - len(own)} others"
        handles.append(Line2D([], [], linestyle="none", marker="o", markersize=8, color=OTHER, label=words))
    longest = max(len(str(handle.get_label())) for handle in handles)
    legend = figure.legend(
        handles=handles,
        title="labels of nodes",
        loc="outside lower center",
        ncols=min(len(handles), max(1, 90 // (longest + 5))),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        handletextpad=0.1,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _towards(end: float, colour: Any, share: float) -> tuple[float, float, float]:
    """A colour mixed with a share of black (0) or white (1)."""
    red, green, blue = (1 - share) * np.asarray(to_rgb(colour)) + share * end
    return float(red), float(green), float(blue)


def _drawn(network: Any, layer: int) -> bool:
    """Whether filters of the layer are for labels."""
    return sees_items(network, layer) and isinstance(network.embedding, Labels)


def _embedding(network: Any) -> Any:
    found = getattr(network, "embedding", None)
    if not isinstance(found, Labels) and not (isinstance(found, Vectors) and found.of_graphs):
        raise TypeError(f"network: expected one on graphs, got one with the embedding {found!r:.60}")
    return found


def _held(network: Any, labels: Numbers | None) -> Sequence[int]:
    """The labels that have a place in the network, and those of the data."""
    known = network.embedding.labels if isinstance(network.embedding, Labels) else ()
    return [*known, *sorted(set([] if labels is None else np.unique(labels).tolist()) - set(known))]


def _labels(x: Any) -> Numbers | None:
    if not isinstance(x, Graphs):
        raise TypeError(f"x: expected graphs, got {x!r:.80}")
    return None if x.labels is None else np.asarray(x.labels)

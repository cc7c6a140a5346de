"""What excites the filters of a layer: how much, and where in the objects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ckn.layers.parts import channels
from ckn.layers.readouts import Standardised
from ckn.pictures.common import Numbers, of_all, short
from ckn.pictures.gaps import best_with_gaps
from kerneltools.arrays import blocks, evenly
from kerneltools.backend import to_host
from kerneltools.patches import Elements, Extractor, GappedKernel, Parts, PositionPool, Windows
from kerneltools.patches.parts import NOTHING
from kerneltools.structures import Graphs, count, take

BATCH = 64
"""Most objects whose responses are made at a time."""

GAPPED_BATCH = 16
"""The same, where gaps are allowed, of all letters at once."""

CLEAR = 0.2
"""The least correlation with the scores of a class for which a filter is said to speak."""

OBJECTS = 2000
"""Most objects that a picture looks at."""


@dataclass(frozen=True, eq=False)
class Responses:
    """The responses of a layer's filters to all parts of some objects.

    `values` (P, m); `places` (P, w): the items of the objects as they came in that each part sees, numbered through all
    objects, -1 for nothing; `objects` (P,): which of all each part is of, in their order; `numbers`: which these are.
    """

    values: Numbers
    places: Numbers
    objects: Numbers
    numbers: range


@dataclass(frozen=True, eq=False)
class Peaks:
    """For each of n objects and m filters, the part that excites it most.

    `values` (n, m), -inf where an object has no part; `places` (n, m, w), the items that the part sees, numbered within
    the object, -1 for nothing.
    """

    values: Numbers
    places: Numbers

    @property
    def spans(self) -> tuple[Numbers, Numbers]:
        """The first item of each part, and that behind the last: (n, m), (n, m)"""
        there = self.places != NOTHING
        first = np.where(there, self.places, np.iinfo(self.places.dtype).max).min(axis=2)
        return np.where(there.any(axis=2), first, 0), self.places.max(axis=2) + 1

    def best(self, count: int) -> Numbers:
        """The objects in which each filter responds most, in falling order: (m, count)"""
        return np.argsort(-self.values, axis=0, kind="stable")[:count].T


def responses(network: Any, x: Any, layer: int) -> Iterator[Responses]:
    """The responses to all objects, as many at a time as the network takes, at most `BATCH`. `layer`: 0: the first."""
    batch = min(BATCH, network.batch_for(x)) if count(x) else BATCH
    below = _one_strand(network.prepare(), layer)
    for rows in blocks(count(x), batch):
        numbers = range(rows.start, min(rows.stop, count(x)))
        found = _responses(below, bare_layer(network, layer), x[rows])
        start = int(x.offsets[numbers.start])
        places = np.where(found.places == NOTHING, NOTHING, found.places + start)
        yield Responses(found.values, places, found.objects + numbers.start, numbers)


def peaks(network: Any, x: Any, layer: int) -> Peaks:
    """The peaks of all objects. Raises ValueError if none has a part."""
    if isinstance(bare_layer(network, layer).kernel, GappedKernel):
        below, batch = _one_strand(network.prepare(), layer), min(GAPPED_BATCH, network.batch_for(x))
        found = [_gapped(below, bare_layer(network, layer), x[rows]) for rows in blocks(count(x), batch)]
        pieces = [Peaks(np.where(ends > 0, ends, -np.inf).max(axis=1, initial=-np.inf), at) for ends, at in found]
    else:
        pieces = [_peaks(found, x.offsets) for found in responses(network, x, layer)]
    if not any(np.isfinite(piece.values).any() for piece in pieces):
        raise ValueError(f"x: none of {x!r:.80} has a part that layer {layer + 1} sees; there is nothing to draw")
    width = max(piece.places.shape[2] for piece in pieces)
    wide = [_widened(piece.places, width) for piece in pieces]
    return Peaks(np.concatenate([piece.values for piece in pieces]), np.concatenate(wide))


def looked_at(x: Any, most: int = OBJECTS) -> Any:
    """The objects, or `most` of them, evenly spaced."""
    return x if count(x) <= most else take(x, evenly(count(x), most))


def together(pieces: Sequence[Peaks]) -> Peaks:
    """The responses of several layers' filters, one layer after the other."""
    width = max(piece.places.shape[2] for piece in pieces)
    wide = [_widened(piece.places, width) for piece in pieces]
    return Peaks(np.concatenate([piece.values for piece in pieces], axis=1), np.concatenate(wide, axis=1))


def numbered(network: Any, layers: Sequence[int]) -> list[tuple[int, int]]:
    """The layer and the number, from 0, of each of their filters."""
    return [(at, number) for at in layers for number in range(int(bare_layer(network, at).filters.shape[0]))]


def called(network: Any, layers: Sequence[int], layer: int, number: int) -> tuple[str, ...]:
    """The name of a filter among those of several layers, in lines."""
    name = f"filter {number + 1}"
    if len(layers) == 1:
        return (name,)
    dilations = [dilation_of(network, at) for at in layers]
    apart = len(set(dilations)) == len(dilations)
    return (name, f"dilation {dilation_of(network, layer)}" if apart else f"layer {layer + 1}")


def dilation_of(network: Any, layer: int) -> int:
    """The distance between successive items that a window sees."""
    parts = getattr(bare_layer(network, layer), "parts", None)
    return parts.dilation if isinstance(parts, Windows) else 1


@dataclass(frozen=True, eq=False)
class Head:
    """The head's view of objects: their `features` (n, features), and its `weights` (features, classes), or None."""

    features: Numbers
    weights: Numbers | None

    @classmethod
    def of(cls, network: Any, x: Any, weights: Any = None) -> "Head":
        """A head with weights (features,) or (features, classes). Raises ValueError for other sizes."""
        if weights is None and isinstance(network.readout, Standardised):  # after which all differ as much
            network = replace(network, readout=network.readout.readout)
        features = np.asarray(to_host(network.encode(x)), dtype=np.float64)
        return cls(features, None if weights is None else _weights(weights, features.shape[1]))

    def speaks(self, network: Any, layer: int, number: int, classes: Sequence[str] | None) -> str:
        """The class that a filter speaks for, if it is clear: the one whose scores correlate most with its features.

        Weights of single filters do not say it: those of filters that are alike may be of both signs.
        """
        if self.weights is None or classes is None:
            return ""
        scores = self.features @ self.weights
        scores = np.concatenate([-scores, scores], axis=1) if scores.shape[1] == 1 else scores
        along = _standard(self.features).T @ _standard(scores) / len(scores)
        mean = _of_filters(network, layer, along)[:, number, :].mean(axis=0)
        clear = len(mean) == len(classes) and mean.max() >= CLEAR
        return f"for {short(classes[int(mean.argmax())], 16)}" if clear else ""


def _standard(values: Numbers) -> Numbers:
    """Columns with mean 0 and variance 1; constant ones become 0."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, np.inf))


def strengths(network: Any, layers: Sequence[int], pieces: Sequence[Peaks], head: Head) -> Numbers:
    """How much each filter of these layers moves the scores of a head: the spread of its features times their weights.

    (M,). A readout makes one or several blocks of a number for each filter. Without weights, the spread alone. Below
    the last layer, what spreads is the greatest response in each object, and there are no weights. Raises ValueError
    for weights of a lower layer.
    """
    return np.concatenate([_strengths(network, at, piece, head) for at, piece in zip(layers, pieces, strict=True)])


def _strengths(network: Any, layer: int, found: Peaks, head: Head) -> Numbers:
    if layer < len(network.layers) - len(network.widths[-1]):
        if head.weights is not None:
            raise ValueError(f"weights: they are of the features, and say nothing of layer {layer + 1}; leave them out")
        return np.asarray(np.where(np.isfinite(found.values), found.values, 0.0).std(axis=0))
    spread = head.features.std(axis=0)[:, None]
    moved = spread if head.weights is None else spread * head.weights
    return np.asarray(np.linalg.norm(_of_filters(network, layer, moved), axis=(0, 2)))


def _of_filters(network: Any, layer: int, features: Numbers) -> Numbers:
    """For each filter of a last layer, the features that a readout makes: (features, c) -> (blocks, m, c)

    Raises ValueError for a readout that makes other numbers.
    """
    widths, m = network.widths[-1], int(network.bare_layers[layer].filters.shape[0])
    number = layer - (len(network.layers) - len(widths))
    start, end = sum(widths[:number]), sum(widths[: number + 1])
    if len(features) % sum(widths):
        raise ValueError(f"network: its readout makes {len(features)} features, which are no blocks of {m} filters")
    ours = features.reshape(-1, sum(widths), features.shape[1])[:, start:end, :]
    return np.asarray(ours.reshape(-1, m, features.shape[1]))


def _weights(weights: Any, features: int) -> Numbers:
    """(features, classes), or (features, 1)"""
    host = np.asarray(to_host(weights), dtype=np.float64)
    if host.ndim not in (1, 2) or len(host) != features:
        raise ValueError(f"weights: expected ({features},) or ({features}, classes), got shape {host.shape}")
    return host.reshape(features, -1)


def strongest(network: Any, layers: Sequence[int], shown: int, weights: Any) -> str:
    """Which filters are shown, in words."""
    which = "whose features differ most" if weights is None else "that move the scores most"
    whole, of = len(numbered(network, layers)), of_layers(network, layers)
    return f"the only filter{of}" if whole == 1 else f"{shown} of {whole} filters{of}, those {which}"


def of_layers(network: Any, layers: Sequence[int]) -> str:
    """The layers that they are of, in words, if there are several."""
    if len(layers) > 1:
        return f" of {len(layers)} layers beside each other"
    return f" of layer {layers[0] + 1} of {len(network.layers)}" if len(network.layers) > 1 else ""


def first_filters(network: Any, layer: int | None, most: int) -> tuple[list[tuple[int, int]], tuple[int, ...], str]:
    """Which filters of the layers that see the items of objects are shown, of which layers, and that in words.

    `layer`: from 1; None: all that are beside each other, as many of each. Raises ValueError for another layer.
    """
    last = len(network.stages[0]) if network.layers else 0
    if last == 0 or (layer is not None and not 1 <= layer <= last):
        raise ValueError(f"layer: expected 1{f' to {last}' if last > 1 else ''}, which sees the data, got {layer}")
    layers = tuple(range(last)) if layer is None else (layer - 1,)
    whole, each = numbered(network, layers), max(1, most // len(layers))
    shown = [(at, number) for at, number in whole if number < each]
    of = of_layers(network, layers)
    if len(layers) == 1 or len(shown) == len(whole):
        return shown, layers, of_all(len(shown), len(whole), of)
    return shown, layers, f"the first {each} of each of {len(layers)} layers beside each other, {len(whole)} filters"


def among(some: int, whole: int, objects: str) -> str:
    """How many objects were looked at, in words."""
    return f"{some:,} {objects}" if some == whole else f"{some:,} of {whole:,} {objects}"


def distinct(found: Peaks, order: Sequence[int], best: Numbers, most: int) -> list[tuple[int, list[int]]]:
    """At most so many filters, in order, each with the later ones that see the same places, which are left out.

    `best` (m, c): the objects in which each filter responds most. Two see the same where, in more than half of these,
    what they see overlaps by more than half.
    """
    first, behind = found.spans
    chosen: list[tuple[int, list[int]]] = []
    for one in order:
        rows = best[one]
        begins, ends = first[rows, one], behind[rows, one]
        for other, alike in chosen:
            shared = np.minimum(ends, behind[rows, other]) - np.maximum(begins, first[rows, other])
            if (2 * shared > ends - begins).mean() > 0.5:
                alike.append(one)
                break
        else:
            if len(chosen) < most:
                chosen.append((one, []))
    return chosen


def layers_of(network: Any, layer: int | None) -> tuple[int, ...]:
    """The number of a layer, from 0; for None those of the last ones. Raises ValueError if it does not exist."""
    last = len(network.layers)
    if layer is None:
        return tuple(range(last - len(network.stages[-1]), last))
    if not 1 <= layer <= last:
        raise ValueError(f"layer: expected 1 to {last}, got {layer}")
    return (layer - 1,)


def sees_items(network: Any, layer: int) -> bool:
    """Whether a layer sees the items of the objects themselves, and not those of another layer."""
    return layer < len(network.stages[0])


def bare_layer(network: Any, layer: int) -> Any:
    """A layer without what its preparation computed."""
    return network.bare_layers[layer]


def spans_behind(network: Any, x: Any) -> tuple[Numbers, Numbers]:
    """The first and the last original item that each item after the last layer has seen: (N,), (N,)"""
    structure, first = x, np.arange(int(x.offsets[-1]))
    last = first
    if isinstance(x, Graphs):  # a node stays a node
        return first, last
    for stage in network.unprepared().stages:
        reached = [_behind(layer, structure, first, last) for layer in stage]
        first = np.min([low for low, _ in reached], axis=0)
        last = np.max([high for _, high in reached], axis=0)
        structure = stage[0].lay(structure, network.like)[1]
    return first, last


def reach(network: Any, x: Any, layer: int, items: Sequence[int]) -> set[int]:
    """What these items of one object have seen in the layers below: the numbers of original items."""
    structure, seen = x, [{number} for number in range(int(x.offsets[-1]))]
    for stage in network.below(layer).unprepared().stages:
        tables = [_parts(lower, structure) for lower in stage]
        found: list[set[int]] = [set() for _ in range(tables[0].owners)]
        for parts in tables:
            for index, owner in zip(parts.index.tolist(), parts.owner.tolist(), strict=True):
                found[owner].update(*(seen[item] for item in index if item != NOTHING))
        seen, structure = found, stage[0].lay(structure, network.like)[1]
    return set().union(*(seen[item] for item in items))


def _peaks(found: Responses, offsets: Numbers) -> Peaks:
    n, m, width = len(found.numbers), found.values.shape[1], found.places.shape[1]
    values = np.full((n, m), -np.inf)
    places = np.full((n, m, width), NOTHING, dtype=np.int64)
    ends = np.searchsorted(found.objects, np.arange(found.numbers.start, found.numbers.stop + 1))
    for row, number in enumerate(found.numbers):
        here = slice(int(ends[row]), int(ends[row + 1]))
        if here.start < here.stop:
            best = found.values[here].argmax(axis=0)
            values[row] = found.values[here][best, np.arange(m)]
            seen = found.places[here][best]
            places[row] = np.where(seen == NOTHING, NOTHING, seen - int(offsets[number]))
    return Peaks(values, places)


def _reached_by(below: Any, layer: Any, x: Any) -> tuple[Any, Any]:
    """The vectors that the layer sees, (N, d), and their structure."""
    below.embedding.check(x)
    if below.layers:
        found: tuple[Any, Any] = below.reached(x)
        return found
    return below.embedding(x, layer.filters)[: int(x.offsets[-1]), :], x


def _one_strand(network: Any, layer: int) -> Any:
    """The layers below one, for strings of one strand."""
    return replace(network.below(layer), strands=False)


def _responses(below: Any, layer: Any, x: Any) -> Responses:
    items, structure = _reached_by(below, layer, x)
    parts = _parts(layer, structure)
    if isinstance(layer.kernel, GappedKernel):
        # What ends at an item, with gaps, is told for the window that ends there.
        ends, size = _gapped(below, layer, x)[0], int(layer.filters.shape[1])
        objects = np.repeat(np.arange(count(x)), np.maximum(np.diff(structure.offsets) - size + 1, 0))
        values = ends[objects, parts.index[:, -1] - structure.offsets[objects]]
        return Responses(values, _places(below, x, parts), objects, range(count(x)))
    # Channels side by side, as of paths of several lengths, are seen one by one: the one that responds most counts.
    by_channel = [
        np.asarray(to_host(layer.kernel(channel, parts.index, layer.filters)), dtype=np.float64)
        for channel in channels(items, int(layer.filters.shape[2]))
    ]
    values = np.max(by_channel, axis=0)
    objects = np.asarray(np.searchsorted(parts.offsets, parts.owner, side="right")) - 1
    order = np.argsort(objects, kind="stable")
    places = _places(below, x, parts)
    return Responses(values[order], places[order], objects[order], range(count(x)))


def _places(below: Any, x: Any, parts: Parts) -> Numbers:
    """The original items that the parts of a layer have seen: (P, w)"""
    direct = not below.layers or isinstance(x, Graphs)  # a node stays a node
    return np.asarray(parts.index) if direct else _between(*_seen(parts, *spans_behind(below, x)))


def _gapped(below: Any, layer: Any, x: Any) -> tuple[Numbers, Numbers]:
    """The greatest response with gaps that ends at each item, and the items of the greatest: (n, T, m), (n, m, k)"""
    items, structure = _reached_by(below, layer, x)
    found = np.asarray(to_host(layer.kernel.responses(items, layer.filters)), dtype=np.float64)
    offsets = np.asarray(structure.offsets)
    lengths = np.diff(offsets)
    padded = np.zeros((len(lengths), int(lengths.max(initial=0)), *found.shape[1:]))
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = found
    ends, at = best_with_gaps(padded, float(layer.kernel.decay))
    if below.layers:
        first, last = spans_behind(below, x)
        starts = offsets[:-1][:, None, None]
        middle = ((first + last) // 2)[np.maximum(at, 0) + starts] - x.offsets[:-1][:, None, None]
        at = np.where(at == NOTHING, NOTHING, middle)
    return ends, at


def _parts(layer: Any, structure: Any) -> Parts:
    """The parts that a layer sees; for layers without a table of parts, windows as long as the filters."""
    extractor: Extractor = getattr(layer, "parts", None) or Windows(int(layer.filters.shape[1]))
    return extractor(structure)


def _widened(places: Numbers, width: int) -> Numbers:
    return np.asarray(np.pad(places, ((0, 0), (0, 0), (0, width - places.shape[2])), constant_values=NOTHING))


def _seen(parts: Parts, first: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
    """The first and the last item below that each part sees, -1 if it sees none: (P,), (P,)"""
    there = parts.index != NOTHING
    beyond = int(last.max(initial=0)) + 1
    low = np.where(there, first[parts.index], beyond).min(axis=1, initial=beyond)
    high = np.where(there, last[parts.index], NOTHING).max(axis=1, initial=NOTHING)
    return np.where(high == NOTHING, NOTHING, low), high


def _reached(parts: Parts, first: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
    """The same for each owner."""
    low, high = _seen(parts, first, last)
    least = np.full(parts.owners, np.iinfo(np.int64).max)
    greatest = np.full(parts.owners, NOTHING)
    np.minimum.at(least, parts.owner, np.where(low == NOTHING, np.iinfo(np.int64).max, low))
    np.maximum.at(greatest, parts.owner, high)
    return np.where(greatest == NOTHING, 0, least), greatest


def _behind(layer: Any, structure: Any, first: Numbers, last: Numbers) -> tuple[Numbers, Numbers]:
    """The same for each item that a layer makes of the structure's."""
    parts, pool = _parts(layer, structure), getattr(layer, "pool", None)
    reached = _reached(parts, first, last)
    return _reached(pool.positions(Elements()(parts)), *reached) if isinstance(pool, PositionPool) else reached


def _between(first: Numbers, last: Numbers) -> Numbers:
    """All items from the first to the last, followed by missing ones: (P,), (P,) -> (P, w)"""
    width = int((last - first + 1).max(initial=1))
    places = first[:, None] + np.arange(width)
    return np.where((first[:, None] != NOTHING) & (places <= last[:, None]), places, NOTHING)

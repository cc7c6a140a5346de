"""Pictures of networks on sequences: logos of filters, the sites that excite them, responses along a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log, log2
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from ckn.layers.embedding import Letters
from ckn.pictures.common import BLUE, INK, RED, SOFT, Numbers, bare, head, of_all, sheet, sizes_of
from ckn.pictures.excited import (
    Head,
    Peaks,
    among,
    bare_layer,
    called,
    distinct,
    first_filters,
    layers_of,
    looked_at,
    numbered,
    peaks,
    responses,
    sees_items,
    strengths,
    strongest,
    together,
)
from ckn.text import visible
from kerneltools.backend import to_host
from kerneltools.patches import Concatenated
from kerneltools.patches.parts import NOTHING
from kerneltools.structures import PROTEIN, Alphabet, Strings
from kerneltools.structures.strings import UNKNOWN

GREEN, YELLOW, PURPLE, CRIMSON = "#0f8a4a", "#e69f00", "#a05195", "#cc2936"

NUCLEOTIDES: Mapping[str, str] = {"A": GREEN, "C": BLUE, "G": YELLOW, "T": CRIMSON, "U": CRIMSON}
"""As everywhere: A green, C blue, G orange, T red."""

CHEMISTRY: Mapping[str, tuple[str, str]] = {
    "acidic": (RED, "DE"),
    "basic": (BLUE, "KRH"),
    "polar": (GREEN, "GSTYC"),
    "amide": (PURPLE, "QN"),
    "hydrophobic": (INK, "AVLIPWFM"),
}
"""The colours of amino acids, and which of them are what."""

LETTERS_UP_TO = 120
"""Most letters of a sequence for which a profile writes them out."""


STRANDS: Sequence[tuple[str, str, Any]] = (("this strand", BLUE, "-"), ("the other strand", RED, (0, (3, 1.5))))


@dataclass(frozen=True, eq=False)
class Motif:
    """What a filter looks for in sequences, and what it finds.

    `filter` (k, A); `letters` (count, w): what it sees where it responds most, as tokens, -1 for any; `places`
    (count,): where in its sequence each begins, 0 at the start and 1 at the end; `name`, and `notes` below it.
    """

    filter: Numbers
    letters: Numbers
    places: Numbers
    name: str
    notes: tuple[str, ...] = ()


def filters(network: Any, most: int = 32, layer: int | None = None) -> Figure:
    """The filters of a network on strings as sequence logos: the first `most` of those that see letters.

    network -> figure. `layer`: one of several that are beside each other; None: all. Raises TypeError for a network on
    something else, ValueError for a layer that does not see letters.
    """
    alphabet = _alphabet(network)
    shown, layers, said = first_filters(network, layer, most)
    held = [to_host(bare_layer(network, at).filters[number, :, :]) for at, number in shown]
    names = [", ".join(called(network, layers, at, number)) for at, number in shown]
    return logos(held, alphabet, _shared(bare_layer(network, layers[0])), names, said)


def motifs(
    network: Any,
    x: Strings,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    layer: int | None = None,
    most: int = 8,
    each: int = 100,
) -> Figure:
    """The sites in the data that excite the strongest filters most, as logos, with their places along the sequences.

    network, (n,) strings -> figure. `weights` (features,) or (features, classes): of a head, whose scores the
    strongest filters move most; without them, the strongest are those whose features differ most between strings.
    `classes`: their names, to say what a filter speaks for. `layer`: from 1 on; None: the last, or
    those beside each other at the end. `each`: at most so many
    sites of a filter, one of a string, of no more than a quarter of the strings. Filters that see the same sites as a
    stronger one, shifted, are told with it. Raises TypeError for a network on something else, ValueError for a layer
    that is not there, and for weights of other sizes.
    """
    layers, some = layers_of(network, layer), looked_at(x)
    shown = found_motifs(network, some, weights, classes, layer, most, each)
    which, found_in = strongest(network, layers, len(shown), weights), among(len(some), len(x), "sequences")
    said = f"{which}, and the {max(len(motif.letters) for motif in shown)} best sites of each in {found_in}"
    shared, drawn = _shared(bare_layer(network, layers[0])), sees_items(network, layers[0])
    return sites(shown, _alphabet(network), said, shared, drawn)


def found_motifs(
    network: Any,
    x: Strings,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    layer: int | None = None,
    most: int = 8,
    each: int = 100,
) -> list[Motif]:
    """The content of `motifs`, for all given strings."""
    _alphabet(network)
    layers = layers_of(network, layer)
    pieces = [_of_strands(network, x, at) for at in layers]
    found = together([piece for piece, _ in pieces])
    told = Head.of(network, x, weights)
    strong = strengths(network, layers, [piece for piece, _ in pieces], told)
    best, which = found.best(max(1, min(each, len(x) // 4))), numbered(network, layers)
    shown = []
    for one, alike in distinct(found, np.argsort(-strong, kind="stable").tolist(), best, most):
        at, number = which[one]
        letters = pieces[layers.index(at)][1][:, number]
        rows = best[one][np.isfinite(found.values[best[one], one])]
        room = np.maximum(x.lengths[rows] - letters.shape[1], 1)
        places = np.clip(found.spans[0][rows, one] / room, 0.0, 1.0)
        name, *notes = called(network, layers, at, number)
        notes += [told.speaks(network, at, number, classes), f"and {len(alike)} alike" if alike else ""]
        filter_ = to_host(bare_layer(network, at).filters[number, :, :])
        shown.append(Motif(filter_, letters[rows], places, name, tuple(filter(None, notes))))
    return shown


def profile(network: Any, x: Strings, number: int = 0, weights: Any = None, most: int = 6) -> Figure:
    """The responses of the strongest filters along one string.

    network, (n,) strings -> figure. `number`: of the string; `weights` as for `motifs`. Both strands where the network
    has both. Raises IndexError for a string that is not there, else as `motifs`.
    """
    alphabet, last, some = _alphabet(network), len(network.layers) - 1, looked_at(x, 500)
    found, _ = _of_strands(network, some, last)
    strong = strengths(network, (last,), [found], Head.of(network, some, weights))
    order = np.argsort(-strong, kind="stable").tolist()
    chosen = [j for j, _ in distinct(found, order, found.best(max(1, len(some) // 4)), most)]
    one = x[[number]]
    lines, begins = [], []
    strands = [one, one.reverse_complement()] if network.strands else [one]
    for strand in strands:
        held = next(responses(network, strand, last))
        lines.append(held.values[:, chosen])
        begins.append(np.where(held.places == NOTHING, 0, held.places).min(axis=1))
    names = [f"filter {j + 1}" for j in chosen]
    if sees_items(network, last):
        filters_ = to_host(bare_layer(network, last).filters)
        names = [f"{name}\n{consensus(filters_[j], alphabet)}" for name, j in zip(names, chosen, strict=True)]
    said = f"sequence {number} of {len(x):,}; {strongest(network, (last,), len(chosen), weights)} and differ"
    return along(lines, begins, found.places.shape[2], [strand[0] for strand in strands], names, said)


def logos(
    found: Sequence[Numbers],
    alphabet: Alphabet,
    shared: bool = True,
    names: Sequence[str] | None = None,
    said: str | None = None,
) -> Figure:
    """Filters as sequence logos.

    m of (k, A) -> figure; `shared` as for `heights`; `names` of the filters; `said`: which they are, in words
    """
    columns = int(np.clip(round(48 / max(map(len, found))), 1, 6))
    figure, panels = sheet(ceil(len(found) / columns), columns, 0.95, below=0.35, sharex=True, sharey=True)
    held = [heights(one, shared) for one in found]
    for number, axes in enumerate(panels.flat):
        if number >= len(found):
            axes.set_axis_off()
            continue
        draw_logo(axes, held[number], alphabet)
        axes.set_title(names[number] if names else f"filter {number + 1}", fontsize=8, color=SOFT, pad=2)
    axes = panels[0, 0]
    axes.set_xlim(0.4, max(map(len, found)) + 0.6)
    _scale(panels[0, 0], held, len(alphabet))
    for axes in panels[:, 0]:
        axes.set_ylabel("bits", fontsize=8, color=SOFT)
    below = "; below the line what they turn away from" if min(one.min() for one in held) < 0 else ""
    which = of_all(len(found), len(found)) if said is None else said
    head(figure, "What the filters look for", f"{which}, {sizes_of(found, 'letter')} each{below}")
    _legend(figure, alphabet)
    return figure


def sites(shown: Sequence[Motif], alphabet: Alphabet, said: str, shared: bool = True, drawn: bool = True) -> Figure:
    """Rows of a filter, the logo of the sites that excite it, and their places along the sequences.

    motifs -> figure. `said`: in grey below the title; `shared` as for `heights`; `drawn`: whether the filters are of
    letters and can be drawn.
    """
    size = len(alphabet)
    figure, panels = sheet(len(shown), 3 if drawn else 2, 1.0, (1.0, 1.0, 0.8) if drawn else (1.6, 0.8), 0.5)
    found = [of_sites(motif.letters, size) for motif in shown]
    held = [heights(motif.filter, shared) if drawn else None for motif in shown]
    for motif, sample, filter_, row in zip(shown, found, held, panels, strict=True):
        if filter_ is not None:
            draw_logo(row[0], filter_, alphabet)
            _scale(row[0], [one for one in held if one is not None], size)
        draw_logo(row[-2], sample, alphabet)
        _scale(row[-2], found, size)
        _draw_places(row[-1], motif.places)
        words = "\n".join((motif.name, *motif.notes))
        row[0].set_ylabel(words, fontsize=8, color=INK, rotation=0, ha="right", va="center", labelpad=6)
    titles = ("the filter, in bits", "its best sites, in bits", "sites by their place")
    for axes, words in zip(panels[0], titles if drawn else titles[1:], strict=True):
        axes.set_title(words, loc="left", fontsize=8.5, color=SOFT, pad=5)
    for axes in panels[:-1, -1]:
        axes.tick_params(labelbottom=False)
    panels[-1, -1].set_xticks([0.0, 0.5, 1.0], ["start of\nsequence", "middle", "end of\nsequence"])
    head(figure, "Motifs in the data that excite filters most", said)
    _legend(figure, alphabet)
    return figure


def along(
    lines: Sequence[Numbers],
    begins: Sequence[Numbers],
    width: int,
    strands: Sequence[str],
    names: Sequence[str],
    said: str,
) -> Figure:
    """Responses along a string: a row for each filter, a line for each strand, and the letters at the greatest one.

    strands of (T', m) -> figure; `begins` (T',): the first letter of each window of `width` letters, in `strands`
    """
    length = len(strands[0])
    figure, panels = sheet(len(names), 1, 0.75, below=0.6, sharex=True, sharey=True)
    greatest = max(float(line.max(initial=0.0)) for line in lines) or 1.0
    lowest = min(float(line.min(initial=0.0)) for line in lines)
    for row, (name, axes) in enumerate(zip(names, panels[:, 0], strict=True)):
        places = [begins[0], *(length - width - first for first in begins[1:])]
        for line, first, (label, colour, style) in zip(lines, places, STRANDS, strict=False):
            order = np.argsort(first)
            axes.plot((first + width / 2)[order], line[order, row], color=colour, lw=1.2, linestyle=style, label=label)
        axes.set_ylim(lowest, 1.5 * greatest)
        strand = int(np.argmax([line[:, row].max(initial=-np.inf) for line in lines]))
        if len(lines[strand]):
            best = int(lines[strand][:, row].argmax())
            letters = strands[strand][int(begins[strand][best]) :][:width]
            _mark(axes, float(places[strand][best]), width, letters, float(lines[strand][best, row]), length)
        axes.set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center", color=INK, family="monospace")
        bare(axes)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="y", nbins=3)
        axes.axhline(0.0, color="#d8d8d8", linewidth=0.8, zorder=0)
    panels[-1, 0].set_xlim(0, length)
    panels[-1, 0].set_xlabel("place in the sequence, letters", fontsize=9, color=SOFT)
    if length <= LETTERS_UP_TO:
        size = min(8.0, 480 / max(1, length))
        panels[-1, 0].set_xticks(np.arange(length) + 0.5, list(strands[0]), fontsize=size, family="monospace")
    if len(lines) > 1:
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower right", ncols=2, frameon=False, fontsize=8)
    head(figure, "Responses of filters along a sequence", said)
    return figure


def heights(filter_: Numbers, shared: bool = True) -> Numbers:
    """The heights of the letters of a logo, in bits: a position has log2 A - H, each letter its share of it.

    (k, A) -> (k, A), below 0 for entries below 0 (Schneider and Stephens 1990)

    The share of a letter is that of its entry's size. `shared`: positions are of one scale, as in a mean of windows:
    what a position has less than the greatest is spread over all letters. Otherwise each position has its own.
    """
    size = np.abs(np.asarray(filter_, dtype=np.float64))
    total = size.sum(axis=1, keepdims=True)
    whole = np.full_like(total, total.max()) if shared else total
    whole = np.where(whole > 0, whole, 1.0)
    share = size / whole + (1.0 - total / whole) / size.shape[1]
    return np.asarray(np.where(filter_ < 0, -1.0, 1.0) * _information(share)[:, None] * share)


def of_sites(letters: Numbers, size: int) -> Numbers:
    """The heights of the letters of a logo of sites, in bits, less what few sites have by chance.

    tokens (count, w), -1 for any -> (w, A) (Schneider and Stephens 1990)
    """
    counts = (letters[:, :, None] == np.arange(size)).sum(axis=0).astype(np.float64)
    n = np.maximum(counts.sum(axis=1), 1.0)
    share = np.where(counts.sum(axis=1, keepdims=True) > 0, counts / n[:, None], 1.0 / size)
    by_chance = (size - 1) / (2 * log(2) * n)
    return np.asarray(np.maximum(_information(share) - by_chance, 0.0)[:, None] * share)


def consensus(filter_: Numbers, alphabet: Alphabet) -> str:
    """The letters that a filter looks for: in lower case if they have less than half, a dot if less than a third."""
    size = np.abs(filter_)
    share = size / np.maximum(size.sum(axis=1, keepdims=True), 1e-300)
    letters = [alphabet.letters[j] for j in np.argmax(filter_, axis=1)]
    greatest = share[np.arange(len(share)), np.argmax(filter_, axis=1)]
    return "".join(
        a if s > 1 / 2 else a.lower() if s > 1 / 3 else "." for a, s in zip(letters, greatest.tolist(), strict=True)
    )


def draw_logo(axes: Axes, high: Numbers, alphabet: Alphabet) -> None:
    """Draw letters above each other, the highest on top; those below 0 hang, the longest at the bottom: (k, A)"""
    paths, colours = [], []
    least = 0.004 * log2(max(2, len(alphabet)))
    for position, stack in enumerate(high):
        top, bottom = 0.0, 0.0
        for token in np.argsort(np.abs(stack), kind="stable").tolist():
            height = float(stack[token])
            if abs(height) < least:
                continue
            letter = alphabet.letters[token]
            paths.append(_glyph(letter, position + 1.0, top if height > 0 else bottom, height))
            colours.append(_colour(letter, alphabet))
            top, bottom = top + max(height, 0.0), bottom + min(height, 0.0)
    axes.add_collection(PathCollection(paths, facecolors=colours, edgecolors="none"))
    k = len(high)
    axes.set_xlim(0.4, k + 0.6)
    step = next((s for s in (1, 2, 4, 5, 10, 20, 50) if k / s <= 4), k)
    axes.set_xticks(range(step, k + 1, step))
    bare(axes)
    axes.tick_params(labelsize=7, pad=1)
    axes.axhline(0.0, color="#b8b8b8", linewidth=0.8, zorder=0)


def _information(share: Numbers) -> Numbers:
    """log2 A - H: (k, A) -> (k,)"""
    return np.asarray(log2(max(1, share.shape[1])) + (share * np.log2(np.maximum(share, 1e-300))).sum(axis=1))


def _scale(axes: Axes, every: Sequence[Numbers], size: int) -> None:
    """From the lowest to the highest stack, in steps that are easy to read."""
    high = max(float(np.maximum(one, 0).sum(axis=1).max()) for one in every)
    low = min(float(np.minimum(one, 0).sum(axis=1).min()) for one in every)
    most = log2(max(2, size))
    step = next((s for s in (0.1, 0.2, 0.5, 1.0, 2.0) if high / s <= 2.5), 4.0)
    top = min(max(step, step * ceil(high / step - 1e-9)), max(most, step))
    axes.set_ylim(min(0.0, 1.05 * low), 1.02 * top)
    axes.set_yticks(np.arange(0.0, top + step / 2, step))


def _draw_places(axes: Axes, places: Numbers) -> None:
    axes.hist(places, bins=np.linspace(0.0, 1.0, 21).tolist(), color=BLUE, alpha=0.85)
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([0.0, 0.5, 1.0])
    bare(axes)
    axes.tick_params(labelsize=7)
    axes.axhline(0.0, color="#b8b8b8", linewidth=0.8)
    axes.locator_params(axis="y", nbins=3, integer=True)


def _mark(axes: Axes, start: float, width: int, letters: str, high: float, length: int) -> None:
    axes.axvspan(max(0.0, start), start + width, color="#f2e3c6", zorder=0)
    shown = visible(letters if len(letters) <= 24 else letters[:23] + "…")
    left = start < length / 2
    near: dict[str, Any] = {"textcoords": "offset points", "va": "center", "ha": "left" if left else "right"}
    place = (start + width if left else start, max(high, 0.3 * axes.get_ylim()[1]))
    axes.annotate(shown, place, (4 if left else -4, 0), fontsize=7.5, color=INK, family="monospace", **near)


def _glyph(letter: str, middle: float, bottom: float, height: float) -> Path:
    """A letter in a box of that height, upside down if its value is below 0."""
    outline, width = _outline(letter)
    return Path(np.asarray(outline.vertices) * [width, height] + [middle, bottom], outline.codes)


@lru_cache(maxsize=512)
def _outline(letter: str) -> tuple[Path, float]:
    """A letter between -1/2 and 1/2, 0 and 1, and the width to draw it with: an I stays narrow."""
    text = visible(letter).strip() or "␣"
    drawn = TextPath((0, 0), text.replace("$", r"\$"), size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    vertices = np.asarray(drawn.vertices)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    extent = np.maximum(high - low, 1e-6)
    unit = (vertices - [(low[0] + high[0]) / 2, low[1]]) / extent
    return Path(unit, drawn.codes), 0.94 * min(1.0, 1.8 * float(extent[0] / extent[1]))


def _colour(letter: str, alphabet: Alphabet) -> str:
    if set(alphabet.letters) <= set(NUCLEOTIDES):
        return NUCLEOTIDES[letter]
    if set(alphabet.letters) <= set(PROTEIN.letters):
        return next(colour for colour, members in CHEMISTRY.values() if letter in members)
    return BLUE


def _legend(figure: Figure, alphabet: Alphabet) -> None:
    """The legend of the colours of amino acids."""
    if set(alphabet.letters) <= set(NUCLEOTIDES) or not set(alphabet.letters) <= set(PROTEIN.letters):
        return
    handles = [Patch(color=colour, label=name) for name, (colour, _) in CHEMISTRY.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)


def _alphabet(network: Any) -> Alphabet:
    embedding = getattr(network, "embedding", None)
    if not isinstance(embedding, Letters):
        raise TypeError(f"network: expected one on strings, got one with the embedding {embedding!r:.60}")
    return embedding.alphabet


def _shared(layer: Any) -> bool:
    """Whether the positions of its filters share one scale."""
    return isinstance(getattr(layer.kernel, "positions", None), Concatenated)


def _of_strands(network: Any, x: Strings, layer: int) -> tuple[Peaks, Numbers]:
    """Where each filter responds most, on either strand if the network has both, and the letters there.

    peaks of (n, m), tokens (n, m, w)
    """
    found = peaks(network, x, layer)
    letters = _letters(x, found)
    if not network.strands:
        return found, letters
    turned = x.reverse_complement()
    other = peaks(network, turned, layer)
    better = other.values > found.values
    mirrored = np.where(other.places == NOTHING, NOTHING, x.lengths[:, None, None] - 1 - other.places)
    places = np.where(better[:, :, None], mirrored, found.places)
    return (
        Peaks(np.maximum(found.values, other.values), places),
        np.where(better[:, :, None], _letters(turned, other), letters),
    )


def _letters(x: Strings, found: Peaks) -> Numbers:
    places = x.offsets[:-1][:, None, None] + np.maximum(found.places, 0)
    tokens = np.append(x.tokens, UNKNOWN)[np.minimum(places, len(x.tokens))]
    return np.where(found.places == NOTHING, UNKNOWN, tokens)

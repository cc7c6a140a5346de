"""Pictures of networks on series: filters as curves, and where in series they respond most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ckn.layers.embedding import Vectors
from ckn.pictures.common import BLUE, COLOURS, INK, SOFT, Numbers, bare, head, of_all, sheet, short, sizes_of
from ckn.pictures.excited import (
    Head,
    among,
    bare_layer,
    called,
    dilation_of,
    distinct,
    first_filters,
    layers_of,
    looked_at,
    numbered,
    peaks,
    sees_items,
    strengths,
    strongest,
    together,
)
from kerneltools.backend import to_host
from kerneltools.patches.parts import NOTHING
from kerneltools.structures import Ragged

CHANNELS_UP_TO = 7
"""Most channels that are drawn as lines; more are the rows of a heat map."""


@dataclass(frozen=True, eq=False)
class Place:
    """A series (T, c), the steps (w,) of it that excite a filter, -1 for missing ones, and the `response`."""

    series: Numbers
    steps: Numbers
    response: float
    number: int


def filters(network: Any, channels: Sequence[str] | None = None, most: int = 32, layer: int | None = None) -> Figure:
    """The filters of a network on series as curves, a line for each channel: the first `most` of those that see series.

    network -> figure. `channels`: their names. `layer`: one of several that are beside each other, such as windows of
    some dilation; None: all. Raises TypeError for a network on strings or graphs, ValueError for a layer that does not
    see series.
    """
    _check(network)
    shown, layers, said = first_filters(network, layer, most)
    held = [to_host(bare_layer(network, at).filters[number, :, :]) for at, number in shown]
    names = [", ".join(called(network, layers, at, number)) for at, number in shown]
    return curves(held, channels, [dilation_of(network, at) for at, _ in shown], names, said)


def motifs(
    network: Any,
    x: Ragged,
    weights: Any = None,
    classes: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    layer: int | None = None,
    most: int = 6,
    each: int = 3,
) -> Figure:
    """The series in which the strongest filters respond most, with the place where they do.

    network, (n,) series -> figure. `weights` (features,) or (features, classes): of a head, whose scores the
    strongest filters move most; without them, the strongest are those whose features differ most between series.
    `classes` and `channels`: their names. `layer`: from 1 on; None: the last, or
    those beside each other at the end. `each`: series for each filter. Filters
    that see the same places as a stronger one are told with it. Raises TypeError for other networks and data,
    ValueError for a layer that is not there and for weights of other sizes.
    """
    _check(network)
    if not isinstance(x, Ragged):
        raise TypeError(f"x: expected series, got {x!r:.80}")
    layers, some = layers_of(network, layer), looked_at(x)
    pieces = [peaks(network, some, at) for at in layers]
    found, which = together(pieces), numbered(network, layers)
    told = Head.of(network, some, weights)
    strong = strengths(network, layers, pieces, told)
    best = found.best(max(1, min(20, len(some) // 4)))
    rows = []
    for one, alike in distinct(found, np.argsort(-strong, kind="stable").tolist(), best, most):
        at, number = which[one]
        spoken = told.speaks(network, at, number, classes)
        notes = (*called(network, layers, at, number), spoken, f"and {len(alike)} alike" if alike else "")
        places = [
            Place(to_host(some[row]), found.places[row, one], float(found.values[row, one]), row)
            for row in best[one, :each].tolist()
            if np.isfinite(found.values[row, one])
        ]
        filter_ = to_host(bare_layer(network, at).filters[number, :, :]) if sees_items(network, at) else None
        rows.append(("\n".join(filter(None, notes)), filter_, dilation_of(network, at), places))
    found_in = among(len(some), len(x), "series")
    said = f"{strongest(network, layers, len(rows), weights)}, in those of {found_in} where they respond most"
    return sites(rows, channels, said)


def curves(
    found: Sequence[Numbers],
    channels: Sequence[str] | None = None,
    dilations: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    said: str | None = None,
) -> Figure:
    """Filters as curves over time steps, a line for each channel; heat maps for many channels.

    m of (k, c) -> figure; `dilations`: steps between the points of each filter; `names` of the filters; `said`: which
    they are, in words
    """
    k, c = max(map(len, found)), found[0].shape[1]
    columns = 4 if c <= CHANNELS_UP_TO else 3
    figure, panels = sheet(-(-len(found) // columns), columns, 0.95, below=0.6, sharex=True, sharey=True)
    greatest = max(float(np.abs(one).max()) for one in found) or 1.0
    for number, axes in enumerate(panels.flat):
        if number >= len(found):
            axes.set_axis_off()
            continue
        _draw_filter(axes, found[number], greatest, dilations[number] if dilations else 1)
        axes.set_title(names[number] if names else f"filter {number + 1}", fontsize=8, color=SOFT, pad=2)
    if c > CHANNELS_UP_TO and k > 1:  # maps set limits of their own
        panels[0, 0].autoscale()
    for axes in panels[:, 0]:
        axes.set_ylabel("channel" if c > CHANNELS_UP_TO and k > 1 else "value", fontsize=8, color=SOFT)
    figure.supxlabel("time steps" if k > 1 else "channels", fontsize=9, color=SOFT)
    points = f"{sizes_of(found, 'point')}{f' in {c} channels' * (c > 1)}"
    heat = "; blue < 0 < red" if c > CHANNELS_UP_TO and k > 1 else ""
    which = of_all(len(found), len(found)) if said is None else said
    head(figure, "What the filters look for", f"{which}, {points}, each scaled to length 1{heat}")
    _legend(figure, c if k > 1 else 1, channels)
    return figure


def sites(
    rows: Sequence[tuple[str, Numbers | None, int, Sequence[Place]]], channels: Sequence[str] | None, said: str
) -> Figure:
    """Rows of a filter and of the series that excite it most, with the place marked in each.

    (words, filter (k, c) or None, its dilation, places) -> figure; `said`: in grey below the title
    """
    columns = max((len(places) for *_, places in rows), default=1)
    drawn = any(filter_ is not None for _, filter_, *_ in rows)
    figure, panels = sheet(len(rows), columns + drawn, 1.25, [1.0] * drawn + [1.6] * columns, 0.6)
    c = max(place.series.shape[1] for *_, places in rows for place in places)
    kept = [np.abs(filter_).max() for _, filter_, *_ in rows if filter_ is not None]
    for (words, filter_, dilation, places), row in zip(rows, panels, strict=True):
        if filter_ is not None:
            _draw_filter(row[0], filter_, float(max(kept)), dilation)
        for number, axes in enumerate(row[int(drawn) :]):
            if number >= len(places):
                axes.set_axis_off()
                continue
            _draw_place(axes, places[number])
        row[0].set_ylabel(words, fontsize=8, color=INK, rotation=0, ha="right", va="center", labelpad=6)
    lengths = {len(place.series) for *_, places in rows for place in places}
    for axes in panels[:-1, int(drawn) :].flat if len(lengths) == 1 else ():
        axes.tick_params(labelbottom=False)
    if drawn:
        panels[0, 0].set_title("the filter", loc="left", fontsize=8.5, color=SOFT, pad=4)
    for axes in panels[-1, :]:
        axes.set_xlabel("time step", fontsize=8, color=SOFT)
    head(figure, "Where in series filters respond most", said)
    _legend(figure, c, channels)
    return figure


def _draw_filter(axes: Axes, filter_: Numbers, greatest: float, dilation: int) -> None:
    k, c = filter_.shape
    steps = np.arange(k) * dilation
    if k == 1:  # elements of sets, or single steps
        axes.bar(range(1, c + 1), filter_[0], color=BLUE)
        axes.axhline(0.0, color="#b8b8b8", linewidth=0.8)
        axes.set_ylim(-1.1 * greatest, 1.1 * greatest)
    elif c > CHANNELS_UP_TO:
        extent = (-0.5 * dilation, (k - 0.5) * dilation, c + 0.5, 0.5)
        axes.imshow(filter_.T, cmap="RdBu_r", vmin=-greatest, vmax=greatest, aspect="auto", extent=extent)
    else:
        axes.axhline(0.0, color="#d8d8d8", linewidth=0.8, zorder=0)
        for channel in range(c):
            mark = "o" if k <= 12 else None
            axes.plot(steps, filter_[:, channel], color=COLOURS[channel], linewidth=1.5, marker=mark, markersize=2.5)
        axes.set_ylim(-1.1 * greatest, 1.1 * greatest)
    bare(axes)
    axes.tick_params(labelsize=7, pad=1)
    axes.locator_params(axis="x", nbins=4, integer=True)
    axes.locator_params(axis="y", nbins=4)


def _draw_place(axes: Axes, place: Place) -> None:
    length, c = place.series.shape
    steps = place.steps[place.steps != NOTHING]
    if c > CHANNELS_UP_TO:
        largest = float(np.abs(place.series).max()) or 1.0
        axes.imshow(
            place.series.T,
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            aspect="auto",
            extent=(-0.5, length - 0.5, c + 0.5, 0.5),
        )
        for edge in (steps.min() - 0.5, steps.max() + 0.5):
            axes.axvline(edge, color=INK, linewidth=1.5)
    else:
        axes.axvspan(steps.min() - 0.5, steps.max() + 0.5, color="#f2e3c6", zorder=0)
        for channel in range(c):
            axes.plot(place.series[:, channel], color=COLOURS[channel], linewidth=0.9, alpha=0.45)
            axes.plot(steps, place.series[steps, channel], color=COLOURS[channel], linewidth=2.4)
    axes.set_xlim(-0.5, length - 0.5)
    axes.set_title(f"series {place.number}, response {place.response:.2f}", loc="left", fontsize=7.5, color=SOFT, pad=2)
    bare(axes)
    axes.tick_params(labelsize=7, pad=1)
    axes.locator_params(nbins=4)


def _legend(figure: Figure, c: int, channels: Sequence[str] | None) -> None:
    if c == 1 or c > CHANNELS_UP_TO:
        return
    names = [short(name, 20) for name in channels or [f"channel {number + 1}" for number in range(c)]]
    handles = [Line2D([], [], color=colour, label=name) for colour, name in zip(COLOURS, names, strict=False)]
    legend = figure.legend(handles=handles, loc="outside lower right", ncols=min(c, 4), frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _check(network: Any) -> None:
    embedding = getattr(network, "embedding", None)
    if not isinstance(embedding, Vectors) or embedding.of_graphs:
        raise TypeError(f"network: expected one on series, got one with the embedding {embedding!r:.60}")

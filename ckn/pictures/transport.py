"""Pictures of transport pools: how much of each element goes to each reference."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ckn.layers.readouts import Joined, Standardised
from ckn.layers.transport import TransportPool
from ckn.pictures.common import INK, SOFT, Numbers, bare, head, sheet
from ckn.pictures.excited import spans_behind
from kerneltools.arrays import namespace
from kerneltools.backend import to_host
from kerneltools.structures import Ragged, Strings, count

HEADS_UP_TO, REFERENCES_UP_TO = 4, 12
"""Most that are drawn."""

LIGHT = (1.0, 0.62, 0.0)
"""What is laid over an image: orange, told apart from grey."""

ELEMENTS_UP_TO = 120
"""Most elements that have their letters written below."""


def attention(network: Any, x: Any, number: int = 0) -> Figure:
    """Which parts of one object go to which reference of the network's transport pool.

    network, images (n, h, w, c) or n objects -> figure; `number`: of the object. Strings are written below the heat
    maps, series drawn; of graphs, the labels of the nodes are written; of images, the places are laid over the image.
    Raises ValueError for a network without a transport pool, IndexError for an object that is not there.
    """
    pool, n = _pool(network), count(x)
    if not 0 <= number < n:
        raise IndexError(f"number: expected 0 to {n - 1}, got {number}")
    if network.embedding is None:
        image = x[number : number + 1, ...]
        maps = replace(network, readout=None)(image)
        _, h, w, m = maps.shape
        plan = pool.plans(Ragged(namespace(maps).reshape(maps, (h * w, m)), np.asarray([0, h * w])))[0]
        return over_grid(to_host(plan), (int(h), int(w)), _shown(to_host(image[0, ...])), f"image {number} of {n:,}")
    one = x[[number]]
    plan = to_host(pool.plans(network.items(one))[0])
    noun = "sequence" if isinstance(one, Strings) else "series" if isinstance(one, Ragged) else "graph"
    said = f"{noun} {number} of {n:,}"
    return heat_maps(plan, _elements(one, *spans_behind(network, one)), said)


def heat_maps(
    plan: Numbers, elements: str | Sequence[str] | Numbers | None = None, said: str = "", most: int = HEADS_UP_TO
) -> Figure:
    """A transport plan as a heat map for each head: elements from left to right, references from top to bottom.

    plan (heads, T, p), of one object -> figure. `elements`: what the elements are, drawn below the maps: letters or
    names (T,), or a series (T, c). What a reference receives of each element is told as a share: rows sum to 1.
    `said`: in grey below the title. Raises ValueError for a plan of another rank, and for elements of another number.
    """
    shares = _shares(plan)
    heads, length, p = shares.shape
    drawn = min(heads, most)
    series = None if elements is None or _are_names(elements) else np.asarray(elements, dtype=np.float64)
    if elements is not None and len(elements) != length:
        raise ValueError(f"elements: expected {length}, as in the plan of shape {shares.shape}, got {len(elements)}")
    tall = float(np.clip(0.16 * p + 0.35, 0.9, 3.0))
    heights = [tall] * drawn + [0.9] * (series is not None)
    below = 0.5 if elements is None or series is not None else 0.3 + 0.07 * max(len(name) for name in elements)
    figure, panels = sheet(
        len(heights), 1, sum(heights) / len(heights), below=below, height_ratios=heights, sharex=True
    )
    greatest = float(shares.max()) or 1.0
    for number in range(drawn):
        axes = panels[number, 0]
        image = axes.imshow(
            shares[number].T, cmap="cividis", vmin=0.0, vmax=greatest, aspect="auto", interpolation="nearest"
        )
        name = "reference" if heads == 1 else f"head {number + 1}\nreference"
        axes.set_ylabel(name, fontsize=8, color=SOFT)
        step = next(s for s in (1, 2, 5, 10, 20, 50, p) if p / s <= 6 or s == p)
        axes.set_yticks(range(step - 1, p, step), [str(row) for row in range(step, p + 1, step)])
        bare(axes)
        axes.tick_params(labelsize=7, labelbottom=number == len(heights) - 1)
    _scale_bar(figure, image, [panels[number, 0] for number in range(drawn)])
    last = panels[-1, 0]
    if series is not None:
        last.plot(series.reshape(length, -1), color=INK, linewidth=1.2)
        bare(last)
        last.tick_params(labelsize=7)
        last.set_ylabel("series", fontsize=8, color=SOFT)
    last.set_xlim(-0.5, length - 0.5)
    _name_elements(last, elements, length)
    some = f"the first {drawn} of {heads} heads; " if drawn < heads else ""
    words = f"{some}{p} references, each row sums to 1"
    head(figure, "Which elements go to which reference", f"{said}; {words}" if said else words)
    return figure


def over_grid(
    plan: Numbers, grid: tuple[int, int], picture: Numbers | None = None, said: str = "", most: int = REFERENCES_UP_TO
) -> Figure:
    """A transport plan of an image: for each reference the places that go to it, over the image if it is given.

    plan (heads, h w, p), image (H, W) or (H, W, 1 or 3) in [0, 1] -> figure. `grid`: h and w. The first `most`
    references of each of the first heads. Raises ValueError for a grid of another number of points.
    """
    shares = _shares(plan)
    heads, length, p = shares.shape
    if grid[0] * grid[1] != length:
        raise ValueError(f"grid: expected as many points as the {length} elements of the plan, got {grid}")
    rows, shown, beside = min(heads, HEADS_UP_TO), min(p, most), picture is not None
    columns = min(6, shown + beside) if rows == 1 else shown + beside
    lines = rows if rows > 1 else -(-(shown + beside) // columns)
    figure, panels = sheet(lines, columns, 7.8 / columns * grid[0] / grid[1] + 0.25, below=0.3)
    maps = shares.reshape(heads, *grid, p)
    greatest = float(shares.max()) or 1.0
    for number in range(rows):
        places = list(panels[number] if rows > 1 else panels.flat)
        for axes in places:
            axes.set_axis_off()
        if picture is not None:
            _draw_picture(places[0], picture, grid)
            places[0].set_title("the image", fontsize=8, color=SOFT, pad=2)
        for reference, axes in enumerate(places[beside : beside + shown]):
            share = maps[number, :, :, reference] / greatest
            if picture is None:
                colours = colormaps["inferno"](share)
            else:
                _draw_picture(axes, picture, grid)
                colours = np.concatenate([np.broadcast_to(LIGHT, (*grid, 3)), 0.85 * share[..., None]], axis=-1)
            axes.imshow(colours, extent=(0, grid[1], grid[0], 0), interpolation="nearest")
            which = f"reference {reference + 1}" if rows == 1 else f"head {number + 1}, reference {reference + 1}"
            axes.set_title(which, fontsize=8, color=SOFT, pad=2)
    words = [f"the first {rows} of {heads} heads"] * (rows < heads)
    words += [f"the first {shown} of {p} references" if shown < p else f"{p} references"]
    words += [f"bright: as much as {greatest:.2g} of what a reference receives"]
    head(figure, "Which places go to which reference", "; ".join(filter(None, (said, *words))))
    return figure


def _pool(network: Any) -> TransportPool:
    """The readout that has a plan, or the first one of several."""
    readout = getattr(network, "readout", None)
    inside = readout.readout if isinstance(readout, Standardised) else readout
    for one in inside.readouts if isinstance(inside, Joined) else (inside,):
        if isinstance(one, TransportPool):
            return one
    raise ValueError(f"network: expected one with a transport pool as its readout, got {readout!r:.80}")


def _elements(x: Any, first: Numbers, last: Numbers) -> Any:
    """The middle of what each element has seen."""
    middle = (first + last) // 2
    if isinstance(x, Strings):
        return [x[0][place] for place in middle]
    if isinstance(x, Ragged):
        return to_host(x[0])[middle]
    return None if x.labels is None else [str(x.labels[place]) for place in middle]


def _shown(image: Numbers) -> Numbers | None:
    """An image scaled to 0..1 if it has one or three channels."""
    if image.shape[-1] not in (1, 3):
        return None
    least, most = float(image.min()), float(image.max())
    return np.asarray((image - least) / (most - least if most > least else 1.0))


def _shares(plan: Any) -> Numbers:
    """What each reference receives of each element: columns that sum to 1, or 0"""
    host = np.asarray(plan, dtype=np.float64)
    if host.ndim != 3:
        raise ValueError(f"plan: expected (heads, T, p), of one object, got shape {host.shape}")
    total = host.sum(axis=1, keepdims=True)
    return np.asarray(host / np.where(total > 0, total, 1.0))


def _are_names(elements: Any) -> bool:
    return isinstance(elements, str) or (len(elements) > 0 and isinstance(elements[0], str))


def _scale_bar(figure: Figure, image: Any, panels: Sequence[Any]) -> None:
    bar = figure.colorbar(image, ax=list(panels), fraction=0.025, pad=0.01, aspect=18)
    bar.set_label("share", fontsize=8, color=SOFT)
    bar.ax.tick_params(labelsize=7, length=0)
    outline: Any = bar.outline
    outline.set_visible(False)


def _name_elements(axes: Any, elements: Any, length: int) -> None:
    if elements is None or not _are_names(elements) or length > ELEMENTS_UP_TO:
        axes.set_xlabel("place of the element", fontsize=9, color=SOFT)
        return
    letters = all(len(name) == 1 for name in elements)
    size = min(8.0, 460 / max(1, length))
    names = [name if len(name) <= 12 else name[:11] + "…" for name in elements]
    axes.set_xticks(range(length), names, fontsize=size, rotation=0 if letters else 90, parse_math=False)
    for text in axes.get_xticklabels():
        text.set_family("monospace")


def _draw_picture(axes: Any, picture: Numbers, grid: tuple[int, int]) -> None:
    host = np.asarray(picture, dtype=np.float64)
    host = host[..., 0] if host.ndim == 3 and host.shape[-1] == 1 else host
    axes.imshow(np.clip(host, 0, 1), cmap="gray", vmin=0, vmax=1, extent=(0, grid[1], grid[0], 0))

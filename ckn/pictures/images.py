"""Pictures of networks on images: the filters of the first layer."""

from math import ceil, sqrt
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ckn.pictures.common import DPI, Numbers, title
from kerneltools.backend import to_host

# Between filters, which may be white or black at their edges, or pale blue.
GAP, DARK_GAP = (0.74, 0.79, 0.85), (0.35, 0.35, 0.35)


def filters(network: Any) -> Figure:
    """The filters of the first layer of a network on images.

    network -> figure. Raises TypeError for a network on something else.
    """
    if getattr(network, "embedding", None) is not None:
        raise TypeError(f"network: expected one on images, got one with the embedding {network.embedding!r:.60}")
    return filter_sheet(to_host(network.bare_layers[0].filters))


def filter_sheet(filters: Numbers) -> Figure:
    """The filters of a first layer side by side, with similar ones near one another.

    (m, h, w, c) -> figure

    Each filter is divided by its own largest absolute value, all channels together. Three channels are red,
    green and blue, with grey for 0, one channel is red for positive and blue for negative values; where no
    filter has a negative value, 0 is black. Other numbers of channels are projected to the principal
    components of all pixels: three for more than three channels, one for two.
    """
    m, h, w, c = filters.shape
    shown = _scaled(_to_colours(np.asarray(filters, dtype=np.float64)))
    negative = bool(shown.min() < 0)
    sheet = _mosaic(_arranged(shown))
    size = 6.0
    figure = Figure(figsize=(size, size * sheet.shape[0] / sheet.shape[1] + 0.8), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    _draw_sheet(axes, sheet, negative)
    channels = "" if c == 1 else f" in {c} channels"
    title(axes, "First-layer filters", f"{m} of {h}×{w} pixels{channels}; {_legend(shown.shape[-1], negative)}")
    return figure


def _to_colours(filters: Numbers) -> Numbers:
    """One or three channels: (m, h, w, c) -> (m, h, w, 1 or 3)."""
    c = filters.shape[-1]
    if c in (1, 3):
        return filters
    pixels = filters.reshape(-1, c)
    _, _, axes = np.linalg.svd(pixels.T @ pixels)
    # A principal axis has no sign of its own: let most of it be positive.
    kept = axes[: 3 if c > 3 else 1]
    kept = kept * np.where(kept.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return np.asarray(filters @ kept.T)


def _scaled(filters: Numbers) -> Numbers:
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(filters / np.where(largest > 0, largest, 1.0))


def _arranged(filters: Numbers) -> Numbers:
    """A grid of filters: rows by the first principal component, each row by the second.

    (m, h, w, c) -> (rows, columns, h, w, c), the last places empty (NaN)
    """
    m = filters.shape[0]
    columns = _columns(m)
    rows = ceil(m / columns)
    flat = filters.reshape(m, -1)
    centred = flat - flat.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    first, second = centred @ axes[0], centred @ axes[min(1, len(axes) - 1)]
    grid = np.full((rows * columns, *filters.shape[1:]), np.nan)
    order = np.argsort(first, kind="stable")
    for start in range(0, m, columns):
        row = order[start : start + columns]
        grid[start : start + len(row)] = filters[row[np.argsort(second[row], kind="stable")]]
    return grid.reshape(rows, columns, *filters.shape[1:])


def _columns(m: int) -> int:
    """About as many columns as rows, up to twice as many if that leaves fewer places empty."""
    square = ceil(sqrt(m))
    return min(range(square, 2 * square + 1), key=lambda columns: (-m % columns, columns))


def _mosaic(grid: Numbers) -> Numbers:
    """(rows, columns, h, w, c) -> one image with gaps (NaN) between and around."""
    rows, columns, h, w, c = grid.shape
    zoom = max(1, 15 // max(h, w))
    tiles = grid.repeat(zoom, axis=2).repeat(zoom, axis=3)
    gap = max(1, h * zoom // 6)
    framed = np.pad(tiles, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=np.nan)
    sheet = framed.transpose(0, 2, 1, 3, 4).reshape(rows * (h * zoom + gap), columns * (w * zoom + gap), c)
    return np.pad(sheet, ((gap, 0), (gap, 0), (0, 0)), constant_values=np.nan)


def _draw_sheet(axes: Axes, sheet: Numbers, negative: bool) -> None:
    shades = (sheet + 1.0) / 2.0 if negative else sheet
    if sheet.shape[-1] == 1:
        colours = colormaps["RdBu_r" if negative else "gray"](shades[..., 0])[..., :3]
    else:
        colours = np.clip(shades, 0.0, 1.0)
    gap = DARK_GAP if negative and sheet.shape[-1] == 1 else GAP
    axes.imshow(np.where(np.isnan(sheet[..., :1]), gap, colours), interpolation="nearest")
    axes.set_axis_off()


def _legend(channels: int, negative: bool) -> str:
    if channels == 1 and negative:
        return "blue < 0 < red"
    return "grey is 0" if negative else "black is 0"

"""Pictures for all kinds of data: mistakes, what kernel maps miss, curves of a training."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ckn.supervised import EpochReport
from ckn.text import visible

Numbers = npt.NDArray[Any]

DPI = 150
INK, SOFT = "#222222", "#666666"
# Blue and vermilion of Okabe and Ito: told apart by all kinds of colour vision.
BLUE, RED = "#0072b2", "#d55e00"

_NEAR: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}

WIDTH, HEAD = 8.0, 0.72
"""Inches of a sheet, and of what is above its panels: 1200 pixels."""

# The seven colours of Okabe and Ito that can be told apart on white, the strongest first.
COLOURS = (BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195")

COUNTS_UP_TO = 30
"""Most classes for which each cell of a confusion matrix shows its number."""


def confusion_matrix(counts: Numbers, classes: Sequence[str], objects: str = "images") -> Figure:
    """How many objects of each class (rows) were put into each class (columns), and each class's recall.

    (k, k) counts, k names -> figure; `objects`: what they are called. Characters that cannot be drawn are written as
    `ckn.text.visible` does.
    """
    k = len(classes)
    side = min(max(3.6, 0.44 * k), 11.0)
    font = min(9.0, 0.62 * 72 * side / k)
    figure = Figure(figsize=(side + 2.8, side + 1.6), dpi=DPI)
    matrix = figure.add_subplot()
    bars = matrix.inset_axes((1 + 0.15 / side, 0.0, 2.0 / side, 1.0), sharey=matrix)
    total = counts.sum(axis=1)
    share = counts / np.maximum(total, 1)[:, None]
    _draw_matrix(matrix, counts, share, font)
    _draw_recall(bars, np.diag(share), total, font)
    names = [short(name, 24) for name in classes]
    flat = k * max(map(len, names)) <= 25
    matrix.set_xticks(range(k), names, rotation=0 if flat else 90, fontsize=font, parse_math=False)
    matrix.set_yticks(range(k), names, fontsize=font, parse_math=False)
    matrix.set_xlabel("predicted class", color=SOFT)
    matrix.set_ylabel("true class", color=SOFT)
    right, n = int(np.trace(counts)), int(counts.sum())
    title(matrix, "Confusion matrix", f"{right} of {n} test {objects} right: {right / n:.2%}")
    title(bars, "Recall", f"mean {np.diag(share)[total > 0].mean():.1%}")
    return figure


def predictions(true: Numbers, predicted: Numbers, name: str = "target", objects: str = "images") -> Figure:
    """Predicted numbers of test objects against the true ones, and R².

    (n,), (n,) -> figure; `name`: of what is predicted. Raises ValueError for other sizes.
    """
    true, predicted = (np.asarray(numbers, dtype=np.float64) for numbers in (true, predicted))
    if true.ndim != 1 or true.shape != predicted.shape or not len(true):
        raise ValueError(f"true, predicted: expected (n,) of both, n >= 1, got {true.shape} and {predicted.shape}")
    figure = Figure(figsize=(5.6, 5.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    least, most = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    edge = 0.05 * (most - least) or 1.0
    ends = (least - edge, most + edge)
    axes.plot(ends, ends, color=SOFT, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0)
    many = len(true) > 500
    axes.scatter(true, predicted, s=12 if many else 28, color=BLUE, alpha=0.35 if many else 0.7, linewidths=0)
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel(f"true {short(name, 40)}", color=SOFT, parse_math=False)
    axes.set_ylabel(f"predicted {short(name, 40)}", color=SOFT, parse_math=False)
    axes.grid(color="#e8e8e8")
    axes.set_axisbelow(True)
    bare(axes)
    spread = float(((true - true.mean()) ** 2).sum())
    missed = float(((true - predicted) ** 2).sum())
    explained = f"R² {1 - missed / spread:.3f}, " if spread > 0 else ""
    error = f"root mean square error {(missed / len(true)) ** 0.5:.3g}"
    title(axes, "Predictions", f"{len(true):,} test {objects}: {explained}{error}")
    return figure


def certificate(misses: Sequence[Numbers], parts: str = "patches", objects: str = "images") -> Figure:
    """For each layer, how much of k(p, p) its Nyström map misses, over the parts p of held-out objects.

    layers of (parts,) shares in [0, 1] -> figure; `parts` and `objects`: what they are called
    """
    figure = Figure(figsize=(7.0, 1.3 + 1.5 * len(misses)), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(misses), 1, sharex=True, squeeze=False)[:, 0]
    for number, (axes, miss) in enumerate(zip(panels, misses, strict=True), start=1):
        _draw_misses(axes, miss if miss.size else np.zeros(1))
        axes.set_ylabel(f"layer {number}", rotation=0, ha="right", va="center", color=INK)
    panels[-1].xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panels[-1].set_xlabel("share of k(p, p) that the map misses: (k(p, p) − |ψ(p)|²) / k(p, p)", color=SOFT)
    title(panels[0], "What the kernel maps miss", f"{parts} p of held-out {objects}, blank ones left out")
    return figure


def curves(
    history: Sequence[EpochReport],
    test_accuracy: float | None = None,
    initial: EpochReport | None = None,
    measure: str = "accuracy",
) -> Figure:
    """The loss and the accuracies of a supervised training by epoch, and the accuracy on test data at its end.

    epochs -> figure; `initial`: epoch 0, before the first step, from which the lines begin; `measure`: what is called
    accuracy in reports, such as "R²" of a regression, which is then written as a number
    """
    of_share = measure == "accuracy"
    rates = _rates(history)
    history = history if initial is None else (initial, *history)
    figure = Figure(figsize=(7.0, 5.2), dpi=DPI, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    epochs = [report.epoch for report in history]
    losses = [report.loss for report in history]
    _draw_line(above, epochs, losses, BLUE, f"{losses[-1]:.3g}")
    if min(losses) > 0 and max(losses) > 5 * min(losses):
        above.set_yscale("log", subs=(2, 5))
        above.yaxis.set_major_formatter("{x:g}")
        above.yaxis.set_minor_formatter("{x:g}")
    else:
        above.set_ylim(0.0, 1.08 * max(losses))
    shown = [] if test_accuracy is None else [test_accuracy]
    shown += _draw_accuracies(below, history, of_share)
    if test_accuracy is not None:
        below.axhline(test_accuracy, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        below.annotate(
            f"test {_written(test_accuracy, of_share)}", (0, test_accuracy), (4, -4), **_NEAR, va="top", color=INK
        )
    # No tick above 100 %.
    least = min(shown, default=0.0)
    below.set_ylim(least - max(0.005, 0.25 * (1 - least)), 1 + max(0.001, 0.05 * (1 - least)))
    if of_share:
        below.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.set_xlabel("epoch" if initial is None else "epoch; 0 is before training", color=SOFT)
    title(above, "Supervised training", f"mean loss of each epoch; learning rate {rates}")
    below.set_title(f"{measure}, where it was measured", loc="left", fontsize=9, color=SOFT)
    if not shown:
        above.set_xlabel(below.get_xlabel(), color=SOFT)
        below.remove()
        above.tick_params(labelbottom=True)
    return figure


def write(figure: Figure, path: Path) -> None:
    """Write a picture as PNG, with a margin around the drawing."""
    figure.savefig(path, format="png", bbox_inches="tight", pad_inches=0.2)


def _draw_matrix(axes: Axes, counts: Numbers, share: Numbers, font: float) -> None:
    k = len(counts)
    # Mistakes are few: the root makes one in a hundred visible beside the diagonal.
    depth = 0.85 * np.sqrt(share)
    colours = np.where(np.eye(k, dtype=bool)[..., None], colormaps["Blues"](depth), colormaps["Oranges"](depth))
    axes.imshow(np.where(counts[..., None] > 0, colours, 0.965), interpolation="nearest")
    axes.set_xticks(np.arange(0.5, k - 1), minor=True)
    axes.set_yticks(np.arange(0.5, k - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=min(1.5, 30 / k))
    bare(axes)
    if k > COUNTS_UP_TO:
        return
    for i, j in zip(*np.nonzero(counts), strict=True):
        colour = "white" if depth[i, j] > 0.55 else INK
        axes.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=font)


def _draw_recall(axes: Axes, recall: Numbers, total: Numbers, font: float) -> None:
    places = np.arange(len(recall))
    axes.barh(places, np.ones(len(recall)), height=0.8, color="#eef3f8")
    axes.barh(places, recall, height=0.8, color=BLUE)
    for i, (value, count) in enumerate(zip(recall, total, strict=True)):
        text = f"{value:.0%} of {count}" if count else "none"
        axes.text(1.08, i, text, va="center", fontsize=font, color=INK)
    axes.set_xlim(0.0, 2.2)  # the bars end at 1, their numbers need the rest
    axes.set_xticks([])
    axes.tick_params(labelleft=False)
    bare(axes)


def _draw_misses(axes: Axes, miss: Numbers) -> None:
    mean = float(miss.mean())
    bins = np.linspace(0.0, 1.0, 81)
    heights, _ = np.histogram(miss, bins, weights=np.full(miss.shape, 1 / miss.size))
    axes.stairs(heights, bins, fill=True, color=BLUE, alpha=0.85)
    axes.axvline(mean, color=RED, linewidth=1.8)
    side, step = ("left", 0.012) if mean < 0.7 else ("right", -0.012)
    axes.text(mean + step, 0.97, f"mean {mean:.1%}", ha=side, va="top", color=RED, transform=axes.get_xaxis_transform())
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.3 * float(heights.max()))
    axes.set_yticks([])
    bare(axes)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(SOFT)


def _draw_accuracies(axes: Axes, history: Sequence[EpochReport], of_share: bool) -> list[float]:
    """Draw lines for the accuracies that were measured; returns all their values."""
    lines: dict[str, dict[int, float]] = {}
    for name in ("train", "validation"):
        of_all = ((report.epoch, getattr(report, f"{name}_accuracy")) for report in history)
        if measured := {epoch: value for epoch, value in of_all if value is not None}:
            lines[name] = measured
    # Labels above each other, the one of the greater accuracy on top, also where lines end in one place.
    ends = sorted(lines, key=lambda name: list(lines[name].values())[-1])
    for name, colour in (("train", BLUE), ("validation", RED)):
        if name in lines:
            values = list(lines[name].values())
            side = "center" if len(ends) == 1 else ("top", "bottom")[ends.index(name)]
            _draw_line(axes, list(lines[name]), values, colour, f"{name} {_written(values[-1], of_share)}", side)
    return [value for measured in lines.values() for value in measured.values()]


def _written(value: float, of_share: bool) -> str:
    return f"{value:.2%}" if of_share else f"{value:.3f}"


def _draw_line(axes: Axes, x: Sequence[int], y: Sequence[float], colour: str, label: str, side: str = "center") -> None:
    axes.plot(x, y, color=colour, linewidth=2, marker="o" if len(x) < 30 else None, markersize=4)
    lift = {"top": -1, "center": 0, "bottom": 1}[side]
    axes.annotate(label, (x[-1], y[-1]), (6, lift), textcoords="offset points", va=side, color=colour)
    axes.grid(axis="y", color="#e8e8e8")
    axes.set_axisbelow(True)
    bare(axes)


def _rates(history: Sequence[EpochReport]) -> str:
    first, last = history[0].rate, history[-1].rate
    return f"{first:.3g}" if first == last else f"{first:.3g} at first, {last:.3g} at last"


def sheet(
    rows: int, columns: int, height: float, widths: Sequence[float] | None = None, below: float = 0.0, **axes: Any
) -> tuple[Figure, Any]:
    """A figure of panels, each of a given height in inches, with room for `head` above them and a legend `below`.

    figure, (rows, columns) axes
    """
    whole = rows * height + HEAD + below
    figure = Figure(figsize=(WIDTH, whole), dpi=DPI, layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0.0, 0.0, 1.0, 1.0 - HEAD / whole))
    return figure, figure.subplots(rows, columns, squeeze=False, width_ratios=widths, **axes)


def head(figure: Figure, title: str, subtitle: str) -> None:
    """The title above all panels, and below it a grey line that says what is shown."""
    height = figure.get_figheight()
    figure.text(0.008, 1 - 0.06 / height, title, fontsize=13, color=INK, va="top")
    lines = "\n".join(wrap(subtitle, 118)[:2])
    figure.text(0.008, 1 - 0.32 / height, lines, fontsize=9, color=SOFT, va="top", parse_math=False)


def of_all(shown: int, whole: int, of: str = "") -> str:
    """How many of how many filters; `of`: of which layer, if there are several."""
    filters = f"{whole} filter{'s' * (whole != 1)}{of}"
    return filters if shown == whole else f"the first {shown} of {filters}"


def sizes_of(found: Sequence[Any], of: str) -> str:
    """The range of lengths: "8 letters", "5 to 9 points"."""
    least, most = min(map(len, found)), max(map(len, found))
    return f"{least} to {most} {of}s" if least < most else f"{most} {of}{'s' * (most != 1)}"


def short(name: object, most: int) -> str:
    """A name to write in a picture: characters that cannot be drawn as in `ckn.text.visible`, the rest cut off."""
    text = visible(str(name))
    return text if len(text) <= most else text[: most - 1] + "…"


def bare(axes: Axes) -> None:
    """Remove frame and ticks."""
    axes.tick_params(which="both", length=0, colors=INK)
    axes.spines[:].set_visible(False)


def title(axes: Axes, title: str, subtitle: str) -> None:
    """The title, and below it a grey line that says what is shown."""
    axes.set_title(subtitle, loc="left", fontsize=9, color=SOFT)
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom"}
    axes.annotate(title, (0, 1), (0, 20), fontsize=13, color=INK, **above)

"""The picture of benchmarks/errors.py: error against time, one column of panels for each data set."""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from errors import Line
from matplotlib import pyplot
from PIL import Image

# Okabe and Ito: told apart by the colour-blind, too.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PINK, GREY = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#8C8C8C"),
)
SOLID, DASHED = "-", (0, (4, 2))
Style = tuple[str, str, Any]


@dataclass(frozen=True)
class Row:
    """A row of panels: what is drawn, by name, in which colour, marker and dashes."""

    title: str
    measure: str
    group: str
    styles: dict[str, Style]
    beside: dict[str, Style]


BESIDE_RANDOM: dict[str, Style] = {"Uniform": (GREY, "o", DASHED), "MiniBatchKMeans": (BLACK, "s", DASHED)}
ROWS = (
    Row(
        "Nyström maps of a Gaussian kernel\non m = 64, 128, ..., 1024 landmarks by",
        "trace",
        "landmarks",
        {
            "Uniform": (GREY, "o", SOLID),
            "KMeansPlusPlus": (SKY, "v", SOLID),
            "KMeans": (BLUE, "D", SOLID),
            "MiniBatchKMeans": (BLACK, "s", SOLID),
            "RPCholesky": (RED, "^", SOLID),
            "Greedy": (PINK, "P", SOLID),
            "RidgeLeverage": (GREEN, "X", SOLID),
            "BLESS": (ORANGE, "*", SOLID),
        },
        {},
    ),
    Row(
        "Random maps of a Gaussian kernel,\nm = 64, 256, 1024, 4096,\nbeside Nyström maps (dashed)",
        "frobenius",
        "Gaussian",
        {
            "fourier, independent": (SKY, "o", SOLID),
            "fourier, orthogonal": (BLUE, "s", SOLID),
            "fourier, quasi": (GREEN, "D", SOLID),
            "positive": (ORANGE, "^", SOLID),
        },
        BESIDE_RANDOM,
    ),
    Row(
        "Maps of other kernels\nbeside Nyström maps (dashed)",
        "frobenius",
        "others",
        {
            "arccos": (BLUE, "o", SOLID),
            "nystrom, arc-cosine": (BLUE, "s", DASHED),
            "tensor_sketch": (RED, "D", SOLID),
            "maclaurin": (ORANGE, "^", SOLID),
            "nystrom, polynomial": (RED, "s", DASHED),
            "chi2": (GREEN, "v", SOLID),
            "nystrom, χ²": (GREEN, "s", DASHED),
        },
        {},
    ),
)
LABELS = {"trace": "relative trace error", "frobenius": "relative error, Frobenius"}


def draw(lines: list[Line], path: Path) -> None:
    """Write the picture of the greatest bandwidth of each data set: whole, or what was there before stays."""
    names = list(dict.fromkeys(line.data for line in lines))
    figure, axes = pyplot.subplots(
        len(ROWS), len(names), figsize=(2.9 * len(names) + 2.4, 8.6), sharey="row", squeeze=False, layout="constrained"
    )
    for row, panels in zip(ROWS, axes, strict=True):
        for name, panel in zip(names, panels, strict=True):
            of_data = [line for line in lines if line.data == name]
            curves(panel, row, of_data)
        panels[0].set_ylabel(LABELS[row.measure])
        legend(panels[-1], row)
    for name, panel in zip(names, axes[0], strict=True):
        panel.set_title(f"{name}, bandwidth ×{widest(lines, name):g}", fontsize=10)
    for panel in axes[-1]:
        panel.set_xlabel("processor seconds, one thread")
    save(figure, path)


def widest(lines: list[Line], data: str) -> float:
    """The greatest bandwidth that was tried on the data."""
    return max(line.scale for line in lines if line.data == data)


def curves(panel: Any, row: Row, lines: list[Line]) -> None:
    """Error against time for each map of a row, on one data set."""
    scale = max(line.scale for line in lines)
    for name, (colour, marker, dashes) in {**row.styles, **row.beside}.items():
        points = [line for line in lines if line.name == name and line.scale in (0, scale)]
        x, y = [line.seconds for line in points], [getattr(line, row.measure) for line in points]
        panel.loglog(x, y, color=colour, marker=marker, linestyle=dashes, markersize=4, linewidth=1.2)
    panel.grid(which="major", color="#E3E3E3", linewidth=0.6)
    panel.tick_params(labelsize=8, which="both")


def legend(panel: Any, row: Row) -> None:
    """Beside the last panel of a row."""
    handles = [
        pyplot.Line2D([], [], color=colour, marker=marker, linestyle=dashes, markersize=4, linewidth=1.2)
        for colour, marker, dashes in {**row.styles, **row.beside}.values()
    ]
    panel.legend(
        handles,
        [*row.styles, *(f"nystrom, {name}" for name in row.beside)],
        title=row.title,
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        frameon=False,
        fontsize=8,
        title_fontsize=8,
        alignment="left",
        handlelength=3,
    )


def save(figure: Any, path: Path) -> None:
    """Under a temporary name, then renamed."""
    temporary = path.with_name(f".{path.name}.part")
    drawn = BytesIO()
    figure.savefig(drawn, dpi=120, format="png")
    with Image.open(drawn) as image:  # few colours: a third of the bytes
        image.convert("RGB").quantize(64).save(temporary, format="png", optimize=True)
    os.replace(temporary, path)

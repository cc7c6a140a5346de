"""How one example looks on a page: an image, a graph, a sequence, a series."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from ckn.readers import Dataset, Images
from ckn.reporting.drawings import data_url, pictures_for
from ckn.reporting.examined import Numbers
from ckn.text import visible
from kerneltools.reporting import Card, Picture, Sketch

SIDE = 96
"""Pixels of an image that is shown: larger ones are made smaller."""


DRAWN_NODES, DRAWN_POINTS, LETTERS = 100, 200, 120
"""Of an object that is shown."""


def card_of(data: Dataset, number: int, title: str, facts: Mapping[str, str]) -> Card:
    """The example of that number: its title, what is to be said of it, and how it looks."""
    if isinstance(data, Images):
        return Card(title, facts, _image(np.asarray(data.images[number]), data.maximum, f"The {data.noun} {title}"))
    one: Any = data.data[number]
    if data.nouns == "sequences":
        text = visible(str(one))
        more = len(text) - LETTERS
        return Card(
            title, {"letters": str(len(text)), **facts}, text=f"{text[:LETTERS]} … {more} more" if more > 0 else text
        )
    if data.nouns == "graphs":
        # An edge may be there both ways.
        edges = np.unique(np.sort(np.asarray(one.edges).reshape(-1, 2), axis=1), axis=0)
        words = {"nodes": str(one.nodes), "edges": str(len(edges))}
        return Card(title, {**words, **facts}, *_graph(one, edges.tolist(), title))
    curve = np.asarray(one, dtype=np.float64)
    return Card(title, {"points": str(len(curve)), **facts}, _curve(curve, title))


def _image(image: Numbers, maximum: float | None, alt: str) -> Picture:
    from PIL import Image

    values = image.astype(np.float64)
    if values.shape[-1] not in (1, 3):
        values, alt = values.mean(axis=-1, keepdims=True), f"{alt}, the mean of its {image.shape[-1]} channels"
    low, high = (0.0, maximum) if maximum is not None else (float(values.min()), float(values.max()))
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)
    made = Image.fromarray((255 * np.repeat(scaled, 4 - values.shape[-1], axis=-1)[..., :3]).round().astype(np.uint8))
    if max(made.size) > SIDE:
        made.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    made.save(buffer, "png", optimize=True)
    return Picture(data_url(buffer.getvalue()), alt, pixels=True)


def _graph(graph: Any, edges: Sequence[tuple[int, int]], title: str) -> tuple[Sketch | None, str]:
    """How it looks, and what else is to be said of it."""
    if graph.nodes > DRAWN_NODES:
        return None, f"more than {DRAWN_NODES} nodes: not drawn"
    try:
        places = pictures_for("graphs").layout(graph)
    except ImportError as error:
        return None, f"not drawn: {error}"
    places = places - places.min(axis=0)
    places = places * (100 / (float(places.max()) or 1.0))
    labels = np.zeros(graph.nodes, dtype=int) if graph.labels is None else np.asarray(graph.labels)
    lines = [(-1, [tuple(places[a]), tuple(places[b])]) for a, b in edges]
    dots = [(int(label) % 6, float(x), float(y)) for label, (x, y) in zip(labels, places, strict=True)]
    height = max(10, round(float(places[:, 1].max(initial=0.0))))
    return Sketch(
        f"The graph {title}: {graph.nodes} nodes, coloured by label, {len(edges)} edges", lines, dots, height
    ), ""


def _curve(curve: Numbers, title: str) -> Sketch:
    curve = curve.reshape(len(curve), -1)
    at = np.unique(np.linspace(0, len(curve) - 1, DRAWN_POINTS).round().astype(int))
    shown = curve[at, :6]
    low, high = shown.min(axis=0), shown.max(axis=0)
    heights = 50 - 50 * (shown - low) / np.where(high > low, high - low, 1.0)
    across = 100 * at / max(1, len(curve) - 1)
    lines = [(i, list(zip(across.tolist(), heights[:, i].tolist(), strict=True))) for i in range(shown.shape[1])]
    of = "" if curve.shape[1] == 1 else f" in {shown.shape[1]} of {curve.shape[1]} channels, each scaled to its range"
    return Sketch(f"The series {title}{of}: {len(curve)} points", lines, height=50)

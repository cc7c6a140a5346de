"""A model or a network described in words and tables: input, preprocessing, classes, layers."""

from dataclasses import dataclass, fields, is_dataclass
from math import prod
from typing import Any

from ckn.applying import nouns_for
from ckn.layers.embedding import Labels, Letters
from ckn.layers.grid import PreparedLayer
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Pictures
from ckn.readers.images import listed
from ckn.text import brief
from kerneltools.trees import html_table, named_leaves

OF_IMAGES = ("layer", "filters", "patch", "kernel", "padding", "subsampling", "output", "features")
OF_OBJECTS = ("layer", "filters", "items x columns", "parts, kernel, pool", "features")


@dataclass(frozen=True)
class Layers:
    """A row for each layer under `columns`; `right`: which of these are numbers, from 0."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...]


def facts_of(held: Model | Network) -> dict[str, str]:
    """What the model takes and returns, name by name."""
    if not isinstance(held, Model):
        return {"holds": "a network without a classifier", **_of_objects(held)}
    n = len(held.classes)
    of_images = {
        "images": f"{_times(held.image_shape)} (height x width x channels)",
        "pictures": _pictures(held.as_trained),
    }
    return {
        **(_of_objects(held.network) or of_images),
        "preprocessing": ", ".join(_described(step) for step in held.preprocessing) or "none",
        **({"classes": f"{n}: {listed(held.classes, most=20)}"} if n else {"predicts": _numbers(held)}),
        "classifier" if n else "head": f"linear, {_times(held.head.weights.shape)} weights, {held.head.weights.dtype}",
    }


def layers_of(held: Model | Network) -> Layers:
    """The layers, with the sizes that they give to images of the training."""
    network = held.network if isinstance(held, Model) else held
    if network.embedding is not None:
        return Layers(OF_OBJECTS, tuple(_rows_of_objects(network)), (1, 4))
    shape = held.image_shape if isinstance(held, Model) else None
    return Layers(OF_IMAGES, tuple(_rows(network, shape)), (1, 5, 6, 7))


def as_html(held: Model | Network) -> str:
    """The same in two tables, for notebooks."""
    layers = layers_of(held)
    facts = {**facts_of(held), "numbers in all": f"{parameters_of(held):,}"}
    if not isinstance(held, Model):
        del facts["holds"]
    name = type(held).__name__
    return html_table(name, "", list(facts.items())) + html_table("Layers", "", layers.rows, layers.columns)


def parameters_of(held: Model | Network) -> int:
    """How many numbers are learnt: those of filters and kernels, of readouts and of the head."""
    return sum(prod(getattr(leaf, "shape", ())) for _, leaf in named_leaves(held.unprepared()))


def _numbers(model: Model) -> str:
    n = model.head.weights.shape[1]
    return f"{n} number{'s' if n > 1 else ''}"


def _of_objects(network: Network) -> dict[str, str]:
    """What sequences, graphs or series a network takes, and how it reads them out; nothing for one on images."""
    embedding = network.embedding
    if embedding is None:
        return {}
    if isinstance(embedding, Letters):
        strands = ", on both strands" if network.strands else ""
        taken = f"of the letters {embedding.alphabet.letters}{strands}"
    elif isinstance(embedding, Labels):
        taken = f"with labels of nodes: {listed(embedding.labels, most=20)}"
    elif nouns_for(network) == "graphs":
        taken = f"with {embedding.columns} attributes of nodes"
    else:
        taken = f"in {embedding.columns} channel{'s' if embedding.columns > 1 else ''}"
    return {nouns_for(network): taken, "readout": brief(network.readout)}


def _rows_of_objects(network: Network) -> list[tuple[str, ...]]:
    rows, layers = list[tuple[str, ...]](), iter(network.bare_layers)
    for number, widths in enumerate(network.widths, start=1):
        for width in widths:  # of layers beside each other
            layer = next(layers)
            m, *size = layer.filters.shape
            how = [brief(getattr(layer, f.name)) for f in fields(layer) if f.name in ("parts", "kernel", "pool")]
            how.extend(["all lengths"] if getattr(layer, "lengths", False) else [])
            rows.append((str(number), str(m), _times(size), ", ".join(how), str(width)))
    return rows


def _pictures(taken: Pictures | None) -> str:
    if taken is None or taken.size is None:
        return "none: it takes arrays"
    height, width = taken.size
    colour = "" if taken.background is None else f", on #{''.join(f'{v:02x}' for v in taken.background)}"
    return f"scaled to {width}x{height} (width x height), cropped in the middle{colour}"


def _rows(network: Network, shape: tuple[int, ...] | None) -> list[tuple[str, ...]]:
    rows, grid = [], None if shape is None else shape[:-1]
    layers = [layer.layer if isinstance(layer, PreparedLayer) else layer for layer in network.layers]
    for number, layer in enumerate(layers, start=1):
        grid = None if grid is None else layer.output_shape(grid)
        m, *patch, _ = layer.filters.shape
        out = ("-", "-") if grid is None else (_times((*grid, m)), str(prod((*grid, m))))
        row = (number, m, _times(patch), _described(layer.kernel), layer.padding, layer.subsampling, *out)
        rows.append(tuple(str(cell) for cell in row))
    return rows


def _times(sizes: Any) -> str:
    return "x".join(map(str, sizes))


def _described(value: Any) -> str:
    """A kernel or a step with its parameters: `Homogeneous(Exponential(0.6))`."""
    if is_dataclass(value):
        inner = ", ".join(_described(getattr(value, f.name)) for f in fields(value))
        return f"{type(value).__name__}({inner})"
    return brief(value)

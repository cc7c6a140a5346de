"""`ckn show`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import JustifyMethod

from ckn.applying import alphabet_for, nouns_for, require_suited
from ckn.commands.console import facts, room_for, say, table
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import Import, ModelFile
from ckn.commands.outputs import output_folder
from ckn.commands.results import drawn, pictures_of_filters
from ckn.layers.embedding import Labels, Letters
from ckn.layers.grid import PreparedLayer
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Dataset, Pictures, read
from ckn.readers.images import listed, optional_module
from ckn.text import brief
from kerneltools.files import VERSION

_COLUMNS: Mapping[str, JustifyMethod] = {
    "layer": "left",
    "filters": "right",
    "patch": "left",
    "kernel": "left",
    "padding": "left",
    "subsampling": "right",
    "output": "right",
    "features": "right",
}


_OF_OBJECTS: Mapping[str, JustifyMethod] = {
    "layer": "left",
    "filters": "right",
    "items x columns": "left",
    "parts, kernel, pool": "left",
    "features": "right",
}


def show(
    model: ModelFile,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for pictures of the filters, filters.png.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Sequences, graphs or series, for motifs.png: what excites filters in them."),
    ] = None,
    imports: Import = None,
) -> None:
    """Show the layers, preprocessing and classes of a model.

    \b
    Examples:
      ckn show demo/model.safetensors
      ckn show peaks-model/model.safetensors --out pictures --data others.fa
    """
    if data is not None and out is None:
        raise typer.BadParameter("--data: only with --out, the folder for the picture")
    with room_for(model, "a machine with more"):
        loaded = load_model(model, types=types_of(imports))
    network = loaded.network if isinstance(loaded, Model) else loaded
    size = model.stat().st_size
    facts({"file": f"{model}, {size / 2**20:.2f} MiB, format version {VERSION}"} | _of_model(loaded))
    if out is not None:
        facts({"written": f"{out}/: {', '.join(_drawn(loaded, network, out, data))}"})
    say("")
    if network.embedding is not None:
        table(_OF_OBJECTS, _layers_of_objects(network))
        return
    table(_COLUMNS, _layers(network, loaded.image_shape if isinstance(loaded, Model) else None))


def _drawn(loaded: Model | Network, network: Network, folder: Path, data: str | None) -> list[str]:
    """The pictures that are written."""
    optional_module("matplotlib", "matplotlib")
    examples = None if data is None else _examples(loaded, network, data)
    pictures = pictures_of_filters(loaded, examples)
    with output_folder(folder, tuple(pictures)):
        return list(drawn(folder, pictures))


def _examples(loaded: Model | Network, network: Network, data: str) -> Dataset:
    nouns = nouns_for(network)
    if nouns == "images":
        raise typer.BadParameter("--data: only for models of sequences, graphs and series; this one is of images")
    found = read(data, alphabet=alphabet_for(network))
    require_suited(loaded, found, data)
    return found


def _of_model(loaded: Model | Network) -> dict[str, str]:
    if not isinstance(loaded, Model):
        return {"holds": "a network without a classifier", **_of_objects(loaded)}
    n = len(loaded.classes)
    of_images = {
        "images": f"{_times(loaded.image_shape)} (height x width x channels)",
        "pictures": _pictures(loaded.as_trained),
    }
    return {
        **(_of_objects(loaded.network) or of_images),
        "preprocessing": ", ".join(_described(step) for step in loaded.preprocessing) or "none",
        **({"classes": f"{n}: {listed(loaded.classes, most=20)}"} if n else {"predicts": _numbers(loaded)}),
        "classifier"
        if n
        else "head": f"linear, {_times(loaded.head.weights.shape)} weights, {loaded.head.weights.dtype}",
    }


def _numbers(model: Model) -> str:
    n = model.head.weights.shape[1]
    return f"{n} number{'s' if n > 1 else ''}"


def _of_objects(network: Network) -> dict[str, str]:
    """What sequences, graphs or series a network takes, and how it reads them out; nothing of one on images."""
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


def _layers_of_objects(network: Network) -> list[list[str]]:
    rows, layers = [], iter(network.bare_layers)
    for number, widths in enumerate(network.widths, start=1):
        for width in widths:  # of layers beside each other
            layer = next(layers)
            m, *size = layer.filters.shape
            how = [brief(getattr(layer, f.name)) for f in fields(layer) if f.name in ("parts", "kernel", "pool")]
            how.extend(["all lengths"] if getattr(layer, "lengths", False) else [])
            rows.append([str(number), str(m), _times(size), ", ".join(how), str(width)])
    return rows


def _pictures(taken: Pictures | None) -> str:
    if taken is None or taken.size is None:
        return "none: it takes arrays"
    height, width = taken.size
    colour = "" if taken.background is None else f", on #{''.join(f'{v:02x}' for v in taken.background)}"
    return f"scaled to {width}x{height} (width x height), cropped in the middle{colour}"


def _layers(network: Network, shape: tuple[int, ...] | None) -> list[list[str]]:
    rows, grid = [], None if shape is None else shape[:-1]
    layers = [layer.layer if isinstance(layer, PreparedLayer) else layer for layer in network.layers]
    for number, layer in enumerate(layers, start=1):
        grid = None if grid is None else layer.output_shape(grid)
        m, *patch, _ = layer.filters.shape
        out = ("-", "-") if grid is None else (_times((*grid, m)), str(prod((*grid, m))))
        row = (number, m, _times(patch), _described(layer.kernel), layer.padding, layer.subsampling, *out)
        rows.append([str(cell) for cell in row])
    return rows


def _times(sizes: Any) -> str:
    return "x".join(map(str, sizes))


def _described(value: Any) -> str:
    """A kernel or a step with its parameters: `Homogeneous(Exponential(0.6))`."""
    if is_dataclass(value):
        inner = ", ".join(_described(getattr(value, f.name)) for f in fields(value))
        return f"{type(value).__name__}({inner})"
    return brief(value)

"""`ckn show`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import prod
from typing import Any

from rich.console import JustifyMethod

from ckn.commands.console import facts, room_for, say, table
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import Import, ModelFile
from ckn.layers.grid import PreparedLayer
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Pictures
from ckn.readers.images import listed
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


def show(model: ModelFile, imports: Import = None) -> None:
    """Show the layers, preprocessing and classes of a model.

    \b
    Example:
      ckn show demo/model.safetensors
    """
    with room_for(model, "a machine with more"):
        loaded = load_model(model, types=types_of(imports))
    network = loaded.network if isinstance(loaded, Model) else loaded
    shape = loaded.image_shape if isinstance(loaded, Model) else None
    size = model.stat().st_size
    facts({"file": f"{model}, {size / 2**20:.2f} MiB, format version {VERSION}"} | _of_model(loaded))
    say("")
    table(_COLUMNS, _layers(network, shape))


def _of_model(loaded: Model | Network) -> dict[str, str]:
    if not isinstance(loaded, Model):
        return {"holds": "a network without a classifier"}
    n = len(loaded.classes)
    return {
        "images": f"{_times(loaded.image_shape)} (height x width x channels)",
        "pictures": _pictures(loaded.as_trained),
        "preprocessing": ", ".join(_described(step) for step in loaded.preprocessing) or "none",
        **({"classes": f"{n}: {listed(loaded.classes, most=20)}"} if n else {"predicts": _numbers(loaded)}),
        "classifier"
        if n
        else "head": f"linear, {_times(loaded.head.weights.shape)} weights, {loaded.head.weights.dtype}",
    }


def _numbers(model: Model) -> str:
    n = model.head.weights.shape[1]
    return f"{n} number{'s' if n > 1 else ''}"


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
    return f"{float(value):g}" if getattr(value, "shape", None) == () else str(value)

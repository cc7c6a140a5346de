"""`ckn show`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import JustifyMethod

from ckn.applying import alphabet_for, nouns_for, require_suited
from ckn.commands.console import facts, room_for, say, table
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import Import, ModelFile
from ckn.commands.outputs import output_folder
from ckn.commands.results import drawn, pictures_of_filters
from ckn.describing import facts_of, layers_of
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Dataset, read
from ckn.readers.images import optional_module
from kerneltools.files import VERSION


def show(
    model: ModelFile,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for the picture filters.png.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Sequences, graphs or series for motifs.png, which shows what excites the filters."
        ),
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
    facts({"file": f"{model}, {size / 2**20:.2f} MiB, format version {VERSION}"} | facts_of(loaded))
    if out is not None:
        facts({"written": f"{out}/: {', '.join(_drawn(loaded, network, out, data))}"})
    say("")
    layers = layers_of(loaded)
    sides: dict[str, JustifyMethod] = {
        name: "right" if number in layers.right else "left" for number, name in enumerate(layers.columns)
    }
    table(sides, layers.rows)


def _drawn(loaded: Model | Network, network: Network, folder: Path, data: str | None) -> list[str]:
    """The names of the pictures that are written."""
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

"""`ckn report`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ckn.commands.console import note, progress, room_for, say
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import (
    BackendName,
    Batch,
    Device,
    Import,
    Labels,
    ModelFile,
    Part,
    Quiet,
    SkipUnreadable,
    SplitName,
    check_device,
    check_page,
)
from ckn.commands.outputs import output_file
from ckn.commands.results import PAGE
from ckn.commands.use import SMALLER, part_of
from ckn.model import Model
from ckn.network import Network
from ckn.readers import Dataset
from ckn.readers.images import optional_module
from ckn.reporting import Examined, Training, report_of
from kerneltools.files import FileFormatError


def report(
    model: ModelFile,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            show_default=False,
            help="Examples to try the model on, as for `ckn evaluate`; they need no classes.",
        ),
    ] = None,
    labels: Labels = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="HTML",
            callback=check_page,
            help="File to write. [default: report.html in the folder of MODEL]",
        ),
    ] = None,
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Write a page about a model, to open in a browser.

    It is one file that loads nothing from a network. It shows the filters, the layers, and, from the files in the
    folder of MODEL, the training: settings, curves, the choice of λ. With DATA it also shows the accuracy with its 95 %
    interval, the confusion matrix, the hardest examples with their scores, and how much each layer's kernel map misses.
    For a model that predicts a number, the labels in DATA are numbers, and the page shows R² and the greatest errors.

    \b
    Examples:
      ckn report demo/model.safetensors digits
      ckn report demo/model.safetensors --out demo.html
      ckn report peaks-model/model.safetensors others.fa --labels others.csv
    """
    for module, package in (("jinja2", "jinja2"), ("matplotlib", "matplotlib"), ("PIL", "Pillow")):
        optional_module(module, package)
    check_device(backend, device)
    _require_data(data, labels=labels, split=split, skip_unreadable=skip_unreadable)
    with room_for(model, "a machine with more, or another --device"):
        loaded = load_model(model, backend, device, types_of(imports))
    place = model.with_name(PAGE) if out is None else out
    examples = None if data is None else _examples(loaded, model, data, labels, split, skip_unreadable, quiet)
    with output_file(place) as temporary, room_for(data or model, SMALLER):
        examined = None if examples is None else _examined(*examples, data or "", quiet, batch)
        page = report_of(short_path(model), loaded, _training(model, loaded), examined)
        temporary.write_text(page.html, encoding="utf-8", errors="backslashreplace")
    if not quiet:
        say(f"report in {place}")


def short_path(path: Path) -> str:
    """The file and its folder: the file's name alone is often that of others."""
    return "/".join(path.parts[-2:])


def _require_data(data: str | None, **options: Any) -> None:
    """Raise BadParameter for options of data if there are no data."""
    for name, value in options.items():
        if data is None and value:
            raise typer.BadParameter(f"--{name.replace('_', '-')}: only with DATA")


def _training(path: Path, held: Model | Network) -> Training | None:
    """The training as told by the files in the model's folder; a note if they belong to another model."""
    try:
        return Training.beside(path, held)
    except ValueError as error:
        note(f"{error}; left out")
        return None


def _examples(
    held: Model | Network, path: Path, data: str, labels: str | None, split: SplitName | None, skip: bool, quiet: bool
) -> tuple[Model, Dataset]:
    """The examples to try the model on; an error in reading them ends the command."""
    if not isinstance(held, Model):
        raise FileFormatError(f"{path}: a network without a classifier, which has no scores; leave DATA out")
    if held.targets is not None and len(held.targets) > 1:
        raise FileFormatError(
            f"{path}: a model of {len(held.targets)} numbers, and DATA has one label for each example; leave DATA out, "
            "and for its errors take ckn.load(path).score(x, y) in Python"
        )
    return held, part_of(held, data, data, split, skip, quiet, labels)


def _examined(held: Model, examples: Dataset, data: str, quiet: bool, batch: int | None) -> Examined:
    with progress(quiet) as screen:
        return Examined.of(held, examples, data, batch, screen)

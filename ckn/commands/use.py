"""`ckn evaluate`, `ckn predict` and `ckn encode`: a trained model on other images."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import JustifyMethod

from ckn.applying import matched, scores, write_features, write_predictions
from ckn.commands.console import note, progress, room_for, say, table
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import (
    BackendName,
    Batch,
    Data,
    Device,
    Import,
    ModelFile,
    Part,
    Quiet,
    SkipUnreadable,
    SplitName,
    Unlabelled,
    check_device,
    npz_name,
)
from ckn.commands.outputs import output_file
from ckn.model import Model
from ckn.readers import DataError, Dataset, read
from ckn.training import Numbers, confusion
from kerneltools.files import FileFormatError

SMALLER = "a smaller --batch"
FEWER = "fewer or smaller images at a time"

_COLUMNS: Mapping[str, JustifyMethod] = {
    "class": "left",
    "images": "right",
    "recall": "right",
    "precision": "right",
    "most often taken for": "left",
}


def evaluate(
    model: ModelFile,
    data: Data,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="JSON", help="Write the numbers to this file too.")
    ] = None,
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Measure the accuracy of a model, over all and class by class.

    Classes are matched by name. Images that the model was trained on say little about others.

    \b
    Examples:
      ckn evaluate demo/model.safetensors digits
      ckn evaluate photos-model/model.safetensors more-photos/ --out accuracy.json
    """
    loaded = _model(model, backend, device, imports)
    images = _part(loaded, data, data, split, skip_unreadable, quiet)
    names = [str(name) for name in loaded.classes]
    with room_for(data, SMALLER), _optional(out) as temporary:
        with progress(quiet) as report:
            counts = confusion(loaded, images, data, batch, report)
        if temporary is not None:
            numbers = json.dumps(_numbers(model, data, names, counts), indent=2, ensure_ascii=False)
            temporary.write_text(numbers + "\n", encoding="utf-8", errors="backslashreplace")
    _print_classes(names, counts)
    say(f"accuracy {counts.trace() / counts.sum():.2%} ({counts.trace()} of {counts.sum()})", "bold")


def predict(
    model: ModelFile,
    data: Unlabelled,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="CSV", help="File to write. [default: the terminal]")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="K", help="Also the next classes, up to the K-th, with their numbers.")
    ] = 1,
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Write the class of each image as CSV.

    The columns are image (the file, or the number counted from 0 where images are not files), class, score (about
    1 for a clear case), margin (how far the score is above that of the next class) and probability (that the class is
    right, for images like those of the training); with --top 3 also class_2, score_2, probability_2, class_3, score_3
    and probability_3. A name that a spreadsheet would take for a formula (=, +, -, @) has an apostrophe in
    front, and control characters are written as \\x1b.

    \b
    Examples:
      ckn predict photos-model/model.safetensors new/*.jpg --out new.csv
      ckn predict demo/model.safetensors digits | head
    """
    loaded = _model(model, backend, device, imports)
    source = _named(data)
    if top > len(loaded.classes):
        raise typer.BadParameter(f"--top {top}: the model has {len(loaded.classes)} classes; choose at most as many")
    images = _part(loaded, data, source, split, skip_unreadable, quiet)
    fitting = matched(loaded, images, source)
    if fitting.calibration is None:
        note(f"{model}: written by a version without probabilities, which are left out; train the model again for them")
    names = images.names or range(len(images))
    with room_for(source, SMALLER), _optional(out) as temporary:
        with progress(quiet) as report:
            values = scores(fitting, images.data, batch, report)
        if temporary is None:
            write_predictions(sys.stdout, fitting, values, names, top)
            sys.stdout.flush()
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            write_predictions(file, fitting, values, names, top)
    if not quiet:
        say(f"{len(images)} predictions in {out}")


def encode(
    model: ModelFile,
    data: Unlabelled,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FEATURES.npz", callback=npz_name, help="File to write.")],
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Write the features of each image as a NumPy file.

    The .npz file holds features (images, features) float32, each row centred and of norm 1, and where DATA has them
    labels (positions in classes), classes and the file names. Memory for features is that of one batch.

    \b
    Examples:
      ckn encode demo/model.safetensors digits --out features.npz
      ckn encode photos-model/model.safetensors new/*.jpg --out new.npz
    """
    loaded = _model(model, backend, device, imports)
    source = _named(data)
    images = _part(loaded, data, source, split, skip_unreadable, quiet)
    fitting = matched(loaded, images, source)
    with room_for(source, SMALLER), output_file(out) as temporary, progress(quiet) as report:
        d = write_features(temporary, fitting, images, batch, report)
    if not quiet:
        say(f"{len(images)} x {d} features in {out}")


def _named(data: list[str]) -> str:
    """What was given, for messages."""
    return data[0] if len(data) == 1 else f"{len(data)} files"


def _optional(out: Path | None) -> AbstractContextManager[Path | None]:
    """The file to write, tried before the work; None where none is wanted."""
    return nullcontext() if out is None else output_file(out)


def _model(path: Path, backend: str | None, device: str | None, imports: Sequence[str] | None) -> Model:
    check_device(backend, device)
    with room_for(path, "a machine with more, or another --device"):
        loaded = load_model(path, backend, device, types_of(imports))
    if not isinstance(loaded, Model):
        raise FileFormatError(f"{path}: a network without a classifier; expected a model that `ckn train` wrote")
    if loaded.targets is not None:
        raise FileFormatError(f"{path}: a model of numbers, not of classes; in Python, ckn.load(path).predict(x)")
    return loaded


def _part(
    model: Model, given: str | list[str], source: str, wanted: SplitName | None, skip: bool, quiet: bool
) -> Dataset:
    """The examples, pictures treated as in training; of training and test the latter, or those wanted."""
    with room_for(source, FEWER), progress(quiet) as report:
        data = read(given, pictures=model.as_trained, skip_unreadable=skip, report=report)
    if data.test is None:
        if wanted is not None:
            raise DataError(f"{source}: it has no training and test split, so --split {wanted} has no meaning")
        return data
    if wanted is None:
        note(f"the {len(data.test)} test {data.nouns} of {source}, not the {len(data)} of training (--split train)")
    return data if wanted is SplitName.train else data.test


def _numbers(model: Path, data: str, names: list[str], counts: Numbers) -> dict[str, Any]:
    total, right = counts.sum(axis=1), counts.diagonal()
    return {
        "model": str(model),
        "data": data,
        "accuracy": float(right.sum() / total.sum()),
        "n": int(total.sum()),
        "classes": names,
        "recall": [float(r / t) if t else None for r, t in zip(right, total, strict=True)],
        "confusion": counts.tolist(),
    }


def _print_classes(names: list[str], counts: Numbers) -> None:
    rows = []
    for i, name in enumerate(names):
        right, true, predicted = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        rows.append((name, str(true), _share(right, true), _share(right, predicted), _mistakes(names, counts[i], i)))
    table(_COLUMNS, rows)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _mistakes(names: list[str], row: Numbers, own: int) -> str:
    others = [(int(count), name) for i, (count, name) in enumerate(zip(row, names, strict=True)) if i != own]
    count, name = max(others, key=lambda pair: pair[0])
    return f"{name} ({count})" if count else ""

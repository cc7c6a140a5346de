"""`ckn evaluate`, `ckn predict` and `ckn encode`: a trained model on other data."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import JustifyMethod

from ckn.applying import alphabet_for, matched, scores, write_features, write_predictions
from ckn.commands.console import note, progress, room_for, say, table
from ckn.commands.imported import types_of
from ckn.commands.models import load_model
from ckn.commands.options import (
    BackendName,
    Batch,
    Data,
    Device,
    Import,
    Labels,
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
from ckn.readers import DataError, Dataset, Images, read
from ckn.training import Numbers, confusion
from kerneltools.files import FileFormatError

SMALLER = "a smaller --batch"
FEWER = "fewer or smaller examples at a time"


def evaluate(
    model: ModelFile,
    data: Data,
    labels: Labels = None,
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
    """Measure the accuracy of a model, overall and for each class.

    Classes are matched by name. Accuracy on the training data says little about other data.

    \b
    Examples:
      ckn evaluate demo/model.safetensors digits
      ckn evaluate peaks-model/model.safetensors others.fa --labels others.csv
      ckn evaluate photos-model/model.safetensors more-photos/ --out accuracy.json
    """
    loaded = _model(model, backend, device, imports)
    examples = part_of(loaded, data, data, split, skip_unreadable, quiet, labels)
    names = [str(name) for name in loaded.classes]
    with room_for(data, SMALLER), _optional(out) as temporary:
        with progress(quiet) as report:
            counts = confusion(loaded, examples, data, batch, report)
        if temporary is not None:
            numbers = json.dumps(_numbers(model, data, names, counts), indent=2, ensure_ascii=False)
            temporary.write_text(numbers + "\n", encoding="utf-8", errors="backslashreplace")
    _print_classes(names, counts, examples.nouns)
    say(f"accuracy {counts.trace() / counts.sum():.2%} ({counts.trace()} of {counts.sum()})", "bold")


def predict(
    model: ModelFile,
    data: Unlabelled,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="CSV", help="File to write. [default: the terminal]")
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="K", help="Also write the next classes, up to the K-th, with their scores.")
    ] = 1,
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Write the class of each image, sequence, graph or series as CSV.

    The columns are image, sequence, graph or series (the file or name, or the number counted from 0 if there are no
    names), class, score (about 1 for a clear case), margin (the score less that of the next class) and probability
    (that the class is right, for data like those of the training); with --top 3 also class_2, score_2, probability_2,
    class_3, score_3 and probability_3. A name that a spreadsheet would take for a formula (=, +, -, @) gets an
    apostrophe in front, and control characters are written as \\x1b.

    \b
    Examples:
      ckn predict photos-model/model.safetensors new/*.jpg --out new.csv
      ckn predict demo/model.safetensors digits | head
      ckn predict peaks-model/model.safetensors new.fa --out new.csv
    """
    loaded = _model(model, backend, device, imports)
    source = _named(data)
    if top > len(loaded.classes):
        raise typer.BadParameter(f"--top {top}: the model has {len(loaded.classes)} classes; choose at most as many")
    examples = part_of(loaded, data, source, split, skip_unreadable, quiet)
    fitting = matched(loaded, examples, source)
    if fitting.calibration is None:
        note(f"{model}: written by a version without probabilities, which are left out; train the model again for them")
    names = examples.names or range(len(examples))
    with room_for(source, SMALLER), _optional(out) as temporary:
        with progress(quiet) as report:
            values = scores(fitting, examples.data, batch, report)
        if temporary is None:
            write_predictions(sys.stdout, fitting, values, names, top, examples.noun)
            sys.stdout.flush()
            return
        with temporary.open("w", encoding="utf-8", newline="") as file:
            write_predictions(file, fitting, values, names, top, examples.noun)
    if not quiet:
        say(f"{len(examples)} predictions in {out}")


def encode(
    model: ModelFile,
    data: Unlabelled,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FEATURES.npz", callback=npz_name, help="File to write.")],
    labels: Labels = None,
    split: Part = None,
    skip_unreadable: SkipUnreadable = False,
    quiet: Quiet = False,
    batch: Batch = None,
    backend: BackendName = None,
    device: Device = None,
    imports: Import = None,
) -> None:
    """Write the features of each image, sequence, graph or series as a NumPy file.

    The .npz file holds features (n, features) float32, each row centred and of norm 1, and, if DATA has them, labels
    (positions in classes), classes and names. Features take memory for one batch only.

    \b
    Examples:
      ckn encode demo/model.safetensors digits --out features.npz
      ckn encode photos-model/model.safetensors new/*.jpg --out new.npz
    """
    loaded = _model(model, backend, device, imports)
    source = _named(data)
    examples = part_of(loaded, data, source, split, skip_unreadable, quiet, labels)
    fitting = matched(loaded, examples, source)
    with room_for(source, SMALLER), output_file(out) as temporary, progress(quiet) as report:
        d = write_features(temporary, fitting, examples, batch, report)
    if not quiet:
        say(f"{len(examples)} x {d} features in {out}")


def _named(data: list[str]) -> str:
    """The data given, for messages."""
    return data[0] if len(data) == 1 else f"{len(data)} files"


def _optional(out: Path | None) -> AbstractContextManager[Path | None]:
    """The file to write, tested before the work; None if none is wanted."""
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


def part_of(
    model: Model,
    given: str | list[str],
    source: str,
    wanted: SplitName | None,
    skip: bool,
    quiet: bool,
    labels: str | None = None,
) -> Dataset:
    """The examples, treated as in training: the wanted part, or, of training and test, the test."""
    asked: dict[str, Any] = {"pictures": model.as_trained, "alphabet": alphabet_for(model.network)}
    asked["numbers"] = model.targets is not None
    with room_for(source, FEWER), progress(quiet) as report:
        data = read(given, skip_unreadable=skip, labels=labels, report=report, **asked)
    if skip and not isinstance(data, Images):
        raise typer.BadParameter(f"--skip-unreadable: only for picture files, and {source} holds {data.nouns}")
    if data.test is None:
        if wanted is not None:
            raise DataError(f"{source}: it has no training and test split; leave out --split {wanted}")
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


def _print_classes(names: list[str], counts: Numbers, nouns: str) -> None:
    rows = []
    for i, name in enumerate(names):
        right, true, predicted = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        rows.append((name, str(true), _share(right, true), _share(right, predicted), _mistakes(names, counts[i], i)))
    sides: Mapping[str, JustifyMethod] = {
        "class": "left",
        nouns: "right",
        "recall": "right",
        "precision": "right",
        "most often taken for": "left",
    }
    table(sides, rows)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _mistakes(names: list[str], row: Numbers, own: int) -> str:
    others = [(int(count), name) for i, (count, name) in enumerate(zip(row, names, strict=True)) if i != own]
    count, name = max(others, key=lambda pair: pair[0])
    return f"{name} ({count})" if count else ""

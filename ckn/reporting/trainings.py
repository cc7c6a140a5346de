"""What is known of a training, and what a page says of it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, Self

from ckn.model import Model
from ckn.network import Network
from ckn.supervised import EpochReport
from ckn.text import visible
from kerneltools.files import parsed
from kerneltools.reporting import Chart, Facts, Paragraph, Section, Series, Table

METRICS, EPOCHS = "metrics.json", "metrics.jsonl"


PATHS = ("loo_error_at_", "left_out_error_at_")
"""With what the names of errors begin, by λ: of one example left out at a time, or of some at once."""


NO_SETTINGS = ("reg", "reg_at_end", "test_accuracy", "loo_accuracy", "loss", "train_accuracy")


@dataclass(frozen=True, eq=False)
class Training:
    """What is known of a training: the `numbers` of its metrics.json, its epochs, the seconds that they took."""

    numbers: Mapping[str, Any]
    history: tuple[EpochReport, ...] = ()
    initial: EpochReport | None = None

    @classmethod
    def beside(cls, path: Path, held: Model | Network) -> Self | None:
        """That of a model's file, from the files beside it that its training wrote; None where there are none.

        Raises ValueError, naming the file, for what is no such file and for that of another model.
        """
        place = path.parent / METRICS
        if not isinstance(held, Model) or not place.is_file():
            return None
        try:
            numbers = parsed(place.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{place}: cannot be read: {error}") from error
        found = isinstance(numbers, dict) and (numbers.get("n_features"), numbers.get("n_classes"))
        wanted = (int(held.head.weights.shape[0]), len(held.classes))
        if found != wanted:
            raise ValueError(f"{place}: of another model: features and classes are {wanted}, it has {found}")
        epochs = _epochs_in(path.parent / EPOCHS) if numbers.get("supervised") else ()
        initial = epochs[0] if epochs and epochs[0].epoch == 0 else None
        return cls(numbers, epochs[initial is not None :], initial)


def measured_in(training: Training) -> tuple[int, int] | None:
    """How many test examples were right, of how many; None where that is not known."""
    share, n = training.numbers.get("test_accuracy"), training.numbers.get("n_test")
    if not isinstance(share, float) or not isinstance(n, int) or n < 1 or not 0 <= share <= 1:
        return None
    return round(share * n), n


def of_training(training: Training) -> list[Section]:
    """λ and what was tried, accuracies, times, and the curves of a training with labels."""
    numbers, blocks = training.numbers, list[Any]()
    at_once = any(key.startswith(PATHS[1]) for key in numbers)
    error = "error of examples left out" if at_once else "leave-one-out error"
    facts = {
        "λ": _number(numbers.get("reg")),
        "accuracy on examples left out" if at_once else "leave-one-out accuracy": _percent(numbers.get("loo_accuracy")),
        "test accuracy": _percent(numbers.get("test_accuracy")),
        "time": ", ".join(
            f"{numbers[key]:.1f} s to {word}"
            for key, word in (("train_seconds", "train"), ("test_seconds", "test"))
            if isinstance(numbers.get(key), int | float)
        ),
    }
    blocks.append(Facts({name: value for name, value in facts.items() if value}))
    if numbers.get("reg_at_end"):
        blocks.append(Paragraph("λ is at an end of the values that were tried; a better one may lie beyond."))
    if len(path := _path(numbers)) > 1:
        series = Series(error, tuple(path), tuple(path.values()))
        marked = (float(numbers["reg"]), "taken") if _is_number(numbers.get("reg")) and numbers["reg"] > 0 else None
        alt = f"The error of training examples that are left out, for {len(path)} values of λ"
        blocks.append(Chart("λ path", alt, [series], "λ", error, log_x=True, marked=marked))
    return [Section("Training", [*blocks, *_curves(training)])]


def missed_in_training(training: Training | None) -> list[Any]:
    """A table of the means that training has noted."""
    prefix, numbers = "missed_layer_", {} if training is None else training.numbers
    means = {key.removeprefix(prefix): value for key, value in numbers.items() if key.startswith(prefix)}
    rows = [(f"layer {number}", f"{value:.2%}") for number, value in means.items() if isinstance(value, float)]
    return [Table("What each layer misses, as measured in training", ("layer", "mean"), rows, (1,))] if rows else []


def settings_of(training: Training) -> Section:
    """What was asked for."""
    left_out = (*NO_SETTINGS, "train_seconds", "test_seconds")
    shown = {
        key: visible(f"{value:.6g}" if isinstance(value, float) else str(value))
        for key, value in training.numbers.items()
        if key not in left_out
        and not key.startswith(("missed_layer_", *PATHS))
        and not key.endswith("_version")
        and value is not None
    }
    return Section("Settings", [Facts(shown)])


def _path(numbers: Mapping[str, Any]) -> dict[float, float]:
    """The λ that were tried, and the error of each for examples left out."""
    found = {}
    for key, value in numbers.items():
        if key.startswith(PATHS) and _is_number(value):
            with suppress(ValueError):
                found[float(key.rpartition("_at_")[2])] = float(value)
    return found


def _curves(training: Training) -> list[Chart]:
    if not training.history:
        return []
    history = training.history if training.initial is None else (training.initial, *training.history)
    epochs = [float(one.epoch) for one in history]
    losses = [one.loss for one in history]
    alt = f"The mean loss of each epoch, from {losses[0]:.4g} to {losses[-1]:.4g}"
    found = [Chart("Loss", alt, [Series("loss", epochs, losses)], "epoch", "loss")]
    lines = []
    for name in ("train", "validation"):
        measured = [(one.epoch, value) for one in history if (value := getattr(one, f"{name}_accuracy")) is not None]
        if measured:
            lines.append(Series(name, [float(epoch) for epoch, _ in measured], [value for _, value in measured]))
    if lines:
        ends = ", ".join(f"{line.name} {line.y[-1]:.2%}" for line in lines)
        found.append(
            Chart("Accuracy", f"Accuracy by epoch; at the end {ends}", lines, "epoch", "accuracy", percent=True)
        )
    return found


def _epochs_in(path: Path) -> tuple[EpochReport, ...]:
    """The epochs that are in a file, none where it is not there or cannot be read."""
    known = [f.name for f in fields(EpochReport)]
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found = [EpochReport(**{name: line[name] for name in known if name in line}) for line in lines]
    except (OSError, ValueError, TypeError, RecursionError):
        return ()
    return tuple(one for one in found if all(_is_number(value) for value in (one.epoch, one.loss, one.rate)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _number(value: Any) -> str:
    return f"{value:.3g}" if _is_number(value) else ""


def _percent(value: Any) -> str:
    return f"{value:.2%}" if _is_number(value) else ""

"""Reports of models: what `ckn report` and `ckn train --report` put on a page."""

import base64
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ckn.applying import labels_for, matched, nouns_for, predictions, scores
from ckn.describing import facts_of, layers_of, parameters_of
from ckn.model import Model, preprocess
from ckn.network import Network, Progress
from ckn.readers import Dataset, Images
from ckn.supervised import EpochReport
from ckn.text import visible
from ckn.training import counted, relative_misses
from kerneltools.files import parsed
from kerneltools.progress import silent
from kerneltools.reporting import (
    Card,
    Cards,
    Chart,
    Facts,
    Figure,
    Matrix,
    Paragraph,
    Picture,
    Report,
    Section,
    Series,
    Sketch,
    Table,
    wilson,
)

Numbers = npt.NDArray[Any]

SHOWN, SHOWN_OBJECTS = 24, 12
"""Examples that are shown: images, and objects, which take more room."""

MOST_CLASSES = 30
"""Of a confusion matrix whose cells are all shown; of more, the most frequent mistakes are."""

SIDE = 96
"""Pixels of an image that is shown: larger ones are made smaller."""

DRAWN_NODES, DRAWN_POINTS, LETTERS = 100, 200, 120
"""Of an object that is shown."""

METRICS, EPOCHS = "metrics.json", "metrics.jsonl"

SEEN = (
    "The model was trained on data of this name: examples that it has seen are right more often than new ones. The "
    "test accuracy, below, is of examples that were held out."
)

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


@dataclass(frozen=True, eq=False)
class Examined:
    """What a model says of examples from a `source`: their `scores` (n, k), where they have labels the number of the
    `true` class (n,), for each layer what its map `misses`, and the seconds of it."""

    data: Dataset
    source: str
    scores: Numbers
    true: Numbers | None
    misses: Sequence[Numbers]
    seconds: float

    @classmethod
    def of(
        cls, model: Model, data: Dataset, source: str, batch: int | None = None, progress: Progress = silent
    ) -> Self:
        """Apply the model. Raises DataError for data that do not go with it and for labels that it does not know."""
        fitting = matched(model, data, source)
        names = tuple(str(name) for name in model.classes)
        true = None if data.labels is None else labels_for(names, data, source)
        began = perf_counter()
        values = scores(fitting, data.data, batch, progress)
        seconds = perf_counter() - began
        return cls(data, source, values, true, relative_misses(fitting, data.data, batch, progress), seconds)


def report_of(
    name: str, held: Model | Network, training: Training | None = None, examined: Examined | None = None
) -> Report:
    """A page on a model or a network: with examples what it makes of them, with a training how that went.

    `name`: of the model, such as its file.
    """
    names = [visible(str(one)) for one in held.classes] if isinstance(held, Model) else []
    sections = [
        *(_of_examples(held, names, examined, training) if isinstance(held, Model) and examined is not None else ()),
        _filters(held, examined),
        *_certificate(training, examined, nouns_for(held.network if isinstance(held, Model) else held)),
        *([] if training is None else _of_training(training)),
        _architecture(held),
        *([] if training is None else [_settings(training)]),
        _versions(training),
    ]
    nouns = nouns_for(held.network if isinstance(held, Model) else held)
    if examined is not None:
        said = f"{len(examined.data)} {nouns}: {visible(examined.source)}"
    else:
        said = f"of the model alone; give data for its accuracy and the hardest {nouns}"
    return Report(
        f"Report on {visible(name)}", f"A network on {nouns}; {said}", sections, _figures(held, training, examined)
    )


def _figures(held: Model | Network, training: Training | None, examined: Examined | None) -> list[Figure]:
    """What counts, above all sections."""
    found = []
    if examined is not None and examined.true is not None:
        right, n = _right(examined)
        found.append(_accuracy("Accuracy", right, n))
    elif training is not None and (measured := _measured(training)) is not None:
        found.append(_accuracy("Test accuracy, in training", *measured))
    if isinstance(held, Model) and held.classes:
        found.append(Figure("Classes", f"{len(held.classes):,}"))
    network = held.network if isinstance(held, Model) else held
    found.append(Figure("Layers", f"{len(network.layers)}", f"{parameters_of(held):,} numbers in all"))
    if examined is not None and examined.seconds > 0:
        rate = len(examined.data) / examined.seconds
        found.append(
            Figure("Time to apply it", f"{examined.seconds:.2f} s", f"{rate:,.0f} {examined.data.nouns} a second")
        )
    return found


def _accuracy(name: str, right: int, n: int) -> Figure:
    return Figure(name, f"{right / n:.2%}", f"{right} of {n}; 95 % interval {wilson(right, n)}")


def _right(examined: Examined) -> tuple[int, int]:
    best, _, _ = predictions(examined.scores)
    return int((best == examined.true).sum()), len(best)


def _measured(training: Training) -> tuple[int, int] | None:
    share, n = training.numbers.get("test_accuracy"), training.numbers.get("n_test")
    if not isinstance(share, float) or not isinstance(n, int) or n < 1 or not 0 <= share <= 1:
        return None
    return round(share * n), n


def _of_examples(model: Model, names: Sequence[str], examined: Examined, training: Training | None) -> list[Section]:
    nouns = examined.data.nouns
    if examined.true is None:
        text = f"These {nouns} have no labels: which are right is not known. How many were put into each class:"
        best, _, _ = predictions(examined.scores)
        many = np.bincount(best, minlength=len(names))
        rows = [(one, str(count), f"{count / len(best):.1%}") for one, count in zip(names, many, strict=True)]
        table = Table("Predicted classes", ("class", nouns, "share"), rows, (1, 2))
        return [Section("Predictions", [Paragraph(text), table]), _hardest(model, names, examined)]
    return [_confusion(names, examined, training), _hardest(model, names, examined)]


def _confusion(names: Sequence[str], examined: Examined, training: Training | None) -> Section:
    assert examined.true is not None  # the caller has asked
    counts = counted(examined.true, examined.scores)
    right, n = _right(examined)
    text = (
        f"{right} of {n} {examined.data.nouns} are in their class: {right / n:.2%}. The 95 % interval of Wilson, "
        f"{wilson(right, n)}, is where the accuracy on all {examined.data.nouns} of this kind may lie."
    )
    rows = []
    for i, name in enumerate(names):
        own, true, said = int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum())
        interval = str(wilson(own, true)) if true else "-"
        rows.append((name, str(true), _share(own, true), interval, _share(own, said)))
    columns = ("class", examined.data.nouns, "recall", "95 % interval of recall", "precision")
    table = Table("Class by class", columns, rows, (1, 2, 3, 4))
    if len(names) <= MOST_CLASSES:
        shown: Any = Matrix("Confusion matrix: true classes in rows, predicted ones in columns", names, counts.tolist())
    else:
        shown = _mistakes(names, counts)
    seen = [] if training is None or not _were_seen(training, examined) else [Paragraph(SEEN)]
    return Section("Accuracy", [Paragraph(text), *seen, shown, table])


def _were_seen(training: Training, examined: Examined) -> bool:
    """Whether the training had some of these examples, as far as the names of the data tell."""
    numbers = training.numbers
    return numbers.get("data") == examined.source and numbers.get("n_test") != len(examined.data)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _mistakes(names: Sequence[str], counts: Numbers) -> Table:
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]
    pairs = [np.unravel_index(number, wrong.shape) for number in order.tolist()]
    rows = [(names[i], names[j], str(wrong[i, j])) for i, j in pairs if wrong[i, j]]
    caption = f"The most frequent mistakes; the matrix of {len(names)} classes is too large for a page"
    return Table(caption, ("true class", "taken for", "times"), rows, (2,))


def _hardest(model: Model, names: Sequence[str], examined: Examined) -> Section:
    """Those whose true class has the score that is furthest below, or least above, that of the best other one."""
    values, true, data = examined.scores, examined.true, examined.data
    best, _, margin = predictions(values)
    if true is not None:
        own = values[np.arange(len(values)), true]
        others = values.copy()
        others[np.arange(len(values)), true] = -np.inf
        margin = own - others.max(axis=1)
    most = SHOWN if isinstance(data, Images) else SHOWN_OBJECTS
    order = np.argsort(margin, kind="stable")[:most].tolist()
    chances = None if model.calibration is None else model.calibration(values[order])
    cards = []
    for at, number in enumerate(order):
        facts = {} if true is None else {"true": names[true[number]]}
        facts["predicted"] = names[best[number]]
        for column in dict.fromkeys([best[number], *([] if true is None else [true[number]])]):
            chance = "" if chances is None else f" (p {chances[at, column]:.3f})"
            facts[f"score of {names[column]}"] = f"{values[number, column]:.3f}{chance}"
        title = visible(str(data.names[number])) if data.names else f"{data.noun} {number}"
        cards.append(_card(data, number, title, facts))
    if true is None:
        text = f"The {len(order)} {data.nouns} whose best two classes have scores closest to each other."
    else:
        wrong = int((margin[order] < 0).sum())
        text = (
            f"The {len(order)} {data.nouns} whose true class is furthest below the best other one, or least above it: "
            f"{wrong} of these are mistakes, the worst first."
        )
    told = "" if chances is None else " p is the probability of a class."
    return Section(f"Hardest {data.nouns}", [Paragraph(text + told), Cards(cards)])


def _card(data: Dataset, number: int, title: str, facts: Mapping[str, str]) -> Card:
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
    return Picture(_url(buffer.getvalue()), alt, pixels=True)


def _graph(graph: Any, edges: Sequence[tuple[int, int]], title: str) -> tuple[Sketch | None, str]:
    """How it looks, and what else is to be said of it."""
    if graph.nodes > DRAWN_NODES:
        return None, f"more than {DRAWN_NODES} nodes: not drawn"
    try:
        places = _pictures("graphs").layout(graph)
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


def _filters(held: Model | Network, examined: Examined | None) -> Section:
    network, steps = (held.network, held.preprocessing) if isinstance(held, Model) else (held, ())
    nouns = nouns_for(network)
    m, *size = network.bare_layers[0].filters.shape
    alt = f"The filters of the first layer side by side: {m} of {' × '.join(map(str, size))}"
    blocks: list[Any] = [_drawn("filters", alt, lambda: _pictures(nouns).filters(network))]
    if examined is not None and nouns != "images":
        told: dict[str, Any] = {}
        if isinstance(held, Model):
            told = {"weights": held.head.weights, "classes": [str(name) for name in held.classes]}
        seen = partial(preprocess, steps, examined.data.data, network.like)
        alt = f"What in the {nouns} excites the strongest filters most, and where"
        blocks.append(_drawn("motifs", alt, lambda: _pictures(nouns).motifs(network, seen(), **told)))
    return Section("Filters", blocks)


def _drawn(name: str, alt: str, figure: Callable[[], Any]) -> Picture | Paragraph:
    """A picture, or what was wrong with it."""
    try:
        return picture_of(figure(), alt)
    except Exception as error:  # whatever it is, the rest of the page is worth more
        return Paragraph(f"The picture of {name} was not drawn: {error or type(error).__name__}")


def picture_of(figure: Any, alt: str, caption: str = "") -> Picture:
    """A figure of matplotlib in the page, in at most 256 colours."""
    from PIL import Image

    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=110, bbox_inches="tight", pad_inches=0.1, facecolor="white")
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return Picture(_url(small.getvalue()), alt, caption)


def _url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _pictures(kind: str) -> Any:
    # matplotlib takes a second to import.
    return import_module(f"ckn.pictures.{kind}")


def _certificate(training: Training | None, examined: Examined | None, nouns: str) -> list[Section]:
    parts = "patches" if nouns == "images" else "parts"
    text = (
        f"Each layer replaces its kernel by a map ψ onto its filters. Of each of its {parts} p the map misses the "
        "share (k(p, p) − |ψ(p)|²) / k(p, p): 0 % is exact, and at 100 % nothing of p is seen."
    )
    found = _missed(examined, parts) if examined is not None else _missed_in_training(training)
    return [Section("Certificate", [Paragraph(text), *found])] if found else []


def _missed(examined: Examined, parts: str) -> list[Any]:
    """A table, and a curve for each layer that has seen some."""
    held = [(number, miss) for number, miss in enumerate(examined.misses, start=1) if miss.size]
    if not held:
        return []
    rows = [
        (
            f"layer {number}",
            f"{miss.mean():.2%}",
            *(f"{q:.2%}" for q in np.quantile(miss, (0.5, 0.9))),
            f"{miss.size:,}",
        )
        for number, miss in held
    ]
    table = Table("What each layer misses", ("layer", "mean", "median", "90 % miss at most", parts), rows, (1, 2, 3, 4))
    places = np.linspace(0.0, 1.0, 51)
    series = [
        Series(f"layer {number}", (100 * places).tolist(), [float((miss <= at).mean()) for at in places])
        for number, miss in held
    ]
    title = f"How many {parts} are missed by at most so much"
    alt = f"For each layer, the share of {parts} of which it misses at most so much, from 0 to 100 percent"
    return [table, Chart(title, alt, series, "missed, %", f"share of {parts}", percent=True)]


def _missed_in_training(training: Training | None) -> list[Any]:
    """A table of the means that training has noted."""
    prefix, numbers = "missed_layer_", {} if training is None else training.numbers
    means = {key.removeprefix(prefix): value for key, value in numbers.items() if key.startswith(prefix)}
    rows = [(f"layer {number}", f"{value:.2%}") for number, value in means.items() if isinstance(value, float)]
    return [Table("What each layer misses, as measured in training", ("layer", "mean"), rows, (1,))] if rows else []


def _of_training(training: Training) -> list[Section]:
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


def _architecture(held: Model | Network) -> Section:
    layers = layers_of(held)
    rows = [tuple(map(visible, row)) for row in layers.rows]
    facts = {name: visible(value) for name, value in facts_of(held).items()}
    return Section("Model", [Facts(facts), Table("Layers", layers.columns, rows, layers.right)])


def _settings(training: Training) -> Section:
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


def _versions(training: Training | None) -> Section:
    found = {"Python": platform.python_version()}
    for package in ("kerneltools", "numpy", "scikit-learn", "matplotlib"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    blocks: list[Any] = [Facts(found)]
    if training is not None:
        of_training = {
            key.removesuffix("_version"): visible(str(value))
            for key, value in training.numbers.items()
            if key.endswith("_version")
        }
        if of_training:
            blocks += [Paragraph("The versions of the training:"), Facts(of_training)]
    return Section("Versions", blocks)


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

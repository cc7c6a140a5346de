"""A trained model on new data: checks that they fit together, scores batch by batch, files of results."""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO
from warnings import warn

import numpy as np
import numpy.typing as npt

from ckn.layers.embedding import Labels, Letters, Vectors
from ckn.model import Model, encode_blocks, preprocess
from ckn.network import Network, Progress
from ckn.preprocessing import Scale, Standardise, Step
from ckn.readers import DataError, Dataset, Examples, Images
from ckn.readers.images import listed
from ckn.text import cell
from kerneltools.backend import to_host
from kerneltools.patches import Windows
from kerneltools.progress import silent
from kerneltools.structures import Alphabet, Graphs, take

Numbers = npt.NDArray[Any]


def matched(model: Model, data: Dataset, source: str) -> Model:
    """The model adjusted to the data of this source: for images, it divides pixels by the value of white there.

    Raises DataError for data of another kind than in training, images of another size or other channels, sequences of
    another alphabet, graphs without labels and so on. Warns if the value of white is not known, and about sequences and
    series that are shorter than a window.
    """
    require_suited(model, data, source)
    if not isinstance(data, Images):
        _warn_short(model.network, data, source)
        return model
    shape = tuple(data.images.shape[1:])
    if shape != model.image_shape:
        raise DataError(
            f"{source}: images of {_described(shape)}; the model was trained on {_described(model.image_shape)}"
        )
    white = next((step.maximum for step in model.preprocessing if isinstance(step, Scale)), None)
    if (white is None) != (data.maximum is None):
        in_training = "in any units" if white is None else f"in 0..{white:g}"
        here = "in any units" if data.maximum is None else f"in 0..{data.maximum:g}"
        warn(f"{source}: pixels {here}, in training {in_training}: taken as they are", stacklevel=2)
    if white is None or data.maximum is None:
        return model
    steps = (replace(step, maximum=data.maximum) if isinstance(step, Scale) else step for step in model.preprocessing)
    return replace(model, preprocessing=tuple(steps))


def nouns_for(network: Network) -> str:
    """What a network takes: "images", "sequences", "graphs" or "series"."""
    embedding = network.embedding
    if embedding is None:
        return "images"
    of_graphs = isinstance(embedding, Labels) or (isinstance(embedding, Vectors) and embedding.of_graphs)
    return "sequences" if isinstance(embedding, Letters) else "graphs" if of_graphs else "series"


def alphabet_for(network: Network) -> Alphabet | None:
    """The alphabet of the sequences that a network takes; None for networks on other data."""
    return network.embedding.alphabet if isinstance(network.embedding, Letters) else None


def require_suited(held: Model | Network, data: Dataset, source: str) -> None:
    """Raise DataError for data of another kind than in training, and for objects that the network cannot take."""
    network, steps = (held.network, held.preprocessing) if isinstance(held, Model) else (held, ())
    if data.nouns != nouns_for(network):
        raise DataError(f"{source}: {data.nouns}; the model was trained on {nouns_for(network)}")
    if _without_attributes(data.data) and _needs_attributes(network, steps):
        raise DataError(f"{source}: graphs without attributes of nodes; the model was trained on graphs with them")
    try:
        if network.embedding is not None:
            network.embedding.check(preprocess(steps, take(data.data, [0]), network.like))
    except (TypeError, ValueError) as error:
        said = str(error).removeprefix("x: ").replace("the network was made for", "in training")
        raise DataError(f"{source}: {said}") from error


def _warn_short(network: Network, data: Examples, source: str) -> None:
    windows = getattr(network.bare_layers[0], "parts", None)
    if not isinstance(windows, Windows) or windows.partial:
        return
    reach = (windows.size - 1) * windows.dilation + 1
    if short := np.count_nonzero(np.diff(data.data.offsets) < reach):  # type: ignore[attr-defined]  # what has windows
        warn(
            f"{source}: {short} of {len(data)} {data.nouns} are shorter than the model's window of {reach}, so "
            "that it cannot tell them apart",
            stacklevel=3,
        )


def _without_attributes(x: Any) -> bool:
    return isinstance(x, Graphs) and x.attributes is None


def _needs_attributes(network: Network, steps: tuple[Step, ...]) -> bool:
    if not steps:
        return isinstance(network.embedding, Vectors)
    return any(isinstance(step, Standardise) for step in steps)


def labels_for(classes: tuple[str, ...], data: Dataset, source: str) -> npt.NDArray[np.int64]:
    """The labels of the data as positions in these classes, which are matched by name.

    Raises DataError for examples without labels and for examples of other classes.
    """
    if data.labels is None:
        raise DataError(f"{source}: {len(data)} {data.nouns} without labels; there is nothing to compare with")
    place = {name: i for i, name in enumerate(classes)}
    used = [data.classes[i] for i in np.unique(data.labels)]
    unknown = [name for name in used if name not in place]
    if unknown:
        raise DataError(
            f"{source}: {data.nouns} of classes without a training {data.noun}: {listed(unknown)}; "
            f"the {len(classes)} classes of the training are {listed(classes, 10)}"
        )
    table = np.asarray([place.get(name, -1) for name in data.classes], dtype=np.int64)
    return table[data.labels]


def numbers_for(data: Dataset, source: str) -> Numbers:
    """The labels of the data as the numbers that they are: (n,) in float64.

    Raises DataError for examples without labels and for labels that are no finite numbers.
    """
    if data.labels is None:
        raise DataError(f"{source}: {len(data)} {data.nouns} without labels; there is nothing to compare with")
    try:
        table = np.asarray([float(name) for name in data.classes], dtype=np.float64)
    except ValueError as error:
        raise DataError(
            f"{source}: the labels of these {data.nouns} are classes, such as {listed(data.classes, 3)}; the model "
            "predicts numbers"
        ) from error
    if not np.isfinite(table[data.labels]).all():
        raise DataError(f"{source}: expected finite numbers as labels, got {listed(data.classes, 3)}")
    return np.asarray(table[data.labels])


def scores(model: Model, data: Any, batch: int | None, progress: Progress = silent) -> Numbers:
    """A score for each class, on the host; holds the features of one batch: n images or objects -> (n, classes)."""
    blocks = encode_blocks(model.network, model.preprocessing, data, batch, progress)
    return np.concatenate([to_host(model.head(block)) for block in blocks])


def predictions(values: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """The class of highest score, that score, and how far it is above the next: (n, k) -> (n,), (n,), (n,)."""
    best = values.argmax(axis=1)
    ordered = np.sort(values, axis=1)
    return best, ordered[:, -1], ordered[:, -1] - ordered[:, -2]


def write_predictions(
    file: TextIO, model: Model, values: Numbers, names: Iterable[object], top: int = 1, noun: str = "image"
) -> None:
    """Write the predictions as CSV.

    Columns: image (or another `noun`), class, score, margin, probability, and class, score and probability of the next
    classes up to the `top`-th, best first; no probabilities if the model has no calibration.

    Names are made safe for terminals and spreadsheets (`ckn.text.cell`).
    """
    rows = csv.writer(file, lineterminator="\n")
    chances = None if model.calibration is None else model.calibration(values)
    kinds = ("class", "score") if chances is None else ("class", "score", "probability")
    more = [f"{what}_{rank}" for rank in range(2, top + 1) for what in kinds]
    rows.writerow((noun, "class", "score", "margin", *kinds[2:], *more))
    tables = (values,) if chances is None else (values, chances)
    ranked = np.argsort(-values, axis=1, kind="stable")[:, 1:top]
    for number, (name, i, score, margin) in enumerate(zip(names, *predictions(values), strict=True)):
        chance = [] if chances is None else [f"{chances[number, i]:.6g}"]
        numbers = {j: [f"{table[number, j]:.6g}" for table in tables] for j in ranked[number]}
        next_ones = [text for j, found in numbers.items() for text in (cell(model.classes[j]), *found)]
        rows.writerow((cell(name), cell(model.classes[i]), f"{score:.6g}", f"{margin:.6g}", *chance, *next_ones))


def write_features(path: Path, model: Model, data: Dataset, batch: int | None, progress: Progress) -> int:
    """Write a .npz file with `features` (n, d) float32, and `labels`, `classes` and `names` if the data have them.

    Holds one batch at a time. Returns d.
    """
    d = model.network.features_of(data.data)
    blocks = encode_blocks(model.network, model.preprocessing, data.data, batch, progress)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(data), d)}
            np.lib.format.write_array_header_2_0(member, header)
            for block in blocks:
                member.write(np.ascontiguousarray(to_host(block), dtype="<f4").tobytes())
        for name, array in _annotations(data).items():
            archive.writestr(f"{name}.npy", _npy(array))
    return d


def _annotations(data: Dataset) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    if data.labels is not None:
        found |= {"labels": data.labels, "classes": np.asarray(data.classes)}
    if data.names is not None:
        found["names"] = np.asarray(data.names)
    return found


def _npy(array: Numbers) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _described(shape: tuple[int, ...]) -> str:
    sides = "x".join(map(str, shape[:-1]))
    return f"{sides} pixels (height x width) in {shape[-1]} channel{'s' if shape[-1] > 1 else ''}"

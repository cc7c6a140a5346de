"""The files of a training: the model first and at once, then the numbers, then the pictures."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ckn.applying import nouns_for
from ckn.commands.console import cause_of, fail, note
from ckn.commands.outputs import reason, written
from ckn.files import save
from ckn.interrupts import CODE
from ckn.model import Model, preprocess
from ckn.network import Network
from ckn.readers import Dataset, Images
from ckn.reporting import Examined, Training, report_of
from ckn.training import Outcome, Settings, Split, metrics
from kerneltools.files import replacing

MODEL, METRICS, PAGE = "model.safetensors", "metrics.json", "report.html"
ROOM = "make room, or choose another folder with --out"


@dataclass(eq=False)
class Results:
    """The files of a training in its folder; `written`: the names of those that exist."""

    folder: Path
    written: list[str] = field(default_factory=list)

    def keep(self, model: Model) -> None:
        """Write the model; if that fails, to the system's folder for temporary files. Raises OSError with its place."""
        path = self.folder / MODEL
        try:
            save(model, path)
        except OSError as error:
            why = reason(error).removeprefix(f"{path}: cannot be written: ")
            raise OSError(f"{path}: cannot be written: {why}; {_elsewhere(model)}; {ROOM}") from error
        self.written.append(MODEL)

    def write(self, parts: Split, settings: Settings, outcome: Outcome, page: bool = False) -> None:
        """Write the numbers, the pictures and, if wanted, the page; a picture that fails is a note. Raises OSError."""
        path = self.folder / METRICS
        with written(path, f"{self.folder / MODEL} is written; {ROOM}"), replacing(path) as temporary:
            numbers = metrics(parts, settings, outcome)
            table = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(table + "\n", encoding="utf-8", errors="backslashreplace")
        self.written.append(METRICS)
        self.written.extend(drawn(self.folder, pictures_of(outcome, parts.train)))
        if page:
            self._report(parts, numbers, outcome)

    def _report(self, parts: Split, numbers: Mapping[str, Any], outcome: Outcome) -> None:
        """The page on the model, with the results of the test."""
        path = self.folder / PAGE
        training = Training(numbers, outcome.history, outcome.initial)
        tested = (parts.test, parts.origin, outcome.scores, outcome.true, outcome.misses, outcome.test_seconds)
        found = report_of(f"{self.folder.name}/{MODEL}", outcome.model, training, Examined(*tested))
        with written(path, f"{self.folder / MODEL} is written; {ROOM}"):
            found.save(path)
        self.written.append(PAGE)

    @contextmanager
    def told(self, with_labels: bool) -> Iterator[None]:
        """If an error or Ctrl-C ends the run after the model was written, say that it was."""
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            if self.written and not isinstance(error, BrokenPipeError):
                note(f"{self.folder / MODEL} is written")
                # With labels there is a state to go on from, which is told elsewhere.
                if isinstance(error, KeyboardInterrupt) and not with_labels:
                    fail("stopped; the rest of the test, the numbers and the pictures are not all there", CODE)
            raise


def drawn(folder: Path, pictures: Mapping[str, Callable[[], Any]]) -> Iterator[str]:
    """Draw pictures into files of a folder, and return the names of those written. One that fails is a note."""
    for name, figure in pictures.items():
        path = folder / name
        try:
            with replacing(path) as temporary:
                _pictures_of("common").write(figure(), temporary)
        except Exception as error:  # whatever it is, the model is worth more
            why = f"{reason(error)}; {ROOM}" if isinstance(error, OSError) else cause_of(error)
            earlier = "; the one that is there is of an earlier run" if path.exists() else ""
            note(f"{path} was not written: {why}{earlier}")
        else:
            yield name


def pictures_of(outcome: Outcome, data: Dataset) -> Mapping[str, Callable[[], Any]]:
    """The functions that draw each picture of a training on such data."""
    names = [str(name) for name in outcome.model.classes]
    parts = "patches" if isinstance(data, Images) else "parts"
    found = {
        **pictures_of_filters(outcome.model, data),
        "confusion.png": lambda: _pictures_of("common").confusion_matrix(outcome.counts, names, data.nouns),
        "certificate.png": lambda: _pictures_of("common").certificate(outcome.misses, parts, data.nouns),
    }
    if outcome.history:
        told = (outcome.history, outcome.test_accuracy, outcome.initial)
        found["curves.png"] = lambda: _pictures_of("common").curves(*told)
    return found


def pictures_of_filters(held: Model | Network, data: Dataset | None = None) -> dict[str, Callable[[], Any]]:
    """The functions that draw the filters of a model or a network, and what excites them in data, if given."""
    network, steps = (held.network, held.preprocessing) if isinstance(held, Model) else (held, ())
    nouns = nouns_for(network)
    found: dict[str, Callable[[], Any]] = {"filters.png": lambda: _pictures_of(nouns).filters(network)}
    if data is not None and nouns != "images":
        told: dict[str, Any] = {}
        if isinstance(held, Model):
            told = {"weights": held.head.weights, "classes": [str(name) for name in held.classes]}
        seen = partial(preprocess, steps, data.data, network.like)
        found["motifs.png"] = lambda: _pictures_of(nouns).motifs(network, seen(), **told)
    return found


def _pictures_of(kind: str) -> Any:
    # What is wrong with matplotlib is wrong with the pictures alone.
    return import_module(f"ckn.pictures.{kind}")


def _elsewhere(model: Model) -> str:
    """Where else there was room for the model, in words."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="ckn-"))
    except OSError:
        return "the model is lost"
    try:
        save(model, folder / MODEL)
    except OSError:
        folder.rmdir()
        return "the model is lost"
    return f"the model is in {folder / MODEL} instead"

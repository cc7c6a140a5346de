"""What a training leaves behind: the model first and at once, then the numbers, then the pictures."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ckn.commands.console import cause_of, fail, note
from ckn.commands.outputs import reason, written
from ckn.files import save
from ckn.interrupts import CODE
from ckn.model import Model
from ckn.training import Outcome, Settings, Split, metrics
from kerneltools.files import replacing

MODEL, METRICS = "model.safetensors", "metrics.json"
ROOM = "make room, or choose another folder with --out"


@dataclass(eq=False)
class Results:
    """The files of a training in its folder; `written`: the names of those that are there."""

    folder: Path
    written: list[str] = field(default_factory=list)

    def keep(self, model: Model) -> None:
        """Write the model; where that fails, among the system's temporary files. Raises OSError that says so."""
        path = self.folder / MODEL
        try:
            save(model, path)
        except OSError as error:
            why = reason(error).removeprefix(f"{path}: cannot be written: ")
            raise OSError(f"{path}: cannot be written: {why}; {_elsewhere(model)}; {ROOM}") from error
        self.written.append(MODEL)

    def write(self, parts: Split, settings: Settings, outcome: Outcome) -> None:
        """Write the numbers and the pictures; a picture that fails is a note. Raises OSError for the numbers."""
        path = self.folder / METRICS
        with written(path, f"{self.folder / MODEL} is written; {ROOM}"), replacing(path) as temporary:
            table = json.dumps(metrics(parts, settings, outcome), indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(table + "\n", encoding="utf-8", errors="backslashreplace")
        self.written.append(METRICS)
        for name, figure in _pictures(outcome).items():
            self._draw(name, figure)

    def _draw(self, name: str, figure: Callable[[], Any]) -> None:
        path = self.folder / name
        try:
            with replacing(path) as temporary:
                _pictures_of("common").write(figure(), temporary)
        except Exception as error:  # whatever it is, the model is worth more
            why = f"{reason(error)}; {ROOM}" if isinstance(error, OSError) else cause_of(error)
            earlier = "; the one that is there is of an earlier run" if path.exists() else ""
            note(f"{path} was not written: {why}{earlier}")
        else:
            self.written.append(name)

    @contextmanager
    def told(self, with_labels: bool) -> Iterator[None]:
        """Where something ends the run after the model was written, say that it was."""
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            if self.written and not isinstance(error, BrokenPipeError):
                note(f"{self.folder / MODEL} is written")
                # With labels there is a state to go on from, which is told elsewhere.
                if isinstance(error, KeyboardInterrupt) and not with_labels:
                    fail("stopped; the rest of the test, the numbers and the pictures are not all there", CODE)
            raise


def _pictures(outcome: Outcome) -> Mapping[str, Callable[[], Any]]:
    """How to draw each picture."""
    names = [str(name) for name in outcome.model.classes]
    found: dict[str, Callable[[], Any]] = {
        "filters.png": lambda: _pictures_of("images").filters(outcome.model.network),
        "confusion.png": lambda: _pictures_of("common").confusion_matrix(outcome.counts, names),
        "certificate.png": lambda: _pictures_of("common").certificate(outcome.misses),
    }
    if outcome.history:
        told = (outcome.history, outcome.test_accuracy, outcome.initial)
        found["curves.png"] = lambda: _pictures_of("common").curves(*told)
    return found


def _pictures_of(kind: str) -> Any:
    # What is wrong with matplotlib is wrong with the pictures alone.
    return import_module(f"ckn.pictures.{kind}")


def _elsewhere(model: Model) -> str:
    """Where else the model has found room, in words."""
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

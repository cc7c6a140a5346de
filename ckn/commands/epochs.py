"""A supervised training, epoch by epoch: its output, its files, and how it resumes after a stop."""

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cached_property
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import typer

from ckn.commands.console import Screen, cause_of, fail, note
from ckn.commands.outputs import reason
from ckn.commands.supervised import LAST, kept_options
from ckn.interrupts import CODE
from ckn.readers import Dataset
from ckn.supervised import (
    DivergedError,
    EpochReport,
    ResumeError,
    StartError,
    Supervised,
    TrainingState,
    best_epoch,
    load_state,
    save_state,
    training_notes,
)
from ckn.training import Settings, Split, architecture_for, preprocessing_for
from kerneltools.files import replacing
from kerneltools.trees import named_leaves

OUT = "--out"
BEST, NUMBERS = "best.safetensors", "metrics.jsonl"


@dataclass(eq=False)
class Epochs:
    """Writes the state of the training, its best state and its numbers to the folder after each epoch.

    `data`: the name of the training data, which are in `parts`; `options`: those of the command.
    """

    folder: Path
    data: str
    parts: Split
    settings: Settings
    supervised: Supervised
    options: Mapping[str, Any]
    screen: Screen
    done: int = 0
    _seconds: dict[int, float] = field(default_factory=dict)
    _running: bool = False
    _since: float = 0.0

    def begin(self) -> tuple[TrainingState | None, TrainingState | None]:
        """The state to resume from and the best one so far, None for a new run.

        Raises ResumeError if the folder holds another run, BadParameter if that run has more epochs than asked for.
        """
        if self.options["resume"] is None:
            if (self.folder / LAST).exists():
                note(f"{self.folder / LAST} is replaced after the first epoch; to resume it: --resume {self.folder}")
            return None, None
        state = self._state(LAST)
        best = None if self.parts.validation is None else self._state(BEST)
        if best is not None and not _of_one_run(state, best):
            raise ResumeError(f"{self.folder / BEST}: it is of another run than {self.folder / LAST}")
        if state.epoch > self.supervised.epochs:
            raise typer.BadParameter(f"--epochs {self.supervised.epochs}: the run in {self.folder} has {state.epoch}")
        self.done, self._seconds = state.epoch, _seconds_in(self.folder / NUMBERS)
        if state.initial is None:
            note(f"{self.folder / LAST} is of a version that did not measure epoch 0: the curves begin with epoch 1")
        return state, best

    def _state(self, name: str) -> TrainingState:
        settings = self.settings
        return load_state(self.folder / name, self._identity, backend=settings.backend, device=settings.device)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report to the screen; all epochs are one stage there, so that its bar shows how much is left."""
        if stage.startswith("epoch ") and stage != "epoch 0":
            self._running = True
            self._since = perf_counter() if done == 0 else self._since
            self.screen("epochs", self.done * total + done, self.supervised.epochs * total)
        elif self._running:
            self.screen.part(stage, done, total)
        else:
            self.screen(stage, done, total)

    def on_epoch(self, state: TrainingState) -> None:
        """Write the files and print the epoch's numbers."""
        seconds, report = perf_counter() - self._since, state.history[-1]
        self._seconds[report.epoch] = round(seconds, 3)
        self._write(state)
        if state.epoch == 1 and state.initial is not None:
            self.screen.line("  ".join(_measured(state.initial, self.supervised.epochs)))
        self.done = state.epoch
        self.screen.line(_said(report, seconds, self.parts.train, self.supervised.epochs))

    @contextmanager
    def told(self) -> Iterator[None]:
        """Print, for an error or stop that ends the run early, what is kept of it, and how to resume."""
        try:
            yield
        except KeyboardInterrupt:
            fail(self._stopped, CODE)
        except DivergedError as error:
            fail(f"--lr: {str(error).removeprefix('rate: ').replace('clip_norm=1', '--clip 1')}; {self._kept}", 1)
        except StartError as error:
            fail(f"{self.folder / LAST}: {str(error).removeprefix('start: ')}", 1)
        except MemoryError as error:
            self._no_room(error)
            raise
        except BrokenPipeError:
            raise
        except OSError as error:
            said = f"{self.folder}: cannot be written: {reason(error)}" if error.strerror else str(error)
            advice = "" if OUT in said else f"; make room, or choose another folder with {OUT}"
            fail(f"{said}; {self._kept}{advice}", 1)

    def _no_room(self, error: MemoryError) -> None:
        """Tell which minibatch to try if a step had no room."""
        if not str(error).startswith("batch: "):
            return
        line = str(error).removeprefix("batch: ").replace("batch=", "--minibatch ").replace("at_once=", "--at-once ")
        fail(f"--minibatch: {line}; {self._kept} ({self.data}: {cause_of(error.__cause__ or error)})", 1)

    @property
    def _stopped(self) -> str:
        if not self.done:
            return "stopped in the first epoch; nothing was written"
        command = shlex.join(["ckn", "train", self.data, "--resume", str(self.folder)])
        return f"stopped; {self.folder / LAST} holds epoch {self.done}; go on with: {command}"

    @property
    def _kept(self) -> str:
        return (
            f"{self.folder / LAST} holds epoch {self.done}, the last good one" if self.done else "nothing was written"
        )

    def _write(self, state: TrainingState) -> None:
        # The state is written last: the numbers of an epoch that it does not know are overwritten.
        lines = [_numbers(report) | {"seconds": self._seconds.get(report.epoch)} for report in state.history]
        if state.initial is not None:
            lines.insert(0, _numbers(state.initial))
        with replacing(self.folder / NUMBERS) as temporary:
            temporary.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        notes = {**self._identity, "options": kept_options(self.options)}
        if best_epoch(state.history) == state.epoch:
            save_state(state, self.folder / BEST, notes)
        save_state(state, self.folder / LAST, notes)

    @cached_property
    def _identity(self) -> dict[str, str]:
        """What a resumed run must have in common with the run that stopped."""
        settings, train, held_out = self.settings, self.parts.train, self.parts.validation
        return training_notes(
            architecture_for(train, settings),
            self.supervised,
            train.data,
            _names(train),
            settings.seed,
            preprocessing_for(train, settings.whiten),
            None if held_out is None else (held_out.data, _names(held_out)),
        )


def _of_one_run(last: TrainingState, best: TrainingState) -> bool:
    """Whether the states are of one training; a kill between the two leaves a best one that is an epoch ahead."""
    forms = [
        [leaf.shape for _, leaf in named_leaves((state.network.bare_layers, state.head)) if hasattr(leaf, "shape")]
        for state in (last, best)
    ]
    common = min(last.epoch, best.epoch)
    if forms[0] != forms[1] or last.initial != best.initial:
        return False
    return last.history[:common] == best.history[:common]


def _names(data: Dataset) -> list[str]:
    """The name of each example's class."""
    return [data.classes[i] for i in np.asarray(data.labels)]


def _numbers(report: EpochReport) -> dict[str, Any]:
    """The measured numbers."""
    return {name: value for name, value in asdict(report).items() if value is not None}


def _said(report: EpochReport, seconds: float, data: Dataset, epochs: int) -> str:
    left = timedelta(seconds=round(seconds * (epochs - report.epoch)))
    return "  ".join([*_measured(report, epochs), f"{len(data) / seconds:.0f} {data.nouns}/s", f"{left} left"])


def _measured(report: EpochReport, epochs: int) -> list[str]:
    """The measurements of an epoch, in words; for epoch 0, that it is the start."""
    measured = {"train": report.train_accuracy, "validation": report.validation_accuracy}
    number = f"epoch {report.epoch:{len(str(epochs))}}/{epochs}"
    words = [f"{name} accuracy {value:.2%}" for name, value in measured.items() if value is not None]
    return [number, f"loss {report.loss:.4g}", *words, *(["before training"] if report.epoch == 0 else [])]


def _seconds_in(path: Path) -> dict[int, float]:
    """The seconds of each epoch, as far as the file exists and can be read."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found = {line["epoch"]: line.get("seconds") for line in lines}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {number: value for number, value in found.items() if isinstance(value, int | float) and isfinite(value)}

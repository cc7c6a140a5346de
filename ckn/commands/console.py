"""What the commands print: results on stdout; progress, notes and errors on stderr; no control characters in files."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import NoReturn, Protocol

import typer
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ckn.interrupts import CODE
from ckn.memory import out_of_memory
from ckn.network import Progress as Reporter
from ckn.text import visible
from kerneltools.forecasting import Forecast


class Screen(Reporter, Protocol):
    """What long work reports its progress to."""

    def part(self, stage: str, done: int, total: int) -> None:
        """A short stage within the current one, which occurs again and again."""

    def line(self, text: str) -> None:
        """Print a line in between."""


CLOSED = 141
"""The exit code if nobody reads the output, as of a program that SIGPIPE ended."""

WIDE = 200
"""Columns if no terminal sets a width: tables are then never folded."""


class _Console(Console):
    """A console that lets `reported` handle a pipe that nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich has caught."""
        raise BrokenPipeError


def console(stderr: bool = False) -> Console:
    """A console that prints text unchanged: no markup, no guessed colours, no folded lines."""
    made = partial(_Console, stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)
    return made() if made().is_terminal else made(width=WIDE)


def say(line: str, style: str = "") -> None:
    """Print one line of results."""
    console().print(Text(visible(line), style))


def note(line: str) -> None:
    """Print one line that is no result: what was chosen, reduced or left out."""
    console(stderr=True).print(Text.assemble(("note: ", "yellow"), visible(" ".join(line.split()))))


def facts(values: Mapping[str, str]) -> None:
    """Print names and values, aligned."""
    width = max(map(len, values))
    for name, value in values.items():
        console().print(Text.assemble((f"{name:<{width}}  ", "cyan"), visible(value)))


def table(columns: Mapping[str, JustifyMethod], rows: Iterable[Iterable[str]]) -> None:
    """Print values under headings, each column aligned to the "left" or the "right"."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="cyan")
    for heading, side in columns.items():
        made.add_column(Text(heading), justify=side, no_wrap=True)
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))
    console().print(made)


@contextmanager
def reported(traceback: bool) -> Iterator[None]:
    """Report warnings as notes, expected errors as one line and exit code 1, Ctrl-C as 130, a closed pipe as 141."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_, **__: note(str(message))
        try:
            yield
        except KeyboardInterrupt:
            fail("stopped; nothing was written", CODE)
        except BrokenPipeError as error:
            raise typer.Exit(CLOSED) from error  # whoever reads our output has enough of it
        except (ValueError, OSError, ImportError, MemoryError, FloatingPointError, RuntimeError) as error:
            if traceback or not _expected(error):
                raise
            fail(_line(error), 1)


def fail(line: str, code: int) -> NoReturn:
    """Print the error and end the program."""
    lines = f"error: {line}" if code == 1 else line
    console(stderr=True).print(Text("\n".join(map(visible, lines.split("\n"))), "bold red"))
    raise typer.Exit(code)


class NoRoomError(MemoryError):
    """There was not enough memory; the message tells the cause, the purpose, and what to try."""


@contextmanager
def room_for(what: object, advice: str) -> Iterator[None]:
    """Turn a lack of memory into an error with its purpose and the advice. Raises NoRoomError."""
    try:
        yield
    except NoRoomError:
        raise
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise NoRoomError(f"not enough memory ({cause_of(error)}) for {what}; try {advice}") from error


def cause_of(error: BaseException) -> str:
    """The first line of an error's message, or else its name."""
    return str(error).partition("\n")[0] or type(error).__name__


def _expected(error: Exception) -> bool:
    return out_of_memory(error) or not isinstance(error, RuntimeError)


def _line(error: Exception) -> str:
    if isinstance(error, NoRoomError):
        return str(error)
    if out_of_memory(error):
        return f"not enough memory ({cause_of(error)}); try on a machine with more, or with smaller data"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def on_terminal() -> bool:
    """Whether somebody may be watching the progress."""
    return console(stderr=True).is_terminal


@contextmanager
def progress(quiet: bool = False, forecast: Forecast | None = None) -> Iterator[Screen]:
    """What long work reports to: a bar for each stage on a terminal, a line for each elsewhere; nothing if `quiet`.

    With a `forecast`, a bar for all stages shows the time left.
    """
    if quiet:
        yield _Quiet()
        return
    screen = console(stderr=True)
    if not screen.is_terminal:
        lines = _Lines(screen)
        yield lines
        lines.finish()
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description:<20}", markup=False), BarColumn(30))
    with Progress(*columns, MofNCompleteColumn(), TimeElapsedColumn(), _TimeLeft(), console=screen) as bars:
        yield _Bars(bars, forecast)


class Left:
    """How much of a forecast is done: all of the stages before, and a share of the current one."""

    def __init__(self, forecast: Forecast) -> None:
        self._names = [stage.name for stage in forecast.stages]
        self._seconds = [stage.seconds for stage in forecast.stages]
        self._at, self._done, self._since = 0, 0.0, perf_counter()

    def done(self, stage: str, done: int, total: int) -> int:
        """Seconds of the forecast that are done; they never decrease."""
        if stage in self._names[self._at :]:
            self._at = self._names.index(stage)
            share = min(1.0, done / total) if total else 0.0
            self._since = perf_counter()
            self._done = max(self._done, sum(self._seconds[: self._at]) + share * self._seconds[self._at])
        return round(self._done)

    @property
    def seconds(self) -> int:
        """Seconds left: a stage that reports no steps goes on meanwhile, up to its end."""
        going = min(perf_counter() - self._since, sum(self._seconds[: self._at + 1]) - self._done)
        return max(0, round(sum(self._seconds) - self._done - max(0.0, going)))


class _TimeLeft(TimeRemainingColumn):
    """The time left, by the forecast, if the bar has one."""

    def render(self, task: Task) -> Text:
        """H:MM:SS"""
        left = task.fields.get("left")
        if left is None or task.finished:
            return super().render(task)
        return Text(str(timedelta(seconds=left.seconds)), style="progress.remaining")


class _Quiet:
    """Prints nothing."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        pass

    def part(self, stage: str, done: int, total: int) -> None:
        """Nothing."""

    def line(self, text: str) -> None:
        """Nothing."""


class _Bars:
    """A bar for each stage, in the order of their first reports."""

    def __init__(self, bars: Progress, forecast: Forecast | None) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._left = None if forecast is None else Left(forecast)
        self._whole = None
        if forecast is not None:
            self._whole = bars.add_task("in all", total=round(forecast.seconds) or 1, left=self._left)

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._left is not None and self._whole is not None:
            self._bars.update(self._whole, completed=self._left.done(stage, done, total))
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=None)
        # A step that cannot say how far it is pulses until it is done.
        known = None if total == 1 and done == 0 else total
        self._bars.update(self._tasks[stage], completed=done, total=known)

    def part(self, stage: str, done: int, total: int) -> None:
        """A bar that starts again each time."""
        self(stage, done, total)

    def line(self, text: str) -> None:
        """Print the line above the bars."""
        self._bars.console.print(Text(text))


class _Lines:
    """A line for each stage when it is done, with its time."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._stage = ""
        self._start = perf_counter()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self.finish()
            self._stage, self._start = stage, perf_counter()

    def part(self, stage: str, done: int, total: int) -> None:
        """Print nothing: a line for each time would be too many."""

    def line(self, text: str) -> None:
        """Print the line at once."""
        self._screen.print(Text(text))

    def finish(self) -> None:
        """Print the line of the last stage."""
        if self._stage:
            self._screen.print(Text(f"{self._stage:<20} {perf_counter() - self._start:7.1f} s"))
            self._stage = ""

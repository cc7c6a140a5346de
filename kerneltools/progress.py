"""How far a long piece of work is: all of them report it in the same way."""

import sys
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol


class Progress(Protocol):
    """Called after each step with how far a stage of work is; raise in it to stop the work.

    `done` of at most `total` steps; a total of 0 is unknown. `value`: what the stage minimises, such as a loss or a
    residual, or None. A function of the first three with a default for the fourth is also valid for `ckn`.

    >>> import numpy as np
    >>> from kerneltools.kernels import Gaussian
    >>> from kerneltools.solvers import falkon
    >>> x, stages = np.linspace(0, 6, 50)[:, None], []
    >>> def note(stage, done, total, value=None):
    ...     stages.append(stage)
    >>> model = falkon(Gaussian(1.0), x[::5, :], x, np.sin(x), reg=1e-6, progress=note)
    >>> sorted(set(stages))
    ['conjugate gradient', 'preconditioner']
    """

    def __call__(self, stage: str, done: int, total: int, value: float | None = None, /) -> None: ...


def silent(stage: str, done: int, total: int, value: float | None = None, /) -> None:
    """The progress that does nothing.

    >>> silent("k-means", 3, 10) is None
    True
    """


def printed(stage: str, done: int, total: int, value: float | None = None, /) -> None:
    """Print a line on the standard output for each step.

    >>> printed("newton", 3, 100, 0.25)
    newton 3/100: 0.25
    """
    of_total = f"/{total}" if total else ""
    sys.stdout.write(f"{stage} {done}{of_total}{'' if value is None else f': {value:.6g}'}\n")
    sys.stdout.flush()


CELLS = 24
"""Of a bar."""


@dataclass(eq=False)
class Bar:
    """Draws a bar for each stage that takes longer than `after` seconds, with the time left.

    On the standard output: in terminals and notebooks the bar moves; elsewhere each such stage prints a line at its
    end.

    >>> progress = Bar(after=0.0)
    >>> for step in range(3):
    ...     progress("newton", step + 1, 3, 0.5**step)  # doctest: +ELLIPSIS
    newton               ████████████████████████ 3/3  ... s  0.25
    """

    after: float = 2.0
    _stage: str = field(default="", init=False, repr=False)
    _done: int = field(default=0, init=False, repr=False)
    _start: float = field(default=0.0, init=False, repr=False)
    _drawn: float = field(default=0.0, init=False, repr=False)
    _width: int = field(default=0, init=False, repr=False)
    _text: str = field(default="", init=False, repr=False)

    def __call__(self, stage: str, done: int, total: int, value: float | None = None, /) -> None:
        """Note a step."""
        now = perf_counter()
        if stage != self._stage or done < self._done:
            self._end()
            self._stage, self._start = stage, now
        self._done, ended, seconds = done, 0 < total <= done, now - self._start
        self._text = _line(stage, done, total, seconds, value) if seconds >= self.after else ""
        if self._text and _moves() and (ended or now - self._drawn > 0.1):
            sys.stdout.write(f"\r{self._text:<{self._width}}")
            sys.stdout.flush()
            self._drawn, self._width = now, len(self._text)
        if ended:
            self._end()

    def _end(self) -> None:
        """Leave the line, if there is one; where it does not move, write it, also of a stage that ended early."""
        if self._text:
            sys.stdout.write("\n" if self._width else f"{self._text}\n")
            sys.stdout.flush()
        self._stage, self._done, self._width, self._drawn, self._text = "", 0, 0, 0.0, ""


def _line(stage: str, done: int, total: int, seconds: float, value: float | None) -> str:
    cells = CELLS * done // total if total else 0
    bar = f"{'█' * cells}{'·' * (CELLS - cells)} {done}/{total}" if total else str(done)
    left = f", {seconds * (total - done) / done:.0f} s left" if 0 < done < total else ""
    return f"{stage:<20} {bar}  {seconds:.1f} s{left}{'' if value is None else f'  {value:.6g}'}"


def _moves() -> bool:
    """Whether overwriting a line is visible: in a terminal, and in a notebook."""
    return sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")

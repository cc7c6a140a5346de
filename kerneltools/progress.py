"""How far a long piece of work is: one function that is told, the same for all of them."""

import sys
from typing import Protocol


class Progress(Protocol):
    """Told after each step how far a stage of work is; raise in it to stop the work.

    `done` of at most `total` steps; a total of 0 is not known. `value`: what the stage makes small, such as a loss or a
    residual, None where there is none. A function of the first three with a default for the fourth also serves where
    `ckn` takes one.

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
    """The progress that nobody watches.

    >>> silent("k-means", 3, 10) is None
    True
    """


def printed(stage: str, done: int, total: int, value: float | None = None, /) -> None:
    """A line on the standard output for each step.

    >>> printed("newton", 3, 100, 0.25)
    newton 3/100: 0.25
    """
    of_total = f"/{total}" if total else ""
    sys.stdout.write(f"{stage} {done}{of_total}{'' if value is None else f': {value:.6g}'}\n")
    sys.stdout.flush()

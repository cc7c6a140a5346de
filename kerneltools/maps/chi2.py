"""The map of the additive χ² kernel, by sampling its spectrum."""

from dataclasses import dataclass
from math import cosh, pi, sqrt

from kerneltools.arrays import Array, namespace
from kerneltools.kernels import AdditiveChi2
from kerneltools.maps.draws import as_rows, check_sizes
from kerneltools.precision import in_single
from kerneltools.trees import Tree, static

PERIODS = {1: 0.8, 2: 0.5, 3: 0.4}
"""Distances between samples that make the greatest error of a column small (Vedaldi and Zisserman 2012, §6)."""


@dataclass(frozen=True)
class Chi2Samples(Tree):
    """For each column x: √(x L κ(0)), and √(2 x L κ(jL)) times cosine and sine of jL log x, for j = 1..samples."""

    kernel: AdditiveChi2
    columns: int = static()
    samples: int = static()
    period: float = static()

    @property
    def dimension(self) -> int:
        """How many features: columns * (2 samples + 1)."""
        return self.columns * (2 * self.samples + 1)

    @in_single
    def __call__(self, x: Array) -> Array:
        """(..., d) -> (..., d (2 samples + 1))

        Raises ValueError for negative values.
        """
        rows, batch = as_rows(x, self.columns)
        self.kernel.diag(rows)  # it refuses negative values, by name
        xp = namespace(rows)
        present = rows > 0
        safe = xp.where(present, rows, xp.ones_like(rows))
        root = xp.where(present, xp.sqrt(self.period * safe), xp.zeros_like(rows))
        parts, logarithm = [root], xp.log(safe)
        for j in range(1, self.samples + 1):
            height, angle = sqrt(2 / cosh(pi * j * self.period)) * root, (j * self.period) * logarithm
            parts += [height * xp.cos(angle), height * xp.sin(angle)]
        return xp.reshape(xp.concat(parts, axis=1), (*batch, self.dimension))


def chi2(kernel: AdditiveChi2, d: int, samples: int = 2, period: float | None = None) -> Chi2Samples:
    """The homogeneous kernel map of Σ 2 x y / (x + y), without randomness (Vedaldi and Zisserman 2012).

    -> map of (..., d) -> (..., d (2 samples + 1)), of values >= 0

    `samples` >= 1 of the spectrum κ(λ) = 1/cosh(πλ), `period` > 0 apart (by default 0.8, 0.5, 0.4 for 1, 2, 3 and
    more). Raises TypeError for another kernel, ValueError for sizes out of range.

    >>> from kerneltools.kernels import AdditiveChi2
    >>> chi2(AdditiveChi2(), d=10).dimension
    50
    """
    check_sizes(d, samples)
    if not isinstance(kernel, AdditiveChi2):
        raise TypeError(f"kernel: expected kernels.AdditiveChi2, got {type(kernel).__name__}")
    chosen = PERIODS.get(samples, PERIODS[3]) if period is None else period
    if not 0 < chosen < float("inf"):
        raise ValueError(f"period: expected a finite number > 0, got {period}")
    return Chi2Samples(kernel, d, samples, chosen)

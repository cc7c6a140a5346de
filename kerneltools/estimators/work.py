"""How much memory and time a fit on landmarks takes, known before it begins."""

import warnings
from dataclasses import dataclass

from kerneltools.arrays import Array, on_host
from kerneltools.memory import require_memory

BLOCK = 8192
"""The most rows whose features exist at once."""

MANY = 2e13
"""Operations that take one processor core about ten minutes."""


class SlowWarning(UserWarning):
    """A fit begins that takes ten minutes or more; the message says why, and which fit takes less.

    >>> import warnings
    >>> import numpy as np
    >>> from kerneltools.estimators import KernelRidge, SlowWarning
    >>> from kerneltools.kernels import Gaussian
    >>> x = np.linspace(0, 6, 100)[:, None]
    >>> with warnings.catch_warnings(category=SlowWarning, action="error"):  # stops before ten minutes of work begin
    ...     model = KernelRidge(Gaussian(1.0)).fit(x, np.sin(x[:, 0]))
    >>> bool(model.score(x, np.sin(x[:, 0])) > 0.99)
    True
    """


@dataclass(frozen=True)
class Work:
    """The bytes and operations of a fit on m landmarks of n rows, in float64.

    `squares`: how many matrices (m, m) exist at once; `blocks`: how many matrices (b, m), of b <= 8,192 rows, beside
    three (m, m). `passes` and `cubes`: multiples of n m² and m³ operations. The numbers were measured with n = m and n
    = 4 m. `fewer`: the work if not all rows are landmarks, where that differs.
    """

    squares: float
    blocks: float = 0.0
    passes: float = 3.0
    cubes: float = 10.0
    fewer: "Work | None" = None

    def bytes(self, n: int, m: int) -> float:
        """The bytes at the peak, without the data."""
        return 8 * m * max(self.squares * m, (3 * m + self.blocks * min(n, BLOCK)) if self.blocks else 0)

    def operations(self, n: int, m: int) -> float:
        """The operations, without those of the kernel values."""
        return self.passes * n * m**2 + self.cubes * m**3

    def most(self, n: int, free: float) -> int:
        """The most landmarks for which so many bytes suffice."""
        low, high = 0, 2**32
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.bytes(n, middle) <= free else (low, middle)
        return low

    def check(self, n: int, m: int, like: Array) -> None:
        """Raise MemoryError if there is no room for the fit, and warn (SlowWarning) if it takes long."""
        require_memory(
            f"landmarks: {m} of them for {n} rows need",
            self.bytes(n, m),
            like,
            lambda free: f"take at most {(self.fewer or self).most(n, 0.9 * free)}",
        )
        if on_host(like) and self.operations(n, m) > MANY:
            few = next(k for k in range(m, 0, -max(1, m // 50)) if self.operations(n, k) < MANY / 5 or k <= m // 10)
            warnings.warn(
                f"landmarks: {m} of them for {n} rows take {self.operations(n, m):.0e} operations, "
                f"{self.operations(n, m) / 3e10 / 60:.0f} minutes of a processor core or so; {few} take "
                f"{self.operations(n, few):.0e}",
                SlowWarning,
                stacklevel=4,
            )


FEATURES = Work(squares=5.25, passes=0.0, cubes=2.0)
"""The work of a map alone, which is the least of any fit."""

ROOTS = Work(squares=9.0, passes=0.0, cubes=10.0)
"""The work of a map whose matrix is a symmetric root."""

SUMS = Work(squares=5.25, blocks=2.5, passes=2.0, cubes=3.0)
"""The work of features, their sums, and a linear system."""

SPECTRUM = Work(squares=6.2, blocks=2.5, passes=2.0, cubes=12.0)
"""The work of features, their sums, and the eigenvectors of these."""

STEPS = Work(squares=6.2, passes=2.0, cubes=3.0)
"""The least work of solvers that go over the rows again and again."""

FACTOR = Work(squares=3.4, passes=0.0, cubes=1 / 3, fewer=SUMS)
"""The work of `solvers.exact_ridge`."""

PATH = Work(squares=7.0, passes=0.0, cubes=10.0, fewer=SPECTRUM)
"""The work of `solvers.exact_path`."""

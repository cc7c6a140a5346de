"""K-means on the unit sphere."""

from dataclasses import dataclass

from kerneltools.arrays import Array, namespace
from kerneltools.backend import to_host
from kerneltools.kernels import Kernel
from kerneltools.kernels.base import row_norms
from kerneltools.landmarks.base import Landmarks, check_rows, distinct, rows, warn_reduced
from kerneltools.landmarks.clusters import in_range, nearest, refilled, rounding_of_products, totals, zeros_of
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator


@dataclass(frozen=True)
class SphericalKMeans:
    """Unit vectors that maximise the mean cosine between each row and its nearest one.

    The kernel is not consulted: this is the rule for kernels of directions, such as `Homogeneous`.
    `m` clusters, at most `iterations` rounds, stopped when the objective gains less than `tolerance`
    relative. Rows of zeros have no direction and are passed over. A cluster that becomes empty takes
    the worst-served row (Mairal 2016, §2.3, initialises CKNs so).
    Work goes through `block` rows at a time: memory beyond x is O(block m).

    Raises ValueError when all rows are zero, for m < 1 and for x with NaN; warns (ReducedWarning) when
    fewer than m directions differ.
    """

    m: int
    iterations: int = 100
    tolerance: float = 1e-6
    block: int = 8192

    @in_single
    def __call__(self, kernel: Kernel, x: Array, rng: Rng) -> Landmarks:
        """(n, d) -> (m, d), unit rows"""
        check_rows(x, self.m)
        directions = unit_rows(x)
        order = generator(rng).permutation(directions.shape[0]).tolist()
        start = distinct(directions, order, self.m)
        centres = self._fit(directions, rows(directions, start))
        warn_reduced(self.m, centres.shape[0], "distinct directions", x.shape[0])
        return Landmarks(centres)

    def _fit(self, directions: Array, centres: Array) -> Array:
        before = -1.0
        for _ in range(self.iterations):
            index, cosines = self._assign(directions, centres)
            objective = float(namespace(cosines).mean(cosines))
            centres = self._update(directions, index, cosines, centres.shape[0])
            if objective - before <= self.tolerance * abs(objective):
                break
            before = objective
        return centres

    def _assign(self, directions: Array, centres: Array) -> tuple[Array, Array]:
        """The nearest centre of each row and its cosine: (n,), (n,)."""
        return nearest(directions, centres, None, self.block)

    def _update(self, directions: Array, index: Array, cosines: Array, count: int) -> Array:
        """New centres: the mean directions, and the worst-served rows for clusters without one."""
        xp = namespace(directions)
        total = totals(directions, index, count, self.block)
        lengths = row_norms(total)
        means = total / xp.where(lengths > 0, lengths, xp.ones_like(lengths))[:, None]
        # A row equal to its centre has cosine 1 up to rounding.
        exact = rounding_of_products(directions) - 1
        return refilled(means, zeros_of(lengths), directions, -cosines, exact)


def unit_rows(x: Array) -> Array:
    """The rows of x divided by their norms, without the zero rows.

    (n, d) -> (n', d). Raises ValueError when all are zero.
    """
    if in_range(x)[1] != 1:  # squares would over- or underflow
        greatest = namespace(x).max(namespace(x).abs(x), axis=1, keepdims=True)
        x = x / namespace(x).where(greatest > 0, greatest, namespace(x).ones_like(greatest))
    norms = row_norms(x)
    kept = [i for i, norm in enumerate(to_host(norms).tolist()) if norm > 0]
    if not kept:
        raise ValueError(f"x: all {x.shape[0]} rows are zero, and a zero row has no direction")
    if len(kept) < x.shape[0]:
        x, norms = rows(x, kept), rows(norms[:, None], kept)[:, 0]
    return x / norms[:, None]

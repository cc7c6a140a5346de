"""Random warping series: features are distances from random series after stretching time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kerneltools.alignments import warping_costs
from kerneltools.arrays import Array, indices_like, namespace, require_count, require_number
from kerneltools.kernels import Kernel
from kerneltools.kernels.series.blocks import by_blocks, require_series, time_first
from kerneltools.maps.base import Map, placed
from kerneltools.precision import in_single
from kerneltools.random import Rng, generator
from kerneltools.structures import Ragged
from kerneltools.structures.base import Collection

HELD = 2**16
"""Numbers that are worked on at a time."""


@dataclass(frozen=True, eq=False)
class RandomWarping(Map):
    """φ(x)_j = m^-1/2 min over alignments of x and ω_j of Σ |x_i - ω_ji|², prepared by `random_warping`.

    `series`: the m series ω_j; their values are leaves, so that a gradient can learn them.

    >>> import numpy as np
    >>> step, ramp = np.array([[0.0], [0.0], [1.0]]), np.array([[0.0], [0.5], [1.0]])
    >>> phi = RandomWarping(Ragged.of([step, ramp]))  # series of one's own to compare with
    >>> phi(Ragged.of([np.array([[0.0], [1.0], [1.0], [2.0]])])).round(3)
    array([[0.707, 0.884]])
    """

    series: Ragged

    def __post_init__(self) -> None:
        if len(require_series("series", self.series, self)) == 0:
            raise ValueError("series: expected at least one, got none")

    @property
    def kernel(self) -> Kernel:  # type: ignore[override]
        """The kernel φ(x)·φ(y) of the features: its mean over the draws has no closed form."""
        return OfWarping(self)

    @property
    def dimension(self) -> int:
        """m"""
        return len(self.series)

    @property
    def columns(self) -> None:
        """None: the map is for series."""

    @in_single
    def __call__(self, x: Any) -> Array:
        """(n,) series -> (n, m)

        Raises TypeError for anything but `Ragged`, ValueError for empty series and for series of other channels.
        """
        return self.of_rows(require_series("x", x, self))

    def of_rows(self, x: Any) -> Array:
        def area(s: int, t: int) -> int:
            return min(s, t)

        return by_blocks(x, self.series, self._of_block, area, HELD)

    def _of_block(self, x: Ragged, y: Ragged) -> Array:
        a, b = time_first(x), time_first(y)
        ends = tuple(np.unique(x.lengths[:, None] + y.lengths - 2).tolist())
        a_last, b_last = indices_like(x.lengths - 1, x.values), indices_like(y.lengths - 1, x.values)
        found = warping_costs(a[:, :, None, :], b[:, None, :, :], a_last[:, None], b_last[None, :], ends)
        return -found * self.dimension**-0.5


@dataclass(frozen=True, eq=False)
class OfWarping(Kernel):
    """The kernel k(x, y) = φ(x)·φ(y) of a map of random warping series.

    >>> import numpy as np
    >>> phi, x = random_warping(1.0, c=1, m=50, rng=0), Ragged.of([np.zeros((4, 1)), np.ones((6, 1))])
    >>> bool(np.allclose(OfWarping(phi)(x, x), phi(x) @ phi(x).T))
    True
    """

    map: RandomWarping

    @property
    def structure(self) -> type[Collection]:
        return Ragged

    def __call__(self, x: Any, y: Any) -> Array:
        left, right = self.map(x), self.map(y)
        return left @ namespace(right).matrix_transpose(right)

    def diag(self, x: Any) -> Array:
        features = self.map(x)
        return namespace(features).sum(features * features, axis=1)


def random_warping(
    sigma: float,
    c: int,
    m: int,
    rng: Rng,
    lengths: tuple[int, int] = (1, 25),
    like: Array | None = None,
) -> RandomWarping:
    """Random warping features: costs of aligning a series with m random ones, in linear time (Wu et al. 2018).

    -> map of (n,) series of c channels -> (n, m)

    The random series are independent: their lengths are uniform between the two numbers of `lengths`, their entries
    normal with the standard deviation `sigma` > 0, in the units of the points. The cost is that of dynamic time
    warping, the least sum of squared distances over all alignments, divided by √m. Standardise the series first.
    `like`: an array whose library, type and device the random series get; None for NumPy's float64.

    Raises ValueError for parameters outside these ranges.

    >>> import numpy as np
    >>> phi = random_warping(1.0, c=2, m=50, rng=0)
    >>> phi(Ragged.of([np.zeros((4, 2)), np.ones((9, 2))])).shape
    (2, 50)
    """
    require_number("sigma", sigma)
    require_count("c", c)
    require_count("m", m)
    least, most = lengths
    require_count("lengths", least)
    require_count("lengths", most, least)
    rng = generator(rng)
    drawn = rng.integers(least, most + 1, m)
    offsets = np.concatenate([[0], np.cumsum(drawn)])
    values: Any = sigma * rng.standard_normal((int(offsets[-1]), c))
    return RandomWarping(Ragged(placed(values, like), offsets))

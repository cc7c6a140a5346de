"""How far a share measured on a few examples may be from that of all examples."""

from statistics import NormalDist
from typing import NamedTuple


class Interval(NamedTuple):
    """From the least to the greatest.

    >>> from kerneltools.reporting import Interval
    >>> str(Interval(0.5, 0.75))
    '50.00% to 75.00%'
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2%} to {self.high:.2%}"


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of Wilson (1927) for a share, from `right` of n independent examples.

    integers 0 <= right <= n, n >= 1 -> numbers in [0, 1]

    It covers the true share in about `level` (0 to 1) of all samples, also if all or none are right. Raises
    ValueError for other numbers.

    >>> print(wilson(90, 100))
    82.56% to 94.48%
    """
    if not 0 <= right <= n or n < 1 or not 0 < level < 1:
        raise ValueError(f"right, n, level: expected 0 <= right <= n, n >= 1, 0 < level < 1, got {right}, {n}, {level}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, weight = right / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * ((share * (1 - share) + weight / 4) / n) ** 0.5
    return Interval(max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < n else 1.0)

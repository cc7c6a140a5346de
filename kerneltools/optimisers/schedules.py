"""How the learning rate changes: a schedule returns the factor in [0, 1] that multiplies the rate.

Time counts from 0 in the caller's unit, steps or epochs, also in fractions.
"""

from dataclasses import dataclass
from math import cos, pi
from typing import Protocol, runtime_checkable


@runtime_checkable
class Schedule(Protocol):
    """A function of time.

    >>> class Halving:
    ...     def __call__(self, time):
    ...         return 0.5 ** (time // 10)
    >>> isinstance(Halving(), Schedule), [Halving()(time) for time in (0, 10, 25)]
    (True, [1.0, 0.5, 0.25])
    """

    def __call__(self, time: float) -> float:
        """The factor in [0, 1] at a time >= 0."""


@dataclass(frozen=True)
class Constant:
    """1 at all times.

    >>> [Constant()(time) for time in (0.0, 5.0, 100.0)]
    [1.0, 1.0, 1.0]
    """

    def __call__(self, time: float) -> float:
        """1"""
        return 1.0


@dataclass(frozen=True)
class Steps:
    """A factor that is multiplied by `factor`, in (0, 1], at each of the `milestones`.

    Raises ValueError for another factor and for milestones that do not increase.

    >>> schedule = Steps((60, 85), factor=0.1)
    >>> schedule(59.9), schedule(60), round(schedule(85), 6)
    (1.0, 0.1, 0.01)
    """

    milestones: tuple[float, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.factor <= 1:
            raise ValueError(f"factor: expected a number in (0, 1], got {self.factor}")
        if any(not a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False)):
            raise ValueError(f"milestones: expected increasing times, got {self.milestones}")

    def __call__(self, time: float) -> float:
        """factor^(the number of milestones passed)"""
        return float(self.factor ** sum(time >= milestone for milestone in self.milestones))


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 down to `floor`, in [0, 1], at time `total` > 0 and after (Loshchilov & Hutter 2017).

    Raises ValueError for numbers outside these ranges.

    >>> Cosine(10)(5.0)
    0.5
    """

    total: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not self.total > 0:
            raise ValueError(f"total: expected a time > 0, got {self.total}")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor: expected a number in [0, 1], got {self.floor}")

    def __call__(self, time: float) -> float:
        """floor + (1 - floor) (1 + cos(π time / total)) / 2"""
        passed = min(time / self.total, 1.0)
        return self.floor + (1 - self.floor) * (1 + cos(pi * passed)) / 2


@dataclass(frozen=True)
class WarmUp:
    """A linear rise from 0 to the first factor of `then`, which starts at time `length` > 0 and counts from there.

    Raises ValueError for length <= 0.

    >>> schedule = WarmUp(5, Cosine(10))
    >>> schedule(0), schedule(2.5), schedule(5), schedule(10)
    (0.0, 0.5, 1.0, 0.5)
    """

    length: float
    then: Schedule

    def __post_init__(self) -> None:
        if not self.length > 0:
            raise ValueError(f"length: expected a time > 0, got {self.length}")

    def __call__(self, time: float) -> float:
        """then(0) time / length, later then(time - length)"""
        if time < self.length:
            return self.then(0.0) * time / self.length
        return self.then(time - self.length)

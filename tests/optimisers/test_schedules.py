"""Schedules: factors in [0, 1], at the times they should change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools.optimisers import Constant, Cosine, Schedule, Steps, WarmUp

SCHEDULES: tuple[Schedule, ...] = (
    Constant(),
    Steps((3, 5.5), 0.5),
    Steps(()),
    Cosine(10),
    Cosine(2.5, floor=0.1),
    WarmUp(4, Constant()),
    WarmUp(0.5, Cosine(10, floor=0.2)),
    WarmUp(2, WarmUp(1, Steps((1, 2), 0.1))),
)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


@every_schedule
@given(time=st.floats(0, 1e6))
def test_a_factor(schedule: Schedule, time: float) -> None:
    assert isinstance(schedule, Schedule)
    assert 0 <= schedule(time) <= 1


@every_schedule
def test_equal_when_made_alike(schedule: Schedule) -> None:
    assert eval(repr(schedule)) == schedule


@given(a=st.floats(0, 100), b=st.floats(0, 100))
def test_only_the_warm_up_rises(a: float, b: float) -> None:
    for schedule in (Steps((3, 50), 0.5), Cosine(60), Constant()):
        assert schedule(max(a, b)) <= schedule(min(a, b))
    rising = WarmUp(100, Cosine(10))
    assert rising(min(a, b)) <= rising(max(a, b))


def test_values() -> None:
    steps = Steps((60, 85, 100), 0.1)
    assert [steps(t) for t in (0, 59, 60, 84.9, 85, 105)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.001])
    cosine = Cosine(8, floor=0.2)
    assert [cosine(t) for t in (0, 4, 8, 9)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert cosine(2) == pytest.approx(0.2 + 0.8 * (1 + np.sqrt(0.5)) / 2)


def test_the_warm_up_joins_without_a_jump() -> None:
    schedule = WarmUp(5, Cosine(10))
    assert [schedule(t) for t in (0, 1, 5, 10, 15)] == pytest.approx([0, 0.2, 1, 0.5, 0])
    assert schedule(5 - 1e-9) == pytest.approx(schedule(5), abs=1e-8)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"factor: expected a number in \(0, 1\], got 1.5"):
        Steps((1,), 1.5)
    with pytest.raises(ValueError, match=r"milestones: expected increasing times, got \(3, 2\)"):
        Steps((3, 2))
    with pytest.raises(ValueError, match="total: expected a time > 0, got 0"):
        Cosine(0)
    with pytest.raises(ValueError, match=r"floor: expected a number in \[0, 1\], got -0.1"):
        Cosine(1, floor=-0.1)
    with pytest.raises(ValueError, match="length: expected a time > 0, got nan"):
        WarmUp(float("nan"), Constant())

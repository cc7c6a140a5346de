"""How long the fit of a network takes, and how much memory, before it begins."""

from time import perf_counter
from typing import Any
from warnings import catch_warnings, simplefilter

from ckn.estimators.forecasting import filters, heads, labels
from ckn.estimators.forecasting.pilot import Pilot
from ckn.estimators.forecasting.room import bytes_needed
from kerneltools.arrays import on_host
from kerneltools.forecasting import Forecast, forecast_of

__all__ = ["forecast"]


def forecast(estimator: Any, X: Any, goal: Any, validation: int = 0, test: int = 0, taken: float = 0.0) -> Forecast:
    """Forecast a fit by runs of each stage on some of the examples, which the estimator has checked in `taken` seconds.

    `validation`, `test`: how many others are measured, after each epoch and at the end.
    """
    began = perf_counter()
    with catch_warnings():
        simplefilter("ignore", UserWarning)  # of some of the examples, which says nothing of all
        pilot = Pilot(estimator, X, goal)
        rules = filters.timed(pilot)
        pilot.learn()
        stages = [pilot.preprocessing(taken), *filters.stages(pilot, rules), *pilot.readout()]
        stages.append(pilot.encoding("encoding", pilot.n))
        stages += labels.stages(pilot, validation) if estimator.supervised else heads.stages(pilot)
    if test:
        stages.append(pilot.tested(test))
    less = estimator.kind.parts
    advice = f"take fewer {estimator.kind.nouns} or {less}, or smaller layers"
    return forecast_of(stages, bytes_needed(pilot, rules), began, lambda free: advice, on_host(pilot.like))

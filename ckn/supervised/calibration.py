"""Probabilities of a network that was trained with labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ckn.model import encode
from ckn.network import Progress, named
from ckn.supervised.data import Data
from ckn.supervised.features import features_of
from ckn.supervised.settings import Supervised
from ckn.supervised.start import order
from ckn.supervised.state import TrainingState
from kerneltools.arrays import blocks, namespace
from kerneltools.backend import to_host
from kerneltools.learning import Temperature, fit_temperature
from kerneltools.structures import take

ENOUGH = 1000
"""How many scores of examples left out are enough."""


def calibrated(
    state: TrainingState,
    data: Data,
    settings: Supervised,
    validation: tuple[Any, Sequence[int]] | None,
    progress: Progress,
) -> Temperature:
    """The temperature of the head's scores, from those of the validation examples.

    If there are none, from scores of each fifth of the training examples by a head fitted to the others, until there
    are 1,000. The filters have seen these labels, so that probabilities are too confident if the filters fit closely.
    """
    progress("calibration", 0, 1)
    if validation is not None:
        examples, labels = validation
        found = fit_temperature(state.head(encode(state.network, (), examples)), list(labels))
    else:
        features = features_of(state.network, data, settings.memory, named("calibration", progress))
        first, others = order(data)
        numbers = [*first.tolist(), *others.tolist()]
        parts = [np.asarray(numbers[part]) for part in blocks(min(len(numbers), ENOUGH), len(first))]
        heads = (features.fit(settings.loss, state.reg, start=state.head, without=part) for part in parts)
        scores = [features.scores(head, part) for head, part in zip(heads, parts, strict=True)]
        seen = take(data.wanted, [number for part in parts for number in part.tolist()])
        found = fit_temperature(namespace(*scores).concat(scores), to_host(seen).tolist())
    progress("calibration", 1, 1)
    return found

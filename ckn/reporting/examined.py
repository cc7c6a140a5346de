"""What a model says of examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

import numpy.typing as npt

from ckn.applying import labels_for, matched, numbers_for, scores
from ckn.model import Model
from ckn.network import Progress
from ckn.readers import Dataset
from ckn.training import relative_misses
from kerneltools.progress import silent

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Examined:
    """What a model says of examples from a `source`: their `scores` (n, k), where they have labels the number of the
    `true` class (n,), for each layer what its map `misses`, and the seconds of it.

    Of a model that predicts a number, `scores` (n,) are these numbers, and `true` (n,) those of the labels."""

    data: Dataset
    source: str
    scores: Numbers
    true: Numbers | None
    misses: Sequence[Numbers]
    seconds: float

    @classmethod
    def of(
        cls, model: Model, data: Dataset, source: str, batch: int | None = None, progress: Progress = silent
    ) -> Self:
        """Apply the model. Raises DataError for data that do not go with it and for labels that it does not know."""
        fitting = matched(model, data, source)
        names = tuple(str(name) for name in model.classes)
        true: Numbers | None = None
        if data.labels is not None:
            true = labels_for(names, data, source) if model.targets is None else numbers_for(data, source)
        began = perf_counter()
        values = scores(fitting, data.data, batch, progress)
        if model.targets is not None:
            values = model.targets.original(values).reshape(len(data))
        seconds = perf_counter() - began
        return cls(data, source, values, true, relative_misses(fitting, data.data, batch, progress), seconds)

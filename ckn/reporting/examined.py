"""What a model says of examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

import numpy.typing as npt

from ckn.applying import labels_for, matched, scores
from ckn.model import Model
from ckn.network import Progress
from ckn.readers import Dataset
from ckn.training import relative_misses
from kerneltools.progress import silent

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Examined:
    """What a model says of examples from a `source`: their `scores` (n, k), where they have labels the number of the
    `true` class (n,), for each layer what its map `misses`, and the seconds of it."""

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
        true = None if data.labels is None else labels_for(names, data, source)
        began = perf_counter()
        values = scores(fitting, data.data, batch, progress)
        seconds = perf_counter() - began
        return cls(data, source, values, true, relative_misses(fitting, data.data, batch, progress), seconds)

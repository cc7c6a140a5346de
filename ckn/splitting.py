"""Which examples of a training are held out: the same share of each class."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kerneltools.random import Rng, generator, stream


def held_out(labels: Any, share: float, rng: Rng) -> npt.NDArray[np.bool_]:
    """The mask of the rows that are held out: a `share` in (0, 1) of each class.

    (n,) labels on the host -> (n,)

    Of a class with two or more images, at least one is held out and at least one is kept; a single one is kept.
    Raises ValueError for a share outside (0, 1).
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share}")
    drawn = generator(rng)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        chosen[drawn.permutation(rows)[:count]] = True
    return chosen


def validation_rows(labels: Any, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """The rows of a training that measure its epochs: the same ones for the same labels and seed."""
    return held_out(labels, share, stream(seed, "validation"))

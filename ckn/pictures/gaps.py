"""Which items of a sequence excite a filter most if gaps are allowed."""

import numpy as np

from ckn.pictures.common import Numbers
from kerneltools.patches.parts import NOTHING


def best_with_gaps(responses: Numbers, decay: float) -> tuple[Numbers, Numbers]:
    """The greatest decay^gaps Π_j b_j(t_j) over places t₁ < ... < t_k of those that end at each, and the best places.

    b (n, T, k, m), 0 behind the end -> (n, T, m), (n, m, k), -1 where there are none

    The recursion of `kerneltools.patches.gapped_max`, which keeps where it has been.
    """
    n, length, k, m = responses.shape
    one, none = np.ones((n, 1, m)), np.full((n, 1, m), NOTHING, dtype=np.int32)
    held, at = np.zeros((n, k, m)), np.full((n, k, m), NOTHING, dtype=np.int32)
    ends, before = np.zeros((n, length, m)), np.full((n, length, k, m), NOTHING, dtype=np.int32)
    for t in range(length):
        new = np.concatenate([one, held[:, :-1]], axis=1) * responses[:, t]
        before[:, t] = np.concatenate([none, at[:, :-1]], axis=1)
        ends[:, t] = new[:, -1]
        later = new > decay * held
        held, at = np.where(later, new, decay * held), np.where(later, t, at)
    best = ends.argmax(axis=1) if length else np.zeros((n, m), dtype=np.int64)
    rows, columns = np.arange(n)[:, None], np.arange(m)
    found = np.full((n, m, k), NOTHING, dtype=np.int64)
    there = ends.max(axis=1, initial=0.0) > 0
    place = np.where(there, best, NOTHING)
    for j in range(k - 1, -1, -1):
        found[:, :, j] = place
        place = np.where(place == NOTHING, NOTHING, before[rows, np.maximum(place, 0), j, columns])
    return ends, found

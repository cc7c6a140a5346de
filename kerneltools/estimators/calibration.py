"""Probabilities from scores whose loss has none of its own: see docs/decisions."""

from math import sqrt
from typing import Any

import numpy as np

LEAST, GREATEST, HALVINGS = 1e-6, 1e6, 60
"""The slopes that are tried, over the size of the scores, and how often their interval is halved."""


def slope(scores: Any, classes: Any, weights: Any) -> float:
    """The a at which softmax(a s), or for one column σ(a s), gives rows that are left out their labels most likely.

    Scores (r, k) or (r, 1), numbers of classes (r,), weights (r,) of NumPy -> number > 0

    Temperature scaling (Guo, Pleiss, Sun and Weinberger 2017), with Platt's (1999) targets, which are not quite certain
    of so many rows: no slope is infinite. The log-loss is convex in a, so that halving an interval finds the least.

    >>> slope(np.array([[1.0], [1.0], [1.0], [-1.0]]), np.array([1, 1, 0, 0]), np.ones(4)).__round__(3)
    0.693
    """
    scores = np.concatenate([-scores / 2, scores / 2], axis=1) if scores.shape[1] == 1 else scores
    size = sqrt(float(np.mean(scores * scores))) or 1.0
    rows, columns = float(weights.sum()), scores.shape[1]
    right = np.where(classes[:, None] == np.arange(columns), 1.0, 0.0)
    wanted = (right * rows + 1) / (rows + columns)
    low, high = np.log(LEAST / size), np.log(GREATEST / size)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        excess = np.sum((chances(np.exp(middle) * scores) - wanted) * scores, axis=1)
        low, high = (middle, high) if weights @ excess < 0 else (low, middle)
    return float(np.exp(low))


def chances(scores: Any) -> Any:
    """The softmax: (r, k) -> (r, k)"""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

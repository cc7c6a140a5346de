"""Probabilities of scores: a temperature, fitted to scores of rows that the model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from kerneltools.arrays import (
    Array,
    indices_like,
    namespace,
    require_finite,
    require_floating,
    require_number,
    require_rank,
    require_weights,
    widest_float,
)
from kerneltools.backend import to_host
from kerneltools.trees import Tree, static

SPREADS = (1e-4, 1e3)
"""The temperatures looked at, in units of the scores' spread."""
HALVINGS = 50


@dataclass(frozen=True)
class Temperature(Tree):
    """Scores -> probabilities: the softmax of the scores over `value` > 0. The class of highest score stays it.

    (..., k) -> (..., k). Raises ValueError for a value that is no finite number > 0.
    """

    value: float = static()

    def __post_init__(self) -> None:
        require_number("value", self.value)

    def __call__(self, scores: Array) -> Array:
        """(..., k) -> (..., k), numbers >= 0 that add up to 1"""
        xp = namespace(scores)
        powers = xp.exp((scores - xp.max(scores, axis=-1, keepdims=True)) / self.value)
        return powers / xp.sum(powers, axis=-1, keepdims=True)


def fit_temperature(scores: Array, labels: Array | Sequence[int], *, weights: Array | None = None) -> Temperature:
    """The temperature at which the probabilities of the right classes are greatest (Guo et al. 2017).

    (n, k) scores of rows that the model has not seen (left out, or held out), n class numbers in 0..k-1, `weights` (n,)
    >= 0 or None -> temperature. A model whose scores of two classes are one number s has the scores (-s, s).

    The right class counts (n + 1) / (n + 2), n the number of rows or the sum of the weights, and the others share the
    rest, as Laplace's rule has it: rows that are all right do not ask for certainty.

    Raises ValueError for fewer than two columns, no row, NaN, labels of another number or beyond 0..k-1.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = (rng.random(4000) < 0.8).astype(int)  # four of five are of the class that the scores say
    >>> scores = np.tile([-1.0, 1.0], (4000, 1))
    >>> chances = fit_temperature(scores, labels)(scores[:1])
    >>> chances.round(1)
    array([[0.2, 0.8]])
    """
    require_rank(2, "(n, k)", scores=scores)
    require_floating(scores=scores)
    require_finite(scores=scores)
    n, k = scores.shape
    numbers = _numbers(labels, n, k)
    if weights is not None:
        require_weights(weights, n)
    xp = namespace(scores)
    wide = xp.astype(scores, widest_float(scores))
    centred = wide - xp.mean(wide, axis=1, keepdims=True)
    # As many rows as stand for the weights (docs/decisions/0019-weights.md).
    count = n if weights is None else max(float(xp.sum(weights)), int(xp.count_nonzero(weights)))
    share = xp.full_like(centred[:, 0], 1 / n) if weights is None else xp.astype(weights / xp.sum(weights), wide.dtype)
    spread: float = float(xp.sqrt(xp.sum(share * xp.mean(centred * centred, axis=1))))
    if spread == 0:
        return Temperature(1.0)
    own = xp.take_along_axis(centred, indices_like(numbers, wide)[:, None], axis=1)[:, 0]
    # The centred scores of the other classes add up to -own.
    wanted: float = float(xp.sum(share * own)) * (1 - (1 + 1 / (k - 1)) / (count + 2))

    def excess(value: float) -> float:
        """How much more of the scores the probabilities have than the targets: it falls with the temperature."""
        return float(xp.sum(share * xp.sum(Temperature(value)(centred) * centred, axis=1))) - wanted

    low, high = (log(spread * factor) for factor in SPREADS)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(exp(middle)) > 0 else (low, middle)
    return Temperature(exp((low + high) / 2))


def _numbers(labels: Array | Sequence[int], n: int, k: int) -> list[int]:
    found = [int(label) for label in (to_host(labels).tolist() if hasattr(labels, "dtype") else labels)]
    if n < 1 or k < 2:
        raise ValueError(f"scores: expected (n, k) of at least one row and two classes, got {(n, k)}")
    if len(found) != n:
        raise ValueError(f"labels: expected {n}, one for each row of the scores, got {len(found)}")
    if min(found) < 0 or max(found) >= k:
        raise ValueError(f"labels: expected class numbers in 0..{k - 1}, got {min(found)}..{max(found)}")
    return found

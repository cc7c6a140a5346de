"""Probabilities from scores: a temperature, fitted to scores of rows that the model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from numbers import Integral

from kerneltools.arrays import (
    Array,
    asarray_like,
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
from kerneltools.primitives import program
from kerneltools.solvers.losses import softmax
from kerneltools.trees import Tree, static
from kerneltools.units import square_unit_of

SPREADS = (1e-4, 1e3)
"""The temperatures looked at, in units of the scores' spread."""
HALVINGS = 50


@dataclass(frozen=True)
class Temperature(Tree):
    """Turns scores into probabilities: the softmax of the scores over `value` > 0. The order of the scores is kept.

    (..., k) -> (..., k). Raises ValueError unless the value is a finite number > 0.

    >>> import numpy as np
    >>> scores = np.array([[4.0, 2.0, 0.0]])
    >>> Temperature(1.0)(scores).round(3), Temperature(4.0)(scores).round(3)
    (array([[0.867, 0.117, 0.016]]), array([[0.506, 0.307, 0.186]]))
    """

    value: float = static()

    def __post_init__(self) -> None:
        require_number("value", self.value)

    def __call__(self, scores: Array) -> Array:
        """(..., k) -> (..., k), numbers >= 0 that sum to 1"""
        greatest = namespace(scores).max(scores, axis=-1, keepdims=True)
        return softmax((scores - greatest) / self.value)


def fit_temperature(scores: Array, labels: Array | Sequence[int], *, weights: Array | None = None) -> Temperature:
    """The temperature that makes the right classes most probable (Guo et al. 2017).

    (n, k) scores of rows that the model has not seen (left out, or held out), n class numbers in 0..k-1, `weights` (n,)
    >= 0 or None -> temperature. For a model with one score s for two classes, pass the scores (-s, s).

    The right class counts (n + 1) / (n + 2), where n is the number of rows or the sum of the weights, and the others
    share the rest, by Laplace's rule: even if all rows are right, they do not demand certainty.

    Raises ValueError for fewer than two columns, no row, NaN, another number of labels, and labels out of 0..k-1,
    TypeError for labels that are no integers.

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
    unit = square_unit_of(float(xp.max(xp.abs(scores))))
    scores = scores / unit
    counted = xp.ones_like(scores[:, 0]) if weights is None else weights
    centred, share, spread, own = _parts(scores, indices_like(numbers, scores), counted)
    if float(spread) == 0:
        return Temperature(1.0)
    # As many rows as stand for the weights (docs/decisions/0019-weights.md).
    count = n if weights is None else max(float(xp.sum(weights)), int(xp.count_nonzero(weights)))
    # The centred scores of the other classes add up to -own.
    wanted = float(own) * (1 - (1 + 1 / (k - 1)) / (count + 2))
    low, high = (log(float(spread) * factor) for factor in SPREADS)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        # The mean score that the probabilities have falls with the temperature.
        above = float(_mean_score(centred, share, asarray_like(exp(middle), centred))) > wanted
        low, high = (middle, high) if above else (low, middle)
    return Temperature(unit * exp((low + high) / 2))


@program
def _parts(scores: Array, numbers: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
    """Centred scores (n, k), each row's share (n,), the root mean square of the scores, the mean of the right ones."""
    xp = namespace(scores, weights)
    wide = xp.astype(scores, widest_float(scores))
    centred = wide - xp.mean(wide, axis=1, keepdims=True)
    share = xp.astype(weights, wide.dtype) / xp.sum(xp.astype(weights, wide.dtype))
    spread = xp.sqrt(xp.sum(share * xp.mean(centred * centred, axis=1)))
    own = xp.take_along_axis(centred, numbers[:, None], axis=1)[:, 0]
    return centred, share, spread, xp.sum(share * own)


@program
def _mean_score(centred: Array, share: Array, value: Array) -> Array:
    """The mean of the scores under their probabilities: (n, k), (n,), () -> ()"""
    xp = namespace(centred, share, value)
    return xp.sum(share * xp.sum(softmax(centred / value) * centred, axis=1))


def _numbers(labels: Array | Sequence[int], n: int, k: int) -> list[int]:
    found = list(to_host(labels).tolist() if hasattr(labels, "dtype") else labels)
    if wrong := [label for label in found if not isinstance(label, Integral)]:
        raise TypeError(f"labels: expected integers, got {wrong[0]!r:.60}")
    if n < 1 or k < 2:
        raise ValueError(f"scores: expected (n, k) of at least one row and two classes, got {(n, k)}")
    if len(found) != n:
        raise ValueError(f"labels: expected {n}, one for each row of the scores, got {len(found)}")
    if min(found) < 0 or max(found) >= k:
        raise ValueError(f"labels: expected class numbers in 0..{k - 1}, got {min(found)}..{max(found)}")
    return [int(label) for label in found]

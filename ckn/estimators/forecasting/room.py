"""How much memory the fit of a network needs."""

from collections.abc import Sequence
from math import prod
from typing import Any

from ckn.choice import LEFT_OUT, MANY
from ckn.estimators.forecasting.filters import Rule
from ckn.estimators.forecasting.pilot import Pilot
from ckn.kept import BLOCK_NUMBERS, MEMORY
from kerneltools.arrays import namespace
from kerneltools.structures.base import is_collection


def bytes_needed(pilot: Pilot, rules: Sequence[Rule]) -> float:
    """At the peak, beside the examples: those that were preprocessed, and features and sums, or parts."""
    size = namespace(pilot.like).finfo(pilot.like.dtype).bits / 8
    n, d, k = pilot.n, int(pilot.full["m"]), pilot.outputs
    examples = size * _numbers(pilot.examples) * n / pilot.size
    parts = max((3 * size * rule.full * rule.columns for rule in rules), default=0.0)
    features = size * n * d
    if n < MANY or pilot.estimator.supervised:
        least = min(n, d)
        head = features + 8 * (5.0 * least**2 + 4 * len(pilot.estimator.regs) * n * k + 2 * 4096 * d)
    else:
        features = features if features <= MEMORY else 0.0  # they are in a file then
        head = 8 * 5.0 * d**2 + 2 * size * (LEFT_OUT * d + 2 * n * k) + 4 * size * BLOCK_NUMBERS
    block = 4 * size * 2**21 * 4
    return float(max(examples + parts, examples + 2 * features, features + head) + block)


def _numbers(examples: Any) -> int:
    """How many numbers they are."""
    if is_collection(examples):
        return int(prod(getattr(getattr(examples, "values", None), "shape", (0,))))
    return int(prod(examples.shape))

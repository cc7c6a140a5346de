"""Permutation tests: how rare is a statistic if labels are meaningless?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kerneltools.arrays import Array, device_of, namespace
from kerneltools.backend import to_host
from kerneltools.progress import Progress, silent
from kerneltools.random import Rng, generator
from kerneltools.trees import Shown


@dataclass(frozen=True, eq=False)
class PermutationTest(Shown):
    """The `statistic`, its `p_value`, and `null` (P,): the statistics of P random permutations.

    The p-value is (1 + the number of these that are as great) / (1 + P). If the hypothesis is true, it is at most α
    with a probability of at most α, for any sample size (Phipson and Smyth 2010).

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((100, 2))
    >>> from kerneltools.learning import two_sample_test
    >>> test = two_sample_test(lambda rows: rows, x, x + 3, rng=0, permutations=99)
    >>> round(float(test.p_value), 3), test.null.shape
    (0.01, (99,))
    """

    statistic: float
    p_value: float
    null: Array


def permutation_test(
    statistic: Callable[[Any], Array],
    rows: Array,
    permutations: int,
    rng: Rng,
    batch: int = 64,
    progress: Progress = silent,
) -> PermutationTest:
    """Test a `statistic` of permutations of the rows (n, m), as numbers on the host, (b, n) with b <= `batch` -> (b,)

    `progress`: is told of the stage "permutations". Raises ValueError for permutations < 1.
    """
    if permutations < 1:
        raise ValueError(f"permutations: expected an integer >= 1, got {permutations}")
    values: list[Array] = []
    for number, orders in enumerate(_orders(rows, permutations, generator(rng), batch)):
        values.append(statistic(orders))
        progress("permutations", min(number * batch, permutations), permutations)
    xp = namespace(*values)
    all_values = xp.concat(values)
    observed, null = all_values[:1], all_values[1:]
    # Permutations that leave the statistic as it is may differ from it by rounding.
    slack = 1e3 * float(xp.finfo(null.dtype).eps) * float(xp.max(xp.abs(all_values)))
    as_great = int(xp.count_nonzero(null >= observed - slack))
    return PermutationTest(float(observed[0]), (1 + as_great) / (1 + permutations), null)


def _orders(rows: Array, permutations: int, draws: Any, batch: int) -> Iterator[Any]:
    """Random permutations on the host, (b, n) at a time, after the identity."""
    n = rows.shape[0]
    yield to_host(namespace(rows).arange(n, device=device_of(rows)))[None, :]
    for start in range(0, permutations, batch):
        yield draws.random((min(batch, permutations - start), n)).argsort(axis=1)

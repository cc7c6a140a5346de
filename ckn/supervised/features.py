"""The features of all training examples: kept if they fit in memory, computed anew at each pass if not."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from ckn.head import DEFAULT_REGS, least_reg
from ckn.model import encode, encode_blocks
from ckn.network import Network, Progress
from ckn.supervised.data import Data
from kerneltools.arrays import Array, blocks, namespace
from kerneltools.solvers import Blocks, LinearModel, Loss, fit_linear, path_of, ridge_sums
from kerneltools.solvers.sums import RidgeSums
from kerneltools.structures import take

ROWS = 8192


@dataclass(frozen=True, eq=False)
class Features:
    """Call it to iterate once over all pairs of features (b, d) and targets (b, classes)."""

    data: Data
    network: Network
    kept: Array | None

    def __call__(self) -> Iterator[tuple[Array, Array]]:
        """Pairs of features and targets, in the order of the examples."""
        targets, start = self.data.targets, 0
        for features in self._blocks():
            yield features, targets[start : start + features.shape[0], :]
            start += features.shape[0]

    def fit(self, loss: Loss, reg: float, *, start: LinearModel | None = None, without: Any = None) -> LinearModel:
        """The exact head, for all examples or for those whose numbers are not among `without`.

        It is more accurate in float64, so that trainings agree to 1e-8 between libraries.
        """
        like = self.data.like
        tolerance = 1e-6 if namespace(like).finfo(like.dtype).bits < 64 else 1e-10
        if self.kept is None:
            visit = self if without is None else self._without(without)
            return fit_linear(visit, None, loss, reg, start=start, tolerance=tolerance)
        kept, targets = self.kept, self.data.targets
        if without is not None:
            left_out = set(without.tolist())
            seen = [i for i in range(kept.shape[0]) if i not in left_out]
            kept, targets = take(kept, seen), take(targets, seen)
        return fit_linear(kept, targets, loss, reg, start=start, tolerance=tolerance)

    def loss_of(self, head: LinearModel, loss: Loss, numbers: Any) -> float:
        """The mean loss of a head on the images of these numbers."""
        scores = self.scores(head, numbers)
        return float(namespace(scores).mean(loss(scores, take(self.data.targets, numbers.tolist()))))

    def scores(self, head: LinearModel, numbers: Any) -> Array:
        """The scores of the images of these numbers: (b, classes)"""
        chosen = numbers.tolist()
        if self.kept is None:
            return head(encode(self.network, (), take(self.data.examples, chosen)))
        return head(take(self.kept, chosen))

    def _without(self, numbers: Any) -> Blocks:
        """The same without the images with these numbers."""
        left_out = set(numbers.tolist())

        def visit() -> Iterator[tuple[Array, Array]]:
            start = 0
            for pair in self():
                count = pair[0].shape[0]
                seen = [i for i in range(count) if start + i not in left_out]
                start += count
                if seen:
                    yield take(pair[0], seen), take(pair[1], seen)

        return visit

    def best_reg(self) -> float:
        """The λ with the least leave-one-out error of ridge regression.

        For features that are not kept, the λ with the least generalised cross-validation error, which needs only sums.
        """
        if self.kept is not None:
            return least_reg(self.kept, self.data.targets)
        path = path_of(reduce(RidgeSums.merge, (ridge_sums(x, t) for x, t in self())))
        errors = path.generalised_cross_validation(DEFAULT_REGS)
        xp = namespace(errors)
        return DEFAULT_REGS[int(xp.argmin(xp.mean(errors, axis=1)))]

    def _blocks(self) -> Iterator[Array]:
        if self.kept is None:
            return encode_blocks(self.network, (), self.data.examples)
        kept = self.kept
        return (kept[block, :] for block in blocks(kept.shape[0], ROWS))


def features_of(network: Network, data: Data, memory: int, progress: Progress) -> Features:
    """The features of the network, kept if they take at most `memory` bytes."""
    network, examples, xp = network.prepare(), data.examples, namespace(data.like)
    if len(data) * network.features_of(examples) * xp.finfo(data.like.dtype).bits > 8 * memory:
        return Features(data, network, None)
    return Features(data, network, xp.concat(list(encode_blocks(network, (), examples, progress=progress))))

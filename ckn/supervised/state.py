"""The state of a training between two epochs."""

from dataclasses import dataclass
from typing import Any

from ckn.network import Network
from kerneltools.arrays import namespace
from kerneltools.optimisers import Geometry
from kerneltools.solvers import LinearModel
from kerneltools.trees import Tree, map_leaves, static


@dataclass(frozen=True)
class EpochReport:
    """The numbers of one epoch; epoch 0 is a pass without a step, which describes the network before its training.

    `loss`: the mean over its batches, each before its step; `rate`: the learning rate in its middle, 0 in epoch 0;
    `train_accuracy`, `validation_accuracy` in [0, 1]: after it, if measured.

    >>> EpochReport(epoch=1, loss=0.31, rate=0.1, validation_accuracy=0.92)
    EpochReport(epoch=1, loss=0.31, rate=0.1, train_accuracy=None, validation_accuracy=0.92)
    """

    epoch: int
    loss: float
    rate: float
    train_accuracy: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True, eq=False)
class TrainingState(Tree):
    """All that the rest of a training depends on, between two epochs: use its network, or resume from it.

    `head` is a linear model of the network's features, centred and of norm 1, as in `ckn.Model`;
    `spaces` holds the sphere of each layer's filters, with its metric. `rate`: the learning rate of the next epoch;
    `reg`: the λ of the head. `initial`: epoch 0; `history`: the epochs from 1 on.

    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> state.epoch, state.history, state.network.encode(images).shape
    (0, (), (20, 16))
    """

    network: Network
    head: LinearModel
    optimiser: Any
    spaces: tuple[Geometry, ...]
    epoch: int = static(0)
    rate: float = static(0.0)
    reg: float = static(0.0)
    history: tuple[EpochReport, ...] = static(())
    initial: EpochReport | None = static(None)


def in_row_order(state: TrainingState) -> TrainingState:
    """The same state, with each array in the order of its axes in memory, as when read from a file.

    Products of matrices round differently in another order, and a training resumed from a file would not get the same
    numbers.
    """

    def ordered(leaf: Any) -> Any:
        if not hasattr(leaf, "shape"):
            return leaf
        xp = namespace(leaf)
        return xp.reshape(xp.reshape(leaf, (-1,)), tuple(leaf.shape))

    found: TrainingState = map_leaves(ordered, state)
    return found


class StartError(ValueError):
    """The state to resume from is for another network, other classes or another optimiser.

    >>> import numpy as np
    >>> import ckn
    >>> from kerneltools.optimisers import Sphere
    >>> from kerneltools.solvers import LinearModel
    >>> images = np.random.default_rng(0).random((20, 8, 8, 1))
    >>> network = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(4, subsampling=4),)), images, rng=0, patches=100)
    >>> head = LinearModel(np.zeros((16, 2)), np.zeros(2))
    >>> state = ckn.TrainingState(network, head, None, (Sphere(),))
    >>> labels, settings = np.arange(20) % 2, ckn.Supervised(epochs=1)
    >>> other = ckn.fit_unsupervised(ckn.Architecture((ckn.LayerSpec(5, subsampling=4),)), images, rng=0, patches=100)
    >>> try:
    ...     ckn.fit_supervised(other, images, labels, classes=2, rng=0, settings=settings, start=state)
    ... except StartError as error:
    ...     print(str(error).split(", ")[0])
    start: its network is of another architecture
    """


class DivergedError(FloatingPointError):
    """The loss became infinite, NaN or far greater than at the start; `state` is that of the last whole epoch.

    >>> import ckn
    >>> from ckn.supervised import DivergedError
    >>> state = ckn.TrainingState(network=None, head=None, optimiser=None, spaces=(), epoch=3)
    >>> try:
    ...     raise DivergedError("the loss became NaN in epoch 4", state)  # as `ckn.fit_supervised` does
    ... except DivergedError as error:
    ...     print(f"{error}; take the network of epoch {error.state.epoch}")
    the loss became NaN in epoch 4; take the network of epoch 3
    """

    def __init__(self, message: str, state: TrainingState) -> None:
        super().__init__(message)
        self.state = state

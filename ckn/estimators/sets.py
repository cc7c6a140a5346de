"""The estimators for sets of vectors."""

from dataclasses import dataclass
from typing import Any

from ckn.architecture import Architecture
from ckn.estimators.objects import ObjectClassifier, ObjectKind, ObjectRegressor, require_items
from ckn.layers.parts import PartSpec
from ckn.layers.readouts import Joined
from ckn.preprocessing import Standardise, Step
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import Elements, PartKernel, PartMax, PartMean
from kerneltools.structures import Ragged


@dataclass(frozen=True)
class SetKind(ObjectKind):
    """`Ragged`, lists of arrays (T, d), and arrays (n, T, d)."""

    collection = Ragged
    noun = "set"
    nouns = "sets"

    def usual(self, data: Any) -> Architecture:
        """128 filters on elements, with the mean and the greatest value over the elements of each set."""
        return Architecture((PartSpec(128, Elements(), PartKernel(Exponential(0.6))),), Joined((PartMean(), PartMax())))

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Standardised columns."""
        return (Standardise(),)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for an empty set."""
        require_items(data, self.noun)


class SetClassifier(ObjectClassifier):
    """Classifier of sets: elements learnt without labels, and a linear head on how much of each a set has.

    (n,) sets, (n,) labels -> (n,) labels

    K-means of elements, a kernel map on their centres, the mean and the greatest value over the elements of a set, then
    a head as in `ckn.ImageClassifier`.

    Sets are a list of arrays (T, d) of T vectors, whose order does not matter; arrays (n, T, d) are sets of one size.
    An empty set is refused.

    Parameters: `architecture`, a `ckn.Architecture` of layers such as `ckn.PartSpec`; None: 128 filters on elements, σ
    = 0.6, with mean and maximum. A readout `ckn.Transport(...)` instead of these matches elements to references by
    optimal transport. `preprocessing`, a tuple of steps of `ckn.preprocessing`; None: columns are standardised as in
    the training (`Standardise`). `parts`: how many each layer learns from. `supervised`, `validation`, `regs`,
    `class_weight`, `batch`, `random_state`, `backend`, `device`, `dtype`, `verbose`: as in `ckn.ImageClassifier`.

    After `fit`: the attributes of `ckn.ImageClassifier`, and `architecture_`, the one used. Features are standardised
    by column.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> sets = [rng.standard_normal((int(rng.integers(9, 19)), 2)) * (1 + 2 * wide) for wide in labels]
    >>> model = ckn.SetClassifier().fit(sets[:40], labels[:40])
    >>> bool(model.score(sets[40:], labels[40:]) > 0.8)
    True
    """

    kind = SetKind()


class SetRegressor(ObjectRegressor):
    """Regression on sets: elements learnt without labels, and a linear head on how much of each a set has.

    (n,) sets, (n,) or (n, q) numbers -> (n,) or (n, q)

    Sets and parameters are as in `SetClassifier`, the attributes after `fit` as in `ckn.ImageRegressor`.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> widths = rng.uniform(1, 3, 80)
    >>> sets = [rng.standard_normal((50, 2)) * width for width in widths]
    >>> model = ckn.SetRegressor().fit(sets[:60], widths[:60])
    >>> bool(model.score(sets[60:], widths[60:]) > 0.5)
    True
    """

    kind = SetKind()

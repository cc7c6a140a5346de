"""The estimators of sets of vectors."""

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
        """128 elements, with the mean and the greatest value over the elements of each set."""
        return Architecture((PartSpec(128, Elements(), PartKernel(Exponential(0.6))),), Joined((PartMean(), PartMax())))

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Columns are standardised."""
        return (Standardise(),)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for an empty set."""
        require_items(data, self.noun)


class SetClassifier(ObjectClassifier):
    """Elements learnt without labels; a linear classifier of how much of each a set has.

    (n,) sets, (n,) labels -> (n,) labels
    """

    kind = SetKind()


class SetRegressor(ObjectRegressor):
    """Elements learnt without labels; a linear regression on how much of each a set has.

    (n,) sets, (n,) or (n, q) numbers -> (n,) or (n, q)
    """

    kind = SetKind()

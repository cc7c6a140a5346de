"""The estimators of series of any lengths."""

from dataclasses import dataclass
from typing import Any

from ckn.architecture import Architecture
from ckn.checks import require_channels_last
from ckn.estimators.objects import ObjectClassifier, ObjectKind, ObjectRegressor, require_items, typical_length
from ckn.layers.parts import PartSpec
from ckn.preprocessing import Standardise, Step
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import PartKernel, PartMax, Windows
from kerneltools.structures import Ragged


@dataclass(frozen=True)
class SeriesKind(ObjectKind):
    """`Ragged`, lists of arrays (T, c) or (T,), and arrays (n, T, c) or (n, T)."""

    collection = Ragged
    noun = "series"
    nouns = "series"

    def usual(self, data: Any) -> Architecture:
        """128 windows, and how much each is there at most."""
        windows = Windows(max(1, min(9, typical_length(data))))
        return Architecture((PartSpec(128, windows, PartKernel(Exponential(0.5))),), PartMax())

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Channels are standardised."""
        return (Standardise(),)

    def taken(self, X: Any, architecture: Any) -> Any:
        """A collection. Raises TypeError or ValueError, naming the series, for what is none."""
        if getattr(X, "ndim", 0) == 3:
            require_channels_last(tuple(X.shape), 1, self.nouns)
        return super().taken(X, architecture)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for a series without a step."""
        require_items(data, self.noun)


class SeriesClassifier(ObjectClassifier):
    """Shapes learnt without labels; a linear classifier of how much of each a series has.

    (n,) series, (n,) labels -> (n,) labels

    Series are arrays (T, c) of c channels, or (T,) of one, in a list: they need not be of one length. Arrays (n, T, c),
    or (n, T), are series of one length; `structures.Ragged.of_padded(x, mask)` takes padded ones.
    """

    kind = SeriesKind()


class SeriesRegressor(ObjectRegressor):
    """Shapes learnt without labels; a linear regression on how much of each a series has.

    (n,) series, (n,) or (n, q) numbers -> (n,) or (n, q)
    """

    kind = SeriesKind()

"""The estimators for series of any lengths."""

from dataclasses import dataclass
from typing import Any

from ckn.architecture import Architecture
from ckn.checks import require_channels_last
from ckn.estimators.objects import ObjectClassifier, ObjectKind, ObjectRegressor, require_items, typical_length
from ckn.layers.beside import Beside
from ckn.layers.parts import PartSpec
from ckn.layers.readouts import Joined
from ckn.preprocessing import Standardise, Step
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import PartKernel, PartMax, PartMean, Windows
from kerneltools.structures import Ragged

WINDOW = 9
"""The steps of a window, as in MiniRocket (Dempster, Schmidt and Webb 2021), if series are at least twice as long."""


@dataclass(frozen=True)
class SeriesKind(ObjectKind):
    """`Ragged`, lists of arrays (T, c) or (T,), and arrays (n, T, c) or (n, T)."""

    collection = Ragged
    noun = "series"
    nouns = "series"

    def usual(self, data: Any) -> Architecture:
        """Windows of 9 steps, also less their mean at dilations 1, 2, 4, ..., with mean and maximum over time."""
        length = typical_length(data)
        size, dilations = max(1, min(WINDOW, length // 2)), [1]
        while size > 1 and 2 * ((size - 1) * 2 * dilations[-1] + 1) <= length:
            dilations.append(2 * dilations[-1])
        readout, plain = Joined((PartMean(), PartMax())), PartSpec(64, Windows(size, by_item=True), _kernel(False))
        if size == 1:
            return Architecture((plain,), readout)
        # The levels of channels say everything of some series and nothing of others.
        windows = (Windows(size, dilation=dilation, by_item=True) for dilation in dilations)
        return Architecture((Beside((plain, *(PartSpec(64, each, _kernel(True)) for each in windows))),), readout)

    def steps(self, data: Any) -> tuple[Step, ...]:
        """Standardised channels."""
        return (Standardise(),)

    def taken(self, X: Any, architecture: Any) -> Any:
        """A collection. Raises TypeError or ValueError, with the series, for anything else."""
        if getattr(X, "ndim", 0) == 3:
            require_channels_last(tuple(X.shape), 1, self.nouns)
        return super().taken(X, architecture)

    def check_items(self, data: Any) -> None:
        """Raise ValueError for a series without a step."""
        require_items(data, self.noun)


def _kernel(centred: bool) -> PartKernel:
    return PartKernel(Exponential(0.6), centred=centred)


class SeriesClassifier(ObjectClassifier):
    """Classifier of series: shapes learnt without labels, and a linear head on how much of each a series has.

    (n,) series, (n,) labels -> (n,) labels

    A convolutional kernel network on series of any lengths: k-means of windows of several dilations, a kernel map on
    their centres, a pool over time, then a head as in `ckn.ImageClassifier`. For series of one length in which the
    place of a shape matters, take `ckn.ImageClassifier`.

    Series are arrays (T, c) of c channels, or (T,) of one, in a list: they need not be of one length. Arrays (n, T, c),
    or (n, T), of any library are series of one length; `structures.Ragged.of_padded(x, mask)` takes padded ones.

    Parameters: `architecture`, a `ckn.Architecture` of layers such as `ckn.PartSpec`; None: 64 filters each on windows
    of 9 steps (or half the series, if that is shorter), once unchanged, and once less their mean at each of the
    dilations 1, 2, 4, ... up to half the series, σ = 0.6, with the mean and the greatest value over time.
    `preprocessing`, a tuple of steps of `ckn.preprocessing`; None: channels are standardised as in the training
    (`Standardise`); take `(NormaliseSeries(),)` if neither level nor scale of the series matters. `parts`: how many
    each layer learns from. `supervised`, `validation`, `regs`, `class_weight`, `head`, `batch`, `random_state`,
    `backend`, `device`, `dtype`, `verbose`: as in `ckn.ImageClassifier`.

    After `fit`: the attributes of `ckn.ImageClassifier`, and `architecture_`, the one used. Features are standardised
    by column.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> series = [np.sin((0.3 + 0.2 * k) * np.arange(40 + i % 9) + rng.uniform(0, 6)) for i, k in enumerate(labels)]
    >>> model = ckn.SeriesClassifier(parts=2000).fit(series[:40], labels[:40])
    >>> float(model.score(series[40:], labels[40:]))
    1.0
    """

    kind = SeriesKind()


class SeriesRegressor(ObjectRegressor):
    """Regression on series: shapes learnt without labels, and a linear head on how much of each a series has.

    (n,) series, (n,) or (n, q) numbers -> (n,) or (n, q)

    Series and parameters are as in `SeriesClassifier`, the attributes after `fit` as in `ckn.ImageRegressor`.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> speeds = rng.uniform(0.3, 0.6, 80)
    >>> series = [np.sin(speed * np.arange(60) + rng.uniform(0, 6)) for speed in speeds]
    >>> model = ckn.SeriesRegressor(parts=2000).fit(series[:60], speeds[:60])
    >>> bool(model.score(series[60:], speeds[60:]) > 0.9)
    True
    """

    kind = SeriesKind()

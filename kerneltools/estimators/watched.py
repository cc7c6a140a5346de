"""Whom an estimator tells how far its work is."""

from typing import Any, ClassVar

import numpy as np

from kerneltools.arrays import is_whole
from kerneltools.estimators.foreign import Hinted
from kerneltools.estimators.parts import BAR
from kerneltools.estimators.showing import shortened
from kerneltools.progress import Bar, Progress, printed, silent


class Watched(Hinted):
    """An estimator with the parameter `verbose`: nothing (False), lines (1), or bars of what takes long (2).

    >>> import numpy as np
    >>> from kerneltools.estimators import NystromFeatures
    >>> NystromFeatures(landmarks=np.zeros((1, 2)), verbose=True).fit(np.zeros((5, 2))).transform(np.zeros((1, 2)))
    landmarks 0/1
    landmarks 1/1
    array([[1.]])
    """

    _watch: ClassVar[Progress | None] = None
    """What the runs that a forecast makes on copies report to it."""

    @property
    def _progress(self) -> Progress:
        if self._watch is not None:
            return self._watch
        verbose: Any = getattr(self, "verbose", False)
        if not isinstance(verbose, bool | np.bool_) and not is_whole(verbose, 0):
            raise ValueError(f"verbose: expected False, True, or 0, 1 or 2, got {shortened(verbose)}")
        if verbose > 1:
            bar: Bar = vars(self).get(BAR) or Bar()
            setattr(self, BAR, bar)  # the same from stage to stage
            return bar
        return printed if verbose else silent

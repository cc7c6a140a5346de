"""The handwritten digits that come with scikit-learn (UCI, Alpaydin and Kaynak 1998)."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ckn.readers.images import Images, Source, optional_module


@dataclass(frozen=True)
class Digits:
    """1797 real digits of 8x8 pixels with grey values 0..16, embedded: no download."""

    name: str = "digits"
    accepts: str = "the word digits: 1797 handwritten digits of 8x8 pixels, from scikit-learn"

    def recognises(self, source: Source) -> bool:
        # A word is a name whatever lies in the current folder; ./digits and Path("digits") are paths.
        return isinstance(source, str) and source == self.name

    def read(self, source: Source) -> Images:
        """(1797, 8, 8, 1) float32. Raises ImportError, with the install line, without scikit-learn."""
        if Path(source).exists():
            warnings.warn(
                "digits: reading scikit-learn's digits; for the path of that name write ./digits", stacklevel=2
            )
        data = optional_module("sklearn.datasets", "scikit-learn").load_digits()
        return Images(
            images=data.images[..., np.newaxis].astype(np.float32),
            labels=data.target.astype(np.int64),
            classes=tuple(str(name) for name in data.target_names),
            maximum=16.0,
        )

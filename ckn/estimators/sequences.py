"""The estimators for sequences: strings, such as DNA and proteins."""

from dataclasses import dataclass
from typing import Any

from ckn.architecture import Architecture
from ckn.estimators.objects import ObjectClassifier, ObjectKind, ObjectRegressor, typical_length
from ckn.layers.parts import PartSpec
from ckn.layers.readouts import Joined
from ckn.preprocessing import Step
from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import PartKernel, PartMax, PartMean, Windows
from kerneltools.structures import Strings

LETTERS_OF_FEW, WINDOW_OF_FEW, SIGMA_OF_FEW = 5, 12, 0.3
WINDOW_OF_MANY, SIGMA_OF_MANY = 10, 0.6
"""Window and σ for alphabets of few letters, such as DNA, and larger ones (Chen, Jacob and Mairal 2019)."""


@dataclass(frozen=True)
class SequenceKind(ObjectKind):
    """`Strings`, lists of Python strings or bytes, and results of `structures.read_fasta`."""

    collection = Strings
    noun = "sequence"
    nouns = "sequences"

    def usual(self, data: Any) -> Architecture:
        """128 filters on windows, with mean and greatest value; both strands if the letters have a complement."""
        few = len(data.alphabet) <= LETTERS_OF_FEW
        size, sigma = (WINDOW_OF_FEW, SIGMA_OF_FEW) if few else (WINDOW_OF_MANY, SIGMA_OF_MANY)
        windows = Windows(max(1, min(size, typical_length(data))))
        layer = PartSpec(128, windows, PartKernel(Exponential(sigma)))
        readout = Joined((PartMean(), PartMax()))
        return Architecture((layer,), readout, strands=data.alphabet.complement is not None)

    def steps(self, data: Any) -> tuple[Step, ...]:
        """None: letters need no preprocessing."""
        return ()

    def check_items(self, data: Any) -> None:
        """All strings are valid, also empty ones: they have no window."""


class SequenceClassifier(ObjectClassifier):
    """Classifier of sequences: motifs learnt without labels, and a linear head on how much of each a sequence has.

    (n,) sequences, (n,) labels -> (n,) labels

    A convolutional kernel network on sequences (CKN-seq; Chen, Jacob and Mairal 2019): k-means of windows, a kernel map
    on their centres, a pool over the places, then a head as in `ckn.ImageClassifier`.

    Sequences are a list of strings or bytes, a `structures.Strings`, or the result of `structures.read_fasta`. The
    alphabet of a list is guessed (DNA, RNA, proteins, or the letters that occur), and becomes that of the model;
    ambiguous letters stand for any.

    Parameters: `architecture`, a `ckn.Architecture` of layers such as `ckn.PartSpec`; None: 128 filters on windows of
    12 nucleotides with σ = 0.3, or of 10 letters of larger alphabets with σ = 0.6, the mean and the greatest value over
    the places, and both strands if letters have a complement. `parts`: how many each layer learns from.
    `preprocessing`: sequences need none. `supervised`, `validation`, `regs`, `class_weight`, `head`, `batch`,
    `random_state`, `backend`, `device`, `dtype`, `verbose`: as in `ckn.ImageClassifier`.

    After `fit`: the attributes of `ckn.ImageClassifier`, and `architecture_`, the one used. Features are standardised
    by column.

    Sequences shorter than the window have no window; a ShortWarning tells how many there are.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> draw = lambda motif: "".join(rng.choice(list("ACGT"), 20)) + motif + "".join(rng.choice(list("ACGT"), 20))
    >>> labels = np.arange(60) % 2
    >>> strings = [draw("TGACTCATGACG" if label else "") for label in labels]
    >>> model = ckn.SequenceClassifier(parts=2000).fit(strings[:40], labels[:40])
    >>> float(model.score(strings[40:], labels[40:]))
    1.0
    """

    kind = SequenceKind()


class SequenceRegressor(ObjectRegressor):
    """Regression on sequences: motifs learnt without labels, and a linear head on how much of each a sequence has.

    (n,) sequences, (n,) or (n, q) numbers -> (n,) or (n, q)

    Sequences and parameters are as in `SequenceClassifier`, the attributes after `fit` as in `ckn.ImageRegressor`.

    >>> import numpy as np
    >>> import ckn
    >>> rng = np.random.default_rng(0)
    >>> strings = ["".join(rng.choice(list("ACGT"), 30, p=[p, 0.5 - p, 0.25, 0.25])) for p in rng.uniform(0, 0.5, 80)]
    >>> share = [string.count("A") / 30 for string in strings]
    >>> model = ckn.SequenceRegressor(parts=2000).fit(strings[:60], share[:60])
    >>> model.predict(strings[60:]).shape
    (20,)
    """

    kind = SequenceKind()

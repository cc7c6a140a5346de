"""What the estimators for sequences, graphs, series and sets share."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ckn.architecture import Architecture
from ckn.checks import check_objects
from ckn.estimators.body import NetworkClassifier, NetworkRegressor
from ckn.head import DEFAULT_REGS
from ckn.layers.embedding import collected
from ckn.preprocessing import Step
from ckn.supervised import Supervised
from kerneltools.patches import Windows
from kerneltools.solvers import Loss
from kerneltools.structures import Collection
from kerneltools.structures.base import Host

ITEMS = {"sequence": "letters", "series": "steps", "set": "elements", "graph": "nodes"}
"""What messages call the items of the examples."""


class ShortWarning(UserWarning):
    """Some examples are shorter than the windows of the first layer, so that all their features are 0.

    >>> import warnings
    >>> import ckn
    >>> from ckn.estimators.objects import ShortWarning
    >>> from kerneltools.patches import Windows
    >>> model = ckn.SequenceClassifier(ckn.Architecture((ckn.PartSpec(4, Windows(6)),)))
    >>> with warnings.catch_warnings(record=True, category=ShortWarning, action="always") as told:
    ...     model = model.fit(["ACGTACGT", "TTGCATTA", "ACG", "ACGTTTGT"], [0, 1, 0, 1])
    >>> str(told[0].message).split(": ")[1]
    '1 of 4 are shorter than the window of 6 letters'
    """


@dataclass(frozen=True)
class ObjectKind(ABC):
    """A collection of objects of one kind, or a list of them."""

    collection: ClassVar[type[Collection]]
    noun: ClassVar[str]
    nouns: ClassVar[str]
    parts: ClassVar[str] = "parts"
    of_objects: ClassVar[bool] = True

    @abstractmethod
    def usual(self, data: Any) -> Architecture:
        """The default architecture for such objects."""

    @abstractmethod
    def steps(self, data: Any) -> tuple[Step, ...]:
        """The default preprocessing, which learns what it needs from the training."""

    def check(self, architecture: Any) -> None:
        """Raise TypeError for anything but None or an architecture for objects."""
        if architecture is None:
            return
        if not isinstance(architecture, Architecture):
            raise TypeError(
                f"architecture: expected a ckn.Architecture, or None for the default one for {self.nouns}, got "
                f"{architecture!r:.80}"
            )
        _ = architecture.stages

    def require(self, architecture: Any, data: Any) -> None:
        """Raise TypeError if the parts of the first layer are not for such objects."""
        if architecture is None:
            return
        try:
            for spec in architecture.stages[0]:
                spec.extractor(data[:1])
        except TypeError as error:
            raise TypeError(f"architecture: its first layer is not for {self.nouns}; {error}") from error

    def built(self, architecture: Any, data: Any) -> Architecture:
        """The architecture, or the default one. Warns (ShortWarning) about objects shorter than its windows."""
        found: Architecture = self.usual(data) if architecture is None else architecture
        warn_short(found.stages[0][0].extractor, data, self.noun, self.nouns)
        return found

    def taken(self, X: Any, architecture: Any) -> Any:
        """A collection. Raises TypeError or ValueError, with the object, for anything else."""
        return self._checked(lambda: collected(X, self.collection))

    def of_model(self, X: Any, model: Any) -> Any:
        """The same; a list becomes a collection that fits the model's. Warns (ShortWarning) as in `fit`."""
        found = self._checked(lambda: model.network.embedding.collected(X))
        warn_short(getattr(model.network.bare_layers[0], "parts", None), found, self.noun, self.nouns)
        return found

    def require_alike(self, data: Any, other: Any) -> None:
        """Raise ValueError for objects that do not fit those of the training, such as strings of another alphabet."""
        if difference := data.differs(other):
            raise ValueError(f"validation: expected {self.nouns} as in training, {difference}")

    def shape(self, data: Any) -> tuple[int, ...]:
        """(): objects share no shape."""
        return ()

    def _checked(self, made: Any) -> Any:
        try:
            found = made()
            if not isinstance(found, self.collection):
                raise TypeError(f"expected {self.nouns}, got {found!r:.80}")
            check_objects(found)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{self.nouns}: {str(error).removeprefix(f'{self.nouns}: ')}") from error
        self.check_items(found)
        return found

    @abstractmethod
    def check_items(self, data: Any) -> None:
        """Raise ValueError for objects that have no features."""


def require_items(data: Any, noun: str) -> None:
    """Raise ValueError, with its number, for the first object without items."""
    lengths: Host = np.diff(data.offsets)
    if not lengths.all():
        raise ValueError(
            f"{noun}s: {noun} {int(lengths.argmin())} (counted from 0) of {len(data)} is empty; leave out the "
            f"{int((lengths == 0).sum())} without {ITEMS[noun]}"
        )


def warn_short(extractor: Any, data: Any, noun: str, nouns: str) -> None:
    """Warn if objects are shorter than windows, with their number."""
    if not isinstance(extractor, Windows) or extractor.partial or not hasattr(data, "lengths"):
        return
    reach = (extractor.size - 1) * extractor.dilation + 1
    if short := int((data.lengths < reach).sum()):
        warnings.warn(
            f"{nouns}: {short} of {len(data)} are shorter than the window of {reach} {ITEMS[noun]}: for the network "
            "they are empty; take a smaller window, or Windows(..., partial=True)",
            ShortWarning,
            stacklevel=4,
        )


def typical_length(data: Any) -> int:
    """A length that at least 19 of 20 objects reach."""
    lengths = np.sort(np.diff(data.offsets))
    return int(lengths[len(lengths) // 20])


class ObjectClassifier(NetworkClassifier):
    """The parameters of a classifier of objects."""

    def __init__(
        self,
        architecture: Architecture | None = None,
        *,
        supervised: bool | Supervised = False,
        validation: float | tuple[Any, Any] | None = None,
        preprocessing: tuple[Step, ...] | None = None,
        parts: int = 30_000,
        regs: Sequence[float] = DEFAULT_REGS,
        class_weight: Mapping[Any, float] | str | None = None,
        head: Loss | None = None,
        batch: int | None = None,
        random_state: int = 0,
        backend: str | None = None,
        device: Any = None,
        dtype: str = "float32",
        verbose: bool | int = False,
    ) -> None:
        self.architecture = architecture
        self.supervised = supervised
        self.validation = validation
        self.preprocessing = preprocessing
        self.parts = parts
        self.regs = regs
        self.class_weight = class_weight
        self.head = head
        self.batch = batch
        self.random_state = random_state
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.verbose = verbose


class ObjectRegressor(NetworkRegressor):
    """The parameters of a regression on objects."""

    def __init__(
        self,
        architecture: Architecture | None = None,
        *,
        supervised: bool | Supervised = False,
        validation: float | tuple[Any, Any] | None = None,
        preprocessing: tuple[Step, ...] | None = None,
        parts: int = 30_000,
        regs: Sequence[float] = DEFAULT_REGS,
        batch: int | None = None,
        random_state: int = 0,
        backend: str | None = None,
        device: Any = None,
        dtype: str = "float32",
        verbose: bool | int = False,
    ) -> None:
        self.architecture = architecture
        self.supervised = supervised
        self.validation = validation
        self.preprocessing = preprocessing
        self.parts = parts
        self.regs = regs
        self.batch = batch
        self.random_state = random_state
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.verbose = verbose

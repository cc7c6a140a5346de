"""What every reader gives, and what a reader is."""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

HostArray = npt.NDArray[Any]

# The name of an embedded data set, or a path.
Source = str | Path


class DataError(ValueError):
    """Data that cannot be used; the message names the file and says what to do."""


class SourceNotFoundError(DataError, FileNotFoundError):
    """Neither a file, nor a folder, nor a data set of that name."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size with their labels, as NumPy arrays, scaled nowhere.

    images: (n, h, w, c), uint8 or floating-point; channels are grey or red, green, blue.
    labels: (n,) int64, positions in `classes`; None for images without labels.
    classes: the names of the classes; empty without labels.
    maximum: the value of white (255 for uint8, 16 for digits); None where the source does not say.
    test: the source's own test split, with the same classes; None where it has none.
    names: the file of each image, relative to the source; None where images are not files.
    """

    images: HostArray
    labels: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    maximum: float | None = None
    test: Self | None = None
    names: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return int(self.images.shape[0])


class Reader(Protocol):
    """One format. `ckn.readers.read` checks what it gives; the reader only has to decode.

    `accepts` says in words what it recognises: "a .npz file with ...".
    """

    @property
    def name(self) -> str: ...

    @property
    def accepts(self) -> str: ...

    def recognises(self, source: Source) -> bool:
        """Whether the source is there and looks like this format; cheap, and never an error."""

    def read(self, source: Source) -> Images:
        """The images. Raises DataError, naming the file, for data that are damaged."""


def optional_module(module: str, package: str) -> Any:
    """A module of a package that only some readers need. Raises ImportError with the install line."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(f"{package} is not installed; install it with: pip install 'kerneltools[cli]'") from error


def listed(values: Any, most: int = 5) -> str:
    """The first few values for a message: `a, b, c and 4 more`."""
    shown = [str(v) for v in values]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")

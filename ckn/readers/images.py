"""What every reader returns, and what a reader is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from ckn.readers.examples import Examples, annotations_of
from kerneltools.trees import Shown

HostArray = npt.NDArray[Any]

# The name of an embedded data set, or a path.
Source = str | Path

Report = Callable[[str, int, int], None]
"""Reports how far a stage of work is: `report(stage, done, total)`."""


def unwatched(stage: str, done: int, total: int) -> None:
    """The report that does nothing."""


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the remedy.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from ckn.readers import DataError, read
    >>> file = Path(tempfile.mkdtemp(), "notes.txt")
    >>> _ = file.write_text("no images")
    >>> try:
    ...     read(file)
    ... except DataError as error:
    ...     print(str(error).splitlines()[0].replace(str(file), file.name))
    notes.txt: not a format that a reader recognises; expected one of
    """


class SourceNotFoundError(DataError, FileNotFoundError):
    """There is no file, folder or data set of that name.

    >>> from ckn.readers import SourceNotFoundError, read
    >>> try:
    ...     read("no-such-folder")
    ... except SourceNotFoundError as error:
    ...     print(str(error).split(";")[0])
    'no-such-folder': no such file, folder or data set
    """


@dataclass(frozen=True)
class Pictures:
    """How picture files of any size and kind become images of one shape.

    size: (height, width) in pixels, both >= 1: each picture is scaled to cover it, smoothed if it becomes smaller,
    and cropped in the middle. None: files of one size up to 256 pixels a side are unchanged; others get the size of
    more than half of them, if there is one, or else 64 x 64, or less if most are smaller.
    channels: 1 (grey) or 3 (red, green, blue). None: grey if all files are.
    background: red, green and blue in 0..255, the colour behind transparent pixels. None: white.

    Raises ValueError for other values.

    >>> Pictures(size=(48, 64), background=(0, 0, 0))
    Pictures(size=(48, 64), channels=None, background=(0, 0, 0))
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    background: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not _numbers(self.size, 2, 1, LARGEST_SIDE):
            raise ValueError(f"size: expected (height, width) in 1..{LARGEST_SIDE} pixels, or None, got {self.size!r}")
        if self.channels not in (None, 1, 3) or isinstance(self.channels, bool):
            raise ValueError(f"channels: expected 1 (grey), 3 (colour) or None, got {self.channels!r}")
        if self.background is not None and not _numbers(self.background, 3, 0, 255):
            raise ValueError(f"background: expected red, green and blue in 0..255, or None, got {self.background!r}")


def pictures_of(shape: tuple[int, ...]) -> Pictures | None:
    """How picture files become images of shape (h, w, c); None if no picture has this shape."""
    return Pictures((shape[0], shape[1]), shape[2]) if len(shape) == 3 and shape[2] in (1, 3) else None


AS_THEY_COME = Pictures()
"""The default: no wishes."""

LARGEST_SIDE = 2**14
"""The most pixels a side: no layer could work on larger images."""


def _numbers(values: Any, count: int, least: int, most: int) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == count
        and all(isinstance(v, int) and not isinstance(v, bool) and least <= v <= most for v in values)
    )


@dataclass(frozen=True, eq=False)
class Images(Shown):
    """Images of one size with their labels, as NumPy arrays whose pixels are not scaled.

    images: (n, h, w, c), uint8 or floating-point; channels are grey or red, green, blue.
    labels: (n,) int64, positions in `classes`; None for images without labels.
    classes: the names of the classes; empty without labels.
    maximum: the value of white (255 for uint8, 16 for digits); None if the source does not say.
    test: the source's own test split, with the same classes; None if it has none.
    names: the file of each image, relative to the source; None if images are not files.
    pictures: how the files became images, with the size, channels and background used, to read others in the same
    way; None if images are not picture files.

    >>> import numpy as np
    >>> found = Images(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1]), classes=("cat", "dog"), maximum=255.0)
    >>> len(found), [found.classes[label] for label in found.labels]
    (3, ['cat', 'dog', 'dog'])
    """

    images: HostArray
    labels: npt.NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    maximum: float | None = None
    test: Self | None = None
    names: tuple[str, ...] | None = field(default=None, repr=False)
    pictures: Pictures | None = None

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def data(self) -> HostArray:
        """The images, under the name that all kinds of data share."""
        return self.images

    @property
    def nouns(self) -> str:
        """What several of them are called."""
        return "images"

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return "image"

    @property
    def described(self) -> str:
        """The number and size of the images, in words."""
        return f"{len(self)} images of {'x'.join(map(str, self.images.shape[1:]))}"

    def taken(self, rows: Any) -> "Images":
        """The images with these numbers, or where a mask (n,) is true, without the test split."""
        labels, names = annotations_of(self.labels, self.names, rows)
        return Images(self.images[rows], labels, self.classes, self.maximum, None, names, self.pictures)


Dataset = Images | Examples
"""The results of readers: both have `data`, `labels`, `classes`, `names`, `test`, `taken`, and a length `len`."""


class Reader(Protocol):
    """A reader of one format. `ckn.readers.read` checks the result; the reader only has to decode.

    `accepts` says in words what it recognises: "a .npz file with ...". A dataclass field with the name of an option of
    `ckn.readers.read`, such as `labels`, receives the value of this option.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from ckn.readers import READERS, Images, read
    >>> class TextImages:
    ...     name, accepts = "text", "a .txt file with an image of 4 x 4 in each line"
    ...     def recognises(self, source):
    ...         return str(source).endswith(".txt")
    ...     def read(self, source):
    ...         return Images(np.loadtxt(source).reshape(-1, 4, 4, 1))
    >>> file = Path(tempfile.mkdtemp(), "two.txt")
    >>> np.savetxt(file, np.zeros((2, 16)))
    >>> read(file, readers=(*READERS, TextImages())).images.shape
    (2, 4, 4, 1)
    """

    @property
    def name(self) -> str: ...

    @property
    def accepts(self) -> str: ...

    def recognises(self, source: Source) -> bool:
        """Whether the source exists and looks like this format; fast, and never an error."""

    def read(self, source: Source) -> Dataset:
        """Read the data. Raises DataError, naming the file, for data that are damaged."""


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

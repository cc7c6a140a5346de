"""The arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ckn.architecture import architectures
from ckn.interrupts import ending_at_once
from ckn.readers import Pictures
from ckn.readers.images import optional_module
from kerneltools.backend import available
from kerneltools.backend import backend as backend_named

SOURCES = (
    "digits (handwritten digits of 8x8 pixels, comes with scikit-learn), a folder with a subfolder of pictures "
    "for each class, a .npz file, CIFAR-10 (binary version) or MNIST (IDX)"
)
OBJECTS = "sequences (FASTA), graphs (a folder of the TU collection) or series (.ts, or .tsv of the UCR archive)"


class SplitName(StrEnum):
    """The two parts of a data set."""

    train = "train"
    test = "test"


def _architecture(name: str | None) -> str | None:
    if name is not None and name not in architectures:
        raise typer.BadParameter(f"expected one of {', '.join(architectures)}, got {name!r}")
    return name


def _backend(name: str | None) -> str | None:
    if name is not None and name not in available():
        raise typer.BadParameter(f"expected one of {', '.join(available())}, got {name!r}")
    return name


def _size(words: str | None) -> str | None:
    if words is not None:
        as_size(words)
    return words


def as_size(words: str) -> tuple[int, int]:
    """(height, width) from one side, or from WIDTHxHEIGHT. Raises BadParameter for other words."""
    try:
        sides = [int(word) for word in words.lower().split("x")]
        width, height = sides * 2 if len(sides) == 1 else sides
        return Pictures(size=(height, width)).size or (height, width)
    except ValueError as error:
        raise typer.BadParameter(f"expected pixels a side, or WIDTHxHEIGHT such as 64x48, got {words!r}") from error


def _background(words: str | None) -> str | None:
    if words is not None:
        as_colour(words)
    return words


def as_colour(words: str) -> tuple[int, int, int]:
    """Red, green and blue. Raises BadParameter for words that name no colour."""
    try:
        red, green, blue = optional_module("PIL.ImageColor", "Pillow").getrgb(words)
        return red, green, blue
    except ValueError as error:
        raise typer.BadParameter(f"expected a colour such as white, gray or #ff8000, got {words!r}") from error


def check_device(backend: str | None, device: str | None) -> None:
    """Raise BadParameter unless the library has that device; ImportError if the library is not installed."""
    with ending_at_once():  # some libraries take seconds to import
        library = backend_named(backend or "numpy")
    try:
        library.asarray([0.0], device=device)
    except (ValueError, RuntimeError, TypeError, AssertionError) as error:
        if device is None:
            raise typer.BadParameter(f"--backend {library.name}: {error}") from error
        known = ", ".join(library.devices())
        raise typer.BadParameter(f"--device {device}: {library.name} has {known}, got {device!r}") from error


def check_precision(backend: str | None, precision: str) -> None:
    """Raise BadParameter unless the library has the type."""
    library = backend_named(backend or "numpy")
    if not hasattr(library.namespace, precision):
        raise typer.BadParameter(
            f"--precision {precision}: {library.name} has no such type; leave it out, or choose --backend torch"
        )


Data = Annotated[
    str, typer.Argument(metavar="DATA", help=f"Examples with their classes. Images: {SOURCES}. Others: {OBJECTS}.")
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="The model.safetensors that `ckn train` wrote.")]
ArchitectureName = Annotated[
    str | None,
    typer.Option(
        "--architecture",
        callback=_architecture,
        metavar="NAME",
        help=f"{', '.join(architectures)}. [default: small up to 12 pixels a side, otherwise unsup-64-256]",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Examples encoded at a time. [default: what fits the processor's cache]"),
]
Filters = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1_000_000,
        metavar="N",
        help="Filters of each layer, for sequences, graphs and series. [default: those of ckn.SequenceClassifier, "
        "ckn.GraphClassifier and ckn.SeriesClassifier]",
    ),
]
OneStrand = Annotated[
    bool, typer.Option("--one-strand", help="For DNA and RNA, read only the given strand, not the other one too.")
]
Device = Annotated[str | None, typer.Option(metavar="NAME", help="Where the library computes: cpu, cuda:0, ...")]
BackendName = Annotated[
    str | None,
    typer.Option(
        "--backend",
        callback=_backend,
        metavar="NAME",
        help=f"Array library: {', '.join(available())}. [default: numpy]",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        callback=_size,
        metavar="WxH",
        help="Pixels to which pictures are scaled and cropped in the middle: 64, or 64x48 (width x height). The model "
        "remembers it. [default: unchanged if all have one size of up to 256 pixels a side; otherwise at most 64]",
    ),
]
Background = Annotated[
    str | None,
    typer.Option(
        callback=_background,
        metavar="COLOUR",
        help="Colour behind transparent pixels: a name, or #rrggbb. The model remembers it. [default: white]",
    ),
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out pictures that cannot be read, with a note that lists them.")
]
Import = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a Python module that defines kernels, profiles or preprocessing steps of the model. This runs "
        "the module's code. For several: --import A --import B.",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="TABLE",
        help="A table of the classes of sequences, separated by commas or tabs: the columns name (as in the FASTA "
        "file) and label, or two columns without a heading. [default: the classes in headers >name|class|training or "
        ">name|class|testing]",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no progress and no summary, only results, notes and errors.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print how long each stage will take and whether the memory suffices, after some seconds of work; "
        "write nothing.",
    ),
]
Part = Annotated[
    SplitName | None,
    typer.Option("--split", help="Which part of DATA. [default: test if DATA has both, otherwise all]"),
]


def npz_name(path: Path) -> Path:
    """Raise BadParameter unless the name ends in .npz."""
    if path.suffix.lower() != ".npz":
        raise typer.BadParameter(f"expected a name that ends in .npz, got {path}")
    return path


def check_page(path: Path | None) -> Path | None:
    """Raise BadParameter unless the name ends in .html or .htm."""
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise typer.BadParameter(f"expected a name that ends in .html, got {path}")
    return path


Unlabelled = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA|FILES...", help="Picture files, a folder of them, or any DATA that `ckn train` takes."
    ),
]

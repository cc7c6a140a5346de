"""Files that appear whole or not at all, in places that are tried before the work begins."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from kerneltools.files import replacing

HIDDEN = ".ckn-"


@contextmanager
def output_folder(folder: Path, names: Sequence[str] = ()) -> Iterator[Path]:
    """A hidden folder to write to; its files are moved to `folder` at the end, if nothing goes wrong.

    What was made is removed otherwise. Raises OSError, at once, when `folder` cannot be written or when one of
    the `names` to be written there is a folder.
    """
    for name in names:
        if (folder / name).is_dir():
            raise OSError(f"{folder / name}: cannot be written: is a folder; choose another one with --out")
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        with ExitStack() as stack:
            hidden = Path(stack.enter_context(_temporary(folder)))
            yield hidden
            for file in sorted(hidden.iterdir()):
                os.replace(file, folder / file.name)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A temporary file, renamed to `path` at the end. Raises OSError, at once, when it cannot be made."""
    with ExitStack() as stack:
        try:
            if path.is_dir():
                raise IsADirectoryError(None, "is a folder")
            temporary = stack.enter_context(replacing(path))
        except OSError as error:
            raise OSError(f"{path}: cannot be written: {error.strerror}") from error
        yield temporary


def remove_leftovers(folder: Path, names: Sequence[str]) -> None:
    """Remove what a process that was killed had half written: hidden folders, and hidden files of these names."""
    for path in folder.glob(f"{HIDDEN}*"):
        shutil.rmtree(path, ignore_errors=True)
    for name in names:
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def _temporary(folder: Path) -> TemporaryDirectory[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return TemporaryDirectory(prefix=HIDDEN, dir=folder)
    except OSError as error:
        raise OSError(f"{folder}: cannot be written: {error.strerror}; choose another folder with --out") from error

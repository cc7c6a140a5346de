"""Files that appear complete or not at all, in places that are tested before the work begins."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from kerneltools.files import remove_dead, remove_leftovers, replacing, written_place
from kerneltools.locks import holding

OTHER = "choose another folder with --out"


@contextmanager
def output_folder(folder: Path, names: Sequence[str] = ()) -> Iterator[None]:
    """The folder to write files of these names to, by `replacing`: it is made, tested, and held until the end.

    Remains of runs that were killed are removed first. If an error occurs before anything is written, new folders are
    removed. Raises OSError, at once, if `folder` cannot be written, if one of the `names` is a folder or a device, and
    if another run holds the folder.
    """
    made = _missing(folder)
    try:
        with ExitStack() as stack:
            _make(folder)
            held = _hold(folder, stack)
            places = _places(folder, names)
            if held:
                _remove_what_is_left(folder, places)
            yield
    except BaseException:
        _remove(made)
        raise


def require_folder(folder: Path, names: Sequence[str] = ()) -> None:
    """Raise OSError where `folder`, or one of the `names` in it, cannot be written. All stays as it was."""
    made = _missing(folder)
    try:
        _make(folder)
        _places(folder, names)
    finally:
        _remove(made)


@contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A temporary file, renamed to `path` at the end. Raises OSError, at once, if it cannot be made."""
    with ExitStack() as stack:
        try:
            if path.is_dir():
                raise IsADirectoryError(None, "is a folder")
            temporary = stack.enter_context(replacing(path))
        except OSError as error:
            raise OSError(f"{path}: cannot be written: {error.strerror}") from error
        with written(path, "make room, or choose another place with --out"):
            yield temporary


@contextmanager
def written(path: Path, advice: str) -> Iterator[None]:
    """An OSError, such as that of a full disk, names the file and says what to do."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"{path}: cannot be written: {reason(error)}; {advice}") from error


def reason(error: OSError) -> str:
    """What an error of the system says, without the names of temporary files."""
    return error.strerror or str(error) or type(error).__name__


def _missing(folder: Path) -> list[Path]:
    """What has to be made for it, the innermost first."""
    return [p for p in (folder, *folder.parents) if not p.exists()]


def _remove(folders: Sequence[Path]) -> None:
    """Those that are empty."""
    for path in folders:
        with suppress(OSError):
            path.rmdir()


def _places(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files to be written, where each has been tried."""
    places = [_tried(folder / name) for name in names]
    _try_folders({folder, *(place.parent for place in places)})
    return places


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder}: cannot be written: {error.strerror}; {OTHER}") from error


def _hold(folder: Path, stack: ExitStack) -> bool:
    """Whether no other run of today can be in the folder; False where nothing is known."""
    try:
        return stack.enter_context(holding(folder.resolve()))
    except BlockingIOError as error:
        raise OSError(f"{folder}: another `ckn train` writes there; wait until it has ended, or {OTHER}") from error


def _tried(path: Path) -> Path:
    """The file that is to be written, links followed."""
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "is a folder")
        return written_place(path)
    except OSError as error:
        raise OSError(f"{path}: cannot be written: {error.strerror}; {OTHER}") from error


def _try_folders(folders: set[Path]) -> None:
    for folder in folders:
        try:
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise OSError(f"{folder}: cannot be written: {error.strerror}; {OTHER}") from error


def _remove_what_is_left(folder: Path, places: Sequence[Path]) -> None:
    """Hidden files of dead processes, and hidden folders as earlier versions had them."""
    for path in folder.glob(".ckn-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
    for place in places:
        remove_leftovers(place)
        if place.suffix == ".safetensors":
            for path in place.parent.glob(f".{place.name}.*"):
                if os.path.isfile(path):
                    remove_dead(path)

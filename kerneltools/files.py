"""Trees of arrays in files: safetensors, with the structure as JSON in the header. Rows in .npy files. No pickle.

A file is written under a temporary name and then renamed: it is complete, or does not exist. The header of a tree's
file holds a digest of all its content, which reveals a changed bit (docs/decisions/0015).
"""

import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kerneltools.arrays import Array, DType, blocks
from kerneltools.encoding import WRONG, Unplaced, decode, encode, told
from kerneltools.locks import holding, try_lock

VERSION = "1"
"""The version of the format of `save_tree`. Files from before the digest are refused."""


class FileFormatError(ValueError):
    """A file cannot be read as what it should be; the message names the file and the reason."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it at the end, removed when anything goes wrong.

    A link stays a link: its target is replaced. The new file gets the permissions of the old one. Temporary files that
    a killed process left for the same path are removed. Raises OSError if the folder cannot be written, and if `path`
    exists and is no file: a device or a pipe must not be replaced.
    """
    path = written_place(path)
    remove_leftovers(path)
    with _temporary(path) as temporary:
        yield temporary
        temporary.chmod(_permissions(path))
        os.replace(temporary, path)


def written_place(path: str | Path) -> Path:
    """The file that a path stands for, with links followed. Raises OSError if it exists and is no file."""
    try:
        found = Path(path).resolve()
    except RuntimeError as error:  # what some releases of Python raise
        raise OSError(None, "is a link that leads to itself", str(path)) from error
    if found.is_symlink() or (found.exists() and not found.is_file()):
        raise OSError(None, "is no regular file", str(path))
    return found


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `replacing` that no living process holds."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}{re.escape(path.suffix)}")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                remove_dead(Path(entry.path))


def remove_dead(path: Path) -> None:
    """Remove a file unless a process holds it, or it is unknown whether one does."""
    with suppress(OSError), holding(path) as held:
        if held:
            path.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A file beside `path`, held until the end, and removed then if it still exists."""
    handle, temporary = _held_file(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _held_file(path: Path) -> tuple[int | None, Path]:
    """A new file beside `path`, and the descriptor that holds it, or None if there are no locks."""
    while True:
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        except OSError as error:  # of the file that was asked for
            raise OSError(error.errno, error.strerror, str(path)) from error
        try:
            if not try_lock(handle):
                os.close(handle)
                return None, Path(name)
            if os.fstat(handle).st_nlink:
                return handle, Path(name)
        except BlockingIOError:
            pass
        os.close(handle)  # another process took it for a leftover before it was held: once more


def _permissions(path: Path) -> int:
    """The permissions of the existing file, or of new files: mkstemp makes files that only the owner can read."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def save_tree(tree: Any, path: str | Path, kind: str, notes: Mapping[str, str] | None = None) -> None:
    """Write a tree of frozen dataclasses, tuples, dicts, arrays, numbers, types of numbers and strings.

    `kind` says what it is, for readers of the file; `notes` are further strings for the header.

    Raises TypeError, with the leaf, for anything else, and OSError if the file cannot be written.
    """
    write_encoded(*encode(tree), path, kind, notes)


def write_encoded(
    structure: Any, arrays: dict[str, Any], path: str | Path, kind: str, notes: Mapping[str, str] | None = None
) -> None:
    """Write the result of `encode`; see `save_tree`."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    header = {"kind": kind, "version": VERSION, "structure": json.dumps(structure), **(notes or {})}
    header["digest"] = digest(header, arrays)
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata=header)
            _order_header(temporary)
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error


def load_tree(
    path: str | Path,
    kind: str,
    types: Mapping[str, Callable[..., Any]],
    convert: Callable[[Any], Array] = lambda array: array,
    dtype_of: Callable[[str], DType] = np.dtype,
) -> Any:
    """Read a tree from a file of `save_tree`; `types` are the dataclasses that may occur, by name.

    `convert` moves each NumPy array to the wanted library and device, and `dtype_of` converts the name of a type of
    numbers to the library's type.

    Raises FileNotFoundError, Unplaced with what `convert` raises as its cause, and FileFormatError for a file that is
    truncated, corrupt, of another version or kind, that has a changed bit, or that holds types not in `types`.
    """
    path = Path(path)
    header, arrays = _read(path)
    if header.get("kind") != kind or "structure" not in header:
        raise FileFormatError(f"{path}: not a file of kind {kind!r} (its header says {header.get('kind')!r})")
    if header.get("version") != VERSION:
        raise FileFormatError(
            f"{path}: format version {header.get('version')!r}, this release reads {VERSION!r}; "
            "install the release that wrote it, or write it again with this one"
        )
    if "digest" not in header:
        raise FileFormatError(
            f"{path}: corrupt, or written before files had a digest (SHA-256): it has none; write it again"
        )
    if header.pop("digest") != digest(header, arrays):
        raise FileFormatError(f"{path}: corrupt: its digest (SHA-256) is not that of its content")
    try:
        return decode(parsed(header["structure"]), arrays, types, convert, dtype_of)
    except Unplaced as error:
        raise (error.__cause__ or error) from None
    except WRONG as error:
        raise FileFormatError(f"{path}: corrupt or made with unknown types: {told(error)}") from error


def kind_of(path: str | Path) -> str | None:
    """The kind of a file of `save_tree`; None for safetensors files of others.

    Raises FileNotFoundError, and FileFormatError for anything but a safetensors file, and for a truncated or corrupt
    one.
    """
    return _read(Path(path), of_header=True)[0].get("kind")


def parsed(text: str) -> Any:
    """Parse JSON. Raises ValueError for invalid JSON, and for keys that occur twice."""
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key that is given twice, among {', '.join(sorted(found))}")
    return found


def digest(header: Mapping[str, str], arrays: Mapping[str, Any]) -> str:
    """The SHA-256 of a header and of NumPy arrays: their names, types, shapes and bytes."""
    found = sha256(json.dumps(header, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name}\n{array.dtype}\n{array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


@dataclass(frozen=True)
class RowsFile:
    """The rows of a matrix in an .npy file, opened by `open_rows`: read on demand, never all of them."""

    path: Path
    shape: tuple[int, int]
    dtype: Any
    offset: int
    order: Literal["C", "F"]

    def rows(self, part: slice) -> Any:
        """Some rows in memory, as a NumPy array: (b, d)"""
        # Mapped anew each time: what has been read of a mapping counts as memory of the process until it is closed.
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape, self.order)
        return np.array(mapped[part], dtype=self.dtype.newbyteorder("="), order="C")

    def blocks(self, size: int) -> Iterator[Any]:
        """All rows, `size` at a time."""
        return (self.rows(part) for part in blocks(self.shape[0], size))


def open_rows(path: str | Path) -> RowsFile:
    """The rows of an .npy file with a matrix (n, d) of floating-point numbers.

    Raises FileNotFoundError, and FileFormatError for a file that is no .npy file, is truncated, or holds something
    else.
    """
    path = Path(path)
    _require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a header that NumPy has to repair
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy reads the header as Python code, with all that can be wrong in that
        raise FileFormatError(f"{path}: not an .npy file that can be mapped, truncated or corrupt ({error})") from error
    if not isinstance(mapped, np.memmap) or mapped.ndim != 2 or mapped.dtype.kind != "f":
        got = f"{mapped.dtype} of shape {mapped.shape}" if isinstance(mapped, np.ndarray) else type(mapped).__name__
        raise FileFormatError(f"{path}: expected floating-point numbers of shape (n, d), got {got}")
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    return RowsFile(path, (mapped.shape[0], mapped.shape[1]), mapped.dtype, mapped.offset, order)


def save_rows(path: str | Path, n: int, pieces: Iterator[Any]) -> tuple[int, int]:
    """Write n rows, given in pieces (b, m) of one type, to an .npy file; returns its shape.

    Raises ValueError if the pieces differ in type or columns, or are not n rows together; then no file is left.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        # Written in order and not through a mapping, for which a full disk is no exception but the end of the process.
        first, written = None, 0
        for piece in pieces:
            if first is None:
                first = piece[:0]
                header = {"descr": piece.dtype.str, "fortran_order": False, "shape": (n, *piece.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
            if piece.dtype != first.dtype or piece.shape[1:] != first.shape[1:]:
                raise ValueError(
                    f"pieces: expected {first.dtype} of {first.shape[1]} columns as at the start, "
                    f"got {piece.dtype} of shape {piece.shape} after {written} rows"
                )
            file.write(np.ascontiguousarray(piece).data)
            written += piece.shape[0]
        if first is None or written != n:
            raise ValueError(f"pieces: expected {n} rows, got {written}")
    return n, int(first.shape[1])


def _order_header(path: Path) -> None:
    """Sort the notes in the header of a file just written, whose order in the library changes each time."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        found = json.loads(file.read(size))
        ordered = {**found, "__metadata__": dict(sorted(found["__metadata__"].items()))}
        # Written as the library does, so that it takes the same place.
        content = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode().ljust(size)
        if len(content) != size:
            raise ValueError(f"{path}: a header of {len(content)} bytes in the place of one of {size}")
        file.seek(8)
        file.write(content)


def _read(path: Path, of_header: bool = False) -> tuple[dict[str, str], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    _require_file(path)
    with path.open("rb") as raw:
        try:
            with safe_open(path, framework="numpy") as file:
                header = dict(file.metadata() or {})
                names = () if of_header else file.keys()
                arrays = {name: file.get_tensor(name) for name in names}
            parsed(raw.read(int.from_bytes(raw.read(8), "little")).decode())
        except (SafetensorError, RecursionError, TypeError, ValueError, OSError) as error:
            raise FileFormatError(f"{path}: not a safetensors file, truncated or corrupt ({error})") from error
    return header, arrays


def _require_file(path: Path) -> None:
    if path.is_dir():
        inside = next(iter(sorted(path.glob("*.safetensors"))), None)
        raise FileNotFoundError(f"{path}: a folder, no file{f'; there is {inside}' if inside else ''}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")

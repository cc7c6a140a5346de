"""Trees of arrays in files: safetensors, with the structure as JSON in the header. Rows in .npy files. No pickle.

A file is written under a temporary name and renamed: it is there whole, or not at all. A digest of all that a tree's
file holds is in its header: a changed bit is found (docs/decisions/0015).
"""

import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kerneltools.arrays import Array, blocks
from kerneltools.backend import to_host
from kerneltools.locks import holding, try_lock

VERSION = "1"
"""Of the format of `save_tree`. Files that were written before they had a digest are refused."""


class FileFormatError(ValueError):
    """A file that cannot be read as what it should be; the message names the file and says why."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it at the end, removed when anything goes wrong.

    A link stays a link: what it points to is replaced. A file that is replaced hands on its permissions. Temporary
    files that a killed process left for the same path are removed. Raises OSError when the folder cannot be written
    and when `path` is there and no file: a device or a pipe must not give way to one.
    """
    path = written_place(path)
    remove_leftovers(path)
    with _temporary(path) as temporary:
        yield temporary
        temporary.chmod(_permissions(path))
        os.replace(temporary, path)


def written_place(path: str | Path) -> Path:
    """The file that a path stands for, links followed. Raises OSError where it is there and no file."""
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
    """Remove a file unless a process holds it, or it cannot be known whether one does."""
    with suppress(OSError), holding(path) as held:
        if held:
            path.unlink(missing_ok=True)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A file beside `path`, held until the end, when it is removed if it is still there."""
    handle, temporary = _held_file(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _held_file(path: Path) -> tuple[int | None, Path]:
    """A new file beside `path` and its descriptor, which holds it; None where there are no locks."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
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
    """Those of the file that is there, or of new files: mkstemp makes files that only the owner can read."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def save_tree(tree: Any, path: str | Path, kind: str, notes: Mapping[str, str] | None = None) -> None:
    """Write a tree of frozen dataclasses, tuples, dicts, arrays, numbers and strings.

    `kind` says what it is, for whoever reads; `notes` are further strings for the header.

    Raises TypeError, naming the leaf, for anything else, and OSError when the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays: dict[str, Any] = {}
    structure = _encode(tree, "", arrays)
    header = {"kind": kind, "version": VERSION, "structure": json.dumps(structure), **(notes or {})}
    header["digest"] = digest(header, arrays)
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata=header)
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error


def load_tree(
    path: str | Path, kind: str, types: Mapping[str, type], convert: Callable[[Any], Array] = lambda array: array
) -> Any:
    """Read a tree that `save_tree` wrote; `types` are the dataclasses that may occur, by name.

    `convert` takes each NumPy array to the library and device wanted.

    Raises FileNotFoundError, and FileFormatError for a file that is truncated, corrupt, of another version or
    kind, whose bits are not those that were written, or that holds types not in `types`.
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
        raise FileFormatError(f"{path}: corrupt: it is not what was written, for its digest (SHA-256) is another")
    try:
        tree = _decode(parsed(header["structure"]), arrays, types, convert)
        if arrays:
            raise ValueError(f"arrays that have no place in it: {', '.join(sorted(arrays))}")
        return tree
    except WRONG as error:
        raise FileFormatError(f"{path}: corrupt or made with unknown types: {told(error)}") from error


WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What comes of values of the wrong type, size or kind."""


def told(error: Exception) -> str:
    """What an error says, with its name where the words alone say little."""
    return f"{type(error).__name__}: {error}" if isinstance(error, ArithmeticError | LookupError) else str(error)


def parsed(text: str) -> Any:
    """JSON. Raises ValueError for what is none, and for keys that are given twice."""
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


def stored_name(cls: type) -> str:
    """What a dataclass is called in files: its name, or its `stored_as` where another has that name."""
    name: str = getattr(cls, "stored_as", cls.__name__)
    return name


def by_stored_name(types: Iterable[type]) -> dict[str, type]:
    """The types that a file may hold, as `load_tree` takes them. Raises ValueError when two have one name."""
    found: dict[str, type] = {}
    for cls in types:
        if found.setdefault(stored_name(cls), cls) is not cls:
            raise ValueError(f"types: {found[stored_name(cls)]} and {cls} are both called {stored_name(cls)!r}")
    return found


@dataclass(frozen=True)
class RowsFile:
    """The rows of a matrix in an .npy file, opened by `open_rows`: read when asked for, never all of them."""

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

    Raises FileNotFoundError, and FileFormatError for what is no .npy file, is truncated, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
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
    """Write n rows, in pieces (b, m) of one type, to an .npy file: its shape.

    Raises ValueError when the pieces differ in type or columns, or are not n rows together; no file is left then.
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


def _read(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as raw:
        try:
            with safe_open(path, framework="numpy") as file:
                header = dict(file.metadata() or {})
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            parsed(raw.read(int.from_bytes(raw.read(8), "little")).decode())
        except (SafetensorError, RecursionError, TypeError, ValueError, OSError) as error:
            raise FileFormatError(f"{path}: not a safetensors file, truncated or corrupt ({error})") from error
    return header, arrays


def _encode(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"tree{name}: expected strings as keys of a dict, got {list(value)}")
        return {"dict": {k: _encode(v, f"{name}.{k}", arrays) for k, v in value.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        children = {f.name: _encode(getattr(value, f.name), f"{name}.{f.name}", arrays) for f in fields(value)}
        return {"type": stored_name(type(value)), "fields": children}
    array = np.asarray(to_host(value), order="C")
    if array.dtype.kind in "OSU":
        raise TypeError(f"tree{name}: cannot write a {type(value).__name__}; arrays, numbers and strings only")
    key = name.lstrip(".")
    # The keys of dicts are the user's: two paths may read alike, and one name is the format's own.
    while key in arrays or key == "__metadata__":
        key += "_"
    arrays[key] = array
    return {"array": key}


def _decode(spec: Any, arrays: dict[str, Any], types: Mapping[str, type], convert: Callable[[Any], Array]) -> Any:
    """The tree of a structure; the arrays that have found their place are taken out of `arrays`."""
    if isinstance(spec, list):
        raise ValueError("a list that does not say whether it is a tuple")
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"array"}:
        return convert(arrays.pop(spec["array"]))
    if spec.keys() == {"tuple"}:
        return tuple(_decode(v, arrays, types, convert) for v in _of_kind(list, spec["tuple"]))
    if spec.keys() == {"list"}:
        return [_decode(v, arrays, types, convert) for v in _of_kind(list, spec["list"])]
    if spec.keys() == {"dict"}:
        return {k: _decode(v, arrays, types, convert) for k, v in _of_kind(dict, spec["dict"]).items()}
    if spec.keys() != {"type", "fields"}:
        raise ValueError(f"expected a type and its fields, got {', '.join(sorted(spec))}")
    if spec["type"] not in types:
        raise ValueError(f"type {spec['type']!r} is not among {', '.join(sorted(types))}; pass it in `types`")
    children = {k: _decode(v, arrays, types, convert) for k, v in _of_kind(dict, spec["fields"]).items()}
    return types[spec["type"]](**children)


def _of_kind(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected a {kind.__name__}, got {value!r:.60}")
    return value

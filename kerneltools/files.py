"""Trees of arrays in files: safetensors, with the structure as JSON in the header. Rows in .npy files. No pickle.

A file is written under a temporary name and renamed: it is there whole, or not at all.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kerneltools.arrays import Array, blocks
from kerneltools.backend import to_host

VERSION = "1"


class FileFormatError(ValueError):
    """A file that cannot be read as what it should be; the message names the file and says why."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it at the end, removed when anything goes wrong.

    A link stays a link: what it points to is replaced. Raises OSError when the folder cannot be written and
    when `path` is there and no file: a device or a pipe must not give way to one.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        raise OSError(None, "is no regular file", str(path))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files that only the owner can read; a written file follows the user's mask.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
    kind, or that holds types not in `types`.
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
    try:
        return _decode(json.loads(header["structure"]), arrays, types, convert)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: corrupt or made with unknown types: {error}") from error


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
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
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
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise FileFormatError(f"{path}: not a safetensors file, truncated or corrupt ({error})") from error


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
    if isinstance(spec, list):
        raise ValueError("a list that does not say whether it is a tuple")
    if not isinstance(spec, dict):
        return spec
    if "array" in spec:
        return convert(arrays[spec["array"]])
    if "tuple" in spec:
        return tuple(_decode(v, arrays, types, convert) for v in spec["tuple"])
    if "list" in spec:
        return [_decode(v, arrays, types, convert) for v in spec["list"]]
    if "dict" in spec:
        return {k: _decode(v, arrays, types, convert) for k, v in spec["dict"].items()}
    if spec["type"] not in types:
        raise ValueError(f"type {spec['type']!r} is not among {', '.join(sorted(types))}; pass it in `types`")
    children = {k: _decode(v, arrays, types, convert) for k, v in spec["fields"].items()}
    return types[spec["type"]](**children)

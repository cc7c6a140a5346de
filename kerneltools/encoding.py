"""Trees as JSON and arrays by name: the content of the files of `kerneltools.files` (docs/decisions/0015, 0021)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from kerneltools.arrays import DTYPES, Array, Device, DType, is_whole
from kerneltools.backend import Backend, to_host

WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors that values of the wrong type, size or kind cause."""


def told(error: Exception) -> str:
    """An error's message, with its class where the message alone says little."""
    return f"{type(error).__name__}: {error}" if isinstance(error, ArithmeticError | LookupError) else str(error)


class Unplaced(Exception):
    """A library or a device cannot take an array, which is no fault of the file; the cause tells why."""


def placing(library: Backend, device: Device) -> Callable[[Any], Array]:
    """The function that moves NumPy arrays to a library and a device. Raises Unplaced for what these do not have."""

    def placed(array: Any) -> Array:
        try:
            return library.asarray(array, device=device)
        except Exception as error:
            raise Unplaced from error

    return placed


@dataclass(frozen=True, eq=False)
class Host:
    """A tree whose arrays are NumPy's when it is read, whichever library the others are in."""

    tree: Any


def stored_name(value: Any) -> str:
    """The name of a dataclass in files: its own, or its `stored_as` if another class has that name.

    Raises TypeError for functions, which a file cannot hold.
    """
    if not isinstance(value, type):
        raise TypeError(f"cannot write the function {getattr(value, '__qualname__', value)}")
    name: str = getattr(value, "stored_as", value.__name__)
    return name


def by_stored_name(types: Iterable[type]) -> dict[str, type]:
    """The types that a file may hold, as `load_tree` takes them. Raises ValueError if two have one name."""
    found: dict[str, type] = {}
    for cls in types:
        if found.setdefault(stored_name(cls), cls) is not cls:
            raise ValueError(f"types: {found[stored_name(cls)]} and {cls} are both called {stored_name(cls)!r}")
    return found


def encode(tree: Any, name_of: Callable[[Any], str] = stored_name) -> tuple[Any, dict[str, Any]]:
    """The structure of a tree, for JSON, and its arrays by name, in NumPy.

    `name_of` gives the names of dataclasses and functions, and raises TypeError for unknown ones. A class may define
    its own parts: `_stored()` returns them by name, and `_restored` takes them as arguments.

    Raises TypeError, with the place, for a tree that `save_tree` does not take.
    """
    writer = _Writer(name_of)
    return writer.node(tree, ""), writer.arrays


def decode(
    structure: Any,
    arrays: Mapping[str, Any],
    known: Mapping[str, Callable[..., Any]],
    convert: Callable[[Any], Array] = lambda array: array,
    dtype_of: Callable[[str], DType] = np.dtype,
) -> Any:
    """The tree of a structure; `known`: functions by name, each of which makes a part from its fields.

    Raises one of `WRONG`, with the place, for an invalid structure, and for arrays that have no place in it.
    """
    reader = _Reader(dict(arrays), known, convert, dtype_of)
    tree = reader.node(structure, "")
    if reader.arrays:
        raise ValueError(f"arrays that have no place in it: {', '.join(sorted(reader.arrays))}")
    return tree


@dataclass(frozen=True, eq=False)
class _Writer:
    name_of: Callable[[Any], str]
    arrays: dict[str, Any] = field(default_factory=dict)
    seen: dict[int, tuple[Any, str]] = field(default_factory=dict)

    def node(self, value: Any, name: str) -> Any:
        if isinstance(value, Enum) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            raise TypeError(f"tree{name}: cannot write a {type(value).__name__}: it would be read as another type")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.integer | np.bool_):
            return value.item()
        if isinstance(value, tuple | list):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [self.node(v, f"{name}.{i}") for i, v in enumerate(value)]}
        if isinstance(value, dict):
            return {"dict": self.named(value, name)}
        if isinstance(value, Host):
            return {"host": _Writer(self.name_of, self.arrays).node(value.tree, name)}
        if isinstance(value, partial):
            bound = {"f": value.func, "args": value.args, "keywords": value.keywords}
            return {"type": "partial", "fields": self.named(bound, name)}
        if isinstance(value, FunctionType | BuiltinFunctionType):
            return {"function": self.name(value, name)}
        if (parts := _parts_of(value)) is not None:
            return {"type": self.name(type(value), name), "fields": self.named(parts, name)}
        if not hasattr(value, "dtype") and (dtype := str(value).rpartition(".")[2]) in DTYPES:
            return {"dtype": dtype}
        return self.array(value, name)

    def named(self, parts: dict[str, Any], name: str) -> dict[str, Any]:
        if not all(isinstance(key, str) for key in parts):
            raise TypeError(f"tree{name}: expected strings as keys of a dict, got {list(parts)}")
        return {key: self.node(value, f"{name}.{key}") for key, value in parts.items()}

    def name(self, value: Any, name: str) -> str:
        try:
            return self.name_of(value)
        except TypeError as error:
            raise TypeError(f"tree{name}: {error}") from error

    def array(self, value: Any, name: str) -> dict[str, Any]:
        if id(value) in self.seen:
            return {"again": self.seen[id(value)][1]}
        if str(getattr(value, "dtype", "")).endswith("bfloat16"):
            raise TypeError(f"tree{name}: cannot write bfloat16; make it float32 first")
        found = np.asarray(to_host(value))
        if found.dtype.kind in "OU" and found.size and all(isinstance(word, str) for word in found.flat):
            return {"words": found.reshape(-1).tolist(), "shape": list(found.shape), "object": found.dtype.kind == "O"}
        if found.dtype.kind not in "biuf":
            raise TypeError(f"tree{name}: cannot write a {type(value).__name__}; arrays, numbers and strings only")
        key = name.lstrip(".")
        # The keys of dicts are the user's: two paths may read alike, and one name is the format's own.
        while key in self.arrays or key == "__metadata__":
            key += "_"
        # Products of matrices in another order of memory may differ in their last bits.
        turned = found.ndim > 1 and found.flags.f_contiguous and not found.flags.c_contiguous
        self.arrays[key] = np.asarray(found.T if turned else found, order="C")
        self.seen[id(value)] = value, key
        return {"array": key, "order": "F"} if turned else {"array": key}


def _parts_of(value: Any) -> dict[str, Any] | None:
    if isinstance(value, type):
        return None
    if hasattr(value, "_stored"):
        parts: dict[str, Any] = value._stored()
        return parts
    if not is_dataclass(value):
        return None
    found = {f.name: (f.type, getattr(value, f.name)) for f in fields(value) if f.init}
    # NumPy's sums are numbers: what is said to be an array is one, for libraries whose numbers are none.
    return {k: np.asarray(v) if kind is Array and isinstance(v, np.generic) else v for k, (kind, v) in found.items()}


@dataclass(frozen=True, eq=False)
class _Reader:
    """The arrays that have found their place are taken out of `arrays`, and kept, converted, in `placed`."""

    arrays: dict[str, Any]
    known: Mapping[str, Callable[..., Any]]
    convert: Callable[[Any], Array]
    dtype_of: Callable[[str], DType]
    placed: dict[str, Any] = field(default_factory=dict)

    def node(self, spec: Any, name: str) -> Any:
        if isinstance(spec, list):
            raise ValueError(f"{_at(name)}a list that does not say whether it is a tuple")
        if not isinstance(spec, dict):
            return spec
        kind = "+".join(spec)
        if kind not in _NODES:
            raise ValueError(f"{_at(name)}expected a type and its fields, got {', '.join(sorted(spec))}")
        return _NODES[kind](self, spec, name)

    def array(self, spec: dict[str, Any], name: str) -> Any:
        if spec.get("order", "F") != "F" or spec["array"] not in self.arrays:
            raise LookupError(f"{_at(name)}no array {spec['array']!r:.60}, or a second place for it")
        found = self.arrays.pop(spec["array"])
        if "order" in spec:
            found = found.T
        try:
            converted = self.convert(found)
        except WRONG as error:
            raise ValueError(f"{_at(name)}{told(error)}") from error
        self.placed[spec["array"]] = converted
        return converted

    def again(self, spec: dict[str, Any], name: str) -> Any:
        return self.placed[spec["again"]]

    def words(self, spec: dict[str, Any], name: str) -> Any:
        words = _of_kind(list, spec["words"], name)
        if not all(isinstance(word, str) for word in words) or not isinstance(spec["object"], bool):
            raise TypeError(f"{_at(name)}expected strings, got {words!r:.60}")
        shape = _of_kind(list, spec["shape"], name)
        if not all(is_whole(side) for side in shape):
            raise ValueError(f"{_at(name)}expected a shape, got {shape!r:.60}")
        return np.asarray(words, dtype=object if spec["object"] else str).reshape(shape)

    def host(self, spec: dict[str, Any], name: str) -> Any:
        return _Reader(self.arrays, self.known, lambda array: array, np.dtype).node(spec["host"], name)

    def dtype(self, spec: dict[str, Any], name: str) -> DType:
        if spec["dtype"] not in DTYPES:
            raise ValueError(f"{_at(name)}expected a type of numbers, got {spec['dtype']!r:.60}")
        return self.dtype_of(spec["dtype"])

    def function(self, spec: dict[str, Any], name: str) -> Any:
        return self.found(spec["function"], name)

    def part(self, spec: dict[str, Any], name: str) -> Any:
        make = self.found(spec["type"], name)
        children = self.several(spec["fields"], name)
        try:
            return make(**children)
        except WRONG as error:
            raise ValueError(f"{_at(name)}{told(error)}") from error

    def found(self, wanted: Any, name: str) -> Any:
        if not isinstance(wanted, str) or wanted not in self.known:
            names = ", ".join(sorted(self.known)) if len(self.known) < 10 else f"the {len(self.known)} that are known"
            raise ValueError(f"{_at(name)}type {wanted!r:.60} is not among {names}; pass it in `types`")
        return self.known[wanted]

    def several(self, specs: Any, name: str) -> dict[str, Any]:
        return {k: self.node(v, f"{name}.{k}") for k, v in _of_kind(dict, specs, name).items()}

    def items(self, specs: Any, name: str) -> list[Any]:
        return [self.node(v, f"{name}.{i}") for i, v in enumerate(_of_kind(list, specs, name))]


_NODES: dict[str, Callable[[_Reader, dict[str, Any], str], Any]] = {
    "array": _Reader.array,
    "array+order": _Reader.array,
    "again": _Reader.again,
    "words+shape+object": _Reader.words,
    "host": _Reader.host,
    "dtype": _Reader.dtype,
    "function": _Reader.function,
    "type+fields": _Reader.part,
    "dict": lambda reader, spec, name: reader.several(spec["dict"], name),
    "list": lambda reader, spec, name: reader.items(spec["list"], name),
    "tuple": lambda reader, spec, name: tuple(reader.items(spec["tuple"], name)),
}


def _of_kind(kind: type, value: Any, name: str) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{_at(name)}expected a {kind.__name__}, got {value!r:.60}")
    return value


def _at(name: str) -> str:
    return f"{name.lstrip('.')}: " if name else ""

"""Models in files: maps, kernels, landmarks, results of solvers, and estimators. No pickle (docs/decisions/0021)."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache, partial
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from kerneltools.arrays import DType, require_finite
from kerneltools.backend import backend as backend_named
from kerneltools.encoding import decode, encode, placing, stored_name
from kerneltools.files import kind_of, load_tree, write_encoded

KIND = "kerneltools"

GROUP = "kerneltools.files"

ROOMS = (
    "kernels", "kernels.profiles", "kernels.spectral", "kernels.graphs", "kernels.series", "kernels.strings",
    "landmarks", "maps", "solvers", "structures", "patches", "pooling", "optimisers", "learning", "learning.hyper",
    "streaming",
)  # fmt: skip
"""The modules whose dataclasses may be in a file, as `maps.Nystrom`; and `estimators`, if they are installed."""

ESTIMATORS = "estimators."

FUNCTIONS = (
    "maps.arccos", "maps.chi2", "maps.counts", "maps.fourier", "maps.maclaurin", "maps.nystrom", "maps.positive",
    "maps.signature", "maps.tensor_sketch", "solvers.falkon", "solvers.kernel_ridge", "solvers.nystrom_pcg",
)  # fmt: skip
"""Functions that estimators take as a parameter, alone or in a functools.partial."""


class Format(Protocol):
    """What a package with models of its own announces, by an entry point of the group `kerneltools.files`.

    The name of the entry point is that of the package, and is the `kind` of its files.
    """

    def save(self, model: Any, path: str | Path) -> None:
        """Like `kerneltools.save`."""

    def load(self, path: str | Path, backend: str | None, device: Any, types: Iterable[type]) -> Any:
        """Like `kerneltools.load`."""


def save(model: Any, path: str | Path) -> None:
    """Write a map, a kernel, landmarks, a solver's result, an estimator, or a tuple or dict of these, to a file.

    Models of `ckn` go to files of `ckn.save`. A model that is read gives the same values, bit by bit. Arrays of any
    library are written; the file, in the format safetensors, appears complete or not at all.

    Raises TypeError, with the place, for what no file can hold: functions of your own (make them a frozen dataclass
    with `__call__`), random generators, bfloat16; ValueError for NaN and infinity; OSError if it cannot be written.
    Then nothing is written.

    >>> import numpy as np, tempfile, kerneltools
    >>> from kerneltools import kernels, maps
    >>> phi = maps.nystrom(kernels.Gaussian(1.0), np.array([[0.0], [1.0]]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kerneltools.save(phi, f"{folder}/map.safetensors")
    ...     again = kerneltools.load(f"{folder}/map.safetensors")
    >>> again.kernel, bool(np.all(again(phi.points) == phi(phi.points)))
    (Gaussian(bandwidth=1.0), True)
    """
    package = _package_of(type(model))
    if package is not None:
        return _format(package).save(model, path)
    known = _Known()
    structure, arrays = encode(model, known.name_of)
    decode(structure, arrays, known, _finite)  # what could not be read is not written
    return write_encoded(structure, arrays, path, KIND)


def load(path: str | Path, backend: str | None = None, device: Any = None, types: Iterable[type] = ()) -> Any:
    """Read a file of `save`; its arrays are in the library of `backend` ("numpy" for None) and on `device`.

    `types`: classes of your own that the file may hold: kernels, maps, losses, selectors, estimators. No others are
    ever looked up, and nothing in a file is run.

    Raises FileNotFoundError, and kerneltools.files.FileFormatError, which names the file and the place in it, for one
    that is truncated, corrupt (a bit has changed), from another version or of another kind, or that holds other types,
    unknown fields, numbers that are not finite, parts whose sizes do not fit together, and models without values. Files
    of other packages, such as `ckn`, are read by these packages.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from kerneltools.kernels import Gaussian
    >>> path = Path(tempfile.mkdtemp()) / "kernel.safetensors"
    >>> save(Gaussian(2.0), path)
    >>> load(path)
    Gaussian(bandwidth=2.0)
    """
    from kerneltools.loaded import check_part  # which takes what few programs import, as is done below

    kind = kind_of(path)
    if kind in _announced():
        return _format(kind).load(path, backend, device, types)
    library = backend_named(backend or "numpy")
    library.asarray([0.0], device=device)  # a device that is not there is no fault of the file
    place = placing(library, device)

    def dtype_of(name: str) -> DType:
        return library.asarray([0], dtype=name).dtype

    return load_tree(path, KIND, _Known(types, check_part), lambda array: place(_finite(array)), dtype_of)


class _Known(Mapping[str, Callable[..., Any]]):
    """The types and functions that a file may name: public dataclasses and functions, and the user's own classes."""

    def __init__(self, types: Iterable[type] = (), check: Callable[[Any], None] = lambda part: None) -> None:
        self._own: dict[str, type] = {}
        self._check = check
        for cls in types:
            self._keep(cls)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        found = self._own[name] if name in self._own else _public(name.startswith(ESTIMATORS))[name]
        return partial(self._made, found) if isinstance(found, type) else found

    def __iter__(self) -> Iterator[str]:
        return iter({**_public(False), **self._own})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def name_of(self, value: Any) -> str:
        """The name of a class or a function in files; one that is not public is kept as the user's own.

        Raises TypeError for objects that cannot be in a file.
        """
        names = _names(value.__module__.startswith(f"{__package__}.{ESTIMATORS}"))
        if value in names:
            return names[value]
        if not isinstance(value, type):
            raise TypeError(
                f"cannot write the function {getattr(value, '__qualname__', value)!r}; make it a class instead, a "
                "frozen dataclass with __call__, and pass that in `types` to load"
            )
        if value.__module__.partition(".")[0] == __package__:
            raise TypeError(f"cannot write a {value.__name__}")
        return self._keep(value)

    def _keep(self, cls: type) -> str:
        name = stored_name(cls)
        if name in _public(name.startswith(ESTIMATORS)) or self._own.setdefault(name, cls) is not cls:
            raise ValueError(f"types: two are called {name!r}; give {cls} another `stored_as`")
        return name

    def _made(self, cls: type, **values: Any) -> Any:
        from kerneltools.loaded import check_fields

        if hasattr(cls, "_restored"):
            found = cls._restored(**values)
        else:
            check_fields(cls, values)
            found = cls(**values)
        self._check(found)
        return found


@cache
def _public(estimators: bool) -> dict[str, Any]:
    """The classes and functions that a file may name."""
    found: dict[str, Any] = {"partial": _bound}
    for room in ROOMS:
        module = import_module(f"{__package__}.{room}")
        found.update({f"{room}.{cls.__name__}": cls for cls in _dataclasses(module)})
    for place in FUNCTIONS:
        room, _, name = place.partition(".")
        found[place] = getattr(import_module(f"{__package__}.{room}"), name)
    return found | _of_estimators() if estimators else found


def _of_estimators() -> dict[str, Any]:
    try:
        package = import_module(f"{__package__}.estimators")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{error.name} is not installed; install it with: pip install 'kerneltools[sklearn]'"
        ) from error
    parts = [cls for module in vars(package).values() if isinstance(module, ModuleType) for cls in _dataclasses(module)]
    classes = [getattr(package, name) for name in package.__all__]
    return {f"{ESTIMATORS}{cls.__name__.lstrip('_')}": cls for cls in (*classes, *parts)}


def _dataclasses(module: ModuleType) -> list[type]:
    """The dataclasses defined in a module, or in a file of a package and named in the package itself."""
    members = [member for member in vars(module).values() if isinstance(member, type) and is_dataclass(member)]
    return [cls for cls in members if f"{cls.__module__}.".startswith(f"{module.__name__}.")]


@cache
def _names(estimators: bool) -> dict[Any, str]:
    return {value: name for name, value in _public(estimators).items()}


def _bound(f: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any]) -> Callable[..., Any]:
    return partial(f, *args, **keywords)


def _finite(array: Any) -> Any:
    if array.dtype.kind == "f":
        require_finite(array=array)
    return array


@cache
def _announced() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def _format(package: str) -> Format:
    found: Format = _announced()[package].load()
    return found


def _package_of(cls: type) -> str | None:
    """The package, among those that announce models of their own, that a class belongs to."""
    roots = (base.__module__.partition(".")[0] for base in cls.__mro__)
    return next((root for root in roots if root in _announced()), None)

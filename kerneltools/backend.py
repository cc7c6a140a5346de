"""What an array library adds to the standard: devices, gradients, compilation, faster functions.

A plugin is a module with an object `BACKEND`, announced by an entry point of the group `kerneltools.backends`, whose
name is the root module of the library's array type. It is imported when the first array of that library arrives, or
when it is asked for by name.
"""

from collections.abc import Callable, Mapping
from functools import cache, wraps
from importlib import metadata
from typing import Any, Protocol, runtime_checkable

from kerneltools.arrays import Array, Device, Namespace, asarray_like, compiling, device_of, namespace

GROUP = "kerneltools.backends"

# A function of arrays, and its gradient: backward(cotangent, output, *inputs) -> one array (or None) per input.
Forward = Callable[..., Array]
Backward = Callable[..., tuple[Array | None, ...]]


@runtime_checkable
class Backend(Protocol):
    """What the project adds for one array library.

    Parameters of differentiated functions are trees (kerneltools.trees). A leaf that is an array is
    differentiated; Python numbers are constants.

    >>> from kerneltools.backend import backend
    >>> library = backend("numpy")
    >>> isinstance(library, Backend), library.name, library.devices()
    (True, 'numpy', ('cpu',))
    >>> library.asarray([1.0, 2.0], dtype="float32")
    array([1., 2.], dtype=float32)
    """

    @property
    def name(self) -> str:
        """The name that `backend(name)` takes."""

    @property
    def namespace(self) -> Namespace:
        """The library's array-API namespace."""

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        """Faster versions of primitives, keyed by the primitive."""

    def owns(self, array: Any) -> bool:
        """Whether this is an array of the library."""

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        """Numbers, lists or arrays of any library as an array of this one.

        `dtype`: a type of the library or the standard's name of one ("float32").
        `device`: one of `devices()`. Both are unchanged if not given.
        """

    def to_numpy(self, array: Array) -> Any:
        """A NumPy array with the same numbers, also from a device."""

    def devices(self) -> tuple[str, ...]:
        """The names of the devices that can be used now."""

    def synchronize(self, array: Array) -> None:
        """Wait until the array's numbers are computed."""

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        """The function that returns (f(*args), gradient); f gives a scalar, gradient is a tree like the argument.

        `alone`: the caller promises that the gradient is part of no other one, and that f neither closes over arrays
        that are being differentiated nor keeps or inspects its own; a library may then save time and memory.
        """

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        """`forward` with a gradient written by hand: `backward(cotangent, output, *inputs)`."""

    def stop_gradient(self, array: Array) -> Array:
        """The same numbers, as a constant."""

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """f, compiled if the library can."""


def backend(name: str) -> Backend:
    """The backend of a name, such as "torch"; it imports the library.

    Raises ValueError for an unknown name, with the known ones, and ImportError, with the install line, if its library
    is not installed.

    >>> backend("numpy").asarray([1, 2], dtype="float32").dtype
    dtype('float32')
    """
    if name not in _entry_points():
        raise ValueError(f"backend: expected one of {', '.join(available())}, got {name!r}")
    return _load(name)


def available() -> tuple[str, ...]:
    """The names of the announced backends, whether their libraries are installed or not.

    >>> "numpy" in available()
    True
    """
    by_object: dict[str, str] = {}
    for name, point in sorted(_entry_points().items(), key=lambda item: len(item[0])):
        if name != TRACED:
            by_object.setdefault(point.value, name)
    return tuple(sorted(by_object.values()))


def backend_of(*arrays: Array) -> Backend | None:
    """The backend that owns the arrays; None for a library without a plugin, and for values without a `dtype`.

    A traced array outranks the array it wraps, so that gradients are never lost.

    >>> import numpy as np
    >>> backend_of(np.zeros(3)).name
    'numpy'
    """
    found: Backend | None = None
    for a in arrays:
        owner = _owner(type(a)) if hasattr(a, "dtype") else None
        if owner is not None and (found is None or owner.name == TRACED):
            found = owner
    return found


def custom_vjp(forward: Forward, backward: Backward) -> Forward:
    """`forward`, on arrays of any library, with a gradient written by hand.

    `forward(*arrays) -> array`; `backward(cotangent, output, *arrays)` returns one array, or None, for
    each input. Both are array-API code; `backward` sees only inputs and output, so it can be
    differentiated in its turn.

    >>> from kerneltools.backend import backend
    >>> library = backend("numpy")
    >>> straight = custom_vjp(lambda x: (x > 0) * 1.0, lambda g, output, x: (g,))  # a step whose gradient is that of x
    >>> value, gradient = library.value_and_grad(lambda x: straight(x) @ x)(library.asarray([-1.0, 2.0]))
    >>> float(value), gradient
    (2.0, array([-1.,  3.]))
    """

    # A plain dict, and not functools.cache: see `_owners`.
    made: dict[str, Forward] = {}

    @wraps(forward)
    def call(*arrays: Array) -> Array:
        owner = backend_of(*arrays)
        if owner is None:
            return forward(*arrays)
        rule = made.get(owner.name)
        if rule is None:
            rule = owner.custom_vjp(forward, backward)
            if not compiling():  # where it would be a side effect of what is compiled
                made[owner.name] = rule
        return rule(*arrays)

    return call


def stop_gradient(array: Array) -> Array:
    """The same numbers as a constant, through which no gradient flows.

    >>> from kerneltools.backend import backend
    >>> library = backend("numpy")
    >>> library.value_and_grad(lambda x: stop_gradient(x) @ x)(library.asarray([1.0, 2.0]))[1]
    array([1., 2.])
    """
    owner = backend_of(array)
    return array if owner is None else owner.stop_gradient(array)


def to_host(array: Array) -> Any:
    """The numbers as a NumPy array, from any library and device, for choices that are made on the host.

    >>> import numpy as np
    >>> to_host(np.ones(2)).tolist()
    [1.0, 1.0]
    """
    return backend("numpy").asarray(array)


def move(x: Any, like: Array) -> Array:
    """Numbers or an array of any library, in the library, type and device of `like`.

    >>> import numpy as np
    >>> move([1, 2, 3], like=np.zeros(1, dtype=np.float32))
    array([1., 2., 3.], dtype=float32)
    """
    owner = backend_of(like)
    if owner is not None:
        return owner.asarray(x, dtype=like.dtype, device=device_of(like))
    if type(x) is type(like):
        return namespace(like).astype(x, like.dtype)
    return asarray_like(to_host(x), like)


# The tape's arrays are defined in this package, so its root module is the name they go by.
TRACED = "kerneltools"


@cache
def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


# A plain dict, and not functools.cache: compilers that trace Python code look through it.
_owners: dict[type, Backend | None] = {}


def _owner(array_type: type) -> Backend | None:
    """The backend whose arrays are of that type."""
    if array_type not in _owners:
        name = _backend_name(array_type)
        _owners[array_type] = None if name is None else _load(name)
    return _owners[array_type]


def _backend_name(array_type: type) -> str | None:
    for base in array_type.__mro__:
        root = base.__module__.partition(".")[0]
        # Of this package, only the tape's arrays are arrays.
        if root in _entry_points() and (root != TRACED or hasattr(array_type, "__array_namespace__")):
            return root
    return None


@cache
def _load(name: str) -> Backend:
    point = _entry_points()[name]
    try:
        loaded: Backend = point.load()
    except ModuleNotFoundError as error:
        raise ImportError(
            f"backend {name!r}: {error.name} is not installed; install it with: {_install_line(point)}"
        ) from error
    return loaded


def _install_line(point: metadata.EntryPoint) -> str:
    """How to install what a plugin needs: the extra of its name, or those for its versions (cupy12, cupy13)."""
    announced = (point.dist.metadata.get_all("Provides-Extra") if point.dist else None) or []
    extras = [extra for extra in announced if extra.rstrip("0123456789") == point.name] or [point.name]
    return " or ".join(f"pip install 'kerneltools[{extra}]'" for extra in extras)

"""The functions that inspect arrays of any library: their library, device and type, and checks of them."""

from collections.abc import Callable, Iterator
from math import isfinite, prod
from numbers import Integral, Number, Real
from typing import Any, Protocol, TypeVar

import array_api_compat

# The array API standard is a run-time protocol; Python's type checkers have no stubs for it. Inside, an array is
# anything; what users call says that it gives back the type of array that it was given.
Array = Any
Namespace = Any
DType = Any
Device = Any


class AnyArray(Protocol):
    """What arrays of all libraries have, and collections of objects do not."""

    @property
    def shape(self) -> Any: ...

    @property
    def ndim(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...


A = TypeVar("A", bound=AnyArray)
"""An array of one library: `f(x: A) -> A` returns a NumPy array for a NumPy array, a tensor for a tensor."""


def namespace(*arrays: Array) -> Namespace:
    """The array-API namespace that all the arrays share; Python numbers and None are skipped.

    Raises TypeError, with the libraries, if they are not all of one library, or if something other than an array, such
    as a list, is among them.
    """
    found = [a for a in arrays if a is not None and not isinstance(a, Number)]
    # A NumPy scalar is a number beside arrays of any library, and an array where it stands alone.
    found = found or [a for a in arrays if hasattr(a, "dtype")]
    try:
        return array_api_compat.array_namespace(*found)
    except TypeError as error:
        if (recording := _recording(found)) is not None:
            return recording
        names = sorted({f"{type(a).__module__}.{type(a).__name__}" for a in found})
        if len(names) > 1 and any(hasattr(a, "dtype") for a in found):
            raise TypeError(
                f"arrays of several libraries in one call: {', '.join(names)}; convert them to one, "
                f"for example with {_conversion(found)}"
            ) from error
        if (objects := next((a for a in arrays if hasattr(a, "no_rows")), None)) is not None:
            raise TypeError(f"expected arrays, got {objects!r}; {objects.no_rows}") from error
        got = ", ".join(names) or "no array at all"
        raise TypeError(
            f"expected an array that follows the Python array API, got {got}; "
            "convert it first, for example with numpy.asarray"
        ) from error


def _conversion(arrays: list[Any]) -> str:
    """The call that converts the others to the library and device of the last array: parameters come after data."""
    target = [a for a in arrays if hasattr(a, "dtype")][-1]
    root = type(target).__module__.partition(".")[0]
    device = getattr(target, "device", None)
    return f"kerneltools.backend({root!r}).asarray(x" + (f", device={str(device)!r})" if device else ")")


def _recording(arrays: list[Array]) -> Namespace | None:
    """The namespace of traced arrays (kerneltools.autodiff), if the others are plain arrays of the same library."""
    try:
        spaces = [array_api_compat.array_namespace(a) for a in arrays]
    except TypeError:
        return None
    traced = [xp for xp in spaces if hasattr(xp, "traced_library")]
    if not traced or any(xp not in (traced[0], traced[0].traced_library) for xp in spaces):
        return None
    return traced[0]


def device_of(*arrays: Array) -> Device:
    """The device that all the arrays are on; Python numbers and None are skipped.

    None if no array tells (inside a JAX trace the device is not known). Raises ValueError, with the devices, if they
    are on several.
    """
    devices: list[Device] = []
    for a in arrays:
        if a is None or isinstance(a, Number):
            continue
        where = array_api_compat.device(a)
        if where is not None and where not in devices:
            devices.append(where)
    if len(devices) > 1:
        raise ValueError(
            f"arrays on several devices in one call: {', '.join(str(d) for d in devices)}; "
            "move them to one with kerneltools.backend(name).asarray(x, device=...)"
        )
    return devices[0] if devices else None


def require_beside(x: Array, parameter: Array | float) -> None:
    """Raise if a parameter is of another library (TypeError) or on another device (ValueError) than x.

    For traces of JAX, which are on no device, NumPy arrays are constants and pass.
    """
    if device_of(x) is not None and device_of(parameter) is not None:
        namespace(x, parameter)
        device_of(x, parameter)


def require_together(**named: Array) -> None:
    """Raise if arrays are of several libraries (TypeError) or on several devices (ValueError), with all names.

    Python numbers and None are skipped.
    """
    try:
        namespace(*named.values())
        device_of(*named.values())
    except (TypeError, ValueError) as error:
        names = ", ".join(name for name, array in named.items() if array is not None)
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{names}: {error}") from error


def on_host(array: Array) -> bool:
    """Whether it is in the host's memory, by the name of its device ("cpu", "TFRT_CPU_0"), or on no known device."""
    device = array_api_compat.device(array)
    return device is None or "cpu" in str(device).lower()


def asarray_like(values: Any, like: Array, dtype: DType = None) -> Array:
    """Host values (numbers, lists, NumPy arrays) as an array of the library and device of `like`.

    `dtype` is one of that library's types; the type of `like` if it is not given.
    """
    xp = namespace(like)
    return xp.asarray(values, dtype=like.dtype if dtype is None else dtype, device=device_of(like))


def index_dtype(like: Array) -> DType:
    """The integers of the library of `like`: int64, or int32 for JAX without its x64 mode, which warns of others."""
    return namespace(like).asarray([0]).dtype


def indices_like(values: Any, like: Array) -> Array:
    """Integers of the host (a list, a NumPy array) as integers of the library, on the device of `like`."""
    return asarray_like(values, like, index_dtype(like))


def named_dtype(xp: Namespace, dtype: Any) -> DType:
    """The type of a namespace with a name of the standard ("float32"); None and types unchanged.

    Raises ValueError for an unknown name.
    """
    if not isinstance(dtype, str):
        return dtype
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    return getattr(xp, dtype)


DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
"""The names of the standard's types, and of the two short types that accelerators add."""


EXTENDED = {"float96", "float128", "longdouble"}
"""Types of NumPy beyond the standard's."""

OTHER_OPERATORS = {"matrix", "MaskedArray"}
"""Array types that libraries accept but that break the standard: other products, or masked entries that count."""


def require_floating(**named: Array) -> None:
    """Raise TypeError for the first array, named by its keyword, that is a matrix or not real floating-point."""
    for name, array in named.items():
        _require_array(name, array)
        xp = namespace(array)
        if type(array).__name__ in OTHER_OPERATORS:
            raise TypeError(
                f"{name}: expected a plain array, got a {type(array).__name__}, whose operators mean something else; "
                "convert it first, for example with numpy.asarray"
            )
        if str(array.dtype) in EXTENDED:
            raise TypeError(
                f"{name}: expected a real floating-point array of at most 64 bits, got {array.dtype}, which has no "
                f"factorisations; convert it first, for example with xp.astype({name}, xp.float64)"
            )
        if not xp.isdtype(array.dtype, "real floating"):
            raise TypeError(
                f"{name}: expected a real floating-point array, got {array.dtype}; "
                f"convert it first, for example with xp.astype({name}, xp.float32)"
            )


def require_rank(rank: int | tuple[int, ...], form: str, **named: Array) -> None:
    """Raise ValueError for the first array, named by its keyword, whose number of axes is not `rank`.

    Raises TypeError for anything but an array, such as a list.
    """
    ranks = (rank,) if isinstance(rank, int) else rank
    for name, array in named.items():
        _require_array(name, array, f" {form}")
        if array.ndim not in ranks:
            raise ValueError(f"{name}: expected {form}, got shape {tuple(array.shape)}")


def _require_array(name: str, array: Any, form: str = "") -> None:
    if hasattr(array, "no_rows"):
        raise TypeError(f"{name}: expected an array{form}, got {array!r}; {array.no_rows}")
    if not (hasattr(array, "ndim") and hasattr(array, "dtype")):
        raise TypeError(
            f"{name}: expected an array{form}, got {type(array).__name__}; convert it first, for example with "
            "numpy.asarray"
        )


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether it is an integer of Python or NumPy, of at least `least`."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least


def require_count(name: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless it is an integer of at least `least`."""
    if not is_whole(value, least):
        raise ValueError(f"{name}: expected an integer >= {least}, got {value!r}")


def require_real(name: str, value: Any, wanted: str) -> None:
    """Raise TypeError unless it is a real number or an array of real numbers, of at most 64 bits; True is no number."""
    known = isinstance(value, Real) and not isinstance(value, bool)
    if hasattr(value, "dtype"):
        if str(value.dtype) in EXTENDED:
            raise TypeError(
                f"{name}: expected {wanted}, got {value.dtype}, which has no factorisations; take float({name})"
            )
        known = namespace(value).isdtype(value.dtype, ("real floating", "integral"))
    if not known:
        raise TypeError(f"{name}: expected {wanted}, got {value!r}")


def require_number(
    name: str, value: Any, like: Array = None, *, least: float | None = None, wanted: str | None = None
) -> None:
    """Raise, with its name, unless it is a finite number > 0, or >= `least` if that is given.

    An array () of one number is also valid, in the library and on the device of `like`; in a trace its number is not
    known.
    """
    wanted = wanted or ("a number > 0" if least is None else f"a number >= {least:g}")
    require_real(name, value, wanted)
    if getattr(value, "ndim", 0) > 0:
        raise ValueError(f"{name}: expected {wanted}, got an array of shape {tuple(value.shape)}")
    if isinstance(value, Real):
        number = finite(name, value, wanted)
        if not (number > 0 if least is None else number >= least):
            raise ValueError(f"{name}: expected {wanted}, got {value}")
        return
    if like is not None and not compiling():
        try:
            require_beside(like, value)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: expected {wanted}, of Python or in the library of the data; {error}") from error
    good = value > 0 if least is None else value >= least
    require_everywhere(namespace(value).isfinite(value) & good, wanted, name, value)


def finite(name: str, value: Any, wanted: str) -> float:
    """A real number as Python's. Raises ValueError if it is not finite, or an integer beyond floating point."""
    try:
        number = float(value)
    except OverflowError:  # of Python's integers, which have no end
        raise ValueError(f"{name}: expected {wanted}, got an integer beyond every floating-point type") from None
    if not isfinite(number):
        raise ValueError(f"{name}: expected {wanted}, got {number}")
    return number


def require_stopping(tolerance: Any, iterations: Any, like: Array = None) -> None:
    """Raise unless these are a number >= 0, see `require_number`, and an integer >= 0."""
    require_number("tolerance", tolerance, like, least=0.0)
    require_count("iterations", iterations, 0)


_compilers: list[Callable[[], bool]] = []


def add_compiler(is_compiling: Callable[[], bool]) -> None:
    """Register how to tell that a compiler of Python code, which no exception can leave, is at work."""
    _compilers.append(is_compiling)


def compiling() -> bool:
    """Whether such a compiler is at work, so that numbers are not known and nothing can be kept for later."""
    return any(is_compiling() for is_compiling in _compilers)


def holds(condition: Array) -> bool:
    """Whether a condition () is true; True inside a trace, where numbers are not known."""
    if compiling():
        return True
    try:
        return bool(condition)
    except (TypeError, RuntimeError):  # JAX's traces raise the one, torch's vmap the other
        return True


def require_finite(**named: Array) -> None:
    """Raise ValueError, with the place, for the first array, named by its keyword, with a NaN or an infinity.

    Does nothing inside a trace, where numbers are not known.
    """
    for name, array in named.items():
        require_everywhere(namespace(array).isfinite(array), "finite numbers", name, array)


def require_everywhere(good: Array, wanted: str, name: str, array: Array) -> None:
    """Raise ValueError with the place and the number of the first False in `good`; does nothing inside a trace."""
    xp = namespace(good)
    if hasattr(namespace(array), "traced_library") or holds(xp.all(good)):
        return
    place = int(xp.argmin(xp.astype(xp.reshape(good, (-1,)), xp.int8)))
    value = xp.reshape(array, (-1,))[place]
    raise ValueError(f"{name}: expected {wanted}, got {float(value)}{_place(place, tuple(array.shape))}")


def require_weights(weights: Array, n: int, least: int = 1, name: str = "weights") -> None:
    """Raise unless each of n rows has a finite weight >= 0, and at least `least` of them are > 0."""
    require_rank(1, f"({n},), a number for each row", **{name: weights})
    require_floating(**{name: weights})
    if weights.shape[0] != n:
        raise ValueError(f"{name}: expected one for each of {n} rows, got {weights.shape[0]}")
    xp = namespace(weights)
    require_everywhere(xp.isfinite(weights) & (weights >= 0), "finite numbers >= 0", name, weights)
    if not holds(xp.count_nonzero(weights) >= least):
        raise ValueError(f"{name}: expected at least {least} > 0, got {int(xp.count_nonzero(weights))}")


def _place(flat: int, shape: tuple[int, ...]) -> str:
    """The place of an entry, from its number in row order."""
    index: list[int] = []
    for size in reversed(shape):
        flat, i = divmod(flat, size)
        index.insert(0, i)
    if len(index) == 2:
        return f" in row {index[0]}, column {index[1]}"
    return f" at {tuple(index)}" if index else ""


def widest_float(array: Array) -> DType:
    """float64 if the library and the device have it; otherwise the type of `array`, at least float32."""
    xp = namespace(array)
    if _has_float64(xp, device_of(array)):
        return xp.float64
    # Half precision has no factorisations anywhere.
    return xp.float32 if xp.finfo(array.dtype).bits < 32 else array.dtype


def _has_float64(xp: Namespace, device: Device) -> bool:
    # JAX has float64 only in its x64 mode, Apple's GPUs not at all; the standard's inspection says so.
    inspection = getattr(xp, "__array_namespace_info__", None)
    if inspection is None:
        return hasattr(xp, "float64")
    return "float64" in inspection().dtypes(device=device, kind="real floating")


def safe_sqrt(x: Array) -> Array:
    """The square root of x >= 0 (0 for x < 0), with derivative 0 at 0 instead of infinity."""
    xp = namespace(x)
    # Written so that NaN stays NaN.
    zero = x <= 0
    # Both branches of `where` are differentiated, so the root must never see the zero.
    return xp.where(zero, xp.zeros_like(x), xp.sqrt(xp.where(zero, xp.ones_like(x), x)))


def points_of(x: Array) -> Array:
    """All its vectors, one below the other, also if there are none: (..., c) -> (points, c)"""
    return namespace(x).reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def flattened(x: Array) -> Array:
    """Each of its entries as a vector, also if there are none: (n, ...) -> (n, d)"""
    return namespace(x).reshape(x, (x.shape[0], prod(x.shape[1:])))


def evenly(n: int, most: int) -> list[int]:
    """At most `count` of the numbers 0..n-1, evenly spaced.

    >>> evenly(10, 4)
    [0, 2, 5, 7]
    """
    return [number * n // most for number in range(most)] if n > most else list(range(n))


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover 0..n-1 (the standard forbids a slice beyond the end).

    Raises ValueError unless the size is an integer >= 1.
    """
    if not is_whole(size):
        raise ValueError(f"block: expected an integer >= 1, got {size!r}")
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))

"""The traced array: a value together with its place on a tape."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import cache
from numbers import Number
from typing import TYPE_CHECKING, Any, NoReturn, final

import array_api_compat

from kerneltools.arrays import Array, Device, DType, namespace

if TYPE_CHECKING:
    from kerneltools.autodiff.graph import Tape
    from kerneltools.autodiff.namespace import RecordingNamespace

ADVICE = (
    "compute with the functions of kerneltools.arrays.namespace(x), or take the value as a constant with "
    "kerneltools.autodiff.stop_gradient(x)"
)


def _unary(name: str) -> Callable[[TapeArray], Array]:
    return lambda self: self.space.operators[name](self)


def _binary(name: str) -> Callable[[TapeArray, Any], Array]:
    def method(self: TapeArray, other: Any) -> Array:
        return self.space.operators[name](self, other) if is_operand(other) else NotImplemented

    return method


def _reflected(name: str) -> Callable[[TapeArray, Any], Array]:
    def method(self: TapeArray, other: Any) -> Array:
        return self.space.operators[name](other, self) if is_operand(other) else NotImplemented

    return method


def _refused(what: str) -> Callable[..., NoReturn]:
    def method(self: TapeArray, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{what} of a traced array would lose its gradient; {ADVICE}")

    return method


@final
class TapeArray:
    """An array whose history is recorded, so that gradients can be taken with respect to it.

    It follows the array API. Comparisons return plain arrays, since they have no derivative.

    >>> import numpy as np
    >>> from kerneltools.autodiff import value_and_grad
    >>> def loss(x):
    ...     print(type(x).__name__, x.shape)
    ...     return x @ x
    >>> value_and_grad(loss)(np.array([1.0, 2.0]))
    TapeArray (2,)
    (array(5.), array([2., 4.]))
    """

    __slots__ = ("place", "space", "tape", "value")

    # NumPy and CuPy hand their operators over to an operand that says this, and refuse np.exp(traced).
    __array_ufunc__ = None

    def __init__(self, value: Array, tape: Tape, place: int | None, space: RecordingNamespace) -> None:
        self.value = value  # traced in its turn where gradients are nested
        self.tape = tape
        self.place = place  # its number on the tape; None for a constant beside traced arrays
        self.space = space

    def __array_namespace__(self, api_version: str | None = None) -> RecordingNamespace:
        if api_version is not None:
            _require_version(constant(self), api_version)
        return self.space

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        return int(self.value.ndim)

    @property
    def size(self) -> int:
        return int(self.value.size)

    @property
    def dtype(self) -> DType:
        return self.value.dtype

    @property
    def device(self) -> Device:
        return array_api_compat.device(self.value)

    @property
    def mT(self) -> Array:
        return self.space.matrix_transpose(self)

    @property
    def T(self) -> Array:
        if self.ndim != 2:
            raise ValueError(f"x.T: expected a matrix, got shape {self.shape}; use x.mT for a stack of matrices")
        return self.space.matrix_transpose(self)

    def to_device(self, device: Device, /, *, stream: Any = None) -> Array:
        return self.space.operators["to_device"](self, device, stream=stream)

    def __getitem__(self, key: Any) -> Array:
        return self.space.operators["getitem"](self, _plain_key(key))

    def __iter__(self) -> Iterator[Array]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return iter(self.space.unstack(self))

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            "a traced array cannot be written in place; build the result with where, concat or "
            "kerneltools.primitives.index_add"
        )

    def beside(self, x: Any) -> Any:
        """A plain floating array as a constant on the same tape, so that operators meet only traced arrays; else x."""
        return lifted(x, self)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"TapeArray({self.value!r})"

    __neg__ = _unary("negative")
    __pos__ = _unary("positive")
    __abs__ = _unary("abs")
    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _binary("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _binary("divide"), _reflected("divide")
    __pow__, __rpow__ = _binary("pow"), _reflected("pow")
    __mod__, __rmod__ = _binary("remainder"), _reflected("remainder")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _reflected("floor_divide")
    __matmul__, __rmatmul__ = _binary("matmul"), _reflected("matmul")

    __lt__, __le__ = _binary("less"), _binary("less_equal")
    __gt__, __ge__ = _binary("greater"), _binary("greater_equal")
    __eq__ = _binary("equal")
    __ne__ = _binary("not_equal")
    __hash__ = None  # type: ignore[assignment]

    __array__ = _refused("numpy.asarray(x)")
    __dlpack__ = _refused("from_dlpack(x)")
    __dlpack_device__ = _refused("from_dlpack(x)")
    __bool__ = _refused("bool(x)")
    __float__ = _refused("float(x)")
    __int__ = _refused("int(x)")
    __complex__ = _refused("complex(x)")
    __index__ = _refused("x as an index")


def is_operand(other: Any) -> bool:
    """Whether an operator may combine it: it is a number or an array."""
    return isinstance(other, int | float | complex) or hasattr(other, "dtype")


def _require_version(x: Array, api_version: str) -> None:
    """Raise ValueError, the library's own, for a version of the standard that it does not have."""
    if hasattr(x, "__array_namespace__"):
        x.__array_namespace__(api_version=api_version)
    else:
        array_api_compat.array_namespace(x, api_version=api_version)


def require_real(name: str, xp: RecordingNamespace, dtype: DType) -> None:
    """Raise TypeError for a complex result of a traced array."""
    if _is_kind("complex floating", xp, dtype):
        raise TypeError(
            f"{name}: a traced array would become {dtype}, and the tape has no gradients of complex numbers; compute "
            "with real and imaginary part apart, write the rule with kerneltools.autodiff.custom_vjp, or take the "
            "value as a constant with kerneltools.autodiff.stop_gradient(x)"
        )


@cache
def _is_kind(kind: str, xp: RecordingNamespace, dtype: DType) -> bool:
    return bool(xp.traced_library.isdtype(dtype, kind))


def lifted(x: Any, top: TapeArray) -> Any:
    """A plain floating array as a constant on the tape of `top`; others unchanged, tuples entry by entry."""
    if isinstance(x, tuple):
        entries = [lifted(entry, top) for entry in x]
        return x._make(entries) if hasattr(x, "_make") else tuple(entries)
    if isinstance(x, Number) or not hasattr(x, "dtype") or type(x) is TapeArray:
        return x
    if not _is_kind("real floating", top.space, x.dtype):
        return x
    return TapeArray(x, top.tape, None, top.space)


def _plain_key(key: Any) -> Any:
    """An index with Python's integers in place of arrays without axes, also in the bounds of slices."""
    if isinstance(key, tuple):
        return tuple(map(_plain_key, key))
    if isinstance(key, slice):
        return slice(*(bound if bound is None else operator.index(bound) for bound in (key.start, key.stop, key.step)))
    is_number = getattr(key, "shape", None) == () and not isinstance(key, TapeArray) and _is_integer(key)
    return operator.index(key) if is_number else key


def _is_integer(x: Array) -> bool:
    return bool(namespace(x).isdtype(x.dtype, "integral"))


def newest(arguments: tuple[Any, ...]) -> TapeArray | None:
    """The argument on the innermost tape; None if nothing is traced."""
    found: TapeArray | None = None
    for a in arguments:
        if type(a) is TapeArray and (found is None or a.tape.serial > found.tape.serial):
            found = a
    return found


def constant(x: Any) -> Any:
    """The plain array inside all the tapes; others unchanged, lists entry by entry."""
    while type(x) is TapeArray:
        x.tape.require_open()
        x = x.value
    if type(x) in (list, tuple):
        return type(x)(constant(entry) for entry in x)
    return x


def to_device(x: Array, device: Device, /, *, stream: Any = None) -> Array:
    """The array on another device."""
    return array_api_compat.to_device(x, device, stream=stream)

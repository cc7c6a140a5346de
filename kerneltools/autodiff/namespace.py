"""The recording namespace: the functions of an array library, with their gradients."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache, cached_property, wraps
from types import ModuleType
from typing import Any

from kerneltools.arrays import Array, Namespace, namespace
from kerneltools.autodiff.array import TapeArray, constant, to_device
from kerneltools.autodiff.operation import Operation
from kerneltools.autodiff.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

_SYMBOLS: dict[str, Callable[..., Any]] = {
    "negative": operator.neg,
    "positive": operator.pos,
    "abs": operator.abs,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "pow": operator.pow,
    "remainder": operator.mod,
    "matmul": operator.matmul,
    "getitem": operator.getitem,
    "to_device": to_device,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "floor_divide": operator.floordiv,
}


class RecordingNamespace:
    """The namespace of traced arrays over a library's own (`traced_library`).

    Functions are looked up when they are first used: they have a rule (rules/), are composed of such functions, have no
    derivative, or else refuse traced arrays.
    """

    def __init__(self, library: Namespace, prefix: str = "", root: RecordingNamespace | None = None) -> None:
        self.traced_library = library
        self._prefix = prefix  # "linalg." in an extension of the namespace `root`
        self._root = self if root is None else root
        self.__name__ = f"kerneltools.autodiff over {library.__name__}"

    @cached_property
    def operators(self) -> dict[str, Callable[..., Any]]:
        """The functions behind +, @, x[...] and so on."""
        return {name: self._made(name, native) for name, native in _SYMBOLS.items()}

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"

    def __getattr__(self, name: str) -> Any:
        found = self._made(name, getattr(self.traced_library, name))
        setattr(self, name, found)
        return found

    def _made(self, name: str, native: Any) -> Any:
        if isinstance(native, ModuleType):  # linalg, fft
            return RecordingNamespace(native, f"{name}.", self)
        if not callable(native) or isinstance(native, type):
            return native  # pi, float32, ...
        full = self._prefix + name
        if full in COMPOSITES:
            return _composite(COMPOSITES[full], native, self._root)
        if full in RULES:
            return Operation(full, native, RULES[full])
        if full in CONSTANTS:
            return _without_derivative(native)
        return _refusing(full, native)


@cache
def _recording_over(library: Namespace) -> RecordingNamespace:
    return RecordingNamespace(library)


def recording(value: Array) -> RecordingNamespace:
    """The recording namespace of an array, traced or not."""
    return value.space if type(value) is TapeArray else _recording_over(namespace(value))


def is_traced(x: Any) -> bool:
    """Whether it is a traced array, or a list or tuple with one in it."""
    return type(x) is TapeArray or (isinstance(x, list | tuple) and any(is_traced(entry) for entry in x))


def _any_traced(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
    return any(map(is_traced, arguments)) or any(map(is_traced, keywords.values()))


def _composite(body: Callable[..., Any], native: Callable[..., Any], xp: RecordingNamespace) -> Callable[..., Any]:
    @wraps(native)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if _any_traced(arguments, keywords):
            return body(xp, *arguments, **keywords)
        return native(*arguments, **keywords)

    return call


def _without_derivative(native: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        return native(*map(constant, arguments), **{name: constant(a) for name, a in keywords.items()})

    return call


def _refusing(name: str, native: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(native)
    def call(*arguments: Any, **keywords: Any) -> Any:
        if _any_traced(arguments, keywords):
            raise NotImplementedError(
                f"gradient of {name}: {REFUSED.get(name, 'no rule for it')}; rules are written in "
                "kerneltools/autodiff/rules"
            )
        return native(*arguments, **keywords)

    return call

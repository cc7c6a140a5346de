"""Each function of the standard is ruled, composed, constant or refused: no gradient is lost in silence."""

import importlib
import inspect
from types import ModuleType
from typing import Any

import array_api_strict
import numpy as np
import pytest

from kerneltools.arrays import namespace
from kerneltools.autodiff import TapeArray, grad, value_and_grad
from kerneltools.autodiff.namespace import RecordingNamespace
from kerneltools.autodiff.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

# Of the strict namespace, not of the standard.
OWN = {
    "Device",
    "set_array_api_strict_flags",
    "get_array_api_strict_flags",
    "reset_array_api_strict_flags",
    "ArrayAPIStrictFlags",
}
# Not functions of the standard's namespace: the tape's operators; functions of a later standard than the strict one's.
OPERATORS = {"getitem", "to_device"}
LATER = {"linalg.eig", "linalg.eigvals"}


def _functions(module: ModuleType, prefix: str = "") -> set[str]:
    return {prefix + name for name in module.__all__ if inspect.isroutine(getattr(module, name)) and name not in OWN}


STANDARD = (
    _functions(array_api_strict)
    | _functions(array_api_strict.linalg, "linalg.")
    | _functions(array_api_strict.fft, "fft.")
)


def test_the_tables_are_the_standard() -> None:
    assert RULES.keys() | COMPOSITES.keys() | CONSTANTS | REFUSED.keys() == STANDARD | OPERATORS | LATER


def test_no_function_is_in_two_tables() -> None:
    tables = [RULES.keys(), COMPOSITES.keys(), CONSTANTS, REFUSED.keys()]
    assert sum(map(len, tables)) == len(set().union(*tables))


CALLS: dict[str, Any] = {
    **{
        name: lambda f, x: f(x)
        for name in [
            *("isfinite", "isinf", "isnan", "signbit", "all", "any", "nonzero", "count_nonzero", "logical_not"),
            *("ceil", "floor", "round", "sign", "trunc", "argmax", "argmin", "argsort"),
            *("empty_like", "ones_like", "zeros_like", "finfo", "result_type", "imag"),
        ]
    },
    **{
        name: lambda f, x: f(x, x)
        for name in [
            *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isin"),
            *("logical_and", "logical_or", "logical_xor", "floor_divide"),
        ]
    },
    "can_cast": lambda f, x: f(x, np.float64),
    "isdtype": lambda f, x: f(x.dtype, "real floating"),
    "searchsorted": lambda f, x: f(x, x),
    "linalg.matrix_rank": lambda f, x: f(x[None, :]),
    "iinfo": lambda f, x: f(np.int64),
    "broadcast_shapes": lambda f, x: f(x.shape, x.shape),
    "__array_namespace_info__": lambda f, x: f(),
}
INTEGERS_ONLY = {name for name in CONSTANTS if name.startswith("bitwise")}


def _leaves(result: Any) -> list[Any]:
    return [leaf for part in result for leaf in _leaves(part)] if isinstance(result, tuple | list) else [result]


def test_every_constant_function_has_a_call() -> None:
    assert CALLS.keys() == CONSTANTS - INTEGERS_ONLY


@pytest.mark.parametrize("name", sorted(CALLS))
def test_functions_without_derivative_give_constants(name: str) -> None:
    def f(x: Any) -> Any:
        part, _, function = name.rpartition(".")
        xp = namespace(x)
        result = CALLS[name](getattr(getattr(xp, part) if part else xp, function), x)
        assert not any(isinstance(leaf, TapeArray) for leaf in _leaves(result))
        return xp.sum(x)

    value_and_grad(f)(np.array([0.5, 1.5, 2.5]))


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - LATER))
def test_functions_without_rule_are_refused(name: str) -> None:
    def f(x: Any) -> Any:
        part, _, function = name.rpartition(".")
        xp = namespace(x)
        return getattr(getattr(xp, part) if part else xp, function)(x)

    with pytest.raises(NotImplementedError, match=rf"gradient of {name}: .*kerneltools/autodiff/rules"):
        grad(f)(array_api_strict.asarray([0.5, 1.5]))


def test_a_function_outside_the_standard_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="gradient of nansum"):
        grad(lambda x: namespace(x).nansum(x))(np.ones(3))


def test_a_function_without_rule_works_on_constants() -> None:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.sum(x * xp.linspace(0.0, 1.0, 3, dtype=xp.float64, device=x.device))

    np.testing.assert_array_equal(grad(f)(np.ones(3)), [0.0, 0.5, 1.0])


def test_traced_arrays_have_the_standard_attributes() -> None:
    left_out = {
        *("__and__", "__or__", "__xor__", "__invert__", "__lshift__", "__rshift__"),
        *("__rand__", "__ror__", "__rxor__", "__rlshift__", "__rrshift__"),
        # Without them, x += y makes a new array.
        *(name for name in dir(array_api_strict.asarray(0.0)) if name.startswith("__i") and name != "__index__"),
    }
    names = vars(type(array_api_strict.asarray(0.0)))
    standard = {name for name in names if name.startswith("__") or not name.startswith("_")}
    python = {"__module__", "__weakref__", "__dict__", "__annotations__", "__buffer__", "__new__", "__iter__"}
    assert standard - left_out - python - set(dir(TapeArray)) == set()


@pytest.mark.parametrize("library", ["numpy", "cupy"])
def test_every_function_is_found_in_the_library(library: str) -> None:
    # CuPy is imported, not run: that needs no GPU.
    xp = RecordingNamespace(importlib.import_module(f"array_api_compat.{library}"))
    for name in (RULES.keys() | COMPOSITES.keys() | CONSTANTS | REFUSED.keys()) - OPERATORS:
        part, _, function = name.rpartition(".")
        assert callable(getattr(getattr(xp, part) if part else xp, function))
    assert xp.operators.keys() > OPERATORS

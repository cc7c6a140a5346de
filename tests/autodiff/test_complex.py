"""No complex result of a traced array without an error that names the function."""

from collections.abc import Callable
from typing import Any

import array_api_compat.numpy
import numpy as np
import pytest

from kerneltools.arrays import namespace
from kerneltools.autodiff import custom_vjp, grad, vjp
from kerneltools.autodiff.rules import COMPOSITES, CONSTANTS, REFUSED, RULES

X = np.array([0.3, 1.0, 1.7])
SQUARE = np.array([[0.3, 1.0], [1.7, -1.0]])
Z = np.array([3.0 + 4.0j, 1.0j, 1.0])
MATRIX = np.array([[1.0, 2.0j], [0.5, 1.0]])

# Every way in which a complex number can meet a traced array.
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "number * x": lambda xp, x: (3 + 4j) * x,
    "x * number": lambda xp, x: x * (3 + 4j),
    "x + number": lambda xp, x: x + 1j,
    "number - x": lambda xp, x: 1j - x,
    "x / number": lambda xp, x: x / 1j,
    "x ** number": lambda xp, x: x**1j,
    "number ** x": lambda xp, x: (1j) ** x,
    "array * x": lambda xp, x: Z * x,
    "x * array": lambda xp, x: x * Z,
    "scalar of NumPy": lambda xp, x: np.complex128(1j) * x,
    "root of a constant": lambda xp, x: x * xp.sqrt(Z),
    "where": lambda xp, x: xp.where(x > 1, x, Z),
    "concat": lambda xp, x: xp.concat([x, Z]),
    "stack": lambda xp, x: xp.stack([x, Z]),
    "astype": lambda xp, x: xp.astype(x, xp.complex128),
    "astype of constants": lambda xp, x: xp.astype(x, xp.complex64),
    "asarray": lambda xp, x: xp.asarray(x, dtype=xp.complex128),
    "sum": lambda xp, x: xp.sum(x, dtype=xp.complex128),
    "prod": lambda xp, x: xp.prod(x, dtype=xp.complex128),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, dtype=xp.complex128),
    "matmul": lambda xp, x: x @ Z,
    "array @ x": lambda xp, x: Z @ x,
    "vecdot": lambda xp, x: xp.vecdot(Z, x),
    "tensordot": lambda xp, x: xp.tensordot(x, Z, axes=1),
    "outer": lambda xp, x: xp.linalg.outer(x, Z),
    "solve": lambda xp, x: xp.linalg.solve(MATRIX, x[:2]),
    "solve of x": lambda xp, x: xp.linalg.solve(x[:2, None] * x[None, 1:] + np.eye(2), MATRIX),
    "diff": lambda xp, x: xp.diff(x, append=Z),
    "imag(exp(ix))": lambda xp, x: xp.imag(xp.exp(1j * x)),
    "a rule of one's own": lambda xp, x: custom_vjp(lambda x: x * 1j, lambda g, y, x: (g,))(x),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_complex_results_are_refused_by_name(way: str) -> None:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.sum(abs(WAYS[way](xp, x)))

    with pytest.raises(TypeError, match=r"^[\w.<>]+: a traced array would become .*complex.*gradient"):
        grad(f)(X)


def test_values_that_are_real_keep_their_gradients() -> None:
    def f(x: Any) -> Any:
        xp = namespace(x)
        return xp.sum(xp.real(x) * 2 + xp.conj(x) + xp.imag(x) + x * float(np.abs(Z[0])))

    np.testing.assert_array_equal(grad(f)(X), np.full(3, 8.0))


def test_complex_cotangents_are_refused() -> None:
    _, pullback = vjp(lambda x: x * x, X)
    with pytest.raises(TypeError, match="cotangent: expected a real floating-point array, got complex128"):
        pullback(Z)


ARGUMENTS: list[Callable[[Any, Any], tuple[tuple[Any, ...], dict[str, Any]]]] = [
    *(lambda x, z, k=k: ((x, z)[:k], {}) for k in (1, 2)),
    lambda x, z: ((z, x), {}),
    lambda x, z: (([x, z],), {}),
    lambda x, z: ((x > 0, x, z), {}),
    lambda x, z: ((x,), {"dtype": np.complex128}),
    lambda x, z: ((x, np.complex128), {}),
    lambda x, z: ((x * 1j,), {}),
    lambda x, z: ((x, 2j), {}),
    lambda x, z: ((2j, x), {}),
]


def _leaves(result: Any) -> list[Any]:
    return [leaf for part in result for leaf in _leaves(part)] if isinstance(result, tuple | list) else [result]


@pytest.mark.filterwarnings("ignore")  # of values: which calls make sense is NumPy's to say
@pytest.mark.parametrize("name", sorted(RULES.keys() | COMPOSITES.keys() | REFUSED.keys()))
def test_no_function_gives_a_complex_array_from_a_traced_one(name: str) -> None:
    part, _, function = name.rpartition(".")

    def f(x: Any, z: np.ndarray) -> Any:
        xp = namespace(x)
        if name in ("getitem", "to_device", "broadcast_arrays", "meshgrid"):  # operators; each array by itself
            return xp.sum(x)
        for arguments in ARGUMENTS:
            try:
                positional, named = arguments(x, z)
                found = getattr(getattr(xp, part) if part else xp, function)(*positional, **named)
            except Exception:  # refused, by the tape or by NumPy
                continue
            kinds = [leaf.dtype for leaf in _leaves(found) if hasattr(leaf, "dtype")]
            assert name in CONSTANTS or not any(array_api_compat.numpy.isdtype(k, "complex floating") for k in kinds)
        return xp.sum(x)

    for x, z in ((X, Z), (SQUARE, MATRIX)):
        grad(lambda x, z=z: f(x, z))(x)

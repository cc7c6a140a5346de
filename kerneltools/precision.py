"""Half precision (float16, bfloat16): stored and passed on in it, computed in float32."""

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any, ParamSpec, TypeVar

from kerneltools.arrays import Array, DType, namespace
from kerneltools.trees import Tree, flatten, map_leaves, together

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def in_single(f: Callable[P, R]) -> Callable[P, R]:
    """f, computed in float32 if it gets half-precision arrays, with its result in their type.

    Sums of half-precision numbers lose their last digits after some dozen terms, and squares overflow float16 beyond
    256. The parameters of a method's own tree are widened like the arguments, but do not decide the type of the result;
    with arguments of float32 or float64 nothing is narrowed. NumPy numbers among these parameters, such as a median,
    count as Python's: with float32 they would turn the result into float64.

    >>> import numpy as np
    >>> ones = np.ones(4096, dtype=np.float16)
    >>> in_single(lambda x: (300 * x) @ x / 4096)(ones)
    np.float16(300.0)
    """

    @wraps(f)
    def call(*args: P.args, **settings: P.kwargs) -> R:
        leaves = flatten(args)[0]
        if any(map(_is_scalar, leaves)) and isinstance(args[0], Tree) and any(map(_is_scalar, flatten(args[0])[0])):
            return call(plain(args[0]), *args[1:], **settings)  # type: ignore[arg-type]  # it has the type of args[0]
        if any(hasattr(leaf, "beside") for leaf in leaves):
            args = together(*args)  # type: ignore[assignment]  # trees of the same types
        if not any(map(is_half, leaves)):
            return f(*args, **settings)
        given = args[1:] if isinstance(args[0], Tree) else args
        result = f(*widened(args), **settings)
        types = [leaf.dtype for leaf in flatten(given)[0] if _is_floating(leaf)]
        return _narrowed(result, types[0]) if types and all(map(_names_half, types)) else result

    return call


def widened(tree: Any) -> Any:
    """The tree with its half-precision arrays in float32."""
    return map_leaves(lambda leaf: _single(leaf) if is_half(leaf) else leaf, tree)


def parameters_in(dtype: DType, tree: T) -> T:
    """The tree with its numbers and vectors in that type; matrices are unchanged."""

    def cast(leaf: Any) -> Any:
        small = getattr(leaf, "ndim", 2) < 2 and _is_floating(leaf)
        return namespace(leaf).astype(leaf, dtype) if small else leaf

    found: T = map_leaves(cast, tree)
    return found


def plain(tree: Any) -> Any:
    """The tree with NumPy numbers as Python's."""
    return map_leaves(lambda leaf: leaf.item() if _is_scalar(leaf) else leaf, tree)


def is_half(leaf: Any) -> bool:
    """Whether it is an array of float16 or bfloat16."""
    return hasattr(leaf, "dtype") and _names_half(leaf.dtype)


def _is_scalar(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and isinstance(leaf, Real)


def _names_half(dtype: DType) -> bool:
    # NumPy takes microseconds to name a type.
    return getattr(dtype, "itemsize", 2) == 2 and str(dtype).endswith("float16")


def _single(array: Array) -> Array:
    xp = namespace(array)
    return xp.astype(array, xp.float32)


def _narrowed(tree: Any, dtype: DType) -> Any:
    return map_leaves(lambda leaf: namespace(leaf).astype(leaf, dtype) if _is_floating(leaf) else leaf, tree)


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and bool(namespace(leaf).isdtype(leaf.dtype, "real floating"))

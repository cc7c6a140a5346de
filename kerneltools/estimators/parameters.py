"""Parameters inside other parameters: `kernel__bandwidth`, `landmarks__m`, `kernel__terms__0__scale`.

Kernels, selectors and losses are frozen dataclasses: to set a field, a copy with the new value replaces them.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from kerneltools.structures import Collection


def is_open(value: Any) -> bool:
    """Whether a value has parameters that can be named: it is a dataclass instance, or a tuple that contains one."""
    if isinstance(value, tuple):
        return any(map(is_open, value))
    return is_dataclass(value) and not isinstance(value, type | Collection)


def nested(value: Any) -> dict[str, Any]:
    """All parameters inside a value, by name.

    >>> from kerneltools.kernels import Gaussian
    >>> sorted(nested(2.0 * Gaussian(1.0)))
    ['kernel', 'kernel__bandwidth', 'scale']
    """
    found: dict[str, Any] = {}
    if is_open(value):
        for name, child in _children(value).items():
            found[name] = child
            found.update({f"{name}__{inner}": leaf for inner, leaf in nested(child).items()})
    return found


def replaced(value: Any, name: str, new: Any) -> Any:
    """A copy in which the parameter of this name has a new value.

    Raises ValueError, with the known names, for an unknown one.

    >>> from kerneltools.kernels import Gaussian
    >>> replaced(2.0 * Gaussian(1.0), "kernel__bandwidth", 3.0)
    Scaled(scale=2.0, kernel=Gaussian(bandwidth=3.0))
    """
    first, _, rest = name.partition("__")
    children = _children(value) if is_open(value) else {}
    if first not in children:
        known = ", ".join(sorted(children)) or "no parameters"
        raise ValueError(f"Invalid parameter {first!r} for {value!r}; it has {known}")
    child = replaced(children[first], rest, new) if rest else new
    if isinstance(value, tuple):
        return tuple(child if str(i) == first else old for i, old in enumerate(value))
    return replace(value, **{first: child})


def _children(value: Any) -> dict[str, Any]:
    if isinstance(value, tuple):
        return {str(i): child for i, child in enumerate(value)}
    return {field.name: getattr(value, field.name) for field in fields(value)}

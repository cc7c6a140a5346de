"""The trees of kerneltools as JAX pytrees."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from jax.tree_util import GetAttrKey, register_pytree_with_keys

from kerneltools.trees import Tree, child_names


def register(cls: type[Tree]) -> None:
    """Tell JAX what the children of a class are.

    The class may not be a dataclass yet (it is registered as soon as it exists), so its fields are looked up later.
    """

    def children(tree: Any) -> tuple[Any, ...]:
        return tuple(getattr(tree, name) for name in child_names(cls))

    def flatten(tree: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return children(tree), tuple(_hashable(getattr(tree, name)) for name in static_names(cls))

    def flatten_with_keys(tree: Any) -> tuple[list[tuple[GetAttrKey, Any]], tuple[Any, ...]]:
        return [(GetAttrKey(name), getattr(tree, name)) for name in child_names(cls)], flatten(tree)[1]

    def unflatten(static: tuple[Any, ...], leaves: Iterable[Any]) -> Any:
        # Without the class's own checks: JAX puts placeholders where arrays were.
        tree = object.__new__(cls)
        for name, value in zip((*child_names(cls), *static_names(cls)), (*leaves, *static), strict=True):
            object.__setattr__(tree, name, value.it if isinstance(value, _ByIdentity) else value)
        return tree

    register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


@dataclass(frozen=True, eq=False)
class _ByIdentity:
    """Structure that is an array on the host, such as offsets: JAX compiles anew for another one."""

    it: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.it is other.it

    def __hash__(self) -> int:
        return id(self.it)


def _hashable(value: Any) -> Any:
    return _ByIdentity(value) if hasattr(value, "dtype") else value


def static_names(cls: type) -> tuple[str, ...]:
    """The names of the fields that are no children."""
    children = set(child_names(cls))
    return tuple(f.name for f in fields(cls) if f.name not in children)

"""Objects of any kind, for a kernel of your own, and examples that consist of several things."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from kerneltools.arrays import Array
from kerneltools.structures.base import Collection, Host, concat, count, keys, like_of, number_like, take
from kerneltools.trees import static


@dataclass(frozen=True, eq=False, repr=False)
class Objects(Collection):
    """Objects of any kind, for a kernel of your own (`kernels.pairwise`).

    `items`: the objects, in a tuple. Hashable objects are equal if Python says so; others only if they are the same
    object. Strings, numbers, arrays and tuples of them can be saved to files; objects of other classes cannot.

    >>> from kerneltools.structures import Objects
    >>> x = Objects(("a", "bb", "ccc"))
    >>> x[1], x[1:], list(x[[2, 0]])
    ('bb', Objects(2 objects), ['ccc', 'a'])
    """

    items: tuple[Any, ...] = static(())
    number: Array = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", tuple(self.items))
        object.__setattr__(self, "number", number_like(self.number))

    @property
    def like(self) -> Array:
        return self.number

    def __len__(self) -> int:
        return len(self.items)

    def taken(self, numbers: Host) -> Self:
        return type(self)(tuple(self.items[i] for i in numbers.tolist()), self.number)

    def joined(self, others: Sequence[Self]) -> Self:
        return type(self)(sum((other.items for other in others), self.items), self.number)

    def item(self, number: int) -> Any:
        return self.items[number]

    def key(self, number: int) -> Any:
        item = self.items[number]
        try:
            hash(item)
        except TypeError:
            return id(item)
        return item


@dataclass(frozen=True, eq=False, repr=False)
class Views(Collection):
    """Examples that consist of several things, such as a string and a vector; `kernels.On(0, ...)` compares the first.

    `views`: collections, or arrays of rows, of the same number of objects. Raises ValueError if there are none, and for
    views of different numbers of objects.

    >>> import numpy as np
    >>> from kerneltools.structures import Strings, Views
    >>> x = Views((Strings.of(["ACGT", "AAA"]), np.asarray([[1.0, 2.0], [3.0, 4.0]])))
    >>> x[1]
    ('AAA', array([3., 4.]))
    """

    objects: ClassVar[str] = "examples"

    views: tuple[Any, ...]

    def __post_init__(self) -> None:
        views = tuple(self.views)
        object.__setattr__(self, "views", views)
        if not views:
            raise ValueError("views: expected at least one collection or array, got none")
        counts = [count(view) for view in views]
        if len(set(counts)) > 1:
            raise ValueError(f"views: expected as many objects in each, got {', '.join(map(str, counts))}")

    @property
    def like(self) -> Array:
        return like_of(next((view for view in self.views if not isinstance(view, Collection)), self.views[0]))

    def __len__(self) -> int:
        return count(self.views[0])

    def taken(self, numbers: Host) -> Self:
        return type(self)(tuple(take(view, numbers) for view in self.views))

    def joined(self, others: Sequence[Self]) -> Self:
        if any(len(other.views) != len(self.views) for other in others):
            raise ValueError(f"views: expected {len(self.views)} views in each, got {[len(o.views) for o in others]}")
        columns = zip(self.views, *(other.views for other in others), strict=True)
        return type(self)(tuple(concat(list(column)) for column in columns))

    def item(self, number: int) -> Any:
        return tuple(view[number] if isinstance(view, Collection) else view[number, ...] for view in self.views)

    def key(self, number: int) -> Any:
        return tuple(keys(view, [number])[0] for view in self.views)

    def described(self) -> str:
        return f" of {len(self.views)} views: {', '.join(_said(view) for view in self.views)}"


def _said(view: Any) -> str:
    return repr(view) if isinstance(view, Collection) else f"rows {tuple(view.shape)}"

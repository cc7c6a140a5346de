"""Parameters as trees: tuples, lists, dicts and frozen dataclasses whose leaves are arrays.

A kernel, a map or a layer is a frozen dataclass that inherits from `Tree`. Its fields are children, except those
declared with `static()`: sizes, degrees and other facts without gradients.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import prod
from typing import Any

Leaf = Any

FEW = 8
"""The most numbers of an array of one axis that are shown."""


class Shown:
    """A dataclass whose `repr` shows the values of lists of at most 8 numbers, and type and shape of other arrays.

    Notebooks show it as a table, below the first line of its docstring, which has the formula of a kernel.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Line(Shown):
    ...     points: object
    ...     width: float = 1.0
    >>> Line(np.zeros((50, 2)))
    Line(points=<float64 (50, 2)>, width=1.0)
    >>> Line(np.zeros(2))
    Line(points=array([0., 0.]), width=1.0)
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "__repr__" not in vars(cls):
            # Before `dataclass` looks, which leaves a method that is there.
            cls.__repr__ = shown  # type: ignore[method-assign]

    def _repr_html_(self) -> str:
        return as_html(self)


def shown(value: Any, **instead: str) -> str:
    """The text of a dataclass for `Shown`; `instead`: texts that replace the values of some fields."""
    if not dataclasses.is_dataclass(value):
        return object.__repr__(value)
    texts = [
        f"{f.name}={instead[f.name] if f.name in instead else _text(getattr(value, f.name))}"
        for f in dataclasses.fields(value)
        if f.repr
    ]
    return f"{type(value).__qualname__}({', '.join(texts)})"


def as_html(value: Any) -> str:
    """A table for notebooks: what a dataclass is, its fields as in `shown`, and how many numbers its arrays have.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Line(Shown):
    ...     'f(x) < 1.'
    ...     width: float = 1.0
    >>> "<b>Line</b> f(x) &lt; 1." in as_html(Line())
    True
    """
    name = type(value).__qualname__
    if not dataclasses.is_dataclass(value):
        return f"<pre>{escape(repr(value))}</pre>"
    rows = [(f.name, _text(getattr(value, f.name))) for f in dataclasses.fields(value) if f.repr]
    sizes = [prod(leaf.shape) for _, leaf in named_leaves(value) if getattr(leaf, "shape", ())]
    if sizes:
        rows.append(("numbers in its arrays", f"{sum(sizes):,}"))
    return html_table(name, first_line(value), rows)


def first_line(value: Any) -> str:
    """What the docstring of its class begins with, where that is no signature: the formula of a kernel.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Line(Shown):
    ...     'f(x) < 1.'
    >>> first_line(Line())
    'f(x) < 1.'
    """
    text = (type(value).__doc__ or "").strip().partition("\n")[0]
    return "" if text.startswith(f"{type(value).__qualname__}(") else text


def html_table(title: str, said: str, rows: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> str:
    """A table in the surrounding colours: the title in bold, the text `said` about it, and rows with their names.

    >>> "<b>Map</b> of &lt;1&gt;" in html_table("Map", "of <1>", [("m", "30")])
    True
    """
    left = "text-align:left"
    heads = "".join(f'<th scope="col" style="{left}">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row" style="{left}">{escape(name)}</th>'
        + "".join(f'<td style="{left}">{escape(cell)}</td>' for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    head = f"<thead><tr>{heads}</tr></thead>" if columns else ""
    # No caption: that would be as narrow as the table.
    above = f"<div><b>{escape(title)}</b> {escape(said)}</div>"
    return f'{above}<table aria-label="{escape(title)}">{head}<tbody>{body}</tbody></table>'


def _text(value: Any) -> str:
    if type(value) in (tuple, list):
        inner = ", ".join(map(_text, value)) + ("," if isinstance(value, tuple) and len(value) == 1 else "")
        return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    if type(value) is dict:
        return f"{{{', '.join(f'{key!r}: {_text(child)}' for key, child in value.items())}}}"
    shape = getattr(value, "shape", None)
    if shape is None or not hasattr(value, "dtype") or (len(shape) < 2 and prod(shape) <= FEW):
        return repr(value)
    return f"<{str(value.dtype).rpartition('.')[2]} {tuple(shape)}>"


class Tree(Shown):
    """A frozen dataclass that takes part in trees of arrays.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Power(Tree):
    ...     base: object
    ...     degree: int = static(2)
    >>> leaves, rebuild = flatten(Power(base=3.0))
    >>> leaves
    [3.0]
    >>> rebuild([5.0])
    Power(base=5.0, degree=2)
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _types.append(cls)
        for listener in _listeners:
            listener(cls)


# Classes, like imports, are facts of the process: this is no setting that a caller could change.
_types: list[type[Tree]] = []
_listeners: list[Callable[[type[Tree]], None]] = []


def for_each_type(register: Callable[[type[Tree]], None]) -> None:
    """Call `register` with every subclass of Tree, existing ones and those defined later."""
    _listeners.append(register)
    for cls in _types:
        register(cls)


def static(default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that is structure, not a parameter: never differentiated, never traced."""
    return dataclasses.field(default=default, metadata={"static": True})


def child_names(tree: Any) -> tuple[str, ...]:
    """The names of the fields of a dataclass, or of an instance, that are children, in order."""
    return tuple(f.name for f in dataclasses.fields(tree) if not f.metadata.get("static"))


def replace_children(tree: Any, children: dict[str, Any]) -> Any:
    """A copy of a dataclass with other children, made without running its checks again.

    (Checks look at values, and a traced or placeholder leaf has none.)
    """
    copy = object.__new__(type(tree))
    for field in dataclasses.fields(tree):
        value = children[field.name] if field.name in children else getattr(tree, field.name)
        object.__setattr__(copy, field.name, value)
    return copy


def flatten(tree: Any) -> tuple[list[Leaf], Callable[[list[Leaf]], Any]]:
    """The leaves of a tree, and the function that puts other leaves in their places."""
    leaves: list[Leaf] = []
    _collect(tree, leaves)

    def rebuild(new: list[Leaf]) -> Any:
        if len(new) != len(leaves):
            raise ValueError(f"leaves: expected {len(leaves)} for this tree, got {len(new)}")
        supply = iter(new)
        return map_leaves(lambda _: next(supply), tree)

    return leaves, rebuild


def _collect(tree: Any, leaves: list[Leaf]) -> None:
    """Append the leaves in the order of `map_leaves`, which would build a tree of them: most callers only look."""
    if isinstance(tree, tuple | list):
        for child in tree:
            _collect(child, leaves)
    elif isinstance(tree, dict):
        for child in tree.values():
            _collect(child, leaves)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for name in child_names(tree):
            _collect(getattr(tree, name), leaves)
    elif tree is not None:
        leaves.append(tree)


def map_leaves(f: Callable[[Leaf], Any], tree: Any) -> Any:
    """The same tree with f(leaf) for each leaf."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: map_leaves(f, value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_leaves(f, child) for child in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(map_leaves(f, child) for child in tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = child_names(tree)
        return replace_children(tree, {n: map_leaves(f, getattr(tree, n)) for n in names})
    return f(tree)


def together(*trees: Any) -> tuple[Any, ...]:
    """The trees, with plain arrays as constants of the tape if kerneltools.autodiff traces one among them.

    Not every library's arrays leave `plain * traced` to the right operand; this avoids such products.
    """
    traced = next((leaf for leaf in flatten(trees)[0] if hasattr(leaf, "beside")), None)
    return trees if traced is None else map_leaves(traced.beside, trees)


def named_leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """The leaves with their paths: `layers.0.filters`, `kernel.profile.sigma`."""
    if tree is None:
        return
    if isinstance(tree, dict):
        children = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, tuple | list):
        children = [(str(i), value) for i, value in enumerate(tree)]
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        children = [(n, getattr(tree, n)) for n in child_names(tree)]
    else:
        yield prefix, tree
        return
    for name, child in children:
        yield from named_leaves(child, f"{prefix}.{name}" if prefix else name)

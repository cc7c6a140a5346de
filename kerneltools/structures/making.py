"""The collection that suits a list of Python objects."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerneltools.arrays import Array
from kerneltools.backend import move
from kerneltools.structures.base import Collection, is_collection
from kerneltools.structures.graphs import Graph, Graphs
from kerneltools.structures.objects import Objects, Views
from kerneltools.structures.ragged import Ragged
from kerneltools.structures.strings import Alphabet, Strings


def of(objects: Any, kind: type[Collection] | None = None, beside: Collection | None = None) -> Collection:
    """A collection of Python objects: of a list, a tuple, a column of a data frame, or a NumPy array of objects.

    `kind`: the wanted collection, such as `Ragged`. By default the objects decide: `Strings` for str and bytes,
    `Ragged` for arrays, `Graphs` for `Graph`, networkx graphs and sparse adjacency matrices, `Views` for tuples (one
    view for each place, chosen in the same way; numbers become a column), and `Objects` for anything else. Collections
    are returned unchanged. `beside`: an earlier collection, whose alphabet, library and type the new one gets.

    Raises TypeError for anything but a sequence and for objects of several kinds, ValueError for an empty sequence.

    >>> import numpy as np
    >>> of(["ACGT", "GGA"]), of([np.zeros((3, 2)), np.zeros((4, 2))])
    (Strings(2 strings of 3 to 4 letters, ACGT), Ragged(2 arrays of 3 to 4 rows, 2 columns))
    """
    if is_collection(objects):
        if kind is not None and not isinstance(objects, kind):
            raise TypeError(f"objects: expected {kind.__name__}, got {type(objects).__name__}")
        found: Collection = objects
        return found
    held = _listed(objects)
    if not held:
        raise ValueError("objects: expected at least one, got none")
    kind = kind or (type(beside) if beside is not None else kind_of(held))
    like = None if beside is None else beside.like
    if kind is Strings:
        return Strings.of(held, _alphabet(beside), like)
    if kind is Ragged:
        return Ragged.of(held, like)
    if kind is Graphs:
        return graphs_of(held, like)
    if kind is Views:
        return _views(held, beside)
    if kind is Objects:
        return Objects(tuple(held), None if like is None else like)
    if hasattr(kind, "of"):
        made: Collection = kind.of(held)
        return made
    raise TypeError(f"objects: expected a {kind.__name__}, got a list; make a {kind.__name__} of it first")


def kind_of(objects: Sequence[Any]) -> type[Collection]:
    """The class of collection for these Python objects, of which there is at least one."""
    kinds = [_kind(one) for one in objects]
    unlike = next((number for number, kind in enumerate(kinds) if kind is not kinds[0]), None)
    if unlike is not None:
        names = sorted({type(one).__name__ for one in objects})
        raise TypeError(
            f"objects: expected one kind, got {', '.join(names)}; the first unlike number 0 is number {unlike}, "
            f"{objects[unlike]!r:.40}"
        )
    return kinds[0]


def _kind(one: Any) -> type[Collection]:
    if isinstance(one, str | bytes):
        return Strings
    if isinstance(one, Graph) or hasattr(one, "adjacency") or _is_sparse(one):
        return Graphs
    if isinstance(one, tuple) and not hasattr(one, "_fields"):
        return Views
    if hasattr(one, "dtype") and getattr(one, "ndim", 0) in (1, 2) and str(one.dtype) != "object":
        return Ragged
    if isinstance(one, list) and one and _is_numbers(one):
        return Ragged
    return Objects


def graphs_of(objects: Sequence[Any], like: Array | None = None) -> Graphs:
    """Graphs of `Graph`, or of tuples of what it has, of networkx and of sparse adjacency matrices; directed where
    networkx or a matrix says so. Edges (E, 2) alone are those of a graph without more nodes.

    Raises TypeError, with its number, for any other object, and for several kinds.
    """
    kind = next((kind for kind in _OF_GRAPHS if all(map(kind, objects))), None)
    if kind is None:
        number = next((n for n, one in enumerate(objects) if not any(of(one) for of in _OF_GRAPHS)), None)
        got = "several of these" if number is None else f"{type(objects[number]).__name__} as number {number}"
        raise TypeError(
            "graphs: expected all of structures.Graph or tuples (nodes, edges, labels), of networkx, of SciPy's sparse "
            f"matrices, or of edges (E, 2), got {got}"
        )
    if kind is _is_tuple:
        return Graphs.of(objects, like=like)
    if kind is _is_edges:
        lists = [np.asarray(one, dtype=np.int64).reshape(-1, 2) for one in objects]
        return Graphs.of([Graph(int(edges.max(initial=-1)) + 1, edges) for edges in lists], like=like)
    from kerneltools.structures.converting import of_networkx, of_sparse

    return of_sparse(objects, like) if kind is _is_sparse else of_networkx(objects, like)


def _listed(objects: Any) -> list[Any]:
    if isinstance(objects, str | bytes):
        raise TypeError(f"objects: expected several, got one string, {objects!r:.40}; write [string]")
    if hasattr(objects, "to_list"):  # a column of pandas or polars
        return list(objects.to_list())
    if isinstance(objects, np.ndarray):
        if objects.ndim != 1 and objects.dtype.kind != "f":
            raise TypeError(f"objects: expected (n,), got an array of shape {objects.shape}")
        return objects.tolist() if objects.dtype.kind in "USOT" else list(objects)
    if not isinstance(objects, Sequence):
        raise TypeError(f"objects: expected a list of objects, got {type(objects).__name__}")
    return list(objects)


def _alphabet(beside: Collection | None) -> Alphabet | None:
    return beside.alphabet if isinstance(beside, Strings) else None


def _views(tuples: Sequence[Any], beside: Collection | None) -> Views:
    for number, one in enumerate(tuples):
        if not isinstance(one, tuple | list):
            raise TypeError(f"objects: expected tuples, got {type(one).__name__} as number {number}")
    known = beside.views if isinstance(beside, Views) else [None] * len(tuples[0])
    for number, one in enumerate(tuples):
        if len(one) != len(known):
            raise ValueError(f"objects: expected tuples of {len(known)} views, got {len(one)} in number {number}")
    return Views(tuple(_view([one[place] for one in tuples], seen, place) for place, seen in enumerate(known)))


def _view(column: list[Any], beside: Any, place: int) -> Any:
    """Vectors of one length and numbers become rows; all others a collection."""
    if isinstance(beside, Collection):
        return of(column, beside=beside)
    if beside is None and all(isinstance(one, int | float | np.number) for one in column):
        return _rows(column, 1, place)
    vectors = all(getattr(one, "ndim", 1 if isinstance(one, list) else 0) == 1 for one in column)
    if beside is not None:
        return move(_rows(column, int(beside.shape[1]), place), beside)
    if vectors and len({len(one) for one in column}) == 1:
        return _rows(column, len(column[0]), place)
    return of(column)


def _rows(column: list[Any], width: int, place: int) -> Any:
    """Numbers or vectors as rows: -> (n, width)"""
    rows = np.zeros((len(column), width))
    for number, one in enumerate(column):
        where = f"in number {number}, view {place}"
        try:
            row = np.asarray(one, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError) as error:
            raise TypeError(f"objects: expected numbers, got {type(one).__name__} {one!r:.40} {where}") from error
        if len(row) != width:
            raise ValueError(f"objects: expected vectors of length {width}, got {len(row)} {where}")
        if not np.isfinite(row).all():
            raise ValueError(
                f"objects: expected finite numbers, got {row[~np.isfinite(row)][0]} {where}; fill in or leave out what "
                "is missing"
            )
        rows[number] = row
    return rows


def _is_sparse(one: Any) -> bool:
    return hasattr(one, "tocoo") and getattr(one, "ndim", 0) == 2


def _is_numbers(one: list[Any]) -> bool:
    first = one[0]
    if isinstance(first, list):
        return bool(first) and isinstance(first[0], int | float | np.number)
    return isinstance(first, int | float | np.number)


def _is_tuple(one: Any) -> bool:
    return isinstance(one, tuple) and len(one) > 1 and isinstance(one[0], int | np.integer)


def _is_edges(one: Any) -> bool:
    if not isinstance(one, list | np.ndarray) or not len(one):
        return False
    held = np.asarray(one) if isinstance(one, np.ndarray) or all(_is_pair(edge) for edge in one) else np.zeros(0)
    return held.ndim == 2 and held.shape[1] == 2 and held.dtype.kind in "iu"


def _is_pair(edge: Any) -> bool:
    return isinstance(edge, tuple | list | np.ndarray) and len(edge) == 2


def _is_networkx(one: Any) -> bool:
    return hasattr(one, "adjacency") and hasattr(one, "is_directed")


_OF_GRAPHS = (_is_tuple, _is_sparse, _is_networkx, _is_edges)
"""The Python objects that are read as graphs."""

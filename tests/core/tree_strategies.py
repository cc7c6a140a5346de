"""Random trees of arrays, numbers and frozen dataclasses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerneltools.trees import Tree, static

DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)


@dataclass(frozen=True, eq=False)
class Node(Tree):
    """Two children and a fact."""

    left: Any
    right: Any = None
    label: Any = static("none")


def trees_of(leaves: st.SearchStrategy[Any], facts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Trees with these leaves; `facts` fill the static fields."""
    return st.recursive(
        leaves | st.none(),
        lambda children: (
            st.lists(children, max_size=3)
            | st.lists(children, max_size=3).map(tuple)
            | st.dictionaries(st.text(max_size=4), children, max_size=3)
            | st.builds(Node, children, children, facts)
        ),
        max_leaves=6,
    )


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal in structure, types and, bit for bit, in their leaves."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, Node):
        return all(same(getattr(a, name), getattr(b, name)) for name in ("left", "right", "label"))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)

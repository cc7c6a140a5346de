"""Trees: flatten and rebuild, names, static fields."""

from collections import namedtuple
from dataclasses import dataclass, make_dataclass
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools import landmarks, maps, solvers
from kerneltools.kernels import Gaussian, Homogeneous, Linear
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.trees import Tree, child_names, flatten, for_each_type, map_leaves, named_leaves, static
from tests.core.tree_strategies import ARRAYS, Node, same, trees_of

TREES = trees_of(st.integers() | ARRAYS, st.text(max_size=3))


@given(tree=TREES)
def test_flatten_and_rebuild(tree: Any) -> None:
    leaves, rebuild = flatten(tree)
    assert same(rebuild(leaves), tree)


@given(tree=TREES)
def test_leaves_in_their_places(tree: Any) -> None:
    leaves, rebuild = flatten(tree)
    numbers = list(range(len(leaves)))
    assert flatten(rebuild(numbers))[0] == numbers


@given(tree=TREES)
def test_names_are_those_of_the_leaves_in_order(tree: Any) -> None:
    assert same([leaf for _, leaf in named_leaves(tree)], flatten(tree)[0])


@given(tree=TREES)
def test_mapping_the_identity_changes_nothing(tree: Any) -> None:
    assert same(map_leaves(lambda leaf: leaf, tree), tree)


def test_names() -> None:
    tree = Node({"a": (1, 2)}, [Gaussian(3.0), None])
    assert dict(named_leaves(tree)) == {"left.a.0": 1, "left.a.1": 2, "right.0.bandwidth": 3.0}


def test_static_fields_are_no_leaves() -> None:
    assert child_names(Node) == ("left", "right")
    kernel = 2.0 * Homogeneous(Exponential(0.5)) + Homogeneous(Power(3)) * Linear()
    leaves, rebuild = flatten(kernel)
    assert leaves == [2.0, 0.5]
    assert rebuild([3.0, 0.7]) == 3.0 * Homogeneous(Exponential(0.7)) + Homogeneous(Power(3)) * Linear()


def test_rebuild_does_not_check_values() -> None:
    # A placeholder is no number > 0, and must pass.
    _, rebuild = flatten(Gaussian(1.0))
    assert rebuild([None]).bandwidth is None
    marker = object()
    assert rebuild([marker]).bandwidth is marker


def test_wrong_number_of_leaves() -> None:
    _, rebuild = flatten((1, 2, 3))
    for leaves in ([1, 2], [1, 2, 3, 4]):
        with pytest.raises(ValueError, match=f"leaves: expected 3 for this tree, got {len(leaves)}"):
            rebuild(leaves)


def test_named_tuples_keep_their_type() -> None:
    Pair = namedtuple("Pair", "first second")
    assert map_leaves(lambda leaf: leaf + 1, Pair(1, 2)) == Pair(2, 3)
    assert isinstance(map_leaves(lambda leaf: leaf, Pair(1, 2)), Pair)


def test_every_type_is_announced_now_and_later() -> None:
    seen: list[type] = []
    for_each_type(seen.append)
    assert {Gaussian, Node} <= set(seen)

    @dataclass(frozen=True)
    class Late(Tree):
        value: Any = np.nan

    assert seen[-1] is Late


X = np.random.default_rng(0).standard_normal((60, 4))
RESULTS = {
    "landmarks": landmarks.Uniform(20)(Gaussian(1.0), X, 0),
    "selector": landmarks.Given(X),
    "map": maps.nystrom(Gaussian(1.0), X),
    "path": solvers.ridge_path(X, X[:, :1]),
    "model": solvers.kernel_ridge(Gaussian(1.0), X[:20], X, X[:, :1], 1e-2),
    "tree": Node({"a": [X, (X,)]}, X),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_results_are_shown_by_the_shapes_of_their_arrays(result: Any) -> None:
    shown = repr(result)
    assert "array([[" not in shown
    assert "<float64 (" in shown
    assert len(shown) < 1000


def test_few_numbers_and_all_else_are_shown_as_dataclasses_do() -> None:
    assert repr(Gaussian(np.asarray([1.0, 2.0]))) == "Gaussian(bandwidth=array([1., 2.]))"
    together = "Sum(terms=(Homogeneous(profile=Exponential(sigma=0.5)), Linear()))"
    assert repr(Homogeneous(Exponential(0.5)) + Linear()) == together
    assert repr(Node((1,), label=("a", {"b": None}))) == "Node(left=(1,), right=None, label=('a', {'b': None}))"


@dataclass(frozen=True)
class Named(Tree):
    """f(x) < 1 & more.

    The rest is not shown.
    """

    points: Any
    name: str = static("<b>")


def test_notebooks_get_a_table_with_formula_fields_and_sizes() -> None:
    class Parsed(HTMLParser):
        words: list[str]

        def handle_data(self, data: str) -> None:
            self.words.append(data)

    page = Parsed()
    page.words = []
    page.feed(Named(np.zeros((50, 2)))._repr_html_())
    said = [
        "Named",
        " f(x) < 1 & more.",
        "points",
        "<float64 (50, 2)>",
        "name",
        "'<b>'",
        "numbers in its arrays",
        "100",
    ]
    assert page.words == said
    # Without a docstring dataclasses write one of their own, which is no formula.
    bare = make_dataclass("Bare", [("width", float)], bases=(Tree,), frozen=True)
    assert "<b>Bare</b> </div>" in bare(1.0)._repr_html_()

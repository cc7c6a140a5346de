"""One comparison: a function and the arguments to call it with, drawn at random."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kerneltools import trees
from kerneltools.kernels.profiles import ArcCosine

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """f(variables, constants) -> a tree of arrays.

    `wide`: the result is in float64 whatever the arguments are in. `terms`: how many numbers are added up in the
    longest sum. `kink`: the lowest order among the arc-cosine profiles that meet a cosine of 1, where κ₀ has an
    infinite first derivative, κ₁ an infinite second one.
    """

    f: Callable[[Any, Any], Any]
    variables: Any
    constants: Any = ()
    terms: int = 8
    kink: int | None = None
    wide: bool = False
    label: str = field(default="", compare=False)

    def __repr__(self) -> str:
        shapes = [f"{name} {np.shape(leaf)}" for name, leaf in trees.named_leaves((self.variables, self.constants))]
        return f"{self.label or self.f}: {', '.join(shapes)}"


def numbers(draw: Draw, *shape: int, blank: bool = False, other: bool = False) -> np.ndarray:
    """Standard normal numbers; with `blank`, the last row may be zero.

    Hypothesis likes to draw equal seeds; with `other`, no numbers are those drawn without.
    """
    x = np.random.default_rng([draw(st.integers(0, 2**20)), int(other)]).standard_normal(shape)
    if blank and draw(st.booleans()):
        x[-1] = 0
    return x


def unit_rows(x: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.sum(x * x, axis=tuple(range(1, x.ndim)), keepdims=True))
    return x / norms


def size(draw: Draw, few: bool, low: int, high: int) -> int:
    return high if few else draw(st.integers(low, high))


def with_array_parameters(kernel: Any) -> Any:
    """The kernel with its parameters as arrays of no axes, to differentiate with respect to."""
    return trees.map_leaves(lambda leaf: np.asarray(leaf, dtype=float), kernel)


def kink(kernel: Any) -> int | None:
    """The lowest order among the arc-cosine profiles in a kernel."""
    orders = [order for order in range(3) if repr(ArcCosine(order)) in repr(kernel)]
    return min(orders, default=None)

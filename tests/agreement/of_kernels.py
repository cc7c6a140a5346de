"""Cases of kernels, family by family."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kerneltools import kernels
from kerneltools.kernels import Kernel
from tests.agreement.case import Case, Draw, kink, numbers, size, with_array_parameters
from tests.laws.members import COMPOSITE, DOT_PRODUCT, HISTOGRAM, INDEFINITE, STATIONARY


def _values(v: Any, c: Any) -> Any:
    return v["kernel"](v["x"], v["y"]), v["kernel"].diag(v["x"])


def _rows(draw: Draw, few: bool, d: int, *, blank: bool) -> tuple[np.ndarray, np.ndarray]:
    # Several: the greatest value, which errors are measured against, then is none of those that rounding is all of.
    x = numbers(draw, size(draw, few, 3, 5), d, blank=blank)
    return x, numbers(draw, size(draw, few, 3, 4), d, other=True)


def of_family(
    members: tuple[Kernel, ...], columns: tuple[int, int] = (2, 4), *, histograms: bool = False
) -> Callable[[Draw, bool], Case]:
    """The values and the diagonal of one of the members, its parameters among the variables."""

    def case(draw: Draw, few: bool) -> Case:
        kernel = draw(st.sampled_from(members))
        d = size(draw, few, *columns)
        x, y = _rows(draw, few, d, blank=not histograms)
        if histograms:
            # Sparse, as histograms are, but never 0 in both: there the derivative jumps.
            x, y = np.abs(x), np.abs(y) + 0.1
        variables = {"kernel": with_array_parameters(kernel), "x": x, "y": y}
        return Case(_values, variables, terms=2 * d + 4, kink=kink(kernel), label=str(kernel))

    return case


stationary = of_family(STATIONARY)
# In fewer columns angles are now and then close to 0 or π, where the cosine has lost them.
dot_products = of_family((*DOT_PRODUCT, *INDEFINITE), (5, 6))
composites = of_family(COMPOSITE)
histograms = of_family(HISTOGRAM, histograms=True)

PER_COLUMN: tuple[Callable[[Any], Kernel], ...] = (
    kernels.Gaussian,
    kernels.Exponential,
    lambda v: kernels.Matern(1.5, v),
    lambda v: kernels.RationalQuadratic(v, np.asarray(0.7)),
    kernels.Laplacian,
    kernels.Cauchy,
    lambda v: kernels.Wendland(6 * v, 1, 4),
    lambda v: kernels.Periodic(2 * v, np.asarray(1.0)),
)


def lengths(draw: Draw, few: bool) -> Case:
    """A length for each column."""
    d = size(draw, few, 2, 4)
    x, y = _rows(draw, few, d, blank=False)
    kernel = draw(st.sampled_from(PER_COLUMN))(0.5 + np.abs(numbers(draw, d)))
    return Case(_values, {"kernel": kernel, "x": x, "y": y}, terms=2 * d + 4, label=type(kernel).__name__)


def precomputed(draw: Draw, few: bool) -> Case:
    n = size(draw, few, 1, 5)
    factor = numbers(draw, n, n)
    rows = np.random.default_rng(draw(st.integers(0, 99))).integers(0, n, (2, 3, 1)).astype(float)

    def f(v: Any, c: Any) -> Any:
        kernel = kernels.Precomputed(v)
        return kernel(c[0], c[1]), kernel.diag(c[0])

    return Case(f, factor @ factor.T, (rows[0], rows[1]))

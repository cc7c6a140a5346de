"""Cases of maps that are drawn on the host, and of the one that samples a spectrum."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume

from kerneltools import maps
from kerneltools.kernels import (
    AdditiveChi2,
    ArcCosine,
    ExponentialDotProduct,
    Gaussian,
    Matern,
    Polynomial,
)
from tests.agreement.case import Case, Draw, numbers, size


def _of(make: Callable[[Any, Any], Any], draw: Draw, few: bool, terms: int = 16, **parameters: float) -> Case:
    variables = {name: np.asarray(value) for name, value in parameters.items()}
    variables["x"] = 0.5 * numbers(draw, size(draw, few, 1, 5), 3)
    return Case(lambda v, c: make(v, v["x"])(v["x"]), variables, terms=terms)


def _smooth(case: Case, phi: maps.ArcCosineFeatures) -> Case:
    """The case, if no unit is near 0, where its second derivative jumps and differences of values err."""
    assume(np.abs(case.variables["x"] @ phi.weights.T).min() > 1e-2)
    return case


def fourier(draw: Draw, few: bool) -> Case:
    return _of(lambda v, x: maps.fourier(Gaussian(v["bandwidth"]), 3, 8, 0, like=x), draw, few, bandwidth=0.9)


def independent_fourier(draw: Draw, few: bool) -> Case:
    return _of(
        lambda v, x: maps.fourier(Matern(1.5, v["length"]), 3, 6, 1, orthogonal=False, like=x), draw, few, length=1.2
    )


def structured_fourier(draw: Draw, few: bool) -> Case:
    def make(v: Any, x: Any) -> Any:
        return maps.fourier(Gaussian(v["bandwidth"]), 3, 8, 0, structured=True, like=x)

    return _of(make, draw, few, terms=64, bandwidth=0.9)


def arccos(draw: Draw, few: bool) -> Case:
    case = _of(lambda v, x: maps.arccos(ArcCosine(2), 3, 5, 0, like=x), draw, few)
    return _smooth(case, maps.arccos(ArcCosine(2), 3, 5, 0))


def positive(draw: Draw, few: bool) -> Case:
    return _of(lambda v, x: maps.positive(ExponentialDotProduct(v["sigma"]), 3, 6, 0, like=x), draw, few, sigma=1.5)


def maclaurin(draw: Draw, few: bool) -> Case:
    return _of(lambda v, x: maps.maclaurin(Polynomial(3, 0.5), 3, 7, 0, like=x), draw, few)


def tensor_sketch(draw: Draw, few: bool) -> Case:
    return _of(lambda v, x: maps.tensor_sketch(Polynomial(3, 0.5), 3, 8, 0), draw, few, terms=64)


def chi2(draw: Draw, few: bool) -> Case:
    variables = {"x": 0.1 + np.abs(numbers(draw, size(draw, few, 1, 5), 3))}
    return Case(lambda v, c: maps.chi2(AdditiveChi2(), 3)(v["x"]), variables)


def composite(draw: Draw, few: bool) -> Case:
    def make(v: Any, x: Any) -> Any:
        parts = maps.fourier(Gaussian(v["bandwidth"]), 3, 4, 0, like=x), maps.arccos(ArcCosine(2), 3, 3, 1, like=x)
        return maps.Sum((maps.Product(parts), parts[1]))

    return _smooth(_of(make, draw, few, bandwidth=1.1), maps.arccos(ArcCosine(2), 3, 3, 1))

"""Gradients with respect to parameters, where the data are constants: kernels, maps and layers."""

from typing import Any

import numpy as np
import pytest

from ckn import Layer
from kerneltools.arrays import namespace
from kerneltools.backend import Backend
from kerneltools.kernels import Gaussian, Homogeneous, Polynomial
from kerneltools.kernels.profiles import Exponential
from kerneltools.maps import nystrom
from tests.backends.quick import differentiated

rng = np.random.default_rng(0)
X, POINTS = rng.standard_normal((6, 3)), rng.standard_normal((4, 3))
IMAGES, FILTERS = rng.standard_normal((2, 5, 5, 2)), rng.standard_normal((3, 3, 3, 2))
UNIT = FILTERS / np.sqrt(np.sum(FILTERS**2, axis=(1, 2, 3), keepdims=True))

# Functions of one number and of constants: f(number, convert).
FUNCTIONS = {
    "bandwidth": lambda s, a: Gaussian(s)(a(X), a(POINTS)),
    "profile": lambda s, a: Homogeneous(Exponential(s))(a(X), a(POINTS)),
    "offset": lambda s, a: Polynomial(2, s)(a(X), a(POINTS)),
    "scale": lambda s, a: (s * Gaussian(2.0))(a(X), a(POINTS)),
    "sum and product": lambda s, a: (Gaussian(s) + Gaussian(s) * Polynomial(2, 1.0))(a(X), a(POINTS)),
    "map": lambda s, a: nystrom(Gaussian(s), a(POINTS), reg=0.1)(a(X)),
    "map by Cholesky": lambda s, a: nystrom(Gaussian(s), a(POINTS))(a(X)),
    "residual": lambda s, a: nystrom(Gaussian(s), a(POINTS), reg=0.1).residual(a(X)),
    "regularisation": lambda s, a: nystrom(Gaussian(1.0), a(POINTS), reg=s)(a(X)),
    "points": lambda s, a: nystrom(Gaussian(1.0), a(POINTS) * s, reg=0.1)(a(X)),
    "layer": lambda s, a: Layer(a(UNIT), Homogeneous(Exponential(s)), 2)(a(IMAGES)),
    "layer without inner products": lambda s, a: Layer(a(UNIT) * s, Distance())(a(IMAGES)),
    "prepared layer": lambda s, a: Layer(a(UNIT), Homogeneous(Exponential(s)), 2).prepare()(a(IMAGES)),
}


class Distance(Gaussian):
    """A kernel that a layer takes as it is."""

    def __init__(self) -> None:
        super().__init__(1.0)

    @property
    def by_inner_products(self) -> bool:
        return False


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivative_with_respect_to_a_parameter(library: Backend, name: str) -> None:
    function = FUNCTIONS[name]

    def loss(s: Any, convert: Any) -> Any:
        values = function(s, convert)
        return namespace(values).sum(namespace(values).sin(values))

    f = differentiated(library, lambda s: loss(s, library.asarray))
    _, found = f(library.asarray(0.9, dtype="float64"))
    step = 1e-5
    expected = (loss(np.asarray(0.9 + step), np.asarray) - loss(np.asarray(0.9 - step), np.asarray)) / (2 * step)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)

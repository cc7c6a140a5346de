"""Gradients of gradients: Hessian-vector products of a small layer and of the matrix functions under it."""

from typing import Any

import numpy as np
import pytest

from ckn import Layer
from kerneltools import autodiff, linalg, trees
from kerneltools.arrays import namespace
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from tests.agreement.case import unit_rows
from tests.agreement.comparing import assert_agrees, leaves
from tests.agreement.libraries import JAX, JAX_JIT, LIBRARIES, NUMPY, Library, parameters
from tests.agreement.test_functions import difference_quotient

CURVED = parameters(tuple(library for library in LIBRARIES if library is not JAX))
assert JAX_JIT in LIBRARIES  # it stands for JAX, whose single operations would each be compiled


def layer_loss(v: Any) -> Any:
    y = v["layer"](v["x"])
    return namespace(y).sum(y * y * y)


def layer_variables() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    filters = unit_rows(rng.standard_normal((3, 2, 2, 2)))
    layer = Layer(filters, Homogeneous(Exponential(np.asarray(0.8))), 2, reg=0.1)
    return {"layer": layer, "x": rng.standard_normal((1, 4, 4, 2))}


def root_loss(v: Any) -> Any:
    xp = namespace(v)
    root = linalg.inverse_sqrt(v @ xp.matrix_transpose(v), 0.5)
    return xp.sum(root * root * root)


LOSSES = {
    "layer": (layer_loss, layer_variables()),
    "inverse_sqrt": (root_loss, np.random.default_rng(1).standard_normal((3, 4))),
    "inverse_sqrt, equal eigenvalues": (root_loss, np.eye(3)),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def directions(variables: Any) -> Any:
    rng = np.random.default_rng(3)
    return trees.map_leaves(lambda a: rng.standard_normal(np.shape(a)), variables)


def hessian_product(value_and_grad: Any, f: Any, variables: Any, direction: Any) -> Any:
    """The derivative of the gradient along a direction: the gradient of their inner product."""

    def slope(v: Any) -> Any:
        total: Any = 0
        for g, d in zip(leaves(value_and_grad(f)(v)[1]), leaves(direction), strict=True):
            total = total + namespace(g).sum(g * d)
        return total

    return value_and_grad(slope)(variables)[1]


@each_loss
@pytest.mark.parametrize("library", CURVED)
def test_agree(name: str, library: Library) -> None:
    if reason := library.missing():
        pytest.skip(reason)
    f, variables = LOSSES[name]
    wanted = hessian_product(autodiff.value_and_grad, f, variables, directions(variables))

    def product(v: Any, d: Any) -> Any:
        return hessian_product(library.value_and_grad, f, v, d)

    got = library.run(product, library.tree(variables), library.tree(directions(variables)))
    assert_agrees(library, got, wanted, "float64", 1e-9)


@each_loss
def test_are_differences_of_gradients(name: str) -> None:
    f, variables = LOSSES[name]
    first, second = directions(variables), trees.map_leaves(np.cos, directions(variables))
    product = hessian_product(NUMPY.value_and_grad, f, variables, first)

    def slope(v: Any) -> Any:
        gradient = autodiff.value_and_grad(f)(v)[1]
        return sum(float(np.sum(g * d)) for g, d in zip(leaves(gradient), leaves(first), strict=True))

    wanted = difference_quotient(slope, variables, second)
    got = sum(float(np.sum(h * d)) for h, d in zip(leaves(product), leaves(second), strict=True))
    assert abs(got - wanted) <= 1e-6 * (1 + abs(wanted))

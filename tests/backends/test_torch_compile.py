"""Whatever is a function of tensors is one graph to torch.compile, in values and in gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import ckn
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Matern, profiles
from kerneltools.linalg import inverse_sqrt
from kerneltools.maps import nystrom
from kerneltools.trees import map_leaves
from tests.backends.quick import own_warnings_of_compilation
from tests.laws.members import DOT_PRODUCT, HISTOGRAM, INDEFINITE, KERNELS, POOLS, RANDOM_MAPS, SAMPLED_MAPS

Function = Callable[..., Any]


def rows(n: int, *shape: int) -> torch.Tensor:
    return torch.rand(n, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(n))


X, Y, IMAGES = rows(6, 3), rows(5, 3), rows(2, 7, 7, 2)
# One of each body: the other random maps differ in what is drawn, on the host.
DRAWN = ("fourier ARD", "arccos 0", "arccos 1", "positive", "tensor_sketch", "maclaurin", "Sum", "Product", "Scaled")


def in_torch(tree: Any) -> Any:
    return map_leaves(lambda leaf: torch.as_tensor(leaf) if hasattr(leaf, "dtype") else leaf, tree)


def layer(kernel: Kernel, **settings: Any) -> ckn.Layer:
    filters = torch.nn.functional.normalize(rows(4, 18)).reshape(4, 3, 3, 2)
    return ckn.Layer(filters, kernel, 2, **settings)


def made_inside(kernel: Kernel, reg: float | None) -> Function:
    return lambda x, points: nystrom(kernel, points, reg=reg)(x)


LAYERS = {
    f"layer of {kernel}": layer(kernel)
    for kernel in (Homogeneous(profiles.Exponential(0.6)), Homogeneous(profiles.Power(3)), Gaussian(1.0))
}
FUNCTIONS: dict[str, tuple[Function, tuple[torch.Tensor, ...]]] = {
    **{str(kernel): (kernel, (X, Y)) for kernel in (*KERNELS, *HISTOGRAM, *INDEFINITE)},
    **{f"diagonal of {kernel}": (kernel.diag, (X,)) for kernel in (KERNELS[0], DOT_PRODUCT[0], HISTOGRAM[1])},
    **{f"map {n}": (in_torch(make(16, 0)), (X,)) for n, make in RANDOM_MAPS.items() if n in DRAWN},
    **{f"map {n}": (in_torch(make(16, 0)), (X,)) for n, make in SAMPLED_MAPS.items()},
    **{
        f"map nystrom of {kernel}, reg={reg}": (made_inside(kernel, reg), (X, Y))
        for kernel in (Gaussian(1.0), Matern(1.5, 1.0), HISTOGRAM[0])
        for reg in (None, 1e-3)
    },
    "residual": (lambda x, points: nystrom(Gaussian(1.0), points).residual(x), (X, Y)),
    "inverse_sqrt": (lambda x: inverse_sqrt(x @ x.mT, 0.1), (X,)),
    **{name: (f, (IMAGES,)) for name, f in LAYERS.items()},
    "residual of a layer": (lambda x: layer(Gaussian(1.0)).prepare().residual(x)[0], (IMAGES,)),
    "network": (ckn.Network((layer(Homogeneous(profiles.Exponential(0.6))),)), (IMAGES,)),
    **{str(pool): (pool, (IMAGES,)) for pool in POOLS},
}
# A minute or two in all; one of each mechanism in each run of the tests.
CHEAP = ("Matern(nu=1.5", "Wendland(radius=7.0", "ArcCosine(order=1)", "Chi2(", "Laplacian", "map nystrom of Matern")


def marked(name: str) -> Any:
    return pytest.param(name, marks=() if name.startswith(CHEAP) else pytest.mark.heavy)


def with_gradients(f: Function, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    inputs = tuple(x.clone().requires_grad_() for x in inputs)
    value = f(*inputs)
    if not value.requires_grad:
        return [value]
    weights = torch.arange(value.numel(), dtype=value.dtype).sin().reshape(value.shape)
    return [value, *torch.autograd.grad(value, inputs, weights, allow_unused=True, materialize_grads=True)]


@own_warnings_of_compilation
@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
@pytest.mark.parametrize("name", [marked(name) for name in FUNCTIONS])
def test_one_graph(name: str, compiler: str) -> None:
    f, inputs = FUNCTIONS[name]
    torch._dynamo.reset()
    compiled = torch.compile(f, backend=compiler, fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), f(*inputs))
    torch.testing.assert_close(with_gradients(compiled, inputs), with_gradients(f, inputs), rtol=1e-9, atol=1e-9)


@own_warnings_of_compilation
def test_the_same_rows_twice() -> None:
    torch._dynamo.reset()
    kernel = Matern(1.5, 1.0)
    compiled = torch.compile(lambda x: kernel(x, x), backend="eager", fullgraph=True)
    torch.testing.assert_close(with_gradients(compiled, (X,)), with_gradients(lambda x: kernel(x, x), (X,)))

"""torch.func goes through every rule written by hand: forward, backward, one in the other, over batches."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import ckn
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Matern, profiles
from kerneltools.linalg import inverse_sqrt
from kerneltools.maps import nystrom
from tests.laws.members import HISTOGRAM, INDEFINITE, KERNELS, POOLS

# torch.func.jacfwd (2.13) takes a function that torch itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
Function = Callable[[torch.Tensor], torch.Tensor]


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(shape[0]))


X, Y, IMAGES = random(4, 3), random(5, 3), random(1, 5, 5, 2)
FILTERS = torch.nn.functional.normalize(random(3, 18) - 0.5).reshape(3, 3, 3, 2)


def of_rows(kernel: Kernel) -> Function:
    return lambda x: kernel(x, Y)


EXPONENTIAL = Homogeneous(profiles.Exponential(0.6))
FUNCTIONS: dict[str, tuple[Function, torch.Tensor]] = {
    **{str(kernel): (of_rows(kernel), X) for kernel in (*KERNELS, *HISTOGRAM, *INDEFINITE)},
    "nystrom": (lambda x: nystrom(Matern(1.5, 1.0), x, reg=1e-2)(Y), X),
    "inverse_sqrt": (lambda x: inverse_sqrt(x @ x.mT, 0.1), X),
    **{
        f"layer of {kernel}": (ckn.Layer(FILTERS, kernel, 2), IMAGES)
        for kernel in (EXPONENTIAL, Homogeneous(profiles.Power(3)), Gaussian(1.0))
    },
    "filters": (lambda z: ckn.Layer(z, EXPONENTIAL, 2)(IMAGES), FILTERS),
    **{str(pool): (pool, IMAGES) for pool in POOLS},
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def scalar(f: Function) -> Function:
    """Of a second derivative that is not 0."""

    def call(x: torch.Tensor) -> torch.Tensor:
        value = f(x)
        weights = torch.arange(value.numel(), dtype=value.dtype).cos().reshape(value.shape)
        return ((value + 1).sin() * weights).sum()

    return call


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * (1 + float(expected.abs().max())))


@every_function
def test_jacobian(name: str) -> None:
    f, x = FUNCTIONS[name]
    expected = torch.autograd.functional.jacobian(f, x)
    close(torch.func.jacrev(f)(x), expected)
    close(torch.func.jacfwd(f)(x), expected)


OF_ROOTS = ("nystrom", "inverse_sqrt", "filters")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in OF_ROOTS])
def test_hessian(name: str) -> None:
    f, x = FUNCTIONS[name]
    found = torch.func.hessian(scalar(f))(x)
    close(found, torch.func.jacrev(torch.func.jacrev(scalar(f)))(x))


@pytest.mark.parametrize("name", OF_ROOTS)
def test_hessian_of_inverse_roots(name: str) -> None:
    f, x = FUNCTIONS[name]
    with pytest.raises(NotImplementedError, match=r"take torch.func.jacrev\(torch.func.jacrev\(f\)\)"):
        torch.func.hessian(scalar(f))(x)
    assert bool(torch.func.jacrev(torch.func.jacrev(scalar(f)))(x).isfinite().all())


@every_function
def test_gradients_over_a_batch(name: str) -> None:
    f, x = FUNCTIONS[name]
    g, many = torch.func.grad(scalar(f)), torch.stack([x, x + 0.1])
    close(torch.func.vmap(g)(many), torch.stack([g(one) for one in many]))


def test_a_nan_stays_one_where_gradients_are_batched() -> None:
    x = X.clone()
    x[1, 1] = float("nan")
    found = torch.func.vmap(torch.func.grad(lambda x: KERNELS[13](x, Y).sum()))(x[None])
    assert bool(found[0, 1, 1].isnan())
    assert bool(found[0, 0].isfinite().all())

"""What torch adds: connected tensors, torch.func, compilation, memory."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from kerneltools_torch import iterations

import ckn
from kerneltools import linalg
from kerneltools.backend import backend
from kerneltools.kernels import Homogeneous, profiles
from kerneltools.linalg import inverse_sqrt
from kerneltools.primitives import extract_patches, patch_gram
from tests.backends.quick import own_warnings_of_compilation
from tests.backends.test_overrides import WINDOWS

TORCH = backend("torch")


def positive(n: int = 4) -> torch.Tensor:
    """A positive definite matrix that requires gradients."""
    root = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (root @ root.mT).requires_grad_()


def test_memory_is_shared_where_torch_may_write() -> None:
    x = np.zeros(3)
    TORCH.asarray(x)[0] = 1.0
    assert x[0] == 1.0
    x.flags.writeable = False
    TORCH.asarray(x)[0] = 2.0
    assert x[0] == 1.0


def test_own_tensors_stay_connected() -> None:
    x = torch.ones(2, requires_grad=True)
    assert TORCH.asarray(x) is x
    TORCH.asarray(x, dtype="float64").sum().backward()
    assert x.grad is not None


def test_numpy_has_no_gradient_and_no_bfloat16() -> None:
    x = torch.tensor([1.5, 2.0], requires_grad=True)
    assert TORCH.to_numpy(x * 2).tolist() == [3.0, 4.0]
    assert TORCH.to_numpy(torch.tensor([1.5], dtype=torch.bfloat16)).dtype == np.float32


def test_foreign_arrays_are_not_differentiated() -> None:
    with pytest.raises(TypeError, match=r"expected torch tensors, got numpy.ndarray.*asarray"):
        TORCH.value_and_grad(lambda x: x.sum())(np.ones(2))


def test_a_parameter_is_taken_at_its_value() -> None:
    p = torch.nn.Parameter(torch.tensor(3.0))
    value, gradient = TORCH.value_and_grad(lambda p: p * p)(p)
    assert (value.requires_grad, gradient.requires_grad, p.grad) == (False, False, None)


def test_other_tensors_stay_connected() -> None:
    a = torch.tensor(3.0, requires_grad=True)
    value, gradient = TORCH.value_and_grad(lambda x: a * x * x)(torch.tensor(5.0))
    (value + gradient).backward()
    assert a.grad == 25.0 + 10.0


def test_tensors_closed_over_stay_connected_in_gradients_within_gradients() -> None:
    a, b = (torch.tensor(number, requires_grad=True) for number in (3.0, 2.0))

    def slope(y: torch.Tensor) -> torch.Tensor:
        # Of its own arguments the inner gradient knows b only by what it closes over.
        return TORCH.value_and_grad(lambda x: a * b * x * x * y)(torch.tensor(5.0))[1]

    value, gradient = TORCH.value_and_grad(slope)(torch.tensor(1.0))
    assert (value.item(), gradient.item()) == (60.0, 60.0)
    gradient.backward()
    assert (a.grad, b.grad) == (20.0, 30.0)


def test_gradients_alone_record_nothing() -> None:
    recorded = []

    def f(x: torch.Tensor) -> torch.Tensor:
        x.register_hook(lambda _: recorded.append(torch.is_grad_enabled()))
        return x * x

    value, gradient = TORCH.value_and_grad(f, alone=True)(torch.tensor(3.0))
    assert recorded == [False]
    assert (value.requires_grad, gradient.requires_grad) == (False, False)
    assert TORCH.value_and_grad(lambda x: torch.tensor(1.0), alone=True)(torch.tensor(3.0)) == (1.0, 0.0)


@pytest.mark.parametrize("alone", [False, True])
def test_gradients_of_what_is_being_differentiated(alone: bool) -> None:
    def slope(x: torch.Tensor) -> torch.Tensor:
        return TORCH.value_and_grad(lambda y: y**3, alone=alone)(x)[1]

    two = torch.tensor(2.0)
    assert TORCH.value_and_grad(slope)(two)[1] == 12.0
    assert torch.func.vmap(slope)(torch.stack([two, two])).tolist() == [12.0, 12.0]
    with torch.inference_mode():
        assert slope(torch.tensor(2.0)) == 12.0


def test_gradients_within_gradients_end_with_them() -> None:
    x, y = torch.ones(3), torch.full((3,), 0.5)

    def outer(a: torch.Tensor) -> torch.Tensor:
        return TORCH.value_and_grad(lambda b: (a * a * b**3).sum())(y)[1].square().mean()

    value, gradient = TORCH.value_and_grad(outer)(x)
    assert (value.requires_grad, gradient.requires_grad) == (False, False)


def test_gradients_are_taken_where_none_are_recorded() -> None:
    with torch.no_grad():
        _, gradient = TORCH.value_and_grad(lambda x: x**3)(torch.tensor(2.0))
    assert gradient == 12.0


def test_rule_under_gradcheck_twice() -> None:
    assert torch.autograd.gradcheck(lambda k: inverse_sqrt(k, 0.1), positive())
    assert torch.autograd.gradgradcheck(lambda k: inverse_sqrt(k, 0.1), positive())


def test_rule_under_vmap_of_grad() -> None:
    matrices = torch.stack([positive().detach(), 2 * positive().detach()])

    def f(matrix: torch.Tensor) -> torch.Tensor:
        return inverse_sqrt(matrix, 0.1).sin().sum()

    each = torch.stack([torch.func.grad(f)(matrix) for matrix in matrices])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(f))(matrices), each)
    torch.testing.assert_close(
        torch.func.vmap(lambda m: inverse_sqrt(m, 0.1))(matrices), torch.stack([inverse_sqrt(m, 0.1) for m in matrices])
    )


def test_rule_where_only_an_outer_gradient_needs_it() -> None:
    matrix = positive().detach()

    def outer(scale: torch.Tensor) -> torch.Tensor:
        # The inner gradient is with respect to y only: the root of the matrix is a constant to it.
        def inner(y: torch.Tensor) -> torch.Tensor:
            return y * inverse_sqrt(scale * matrix, 0.1).sum()

        return TORCH.value_and_grad(inner)(torch.ones((), dtype=torch.float64))[1]

    one, step = torch.ones((), dtype=torch.float64), 1e-6
    found = TORCH.value_and_grad(outer)(one)[1]
    expected = (outer(one + step) - outer(one - step)) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)


@own_warnings_of_compilation
@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
def test_compiled_rule_and_its_gradient(compiler: str) -> None:
    torch._dynamo.reset()
    f = torch.compile(lambda k: inverse_sqrt(k, 0.1).sin().sum(), backend=compiler, fullgraph=True)
    plain, matrix = positive(), positive()
    inverse_sqrt(plain, 0.1).sin().sum().backward()
    f(matrix).backward()
    torch.testing.assert_close(matrix.grad, plain.grad)


@own_warnings_of_compilation
def test_compiled_layer_is_one_graph() -> None:
    torch._dynamo.reset()
    filters = torch.nn.functional.normalize(torch.arange(36.0).sin().reshape(2, 18)).reshape(2, 3, 3, 2)
    layer = ckn.Layer(filters, Homogeneous(profiles.Exponential(0.6)), 2)
    x = torch.arange(100.0).cos().reshape(2, 5, 5, 2)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x))


def test_jit_is_torch_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda f: ("compiled", f))
    assert TORCH.jit(abs) == ("compiled", abs)


@pytest.mark.parametrize("name", WINDOWS)
def test_convolution_is_taken_for_float32_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape, window = WINDOWS[name]
    used = []
    monkeypatch.setattr(patch_gram, "generic", lambda *_: used.append("generic") or (None, None))
    for dtype in (torch.float32, torch.float64):
        x = torch.ones(shape, dtype=dtype)
        points = extract_patches(x, window).shape[-2]
        patch_gram(x, torch.ones(1, points, shape[-1], dtype=dtype), window)
    assert used == ["generic"]


def test_compilation_is_the_only_source_of_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value: Any = TORCH.value_and_grad(lambda k: inverse_sqrt(k, 0.1).sum())(positive().detach())
    assert torch.isfinite(value[0])


def definite(m: int, reg: float) -> torch.Tensor:
    """Kernel matrices (2, m, m) of a smooth kernel, of condition about m / reg."""
    z = torch.randn(2, m, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.exp(-torch.cdist(z, z).square() / 40) + reg * torch.eye(m, dtype=torch.float64)


@pytest.mark.parametrize("reg", [1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("m", [1, 7, 64])
class TestIterations:
    """What CUDA gets instead of eigendecompositions, on the host."""

    def test_inverse_root(self, m: int, reg: float) -> None:
        found = iterations.inverse_root(definite(m, reg))
        assert found is not None
        expected = linalg.inverse_root.generic(definite(m, reg))
        # Rounding, amplified by the condition.
        torch.testing.assert_close(found, expected, rtol=1e-14 * m / reg, atol=1e-13 * m / reg)

    def test_lyapunov(self, m: int, reg: float) -> None:
        root = linalg.inverse_root.generic(definite(m, reg))
        solution = iterations.lyapunov_solution(root, definite(m, 0.0))
        assert solution is not None
        back = root @ solution + solution @ root
        torch.testing.assert_close(back, definite(m, 0.0), rtol=0, atol=1e-14 * m / reg)


def test_iterations_leave_what_they_cannot_do_to_others() -> None:
    singular = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert iterations.inverse_root(singular) is None
    assert iterations.inverse_root(float("nan") * singular) is None
    assert torch.func.vmap(lambda m: linalg.inverse_root(m))(definite(3, 0.1)).shape == (2, 3, 3)

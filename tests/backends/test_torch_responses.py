"""Responses made in place: their gradients, twice, and under torch.func, in float64 as in float32."""

from typing import Any

import pytest
import torch
from kerneltools_torch import responses

from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches.responses import patch_response
from kerneltools.primitives import Window
from tests.backends.test_overrides import WINDOWS

KERNELS = [Homogeneous(profile) for profile in (Exponential(0.6), Exponential(0.1), Power(2), Power(4))]
SOME = {name: WINDOWS[name] for name in ("1-d", "2-d one point", "2-d uneven padding", "2-d strided and dilated")}

pytestmark = [
    pytest.mark.parametrize("kernel", KERNELS, ids=str),
    pytest.mark.parametrize("name", SOME),
]


@pytest.fixture(autouse=True)
def _convolutions_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "pays", lambda *arrays: True)


def inputs(name: str) -> tuple[torch.Tensor, torch.Tensor, Window]:
    shape, window = SOME[name]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    filters = torch.randn(3, *window.size, shape[-1], dtype=torch.float64, generator=generator).flatten(1)
    points = len(window.offsets())
    return x, torch.nn.functional.normalize(filters).reshape(3, points, shape[-1]), window


def test_in_place_in_float64(kernel: Kernel, name: str) -> None:
    x, filters, window = inputs(name)
    expected = patch_response.generic(x, filters, kernel, window)
    torch.testing.assert_close(patch_response(x, filters, kernel, window), expected, rtol=1e-12, atol=1e-13)


def test_gradients_twice(kernel: Kernel, name: str) -> None:
    x, filters, window = inputs(name)
    x, filters = x[:1].clone().requires_grad_(), filters.clone().requires_grad_()

    def of_filters(filters: torch.Tensor) -> Any:
        return patch_response(x.detach(), filters, kernel, window)

    def of_both(x: torch.Tensor, filters: torch.Tensor) -> Any:
        return patch_response(x, filters, kernel, window)

    for f, arguments in ((of_filters, (filters,)), (of_both, (x, filters))):
        assert torch.autograd.gradcheck(f, arguments)
        assert torch.autograd.gradgradcheck(f, arguments)


def test_several_cotangents_at_once(kernel: Kernel, name: str) -> None:
    x, filters, window = inputs(name)
    arrays = (x[:1, ...].clone().requires_grad_(), filters.clone().requires_grad_())
    value = patch_response(*arrays, kernel, window)
    cotangents = torch.randn(2, *value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(1))
    one_by_one = [torch.autograd.grad(value, arrays, each, retain_graph=True) for each in cotangents]
    together = torch.autograd.grad(value, arrays, cotangents, is_grads_batched=True)
    for got, expected in zip(together, zip(*one_by_one, strict=True), strict=True):
        torch.testing.assert_close(got, torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_under_torch_func(kernel: Kernel, name: str) -> None:
    x, filters, window = inputs(name)

    def loss(x: torch.Tensor, filters: torch.Tensor) -> Any:
        return patch_response(x, filters, kernel, window).sin().sum()

    def slow(x: torch.Tensor, filters: torch.Tensor) -> Any:
        return patch_response.generic(x, filters, kernel, window).sin().sum()

    for argument in (0, 1):
        expected = torch.func.grad(slow, argument)(x, filters)
        torch.testing.assert_close(torch.func.grad(loss, argument)(x, filters), expected, rtol=1e-9, atol=1e-11)
    one_by_one = torch.stack([torch.func.grad(slow, 1)(image[None], filters) for image in x])
    mapped = torch.func.vmap(torch.func.grad(loss, 1), (0, None))(x[:, None], filters)
    torch.testing.assert_close(mapped, one_by_one, rtol=1e-9, atol=1e-11)

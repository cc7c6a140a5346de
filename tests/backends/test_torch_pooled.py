"""Responses pooled in blocks of images: values, gradients, their gradients, and when others do the work."""

from typing import Any

import pytest
import torch
from kerneltools_torch import convolutions, responses

from kerneltools.kernels import Homogeneous, Kernel
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches.responses import pooled_response
from kerneltools.pooling import Gaussian, Mean
from kerneltools.primitives import Window
from tests.backends.test_overrides import WINDOWS

KERNELS = [Homogeneous(profile) for profile in (Exponential(0.6), Power(2), Power(3))]
SOME = {name: WINDOWS[name][1] for name in ("2-d", "2-d uneven padding", "2-d strided and dilated")}


@pytest.fixture(autouse=True)
def _blocks_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "pays", lambda *arrays: True)
    monkeypatch.setattr(convolutions, "pays", lambda *arrays: True)
    monkeypatch.setattr(responses, "BLOCK", 2)


def inputs(window: Window) -> tuple[torch.Tensor, torch.Tensor]:
    """Five images, of which each is a block, and filters with a gradient."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 9, 8, 2, dtype=torch.float64, generator=generator)
    x[1, :4] = 0.0
    filters = torch.randn(3, len(window.offsets()) * 2, dtype=torch.float64, generator=generator)
    return x, torch.nn.functional.normalize(filters).reshape(3, -1, 2).requires_grad_()


def goes_by_blocks(value: torch.Tensor) -> bool:
    return "SavingRule" in type(value.grad_fn).__name__


@pytest.mark.parametrize("images", [1, 2, 4])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_in_blocks(kernel: Kernel, name: str, stride: int, images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, filters = inputs(SOME[name])
    positions = SOME[name].output_shape((9, 8))
    monkeypatch.setattr(responses, "BLOCK", images * positions[0] * positions[1] * 3)
    arguments = (kernel, SOME[name], Gaussian(stride))
    value, expected = pooled_response(x, filters, *arguments), pooled_response.generic(x, filters, *arguments)
    assert goes_by_blocks(value)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)
    cotangent = torch.randn(value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(1))
    got, wanted = (torch.autograd.grad(y, filters, cotangent)[0] for y in (value, expected))
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_gradients_twice(kernel: Kernel) -> None:
    x, filters = inputs(SOME["2-d"])

    def of(filters: torch.Tensor) -> Any:
        value = pooled_response(x[:2, :4, :4], filters, kernel, SOME["2-d"], Gaussian(2))
        assert goes_by_blocks(value)
        return value

    assert torch.autograd.gradcheck(of, (filters,))
    assert torch.autograd.gradgradcheck(of, (filters,))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_several_cotangents_at_once(kernel: Kernel) -> None:
    x, filters = inputs(SOME["2-d"])
    value = pooled_response(x, filters, kernel, SOME["2-d"], Gaussian(2))
    cotangents = torch.randn(2, *value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(1))
    one_by_one = [torch.autograd.grad(value, filters, each, retain_graph=True)[0] for each in cotangents]
    (together,) = torch.autograd.grad(value, filters, cotangents, is_grads_batched=True)
    torch.testing.assert_close(together, torch.stack(one_by_one), rtol=1e-10, atol=1e-12)


def test_others_do_the_work_elsewhere() -> None:
    x, filters = inputs(SOME["2-d"])
    kernel, window, pool = KERNELS[0], SOME["2-d"], Gaussian(2)

    def of(x: torch.Tensor, filters: torch.Tensor) -> Any:
        return pooled_response(x, filters, kernel, window, pool).sin().sum()

    # Images with a gradient, transforms, other pools, a single image, and where nothing is recorded.
    for images, to in ((x.clone().requires_grad_(), pool), (x, Mean(2)), (x, Gaussian(1)), (x[:1], pool)):
        assert not goes_by_blocks(pooled_response(images, filters, kernel, window, to))
    assert pooled_response(x, filters.detach(), kernel, window, pool).grad_fn is None
    plain = filters.detach()
    expected = torch.autograd.grad(of(x, filters), filters)[0]
    torch.testing.assert_close(torch.func.grad(of, 1)(x, plain), expected, rtol=1e-10, atol=1e-12)
    mapped = torch.func.vmap(torch.func.grad(of, 1), (0, None))(x[:, None], plain)
    torch.testing.assert_close(mapped.sum(0), expected, rtol=1e-10, atol=1e-12)

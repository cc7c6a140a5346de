"""PyTorch under the Backend protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from array_api_compat import torch as namespace

from kerneltools.arrays import Array, Device, Namespace, add_compiler, named_dtype
from kerneltools.autodiff.arguments import over_trees
from kerneltools.backend import Backward, Forward, to_host
from kerneltools_torch import gradients
from kerneltools_torch.overrides import OVERRIDES


@dataclass(frozen=True)
class TorchBackend:
    """Torch tensors, on the host, on CUDA devices and on Apple's GPUs. Gradients are those of torch.func.

    `value_and_grad` takes parameters (torch.nn.Parameter) at their values; other tensors that require gradients stay
    connected, in the arguments of f and in its closure. While a gradient is computed, tensors have no NumPy array:
    choose landmarks and the like before.
    """

    name: str = "torch"

    @property
    def namespace(self) -> Namespace:
        return namespace

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        return OVERRIDES

    def owns(self, array: Any) -> bool:
        return isinstance(array, torch.Tensor)

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        """As the protocol says. A writable NumPy array shares its memory with the tensor."""
        place, wanted = _require_device(device), named_dtype(torch, dtype)
        if not hasattr(x, "dtype"):
            # Lists and Python numbers get torch's default type, float32, when no other is asked for.
            return torch.tensor(x, dtype=wanted, device=place)
        tensor = x if isinstance(x, torch.Tensor) else _from_numpy(to_host(x))
        return tensor.to(device=place, dtype=wanted)

    def to_numpy(self, array: Array) -> Any:
        """As the protocol says; bfloat16, which NumPy lacks, becomes float32."""
        host = array.detach().cpu().resolve_conj().resolve_neg()
        return (host.to(torch.float32) if host.dtype == torch.bfloat16 else host).numpy()

    def devices(self) -> tuple[str, ...]:
        cuda = (f"cuda:{i}" for i in range(torch.cuda.device_count()))
        return ("cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else []))

    def synchronize(self, array: Array) -> None:
        if array.device.type == "cuda":
            torch.cuda.synchronize(array.device)
        elif array.device.type == "mps":
            torch.mps.synchronize()

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        return over_trees(gradients.differentiate_alone if alone else gradients.differentiate, f, argnums)

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        return gradients.custom_vjp(forward, backward)

    def stop_gradient(self, array: Array) -> Array:
        return array.detach()

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(f)


def _require_device(device: Device) -> Device:
    """The device itself. Raises ValueError, with the existing ones, for one that does not exist."""
    if device is None:
        return None
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):
        wanted = None
    names = BACKEND.devices()
    if wanted is None or not {wanted.type, f"{wanted.type}:{wanted.index or 0}"} & set(names):
        raise ValueError(f"device: expected one of {', '.join(names)}, got {str(device)!r}")
    return wanted


def _from_numpy(x: Any) -> torch.Tensor:
    """A tensor over the memory of a NumPy array if torch can write to it, otherwise over a copy."""
    native = np.asarray(x, dtype=x.dtype.newbyteorder("="))
    shareable = native.flags.writeable and min(native.strides, default=0) >= 0
    return torch.from_numpy(native if shareable else native.copy())


add_compiler(torch.compiler.is_compiling)

BACKEND = TorchBackend()

"""CuPy under the Backend protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cupy
from array_api_compat import cupy as namespace
from array_api_compat import to_device

from kerneltools import autodiff
from kerneltools.arrays import Array, Device, Namespace, named_dtype
from kerneltools.backend import Backward, Forward, to_host
from kerneltools_cupy.overrides import OVERRIDES


@dataclass(frozen=True)
class CupyBackend:
    """CuPy arrays, on CUDA devices. Gradients come from the tape."""

    name: str = "cupy"

    @property
    def namespace(self) -> Namespace:
        return namespace

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        return OVERRIDES

    def owns(self, array: Any) -> bool:
        return isinstance(array, cupy.ndarray)

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        """As the protocol says. Raises RuntimeError if CuPy finds no CUDA device."""
        if not self.devices():
            raise RuntimeError(
                "CuPy finds no CUDA device: it needs an NVIDIA GPU and its driver; compute with the backend "
                "'numpy' instead"
            )
        place = self._place(device)
        wanted = named_dtype(namespace, dtype)
        if isinstance(x, cupy.ndarray):
            moved = x if place in (None, x.device) else to_device(x, place)
            return moved if wanted is None else moved.astype(wanted, copy=False)
        return self.namespace.asarray(to_host(x) if hasattr(x, "dtype") else x, dtype=wanted, device=place)

    def to_numpy(self, array: Array) -> Any:
        return array.get()

    def devices(self) -> tuple[str, ...]:
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError:
            return ()
        return tuple(f"cuda:{i}" for i in range(count))

    def synchronize(self, array: Array) -> None:
        array.device.synchronize()

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        return autodiff.value_and_grad(f, argnums)

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        # A CuPy array carries no gradient; a traced one belongs to the tape, which has its own.
        return forward

    def stop_gradient(self, array: Array) -> Array:
        return array

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f

    def _place(self, device: Device) -> Device:
        """CuPy's own device, from its name or itself. Raises ValueError, with the existing ones, for another name."""
        if not isinstance(device, str):
            return device
        name = "cuda:0" if device == "cuda" else device
        if name not in self.devices():
            raise ValueError(f"device: expected one of {', '.join(self.devices())}, got {device!r}")
        return cupy.cuda.Device(int(name.removeprefix("cuda:")))


BACKEND = CupyBackend()

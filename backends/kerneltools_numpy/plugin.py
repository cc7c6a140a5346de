"""NumPy under the Backend protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import numpy as namespace

from kerneltools import autodiff
from kerneltools.arrays import Array, Device, Namespace
from kerneltools.backend import Backward, Forward, backend_of
from kerneltools_numpy.overrides import OVERRIDES


@dataclass(frozen=True)
class NumpyBackend:
    """NumPy arrays, on the host."""

    name: str = "numpy"

    @property
    def namespace(self) -> Namespace:
        return namespace

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        return OVERRIDES

    def owns(self, array: Any) -> bool:
        return isinstance(array, np.ndarray | np.generic)

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        if device not in (None, "cpu"):
            raise ValueError(f"device: NumPy has only 'cpu', got {device!r}")
        owner = backend_of(x)
        if owner not in (None, self):
            x = owner.to_numpy(x)
        elif owner is None and hasattr(x, "__dlpack__"):
            x = np.from_dlpack(x)
        return np.asarray(x, dtype=dtype)

    def to_numpy(self, array: Array) -> Any:
        return np.asarray(array)

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def synchronize(self, array: Array) -> None:
        """NumPy computes at once: there is nothing to wait for."""

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        return autodiff.value_and_grad(f, argnums)

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        # A NumPy array carries no gradient; a traced one belongs to the tape, which has its own.
        return forward

    def stop_gradient(self, array: Array) -> Array:
        return array

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f


BACKEND = NumpyBackend()

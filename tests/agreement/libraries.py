"""The array libraries that are held against NumPy, each in one line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from kerneltools import autodiff
from kerneltools.backend import Backend, backend
from kerneltools.trees import map_leaves
from tests.strict import to_numpy, to_strict


@dataclass(frozen=True)
class Library:
    """Where and how a function is run.

    `root`: the name of its backend, or array_api_strict, which has none. `examples`: how many are drawn by
    default; JAX compiles each operation anew for each shape, so it gets few, of few sizes.
    """

    name: str
    title: str
    root: str
    device: str | None = None
    read_only: bool = False
    jit: bool = False
    examples: int = 6

    @property
    def strict(self) -> bool:
        return self.root == "array_api_strict"

    @property
    def cuda(self) -> bool:
        return self.device is not None and self.device.startswith("cuda")

    @property
    def few_sizes(self) -> bool:
        return self.root == "jax"

    @property
    def backend(self) -> Backend:
        return backend(self.root)

    def missing(self) -> str | None:
        """Why it cannot be run here; None where it can."""
        if self.cuda and not any(name.startswith("cuda") for name in _devices(self.root)):
            return f"{self.title}: no CUDA device"
        return None

    def array(self, values: Any) -> Any:
        """A NumPy array (or number) as an array of the library, on the device."""
        host = np.array(values)
        if self.strict:
            return to_strict(host, _strict_device(self.device))
        host.flags.writeable = not self.read_only
        return self.backend.asarray(host, device=self.device)

    def tree(self, tree: Any) -> Any:
        """A tree with its NumPy arrays moved; what is no array stays."""
        return map_leaves(lambda leaf: self.array(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)

    def numpy(self, array: Any) -> np.ndarray:
        return to_numpy(array) if self.strict else self.backend.to_numpy(array)

    def owns(self, array: Any) -> bool:
        """Whether it is an array of the library, on the device."""
        if self.strict:
            return isinstance(array, type(to_strict(0.0))) and array.device == _strict_device(self.device)
        on_device = self.device is None or str(array.device).lower().startswith(self.device.partition(":")[0])
        return self.backend.owns(array) and (on_device or not isinstance(array.device, str))

    def run(self, f: Callable[..., Any], *args: Any) -> Any:
        """f(*args), compiled where that is what is tested."""
        return (self.backend.jit(f) if self.jit else f)(*args)

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[..., Any]:
        if self.strict:
            return autodiff.value_and_grad(f)
        return self.backend.value_and_grad(f)


@cache
def _devices(root: str) -> tuple[str, ...]:
    return backend(root).devices()


def _strict_device(name: str | None) -> Any:
    import array_api_strict

    return array_api_strict.Device(name or "CPU_DEVICE")


NUMPY = Library("numpy", "NumPy", "numpy")
READ_ONLY = Library("numpy-read-only", "NumPy, read-only", "numpy", read_only=True)
TORCH = Library("torch", "PyTorch", "torch")
JAX = Library("jax", "JAX", "jax", examples=1)
JAX_JIT = Library("jax-jit", "JAX, jitted", "jax", jit=True, examples=2)
STRICT = Library("strict", "array_api_strict", "array_api_strict")
STRICT_DEVICE1 = Library("strict-device1", "array_api_strict, device1", "array_api_strict", device="device1")
TORCH_CUDA = Library("torch-cuda", "PyTorch on CUDA", "torch", device="cuda:0")
JAX_CUDA = Library("jax-cuda", "JAX on CUDA", "jax", device="cuda:0", examples=2)
CUPY = Library("cupy", "CuPy", "cupy", device="cuda:0")

LIBRARIES = (NUMPY, READ_ONLY, TORCH, JAX, JAX_JIT, STRICT, STRICT_DEVICE1, TORCH_CUDA, JAX_CUDA, CUPY)


def parameters(libraries: tuple[Library, ...] = LIBRARIES) -> list[Any]:
    """The libraries as parameters of a test; those on CUDA carry the mark."""
    return [pytest.param(x, id=x.name, marks=[pytest.mark.cuda] if x.cuda else []) for x in libraries]

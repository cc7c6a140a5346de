"""JAX under the Backend protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as namespace
import numpy as np

from kerneltools.arrays import Array, Device, Namespace, named_dtype
from kerneltools.autodiff.arguments import over_trees
from kerneltools.backend import Backward, Forward, to_host
from kerneltools_jax import gradients
from kerneltools_jax.overrides import OVERRIDES


@dataclass(frozen=True)
class JaxBackend:
    """JAX arrays, also traced ones. Gradients are those of JAX.

    JAX has 64-bit numbers only in its x64 mode; without it, asking for them is an error here.
    """

    name: str = "jax"

    @property
    def namespace(self) -> Namespace:
        return namespace

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        return OVERRIDES

    def owns(self, array: Any) -> bool:
        return isinstance(array, jax.Array)

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        """As the protocol says. Raises TypeError for 64-bit numbers if JAX's x64 mode is off."""
        wanted, copy = named_dtype(namespace, dtype), None
        if not isinstance(x, jax.Array) and hasattr(x, "dtype"):
            # JAX would share the memory of a NumPy array that happens to be aligned as its own are.
            x, copy = to_host(x), True
            wanted = x.dtype if wanted is None else wanted
        _require_available(wanted)
        return namespace.asarray(x, dtype=wanted, copy=copy, device=_require_device(device))

    def to_numpy(self, array: Array) -> Any:
        """As the protocol says, read-only; bfloat16, which NumPy lacks, becomes float32."""
        if array.dtype == namespace.bfloat16:
            array = array.astype(namespace.float32)
        return np.asarray(array)

    def devices(self) -> tuple[str, ...]:
        return tuple(_devices())

    def synchronize(self, array: Array) -> None:
        array.block_until_ready()

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        return over_trees(gradients.differentiate, f, argnums)

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        return gradients.custom_vjp(forward, backward)

    def stop_gradient(self, array: Array) -> Array:
        return jax.lax.stop_gradient(array)

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(f)


def _require_available(dtype: Any) -> None:
    if dtype is None:
        return
    wanted = namespace.dtype(dtype)
    if jax.dtypes.canonicalize_dtype(wanted) != wanted:
        narrow = str(wanted).replace("64", "32").replace("128", "64")
        raise TypeError(
            f"dtype: {wanted} needs JAX's x64 mode, which is off; ask for dtype={narrow!r}, or begin the program with "
            "jax.config.update('jax_enable_x64', True) (JAX_ENABLE_X64=1 in the environment)"
        )


def _require_device(device: Device) -> Device:
    """The device itself (JAX's own, no string). Raises ValueError, with the existing ones, for an unknown name."""
    if not isinstance(device, str):
        return device
    known = _devices()
    for name in (device, f"{device}:0", device.removesuffix(":0")):
        if name in known:
            return known[name]
    raise ValueError(f"device: expected one of {', '.join(known)}, got {device!r}")


def _devices() -> dict[str, jax.Device]:
    """The devices by name: `cpu` (`cpu:1` for a second virtual one), `cuda:0`, `tpu:0`."""
    return {_name(device): device for device in (*jax.devices("cpu"), *jax.devices())}


def _name(device: jax.Device) -> str:
    platform = device.platform
    if platform == "gpu":
        platform = "cuda" if "cuda" in device.client.platform_version.lower() else "rocm"
    return "cpu" if (platform, device.id) == ("cpu", 0) else f"{platform}:{device.id}"


BACKEND = JaxBackend()

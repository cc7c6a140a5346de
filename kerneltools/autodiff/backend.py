"""The tape under the Backend protocol: it owns traced arrays, so that primitives and hand-written gradients find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kerneltools import arrays
from kerneltools.arrays import Array, Device, Namespace
from kerneltools.autodiff import transforms
from kerneltools.autodiff.array import ADVICE, TapeArray
from kerneltools.autodiff.rules.extensions import OVERRIDES
from kerneltools.backend import TRACED, Backward, Forward, backend_of


class AnyNamespace:
    """A namespace whose functions are those of the arrays that they are called with."""

    __name__ = "kerneltools.autodiff"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            return getattr(arrays.namespace(*_arrays(arguments)), name)(*arguments, **keywords)

        return call


def _arrays(arguments: tuple[Any, ...]) -> list[Array]:
    entries = [entry for a in arguments for entry in (a if isinstance(a, list | tuple) else [a])]
    return [entry for entry in entries if hasattr(entry, "dtype")]


@dataclass(frozen=True)
class TapeBackend:
    """Traced arrays, over whatever library.

    >>> import numpy as np
    >>> from kerneltools.autodiff import value_and_grad
    >>> from kerneltools.backend import backend_of
    >>> def loss(x):
    ...     print(backend_of(x))
    ...     return x @ x
    >>> value_and_grad(loss)(np.array([1.0, 2.0]))
    TapeBackend(name='kerneltools')
    (array(5.), array([2., 4.]))
    """

    name: str = TRACED

    @property
    def namespace(self) -> Namespace:
        return AnyNamespace()

    @property
    def overrides(self) -> Mapping[Callable[..., Array], Callable[..., Array]]:
        return OVERRIDES

    def owns(self, array: Any) -> bool:
        return type(array) is TapeArray

    def asarray(self, x: Any, dtype: Any = None, device: Device = None) -> Array:
        if type(x) is not TapeArray:
            raise TypeError(
                f"x: expected a traced array, got {type(x).__name__}; arrays are traced by value_and_grad only, "
                "make plain ones with the backend of their library"
            )
        xp = x.space
        return xp.asarray(x, dtype=getattr(xp, dtype) if isinstance(dtype, str) else dtype, device=device)

    def to_numpy(self, array: Array) -> Any:
        raise TypeError(f"to_numpy of a traced array would lose its gradient; {ADVICE}")

    def devices(self) -> tuple[str, ...]:
        """None of its own: traced arrays stay on the device of their values."""
        return ()

    def synchronize(self, array: Array) -> None:
        plain = transforms.stop_gradient(array)
        owner = backend_of(plain)
        if owner is not None:
            owner.synchronize(plain)

    def value_and_grad(
        self, f: Callable[..., Array], argnums: int | tuple[int, ...] = 0, *, alone: bool = False
    ) -> Callable[..., Any]:
        return transforms.value_and_grad(f, argnums)

    def custom_vjp(self, forward: Forward, backward: Backward) -> Forward:
        return transforms.custom_vjp(forward, backward)

    def stop_gradient(self, array: Array) -> Array:
        return transforms.stop_gradient(array)

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f


BACKEND = TapeBackend()

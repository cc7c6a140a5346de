"""The libraries that the tape is tested over: NumPy, and the strict namespace on two of its devices."""

from dataclasses import dataclass
from typing import Any

import array_api_compat.numpy
import array_api_strict
import numpy as np
import pytest

from kerneltools.autodiff import TapeArray


@dataclass(frozen=True)
class Library:
    """Where arrays are made for a test."""

    name: str
    xp: Any
    device: Any

    def array(self, values: Any, dtype: str | None = None) -> Any:
        host = np.asarray(values)
        name = host.dtype.name if dtype is None else dtype
        return self.xp.asarray(host, dtype=getattr(self.xp, name), device=self.device)

    def numpy(self, array: Any) -> np.ndarray:
        if self.xp is array_api_strict:
            array = array.to_device(array_api_strict.Device("CPU_DEVICE"))
        return np.asarray(array)


LIBRARIES = [
    Library("numpy", array_api_compat.numpy, "cpu"),
    Library("strict", array_api_strict, array_api_strict.Device("CPU_DEVICE")),
    Library("strict-device1", array_api_strict, array_api_strict.Device("device1")),
]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.name)
def library(request: pytest.FixtureRequest) -> Library:
    return request.param


@pytest.fixture(autouse=True)
def strict_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let strict arrays leave `strict * traced` to the right operand, as NumPy's and CuPy's do.

    Python's protocol asks for NotImplemented where an operand is unknown; array_api_strict raises TypeError.
    """
    strict_array = type(array_api_strict.asarray(0.0))
    check = strict_array._check_type_device

    def lenient(self: Any, other: Any) -> None:
        if not isinstance(other, TapeArray):
            check(self, other)

    monkeypatch.setattr(strict_array, "_check_type_device", lenient)

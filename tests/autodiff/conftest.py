"""The libraries that the tape is tested over: NumPy, and the strict namespace on two of its devices."""

from dataclasses import dataclass
from typing import Any

import array_api_compat.numpy
import array_api_strict
import numpy as np
import pytest


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

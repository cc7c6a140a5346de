"""What all tests share: JAX's settings, hypothesis without deadlines, strict arrays that know the tape's."""

import os
from collections.abc import Iterator
from typing import Any

# JAX reads these once, when it is first imported. float64 is what the libraries are compared in;
# `make test-gpu` sets JAX_PLATFORMS itself.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import array_api_strict
import pytest
from hypothesis import settings

from kerneltools.autodiff import TapeArray

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session", autouse=True)
def strict_hands_over() -> Iterator[None]:
    """Let strict arrays leave `strict * traced` to the right operand, as NumPy's and CuPy's do.

    Python's protocol asks for NotImplemented where an operand is unknown; array_api_strict raises TypeError.
    """
    strict_array = type(array_api_strict.asarray(0.0))
    check = strict_array._check_type_device

    def lenient(self: Any, other: Any) -> None:
        if not isinstance(other, TapeArray):
            check(self, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_array, "_check_type_device", lenient)
        yield

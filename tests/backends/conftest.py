"""The backends that can compute here, one after the other."""

import pytest

from kerneltools.backend import Backend, available, backend

LIBRARIES = tuple(name for name in available() if backend(name).devices())


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Backend:
    return backend(request.param)

"""CuPy without a device: import, wiring, errors. On one (marker `cuda`): numbers against NumPy's."""

import subprocess
import sys

import numpy as np
import pytest

from kerneltools import primitives
from kerneltools.backend import Backend, available, backend

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
cupyx = pytest.importorskip("cupyx")

CUPY = backend("cupy")
DEVICES = CUPY.devices()
without_device = pytest.mark.skipif(bool(DEVICES), reason="there is a CUDA device")
with_device = [
    pytest.mark.cuda,
    pytest.mark.skipif(not DEVICES, reason="no CUDA device: CuPy cannot compute"),
]


def test_protocol_and_announcement() -> None:
    assert isinstance(CUPY, Backend)
    assert "cupy" in available()
    assert CUPY.namespace.__name__ == "array_api_compat.cupy"


def test_owns_nothing_of_others() -> None:
    assert not CUPY.owns(np.zeros(2))


def test_failed_factorisations_raise() -> None:
    assert cupyx.geterr()["linalg"] == "raise"


def test_names_that_the_plugin_takes_from_cupy() -> None:
    for name in ("asarray", "zeros", "eye", "astype", "matmul", "take", "concat", "stack"):
        assert callable(getattr(CUPY.namespace, name))
    for name in ("eigh", "cholesky", "solve", "diagonal"):
        assert callable(getattr(CUPY.namespace.linalg, name))
    assert callable(cupyx.scatter_add)
    assert callable(cupy.ndarray.get)


def test_rules_of_its_own_it_has_none() -> None:
    def forward(x: np.ndarray) -> np.ndarray:
        return x

    assert CUPY.custom_vjp(forward, lambda g, y, x: (g,)) is forward
    assert CUPY.jit(forward) is forward


@without_device
def test_no_device_is_said() -> None:
    assert DEVICES == ()
    with pytest.raises(RuntimeError, match="CuPy finds no CUDA device"):
        CUPY.asarray([1.0])


def test_missing_cupy_is_answered_with_the_extras_for_cuda_versions() -> None:
    code = """
import sys
sys.modules["cupy"] = None
import kerneltools
try:
    kerneltools.backend("cupy")
except ImportError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'kerneltools[cupy12]' or pip install 'kerneltools[cupy13]'" in answer


class TestOnDevice:
    """Run by `make test-gpu`."""

    pytestmark = with_device

    def test_there_and_back(self) -> None:
        x = np.arange(6.0).reshape(2, 3)
        for device in DEVICES:
            array = CUPY.asarray(x, dtype="float32", device=device)
            assert CUPY.owns(array)
            assert f"cuda:{array.device.id}" == device
            CUPY.synchronize(array)
            np.testing.assert_array_equal(CUPY.to_numpy(array), x)

    def test_segment_sum(self) -> None:
        values, segments = np.arange(12.0).reshape(6, 2), np.asarray([0, 2, 2, 0, 4, 2])
        found = primitives.segment_sum(CUPY.asarray(values), CUPY.asarray(segments), 5)
        np.testing.assert_allclose(CUPY.to_numpy(found), primitives.segment_sum(values, segments, 5))

    def test_gradient_from_the_tape(self) -> None:
        x = CUPY.asarray([1.0, 2.0], dtype="float64")
        value, gradient = CUPY.value_and_grad(lambda x: (x * x) @ x)(x)
        assert (float(value), CUPY.to_numpy(gradient).tolist()) == (9.0, [3.0, 12.0])

    def test_failed_cholesky_raises(self) -> None:
        with pytest.raises(np.linalg.LinAlgError):
            CUPY.namespace.linalg.cholesky(CUPY.asarray([[1.0, 2.0], [2.0, 1.0]]))

"""The primitives on the tape: one node each, with the gradient of their generic bodies."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kerneltools import primitives
from kerneltools.arrays import namespace
from kerneltools.autodiff import grad, value_and_grad
from kerneltools.autodiff.graph import Tape
from kerneltools.backend import backend
from kerneltools.linalg import inverse_sqrt
from kerneltools.primitives import Window

RNG = np.random.default_rng(0)
WINDOWS = [
    Window((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    Window((2, 3), (2, 1), ((0, 1), (2, 0)), (1, 1)),
    Window((2, 2), (3, 2), ((0, 0), (0, 0)), (2, 1)),
]
IMAGES = RNG.standard_normal((2, 7, 6, 3))
FACTOR = np.tril(RNG.standard_normal((4, 4))) + 3 * np.eye(4)
SEGMENTS = np.array([2, 0, 2, 2, 3])
ROWS = RNG.standard_normal((5, 4))


@dataclass(frozen=True)
class Case:
    """f(*inputs, *settings), differentiated with respect to the inputs."""

    name: str
    f: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    settings: tuple[Any, ...] = ()


def _patch_gram(x: Any, filters: Any, window: Window) -> Any:
    inner, norms = primitives.patch_gram(x, filters, window)
    return inner * norms[..., None]


def _finite_segment_max(values: Any, segments: Any, count: int) -> Any:
    greatest = primitives.segment_max(values, segments, count)
    xp = namespace(greatest)
    return xp.where(xp.isfinite(greatest), greatest, 0.0)


def _index_add(target: Any, values: Any, index: Any) -> Any:
    return primitives.index_add(target, index, values)


def _solve_triangular(factor: Any, rhs: Any) -> Any:
    # Nothing depends on what is above the diagonal: the generic body, a full solution, must not see it.
    return primitives.solve_triangular(namespace(factor).tril(factor), rhs)


def _patch_cases(k: int, window: Window) -> list[Case]:
    patches = RNG.standard_normal((2, *window.output_shape((7, 6)), window.size[0] * window.size[1], 3))
    filters = RNG.standard_normal((5, *patches.shape[-2:]))
    return [
        Case(f"extract_patches-{k}", primitives.extract_patches, (IMAGES,), (window,)),
        Case(f"fold_patches-{k}", primitives.fold_patches, (patches,), (window, (7, 6))),
        Case(f"patch_gram-{k}", _patch_gram, (IMAGES, filters), (window,)),
    ]


CASES = [
    *(case for k, window in enumerate(WINDOWS) for case in _patch_cases(k, window)),
    Case("segment_sum", primitives.segment_sum, (ROWS,), (SEGMENTS, 5)),
    Case("segment_max", _finite_segment_max, (ROWS,), (SEGMENTS, 5)),
    Case("index_add", _index_add, (RNG.standard_normal((6, 4)), ROWS), (SEGMENTS,)),
    Case("solve_triangular", _solve_triangular, (FACTOR, ROWS[:4])),
]


def _gradients(case: Case, grad: Any, settings: tuple[Any, ...]) -> Callable[..., Any]:
    """All first derivatives of the sum of cubes, and one second derivative."""

    def scalar(*inputs: Any) -> Any:
        out = case.f(*inputs, *settings)
        return namespace(out).sum(out * out * out)

    def sloped(first: Any, *others: Any) -> Any:
        slope = grad(scalar)(first, *others)
        return namespace(slope).sum(slope * slope)

    numbers = tuple(range(len(case.inputs)))
    return lambda *inputs: (*grad(scalar, numbers)(*inputs), grad(sloped)(*inputs))


@cache
def _wanted(number: int) -> tuple[Any, ...]:
    case = CASES[number]
    settings = tuple(jnp.asarray(s) if isinstance(s, np.ndarray) else s for s in case.settings)
    return jax.jit(_gradients(case, jax.grad, settings))(*case.inputs)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_gradients_are_those_of_jax(number: int, library: Any) -> None:
    case = CASES[number]
    settings = tuple(library.array(s) if isinstance(s, np.ndarray) else s for s in case.settings)
    found = _gradients(case, grad, settings)(*map(library.array, case.inputs))
    for a, b in zip(found, _wanted(number), strict=True):
        np.testing.assert_allclose(library.numpy(a), b, rtol=0, atol=1e-12 * np.abs(b).max())


def test_a_primitive_is_one_node() -> None:
    for case in CASES:
        if hasattr(case.f, "generic"):
            tape = Tape()
            case.f(*map(tape.trace, case.inputs), *case.settings)
            assert [node.name for node in tape.nodes if node] == ["input", case.f.__name__]


def test_values_come_from_the_body_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    own = backend("numpy").overrides[primitives.extract_patches]
    table = {primitives.extract_patches: lambda x, window: calls.append(type(x)) or own(x, window)}
    monkeypatch.setattr(type(backend("numpy")), "overrides", table)
    grad(lambda x: namespace(x).sum(primitives.extract_patches(x, WINDOWS[0]) ** 2))(IMAGES)
    assert calls == [np.ndarray]


def test_the_gradient_of_a_window_sum_needs_no_array_for_each_slice() -> None:
    x = RNG.standard_normal((4, 200, 200))
    window = Window((5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1))
    f = lambda x: namespace(x).sum(primitives.window_sum(x, window) ** 2)  # noqa: E731
    grad(f)(x)
    tracemalloc.start()
    grad(f)(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The 25 partial sums of the forward pass are freed as they come; 25 spread slices would be 25 images.
    assert peak < 10 * x.nbytes


def _layer(x: Any, z: Any, width: Any) -> Any:
    """A convolutional kernel layer (Mairal 2016), with mean pooling."""
    xp = namespace(x, z, width)
    inner, squared = primitives.patch_gram(x, z, WINDOWS[0])
    norms = xp.sqrt(squared + 1e-3)[..., None]
    values = norms * xp.exp((inner / norms - 1) / width**2)
    flat = xp.reshape(z, (z.shape[0], -1))
    gram = xp.exp((flat @ xp.matrix_transpose(flat) - 1) / width**2)
    pooled = xp.mean(xp.reshape(values, (2, 3, 2, 3, 2, -1)), axis=(2, 4))
    return xp.sum(xp.sin(pooled @ inverse_sqrt(gram, 1e-2)))


def _layer_inputs() -> tuple[np.ndarray, ...]:
    filters = RNG.standard_normal((5, 9, 3))
    filters /= np.sqrt(np.sum(filters**2, axis=(1, 2), keepdims=True))
    return IMAGES[:, :6, :, :], filters, np.asarray(0.8)


def test_gradients_of_a_kernel_layer_are_central_differences(library: Any) -> None:
    inputs = _layer_inputs()
    value, gradients = value_and_grad(_layer, (0, 1, 2))(*map(library.array, inputs))
    np.testing.assert_allclose(library.numpy(value), _layer(*inputs), rtol=1e-12)
    for k, gradient in enumerate(gradients):
        direction, step = RNG.standard_normal(inputs[k].shape), 1e-5
        ends = [_layer(*inputs[:k], inputs[k] + s * step * direction, *inputs[k + 1 :]) for s in (1, -1)]
        np.testing.assert_allclose(
            np.sum(library.numpy(gradient) * direction), (ends[0] - ends[1]) / (2 * step), rtol=1e-6
        )


def test_hessian_of_a_kernel_layer_is_symmetric() -> None:
    x, z, width = _layer_inputs()
    u, v = RNG.standard_normal((2, *z.shape))

    def product(v: np.ndarray) -> np.ndarray:
        return grad(lambda z: namespace(z).sum(grad(_layer, 1)(x, z, width) * v))(z)

    np.testing.assert_allclose(np.sum(u * product(v)), np.sum(v * product(u)), rtol=1e-10)

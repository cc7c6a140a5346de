"""Every rule, and the derivative of its gradient, against PyTorch; every rule against central differences."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from kerneltools.arrays import device_of, namespace
from kerneltools.autodiff import grad, value_and_grad
from kerneltools.autodiff.rules import COMPOSITES, RULES

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """f(xp, *inputs) for one function of the standard, and its inputs."""

    name: str
    f: Function
    inputs: tuple[np.ndarray, ...]


def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def _uniform(low: float, high: float, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def _positive_definite(*shape: int) -> np.ndarray:
    m = _normal(*shape)
    return m @ np.swapaxes(m, -1, -2) + 0.5 * np.eye(shape[-1])


X = _normal(3, 4)
Y = _normal(3, 4, seed=1)
ROW = _normal(4, seed=2)
COLUMN = _normal(3, 1, seed=3)
POSITIVE = _uniform(0.5, 2.0, 3, 4)
INSIDE = _uniform(-0.9, 0.9, 3, 4)
BATCH = _normal(2, 3, 4)
SQUARE = _normal(4, 4) + 2 * np.eye(4)
SQUARES = _normal(2, 3, 3) + 2 * np.eye(3)
SPD = _positive_definite(4, 4)
SPDS = _positive_definite(2, 3, 3)
TALL = _normal(5, 3)
WITH_ZERO = np.where(np.arange(12).reshape(3, 4) == 5, 0.0, X)


def _unary(name: str, x: np.ndarray) -> Case:
    return Case(name, lambda xp, x: getattr(xp, name)(x), (x,))


def _binary(name: str, x: np.ndarray, y: np.ndarray) -> list[Case]:
    """Of equal shapes, and broadcast on either side."""
    f: Function = lambda xp, x, y: getattr(xp, name)(x, y)  # noqa: E731
    return [
        Case(name, f, pair)
        for pair in [(x, y), (x, y[0]), (x[:, :1], y), (x[0], y[:, :1]), (x, np.asarray(y[1, 1])), (x[None], y[:, :1])]
    ]


ELEMENTWISE = [
    *(_unary(name, X) for name in ("positive", "negative", "abs", "square", "exp", "expm1", "sin", "cos", "tan")),
    *(_unary(name, X) for name in ("atan", "sinh", "cosh", "tanh", "asinh", "real", "conj")),
    *(_unary(name, POSITIVE) for name in ("reciprocal", "sqrt", "log", "log1p", "log2", "log10")),
    *(_unary(name, INSIDE) for name in ("asin", "acos", "atanh")),
    _unary("acosh", 1.1 + POSITIVE),
    *(case for name in ("add", "subtract", "multiply", "maximum", "minimum") for case in _binary(name, X, Y)),
    *(case for name in ("hypot", "logaddexp", "copysign") for case in _binary(name, X, Y)),
    *(case for name in ("divide", "atan2", "pow") for case in _binary(name, POSITIVE, Y + 4)),
    *_binary("remainder", 3 * X, POSITIVE),
    Case("pow", lambda xp, x: x**2 + x**3 + x**1 + x**0 + 2.0**x, (X,)),
    Case("where", lambda xp, x, y: xp.where(x > 0, x * y, y), (X, ROW)),
    Case("where", lambda xp, x: xp.where(x > 0, x * x, 1.0), (X,)),
    Case("clip", lambda xp, x: xp.clip(x, -0.5, 0.7), (X,)),
    Case("clip", lambda xp, x: xp.clip(x, max=0.7) * xp.clip(x, min=-0.1), (X,)),
    Case("clip", lambda xp, x, low: xp.clip(x, low, low + 1.0), (X, np.asarray(-0.3))),
    Case("add", lambda xp, x, y: 1.0 - (2.0 + x) / (3.0 * y) + -x % 3.0 + 1.0 / y - abs(y), (X, POSITIVE)),
]

REDUCTIONS = [
    *(
        Case(name, lambda xp, x, name=name, k=k: getattr(xp, name)(x, **k), (BATCH,))
        for name in ("sum", "mean", "max", "min", "prod", "var", "std")
        for k in ({}, {"axis": 1}, {"axis": (0, -1)}, {"axis": -1, "keepdims": True})
    ),
    *(Case(name, lambda xp, x, name=name: getattr(xp, name)(x, correction=1), (ROW,)) for name in ("var", "std")),
    Case("prod", lambda xp, x: xp.prod(x, axis=1), (WITH_ZERO,)),
    Case("max", lambda xp, x: xp.max(x, axis=0), (np.array([[1.0, 2.0], [1.0, -1.0]]),)),
    Case("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=1), (X,)),
    Case("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=0, include_initial=True), (X,)),
    Case("cumulative_sum", lambda xp, x: xp.cumulative_sum(x), (ROW,)),
    Case("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=1), (POSITIVE,)),
    Case("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True), (POSITIVE,)),
    Case("sort", lambda xp, x: xp.sort(x, axis=0) * xp.sort(x, descending=True), (X,)),
    Case("diff", lambda xp, x: xp.diff(x, axis=0, n=2), (TALL,)),
    Case("diff", lambda xp, x, y: xp.diff(x, prepend=y, append=2.0 * y), (X, COLUMN)),
]

_INDEX = np.array([2, 0, 2, 1])

SHAPING = [
    Case("getitem", lambda xp, x: x[1, ...], (X,)),
    Case("getitem", lambda xp, x: x[1:, ::2] * x[:-1, 1::2], (X,)),
    Case("getitem", lambda xp, x: x[..., None] * x[:, None, :], (X,)),
    Case("getitem", lambda xp, x: x[None, 1:, None, 2], (X,)),
    Case("getitem", lambda xp, x: x[2, 1] * x[0, 0] * x[2, 1], (X,)),
    Case("getitem", lambda xp, x: x[_like(x, _INDEX)], (ROW,)),
    Case("getitem", lambda xp, x: x[_like(x, _INDEX), _like(x, _INDEX)], (X,)),
    Case("take", lambda xp, x: xp.take(x, _like(x, _INDEX), axis=0), (X,)),
    Case("take", lambda xp, x: xp.take(x, _like(x, _INDEX), axis=-1), (X,)),
    Case("take_along_axis", lambda xp, x: xp.take_along_axis(x, _like(x, _INDEX[None, :] % 3), axis=0), (X,)),
    Case("reshape", lambda xp, x: xp.reshape(x, (2, -1)), (X,)),
    Case("expand_dims", lambda xp, x: xp.expand_dims(x, axis=1), (X,)),
    Case("squeeze", lambda xp, x: xp.squeeze(x, axis=1), (COLUMN,)),
    Case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, 3, 4)), (COLUMN,)),
    Case("broadcast_arrays", lambda xp, x, y: xp.multiply(*xp.broadcast_arrays(x, y)), (COLUMN, ROW)),
    Case("meshgrid", lambda xp, x, y: xp.add(*xp.meshgrid(x * x, y)), (ROW, ROW[:2])),
    Case("meshgrid", lambda xp, x, y: xp.add(*xp.meshgrid(x * x, y, indexing="ij")), (ROW, ROW[:2])),
    Case("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (BATCH,)),
    Case("matrix_transpose", lambda xp, x: xp.matrix_transpose(x) * x.mT, (BATCH,)),
    Case("linalg.matrix_transpose", lambda xp, x: xp.linalg.matrix_transpose(x) @ x[0, ...].T.T, (BATCH,)),
    Case("moveaxis", lambda xp, x: xp.moveaxis(x, 0, -1), (BATCH,)),
    Case("flip", lambda xp, x: xp.flip(x, axis=1) * xp.flip(x), (X,)),
    Case("roll", lambda xp, x: xp.roll(x, 2, axis=1) * xp.roll(x, (1, -1), axis=(0, 1)), (X,)),
    Case("tril", lambda xp, x: xp.tril(x, k=1), (BATCH,)),
    Case("triu", lambda xp, x: xp.triu(x, k=-1), (BATCH,)),
    Case("concat", lambda xp, x, y: xp.concat([x, y, x * y], axis=1), (X, COLUMN)),
    Case("concat", lambda xp, x, y: xp.concat([x, y], axis=None), (X, ROW)),
    Case("stack", lambda xp, x, y: xp.stack([x, y, x], axis=-1), (X, Y)),
    Case("unstack", lambda xp, x: xp.multiply(*xp.unstack(x, axis=0)), (BATCH,)),
    Case("tile", lambda xp, x: xp.tile(x, (2, 1, 3)), (X,)),
    Case("repeat", lambda xp, x: xp.repeat(x, 3, axis=1), (X,)),
    Case("repeat", lambda xp, x: xp.repeat(x, _like(x, np.array([2, 0, 1])), axis=0), (X,)),
    Case("astype", lambda xp, x: xp.astype(x, xp.float64), (X,)),
    Case("full_like", lambda xp, x: x * xp.full_like(x, 2.0), (X,)),
]

PRODUCTS = [
    *(
        Case(name, lambda xp, x, y, part=part, f=f: getattr(getattr(xp, part, xp), f)(x, y), pair)
        for name, part, f in [("matmul", "", "matmul"), ("linalg.matmul", "linalg", "matmul")]
        for pair in [
            (X, Y.T),
            (BATCH, Y.T),
            (BATCH, SQUARES[:, :1, :].repeat(4, 1)),
            (X, BATCH.mT),
            (ROW, Y.T),
            (X, ROW),
            (BATCH, ROW),
            (ROW[:3], BATCH),
            (ROW, ROW + 1),
            (BATCH[:, None], _normal(3, 4, 2)),
        ]
    ),
    Case("matmul", lambda xp, x, y: x @ y, (X, Y.T)),
    *(
        Case(name, lambda xp, x, y, part=part: getattr(xp, part, xp).vecdot(x, y, axis=-1), pair)
        for name, part in [("vecdot", ""), ("linalg.vecdot", "linalg")]
        for pair in [(X, Y), (BATCH, Y), (BATCH, ROW)]
    ),
    Case("vecdot", lambda xp, x, y: xp.vecdot(x, y, axis=-2), (BATCH, Y)),
    Case("tensordot", lambda xp, x, y: xp.tensordot(x, y), (BATCH, Y)),
    Case("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=((0, 2), (1, 0))), (BATCH, _normal(4, 2, 5))),
    Case("linalg.tensordot", lambda xp, x, y: xp.linalg.tensordot(x, y, axes=1), (BATCH, _normal(4, 2, 5))),
    Case("linalg.outer", lambda xp, x, y: xp.linalg.outer(x, y), (ROW, TALL[:, 0])),
]


def _symmetric(a: Any) -> Any:
    return (a + a.mT) / 2


def _spectrum(xp: Any, a: Any) -> Any:
    w, v = xp.linalg.eigh(_symmetric(a))
    return w[..., None, :] + v * v  # the signs are free


def _factors(xp: Any, a: Any) -> Any:
    u, s, vt = xp.linalg.svd(a, full_matrices=False)
    return (u * u) @ (s[..., None] * xp.exp(vt * vt))  # the signs are free


def _triangles(xp: Any, a: Any) -> Any:
    q, r = xp.linalg.qr(a)
    return xp.concat([q * q, xp.sin(r * r)], axis=-2)


LINEAR_ALGEBRA = [
    *(Case("linalg.inv", lambda xp, a: xp.linalg.inv(a), (a,)) for a in (SQUARE, SQUARES)),
    *(Case("linalg.det", lambda xp, a: xp.linalg.det(a), (a,)) for a in (SQUARE, SQUARES)),
    *(Case("linalg.slogdet", lambda xp, a: xp.linalg.slogdet(a)[1], (a,)) for a in (SQUARE, SQUARES)),
    Case("linalg.solve", lambda xp, a, b: xp.linalg.solve(a, b), (SQUARE, ROW)),
    Case("linalg.solve", lambda xp, a, b: xp.linalg.solve(a, b), (SQUARE, X.T)),
    Case("linalg.solve", lambda xp, a, b: xp.linalg.solve(a, b), (SQUARES, X)),
    *(Case("linalg.cholesky", lambda xp, a: xp.linalg.cholesky(_symmetric(a)), (a,)) for a in (SPD, SPDS)),
    Case("linalg.cholesky", lambda xp, a: xp.linalg.cholesky(_symmetric(a), upper=True), (SPD,)),
    *(Case("linalg.eigh", _spectrum, (a,)) for a in (SPD, SPDS)),
    Case("linalg.eigvalsh", lambda xp, a: xp.linalg.eigvalsh(_symmetric(a)), (SPD,)),
    *(Case("linalg.svd", _factors, (a,)) for a in (TALL, SQUARES, TALL.T)),
    Case("linalg.svdvals", lambda xp, a: xp.linalg.svdvals(a), (TALL,)),
    *(Case("linalg.qr", _triangles, (a,)) for a in (TALL, SQUARES)),
    *(Case("linalg.diagonal", lambda xp, a, k=k: xp.linalg.diagonal(a, offset=k), (BATCH,)) for k in (0, 1, -1, 2)),
    Case("linalg.trace", lambda xp, a: xp.linalg.trace(a), (BATCH,)),
    *(
        Case("linalg.vector_norm", lambda xp, x, p=p: xp.linalg.vector_norm(x, axis=-1, ord=p), (BATCH,))
        for p in (2, 1, 3, 0, float("inf"), -float("inf"))
    ),
    Case("linalg.vector_norm", lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 2), keepdims=True), (BATCH,)),
    *(
        Case("linalg.matrix_norm", lambda xp, x, p=p: xp.linalg.matrix_norm(x, ord=p), (BATCH,))
        for p in ("fro", "nuc", 2, -2, 1, -1, float("inf"), -float("inf"))
    ),
    Case("linalg.matrix_norm", lambda xp, x: xp.linalg.matrix_norm(x, ord=1, keepdims=True), (BATCH,)),
]

CASES = [*ELEMENTWISE, *REDUCTIONS, *SHAPING, *PRODUCTS, *LINEAR_ALGEBRA]
NAMES = [f"{k}-{case.name}" for k, case in enumerate(CASES)]


def _like(x: Any, values: np.ndarray) -> Any:
    """A constant integer array of the library and device of x."""
    xp = namespace(x)
    return xp.asarray(values, dtype=xp.int64, device=device_of(x))


def _scalar(case: Case, *inputs: Any) -> Any:
    """The function followed by a product with fixed numbers, so that no entry of the gradient is trivial."""
    xp = namespace(inputs[0])
    out = case.f(xp, *inputs)
    weights = np.cos(np.arange(np.prod(tuple(out.shape), dtype=int), dtype=float)).reshape(tuple(out.shape))
    return xp.sum(out * xp.asarray(weights, dtype=xp.float64, device=device_of(inputs[0])))


def _all(case: Case) -> tuple[int, ...]:
    return tuple(range(len(case.inputs)))


def _close(found: np.ndarray, wanted: Any, within: float) -> None:
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=within * max(1.0, np.abs(wanted).max(initial=0)))


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_gradient_is_that_of_torch(case: Case, library: Any) -> None:
    value, gradients = value_and_grad(partial(_scalar, case), _all(case))(*map(library.array, case.inputs))
    tensors = [torch.asarray(x).requires_grad_() for x in case.inputs]
    wanted = _scalar(case, *tensors)
    _close(library.numpy(value), wanted.detach(), 1e-12)
    slopes = torch.autograd.grad(wanted, tensors, allow_unused=True, materialize_grads=True)
    for x, found, slope in zip(case.inputs, gradients, slopes, strict=True):
        assert (found.shape, found.dtype, found.device) == (x.shape, library.xp.float64, library.device)
        _close(library.numpy(found), slope, 1e-9)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_gradient_is_that_of_central_differences(case: Case) -> None:
    step = 1e-5
    gradients = value_and_grad(partial(_scalar, case), _all(case))(*case.inputs)[1]
    for k, gradient in enumerate(gradients):
        direction = _normal(*case.inputs[k].shape, seed=9)
        ends = [
            _scalar(case, *case.inputs[:k], case.inputs[k] + s * step * direction, *case.inputs[k + 1 :])
            for s in (1, -1)
        ]
        _close(np.sum(gradient * direction), (ends[0] - ends[1]) / (2 * step), 1e-7)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_hessian_vector_product_is_that_of_torch(case: Case) -> None:
    direction = _normal(*case.inputs[0].shape, seed=9)
    # A square is added, so that no second derivative is without a graph.
    f = lambda x, *others: _scalar(case, x, *others) + namespace(x).sum(x * x)  # noqa: E731

    found = grad(lambda *inputs: namespace(inputs[0]).sum(grad(f)(*inputs) * direction))(*case.inputs)
    tensors = [torch.asarray(x).requires_grad_() for x in case.inputs]
    (slope,) = torch.autograd.grad(f(*tensors), tensors[:1], create_graph=True)
    (wanted,) = torch.autograd.grad(torch.sum(slope * torch.asarray(direction)), tensors[:1])
    _close(found, wanted, 1e-10)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_gradient_has_the_type_of_its_argument(case: Case) -> None:
    narrow = [x.astype(np.float32) for x in case.inputs]
    gradients = grad(partial(_scalar, case), _all(case))(*narrow)
    assert [g.dtype for g in gradients] == [np.float32] * len(narrow)


def test_an_empty_product_is_one() -> None:
    value, gradient = value_and_grad(lambda x: np.asarray(2.0) * namespace(x).prod(x))(np.zeros(0))
    assert (value, gradient.shape) == (2.0, (0,))


def test_every_rule_has_a_case() -> None:
    without_numbers = {"to_device", "asarray"}  # test_arrays.py
    assert {case.name for case in CASES} == (RULES.keys() | COMPOSITES.keys()) - without_numbers

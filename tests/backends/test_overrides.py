"""Each override is the generic body in other words: the same values, the same gradients."""

import sys
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from kerneltools import alignments, columns, linalg, pairwise, pooling, primitives, transport
from kerneltools.arrays import namespace
from kerneltools.backend import Backend, available, backend
from kerneltools.kernels import Homogeneous, Polynomial
from kerneltools.kernels.profiles import Exponential, Power
from kerneltools.patches import gapped
from kerneltools.patches.responses import patch_response, pooled_response
from kerneltools.primitives import Window

rng = np.random.default_rng(0)


def window(size: Any, stride: Any = 1, padding: Any = (0, 0), dilation: Any = 1) -> Window:
    """A window from numbers for all axes of `size`."""
    rank = len(size)
    pairs = padding if isinstance(padding[0], tuple) else (padding,) * rank
    return Window(size, (stride,) * rank, pairs, (dilation,) * rank)


WINDOWS = {
    "1-d": ((2, 9, 3), window((4,), padding=(1, 2))),
    "1-d strided": ((2, 9, 3), window((3,), stride=2, padding=(1, 1))),
    "2-d": ((2, 6, 5, 3), window((3, 3), padding=(1, 1))),
    "2-d even": ((2, 6, 5, 3), window((2, 2), padding=(0, 1))),
    "2-d uneven padding": ((2, 6, 5, 3), window((3, 2), padding=((1, 1), (0, 2)))),
    "2-d valid": ((1, 6, 5, 1), window((3, 2))),
    "2-d strided and dilated": ((2, 9, 8, 2), window((3, 2), stride=2, padding=(2, 2), dilation=2)),
    "2-d one point": ((2, 4, 4, 3), window((1, 1))),
    "3-d": ((2, 4, 5, 4, 2), window((3, 2, 1), padding=((1, 1), (0, 1), (0, 0)))),
}


def patch_grams() -> Any:
    for shape, w in WINDOWS.values():
        points = int(np.prod(w.size))
        yield (rng.standard_normal(shape), rng.standard_normal((7, points, shape[-1]))), (w,), (0, 1)


def patch_responses() -> Any:
    kernels = (*(Homogeneous(Power(degree)) for degree in (2, 3, 4)), Homogeneous(Exponential(0.6)), Polynomial(2, 1.0))
    for (shape, w), kernel in zip(2 * list(WINDOWS.values()), cycle(kernels), strict=False):
        x, points = rng.standard_normal(shape), int(np.prod(w.size))
        x[-1, 3:6] = 0.0
        filters = rng.standard_normal((7, points, shape[-1]))
        filters /= np.linalg.norm(filters, axis=(1, 2), keepdims=True)
        yield (x, filters), (kernel, w), (0, 1)
        yield (x, filters), (kernel, w), (1,)


def pooled_responses() -> Any:
    for (arrays, (kernel, w), _), s in zip(patch_responses(), cycle((1, 2, 3, 9)), strict=False):
        yield arrays, (kernel, w, pooling.Gaussian(s)), (1,)
        yield arrays, (kernel, w, pooling.Gaussian(s)), (0, 1)


def pooled() -> Any:
    for shape, s in (
        ((2, 7, 5, 3), 2),
        ((2, 9, 3), 3),
        ((2, 7, 5, 3), 9),
        ((1, 1, 8, 2), 3),
        ((1, 4, 5, 3, 2), 2),
        ((0, 4, 5, 3), 2),
        ((2, 4, 5, 0), 2),
    ):
        yield (rng.standard_normal(shape),), (pooling.Gaussian(s),), (0,)


def mixes() -> Any:
    for shape in ((4, 3), (2, 5, 3), (2, 4, 5, 3), (2, 3, 2, 3, 3), (0, 4, 5, 3), (2, 4, 5, 0)):
        yield (rng.standard_normal(shape), rng.standard_normal((shape[-1], 4))), (), (0, 1)


def patches() -> Any:
    for shape, w in WINDOWS.values():
        yield (rng.standard_normal(shape),), (w,), (0,)


def segments() -> Any:
    for numbers in ([0, 2, 2, 0, 4, 2], [3, 3, 3, 3, 3, 3], [0, 1, 2, 3, 4, 5]):
        # Ties, within a segment and beyond it.
        values = np.round(rng.standard_normal((6, 3)))
        yield (values, np.asarray(numbers)), (6,), (0,)
    # Runs long enough to be taken one by one.
    yield (np.round(4 * rng.standard_normal((9, 70))), np.asarray([4, 1, 1, 4, 1, 0, 0, 0, 4])), (6,), (0,)
    yield (np.zeros((0, 3)), np.zeros((0,), dtype=np.int64)), (2,), (0,)


def triangles() -> Any:
    for m, n in ((1, 1), (5, 3)):
        # The generic body reads the whole matrix: what is above the diagonal must be zero.
        yield (np.tril(rng.standard_normal((m, m))) + 2 * np.eye(m), rng.standard_normal((m, n))), (), (1,)


def responses() -> Any:
    scale = 0.1 + np.abs(rng.standard_normal((2, 5, 1)))
    cosine = rng.uniform(-1, 1, (2, 5, 4))
    yield (cosine * scale, scale), (2.5,), (0, 1)
    blank = scale * np.where(scale > np.median(scale), 1.0, 0.0)
    # No derivative in the scale: none exists at 0, where norms have none to pass on.
    yield (cosine * blank, blank), (2.5,), (0,)


def signs() -> Any:
    yield (np.asarray([[-2.0, -0.0, 0.0], [1e-300, np.inf, np.nan]]),), (), (0,)
    yield (rng.standard_normal((3, 4)),), (), (0,)


def distances() -> Any:
    for n, m, d in ((1, 1, 1), (5, 4, 3), (3, 2, 40)):
        # Distances of about 1, of which the sine is no steeper than its argument.
        yield (rng.standard_normal((n, d)), rng.standard_normal((m, d)), (rng.random(d) + 0.5) / d**0.5), (), (0, 1, 2)


def weighted() -> Any:
    for apart, wanted in ((0.0, (0, 1, 2, 3)), (1e5, ())):
        x, y, scale = rng.standard_normal((5, 3)), rng.standard_normal((4, 3)), rng.random(3) + 0.5
        x[2:, 0] += apart
        y[2:, 0] += apart
        # Weights of pairs in one group, as kernels that decay have them.
        near = np.abs(x[:, None, 0] - y[None, :, 0]) < 100
        yield (near * rng.standard_normal((5, 4)) / 5, x, y, scale), (), wanted


def difference_sums(pulled: bool) -> Any:
    for n, m, d in ((1, 1, 1), (5, 4, 3), (90, 80, 9)):
        weights = [rng.standard_normal((n, m)) / max(n, m)] if pulled else []
        rows = [rng.standard_normal((k, d)) for k in (n, m)]
        yield (*weights, *rows, rng.random(d) + 0.5), (), tuple(range(len(weights) + 3)) if n < 90 else ()


def column_sums(pulled: bool) -> Any:
    for n, m, d in ((1, 1, 1), (5, 4, 3)):
        weights = [rng.standard_normal((n, m))] if pulled else []
        rows = [np.abs(rng.standard_normal((k, d))) for k in (n, m)]
        yield (*weights, *rows), (), tuple(range(len(weights) + 2))


def definite(m: int, reg: float) -> Any:
    factor = rng.standard_normal((2, m, max(1, m - 1)))
    return factor @ factor.swapaxes(1, 2) + reg * np.eye(m)


def definites() -> Any:
    for m in (1, 5):
        yield (definite(m, 0.1),), (), ()


def equations() -> Any:
    for m in (1, 5):
        yield (definite(m, 0.1), definite(m, 0.0)), (), ()


def paired(*settings: Any) -> Any:
    """Series of two lengths, few and short: JAX compiles each step of the generic body by itself."""
    x, y = rng.standard_normal((2, 2, 1, 1)), rng.standard_normal((3, 1, 2, 1))
    yield (x, y, np.asarray([[1], [0]]), np.asarray([[1, 2]])), ((1, 2, 3), *settings), (0, 1)


def increments(*settings: Any) -> Any:
    yield (rng.standard_normal((2, 3, 2)),), settings, (0,)


def gaps() -> Any:
    for items, places, greatest in ((3, [[0, 1], [2, 0], [1, 1]], True), (4, [[3, 1, 0]], False)):
        yield (rng.random((items, 2, 2)), np.asarray(places), np.asarray(0.3)), (greatest,), (0, 2)


def plans() -> Any:
    log_k, log_a = rng.standard_normal((2, 2, 3, 2)), np.log(np.full((2, 1, 3), 2 / 3))
    log_a[1, 0] = np.log(1.0), np.log(1.0), transport.LOW
    yield (log_k, log_a), (2,), (0,)


def in_turn() -> Any:
    # With ties.
    yield (np.round(2 * rng.standard_normal((3, 2, 4))),), (), (0,)


def row_by_row() -> Any:
    for n, block in ((1, 3), (7, 3), (6, 3)):
        yield (rng.standard_normal((n, 4)),), (lambda x: x[:, :2] * namespace(x).exp(x[:, 2:]), block), (0,)
        yield (rng.standard_normal((n, 4)),), (lambda x: namespace(x).sum(x * x, axis=1), block), (0,)


def turns() -> Any:
    x, weights = rng.standard_normal((3, 2)), rng.standard_normal((4, 2))
    yield (x, weights, np.asarray([0.5, 2.0])), (0.7,), (0, 1, 2)
    yield (np.zeros((0, 2)), weights, np.asarray(1.0)), (1.0,), ()


CASES = {
    primitives.by_rows: list(row_by_row()),
    primitives.extract_patches: list(patches()),
    primitives.cosine_features: list(turns()),
    primitives.cosines_and_sines: [((9 * rng.standard_normal(shape),), (0.7,), (0,)) for shape in ((3, 4), (0, 2))],
    primitives.patch_gram: list(patch_grams()),
    primitives.mix_channels: list(mixes()),
    patch_response: list(patch_responses()),
    pooled_response: list(pooled_responses()),
    pooling.smoothed: list(pooled()),
    primitives.sign: list(signs()),
    primitives.segment_sum: list(segments()),
    primitives.owner_sum: list(segments()),
    primitives.row_maxima: [((np.round(2 * rng.standard_normal((7, 5))),), (), ())],  # with ties
    primitives.segment_max: list(segments()),
    primitives.solve_triangular: list(triangles()),
    primitives.exponential_response: list(responses()),
    pairwise.scaled_distances: list(distances()),
    pairwise.weighted_differences: list(weighted()),
    linalg.inverse_root: list(definites()),
    linalg.inverse_sqrt_of_definite: [(arrays, (), (0,)) for arrays, *_ in definites()],
    linalg.lyapunov_solution: list(equations()),
    gapped.gapped_ends: list(gaps()),
    gapped.greatest_in_turn: list(in_turn()),
    transport.sinkhorn: list(plans()),
    alignments.alignment_logs: list(paired(3, False)),
    alignments.warping_costs: list(paired()),
    alignments.goursat: list(increments(1)),
    alignments.signature_levels: list(increments(3, 2)),
    **{s.values: list(column_sums(False)) for s in columns.SUMS},
    **{s.pull: list(column_sums(True)) for s in columns.SUMS},
    **{s.values: list(difference_sums(False)) for s in columns.DIFFERENCE_SUMS},
    **{s.pull: list(difference_sums(True)) for s in columns.DIFFERENCE_SUMS},
}
# A minute of compilation for their generic bodies; tests/structures and tests/golden have them on JAX beside numbers
# of NumPy and of others.
STEP_BY_STEP = {p for p in CASES if p.generic.__module__ in (alignments.__name__, gapped.__name__, transport.__name__)}


def is_long(name: str, primitive: Any, number: int) -> bool:
    """Whether its compilation takes seconds: of poolings on JAX, two will do."""
    return primitive in STEP_BY_STEP or (name == "jax" and primitive is pooling.smoothed and number > 1)


OVERRIDDEN = [
    pytest.param(
        name,
        primitive,
        *case,
        id=f"{name}-{primitive.__name__}-{number}",
        marks=pytest.mark.heavy if is_long(name, primitive, number) else (),
    )
    for name in available()
    if backend(name).devices()
    for primitive in backend(name).overrides
    for number, case in enumerate(CASES.get(primitive, ()))
]
# The matrix functions get their gradients one floor up.
DIFFERENTIABLE = [case for case in OVERRIDDEN if case.values[-1]]
# float32: products of at most 27 numbers of size about 1.
TOLERANCES = {"float32": 1e-5, "float64": 1e-13}


def converted(library: Backend, arrays: tuple[Any, ...], dtype: str) -> tuple[Any, ...]:
    return tuple(library.asarray(a, dtype=dtype if a.dtype.kind == "f" else None) for a in arrays)


def outputs(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def test_every_override_has_cases() -> None:
    for name in available():
        # What compiles, or works on blocks, is no body of a primitive: test_programs.py, test_numpy_threads.py.
        assert set(backend(name).overrides) - {primitives.program, primitives.map_blocks} <= set(CASES), name


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("name", "primitive", "arrays", "settings", "wanted"), OVERRIDDEN)
def test_values(name: str, primitive: Any, arrays: Any, settings: Any, wanted: Any, dtype: str) -> None:
    library = backend(name)
    inputs = converted(library, arrays, dtype)
    got, expected = outputs(primitive(*inputs, *settings)), outputs(primitive.generic(*inputs, *settings))
    for a, b in zip(got, expected, strict=True):
        assert (a.dtype, tuple(a.shape)) == (b.dtype, tuple(b.shape))
        np.testing.assert_allclose(library.to_numpy(a), library.to_numpy(b), atol=10 * TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("name", "primitive", "arrays", "settings", "wanted"), DIFFERENTIABLE)
def test_gradients(name: str, primitive: Any, arrays: Any, settings: Any, wanted: Any, dtype: str) -> None:
    library = backend(name)
    inputs = converted(library, arrays, dtype)

    def gradients(body: Any) -> Any:
        def loss(*inputs: Any) -> Any:
            total = library.asarray(0.0, dtype=dtype)
            for output in outputs(body(*inputs, *settings)):
                xp = namespace(output)
                # Segments without rows are -inf, and have no gradient.
                finite = xp.where(xp.isfinite(output), output, xp.zeros_like(output))
                total = total + xp.sum(xp.sin(finite + 1))
            return total

        return library.value_and_grad(loss, wanted)(*inputs)[1]

    for a, b in zip(gradients(primitive), gradients(primitive.generic), strict=True):
        np.testing.assert_allclose(library.to_numpy(a), library.to_numpy(b), atol=100 * TOLERANCES[dtype])


def test_sums_by_owner_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[backend("numpy").overrides[primitives.owner_sum].__module__]
    values, numbers = rng.standard_normal((200, 70)), rng.integers(0, 7, size=200)
    wanted = primitives.owner_sum(values, numbers, 8)
    monkeypatch.setattr(module, "_sparse", lambda: None)
    assert np.allclose(primitives.owner_sum(values, numbers, 8), wanted, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("primitive", [primitives.segment_sum, primitives.segment_max], ids=["sum", "max"])
def test_second_gradients(library: Backend, primitive: Any) -> None:
    (values, numbers), (count,), _ = CASES[primitive][0]
    x, segments, towards = converted(library, (values, numbers, rng.standard_normal(values.shape)), "float64")

    def curved(body: Any) -> Any:
        def slope(x: Any) -> Any:
            xp = namespace(x)

            def loss(x: Any) -> Any:
                found = body(x, segments, count)
                return xp.sum(xp.where(xp.isfinite(found), found, xp.zeros_like(found)) ** 3)

            return xp.sum(library.value_and_grad(loss)(x)[1] * towards)

        return library.to_numpy(library.value_and_grad(slope)(x)[1])

    expected = curved(primitive.generic)
    assert np.any(expected)
    np.testing.assert_allclose(curved(primitive), expected, atol=1e-12)


def test_gradient_of_the_factor(library: Backend) -> None:
    factor, rhs = converted(library, CASES[primitives.solve_triangular][1][0], "float64")

    def gradient(body: Any) -> Any:
        return library.to_numpy(library.value_and_grad(lambda f: namespace(f).sum(body(f, rhs) ** 2))(factor)[1])

    lower = np.tril(gradient(primitives.solve_triangular.generic))
    np.testing.assert_allclose(gradient(primitives.solve_triangular), lower, atol=1e-11)

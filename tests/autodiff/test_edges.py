"""Points where a rule's factors are infinite or nothing is left: each gradient is the limit, and so is the next one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerneltools import columns, linalg, primitives
from kerneltools.arrays import device_of, namespace
from kerneltools.autodiff import grad, value_and_grad, vjp
from kerneltools.primitives import Window
from kerneltools.trees import together

INF = np.inf


def total(name: str) -> Callable[..., Any]:
    """The sum of a function of the namespace."""
    part, _, function = name.rpartition(".")

    def f(*arguments: Any, **settings: Any) -> Any:
        xp = namespace(*arguments)
        return xp.sum(getattr(getattr(xp, part) if part else xp, function)(*arguments, **settings))

    return f


# The function, the point, the gradients in each argument.
LIMITS: list[tuple[str, tuple[float, ...], tuple[float, ...]]] = [
    ("logaddexp", (INF, 0.0), (1.0, 0.0)),
    ("logaddexp", (0.0, INF), (0.0, 1.0)),
    ("logaddexp", (INF, -INF), (1.0, 0.0)),
    ("logaddexp", (-INF, 0.0), (0.0, 1.0)),
    ("logaddexp", (INF, INF), (0.5, 0.5)),
    ("logaddexp", (-INF, -INF), (0.5, 0.5)),
    ("logaddexp", (1e200, 1e200), (0.5, 0.5)),
    ("logaddexp", (800.0, -800.0), (1.0, 0.0)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("hypot", (INF, 1.0), (1.0, 0.0)),
    ("hypot", (1.0, -INF), (0.0, -1.0)),
    ("atan2", (0.0, 0.0), (0.0, 0.0)),
    ("atan2", (1.0, INF), (0.0, 0.0)),
    ("atan2", (INF, 1.0), (0.0, 0.0)),
    ("atan2", (0.0, 1e200), (1e-200, 0.0)),
    ("atan2", (0.0, 1e-200), (1e200, 0.0)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (INF, 0.0), (0.0, INF)),
    ("pow", (INF, -1.0), (0.0, 0.0)),
    ("pow", (-2.0, 2.0), (-4.0, np.nan)),
    ("remainder", (-1.0, INF), (1.0, 1.0)),
    ("remainder", (1.0, INF), (1.0, 0.0)),
    ("divide", (1.0, INF), (0.0, 0.0)),
    ("copysign", (INF, -1.0), (-1.0, 0.0)),
    ("maximum", (INF, INF), (0.5, 0.5)),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the values themselves, such as log(-2)
@pytest.mark.parametrize(("name", "point", "wanted"), LIMITS)
def test_gradients_are_the_limits(library: Any, name: str, point: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    found = grad(total(name), tuple(range(len(point))))(*map(library.array, point))
    np.testing.assert_allclose([float(library.numpy(g)) for g in found], wanted, rtol=1e-12)


POWERS: list[tuple[Callable[[Any], Any], float, float]] = [
    (lambda x: x**0, INF, 0.0),
    (lambda x: x**0, 0.0, 0.0),
    (lambda x: x**1, 0.0, 1.0),
    (lambda x: x**2, INF, INF),
    (lambda x: 0.0**x, 2.0, 0.0),
    (lambda x: (-2.0) ** x, 2.0, np.nan),
    (lambda x: 2.0**x, -INF, 0.0),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("f", "point", "wanted"), POWERS)
def test_powers_of_numbers_and_to_numbers(library: Any, f: Any, point: float, wanted: float) -> None:
    np.testing.assert_equal(float(library.numpy(grad(f)(library.array(point)))), wanted)


NORMS: list[tuple[float, list[float], list[float]]] = [
    *((p, [0.0, 0.0], [0.0, 0.0]) for p in (1, 1.5, 2, 3, 0.5, -1, -3, INF)),
    *((p, [0.0, -2.0], [0.0, -1.0]) for p in (1.5, 2, 3, 0.5)),
    (-1, [0.0, -2.0], [0.0, 0.0]),
]


@pytest.mark.parametrize(("p", "point", "wanted"), NORMS)
def test_norms_at_zeros(library: Any, p: float, point: list[float], wanted: list[float]) -> None:
    rows = np.array([point, [1.0, 2.0]])
    f = lambda x: namespace(x).sum(namespace(x).linalg.vector_norm(x, ord=p, axis=1))  # noqa: E731
    np.testing.assert_allclose(library.numpy(grad(f)(library.array(rows)))[0], wanted, rtol=1e-12)


@pytest.mark.parametrize("p", [0.5, 1.5, 2, 3, -2])
@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_norms_of_numbers_whose_powers_are_out_of_range(library: Any, p: float, unit: float) -> None:
    norm = lambda x: namespace(x).linalg.vector_norm(x, ord=p)  # noqa: E731
    point = np.array([3.0, -4.0, 1.0])
    wanted = value_and_grad(norm)(point)
    value, gradient = value_and_grad(norm)(library.array(unit * point))
    np.testing.assert_allclose(library.numpy(value) / unit, wanted[0], rtol=1e-13)
    np.testing.assert_allclose(library.numpy(gradient), wanted[1], rtol=1e-13)


@pytest.mark.parametrize(("p", "wanted"), [(1.5, [1e-200, 1e-100, 1]), (2, [0, 1e-200, 1]), (3, [0, 0, 1])])
def test_norms_of_small_and_great_numbers(library: Any, p: float, wanted: list[float]) -> None:
    norm = lambda x: namespace(x).linalg.vector_norm(x, ord=p)  # noqa: E731
    value, gradient = value_and_grad(norm)(library.array(np.array([1e-200, 1.0, 1e200])))
    np.testing.assert_allclose(library.numpy(value), 1e200, rtol=1e-13)
    np.testing.assert_allclose(library.numpy(gradient), wanted, rtol=1e-13)


@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_norms_of_infinite_numbers(library: Any, p: float) -> None:
    norm = lambda x: namespace(x).linalg.vector_norm(x, ord=p)  # noqa: E731
    value, gradient = value_and_grad(norm)(library.array(np.array([1.0, -INF])))
    assert float(value) == INF
    np.testing.assert_array_equal(library.numpy(gradient), [0.0, -1.0])


def cofactors(a: np.ndarray) -> np.ndarray:
    """By minors."""
    n = len(a)
    minors = [[np.delete(np.delete(a, i, 0), j, 1) for j in range(n)] for i in range(n)]
    return np.array([[(-1) ** (i + j) * np.linalg.det(minors[i][j]) for j in range(n)] for i in range(n)])


RNG = np.random.default_rng(0)
NARROW = RNG.standard_normal((4, 3)) @ RNG.standard_normal((3, 4))
SINGULAR = [
    np.zeros((1, 1)),
    np.array([[1.0, 2.0], [2.0, 4.0]]),
    np.zeros((2, 2)),
    np.zeros((3, 3)),
    np.diag([1.0, 2.0, 0.0]),
    np.diag([1.0, 0.0, 0.0]),
    NARROW,
    NARROW[:, :2] @ NARROW[:2, :],
    np.eye(3),
    np.diag([1.0, 1.0, 1e-12]),
]


@pytest.mark.parametrize("a", SINGULAR)
def test_det_has_the_cofactors_as_gradient(library: Any, a: np.ndarray) -> None:
    found = library.numpy(grad(total("linalg.det"))(library.array(a)))
    np.testing.assert_allclose(found, cofactors(a), rtol=0, atol=1e-12 * max(1.0, np.abs(a).max() ** len(a)))


@pytest.mark.parametrize("a", SINGULAR)
def test_det_has_second_derivatives_at_singular_matrices(library: Any, a: np.ndarray) -> None:
    direction = np.random.default_rng(1).standard_normal(a.shape)
    v = library.array(direction)
    found = grad(lambda a: namespace(a).sum(grad(total("linalg.det"))(a) * v))(library.array(a))
    # Cofactors are polynomials of degree n - 1 <= 3: this difference quotient is exact.
    at = [cofactors(a + t * direction) for t in (-2.0, -1.0, 1.0, 2.0)]
    wanted = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / 12
    np.testing.assert_allclose(library.numpy(found), wanted, rtol=0, atol=1e-11 * max(1.0, np.abs(wanted).max()))


# Their determinants, or products of some entries, are no numbers; these are the cofactors.
FAR = [
    (np.diag([1e200, 1e200, 1e-200]), np.diag([1.0, 1.0, INF])),
    (np.diag([1e200, 1e200, 0.0]), np.diag([0.0, 0.0, INF])),
    (np.diag([1e200, 1e-200, 0.0]), np.diag([0.0, 0.0, 1.0])),
    (np.diag([1e120, 1e120, 1e120]), np.diag([1e240, 1e240, 1e240])),
    (np.diag([1e-300, 1e-300]), np.diag([1e-300, 1e-300])),
    (np.array([[1e200, 2e200], [3e-200, 4e-200]]), np.array([[4e-200, -3e-200], [-2e200, 1e200]])),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of values that are infinite
@pytest.mark.parametrize(("a", "wanted"), FAR)
def test_cofactors_beside_products_that_are_out_of_range(library: Any, a: np.ndarray, wanted: np.ndarray) -> None:
    det = total("linalg.det")
    found = library.numpy(grad(det)(library.array(a)))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    second = grad(lambda a: grad(det)(a)[0, 0])(library.array(a))
    assert not np.isnan(library.numpy(second)).any()
    if len(a) == 2:
        np.testing.assert_allclose(library.numpy(second), [[0.0, 0.0], [0.0, 1.0]], rtol=1e-12, atol=1e-12)


def test_third_derivatives_of_det(library: Any) -> None:
    third = grad(lambda a: grad(lambda a: grad(total("linalg.det"))(a)[0, 0])(a)[1, 1])
    a = np.array([[1.0, 2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    # The cofactor of (0, 0) is a_11 a_22 - a_12 a_21.
    np.testing.assert_allclose(library.numpy(third(library.array(a))), np.diag([0.0, 0.0, 1.0]), rtol=0, atol=1e-12)
    with pytest.raises(NotImplementedError, match=r"gradient of linalg\.det: .* singular or nearly so"):
        third(library.array(np.diag([1.0, 2.0, 0.0])))


@pytest.mark.parametrize("a", [np.zeros((2, 2)), np.ones((2, 2)), np.stack([np.eye(2), np.ones((2, 2))])])
def test_slogdet_of_singular_matrices_says_so(library: Any, a: np.ndarray) -> None:
    def log_det(a: Any) -> Any:
        return namespace(a).sum(namespace(a).linalg.slogdet(a)[1])

    with pytest.raises(ValueError, match=r"gradient of linalg\.slogdet: infinite at a singular matrix"):
        grad(log_det)(library.array(a))


def test_det_of_a_stack_with_a_singular_matrix(library: Any) -> None:
    stack = np.stack([np.diag([1.0, 2.0, 0.0]), np.diag([1.0, 2.0, 3.0])])
    found = library.numpy(grad(total("linalg.det"))(library.array(stack)))
    np.testing.assert_allclose(found, [cofactors(a) for a in stack], rtol=0, atol=1e-12)


def test_second_derivatives_at_the_edges_are_numbers(library: Any) -> None:
    for name, point, wanted in [
        ("logaddexp", (INF, 0.0), 0.0),
        ("logaddexp", (2.0, 2.0), 0.25),
        ("hypot", (INF, 1.0), 0.0),
        ("atan2", (0.0, 0.0), 0.0),
    ]:
        x, y = map(library.array, point)
        assert float(library.numpy(grad(grad(total(name)))(x, y))) == pytest.approx(wanted, abs=1e-15)
    cube = lambda x: namespace(x).linalg.vector_norm(x, ord=3)  # noqa: E731
    second = grad(lambda x: namespace(x).sum(grad(cube)(x)))(library.array(np.zeros(2)))
    np.testing.assert_array_equal(library.numpy(second), [0.0, 0.0])


EMPTY: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "mean": (lambda x: namespace(x).mean(x, axis=1), (0, 3)),
    "std": (lambda x: namespace(x).std(x, axis=1), (0, 3)),
    "var": (lambda x: namespace(x).var(x, axis=1), (0, 3)),
    "prod": (lambda x: namespace(x).prod(x, axis=0), (0, 3)),
    "max": (lambda x: namespace(x).max(x, axis=1), (0, 3)),
    "sort": (lambda x: namespace(x).sort(x, axis=0), (0, 3)),
    "diff": (lambda x: namespace(x).diff(x, axis=0), (0, 3)),
    "cumulative_sum": (lambda x: namespace(x).cumulative_sum(x, axis=0, include_initial=True), (0, 3)),
    "cumulative_prod": (lambda x: namespace(x).cumulative_prod(x, axis=0), (0, 3)),
    "matmul": (lambda x: namespace(x).matrix_transpose(x) @ x, (0, 3)),
    "tensordot": (lambda x: namespace(x).tensordot(x, x, axes=2), (0, 3)),
    "det": (lambda x: namespace(x).linalg.det(x), (0, 0)),
    "inv": (lambda x: namespace(x).linalg.inv(x), (0, 0)),
    "solve": (lambda x: namespace(x).linalg.solve(x, x), (0, 0)),
    "norm of order inf": (lambda x: namespace(x).linalg.vector_norm(x, axis=1, ord=INF), (3, 0)),
    "norm of order 3": (lambda x: namespace(x).linalg.vector_norm(x, axis=1, ord=3), (3, 0)),
    "spectral norm": (lambda x: namespace(x).linalg.matrix_norm(x, ord=2), (3, 0)),
    "diagonal": (lambda x: namespace(x).linalg.diagonal(x, offset=5), (3, 3)),
    "diagonal below": (lambda x: namespace(x).linalg.diagonal(x, offset=-5), (3, 3)),
    "trace": (lambda x: namespace(x).linalg.trace(x, offset=5), (3, 3)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_functions_of_nothing(library: Any, name: str) -> None:
    f, shape = EMPTY[name]
    gradient = grad(lambda x: namespace(x).sum(f(x)))(library.array(np.ones(shape)))
    np.testing.assert_array_equal(library.numpy(gradient), np.zeros(shape))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of the value
def test_statistics_of_too_few_numbers_are_nan() -> None:
    for f in (lambda x: namespace(x).mean(x), lambda x: namespace(x).var(x)):
        value, gradient = value_and_grad(f)(np.zeros(0))
        assert np.isnan(value)
        assert gradient.shape == (0,)
    assert np.isnan(grad(lambda x: namespace(x).var(x, correction=2))(np.ones(2))).all()


WINDOW = Window((2, 2), (2, 1), ((1, 1), (0, 1)), (1, 2))


def _whole(like: Any, numbers: list[int]) -> Any:
    xp = namespace(like)
    return xp.asarray(numbers, dtype=xp.int64, device=device_of(like))


def _ones(like: Any, *shape: int) -> Any:
    return namespace(like).ones(shape, dtype=like.dtype, device=device_of(like))


PRIMITIVES: list[tuple[str, Callable[[Any], Any], tuple[int, ...], tuple[int, ...]]] = [
    *(
        (name, f, shape, wanted)
        for n, c in ((0, 3), (2, 0))
        for name, f, shape, wanted in [
            ("patches", lambda x: primitives.extract_patches(x, WINDOW), (n, 6, 6, c), (n, 4, 5, 4, c)),
            ("fold", lambda x: primitives.fold_patches(x, WINDOW, (6, 6)), (n, 4, 5, 4, c), (n, 6, 6, c)),
        ]
    ),
    *(
        (
            "patch_gram",
            lambda x, m=m, c=c: primitives.patch_gram(x, _ones(x, m, 4, c), WINDOW)[0],
            (n, 6, 6, c),
            (n, 4, 5, m),
        )
        for n, c, m in ((0, 3, 2), (2, 0, 2), (2, 3, 0))
    ),
    ("solve_triangular", lambda x: primitives.solve_triangular(_ones(x, 0, 0), x), (0, 2), (0, 2)),
    ("solve_triangular", lambda x: primitives.solve_triangular(_ones(x, 1, 1), x), (1, 0), (1, 0)),
    ("segment_sum", lambda x: primitives.segment_sum(x, _whole(x, []), 2), (0, 3), (2, 3)),
    ("index_add", lambda x: primitives.index_add(x, _whole(x, []), x[:0, :]), (2, 3), (2, 3)),
    ("inverse_sqrt", lambda x: linalg.inverse_sqrt(x, 0.1), (0, 0), (0, 0)),
    ("cholesky_factor", linalg.cholesky_factor, (0, 0), (0, 0)),
    ("upper_product", lambda x: linalg.upper_product(x, _ones(x, 0, 0)), (2, 0), (2, 0)),
    *((s.values.__name__, lambda x, s=s: s(x, _ones(x, 3, 0)), (2, 0), (2, 3)) for s in columns.SUMS),
]  # fmt: skip


@pytest.mark.parametrize(("name", "f", "shape", "wanted"), PRIMITIVES)
def test_primitives_of_nothing(
    library: Any, name: str, f: Any, shape: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    x = library.array(np.ones(shape))
    value, pullback = vjp(f, x)
    assert tuple(value.shape) == wanted
    gradient = pullback(library.array(np.ones(wanted)))[0]
    assert tuple(gradient.shape) == shape


MIXED: dict[str, Callable[[Any, Any], Any]] = {
    "solve": lambda a, b: namespace(a, b).linalg.solve(a, b),
    "solve of a vector": lambda a, b: namespace(a, b).linalg.solve(a, b[:, 0]),
    "solve_triangular": primitives.solve_triangular,
    "index_add": lambda a, b: primitives.index_add(a, _whole(a, [0, 1]), b),
    "matmul": lambda a, b: a @ b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "where": lambda a, b: namespace(a, b).where(a > 0, a, b),
    "maximum": lambda a, b: namespace(a, b).maximum(a, b),
    "hypot": lambda a, b: namespace(a, b).hypot(a, b),
    "vecdot": lambda a, b: namespace(a, b).vecdot(a, b),
    "tensordot": lambda a, b: namespace(a, b).tensordot(a, b),
    "concat": lambda a, b: namespace(a, b).concat([a, b]),
    "stack": lambda a, b: namespace(a, b).stack([a, b]),
    "outer": lambda a, b: namespace(a, b).linalg.outer(a[:, 0], b[:, 0]),
    "sum": lambda a, b: namespace(a).sum(a, dtype=b.dtype) + namespace(b).sum(b),
    "slices": lambda a, b: a[:1, :] * b[:1, :],
}


@pytest.mark.parametrize("name", MIXED)
def test_mixed_types_give_each_gradient_in_its_own(library: Any, name: str) -> None:
    a = library.array(np.eye(2) + 0.1 * np.tri(2), "float32")
    b = library.array(np.array([[1.0, 2.0], [3.0, 4.0]]))
    xp = library.xp

    def f(a: Any, b: Any) -> Any:
        found = MIXED[name](*together(a, b))
        return namespace(found).sum(found)

    single, double = xp.float32, xp.float64
    swapped = (xp.astype(a, double), xp.astype(b, single), (double, single))
    for first, second, types in ((a, b, (single, double)), swapped):
        gradients = grad(f, (0, 1))(first, second)
        assert tuple(g.dtype for g in gradients) == types
        assert grad(f, 0)(first, second).dtype == types[0]
        assert grad(f, 1)(first, second).dtype == types[1]
        nested = grad(lambda x: namespace(x).sum(grad(f, 0)(x, second) * x))(first)  # noqa: B023
        assert nested.dtype == types[0]

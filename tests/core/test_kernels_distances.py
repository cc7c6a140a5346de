"""Distances: digits that float32 keeps, rows that coincide, rows far away; and the kernels that are made of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerneltools import autodiff, backend, kernels, pairwise
from kerneltools.arrays import namespace
from kerneltools.kernels import Exponential, Gaussian, Matern, square_distances
from tests.strict import assert_close, to_numpy, to_strict

LIBRARIES = ("numpy", "torch", "jax", "array_api_strict")


def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x[:, None, :].astype(float) - y[None, :, :].astype(float)) ** 2).sum(axis=-1)


def on(library: str, x: np.ndarray) -> Any:
    return to_strict(x) if library == "array_api_strict" else backend(library).asarray(x)


def clusters(n: int, d: int, apart: float, dtype: str = "float32") -> np.ndarray:
    """Two clusters of unit spread, and some rows twice."""
    x = np.random.default_rng(0).standard_normal((n, d))
    x[n // 2 :, 0] += apart
    x[-4:] = x[:4]
    return x.astype(dtype)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("d", "n"), [(1, 60), (3, 60), (50, 60), (400, 60), (50, 900)])
def test_neighbours_in_far_clusters_keep_their_digits(library: str, d: int, n: int) -> None:
    # |x|² is 2.5e5 here, and the rounding of such numbers in float32 is 0.03: more than many of these distances.
    x = clusters(n, d, apart=1e3)
    got = np.asarray(square_distances(on(library, x), on(library, x)))
    near = exact(x, x) < 1e5
    # Centring rounds each coordinate by at most half an ulp of 500: that much of a distance is lost with the data.
    error = np.abs(np.sqrt(got) - np.sqrt(exact(x, x)))[near]
    assert got.dtype == np.float32
    assert error.max() <= 2e-4


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("apart", [0.0, 1e3])
def test_equal_rows_have_no_distance(library: str, dtype: str, apart: float) -> None:
    x = clusters(300, 20, apart, dtype)
    got = np.asarray(square_distances(on(library, x), on(library, x[::-1].copy())))
    same = exact(x, x[::-1]) == 0
    assert same.sum() == 308
    assert np.all(got[same] == 0)
    assert np.all(got[~same] > 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [3, 700])
def test_all_rows_equal(dtype: str, n: int) -> None:
    # More close pairs than are worth a look one by one.
    x = np.full((n, 5), 1e3 + 1 / 3, dtype)
    x[0, 0] = 0
    expected = np.zeros((n, n), dtype)
    expected[0, 1:] = expected[1:, 0] = float(x[1, 0]) ** 2
    assert_close(square_distances(x, x), expected, 1e-6)
    assert np.all(square_distances(x, x)[1:, 1:] == 0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.sampled_from(["float32", "float64"]))
def test_bodies_agree(n: int, m: int, d: int, dtype: str) -> None:
    rng = np.random.default_rng([n, m, d])
    x, y, scale = (rng.standard_normal(shape).astype(dtype) for shape in ((n, d), (m, d), d))
    for body in (pairwise.scaled_distances, pairwise.scaled_distances.generic):
        got = body(x, y, scale)
        assert got.dtype == dtype
        assert_right(got, exact(*(scale.astype(np.longdouble) * a for a in (x, y))))


def assert_right(got: np.ndarray, wanted: np.ndarray) -> None:
    """To a millionth of each distance, in float64 to 1e-12 of it."""
    within = 1.2e-6 if got.dtype == np.float32 else 1e-12
    assert np.all(np.abs(got - wanted) <= within * wanted)


def offset(x: np.ndarray) -> np.ndarray:
    return x + 1e4


def outliers(x: np.ndarray) -> np.ndarray:
    x[3, 0], x[5] = -999, 1e6
    return x


def far_groups(x: np.ndarray) -> np.ndarray:
    x[len(x) // 2 :, 0] += 1e3
    return x


def a_year_apart(x: np.ndarray) -> np.ndarray:
    x[::2, 0] += 3.15e7
    return x


def many_groups(x: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return x + 1e4 * rng.standard_normal((20, x.shape[1]))[rng.integers(20, size=len(x))]


def mixed_units(x: np.ndarray) -> np.ndarray:
    return x * 10.0 ** np.random.default_rng(1).integers(-6, 7, size=x.shape[1])


def close_pairs(x: np.ndarray) -> np.ndarray:
    half = len(x) // 2
    x[half:] = x[:half] + 0.01 * x[half:]
    return x


def repeated(x: np.ndarray) -> np.ndarray:
    return x[np.random.default_rng(1).integers(10, size=len(x))]


TABLES = (offset, outliers, far_groups, a_year_apart, many_groups, mixed_units, close_pairs, repeated)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("d", [2, 6, 60])
def test_distances_of_tables_as_people_have_them(library: str, dtype: str, table: Any, d: int) -> None:
    x = table(np.random.default_rng(0).standard_normal((700, d))).astype(dtype)
    y = x[::2].copy()
    assert_right(np.asarray(square_distances(on(library, x), on(library, y))), exact_in_long(x, y))


def exact_in_long(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    wide = [array.astype(np.longdouble) for array in (x, y)]
    return sum((a[:, None] - b[None, :]) ** 2 for a, b in zip(wide[0].T, wide[1].T, strict=True))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("d", [3, 60])
def test_a_bad_row_spoils_no_other(library: str, dtype: str, d: int) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((k, d)).astype(dtype) for k in (300, 200))
    for bad in (np.nan, np.inf, -1e25, 1e10, -999.0):
        spoilt_x, spoilt_y = x.copy(), y.copy()
        spoilt_x[2, 1] = spoilt_y[7, 0] = bad
        with np.errstate(invalid="ignore", over="ignore"):
            got = np.asarray(square_distances(on(library, spoilt_x), on(library, spoilt_y)))
        others = np.ix_(np.arange(300) != 2, np.arange(200) != 7)
        assert_right(got[others], exact(x, y)[others])
        assert not np.any(np.isfinite(got[2])) if not np.isfinite(bad) else np.all(got[2] > 1e5)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("table", TABLES)
def test_a_pair_alone_and_among_others(library: str, table: Any) -> None:
    # The kernel's own error: that of the distance in units of the bandwidth, times the slope, at most 1/e.
    x = table(np.random.default_rng(0).standard_normal((120, 7))).astype(np.float32)
    for kernel in (Gaussian(2.0), Matern(2.5, 3.0), kernels.Laplacian(5.0), kernels.Cauchy(2.0), Exponential(4.0)):
        whole = np.asarray(kernel(on(library, x), on(library, x)))
        for i, j in ((0, 1), (4, 119), (3, 5), (60, 7)):
            alone = np.asarray(kernel(on(library, x[i : i + 1]), on(library, x[j : j + 1])))
            np.testing.assert_allclose(whole[i, j], alone[0, 0], rtol=0, atol=2e-6)


def test_no_rows_and_one_column() -> None:
    assert square_distances(np.zeros((0, 3)), np.ones((2, 3))).shape == (0, 2)
    assert square_distances(np.zeros((2, 1)), np.ones((1, 1))).tolist() == [[1.0], [1.0]]


def test_of_two_types() -> None:
    x, y = clusters(5, 3, 0.0), clusters(4, 3, 0.0, "float64")
    assert square_distances(x, y).dtype == np.float64
    assert_close(square_distances(x, y), exact(x, y), 1e-14)


# Rows that coincide: the derivatives below are those of the formula, by hand.
HESSIANS = {  # -κ'' of κ(r) at r = 0: k(x, y) = 1 - |x - y|² h / 2 + ...
    "gaussian": (Gaussian(0.5), 4.0),
    "matern 3/2": (Matern(1.5, 0.5), 3 / 0.25),
    "matern 5/2": (Matern(2.5, 0.5), 5 / 3 / 0.25),
    "matern 9/2": (Matern(4.5, 0.5), 9 / 7 / 0.25),
    "rational quadratic": (kernels.RationalQuadratic(0.5, 1.7), 4.0),
    "wendland 1": (kernels.Wendland(0.5, 1, 3), 3 * 4 / 0.25 + 2 * 4 / 0.25),
    "cauchy": (kernels.Cauchy(0.5), 8.0),
    "periodic": (kernels.Periodic(np.pi, 0.5), 16.0),
}


def slope(value_and_grad: Any, kernel: Any, x: Any, y: Any) -> Any:
    return value_and_grad(lambda t: namespace(t).sum(kernel(t, y)))(x)[1]


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("name", HESSIANS)
def test_derivatives_where_rows_coincide(library: str, name: str) -> None:
    kernel, curvature = HESSIANS[name]
    owner = backend(library)
    host = np.asarray([[0.3, -1.2, 2.0]])
    x, direction = owner.asarray(host), owner.asarray(np.asarray([[1.0, -2.0, 0.5]]))

    def gradient(t: Any) -> Any:
        return slope(owner.value_and_grad, kernel, t, x)

    product = owner.value_and_grad(lambda t: namespace(t).sum(gradient(t) * direction))(x)[1]
    assert np.all(owner.to_numpy(gradient(x)) == 0)
    np.testing.assert_allclose(owner.to_numpy(product), -curvature * owner.to_numpy(direction), rtol=1e-12)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("kernel", [Exponential(0.5), kernels.Laplacian(0.5), kernels.Wendland(1.0, 0, 3)], ids=str)
def test_kinks_have_the_derivative_zero(library: str, kernel: Any) -> None:
    owner = backend(library)
    x = owner.asarray(np.asarray([[0.3, -1.2, 2.0]]))
    assert np.all(owner.to_numpy(slope(owner.value_and_grad, kernel, x, x)) == 0)


@pytest.mark.parametrize("kernel", [Exponential(0.7), Matern(0.5, 0.7), Matern(1.5, 0.7), Matern(2.5, 0.7)], ids=str)
def test_gradients_in_float32_with_the_data_among_the_landmarks(kernel: Any) -> None:
    x = clusters(40, 5, apart=100.0)
    got = slope(autodiff.value_and_grad, kernel, x, x[:10].copy())
    wanted = slope(autodiff.value_and_grad, kernel, x.astype(float), x[:10].astype(float))
    assert np.all(np.isfinite(got))
    assert_close(got, wanted, 1e-3)


def test_a_length_for_each_column() -> None:
    lengths = np.asarray([0.5, 2.0, 10.0])
    x, y = np.random.default_rng(0).standard_normal((2, 5, 3))
    for ard, one in (
        (Gaussian(lengths), Gaussian(1.0)),
        (Matern(2.5, lengths), Matern(2.5, 1.0)),
        (Exponential(lengths), Exponential(1.0)),
        (kernels.RationalQuadratic(lengths), kernels.RationalQuadratic(1.0)),
        (kernels.Laplacian(lengths), kernels.Laplacian(1.0)),
        (kernels.Cauchy(lengths), kernels.Cauchy(1.0)),
        (kernels.Wendland(lengths), kernels.Wendland(1.0)),
        (kernels.Periodic(lengths, 1.0), kernels.Periodic(1.0, 1.0)),
    ):
        assert_close(ard(x, y), one(x / lengths, y / lengths), 1e-13)
        assert not ard.by_inner_products
        assert not ard.euclidean
    with pytest.raises(TypeError, match="Gaussian is not a function of inner products and norms"):
        Gaussian(lengths).from_inner(x @ y.T, 1.0, 1.0)


def test_gradient_in_each_length() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 5, 3))
    lengths = np.asarray([0.5, 2.0, 1.5])
    for make in (Gaussian, Exponential, kernels.Laplacian, kernels.Cauchy, lambda v: kernels.Periodic(2.0, v)):

        def total(v: Any, make: Any = make) -> Any:
            return namespace(v).sum(make(v)(x, y))

        _, got = autodiff.value_and_grad(total)(lengths)
        steps = 1e-6 * np.eye(3)
        wanted = [(total(lengths + step) - total(lengths - step)) / 2e-6 for step in steps]
        np.testing.assert_allclose(got, wanted, rtol=1e-7)


def test_which_are_euclidean() -> None:
    euclidean = Gaussian(1.0), Matern(1.5, 1.0), Exponential(1.0), kernels.RationalQuadratic(1.0), kernels.Wendland(1.0)
    for k in euclidean:
        assert k.euclidean
    for k in (Gaussian(1.0) + Matern(1.5, 2.0), Gaussian(1.0) * Exponential(2.0), 2.0 * Gaussian(np.asarray(1.0)) ** 2):
        assert k.euclidean
    others = kernels.Laplacian(1.0), kernels.Linear(), kernels.On((0,), Gaussian(1.0)), Gaussian(1.0) + kernels.Linear()
    for k in others:
        assert not k.euclidean


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(("offset", "dtype", "within"), [(1e5, "float32", 1e-6), (1.7e9, "float64", 1e-14)])
def test_periods_far_from_the_origin(library: str, offset: float, dtype: str, within: float) -> None:
    x = on(library, np.asarray([[offset], [offset + 0.25], [offset + 1.0]], dtype))
    got = np.asarray(kernels.Periodic(1.0, 1.0)(x, x))[0]
    np.testing.assert_allclose(got, [1.0, np.exp(-1.0), 1.0], atol=within)


def in_groups(n: int, apart: float, seed: int) -> np.ndarray:
    """Three groups of n rows and unit spread."""
    x = np.random.default_rng(seed).standard_normal((3, n, 20))
    x[1] += apart
    x[2, :, 0] -= apart
    return x


DECAYING = Gaussian(4.0) + Matern(1.5, 4.0) + kernels.Laplacian(20.0)


def total(x: Any, y: Any, weights: Any) -> Any:
    return namespace(x, y).sum(DECAYING(x, y) * weights)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("dtype", "apart"), [("float32", 1e4), ("float32", 1e6), ("float64", 1e8)])
def test_gradients_in_far_groups_are_those_of_each_group_alone(library: str, dtype: str, apart: float) -> None:
    x, y = in_groups(10, apart, 0).astype(dtype), in_groups(8, apart, 1).astype(dtype)
    weights = np.random.default_rng(2).standard_normal((30, 24)).astype(dtype)
    derive = autodiff.value_and_grad if library == "array_api_strict" else backend(library).value_and_grad
    arrays = [on(library, a.reshape(-1, a.shape[-1])) for a in (x, y, weights)]
    _, got = derive(total, argnums=(0, 1))(*arrays)
    for group in range(3):
        # Moved to the origin in float64, which is exact; the other groups are too far for any part in it.
        near = [a[group].astype(float) - x[group, 0].astype(float) for a in (x, y)]
        part = weights[10 * group : 10 * group + 10, 8 * group : 8 * group + 8].astype(float)
        _, wanted = autodiff.value_and_grad(total, argnums=(0, 1))(*near, part)
        for gradient, of_group, n in zip(got, wanted, (10, 8), strict=True):
            found = to_numpy(gradient)[n * group : n * group + n]
            # Sums of ten terms, in each of which a few roundings of differences and of slopes are left.
            assert np.abs(found - of_group).max() <= 30 * np.finfo(dtype).eps * np.abs(of_group).max()

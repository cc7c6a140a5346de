"""What kernels refuse, and how they say so."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
import torch

from kerneltools import autodiff, kernels, landmarks, learning, maps, solvers
from kerneltools.arrays import holds, namespace, require_finite
from kerneltools.kernels import Function, Gaussian, Linear, On, Precomputed, as_kernel
from tests.strict import DEVICE1, assert_close, to_numpy, to_strict

X, Y = np.random.default_rng(0).standard_normal((2, 4, 3))

LENGTHS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "Gaussian": ("bandwidth", Gaussian),
    "Matern": ("lengthscale", lambda v: kernels.Matern(1.5, v)),
    "Exponential": ("lengthscale", kernels.Exponential),
    "RationalQuadratic": ("lengthscale", kernels.RationalQuadratic),
    "Laplacian": ("lengthscale", kernels.Laplacian),
    "Cauchy": ("lengthscale", kernels.Cauchy),
    "Wendland": ("radius", kernels.Wendland),
    "Periodic, period": ("period", lambda v: kernels.Periodic(v, 1.0)),
    "Periodic, lengthscale": ("lengthscale", lambda v: kernels.Periodic(1.0, v)),
}
each_length = pytest.mark.parametrize("name", LENGTHS)


@each_length
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_lengths_out_of_range(name: str, value: float) -> None:
    field, make = LENGTHS[name]
    with pytest.raises(ValueError, match=f"{field}: expected a finite number > 0, got"):
        make(value)
    with pytest.raises(ValueError, match=f"{field}: expected finite numbers > 0, got"):
        make(np.asarray([1.0, value, 1.0]))


@each_length
def test_lengths_for_other_columns(name: str) -> None:
    field, make = LENGTHS[name]
    kernel = make(np.ones(2))
    match = rf"{field}: expected a number, or one for each of the 3 columns of x with shape \(4, 3\), got shape \(2,\)"
    with pytest.raises(ValueError, match=match):
        kernel(X, Y)
    with pytest.raises(ValueError, match=match):
        kernel.diag(X)
    with pytest.raises(ValueError, match=rf"{field}: expected a number or \(d,\), one for each column, got shape"):
        make(np.ones((2, 2)))


def test_other_parameters() -> None:
    for nu in (0.0, 1.0, 0.7, -0.5, float("nan")):
        with pytest.raises(ValueError, match=r"nu: expected 0\.5, 1\.5, 2\.5, \.\.\. or infinity"):
            kernels.Matern(nu, 1.0)
    for make, name in (
        (lambda v: kernels.RationalQuadratic(1.0, v), "alpha"),
        (kernels.Chi2, "gamma"),
        (kernels.Sigmoid, "gamma"),
        (kernels.ExponentialDotProduct, "sigma"),
    ):
        with pytest.raises(ValueError, match=f"{name}: expected a finite number > 0, got -1"):
            make(-1)
    with pytest.raises(ValueError, match="offset: expected a finite number, got inf"):
        kernels.Sigmoid(1.0, float("inf"))
    with pytest.raises(ValueError, match="order: expected 0, 1 or 2, got 3"):
        kernels.ArcCosine(3)
    with pytest.raises(ValueError, match="smoothness: expected 0, 1, 2 or 3, got 4"):
        kernels.Wendland(1.0, smoothness=4)
    with pytest.raises(ValueError, match="dimension: expected an integer >= 1, got 0"):
        kernels.Wendland(1.0, dimension=0)
    for exponent in (0, 2.5, True):
        with pytest.raises(
            ValueError,
            match=r"exponent: expected an integer >= 1, got .*, for Linear\(\): other powers > 0",
        ):
            Linear() ** exponent


def test_wendland_of_too_many_columns() -> None:
    kernel = kernels.Wendland(1.0, dimension=2)
    for call in (lambda: kernel(X, Y), lambda: kernel.diag(X)):
        with pytest.raises(ValueError, match=r"dimension: 2 is too small for x with 3 columns, .* dimension=3\)"):
            call()


@pytest.mark.parametrize("kernel", [kernels.Chi2(), kernels.AdditiveChi2(), kernels.Intersection()], ids=str)
def test_histograms_of_negative_numbers(kernel: Any) -> None:
    x, y = np.abs(X), np.abs(Y)
    y[2, 1] = -0.5
    message = r"numbers >= 0 for a kernel of histograms, got -0\.5 in row 2, column 1"
    with pytest.raises(ValueError, match=f"y: expected {message}"):
        kernel(x, y)
    with pytest.raises(ValueError, match=f"x: expected {message}"):
        kernel.diag(y)
    y[2, 1] = np.nan
    with pytest.raises(ValueError, match="got nan in row 2, column 1"):
        kernel(x, y)


def test_histograms_inside_traces() -> None:
    # Numbers are not known there; outside they are.
    kernel, x = kernels.Intersection(), np.abs(X)
    assert_close(np.asarray(jax.jit(kernel)(x, x)), kernel(x, x), 1e-15)
    assert_close(np.asarray(jax.vmap(lambda a: kernel(a, a))(x[None])[0]), kernel(x, x), 1e-15)
    value, _ = autodiff.value_and_grad(lambda t: namespace(t).sum(kernel(t, t)))(x)
    assert_close(value, kernel(x, x).sum(), 1e-15)
    batch = torch.func.vmap(lambda a: kernel(a, a))(torch.asarray(x[None]))
    assert_close(batch[0].numpy(), kernel(x, x), 1e-15)


def test_parameters_inside_traces() -> None:
    def total(v: Any) -> Any:
        return namespace(v).sum(Gaussian(v)(X, Y))

    lengths = np.asarray([0.5, 1.0, 2.0])
    wanted = total(lengths)
    assert_close(np.asarray(jax.jit(lambda v: Gaussian(v)(X, Y).sum())(lengths)), wanted, 1e-14)
    assert_close(autodiff.value_and_grad(total)(lengths)[0], wanted, 1e-14)
    x, y = torch.asarray(X), torch.asarray(Y)
    many = torch.func.vmap(lambda v: Gaussian(v)(x, y).sum())(torch.asarray(lengths)[None])
    assert_close(many.numpy(), np.asarray([wanted]), 1e-14)


def test_plain_rows_and_traced_parameters() -> None:
    # The one traced array may be any of the parameters.
    for make, x in (
        (lambda v: kernels.RationalQuadratic(1.0, v), X),
        (lambda v: kernels.Periodic(v, 1.0), X),
        (lambda v: kernels.Periodic(1.0, v), X),
        (lambda v: kernels.Sigmoid(0.5, v), X),
        (kernels.Sigmoid, X),
        (kernels.ExponentialDotProduct, X),
        (kernels.Chi2, np.abs(X)),
        (lambda v: kernels.Matern(1.5, v), X),
        (kernels.Wendland, X),
        (lambda v: Gaussian(1.0) * v, X),
        (lambda v: kernels.Polynomial(2, v), X),
    ):

        def total(v: Any, make: Any = make, x: Any = x) -> Any:
            return namespace(v).sum(make(v)(x, x))

        _, slope = autodiff.value_and_grad(total)(np.asarray(1.3))
        wanted = (total(np.asarray(1.3 + 1e-6)) - total(np.asarray(1.3 - 1e-6))) / 2e-6
        np.testing.assert_allclose(slope, wanted, rtol=1e-7)


@pytest.mark.parametrize("make", [np.matrix, np.ma.masked_array])
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_arrays_with_other_operators(make: Any) -> None:
    for call in (
        lambda x: Gaussian(1.0)(x, Y),
        lambda x: Linear().diag(x),
        lambda x: maps.nystrom(Gaussian(1.0), x),
        lambda x: maps.nystrom(Gaussian(1.0), Y)(x),
        lambda x: landmarks.KMeans(2)(Linear(), x, 0),
        lambda x: solvers.ridge(x, Y, 0.1),
    ):
        with pytest.raises(TypeError, match=r"(x|points): expected a plain array, got a (matrix|MaskedArray), whose"):
            call(make(X))


def test_integers_of_numpy_are_integers() -> None:
    three = np.int64(3)
    assert_close(kernels.Polynomial(three)(X, Y), kernels.Polynomial(3)(X, Y), 0)  # type: ignore[arg-type]
    assert_close((Linear() ** three)(X, Y), (Linear() ** 3)(X, Y), 0)  # type: ignore[operator]
    assert kernels.Matern(np.float32(1.5), 1.0) == kernels.Matern(1.5, 1.0)
    assert kernels.Matern(np.float32(1.5), 1.0)(X.astype("f4"), Y.astype("f4")).dtype == np.float32
    assert landmarks.KMeans(three)(Linear(), X, 0).points.shape == (3, 3)  # type: ignore[arg-type]
    assert maps.fourier(Gaussian(1.0), three, np.int64(8), 0).dimension == 8  # type: ignore[arg-type]
    for wrong in (True, 2.0, np.float64(2.0), np.int64(0), "2", None):
        with pytest.raises(ValueError, match="m: expected an integer >= 1, got"):
            landmarks.KMeans(wrong)(Linear(), X, 0)  # type: ignore[arg-type]


def test_parameters_of_another_library() -> None:
    with pytest.raises(TypeError, match=r"several libraries in one call: numpy.ndarray, torch.Tensor"):
        Gaussian(torch.asarray([0.5, 1.0, 2.0]))(X, Y)
    two = torch.asarray(2.0)
    for kernel in (
        kernels.Laplacian(two),
        kernels.RationalQuadratic(1.0, two),
        kernels.Periodic(two, 1.0),
        kernels.Polynomial(2, two),
        kernels.Sigmoid(two),
        kernels.ExponentialDotProduct(two),
        kernels.Homogeneous(kernels.profiles.Exponential(two)),
        two * Linear(),
    ):
        with pytest.raises(TypeError, match=r"several libraries in one call: numpy.ndarray, torch.Tensor"):
            kernel(X, Y)
    with pytest.raises(TypeError, match=r"several libraries in one call: numpy.ndarray, torch.Tensor"):
        maps.Scaled(two, maps.fourier(Gaussian(1.0), 3, 8, 0))(X)
    with pytest.raises(ValueError, match="arrays on several devices in one call"):
        Gaussian(to_strict(np.ones(3), DEVICE1))(to_strict(X), to_strict(Y))


def test_offsets() -> None:
    for kernel, wrong in ((kernels.Polynomial, -1.0), (kernels.Sigmoid, np.nan), (kernels.Polynomial, np.inf)):
        for value in (wrong, np.float32(wrong), np.asarray(wrong)):
            with pytest.raises(ValueError, match=r"offset: expected a finite number.*, got"):
                kernel(2, value)  # type: ignore[operator]
        with pytest.raises(TypeError, match=r"offset: expected a finite number.* or an array, got 'a'"):
            kernel(2, "a")  # type: ignore[operator]


def test_what_is_no_kernel_in_composites() -> None:
    for make, name in (
        (lambda k: kernels.Sum((Linear(), k)), "terms"),
        (lambda k: kernels.Product((k,)), "factors"),
        (lambda k: kernels.Scaled(2.0, k), "kernel"),
        (lambda k: kernels.Power(k, 2), "kernel"),
    ):
        with pytest.raises(TypeError, match=rf"{name}: expected kernels, got 3"):
            make(3)
    with pytest.raises(ValueError, match="terms: expected at least one kernel, got none"):
        kernels.Sum(())
    assert kernels.Sum([Linear(), Gaussian(1.0)]).terms == (Linear(), Gaussian(1.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"nu: expected 0.5, .* got 'a'"):
        kernels.Matern("a", 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"columns: expected distinct integers >= 0, .* got \(-1,\)"):
        On(-1, Linear())  # type: ignore[arg-type]


def test_columns() -> None:
    kernel = On([2, 0], Gaussian(np.asarray([1.0, 3.0])))  # type: ignore[arg-type]
    assert kernel.columns == (2, 0)
    assert_close(kernel(X, Y), kernel.kernel(X[:, [2, 0]], Y[:, [2, 0]]), 1e-15)
    for columns in ((), (0, 0), (-1,), (0.5,), (True,)):
        with pytest.raises(ValueError, match=r"columns: expected distinct integers >= 0, at least one, got"):
            On(columns, Linear())
    with pytest.raises(ValueError, match=r"columns: there is no column 3 in x of shape \(4, 3\)"):
        On((0, 3), Linear())(X, Y)
    with pytest.raises(TypeError, match="kernel: expected a kernel, got 2"):
        On((0,), 2)  # type: ignore[arg-type]


def test_precomputed() -> None:
    matrix = X @ X.T
    kernel = Precomputed(matrix)
    i, j = np.asarray([[3.0], [0.0], [3.0]]), np.asarray([[1.0], [2.0]], np.float32)
    assert_close(kernel(i, j), matrix[[3, 0, 3]][:, [1, 2]], 1e-15)
    assert_close(kernel.diag(i), matrix.diagonal()[[3, 0, 3]], 1e-15)
    strict = Precomputed(to_strict(matrix, DEVICE1))(to_strict(i, DEVICE1), to_strict(i, DEVICE1))
    assert_close(to_numpy(strict), kernel(i, i), 1e-15)
    for bad in (4.0, -1.0, 0.5, np.nan):
        with pytest.raises(ValueError, match=rf"y: expected row numbers 0 to 3 .*, got {bad} in row 1, column 0"):
            kernel(i, np.asarray([[0.0], [bad]]))
    with pytest.raises(ValueError, match=r"x: expected \(n, 1\), row numbers of the matrix, got shape \(4, 3\)"):
        kernel(X, Y)
    with pytest.raises(ValueError, match=r"matrix: expected a square matrix \(m, m\), got shape \(4, 3\)"):
        Precomputed(X)


def test_gradient_in_a_precomputed_matrix() -> None:
    i = np.asarray([[0.0], [2.0]])

    def total(v: Any) -> Any:
        return namespace(v["matrix"]).sum(Precomputed(v["matrix"])(v["x"], v["x"]))

    _, got = autodiff.value_and_grad(total)({"matrix": X @ X.T, "x": i})
    wanted = np.zeros((4, 4))
    wanted[np.ix_([0, 2], [0, 2])] = 1
    assert np.array_equal(got["matrix"], wanted)
    assert np.array_equal(got["x"], np.zeros((2, 1)))


def test_functions() -> None:
    kernel = as_kernel(lambda x, y: (x @ y.T) ** 2)
    assert_close(kernel(X, Y), (X @ Y.T) ** 2, 1e-15)
    many = np.random.default_rng(0).standard_normal((40, 3))
    assert_close(kernel.diag(many), (many**2).sum(axis=1) ** 2, 1e-14)
    assert_close(Function(lambda x, y: x @ y.T, lambda x: 3 * x[:, 0]).diag(X), 3 * X[:, 0], 1e-15)
    assert as_kernel(kernel) is kernel
    assert_close((kernel + Linear())(X, Y), (X @ Y.T) ** 2 + X @ Y.T, 1e-15)


def test_functions_of_other_shapes() -> None:
    for f, got in ((lambda x, y: x, r"shape \(4, 3\)"), (lambda x, y: 3.0, "float")):
        with pytest.raises(ValueError, match=rf"f: expected an array of shape \(4, 4\) from it, got {got}"):
            Function(f)(X, Y)
    with pytest.raises(ValueError, match=r"diagonal: expected an array of shape \(4,\) from it, got shape \(4, 3\)"):
        Function(lambda x, y: x @ y.T, lambda x: x).diag(X)


def test_a_plain_function_stands_for_its_kernel() -> None:
    def f(x: Any, y: Any) -> Any:
        return x @ y.T

    x, y = np.random.default_rng(1).standard_normal((30, 3)), np.ones((30, 1))
    for call in (
        lambda k: maps.nystrom(k, x[:3]).whitening,
        lambda k: landmarks.RPCholesky(2)(k, x, 0).points,
        lambda k: landmarks.RidgeLeverage(2)(k, x, 0).points,
        lambda k: solvers.falkon(k, x[:3], x, y, 0.1).coefficients,
        lambda k: solvers.nystrom_pcg(k, x, y, 0.1, rank=3).coefficients,
        lambda k: solvers.fit_kernel(k, x[:3], x, y, solvers.Logistic(), 0.1).coefficients,
        lambda k: maps.suggest(k, x, error=0.1).map.dimension,
        lambda k: learning.hyper.fit(k, x[:3], x, y, fixed="reg", method=learning.hyper.LBFGS(1)).points,
    ):
        assert_close(np.asarray(call(f)), np.asarray(call(Function(f))), 1e-12)
        with pytest.raises(TypeError, match="kernel: expected a kernel or a function of two sets of rows, got 'rbf'"):
            call("rbf")


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="kernel: expected a kernel or a function of two sets of rows, got 'rbf'"):
        as_kernel("rbf")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"kernel: expected a kernel, got the class Gaussian; write Gaussian\(\.\.\.\)"):
        as_kernel(Gaussian)
    with pytest.raises(TypeError, match="f: expected a function of two sets of rows, got None"):
        Function(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="diagonal: expected a function of a set of rows, or None, got 3"):
        Function(lambda x, y: x @ y.T, 3)  # type: ignore[arg-type]


def test_finite_numbers() -> None:
    require_finite(x=X, y=to_strict(Y, DEVICE1))
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = X.copy()
        spoilt[3, 2] = spoilt[3, 1] = bad
        with pytest.raises(ValueError, match=rf"y: expected finite numbers, got {bad} in row 3, column 1"):
            require_finite(x=X, y=spoilt)
        with pytest.raises(ValueError, match="in row 3, column 1"):
            require_finite(y=to_strict(spoilt, DEVICE1))
        with pytest.raises(ValueError, match=r"x: expected finite numbers, got .* at \(1, 1, 1\)"):
            require_finite(x=np.reshape(spoilt, (2, 2, 3)))
    with pytest.raises(ValueError, match=r"s: expected finite numbers, got nan$"):
        require_finite(s=np.asarray(np.nan))


def test_finite_numbers_of_a_trace_are_not_asked_for() -> None:
    spoilt = X * np.nan

    def checked(x: Any) -> Any:
        require_finite(x=x)
        return namespace(x).sum(x * 0)

    assert np.isnan(jax.jit(checked)(spoilt))
    assert np.isnan(autodiff.value_and_grad(checked)(spoilt)[0])
    assert torch.isnan(torch.func.vmap(checked)(torch.asarray(spoilt)[None]))[0]
    assert holds(np.asarray(True))
    assert not holds(to_strict(False))

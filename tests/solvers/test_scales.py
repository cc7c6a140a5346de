"""Solutions do not depend on the units of the data, nor on the type that holds them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kerneltools.estimators import KernelRidge
from kerneltools.kernels import Gaussian, Linear
from kerneltools.learning import hyper
from kerneltools.solvers import (
    Logistic,
    Squared,
    SquaredHinge,
    exact_path,
    exact_ridge,
    falkon,
    fit_kernel,
    fit_linear,
    kernel_ridge,
    minimise,
    nystrom_pcg,
    ridge,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
WIDE = RNG.standard_normal((20, 40))
Y = np.stack([np.sin(X.sum(axis=1)) + 2, 1e-3 * X[:, 0]], axis=1)
SOLVERS: dict[str, Callable[..., Any]] = {
    "fit_linear": lambda x, y, reg: fit_linear(x, y, Squared(), reg),
    "fit_linear of blocks": lambda x, y, reg: fit_linear(lambda: iter([(x, y)]), None, Squared(), reg),
    "ridge": ridge,
    "falkon": lambda x, y, reg: falkon(Linear(), x[:15, :], x, y, reg),
    "kernel_ridge": lambda x, y, reg: kernel_ridge(Linear(), x[:15, :], x, y, reg),
    "exact_ridge": lambda x, y, reg: exact_ridge(Linear(), x, y, reg),
    "exact_path": lambda x, y, reg: exact_path(Linear(), x, y).model(reg),
    "nystrom_pcg": lambda x, y, reg: nystrom_pcg(Linear(), x, y, reg),
    "fit_kernel": lambda x, y, reg: fit_kernel(Linear(), x[:15, :], x, y, Squared(), reg),
}
RANGE = [("float64", e) for e in (-100, -40, -8, 8, 40, 100)] + [("float32", e) for e in (-16, -8, 8, 16)]


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest difference, each column relative to its greatest number."""
    return float((np.abs(found - wanted).max(axis=0) / np.abs(wanted).max(axis=0)).max())


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("dtype", "exponent"), RANGE)
@pytest.mark.parametrize("x", [X, WIDE], ids=["long", "wide"])
def test_units(name: str, dtype: str, exponent: int, x: np.ndarray) -> None:
    solve, unit, y = SOLVERS[name], 10.0**exponent, Y[: len(x), :]
    wanted = solve(x.astype(dtype), y.astype(dtype), 1e-3)(x.astype(dtype)).astype(float)
    of_y = solve(x.astype(dtype), (y * unit).astype(dtype), 1e-3)(x.astype(dtype)).astype(float) / unit
    rows = (x * unit).astype(dtype)
    of_x = solve(rows, y.astype(dtype), 1e-3 * unit**2)(rows).astype(float)
    within = 1e-5 if dtype == "float64" else 1e-4  # the tolerances of the iterative solvers
    assert apart(of_y, wanted) < within
    assert apart(of_x, wanted) < within


@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge()])
@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_units_of_classifiers(loss: Any, unit: float) -> None:
    targets = np.where(Y[:, :1] > 2, 1.0, -1.0)
    wanted = fit_linear(X, targets, loss, 1e-3)(X)
    assert apart(fit_linear(X * unit, targets, loss, 1e-3 * unit**2)(X * unit), wanted) < 1e-5
    kernel = fit_kernel(Linear(), X[:15, :], X, targets, loss, 1e-3)(X)
    scaled = fit_kernel(Linear(), X[:15, :] * unit, X * unit, targets, loss, 1e-3 * unit**2)(X * unit)
    assert apart(scaled, kernel) < 1e-3


@pytest.mark.parametrize("reg", [1e3, 1e8, 1e100])
def test_a_great_reg_gives_the_mean(reg: float) -> None:
    found = fit_linear(X, Y, Squared(), reg)(X)
    about_mean = np.abs(found - Y.mean(axis=0)).max() / np.abs(Y - Y.mean(axis=0)).max()
    assert about_mean < 10 / reg + 1e-14
    assert apart(found, ridge(X, Y, reg)(X)) < 1e-9


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_units_of_functions(unit: float) -> None:
    found = minimise(lambda x: (unit * ((x - 3) ** 4 + (x - 3) ** 2).sum(), unit * (4 * (x - 3) ** 3 + 2 * (x - 3))), X)
    assert found.converged
    assert np.abs(found.point - 3).max() < 1e-4


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8])
def test_units_of_hyperparameters(unit: float) -> None:
    def tuned(x: np.ndarray, y: np.ndarray, bandwidth: float) -> hyper.Tuned:
        method = hyper.LBFGS(iterations=5)
        return hyper.fit(Gaussian(bandwidth), x[:8, :], x, y, 1e-2, method=method)

    wanted = tuned(X, Y[:, :1], 2.0)
    assert tuned(X, Y[:, :1] * unit, 2.0).kernel.bandwidth == pytest.approx(wanted.kernel.bandwidth, rel=1e-3)
    scaled = tuned(X * 2.0**20, Y[:, :1], 2.0 * 2.0**20)
    assert scaled.kernel.bandwidth == pytest.approx(2.0**20 * wanted.kernel.bandwidth, rel=1e-3)


ROWS = RNG.standard_normal((300, 3))
TABLES = {
    "plain": ROWS,
    "offset": ROWS + 1e4,
    "outlier": np.concatenate([ROWS[:-1, :], np.full((1, 3), -999.0)]),
    "far groups": ROWS + 1e3 * (np.arange(300) % 2)[:, None],
    "mixed units": ROWS * [1e-2, 1.0, 30.0],
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("reg", [1e-2, 1e-4, 1e-6, 1e-8])
def test_single_precision_at_given_landmarks(table: str, reg: float) -> None:
    x = TABLES[table].astype("float32")
    y = (np.sin(ROWS.sum(axis=1)) + 0.1 * RNG.standard_normal(300)).astype("float32")
    wide, points = x.astype(float), x[:60, :]
    found = KernelRidge(Gaussian(2.0), landmarks=points, reg=reg).fit(x, y)
    wanted = KernelRidge(Gaussian(2.0), landmarks=points.astype(float), reg=reg).fit(wide, y.astype(float))
    # One rounding of the result; what comes before is in float64.
    within = 2 * np.finfo("float32").eps * np.abs(wanted.predict(wide)).max()
    assert found.predict(x).dtype == np.float32
    assert np.abs(found.predict(x) - wanted.predict(wide)).max() <= within
    assert found.shift_ == wanted.shift_ == 60 * np.finfo(float).eps
    direct = kernel_ridge(Gaussian(2.0), points, x, y[:, None], reg)
    exact = kernel_ridge(Gaussian(2.0), points.astype(float), wide, y[:, None].astype(float), reg)(wide)
    assert direct.shift == found.shift_
    assert np.abs(direct(x) - exact).max() <= 2 * np.finfo("float32").eps * np.abs(exact).max()

"""A row of weight w counts like w equal rows: in the choice of landmarks, in law, and in all that is fitted to them."""

import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest

from kerneltools import landmarks, solvers, streaming
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures
from kerneltools.kernels import Gaussian, Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import Landmarks, ReducedWarning, Selector, WeightedSelector
from kerneltools.landmarks.base import chosen, takes_weights
from kerneltools.learning import KernelKMeans, fit_temperature, kernel_kmeans
from kerneltools.maps import nystrom
from kerneltools.solvers import linear
from tests.laws.members import SELECTORS, rows
from tests.strict import DEVICES, assert_same_on, to_strict

every = pytest.mark.parametrize("make", SELECTORS.values(), ids=list(SELECTORS))
Make = Callable[[int], WeightedSelector]

KERNEL = Gaussian(1.0)
X = rows(30, 3, seed=0)
TIMES = np.random.default_rng(1).integers(0, 4, 30)
WEIGHTS = TIMES.astype(float)
SEEN = np.repeat(np.arange(30), TIMES)
POINTS = rows(8, 3, seed=2)
Y = np.stack([np.sin(X[:, 0]), X[:, 1] ** 2], axis=1)
REGS = tuple(10.0**k for k in range(-8, 1))


@every
def test_a_selector_takes_weights(make: Make) -> None:
    assert isinstance(make(3), WeightedSelector)
    assert takes_weights(make(3))


@every
def test_rows_of_weight_0_are_no_landmarks(make: Make) -> None:
    weights = np.where(np.arange(30) % 3 == 0, np.arange(30) + 1.0, 0.0)
    there = X[weights > 0] / (np.linalg.norm(X[weights > 0], axis=1, keepdims=True) if _on_the_sphere(make) else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReducedWarning)
        found = make(10)(KERNEL, X, 0, weights=weights)
    assert found.points.shape == (10, 3)
    np.testing.assert_allclose(np.sort(found.points, axis=0), np.sort(there, axis=0), atol=1e-12)
    if found.indices is not None:
        assert np.all(weights[list(found.indices)] > 0)
        np.testing.assert_array_equal(X[list(found.indices)], found.points)


@every
def test_only_the_ratios_count(make: Make) -> None:
    weights = WEIGHTS + 0.5
    wanted = make(6)(KERNEL, X, 3, weights=weights).points
    for unit in (2.0**-40, 1024.0, 2.0**900):
        np.testing.assert_array_equal(make(6)(KERNEL, X, 3, weights=unit * weights).points, wanted)
    equal = make(6)(KERNEL, X, 3, weights=np.full(30, 7.0)).points
    np.testing.assert_array_equal(equal, make(6)(KERNEL, X, 3).points)


@every
def test_heavy_rows_draw_landmarks(make: Make) -> None:
    # A twentieth of the rows has nearly all of the weight.
    x = np.concatenate([rows(50, 2, seed=0), 20 + 4 * rows(950, 2, seed=1)])
    weights = np.where(np.arange(1000) < 50, 1e4, 1e-3)
    heavy = Homogeneous(Exponential(0.3)) if _on_the_sphere(make) else KERNEL
    there = np.mean(
        [_heavy_error(heavy, make(12)(heavy, x, seed, weights=weights).points, x[:50]) for seed in range(4)]
    )
    without = np.mean([_heavy_error(heavy, make(12)(heavy, x, seed).points, x[:50]) for seed in range(4)])
    assert there < 0.7 * without


def _heavy_error(kernel: Any, points: np.ndarray, x: np.ndarray) -> float:
    return float(nystrom(kernel, points).relative_error(x))


def _on_the_sphere(make: Make) -> bool:
    return isinstance(make(1), landmarks.SphericalKMeans)


@every
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_agrees_by_the_standard_alone(make: Make, device: Any) -> None:
    weights = WEIGHTS + 0.5
    wanted = make(4)(KERNEL, X, 5, weights=weights)
    got = make(4)(KERNEL, to_strict(X, device), 5, weights=to_strict(weights, device))
    assert_same_on(device, got.points, wanted.points)
    assert got.indices == wanted.indices


@every
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(30), r"weights: expected finite numbers >= 0, got -1\.0 at \(0,\)"),
        (np.full(30, np.nan), r"weights: expected finite numbers >= 0, got nan at \(0,\)"),
        (np.full(30, np.inf), r"weights: expected finite numbers >= 0, got inf at \(0,\)"),
        (np.ones(29), "weights: expected one for each of 30 rows, got 29"),
        (np.ones((30, 1)), r"weights: expected \(30,\), a number for each row, got shape \(30, 1\)"),
        (np.zeros(30), "weights: expected at least 1 > 0, got 0"),
        (np.ones(30, dtype=np.int64), "weights: expected a real floating-point array, got int64"),
    ],
    ids=["negative", "nan", "inf", "too few", "a column", "all 0", "integers"],
)
def test_errors(make: Make, weights: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make(3)(KERNEL, X, 0, weights=weights)


@pytest.mark.parametrize("name", ["RPCholesky", "Greedy", "KMeansPlusPlus", "RidgeLeverage", "BLESS", "Uniform"])
def test_weights_in_float32_beside_rows_in_float64(name: str) -> None:
    wanted = SELECTORS[name](6)(KERNEL, X, 3, weights=WEIGHTS).indices
    assert SELECTORS[name](6)(KERNEL, X, 3, weights=WEIGHTS.astype(np.float32)).indices == wanted


def test_given_points_have_no_weights() -> None:
    assert landmarks.Given(POINTS)(KERNEL, X, 0, weights=WEIGHTS).points is POINTS


# Selectors of third parties.


class First:
    """The first rows that it sees; nothing is known of weights."""

    def __call__(self, kernel: Any, x: Any, rng: Any) -> Landmarks:
        return Landmarks(x[:3], (0, 1, 2))


class Heaviest:
    def __call__(self, kernel: Any, x: Any, rng: Any, **settings: Any) -> Landmarks:
        order = np.argsort(-settings.get("weights", np.zeros(len(x))), kind="stable")[:3]
        return Landmarks(x[order], tuple(order.tolist()))


def test_selectors_without_weights_go_on() -> None:
    assert isinstance(First(), Selector)
    assert not takes_weights(First())
    for seed in (0, 1):
        np.testing.assert_array_equal(chosen(First(), KERNEL, X, seed).points, X[:3])
    seen = np.flatnonzero(WEIGHTS)[:3]
    found = chosen(First(), KERNEL, X, 0, WEIGHTS)
    np.testing.assert_array_equal(found.points, X[seen])
    assert found.indices == tuple(seen.tolist())
    model = KernelRidge(KERNEL, landmarks=First()).fit(X, Y, WEIGHTS)
    np.testing.assert_array_equal(model.landmarks_, X[seen])


def test_selectors_get_weights_only_where_they_are_given() -> None:
    np.testing.assert_array_equal(chosen(Heaviest(), KERNEL, X, 0).points, X[:3])
    heavy = np.arange(30.0)
    np.testing.assert_array_equal(chosen(Heaviest(), KERNEL, X, 0, heavy).points, X[[29, 28, 27]])
    model = KernelRidge(KERNEL, landmarks=Heaviest()).fit(X, Y, heavy)
    np.testing.assert_array_equal(model.landmarks_, X[[29, 28, 27]])


@pytest.mark.parametrize(
    "make",
    [
        lambda **settings: KernelRidge(KERNEL, reg=1e-6, **settings),
        lambda **settings: KernelClassifier(KERNEL, **settings),
        lambda **settings: KernelPCA(2, kernel=KERNEL, **settings),
        lambda **settings: NystromFeatures(KERNEL, **settings),
    ],
    ids=["KernelRidge", "KernelClassifier", "KernelPCA", "NystromFeatures"],
)
def test_estimators_pass_weights_on(make: Callable[..., Any]) -> None:
    x = np.linspace(0, 1, 200)[:, None]
    weights = np.where(x[:, 0] < 0.1, 1e4, 1e-3)
    model = make(landmarks=landmarks.KMeans(8)).fit(x, x[:, 0] > 0.05, sample_weight=weights)
    points = model.landmarks_
    assert np.sum(points[:, 0] < 0.1) >= 6
    for wrong, message in (
        (-weights, "sample_weight: expected finite"),
        (weights[:9], "sample_weight: expected one for each"),
        (0 * weights, "sample_weight: expected at"),
    ):
        with pytest.raises(ValueError, match=message):
            make(landmarks=landmarks.KMeans(8)).fit(x, x[:, 0] > 0.05, sample_weight=wrong)


# Whole weights are repeated rows.


def _kernel_model(fit: Callable[..., Any]) -> Callable[[Any, Any, Any], np.ndarray]:
    return lambda x, y, w: np.asarray(fit(KERNEL, POINTS, x, y[:, :1], 1e-3, weights=w)(X))


def _clusters(x: Any, w: Any) -> KernelKMeans:
    def apart(rows: Any) -> Any:
        return np.concatenate([rows / 10, 3.0 * (rows[:, :2] > 0)], axis=1)  # four clusters, whatever is drawn

    return kernel_kmeans(apart, x, 4, 0, weights=w, tolerance=0.0)


def _signs(second: Any) -> np.ndarray:
    """Targets of two classes."""
    return np.where(np.stack([~second, second], axis=1), 1.0, -1.0)


def _linear_model(
    loss: solvers.Loss, reg: float = 1e-3, columns: int = 3, blocks: bool = False, largest: int = linear.LARGEST
) -> Callable[[Any, Any, Any], np.ndarray]:
    def fitted(x: Any, y: Any, w: Any) -> np.ndarray:
        features = x @ np.sin(1 + np.arange(3 * columns, dtype=float)).reshape(3, columns)
        targets = y if isinstance(loss, solvers.Squared) else _signs(y[:, 0] > 0.1)
        rest = () if w is None else (w,)

        def visit() -> Any:
            for part in (slice(0, 7), slice(7, 20), slice(20, None)):
                yield tuple(a[part] for a in (features, targets, *rest))

        with mock.patch.object(linear, "LARGEST", largest):
            if blocks:
                model = solvers.fit_linear(visit, None, loss, reg, tolerance=1e-9)
            else:
                model = solvers.fit_linear(features, targets, loss, reg, weights=w, tolerance=1e-9)
        return np.asarray(model.weights)

    return fitted


FITS: dict[str, Callable[[Any, Any, Any], np.ndarray]] = {
    "KernelRidge": lambda x, y, w: KernelRidge(KERNEL, landmarks=POINTS, reg=REGS).fit(x, y, w).predict(X),
    "its λ": lambda x, y, w: np.asarray(KernelRidge(KERNEL, landmarks=POINTS, reg=REGS).fit(x, y, w).reg_),
    "its errors": lambda x, y, w: KernelRidge(KERNEL, landmarks=POINTS, reg=REGS).fit(x, y, w).errors_,
    "KernelRidge by Falkon": lambda x, y, w: (
        KernelRidge(KERNEL, landmarks=POINTS, reg=1e-3, solver=solvers.falkon).fit(x, y, w).predict(X)
    ),
    "KernelRidge, all landmarks": lambda x, y, w: KernelRidge(KERNEL, landmarks=60, reg=REGS).fit(x, y, w).predict(X),
    **{
        f"KernelClassifier, {loss!r}": lambda x, y, w, loss=loss: (
            KernelClassifier(KERNEL, landmarks=POINTS, loss=loss, reg=1e-3).fit(x, y[:, 0] > 0, w).decision_function(X)
        )
        for loss in (solvers.Logistic(), solvers.SquaredHinge())
    },
    "fit_kernel, softmax": lambda x, y, w: np.asarray(
        solvers.fit_kernel(
            KERNEL, POINTS, x, _signs(y[:, 0] > 0), solvers.CrossEntropy(), 1e-3, weights=w, tolerance=1e-13
        )(X)
    ),
    "KernelPCA": lambda x, y, w: KernelPCA(3, kernel=KERNEL, landmarks=POINTS).fit(x, sample_weight=w).transform(X),
    "its eigenvalues": lambda x, y, w: KernelPCA(3, kernel=KERNEL, landmarks=POINTS).fit(x, None, w).eigenvalues_,
    "ridge": lambda x, y, w: solvers.ridge(x, y, 1e-2, weights=w)(X),
    "ridge by QR": lambda x, y, w: solvers.ridge(x, y, 1e-2, weights=w, qr=True)(X),
    "cross-validation": lambda x, y, w: solvers.ridge_path(x, y, weights=w).generalised_cross_validation(REGS),
    "cross-validation by QR": lambda x, y, w: solvers.ridge_path(x, y, weights=w, qr=True).generalised_cross_validation(
        REGS
    ),
    "cross-validation of sums": lambda x, y, w: solvers.path_of(
        solvers.ridge_sums(x, y, w, block=7)
    ).generalised_cross_validation(REGS),
    "cross-validation of a stream": lambda x, y, w: (
        streaming.ridge(
            nystrom(KERNEL, POINTS),
            [(x[:20], y[:20], *(() if w is None else (w[:20],))), (x[20:], y[20:], *(() if w is None else (w[20:],)))],
        )
        .path()
        .generalised_cross_validation(REGS)
    ),
    "fit_kernel": lambda x, y, w: np.asarray(
        solvers.fit_kernel(KERNEL, POINTS, x, np.where(y[:, :1] > 0, 1.0, -1.0), solvers.Logistic(), 1e-3, weights=w)(X)
    ),
    "fit_temperature": lambda x, y, w: fit_temperature(x, (x[:, 1] > x[:, 0]).astype(int), weights=w)(X),
    "kernel_kmeans": lambda x, y, w: np.sort(_clusters(x, w).centres @ np.arange(1.0, 6.0)),
    "inertia": lambda x, y, w: np.asarray(_clusters(x, w).inertia),
    "fit_linear, squared": _linear_model(solvers.Squared()),
    "fit_linear, logistic": _linear_model(solvers.Logistic()),
    "fit_linear, softmax": _linear_model(solvers.CrossEntropy()),
    "fit_linear, steps by class": _linear_model(solvers.SquaredHinge(), 1e-6),
    "fit_linear, wide": _linear_model(solvers.SquaredHinge(), columns=40),
    "fit_linear, diagonal": _linear_model(solvers.Logistic(), largest=1),
    "fit_linear of blocks": _linear_model(solvers.SquaredHinge(), blocks=True),
    "kernel_ridge": _kernel_model(solvers.kernel_ridge),
    "nystrom_pcg": lambda x, y, w: solvers.nystrom_pcg(KERNEL, x, y, 1e-3, weights=w, tolerance=1e-9)(X),
    "falkon": _kernel_model(solvers.falkon),
}


@pytest.mark.filterwarnings("ignore::kerneltools.landmarks.ReducedWarning")
@pytest.mark.parametrize("name", FITS)
def test_whole_weights_are_repeated_rows(name: str) -> None:
    weighted, repeated = FITS[name](X, Y, WEIGHTS), FITS[name](X[SEEN], Y[SEEN], None)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-7)


def test_weights_matter() -> None:
    # Without them the two sides of the law above would be equal whatever is done with them.
    for name in (
        "KernelRidge",
        "ridge",
        "fit_kernel",
        "falkon",
        "cross-validation",
        "fit_linear, logistic",
        "inertia",
    ):
        assert not np.allclose(FITS[name](X, Y, WEIGHTS), FITS[name](X, Y, None), rtol=1e-3)


def test_weights_that_are_shares_choose_as_rows_do() -> None:
    # As small as they are, they do not count for less than a row each.
    path = solvers.ridge_path(X, Y)
    for share in (1 / 30, 1e-9):
        shares = solvers.ridge_path(X, Y, weights=np.full(30, share))
        np.testing.assert_allclose(
            shares.generalised_cross_validation(REGS), path.generalised_cross_validation(REGS), rtol=1e-8
        )

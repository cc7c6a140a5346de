"""Newton's method on kernels against conditions of optimality and an independent minimiser."""

from typing import Any

import numpy as np
import pytest

from kerneltools import backend
from kerneltools.kernels import Gaussian
from kerneltools.solvers import (
    CrossEntropy,
    KernelModel,
    Logistic,
    Loss,
    NotConvergedWarning,
    Squared,
    SquaredHinge,
    fit_kernel,
    kernel_ridge,
    minimise,
    newton,
)
from tests.solvers.problems import classes
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

KERNEL = Gaussian(1.5)
LOSSES: tuple[Loss, ...] = (Logistic(), SquaredHinge(), CrossEntropy(), Squared())
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def optimum(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], loss: Loss, reg: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Scores of the best function, by L-BFGS on features that are there at once."""
    points, x, targets = data
    phi = np.linalg.solve(np.linalg.cholesky(KERNEL(points, points)), KERNEL(x, points).T).T
    shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()

    def value_and_grad(w: np.ndarray) -> tuple[float, np.ndarray]:
        scores = phi @ w
        gradient = phi.T @ (shares[:, None] * loss.gradient(scores, targets)) + 2 * reg * w
        return float(shares @ loss(scores, targets) + reg * (w * w).sum()), gradient

    found = minimise(value_and_grad, np.zeros((len(points), targets.shape[1])), tolerance=1e-10, iterations=5000)
    return phi @ found.point


@every_loss
@pytest.mark.parametrize("reg", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_an_independent_minimiser(loss: Loss, reg: float, weighted: bool) -> None:
    data = classes()
    weights = np.random.default_rng(0).random(150) if weighted else None
    model = fit_kernel(KERNEL, *data, loss, reg, weights=weights, tolerance=1e-13)
    assert model.converged
    np.testing.assert_allclose(model(data[1]), optimum(data, loss, reg, weights), atol=1e-5)


@pytest.mark.parametrize("loss", [Logistic(), SquaredHinge()], ids=repr)
def test_two_classes_in_one_column(loss: Loss) -> None:
    points, x, targets = classes(k=2)
    one, two = (fit_kernel(KERNEL, points, x, t, loss, 1e-3, tolerance=1e-13)(x) for t in (targets[:, :1], targets))
    np.testing.assert_allclose(one, two[:, :1], atol=1e-6)
    np.testing.assert_allclose(-one, two[:, 1:], atol=1e-6)


def test_squared_is_ridge() -> None:
    points, x, targets = classes()
    model, wanted = (
        fit_kernel(KERNEL, points, x, targets, Squared(), 1e-3),
        kernel_ridge(KERNEL, points, x, targets, 1e-3),
    )
    np.testing.assert_allclose(model(x), wanted(x), atol=1e-3)


@every_loss
def test_a_preconditioner_for_all_classes(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newton, "LARGEST", 1)
    data = classes()
    model = fit_kernel(KERNEL, *data, loss, 1e-4, tolerance=1e-13)
    np.testing.assert_allclose(model(data[1]), optimum(data, loss, 1e-4), atol=1e-5)


@every_loss
def test_blocks_make_no_difference(loss: Loss) -> None:
    data = classes()
    wanted = fit_kernel(KERNEL, *data, loss, 1e-3, tolerance=1e-13)
    np.testing.assert_allclose(
        fit_kernel(KERNEL, *data, loss, 1e-3, tolerance=1e-13, block=13)(data[1]), wanted(data[1]), atol=1e-5
    )


@every_loss
def test_float32(loss: Loss) -> None:
    data = classes()
    narrow = tuple(a.astype(np.float32) for a in data)
    model = fit_kernel(KERNEL, *narrow, loss, 1e-4)
    assert model(narrow[1]).dtype == np.float32
    np.testing.assert_allclose(model(narrow[1]), optimum(data, loss, 1e-4), atol=1e-2)


@every_loss
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_in_every_library(loss: Loss, library: str) -> None:
    b, data = backend(library), classes(n=60, m=6)
    arrays = [b.asarray(a) for a in data]
    model = fit_kernel(KERNEL, *arrays, loss, 1e-2)
    np.testing.assert_allclose(b.to_numpy(model(arrays[1])), fit_kernel(KERNEL, *data, loss, 1e-2)(data[1]), atol=1e-7)


@every_loss
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(loss: Loss, device: Any) -> None:
    data = classes(n=60, m=6)
    arrays = [to_strict(a, device) for a in data]
    model = fit_kernel(KERNEL, *arrays, loss, 1e-2)
    assert_same_on(device, model(arrays[1]), fit_kernel(KERNEL, *data, loss, 1e-2)(data[1]), 1e-7)


def test_it_says_what_happened() -> None:
    data = classes()
    model = fit_kernel(KERNEL, *data, Logistic(), 1e-4)
    assert isinstance(model, KernelModel)
    assert 1 <= model.iterations <= 20
    assert 0 <= model.residual <= 1e-8
    with pytest.warns(NotConvergedWarning, match="fit_kernel: promised decrease .* after 3 steps, above the tolerance"):
        assert not fit_kernel(KERNEL, *data, Logistic(), 1e-4, iterations=3).converged


def test_wrong_input() -> None:
    points, x, targets = classes()
    with pytest.raises(ValueError, match="x, targets: expected as many rows in both, and at least 1, got 150 and 149"):
        fit_kernel(KERNEL, points, x, targets[:149], Logistic(), 0.1)
    with pytest.raises(ValueError, match="reg: expected a number > 0, got 0"):
        fit_kernel(KERNEL, points, x, targets, Logistic(), 0)
    with pytest.raises(
        ValueError, match=r"targets: expected a column for each class for CrossEntropy\(\), got 1; take Log"
    ):
        fit_kernel(KERNEL, points, x, targets[:, :1], CrossEntropy(), 0.1)
    with pytest.raises(ValueError, match="targets: expected finite numbers, got nan in row 0, column 0"):
        fit_kernel(KERNEL, points, x, targets * np.nan, Logistic(), 0.1)
    with pytest.raises(ValueError, match=r"targets: expected \+1 and -1, got 0.5 in row 0, column 0"):
        fit_kernel(KERNEL, points, x, 0.5 * np.abs(targets), Logistic(), 0.1)
    with pytest.raises(TypeError, match=r"loss: expected one of kerneltools\.solvers, .* got 'hinge'"):
        fit_kernel(KERNEL, points, x, targets, "hinge", 0.1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="targets: expected a real floating-point array, got int64"):
        fit_kernel(KERNEL, points, x, targets.astype(np.int64), Logistic(), 0.1)
    assert_close(x, classes()[1])


@every_loss
def test_kept_features_and_their_preconditioner(loss: Loss) -> None:
    """Rows enough that signed sums would approximate them; the least λ outdates the first preconditioner."""
    points, x, targets = classes(n=400, m=12)
    kept = fit_kernel(KERNEL, points, x, targets, loss, 1e-6, tolerance=1e-13)
    made_again = fit_kernel(KERNEL, points, x, targets, loss, 1e-6, tolerance=1e-13, block=400)
    assert kept.converged
    np.testing.assert_allclose(kept(x), made_again(x), atol=1e-5)
    np.testing.assert_allclose(kept(x), optimum((points, x, targets), loss, 1e-6), atol=1e-4)

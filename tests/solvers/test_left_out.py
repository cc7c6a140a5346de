"""Rows left out of kernel classifiers, beside fits without them."""

import numpy as np
import pytest

from kerneltools.kernels import Gaussian
from kerneltools.solvers import Logistic, Loss, Squared, SquaredHinge, fit_kernel, left_out
from kerneltools.solvers.left_out import fit_left_out
from tests.solvers.problems import classes

KERNEL = Gaussian(1.5)


@pytest.mark.parametrize(("loss", "within"), [(Squared(), 1e-6), (SquaredHinge(), 0.25), (Logistic(), 0.25)])
def test_scores_are_those_of_models_without_the_row(loss: Loss, within: float) -> None:
    points, x, targets = classes(n=40, m=8)
    weights = np.random.default_rng(0).random(40) + 0.5
    found = fit_left_out(KERNEL, points, x, targets, loss, (1e-2,), weights=weights, repeats=weights, wanted=True)
    worst, moved = 0.0, 0.0
    for row, scores in zip(found.rows, np.asarray(found.scores), strict=True):
        less = weights.copy()
        less[row] -= min(1.0, weights[row])
        reg = 1e-2 * weights.sum() / less.sum()
        without = fit_kernel(KERNEL, points, x, targets, loss, reg, weights=less)(x[row : row + 1])[0]
        worst = max(worst, float(np.abs(without - scores).max()))
        moved = max(moved, float(np.abs(without - found.model(x[row : row + 1])[0]).max()))
    assert moved > 0.1
    assert worst < within * moved


def test_the_loss_falls_up_to_the_one_that_is_taken() -> None:
    points, x, targets = classes(n=150, m=20)
    regs = tuple(4.0**-k for k in range(10))
    found = fit_left_out(KERNEL, points, x, targets, SquaredHinge(), regs)
    assert found.reg in found.regs[-2:]
    assert list(found.errors[:-1]) == sorted(found.errors[:-1], reverse=True)
    wanted = fit_kernel(KERNEL, points, x, targets, SquaredHinge(), found.reg)
    np.testing.assert_allclose(found.model(x), wanted(x), atol=1e-3)


def test_more_rows_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """λ of a sample falls by its share; the scores left out are of the model of all rows."""
    points, x, targets = classes(n=300, m=10)
    whole = fit_left_out(KERNEL, points, x, targets, SquaredHinge(), (1e-3,), wanted=True)
    monkeypatch.setattr(left_out, "KEPT_ENTRIES", 1500)
    monkeypatch.setattr(left_out, "SAMPLE", 100)
    some = fit_left_out(KERNEL, points, x, targets, SquaredHinge(), (1e-3,), wanted=True)
    assert len(some.rows) == 150
    assert some.scores is not None
    assert whole.scores is not None
    assert np.abs(some.scores - np.asarray(whole.scores)[some.rows]).mean() < 0.01
    chosen = fit_left_out(KERNEL, points, x, targets, SquaredHinge(), (1e-1, 1e-2, 1e-3))
    assert chosen.regs[0] == pytest.approx(1e-1 / 3)
    assert chosen.reg in chosen.regs

"""Losses: closed-form gradients and curvatures against each library's own, stability, convexity."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerneltools import backend
from kerneltools.arrays import namespace
from kerneltools.solvers import CrossEntropy, Logistic, Loss, Squared, SquaredHinge
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

LOSSES: tuple[Loss, ...] = (SquaredHinge(), CrossEntropy(), Logistic(), Squared())
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def scored(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = 3 * rng.standard_normal((n, k))
    return scores, np.where(rng.integers(0, k, n)[:, None] == np.arange(k), 1.0, -1.0)


def total(loss: Loss, scores: Any, targets: Any) -> Any:
    losses = loss(scores, targets)
    return namespace(losses).sum(losses)


CASES = st.builds(scored, st.sampled_from([1, 4]), st.sampled_from([1, 2, 5]), st.integers(0, 10_000))


def test_values() -> None:
    scores, targets = np.array([[2.0, -0.5, 1.0]]), np.array([[-1.0, -1.0, 1.0]])
    assert SquaredHinge()(scores, targets) == pytest.approx([(9 + 0.25 + 0) / 2])
    assert Squared()(scores, targets) == pytest.approx([9 + 0.25 + 0])
    assert Logistic()(scores, targets) == pytest.approx([np.log1p(np.exp([2.0, -0.5, -1.0])).sum()])
    assert CrossEntropy()(scores, targets) == pytest.approx([-np.log(np.e / (np.e**2 + np.e**-0.5 + np.e))])


@every_loss
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@settings(max_examples=20)
@given(case=CASES)
def test_gradient_is_that_of_the_library(loss: Loss, library: str, case: Any) -> None:
    b = backend(library)
    scores, targets = (b.asarray(a) for a in case)
    value, gradient = b.value_and_grad(lambda y: total(loss, y, targets))(scores)
    assert_close(b.to_numpy(gradient), loss.gradient(*case), 1e-12)
    assert float(value) == pytest.approx(float(np.sum(loss(*case))), rel=1e-12)


@every_loss
@given(case=CASES)
def test_curvature_is_the_slope_of_the_gradient(loss: Loss, case: Any) -> None:
    scores, targets = case
    scores = np.where(np.abs(1 - targets * scores) < 1e-3, scores + 0.01, scores)  # the hinge has no curvature at 1
    for c in range(scores.shape[1]):
        step = 1e-6 * (np.arange(scores.shape[1]) == c)
        slope = (loss.gradient(scores + step, targets) - loss.gradient(scores - step, targets))[:, c] / 2e-6
        np.testing.assert_allclose(loss.curvature(scores, targets)[:, c], slope, atol=1e-8)


@every_loss
@given(case=CASES)
def test_hessian_is_the_slope_of_the_gradient(loss: Loss, case: Any) -> None:
    scores, targets = case
    scores = np.where(np.abs(1 - targets * scores) < 1e-3, scores + 0.01, scores)
    direction = np.cos(7 * scores)
    step = 1e-6 * direction
    slope = (loss.gradient(scores + step, targets) - loss.gradient(scores - step, targets)) / 2e-6
    np.testing.assert_allclose(loss.hessian(scores, targets, direction), slope, atol=1e-8)


@every_loss
@given(case=CASES, seed=st.integers(0, 100), share=st.floats(0, 1))
def test_convex(loss: Loss, case: Any, seed: int, share: float) -> None:
    scores, targets = case
    other = 3 * np.random.default_rng(seed).standard_normal(scores.shape)
    between = loss(share * scores + (1 - share) * other, targets)
    assert (between <= share * loss(scores, targets) + (1 - share) * loss(other, targets) + 1e-12).all()


@every_loss
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_at_the_margin_and_at_ties(loss: Loss, library: str) -> None:
    b = backend(library)
    scores, targets = b.asarray(np.array([[1.0, -1.0], [0.0, 0.0]])), b.asarray(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    _, gradient = b.value_and_grad(lambda y: total(loss, y, targets))(scores)
    got = b.to_numpy(gradient)
    assert np.isfinite(got).all()
    if isinstance(loss, SquaredHinge):
        assert (got[0] == 0).all()


def test_scores_of_any_size() -> None:
    scores, targets = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([[1.0, -1.0], [1.0, -1.0]])
    assert CrossEntropy()(scores, targets).tolist() == [0.0, 2e4]
    assert CrossEntropy().gradient(scores, targets).tolist() == [[0.0, 0.0], [-1.0, 1.0]]


@every_loss
@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(loss: Loss, device: Any) -> None:
    case = scored(5, 3, 0)
    strict = tuple(to_strict(a, device) for a in case)
    assert isinstance(loss, Loss)
    for f in (loss, loss.gradient, loss.curvature):
        assert_same_on(device, f(*strict), f(*case))
    assert_same_on(device, loss.hessian(*strict, strict[0]), loss.hessian(*case, case[0]))


@every_loss
def test_type_is_kept(loss: Loss) -> None:
    narrow = tuple(a.astype(np.float32) for a in scored(5, 3, 0))
    assert {f(*narrow).dtype for f in (loss, loss.gradient, loss.curvature)} == {np.dtype(np.float32)}

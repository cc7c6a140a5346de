"""The linear head: one-vs-rest ridge regression, λ by leave-one-out."""

from typing import Any

import numpy as np
import pytest

from ckn.head import DEFAULT_REGS, fit_head
from kerneltools.backend import backend
from kerneltools.solvers import ridge
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict

X = np.random.default_rng(0).standard_normal((30, 6))
Y = np.arange(30) % 3
TARGETS = np.where(Y[:, None] == np.arange(3), 1.0, -1.0)


def test_targets_and_choice() -> None:
    regs = (1e-4, 1e-2, 1.0, 100.0)
    head = fit_head(X, Y, 3, regs)
    errors, hits = [], []
    for reg in regs:
        left_out = []
        for i in range(30):
            others = np.arange(30) != i
            left_out.append(ridge(X[others], TARGETS[others], reg * 30 / 29)(X[i]))
        errors.append(np.mean((np.array(left_out) - TARGETS) ** 2))
        hits.append(np.mean(np.argmax(left_out, axis=1) == Y))
    best = int(np.argmin(errors))
    assert_close(np.array(head.loo_errors), np.array(errors), 1e-9)
    assert head.reg == regs[best]
    assert head.loo_accuracy == pytest.approx(hits[best], abs=1e-12)
    assert_close(head.model.weights, ridge(X, TARGETS, head.reg).weights)


def test_the_default_regs_are_few_to_a_decade() -> None:
    assert DEFAULT_REGS[0] == pytest.approx(1e-10)
    assert DEFAULT_REGS[-1] == pytest.approx(0.1)
    assert list(DEFAULT_REGS) == sorted(DEFAULT_REGS)
    assert len(DEFAULT_REGS) == 37


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    wanted, got = fit_head(X, Y, 3), fit_head(to_strict(X, device), Y, 3)
    assert_same_on(device, got.model.weights, wanted.model.weights, 1e-10)
    assert got.reg == wanted.reg
    assert got.loo_accuracy == wanted.loo_accuracy


def test_separable_data_are_learnt() -> None:
    head = fit_head(TARGETS + 0.01 * X[:, :3], Y, 3)
    assert head.loo_accuracy == 1
    assert np.array_equal(np.argmax(head.model(TARGETS), axis=1), Y)


@pytest.mark.parametrize("regs", [(), (0.0, 1.0), (-1.0,)])
def test_regs_out_of_range(regs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="regs: expected at least one number, all > 0, got"):
        fit_head(X, Y, 3, regs)


def test_jax_is_asked_for_no_type_that_it_lacks() -> None:
    features = backend("jax").asarray(np.random.default_rng(0).random((6, 3)), dtype="float32")
    assert fit_head(features, [0, 1, 0, 1, 0, 1], 2, (0.1,)).reg == 0.1  # warnings are errors here

"""Defaults that look at the data: the bandwidth and λ of `KernelRidge()` and `KernelClassifier()`."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_friedman1, make_moons

from kerneltools.backend import backend
from kerneltools.estimators import KernelClassifier, KernelRidge, KernelSearch
from kerneltools.estimators.search import MULTIPLES, REGS
from kerneltools.kernels import Gaussian
from kerneltools.solvers import kernel_ridge

X, Y = make_friedman1(400, noise=0.5, random_state=0)
X_NEW, Y_NEW = make_friedman1(200, noise=0.5, random_state=1)
MOONS, LABELS = make_moons(300, noise=0.2, random_state=0)


def test_smooth_functions_are_found() -> None:
    fixed = KernelRidge(Gaussian(5**0.5), reg=1e-3).fit(X, Y).score(X_NEW, Y_NEW)
    assert KernelRidge().fit(X, Y).score(X_NEW, Y_NEW) > max(0.9, fixed)
    assert KernelClassifier().fit(MOONS, LABELS).score(*make_moons(300, noise=0.2, random_state=1)) > 0.95


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_all_columns_is_no_matter(unit: float) -> None:
    model, scaled = KernelRidge().fit(X, Y), KernelRidge().fit(unit * X, Y)
    np.testing.assert_allclose(scaled.predict(unit * X_NEW), model.predict(X_NEW), rtol=1e-4)


def test_an_odd_row_and_a_constant_column_are_no_matter() -> None:
    odd = X.copy()
    odd[3] = -999
    wider = [np.column_stack([x, np.full(len(x), 7.0)]) for x in (X, X_NEW)]
    for x, new in ((odd, X_NEW), wider):
        assert KernelRidge().fit(x, Y).score(new, Y_NEW) > 0.9


def test_what_was_tried_is_told() -> None:
    model = KernelRidge().fit(X, Y)
    found = model.search_
    assert isinstance(found, KernelSearch)
    assert found.kernel is model.kernel_
    assert (len(found.kernels), found.regs, found.share) == (len(MULTIPLES), REGS, 1.0)
    assert min(map(min, found.errors)) == found.errors[found.kernels.index(found.kernel)][found.regs.index(found.reg)]
    assert repr(found).startswith("KernelSearch(kernels=(Gaussian(bandwidth=")
    assert repr(found).endswith("regs=(19 from 1e-09 to 1), errors=(5 of 19), share=1.0)")
    assert KernelRidge(Gaussian(1.0)).fit(X, Y).search_ is None


def test_a_given_kernel_is_taken_and_a_given_reg_too() -> None:
    given = Gaussian(2.0)
    assert KernelRidge(given).fit(X, Y).kernel_ == given
    assert KernelRidge(reg=0.5).fit(X, Y).reg_ == 0.5
    assert KernelClassifier(given).fit(MOONS, LABELS).kernel_ == given
    assert KernelClassifier(reg=0.5).fit(MOONS, LABELS).reg_ == 0.5


def test_with_a_solver_λ_counts_the_rows_beyond_the_sample() -> None:
    x, y = make_friedman1(4000, random_state=0)
    model = KernelRidge(landmarks=20, solver=kernel_ridge).fit(x, y)
    assert model.search_.share == 0.5
    assert model.reg_ == model.search_.reg / 2


def test_whole_weights_are_repeated_rows() -> None:
    weights = np.arange(len(X)) % 3
    order = np.random.default_rng(0).permutation(int(weights.sum()))
    repeated = [np.repeat(a, weights, axis=0)[order] for a in (X, Y)]
    a, b = KernelRidge().fit(X, Y, weights), KernelRidge().fit(*repeated)
    assert (a.kernel_, a.reg_) == (b.kernel_, b.reg_)
    np.testing.assert_allclose(a.predict(X_NEW), b.predict(X_NEW), rtol=1e-5)


@pytest.mark.parametrize("name", ["torch", pytest.param("jax", marks=pytest.mark.heavy)])
def test_the_same_in_other_libraries(name: str) -> None:
    library = backend(name)
    x, y = (library.asarray(a[:150].astype(np.float32)) for a in (X, Y))
    found, wanted = KernelRidge(landmarks=50).fit(x, y), KernelRidge(landmarks=50).fit(*map(library.to_numpy, (x, y)))
    assert found.kernel_.bandwidth == pytest.approx(wanted.kernel_.bandwidth, rel=1e-5)
    assert library.owns(found.predict(x))


@pytest.mark.parametrize("x", [np.ones((20, 2)), np.arange(20.0)[:, None] % 2])
def test_rows_that_hardly_differ(x: Any) -> None:
    y = np.arange(20.0)
    assert np.isfinite(KernelRidge().fit(x, y).predict(x)).all()
    assert np.isfinite(KernelClassifier().fit(x, y > 9).decision_function(x)).all()

"""scikit-learn's own checks."""

from typing import Any
from unittest import SkipTest

import pytest
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, RandomFeatures
from kerneltools.kernels import Matern
from kerneltools.solvers import CrossEntropy, SquaredHinge, kernel_ridge

# The checks fit some dozen rows, less than the default number of landmarks.
pytestmark = pytest.mark.filterwarnings("ignore::kerneltools.landmarks.ReducedWarning")

ESTIMATORS = [
    NystromFeatures(),
    RandomFeatures(m=40),
    KernelRidge(),
    KernelClassifier(),
    KernelClassifier(loss=SquaredHinge(), reg=1e-3),
    KernelClassifier(loss=CrossEntropy(), reg=1e-3),
    KernelPCA(),
]


@parametrize_with_checks(ESTIMATORS)
def test_contract(estimator: Any, check: Any) -> None:
    try:
        check(estimator)
    except SkipTest as reason:
        # The tests' extra and their settings bring all that the checks ask for.
        pytest.fail(f"skipped: {reason}")


def test_contract_with_a_solver() -> None:
    check_estimator(KernelRidge(kernel=Matern(1.5, 3.0), solver=kernel_ridge))

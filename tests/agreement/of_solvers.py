"""Cases of solvers. Their problems are well conditioned: what rounding makes of others is tested in tests/solvers."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian
from kerneltools.linalg import conjugate_gradient
from kerneltools.solvers import (
    Logistic,
    exact_path,
    exact_ridge,
    falkon,
    fit_kernel,
    kernel_ridge,
    nystrom_pcg,
    path_of,
    ridge_path,
    ridge_sums,
)
from tests.agreement.case import Case, Draw, numbers, size


def steps(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, m), "rhs": numbers(draw, m, 2, other=True)}

    def f(v: Any, c: Any) -> Any:
        # 2 I and more: few steps, of few roundings.
        factor = v["factor"]
        return conjugate_gradient(
            lambda x: namespace(factor).matrix_transpose(factor) @ (factor @ x) + 2 * x, v["rhs"], tolerance=1e-13
        ).x

    return Case(f, variables, terms=20 * m)


def sums(draw: Draw, few: bool) -> Case:
    n, d = size(draw, few, 3, 8), size(draw, few, 1, 5)
    variables = {"x": numbers(draw, n, d), "y": numbers(draw, n, 2, other=True), "w": np.abs(numbers(draw, n)) + 0.1}

    def f(v: Any, c: Any) -> Any:
        total = ridge_sums(v["x"], v["y"], v["w"], block=3)
        return total.gram, total.cross, total.square, total.x_mean, total.weight

    return Case(f, variables, terms=3 * n, wide=True)


def path(draw: Draw, few: bool) -> Case:
    n = size(draw, few, 6, 9)
    variables = {"x": numbers(draw, n, 3), "y": numbers(draw, n, 2, other=True), "w": np.abs(numbers(draw, n)) + 0.1}

    def f(v: Any, c: Any) -> Any:
        found = path_of(ridge_sums(v["x"], v["y"], v["w"], block=4))
        model = found.model(0.1)
        return model.weights, model.intercept, found.generalised_cross_validation((0.1, 1.0))

    return Case(f, variables, terms=4 * n, wide=True)


def rows_path(draw: Draw, few: bool) -> Case:
    n, d = size(draw, few, 3, 8), size(draw, few, 1, 5)
    variables = {"x": numbers(draw, n, d), "y": numbers(draw, n, 2, other=True), "w": np.abs(numbers(draw, n)) + 0.1}

    def f(v: Any, c: Any) -> Any:
        found = ridge_path(v["x"], v["y"], weights=v["w"], qr=True)
        return found.leave_one_out((0.1, 1.0)), found.generalised_cross_validation((0.1, 1.0))

    return Case(f, variables, terms=4 * n, wide=True)


def _regression(draw: Draw, few: bool) -> dict[str, Any]:
    n, m = size(draw, few, 4, 12), size(draw, few, 1, 3)
    return {
        # Landmarks three apart in units of the width: nearly the identity.
        "points": 3.0 * np.arange(m)[:, None] + 0.1 * numbers(draw, m, 2),
        "x": numbers(draw, n, 2, other=True) + np.asarray([3.0, 0.0]),
        "y": numbers(draw, n, 2),
        "weights": np.abs(numbers(draw, n)) + 0.1,
    }


def iterative_ridge(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        return falkon(Gaussian(1.0), v["points"], v["x"], v["y"], 0.1, weights=v["weights"], tolerance=1e-13, block=5)(
            v["x"]
        )

    return Case(f, _regression(draw, few), terms=40)


def direct_ridge(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        return kernel_ridge(Gaussian(1.0), v["points"], v["x"], v["y"], 0.1, weights=v["weights"], block=5)(v["x"])

    return Case(f, _regression(draw, few), terms=40)


def full_ridge(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        model = nystrom_pcg(Gaussian(1.0), v["x"], v["y"], 0.1, weights=v["weights"], rank=2, tolerance=1e-13, block=5)
        return model(v["x"])

    return Case(f, _regression(draw, few), terms=40)


def exact(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        return exact_ridge(Gaussian(1.0), v["x"], v["y"], 0.1, weights=v["weights"])(v["points"])

    return Case(f, _regression(draw, few), terms=80)


def all_exact(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        found = exact_path(Gaussian(1.0), v["x"], v["y"], weights=v["weights"])
        regs = (0.1, 1.0)
        return found.leave_one_out(regs), found.generalised_cross_validation(regs)

    return Case(f, _regression(draw, few), terms=200, wide=True)


def classifier(draw: Draw, few: bool) -> Case:
    labels = draw(st.integers(0, 2**10 - 1))

    def f(v: Any, c: Any) -> Any:
        model = fit_kernel(
            Gaussian(1.0), v["points"], v["x"], c, Logistic(), 0.1, weights=v["weights"], tolerance=1e-26, block=5
        )
        return model(v["x"])

    variables = _regression(draw, few)
    targets = np.where(np.asarray([labels >> i & 1 for i in range(len(variables["x"]))])[:, None] == 1, 1.0, -1.0)
    return Case(f, variables, targets, terms=80)

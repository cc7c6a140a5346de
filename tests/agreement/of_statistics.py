"""Cases of learning on features: objectives, components, clusters and statistics of samples."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian
from kerneltools.learning import (
    GeneralisedCrossValidation,
    HoldOut,
    LeaveOneOut,
    Objective,
    fit_temperature,
    hsic,
    independence_test,
    kernel_kmeans,
    kernel_pca,
    mmd,
    two_sample_test,
)
from kerneltools.maps import nystrom
from tests.agreement.case import Case, Draw, numbers, size


def _landmarks(draw: Draw, few: bool) -> np.ndarray:
    """Three apart in units of the width, so that their matrix is nearly the identity."""
    m = size(draw, few, 1, 3)
    return 3.0 * np.arange(m)[:, None] + 0.1 * numbers(draw, m, 2)


def _rows(draw: Draw, n: int, other: bool = False) -> np.ndarray:
    return numbers(draw, n, 2, other=other) + np.asarray([3.0, 0.0])


def error_of(objective: Callable[[Any, Any], Objective]) -> Callable[[Draw, bool], Case]:
    """Cases of an objective, made from other rows."""

    def case(draw: Draw, few: bool) -> Case:
        n = size(draw, few, 6, 10)
        variables = {
            "kernel": Gaussian(np.asarray(1.2)),
            "points": _landmarks(draw, few),
            "x": _rows(draw, n),
            "y": numbers(draw, n, 2),
            "reg": np.asarray(0.1),
            "other": (_rows(draw, 4, other=True), numbers(draw, 4, 2, other=True)),
        }

        def f(v: Any, c: Any) -> Any:
            phi = nystrom(v["kernel"], v["points"], reg=0.1)
            return objective(*v["other"])(phi, v["x"], v["y"], v["reg"])

        return Case(f, variables, terms=60, wide=True)

    return case


leave_one_out = error_of(lambda x, y: LeaveOneOut())
generalised = error_of(lambda x, y: GeneralisedCrossValidation())
hold_out = error_of(HoldOut)


def components(draw: Draw, few: bool) -> Case:
    # Each column varies twice as much as the one before: no two eigenvalues are near each other.
    x = np.linalg.qr(numbers(draw, 12, 3) - 0.5)[0] * np.asarray([1.0, 2.0, 4.0])

    def f(v: Any, c: Any) -> Any:
        found = kernel_pca(lambda rows: rows, v["x"], 2, block=5)
        scores = namespace(v["x"]).astype(found(v["x"]), found.mean.dtype)
        return found.variances, found.total, found.mean, scores * scores

    return Case(f, {"x": x}, terms=40, wide=True)


def clusters(draw: Draw, few: bool) -> Case:
    # Far apart, so that rounding moves no row to another cluster.
    x = 0.1 * numbers(draw, 12, 2) + 10.0 * (np.arange(12) % 3)[:, None]
    return Case(lambda v, c: kernel_kmeans(lambda rows: rows, v["x"], 3, 0).centres, {"x": x}, terms=40, wide=True)


def probabilities(draw: Draw, few: bool) -> Case:
    # Rows of three classes in turn, with the scores of their own class raised.
    scores = numbers(draw, 12, 3) + 2.0 * np.eye(3)[np.arange(12) % 3]

    def f(v: Any, c: Any) -> Any:
        return fit_temperature(v["scores"], [row % 3 for row in range(12)])(v["scores"])

    return Case(f, {"scores": scores}, terms=60)


def discrepancy(draw: Draw, few: bool) -> Case:
    variables = _samples(draw, few)

    def f(v: Any, c: Any) -> Any:
        return mmd(nystrom(Gaussian(1.0), v["points"], reg=0.1), v["x"], v["y"], block=4)

    return Case(f, variables, terms=60, wide=True)


def discrepancies(draw: Draw, few: bool) -> Case:
    variables = _samples(draw, few)

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(Gaussian(1.0), v["points"], reg=0.1)
        return two_sample_test(phi, v["x"], v["y"], 0, permutations=70, block=4).null

    return Case(f, variables, terms=60, wide=True)


def criterion(draw: Draw, few: bool) -> Case:
    variables = _samples(draw, few, paired=True)

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(Gaussian(1.0), v["points"], reg=0.1)
        return hsic(phi, lambda y: y, v["x"], v["y"], block=4)

    return Case(f, variables, terms=60, wide=True)


def criteria(draw: Draw, few: bool) -> Case:
    variables = _samples(draw, few, paired=True)

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(Gaussian(1.0), v["points"], reg=0.1)
        return independence_test(phi, lambda y: y, v["x"], v["y"], 0, permutations=5, block=4).null

    return Case(f, variables, terms=60, wide=True)


def _samples(draw: Draw, few: bool, paired: bool = False) -> dict[str, Any]:
    n = size(draw, few, 3, 8)
    return {
        "points": _landmarks(draw, few),
        "x": _rows(draw, n),
        "y": _rows(draw, n if paired else n + 1, other=True),
    }

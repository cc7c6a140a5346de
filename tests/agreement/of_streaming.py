"""Cases of rows that come in blocks."""

from typing import Any

import numpy as np

from kerneltools import streaming
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian
from kerneltools.maps import nystrom
from tests.agreement.case import Case, Draw, numbers, size


def _variables(draw: Draw, few: bool) -> dict[str, Any]:
    n = size(draw, few, 6, 9)
    weights = np.abs(numbers(draw, n)) + 0.1
    return {"points": np.diag([3.0, 4.0]), "x": numbers(draw, n, 2), "y": numbers(draw, n, 2, other=True), "w": weights}


def features(draw: Draw, few: bool) -> Case:
    def f(v: Any, c: Any) -> Any:
        phi = nystrom(Gaussian(1.5), v["points"], reg=0.1)
        parts = list(streaming.transform(phi, streaming.rows(v["x"], block=4)))
        return namespace(*parts).concat(parts)

    return Case(f, _variables(draw, few), terms=16)


def sums(draw: Draw, few: bool) -> Case:
    variables = _variables(draw, few)

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(Gaussian(1.5), v["points"], reg=0.1)
        first, second = ((v["x"][part, :], v["y"][part, :], v["w"][part]) for part in (slice(0, 3), slice(3, 6)))
        total = streaming.merge(streaming.ridge(phi, [first]), streaming.ridge(phi, [second])).sums
        return total.gram, total.cross, total.square, total.x_mean, total.weight

    return Case(f, variables, terms=60, wide=True)

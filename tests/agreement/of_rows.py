"""Cases of functions of rows and matrices."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ckn import preprocessing
from kerneltools import arrays, kernels, linalg, primitives, random
from kerneltools.kernels import Cosine, Gaussian, Kernel
from kerneltools.kernels.base import row_norms, step
from kerneltools.maps import nystrom
from kerneltools.solvers import ridge, ridge_path
from tests.agreement.case import Case, Draw, kink, numbers, size, unit_rows, with_array_parameters
from tests.laws.members import KERNELS, PROFILES, infinite_slope

# Distances or inner products are put into polynomials of at most so many terms.
POLYNOMIAL = 6


def _columns(kernel: Kernel) -> tuple[int, int]:
    """So many that random rows keep away from the kernel's kinks: angles of 0 and π, the distance 0."""
    if kink(kernel) is not None:
        return 5, 6
    return (3 if infinite_slope(kernel) else 2 if kernel == Cosine() else 1), 4


def kernel_matrix(draw: Draw, few: bool) -> Case:
    kernel = draw(st.sampled_from(KERNELS))
    d = size(draw, few, *_columns(kernel))
    x = numbers(draw, size(draw, few, 1, 5), d, blank=True)
    y = numbers(draw, size(draw, few, 1, 4), d, other=True)
    variables = {"kernel": with_array_parameters(kernel), "x": x, "y": y}
    return Case(lambda v, c: v["kernel"](v["x"], v["y"]), variables, terms=d + POLYNOMIAL)


def kernel_diagonal(draw: Draw, few: bool) -> Case:
    kernel = draw(st.sampled_from(KERNELS))
    d = size(draw, few, 1, 4)
    variables = {"kernel": with_array_parameters(kernel), "x": numbers(draw, size(draw, few, 1, 5), d, blank=True)}
    return Case(lambda v, c: v["kernel"].diag(v["x"]), variables, terms=d + POLYNOMIAL, kink=kink(kernel))


def distances(draw: Draw, few: bool) -> Case:
    d = size(draw, few, 1, 4)
    variables = numbers(draw, size(draw, few, 1, 5), d), numbers(draw, size(draw, few, 1, 4), d)
    return Case(lambda v, c: kernels.square_distances(*v), variables, terms=2 * d + 4)


def profile_values(draw: Draw, few: bool) -> Case:
    profile = with_array_parameters(draw(st.sampled_from(PROFILES)))
    cosines = np.tanh(numbers(draw, size(draw, few, 1, 5), 3))
    return Case(lambda v, c: v["profile"](v["u"]), {"profile": profile, "u": cosines})


def _landmarks(draw: Draw, few: bool) -> tuple[Kernel, np.ndarray, np.ndarray]:
    kernel = draw(st.sampled_from(KERNELS))
    d = size(draw, few, 2, 4)
    points = numbers(draw, size(draw, few, 1, 4), d)
    x = numbers(draw, size(draw, few, 1, 5), d, blank=True, other=True)
    return kernel, unit_rows(points) if kernel.homogeneous else points, x


def nystrom_map(draw: Draw, few: bool) -> Case:
    kernel, points, x = _landmarks(draw, few)
    variables = {"kernel": with_array_parameters(kernel), "points": points, "x": x, "reg": np.asarray(0.5)}

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(v["kernel"], v["points"], v["reg"])
        return phi(v["x"]), phi.residual(v["x"]), v["kernel"].diag(v["x"])

    return Case(f, variables, terms=x.shape[1] + 2 * len(points), kink=kink(kernel))


def exact_nystrom_map(draw: Draw, few: bool) -> Case:
    """Without regularisation; a narrow Gaussian kernel keeps the landmarks' matrix far from singular."""
    kernel, points, x = _landmarks(draw, few)
    kernel = kernel + Gaussian(0.2)
    variables = {"kernel": with_array_parameters(kernel), "points": points, "x": x}

    def f(v: Any, c: Any) -> Any:
        phi = nystrom(v["kernel"], v["points"])
        return phi(v["x"]), phi.residual(v["x"]), v["kernel"].diag(v["x"])

    # The shift on the diagonal is that of m roundings: 4 m more.
    return Case(f, variables, terms=x.shape[1] + 6 * len(points), kink=kink(kernel))


def _segments(draw: Draw, few: bool) -> tuple[np.ndarray, np.ndarray, int]:
    n, count = size(draw, few, 1, 7), size(draw, few, 1, 4)
    segments = np.random.default_rng(draw(st.integers(0, 99))).integers(0, count, n)
    return numbers(draw, n, 3), segments, count


def segment_sums(draw: Draw, few: bool) -> Case:
    values, segments, count = _segments(draw, few)
    return Case(lambda v, c: primitives.segment_sum(v, c, count), values, segments, terms=len(values))


def segment_maxima(draw: Draw, few: bool) -> Case:
    values, segments, _ = _segments(draw, few)
    # Each number is carried by some row: the maximum of none is -inf, which no difference can be taken of.
    present, segments = np.unique(segments, return_inverse=True)
    return Case(lambda v, c: primitives.segment_max(v, c, len(present)), values, segments)


def maxima_of_rows(draw: Draw, few: bool) -> Case:
    """Of numbers some 1 apart, so that differences do not change which is the greatest."""
    x = numbers(draw, size(draw, few, 1, 5), size(draw, few, 1, 4))

    def f(v: Any, c: Any) -> Any:
        index, greatest = primitives.row_maxima(v)
        return arrays.namespace(v).astype(index, v.dtype), greatest

    return Case(f, np.argsort(np.argsort(x, axis=1), axis=1) + 0.1 * np.tanh(x))


def added_rows(draw: Draw, few: bool) -> Case:
    values, segments, count = _segments(draw, few)
    variables = {"target": numbers(draw, count, 3), "values": values}
    return Case(lambda v, c: primitives.index_add(v["target"], c, v["values"]), variables, segments, terms=len(values))


def triangular(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    factor = np.tril(numbers(draw, m, m)) * 0.5
    np.fill_diagonal(factor, 1 + np.abs(np.diag(factor)))
    variables = {"factor": factor, "rhs": numbers(draw, m, size(draw, few, 1, 3))}

    def f(v: Any, c: Any) -> Any:
        # What is above the diagonal is no argument of the function, and libraries differ in looking at it.
        lower = arrays.namespace(v["factor"]).tril(v["factor"])
        return primitives.solve_triangular(lower, v["rhs"])

    return Case(f, variables, terms=2 * m)


def _gram_of(factor: Any) -> Any:
    return factor @ arrays.namespace(factor).matrix_transpose(factor)


def inverse_root(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, size(draw, few, 1, 5)), "reg": np.asarray(0.3)}
    return Case(lambda v, c: linalg.inverse_sqrt(_gram_of(v["factor"]), v["reg"]), variables, terms=3 * m)


def lyapunov(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, m), "rhs": numbers(draw, m, m)}

    def f(v: Any, c: Any) -> Any:
        root = _gram_of(v["factor"])
        return linalg.lyapunov(root + linalg.identity_like(root), v["rhs"])

    return Case(f, variables, terms=4 * m)


def cholesky(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    factor = numbers(draw, m, m)

    def f(v: Any, c: Any) -> Any:
        gram = _gram_of(v)
        return linalg.cholesky_factor(gram + linalg.identity_like(gram), rtol=1e-3)

    return Case(f, factor, terms=2 * m, wide=True)


def shifted(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"factor": numbers(draw, m, m), "rhs": numbers(draw, m, size(draw, few, 1, 3))}
    return Case(lambda v, c: linalg.solve_shifted(_gram_of(v["factor"]), 0.5, v["rhs"]), variables, terms=4 * m)


def from_factor(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    factor = np.tril(numbers(draw, m, m)) * 0.3 + 2.0 * np.eye(m)
    variables = {"factor": factor, "rhs": numbers(draw, m, size(draw, few, 1, 3))}
    return Case(lambda v, c: linalg.cholesky_solve(v["factor"], v["rhs"]), variables, terms=8 * m)


def upper(draw: Draw, few: bool) -> Case:
    m = size(draw, few, 1, 5)
    variables = {"x": numbers(draw, size(draw, few, 1, 3), m), "factor": np.triu(numbers(draw, m, m))}
    return Case(lambda v, c: linalg.upper_product(v["x"], v["factor"]), variables, terms=m)


def roots(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 3, blank=True)
    return Case(lambda v, c: arrays.safe_sqrt(v), np.where(x == 0, 0.0, x * x + 0.1))


def reciprocals(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 3, blank=True)
    return Case(lambda v, c: primitives.reciprocal(v), np.where(x == 0, 0.0, np.abs(x) + 0.1))


def signs(draw: Draw, few: bool) -> Case:
    return Case(lambda v, c: primitives.sign(v), numbers(draw, size(draw, few, 1, 5), 3, blank=True))


def products_of_rows(draw: Draw, few: bool) -> Case:
    n, m = size(draw, few, 1, 5), size(draw, few, 1, 4)
    variables = {"x": numbers(draw, 2, n, m), "y": numbers(draw, 2, n, m, other=True)}
    return Case(lambda v, c: primitives.row_products(v["x"], v["y"]), variables, terms=m)


def turns(draw: Draw, few: bool) -> Case:
    x, weights = numbers(draw, size(draw, few, 1, 5), 3), numbers(draw, 4, 3, other=True)
    variables = {"x": x, "weights": weights, "lengths": np.asarray(1.5)}
    return Case(lambda v, c: primitives.cosine_features(v["x"], v["weights"], v["lengths"], 0.5), variables, terms=3)


def cosines(draw: Draw, few: bool) -> Case:
    angle = numbers(draw, size(draw, few, 1, 5), 3)
    return Case(lambda v, c: primitives.cosines_and_sines(v, 0.5), angle)


def responses(draw: Draw, few: bool) -> Case:
    """Inner products of vectors of norm `scale` with unit vectors, none of them blank: there the scale has a kink."""
    n = size(draw, few, 1, 5)
    cosines = np.tanh(numbers(draw, n, size(draw, few, 1, 4)))
    scale = np.abs(numbers(draw, n, 1)) + 0.1
    variables = {"inner": scale * cosines, "scale": scale, "alpha": np.asarray(2.5)}
    return Case(lambda v, c: primitives.exponential_response(v["inner"], v["scale"], v["alpha"]), variables)


def norms(draw: Draw, few: bool) -> Case:
    return Case(lambda v, c: row_norms(v), numbers(draw, size(draw, few, 1, 5), 3, blank=True))


def steps(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 3)
    return Case(lambda v, c: step(v), x + 0.1 * np.where(x < 0, -1.0, 1.0))


def draws(draw: Draw, few: bool) -> Case:
    seed = draw(st.integers(0, 99))
    like = np.zeros(1)
    return Case(lambda v, c: (random.normal(seed, (3, 2), v), random.uniform(seed, (4,), v)), like)


def _data(draw: Draw, few: bool) -> tuple[np.ndarray, np.ndarray]:
    n, d = size(draw, few, 3, 8), size(draw, few, 1, 5)
    return numbers(draw, n, d), numbers(draw, n, size(draw, few, 1, 2))


def ridge_targets(draw: Draw, few: bool) -> Case:
    x, y = _data(draw, few)
    reg = draw(st.sampled_from([0.1, 1.0]))
    return Case(lambda v, c: ridge(c, v, reg)(c), y, x, terms=2 * len(x))


def ridge_solutions(draw: Draw, few: bool) -> Case:
    x, y = _data(draw, few)
    regs = (0.1, 1.0)

    def f(v: Any, c: Any) -> Any:
        return ridge_path(v["x"], v["y"], block=3).leave_one_out(regs, block=2)

    return Case(f, {"x": x, "y": y}, terms=2 * len(x), wide=True)


def features(draw: Draw, few: bool) -> Case:
    x = numbers(draw, size(draw, few, 1, 5), 4)
    return Case(lambda v, c: preprocessing.normalise_features(v), x, terms=4)

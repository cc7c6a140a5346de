"""Cases of selectors of landmarks: all libraries must choose the same rows, and move centres alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kerneltools import landmarks
from kerneltools.arrays import namespace
from kerneltools.kernels import Gaussian, Homogeneous, Kernel, Laplacian, Linear, Precomputed
from kerneltools.kernels.profiles import Exponential
from kerneltools.landmarks import Selector
from tests.agreement.case import Case, Draw, numbers

KERNELS: tuple[Kernel, ...] = (Gaussian(1.0), Laplacian(2.0), Homogeneous(Exponential(0.5)), Gaussian(2.0) * Linear())


def given(draw: Draw, few: bool) -> Case:
    variables = {"x": numbers(draw, 4, 3), "points": numbers(draw, 2, 3)}
    return Case(lambda v, c: landmarks.Given(v["points"])(Linear(), v["x"], 0).points, variables)


def uniform(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.Uniform(4))


def spherical_kmeans(draw: Draw, few: bool) -> Case:
    return _moved(draw, landmarks.SphericalKMeans(3, block=_block(draw)))


def kmeans(draw: Draw, few: bool) -> Case:
    return _moved(draw, landmarks.KMeans(3, block=_block(draw)))


def minibatch_kmeans(draw: Draw, few: bool) -> Case:
    return _moved(draw, landmarks.MiniBatchKMeans(3, batch=_block(draw), rounds=2))


def cell_means(draw: Draw, few: bool) -> Case:
    return _moved(draw, landmarks.CellMeans(3, each=draw(st.sampled_from([2, 10]))))


def kmeans_plus_plus(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.KMeansPlusPlus(4, trials=draw(st.sampled_from([None, 1]))))


def rpcholesky(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.RPCholesky(4, block=draw(st.sampled_from([None, 1, 3]))))


def greedy(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.Greedy(4))


def ridge_leverage(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.RidgeLeverage(4, block=_block(draw)))


def bless(draw: Draw, few: bool) -> Case:
    return _chosen(draw, landmarks.BLESS(4, block=_block(draw)))


def of_a_matrix(make: Callable[[int], Selector]) -> Callable[[Draw, bool], Case]:
    """Rows of a precomputed kernel, chosen by their numbers."""

    def case(draw: Draw, few: bool) -> Case:
        x, seed = numbers(draw, 12, 3), draw(st.integers(0, 99))

        def f(gram: Any, c: Any) -> Any:
            numbers = namespace(gram).arange(12, dtype=gram.dtype, device=gram.device)
            return make(4)(Precomputed(gram), numbers[:, None], seed).points

        # Far enough from singular for half precision.
        return Case(f, Gaussian(1.0)(x, x) + 0.1 * np.eye(12))

    return case


def _block(draw: Draw) -> int:
    return draw(st.sampled_from([5, 12]))


def _chosen(draw: Draw, selector: Selector) -> Case:
    """Landmarks that are rows."""
    x, kernel, seed = numbers(draw, 12, 3), draw(st.sampled_from(KERNELS)), draw(st.integers(0, 99))
    return Case(lambda v, c: selector(kernel, v, seed).points, x)


def _moved(draw: Draw, selector: Selector) -> Case:
    """Landmarks that are means of rows."""
    x, seed = numbers(draw, 12, 3), draw(st.integers(0, 99))
    return Case(lambda v, c: selector(Homogeneous(Exponential(0.5)), v, seed).points, x, terms=12)

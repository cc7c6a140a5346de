"""Recursions over gaps beside tables of all subsequences."""

from itertools import combinations

import numpy as np
import pytest

from kerneltools.kernels.profiles import Exponential
from kerneltools.patches import (
    Multiplied,
    PartKernel,
    PartSum,
    ProductOfNorms,
    Subsequences,
    gapped_max,
    gapped_responses,
    gapped_sum,
)
from kerneltools.structures import Ragged
from tests.strict import assert_close, to_strict

rng = np.random.default_rng(0)
LENGTHS = (7, 2, 0, 5)
X = Ragged.of([rng.standard_normal((length, 3)) for length in LENGTHS])
WIDTH, NOTHING = 8, len(X.values)
PLACES = np.full((len(LENGTHS), WIDTH), NOTHING)
for row, (start, length) in enumerate(zip(X.offsets, LENGTHS, strict=False)):
    PLACES[row, :length] = np.arange(start, start + length)


def filters(k: int) -> np.ndarray:
    z = rng.standard_normal((4, k, 3))
    return z / np.linalg.norm(z, axis=2, keepdims=True)


def responses(z: np.ndarray) -> np.ndarray:
    return gapped_responses(np.concatenate([X.values, np.zeros((1, 3))]), z, Exponential(0.9))


@pytest.mark.parametrize(("k", "decay"), [(1, 0.5), (2, 0.0), (3, 1.0), (3, 0.3), (4, 0.3)])
def test_a_sum_is_that_of_the_table(k: int, decay: float) -> None:
    z, parts = filters(k), Subsequences(k, decay)(X)
    kernel = PartKernel(Exponential(0.9), Multiplied(), ProductOfNorms())
    wanted = PartSum()(kernel(X.values, parts.index, z), parts)
    assert_close(gapped_sum(responses(z), PLACES, decay), wanted, 1e-13)
    assert (wanted[2] == 0).all()


@pytest.mark.parametrize(("k", "decay"), [(1, 0.5), (3, 0.0), (3, 0.7)])
def test_a_maximum_is_that_of_all_subsequences(k: int, decay: float) -> None:
    b = responses(filters(k))
    wanted = np.zeros((len(X), 4))
    for i, length in enumerate(LENGTHS):
        for tuple_ in combinations(range(length), k):
            gaps = tuple_[-1] - tuple_[0] - (k - 1)
            value = decay**gaps * np.prod([b[PLACES[i, t], j] for j, t in enumerate(tuple_)], axis=0)
            wanted[i] = np.maximum(wanted[i], value)
    assert_close(gapped_max(b, PLACES, decay, np.eye(4)), wanted, 1e-14)


def test_places_of_nothing_and_the_number_of_items_make_no_difference() -> None:
    b, root = responses(filters(3)), rng.standard_normal((4, 4))
    wider = np.concatenate([PLACES, np.full((4, 3), NOTHING)], axis=1)
    # More rows than items: these are taken step by step.
    many = np.concatenate([wider] * 5)
    assert len(many) > len(b) > len(PLACES)
    for found in (lambda p: gapped_sum(b, p, 0.4), lambda p: gapped_max(b, p, 0.4, root)):
        assert_close(found(many), np.concatenate([found(PLACES)] * 5), 1e-15)


def test_by_the_standard_alone() -> None:
    z, root = filters(3), rng.standard_normal((4, 4))
    items = np.concatenate([X.values, np.zeros((1, 3))])
    b = gapped_responses(to_strict(items), to_strict(z), Exponential(0.9))
    assert_close(np.asarray(gapped_sum(b, to_strict(PLACES), 0.4)), gapped_sum(responses(z), PLACES, 0.4), 1e-14)
    got = gapped_max(b, to_strict(PLACES), 0.4, to_strict(root))
    assert_close(np.asarray(got), gapped_max(responses(z), PLACES, 0.4, root), 1e-14)


def test_no_place() -> None:
    with pytest.raises(ValueError, match=r"places: expected .* T >= 1, got shapes \(15, 2, 4\) and \(2, 0\)"):
        gapped_sum(responses(filters(2)), np.zeros((2, 0), dtype=int), 0.5)

"""Steps before networks on objects: what they learn from a training, and what they make of it."""

import numpy as np
import pytest

from ckn.preprocessing import DegreeLabels, LabelColumns, NormaliseSeries, ObjectStep, Standardise
from kerneltools.structures import Graph, Graphs, Ragged
from tests.strict import assert_close


def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((t, 3)) * [1, 1e6, 0] + [5, -1e6, 0.1] for t in (4, 1, 6)]


def test_standardise() -> None:
    x = Ragged.of(arrays())
    step = Standardise().fitted(x)
    whole = np.concatenate(arrays())
    found = step(x).values
    assert_close(found[:, :2], ((whole - whole.mean(axis=0)) / whole.std(axis=0).clip(1e-9))[:, :2], 1e-10)
    assert np.abs(found[:, 2]).max() < 1e-15, "a constant column stays one"
    assert step.fitted(x[:1]) is step, "what is learnt, or given, stays"
    assert_close(step(x[:1]).values, found[:4])


def test_normalise_series_one_by_one() -> None:
    x = Ragged.of([*arrays(), np.zeros((0, 3))])
    found = NormaliseSeries()(x)
    for one, made in zip(arrays(), found, strict=False):
        spread = one.std(axis=0)
        wanted = (one - one.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
        assert_close(made, wanted, 1e-9)


@pytest.mark.parametrize("exponent", [-700, 700])
def test_numbers_whose_squares_are_out_of_range(exponent: int) -> None:
    near = Ragged.of([one[:, :1] for one in arrays()])
    far = Ragged(np.ldexp(near.values, exponent), near.offsets)
    for step in (Standardise(), NormaliseSeries()):
        assert_close(step.fitted(far)(far).values, step.fitted(near)(near).values, 1e-14)


def test_of_graphs() -> None:
    star = Graph(4, [[0, 1], [0, 2], [0, 3]], [7, 2, 2, 7], np.arange(4.0)[:, None])
    x = Graphs.of([star])
    assert LabelColumns().fitted(x)(x).attributes.tolist() == [[0, 0, 1], [1, 1, 0], [2, 1, 0], [3, 0, 1]]
    assert LabelColumns((2,))(x).attributes.tolist() == [[0, 0], [1, 1], [2, 1], [3, 0]]
    assert DegreeLabels().fitted(x) == DegreeLabels(3)
    assert DegreeLabels(2)(x).labels.tolist() == [2, 1, 1, 1]


@pytest.mark.parametrize("step", [Standardise(), LabelColumns(), DegreeLabels()])
def test_before_they_have_learnt(step: ObjectStep) -> None:
    with pytest.raises(ValueError, match=r"it has no .* yet"):
        step(Graphs.of([Graph(1, np.zeros((0, 2), int), [0], np.zeros((1, 1)))]))


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="means, scales: expected as many of both"):
        Standardise((1.0,), None)
    with pytest.raises(ValueError, match="scales: "):
        Standardise((1.0,), (0.0,))
    with pytest.raises(ValueError, match="expected 3 columns, as in training, got 1"):
        Standardise().fitted(Ragged.of(arrays()))(Ragged.of([np.zeros((2, 1))]))
    with pytest.raises(ValueError, match="expected graphs with labels of nodes"):
        LabelColumns().fitted(Ragged.of(arrays()))
    with pytest.raises(TypeError, match="expected graphs, got Ragged"):
        DegreeLabels().fitted(Ragged.of(arrays()))

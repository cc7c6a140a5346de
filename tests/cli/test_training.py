"""Splits, and what the kernel maps miss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckn import Layer, Model, Network
from ckn.applying import predictions
from ckn.preprocessing import Scale
from ckn.readers import Images, read
from ckn.training import default_architecture, relative_misses, split
from kerneltools.kernels import Homogeneous
from kerneltools.kernels.profiles import Exponential
from kerneltools.solvers import LinearModel


@given(st.lists(st.integers(0, 3), min_size=4, max_size=80), st.integers(0, 2**32))
def test_split_holds_out_a_fifth_of_each_class(labels: list[int], seed: int) -> None:
    counts = np.bincount(labels, minlength=4)
    if counts.max() < 2 or np.count_nonzero(counts) < 2:
        labels = [0, 0, 1, 1]
        counts = np.bincount(labels, minlength=4)
    images = np.arange(len(labels), dtype=np.float64)[:, None, None, None]
    data = Images(images, np.asarray(labels, dtype=np.int64), ("a", "b", "c", "d"))
    parts = split(data, "data", seed)
    both = np.concatenate([parts.train.images, parts.test.images]).ravel()
    assert sorted(both.tolist()) == list(range(len(labels)))
    for part in (parts.train, parts.test):
        np.testing.assert_array_equal(part.labels, np.asarray(labels)[part.images.ravel().astype(int)])
    held_out = np.bincount(parts.test.labels, minlength=4)
    expected = [max(1, round(0.2 * n)) if n > 1 else 0 for n in counts]
    assert held_out.tolist() == expected


def test_split_is_that_of_the_seed() -> None:
    data = read("digits")
    a, b, c = (split(data, "digits", seed).test.images for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(("grid", "name"), [((8, 8), "small"), ((12, 9), "small"), ((13, 5), "unsup-64-256")])
def test_default_architecture(grid: tuple[int, int], name: str) -> None:
    assert default_architecture(grid) == name


def one_layer(filters: np.ndarray) -> Model:
    layer = Layer(filters, Homogeneous(Exponential(0.6)), padding="valid", reg=1e-12)
    head = LinearModel(np.zeros((1, 2)), np.zeros(2))
    return Model(Network((layer,)), head, (Scale(255.0),), ("a", "b"), (4, 4, 1))


def test_misses_are_nothing_at_the_filters_and_blank_patches_do_not_count() -> None:
    images = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    images[1, 0, 0] = 200  # only the first patch of the second image sees it
    patch = np.zeros((1, 2, 2, 1))
    patch[0, 0, 0] = 1.0
    (miss,) = relative_misses(one_layer(patch), images, None, lambda *_: None)
    np.testing.assert_allclose(miss, [0.0], atol=1e-9)
    (miss,) = relative_misses(one_layer(patch[:, ::-1]), images, 1, lambda *_: None)
    # 1 - κ(0)², the patch and the filter at right angles
    np.testing.assert_allclose(miss, [1 - np.exp(-2 / 0.36)], atol=1e-9)


def test_misses_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 4, 4, 1), dtype=np.uint8)
    model = one_layer(rng.standard_normal((3, 2, 2, 1)) / 2)
    a, b = (np.sort(relative_misses(model, images, batch, lambda *_: None)[0]) for batch in (2, None))
    np.testing.assert_allclose(a, b, atol=1e-12)
    assert a.shape == (7 * 9,)


def test_predictions() -> None:
    best, score, margin = predictions(np.asarray([[0.5, -1.0, 0.25], [-3.0, -2.0, -1.0]]))
    assert best.tolist() == [0, 2]
    assert score.tolist() == [0.5, -1.0]
    assert margin.tolist() == [0.25, 1.0]

"""Epoch 0: the start is measured as an epoch is, and the first epoch does not do worse than it."""

from dataclasses import replace

import numpy as np
import pytest

from ckn import Architecture, LayerSpec, Network, Supervised, fit_supervised, fit_unsupervised
from ckn.readers import read
from ckn.supervised import Alternating, Flip, Joint, LayerReversal
from ckn.supervised.start import RATES
from kerneltools import backend
from kerneltools.optimisers import Constant
from kerneltools.solvers import CrossEntropy, Loss, Squared, SquaredHinge

N = 800


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return (read("digits").images[: N + 200] / 16).astype(np.float32)


@pytest.fixture(scope="module")
def labels() -> list[int]:
    return read("digits").labels[: N + 200].tolist()


@pytest.fixture(scope="module")
def network(images: np.ndarray) -> Network:
    """Too few filters for the classes, so that labels help."""
    return fit_unsupervised(Architecture((LayerSpec(4), LayerSpec(6))), images[:N], rng=1, patches=3000)


# Neither filters nor head move.
STILL = Supervised(Squared(), epochs=1, batch=50, rate=1e-9, reg=1e-6, strategy=Alternating(1e9))


@pytest.mark.parametrize("loss", [SquaredHinge(), Squared()])
def test_the_first_epoch_is_no_worse_than_the_start(
    network: Network, images: np.ndarray, labels: list[int], loss: Loss
) -> None:
    settings = Supervised(loss, epochs=3, batch=50)
    state = fit_supervised(network, images[:N], labels[:N], 10, rng=0, settings=settings)
    assert state.initial is not None
    assert state.history[0].rate > RATES[-1], "the case shows nothing where no rate helps"
    assert state.history[0].loss < 1.05 * state.initial.loss
    assert state.history[-1].loss < state.initial.loss


@pytest.mark.parametrize(
    "settings",
    [
        STILL,
        replace(STILL, augmentation=(Flip(),)),
        replace(STILL, loss=CrossEntropy(), strategy=Joint()),
        replace(STILL, loss=SquaredHinge(), strategy=LayerReversal(1e9), memory=0, schedule=Constant()),
    ],
)
def test_the_start_is_what_an_epoch_measures_that_moves_nothing(
    network: Network, images: np.ndarray, labels: list[int], settings: Supervised
) -> None:
    validation = images[N:], labels[N:]
    state = fit_supervised(network, images[:N], labels[:N], 10, rng=0, settings=settings, validation=validation)
    start, first = state.initial, state.history[0]
    assert start is not None
    assert (start.epoch, start.rate) == (0, 0.0)
    assert start.loss == pytest.approx(first.loss, rel=1e-3)
    assert (start.train_accuracy, start.validation_accuracy) == (first.train_accuracy, first.validation_accuracy)


def test_the_start_is_measured_with_short_products(network: Network, images: np.ndarray, labels: list[int]) -> None:
    library = backend("torch")
    moved = fit_unsupervised(Architecture((LayerSpec(4),)), library.asarray(images[:100]), rng=0, patches=500)
    settings = replace(STILL, products="bfloat16", reg=1e-3)
    state = fit_supervised(moved, library.asarray(images[:100]), labels[:100], 10, rng=0, settings=settings)
    assert state.initial is not None
    assert state.initial.loss == pytest.approx(state.history[0].loss, rel=1e-3)


def test_a_training_that_goes_on_keeps_its_start(network: Network, images: np.ndarray, labels: list[int]) -> None:
    begun = fit_supervised(network, images[:N], labels[:N], 10, rng=0, settings=STILL)
    longer = replace(STILL, epochs=2)
    rest = fit_supervised(network, images[:N], labels[:N], 10, rng=0, settings=longer, start=begun)
    assert rest.initial == begun.initial
    assert rest.initial is not None

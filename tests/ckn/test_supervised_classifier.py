"""The scikit-learn face, trained with labels: the same training, images held out to measure it, and bad ones."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from ckn import ImageClassifier, Supervised, fit_supervised, fit_unsupervised
from ckn.splitting import held_out, validation_rows
from ckn.supervised import DivergedError, Joint
from kerneltools.optimisers import Constant
from kerneltools.solvers import CrossEntropy, SquaredHinge
from tests.ckn.conftest import TINY

Digits = tuple[np.ndarray, np.ndarray]
# So great a rate that the best epoch may not be the last one.
SETTINGS = Supervised(CrossEntropy(), epochs=5, batch=40, rate=0.15, reg=1e-6, schedule=Constant(), strategy=Joint())


def filters(network: Any) -> list[np.ndarray]:
    return [np.asarray(layer.filters) for layer in network.bare_layers]


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(filters(a), filters(b), strict=True))


@pytest.fixture
def supervised() -> ImageClassifier:
    return ImageClassifier(TINY, patches=500, dtype="float64", supervised=SETTINGS)


def test_is_the_training_of_the_function(supervised: ImageClassifier, digits: Digits) -> None:
    images, labels = digits
    network = fit_unsupervised(TINY, images, 0, patches=500)
    state = fit_supervised(network, images, labels, 10, 0, SETTINGS)
    supervised.fit(images, labels)
    assert (supervised.training_.initial, supervised.training_.history) == (state.initial, state.history)
    assert same(supervised.model_.network, state.network)
    assert not hasattr(supervised, "best_")
    assert not hasattr(supervised, "loo_accuracy_")


def test_an_epoch_that_does_worse_than_nothing_has_diverged(digits: Digits) -> None:
    settings = Supervised(SquaredHinge(), epochs=4, batch=40, rate=1.0, reg=1e-6)
    with pytest.raises(DivergedError, match=r"on average in epoch 1, and a head of zeros has 5; .* a tenth") as error:
        ImageClassifier(TINY, patches=500, supervised=settings).fit(*digits)
    assert error.value.state.epoch == 0


def test_without_settings_the_batch_is_no_more_than_the_images(digits: Digits) -> None:
    images, labels = digits
    few = ImageClassifier(TINY, patches=500, supervised=True).fit(images[:60], labels[:60])
    assert few.score(images[:60], labels[:60]) > 0.9


@pytest.mark.parametrize("library", [np.asarray, torch.asarray])
def test_a_share_is_held_out_and_chooses_the_model(supervised: ImageClassifier, digits: Digits, library: Any) -> None:
    images, labels = digits
    names = np.asarray([f"digit {label}" for label in labels])
    supervised.set_params(validation=0.25).fit(library(images.copy()), names)
    rows = validation_rows(names, 0.25, 0)
    measured = [report.validation_accuracy for report in supervised.training_.history]
    best = supervised.best_
    assert best.epoch == measured.index(max(measured)) + 1 < len(measured)
    assert same(supervised.model_.network, best.network)
    assert supervised.score(images[rows], names[rows]) == pytest.approx(max(measured))
    assert not same(supervised.model_.network, supervised.training_.network)


def test_a_pair_is_measured_as_a_share_is(supervised: ImageClassifier, digits: Digits) -> None:
    images, labels = digits
    rows = validation_rows(labels, 0.25, 0)
    share = clone(supervised).set_params(validation=0.25).fit(images, labels)
    pair = supervised.set_params(validation=(images[rows], labels[rows].tolist())).fit(images[~rows], labels[~rows])
    assert pair.training_.history == share.training_.history
    assert same(pair.model_.network, share.model_.network)


def test_goes_on_with_the_best_state_so_far(supervised: ImageClassifier, digits: Digits) -> None:
    states: list[Any] = []
    whole = clone(supervised).set_params(validation=0.25).fit(*digits, on_epoch=states.append)
    number = whole.best_.epoch
    rest = supervised.set_params(validation=0.25).fit(*digits, start=states[number], best=states[number - 1])
    assert rest.training_.history == whole.training_.history
    assert rest.best_.epoch == number
    assert same(rest.model_.network, whole.model_.network)


def test_nothing_of_an_earlier_fit_is_left(supervised: ImageClassifier, digits: Digits) -> None:
    supervised.set_params(validation=0.25).fit(*digits)
    supervised.set_params(validation=None, supervised=False).fit(*digits)
    assert not hasattr(supervised, "training_")
    assert not hasattr(supervised, "best_")
    assert supervised.loo_accuracy_ > 0.5


WRONG: dict[str, tuple[Any, str]] = {
    "share of 1": (lambda x, y: 1.0, "validation: expected a share between 0 and 1, or a pair .* got 1.0"),
    "negative share": (lambda x, y: -0.5, "validation: expected a share between 0 and 1"),
    "whole number": (lambda x, y: 2, "validation: expected a share between 0 and 1"),
    "no pair": (lambda x, y: (x,), "validation: expected a share between 0 and 1, or a pair"),
    "smaller images": (
        lambda x, y: (x[:, :7], y),
        r"validation: expected images of shape \(8, 8, 1\), as in training, got \(7, 8, 1\)",
    ),
    "NaN": (lambda x, y: (x * np.nan, y), "validation: images: NaN or infinity in image 0"),
    "too few labels": (lambda x, y: (x, y[1:]), r"validation: labels: expected shape \(240,\)"),
    "another class": (lambda x, y: (x, y + 1), "validation: classes without a training image: 10$"),
    "no images": (lambda x, y: (x[:0], y[:0]), "validation: images: expected at least one image"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_validation(supervised: ImageClassifier, digits: Digits, wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        supervised.set_params(validation=wrong(*digits)).fit(*digits)
    assert not hasattr(supervised, "model_")


def test_validation_needs_a_supervised_training_and_two_images_of_a_class(tiny: Any, digits: Digits) -> None:
    with pytest.raises(ValueError, match="validation: only with supervised=True"):
        tiny.set_params(validation=0.5).fit(*digits)
    settings = Supervised(epochs=1, batch=2, rate=0.1, reg=1e-3)
    with pytest.raises(ValueError, match="validation: no class has two images"):
        tiny.set_params(validation=0.5, supervised=settings).fit(digits[0][:2], [0, 1])


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.999])
def test_of_each_class_some_are_held_out_and_some_are_kept(share: float) -> None:
    labels = np.repeat(["a", "b", "c", "d"], [1, 2, 3, 50])
    rows = held_out(labels, share, 3)
    counts = [int(rows[labels == name].sum()) for name in "abcd"]
    assert counts[0] == 0
    for count, n in zip(counts[1:], (2, 3, 50), strict=True):
        assert count == min(max(1, round(share * n)), n - 1)
    assert np.array_equal(rows, held_out(labels, share, 3))
    with pytest.raises(ValueError, match="share: expected a number between 0 and 1, got 0"):
        held_out(labels, 0, 3)

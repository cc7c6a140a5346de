"""Probabilities of images: as often right as they say, in files, with weights of classes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import ckn
from ckn import ImageClassifier, Supervised
from ckn.head import fit_head
from kerneltools.files import FileFormatError, save_tree
from kerneltools.learning import Temperature
from kerneltools.solvers import SquaredHinge
from tests.ckn.conftest import TINY

N = 800
# Those of one hand stand together.
ORDER = np.random.default_rng(1).permutation(1797)
RELIABLE = 0.06
"""How far confidence and share of right answers may be apart, on average over images; 0.02 is chance."""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Noisy enough that some are taken for others."""
    x, _ = load_digits(return_X_y=True)
    return (x.reshape(-1, 8, 8, 1) / 16 + 0.25 * np.random.default_rng(0).standard_normal((len(x), 8, 8, 1)))[ORDER]


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return load_digits(return_X_y=True)[1][ORDER]


def unreliability(chances: np.ndarray, labels: np.ndarray, bins: int = 5) -> float:
    """The expected calibration error of the most probable classes (Guo et al. 2017), bins of as many images each."""
    order = np.argsort(chances.max(axis=1))
    right = np.argmax(chances, axis=1) == labels
    parts = np.array_split(order, bins)
    return sum(len(p) * abs(chances[p].max(axis=1).mean() - right[p].mean()) for p in parts) / len(labels)


@pytest.mark.parametrize(
    "classifier",
    [
        ImageClassifier(TINY, patches=500),
        ImageClassifier(TINY, patches=500, supervised=Supervised(SquaredHinge(), epochs=1, rate=0.003, reg=1e-4)),
        ImageClassifier(
            TINY, patches=500, validation=0.3, supervised=Supervised(SquaredHinge(), epochs=1, rate=0.003, reg=1e-4)
        ),
    ],
    ids=["leave-one-out", "left-out", "validation"],
)
def test_probabilities_are_as_often_right_as_they_say(
    classifier: ImageClassifier, images: np.ndarray, labels: np.ndarray
) -> None:
    classifier.fit(images[:N], labels[:N])
    chances = classifier.predict_proba(images[N:])
    assert chances.shape == (len(images) - N, 10)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(classifier.classes_[np.argmax(chances, axis=1)], classifier.predict(images[N:]))
    assert unreliability(chances, labels[N:]) < RELIABLE
    plain = Temperature(1.0)(classifier.decision_function(images[N:]))
    assert unreliability(plain, labels[N:]) > 5 * RELIABLE, "the case shows nothing where scores need no calibration"


def test_two_classes(images: np.ndarray, labels: np.ndarray) -> None:
    few = labels < 2
    x, y = images[few], labels[few]
    classifier = ImageClassifier(TINY, patches=500).fit(x[:200], y[:200])
    chances = classifier.predict_proba(x[200:])
    assert np.array_equal(chances[:, 1] > 0.5, classifier.decision_function(x[200:]) > 0)


def test_they_are_kept_in_files_and_files_without_them_are_told(fitted: Any, digits: Any, tmp_path: Path) -> None:
    images = digits[0][160:]
    ckn.save(fitted, tmp_path / "model")
    again = ckn.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(images), fitted.predict_proba(images))
    ckn.save(replace(fitted.model_, calibration=None), tmp_path / "before")
    before = ckn.load(tmp_path / "before")
    assert before.predict(images) == again.predict(images)
    with pytest.raises(ValueError, match="model: it has no calibration, which makes probabilities of scores; fit it"):
        before.predict_proba(images)


def test_a_file_with_something_else_for_them_is_refused(fitted: Any, tmp_path: Path) -> None:
    save_tree(replace(fitted.model_.unprepared(), calibration=2.0), tmp_path / "model", "ckn")
    with pytest.raises(FileFormatError, match="calibration: expected a Temperature or None, got float"):
        ckn.load(tmp_path / "model")


def test_weights_of_classes_are_repeated_rows() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 4)), np.arange(30) % 3
    weights = np.where(y == 0, 3.0, 1.0)
    repeated = np.repeat(np.arange(30), weights.astype(int))
    # At one λ, since a row that is left out takes those equal to it with it.
    weighted, plain = fit_head(x, y, 3, (0.1,), weights), fit_head(x[repeated], y[repeated], 3, (0.1,))
    np.testing.assert_allclose(weighted.model.weights, plain.model.weights, rtol=1e-9)
    same = fit_head(x, y, 3, weights=np.full(30, 2.0))
    assert (same.reg, same.loo_errors) == (fit_head(x, y, 3).reg, pytest.approx(fit_head(x, y, 3).loo_errors))


def test_a_rare_class_is_found_more_often_where_classes_count_alike(images: np.ndarray, labels: np.ndarray) -> None:
    common = np.flatnonzero(labels[:1000] == 1)
    rare = np.flatnonzero(labels[:1000] == 8)[:8]
    x, y = (part[np.concatenate([common, rare])] for part in (images, labels))
    recall = {}
    for weight in (None, "balanced", {1: 1.0, 8: 1e-6}):
        classifier = ImageClassifier(TINY, patches=500, class_weight=weight).fit(x, y)
        recall[str(weight)] = classifier.score(images[1000:][labels[1000:] == 8], labels[1000:][labels[1000:] == 8])
    assert recall["balanced"] > recall["None"] >= recall["{1: 1.0, 8: 1e-06}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_weight": "even"}, "class_weight: expected None, 'balanced' or a dict by class, got 'even'"),
        ({"class_weight": {0: -1.0}}, r"class_weight\[0\]: expected a number >= 0, got -1"),
        ({"class_weight": {99: 1.0}}, "class_weight: expected classes of y, 0, 1, .*, got 99"),
        (
            {"class_weight": "balanced", "supervised": True},
            "class_weight: a supervised training weighs all images",
        ),
    ],
)
def test_weights_that_cannot_be(change: dict[str, Any], message: str, tiny: ImageClassifier, digits: Any) -> None:
    with pytest.raises(ValueError, match=message):
        tiny.set_params(**change).fit(*digits)

"""Temperatures: the probabilities are the shares that come out, whatever the units of the scores."""

from typing import Any

import numpy as np
import pytest

from kerneltools.learning import Temperature, fit_temperature
from tests.strict import DEVICES, assert_close, assert_same_on, to_strict


def drawn(n: int, k: int, scale: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels whose probabilities are the softmax of the scores over `scale`."""
    rng = np.random.default_rng(seed)
    scores = scale * 2 * rng.standard_normal((n, k))
    labels = np.argmax(scores / scale + rng.gumbel(size=(n, k)), axis=1)
    return scores, labels


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_temperature_of_the_draws_is_found(k: int, scale: float) -> None:
    assert fit_temperature(*drawn(4000, k, scale)).value == pytest.approx(scale, rel=0.1)


def test_it_is_where_the_log_likelihood_of_the_smoothed_targets_is_greatest() -> None:
    scores, labels = drawn(60, 3, 1.0)
    targets = np.where(np.eye(3, dtype=bool)[labels], 61 / 62, 1 / 124)
    found = fit_temperature(scores, labels).value

    def loss(value: float) -> float:
        return float(-np.mean(np.sum(targets * np.log(Temperature(value)(scores)), axis=1)))

    assert loss(found) < min(loss(0.99 * found), loss(1.01 * found))


def test_weights_say_how_much_rows_count() -> None:
    scores, labels = drawn(60, 3, 1.0)
    twice = np.concatenate([np.arange(60), np.arange(60)])
    weighted = fit_temperature(scores, labels, weights=np.full(60, 2.0))
    assert weighted.value == pytest.approx(fit_temperature(scores[twice], labels[twice]).value)
    one = fit_temperature(scores, labels, weights=np.where(np.argmax(scores, axis=1) == labels, 1.0, 0.0))
    assert one.value < weighted.value


def test_rows_that_are_all_right_are_not_certain_and_those_without_information_are_even() -> None:
    labels = np.arange(40) % 2
    scores = np.where(np.eye(2, dtype=bool)[labels], 1.0, -1.0)
    sure = fit_temperature(scores, labels)(scores).max(axis=1)
    assert_close(sure, np.full(40, 41 / 42), 1e-6)
    wrong = fit_temperature(-scores, labels)(-scores)
    assert_close(wrong, np.full((40, 2), 0.5), 1e-3)
    assert fit_temperature(np.ones((40, 2)), labels)(np.ones((1, 2))).tolist() == [[0.5, 0.5]]


def test_great_scores_do_not_overflow_and_the_best_class_stays() -> None:
    scores = np.asarray([[1e30, -1e30, 0.0], [0.0, 1.0, 2.0]], dtype=np.float32)
    chances = Temperature(1e-3)(scores)
    assert np.argmax(chances, axis=1).tolist() == [0, 2]
    assert_close(chances.sum(axis=1), np.ones(2), 1e-6)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_the_scores_is_that_of_the_temperature(unit: float) -> None:
    scores, labels = drawn(50, 3, 1.0)
    assert fit_temperature(unit * scores, labels).value == pytest.approx(unit * fit_temperature(scores, labels).value)


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_by_the_standard_alone(device: Any) -> None:
    scores, labels = drawn(50, 3, 1.0)
    wanted, got = fit_temperature(scores, labels), fit_temperature(to_strict(scores, device), labels.tolist())
    assert got.value == pytest.approx(wanted.value, rel=1e-9)
    assert_same_on(device, got(to_strict(scores, device)), wanted(scores), 1e-9)


SCORES = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (SCORES[:, :1], [0, 0, 0], r"scores: expected \(n, k\) of at least one row and two classes, got \(3, 1\)"),
        (SCORES[:0], [], r"scores: expected \(n, k\) of at least one row and two classes, got \(0, 2\)"),
        (SCORES[0], [0], r"scores: expected \(n, k\), got shape \(2,\)"),
        (SCORES, [0, 1], "labels: expected 3, one for each row of the scores, got 2"),
        (SCORES, [0, 1, 2], r"labels: expected class numbers in 0..1, got 0..2"),
        (SCORES + np.nan, [0, 1, 1], "scores: expected finite numbers"),
    ],
)
def test_what_is_wrong_is_named(scores: Any, labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(scores, labels)


@pytest.mark.parametrize("label", [0.5, "a", None])
def test_labels_are_numbers_of_classes(label: Any) -> None:
    with pytest.raises(TypeError, match=f"labels: expected integers, got {label!r}"):
        fit_temperature(SCORES, [0, 1, label])


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_a_number_above_0(value: float) -> None:
    with pytest.raises(ValueError, match="value: expected a number > 0"):
        Temperature(value)

"""Numbers in the place of classes: in their units, several at once, in files, and targets that are none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from typer.testing import CliRunner

import ckn
from ckn import ImageRegressor, Supervised
from ckn.commands import app
from ckn.head import fit_regression
from ckn.targets import Targets
from kerneltools.files import FileFormatError, save_tree
from kerneltools.solvers import SquaredHinge
from tests.ckn.conftest import TINY
from tests.strict import assert_close

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def tiny() -> ImageRegressor:
    return ImageRegressor(TINY, patches=500, dtype="float64")


@pytest.fixture(scope="module")
def ink(digits: Digits) -> np.ndarray:
    """(240, 3): of the upper half, of the lower half in a far smaller unit around a great number, and of a column."""
    images = digits[0]
    halves = images[:, :4].sum(axis=(1, 2, 3)), images[:, 4:].sum(axis=(1, 2, 3))
    return np.stack([halves[0], 1e9 + 1e3 * halves[1], images[:, :, 3].sum(axis=(1, 2))], axis=1)


@pytest.fixture(scope="module")
def fitted(digits: Digits, ink: np.ndarray) -> Any:
    return ImageRegressor(TINY, patches=500, dtype="float64").fit(digits[0][:160], ink[:160])


def test_several_targets_in_their_units(fitted: ImageRegressor, digits: Digits, ink: np.ndarray) -> None:
    images = digits[0][160:]
    assert is_regressor(fitted)
    assert fitted.predict(images).shape == (80, 3)
    assert fitted.score(images, ink[160:]) > 0.7
    assert fitted.model_.score(images, ink[160:]) == pytest.approx(fitted.score(images, ink[160:]))
    assert fitted.loo_score_ == pytest.approx(1 - min(fitted.loo_errors_))
    assert fitted.reg_ == fitted.regs[int(np.argmin(fitted.loo_errors_))]


def test_units_do_not_matter(tiny: ImageRegressor, digits: Digits, ink: np.ndarray) -> None:
    """In float32 too, though the numbers themselves have not as many digits."""
    images = digits[0][:60]
    for dtype, digits_kept in (("float64", 1e-7), ("float32", 1e-3)):
        plain, moved = (clone(tiny).set_params(dtype=dtype) for _ in range(2))
        wanted = plain.fit(images, ink[:60, 0]).predict(images)
        found = moved.fit(images, 1e9 + 1e3 * ink[:60, 0]).predict(images)
        assert found.shape == (60,)
        assert found.dtype == np.float64
        assert_close((found - 1e9) / 1e3, wanted, digits_kept)


def test_leave_one_out_is_leaving_one_out() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    head = fit_regression(x, y, (0.1, 1.0))
    errors = []
    for reg in (0.1, 1.0):
        kept = [np.arange(12) != i for i in range(12)]
        # λ stands beside a mean: of n - 1 rows it is λ n / (n - 1).
        models = [fit_regression(x[rows], y[rows], (reg * 12 / 11,)).model for rows in kept]
        errors.append(np.mean([(model(x[i]) - y[i]) ** 2 for i, model in enumerate(models)]))
    assert_close(np.asarray(head.loo_errors), np.asarray(errors), 1e-12)


def test_in_files(fitted: ImageRegressor, digits: Digits, ink: np.ndarray, tmp_path: Path) -> None:
    ckn.save(fitted, tmp_path / "model")
    model = ckn.load(tmp_path / "model")
    assert np.array_equal(model.predict(digits[0]), fitted.predict(digits[0]))
    assert model.score(digits[0][160:], ink[160:]) == fitted.model_.score(digits[0][160:], ink[160:])
    with pytest.raises(ValueError, match="model: it predicts numbers, which have no probabilities"):
        model.predict_proba(digits[0][:1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": (0, 1)}, r"targets: expected neither classes nor a calibration with them, got \(0, 1\)"),
        ({"targets": Targets((0.0,), (1.0,))}, "weights of shape .* of the network's features and the classes"),
        ({"targets": 3.0}, "targets: expected Targets or None, got float"),
        ({"targets": None}, "classes: expected at least two"),
    ],
)
def test_files_that_cannot_be(fitted: Any, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_tree(replace(fitted.model_.unprepared(), **change), tmp_path / "model", "ckn")
    with pytest.raises(FileFormatError, match=message):
        ckn.load(tmp_path / "model")


def test_searches(tiny: ImageRegressor, digits: Digits, ink: np.ndarray) -> None:
    images = digits[0][:80]
    assert cross_val_score(tiny, images, ink[:80], cv=2).min() > 0.3
    search = GridSearchCV(tiny, {"regs": [(1e-6,), (1e-1,)]}, cv=2).fit(images, ink[:80, 0])
    assert search.best_estimator_.reg_ in (1e-6, 1e-1)


def test_supervised(tiny: ImageRegressor, digits: Digits, ink: np.ndarray) -> None:
    """The squared error of the training falls; another loss is refused; a pair is measured."""
    images = digits[0][:120]
    settings = Supervised(epochs=3, batch=40, rate=0.003, reg=1e-4)
    tiny.set_params(supervised=settings, validation=(images[100:], ink[100:120]))
    tiny.fit(images[:100], ink[:100])
    losses = [report.loss for report in tiny.training_.history]
    assert losses[-1] < tiny.training_.initial.loss
    assert tiny.best_.history[-1].validation_accuracy == pytest.approx(tiny.score(images[100:], ink[100:120]), abs=1e-6)
    assert tiny.predict(images).shape == (120, 3)
    assert not hasattr(tiny, "loo_score_")
    with pytest.raises(ValueError, match=r"loss: numbers to predict need Squared\(\), got SquaredHinge"):
        tiny.set_params(supervised=Supervised(SquaredHinge()), validation=None).fit(images, ink[:120])
    with pytest.raises(ValueError, match="validation: targets: expected 3 for each image, as in training, got 2"):
        tiny.set_params(supervised=settings, validation=(images, ink[:120, :2])).fit(images, ink[:120])


def test_a_constant_target(tiny: ImageRegressor, digits: Digits) -> None:
    images = digits[0][:20]
    predicted = tiny.fit(images, np.full(20, 0.1)).predict(images)
    assert_close(predicted, np.full(20, 0.1), 1e-12)


def test_targets_of_any_size() -> None:
    for y in ([1e300, -1e300], [1e-320, 0.0], [0.1, 0.1], [0.0, 0.0]):
        targets = Targets.of(np.asarray(y))
        values = targets.standardised(np.asarray(y))
        assert np.isfinite(values).all()
        assert_close(targets.original(values), np.asarray(y), 1e-12)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            lambda y: y[:5],
            ValueError,
            r"targets: expected \(6,\) or \(6, q\), numbers for each image, got shape \(5, 3\)",
        ),
        (lambda y: y[:, :0], ValueError, r"targets: expected .* got shape \(6, 0\)"),
        (lambda y: y[..., None], ValueError, r"targets: expected .* got shape \(6, 3, 1\)"),
        (lambda y: y.astype(str), TypeError, "targets: expected numbers, got <U.*; classes are for a classifier"),
        (lambda y: np.where(y == y[2, 1], np.nan, y), ValueError, r"targets: NaN or infinity for image 2 \(counted"),
    ],
)
def test_wrong_targets(
    tiny: ImageRegressor, digits: Digits, ink: np.ndarray, change: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        tiny.fit(digits[0][:6], change(ink[:6]))
    assert not hasattr(tiny, "model_")


def test_targets_of_another_number(fitted: ImageRegressor, digits: Digits, ink: np.ndarray) -> None:
    with pytest.raises(ValueError, match="targets: expected 3 for each image, as in training, got 2"):
        fitted.model_.score(digits[0], ink[:, :2])


def test_the_command_shows_them_and_is_for_classes(fitted: ImageRegressor, tmp_path: Path) -> None:
    ckn.save(fitted, tmp_path / "model")
    shown = CliRunner().invoke(app, ["show", str(tmp_path / "model")])
    assert shown.exit_code == 0
    assert "3 numbers" in shown.stdout
    refused = CliRunner().invoke(app, ["evaluate", str(tmp_path / "model"), "digits"])
    assert refused.exit_code == 1
    assert "a model of numbers, not of classes" in refused.stderr

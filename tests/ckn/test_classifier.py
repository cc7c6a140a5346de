"""The scikit-learn face: from images and labels to predictions, and what it answers to bad ones."""

import pickle
import warnings
from copy import copy
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from ckn import Architecture, ImageClassifier, LayerSpec, Supervised, architectures, fit_unsupervised
from ckn.exact import gram
from ckn.preprocessing import ContrastNormalise, Scale, Whiten
from kerneltools.kernels import Gaussian
from kerneltools.landmarks import ReducedWarning
from tests.strict import DEVICES, assert_close, to_strict

Digits = tuple[np.ndarray, np.ndarray]


class TestLearning:
    def test_digits(self, fitted: ImageClassifier, digits: Digits) -> None:
        images, labels = digits
        assert fitted.score(images[160:], labels[160:]) > 0.8
        assert fitted.loo_accuracy_ > 0.8
        assert fitted.reg_ in fitted.regs
        assert len(fitted.loo_errors_) == len(fitted.regs)
        assert min(fitted.loo_errors_) == fitted.loo_errors_[list(fitted.regs).index(fitted.reg_)]

    def test_faces_agree(self, fitted: ImageClassifier, digits: Digits) -> None:
        images = digits[0][160:]
        scores, features = fitted.decision_function(images), fitted.transform(images)
        assert features.shape == (80, fitted.architecture.features((8, 8)))
        assert_close(fitted.model_.head(features), scores)
        assert np.array_equal(fitted.classes_[scores.argmax(axis=1)], fitted.predict(images))
        assert np.abs(features.mean(axis=1)).max() < 1e-15
        assert_close(np.linalg.norm(features, axis=1), np.ones(80), 1e-14)

    def test_images_are_independent(self, fitted: ImageClassifier, digits: Digits) -> None:
        images = digits[0][160:170]
        one_by_one = np.concatenate([fitted.decision_function(images[i : i + 1]) for i in range(10)])
        assert_close(one_by_one, fitted.decision_function(images), 1e-11)

    def test_deterministic_and_whatever_the_batch(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:60], digits[1][:60]
        first = clone(tiny).fit(images, labels).decision_function(images)
        assert np.array_equal(clone(tiny).fit(images, labels).decision_function(images), first)
        for batch in (1, 7, 1000):
            assert_close(clone(tiny).set_params(batch=batch).fit(images, labels).decision_function(images), first, 1e-8)
        other = clone(tiny).set_params(random_state=1).fit(images, labels)
        assert not np.array_equal(other.decision_function(images), first)

    def test_progress(self, tiny: ImageClassifier, digits: Digits) -> None:
        told: list[str] = []
        tiny.fit(digits[0][:40], digits[1][:40], progress=lambda stage, done, total: told.append(stage))
        assert list(dict.fromkeys(told)) == [
            "preprocessing",
            "layer 1: patches",
            "layer 1: filters",
            "layer 2: patches",
            "layer 2: filters",
            "encoding",
            "ridge",
        ]


class TestAsAnEstimator:
    def test_parameters(self, tiny: ImageClassifier) -> None:
        assert is_classifier(tiny)
        assert tiny.get_params()["patches"] == 500
        assert tiny.set_params(patches=7, random_state=3) is tiny
        copy = clone(tiny)
        assert copy is not tiny
        assert copy.get_params() == tiny.get_params()
        with pytest.raises(ValueError, match="Invalid parameter 'filters' for estimator ImageClassifier"):
            tiny.set_params(filters=3)

    def test_defaults(self) -> None:
        assert ImageClassifier().get_params()["architecture"] is architectures["small"]
        assert "ImageClassifier" in repr(ImageClassifier())

    def test_a_clone_is_not_fitted(self, fitted: ImageClassifier, digits: Digits) -> None:
        with pytest.raises(NotFittedError):
            clone(fitted).predict(digits[0])

    def test_before_fit(self, tiny: ImageClassifier, digits: Digits) -> None:
        for method in (tiny.predict, tiny.transform, tiny.decision_function):
            with pytest.raises(NotFittedError, match="This ImageClassifier instance is not fitted yet"):
                method(digits[0])

    def test_pickle(self, fitted: ImageClassifier, digits: Digits) -> None:
        copy = pickle.loads(pickle.dumps(fitted))
        assert np.array_equal(copy.decision_function(digits[0]), fitted.decision_function(digits[0]))
        assert np.array_equal(copy.predict(digits[0]), fitted.predict(digits[0]))

    def test_pipeline_and_cross_validation(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits
        pipeline = Pipeline([("flip", FunctionTransformer(lambda x: x[:, ::-1])), ("ckn", tiny)])
        scores = cross_val_score(pipeline, images, labels, cv=2)
        assert scores.shape == (2,)
        assert scores.min() > 0.6

    def test_as_a_transformer(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits
        pipeline = make_pipeline(tiny, LinearSVC(C=10.0)).fit(images[:160], labels[:160])
        assert pipeline.score(images[160:], labels[160:]) > 0.8

    def test_grid_search(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits
        other = Architecture((LayerSpec(6, patch=3, subsampling=4, kernel=Gaussian(1.0)),))
        grid = {"architecture": [tiny.architecture, other], "preprocessing": [None, (ContrastNormalise(),)]}
        search = GridSearchCV(tiny, grid, cv=2).fit(images[:120], labels[:120])
        assert len(search.cv_results_["params"]) == 4
        assert np.array_equal(search.predict(images[:3]), search.best_estimator_.predict(images[:3]))


class TestLabels:
    def test_strings(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:100], digits[1][:100]
        names = np.array([f"digit {label}" for label in labels])
        for kind in (names, names.astype(object), names.tolist()):
            fit = clone(tiny).fit(images, kind)
            assert fit.classes_.tolist() == [f"digit {i}" for i in range(10)]
            predicted = fit.predict(images)
            assert isinstance(predicted, np.ndarray)
            assert set(predicted.tolist()) <= set(fit.classes_.tolist())
            assert fit.score(images, names) > 0.9

    def test_numbers_that_are_not_0_to_k(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:100], digits[1][:100] * 10 - 40
        fit = tiny.fit(images, labels)
        assert fit.classes_.tolist() == list(range(-40, 60, 10))
        assert fit.predict(images).dtype == labels.dtype
        assert fit.score(images, labels) > 0.9

    @pytest.mark.parametrize("kind", [bool, int, str])
    def test_two_classes(self, tiny: ImageClassifier, digits: Digits, kind: Any) -> None:
        chosen = digits[1] < 2
        images, labels = digits[0][chosen], (digits[1][chosen] == 1).astype(kind)
        fit = tiny.fit(images, labels)
        scores = fit.decision_function(images)
        assert scores.shape == (len(images),)
        assert np.array_equal(fit.classes_[(scores > 0).astype(int)], fit.predict(images))
        assert fit.predict(images).dtype == labels.dtype
        assert cross_val_score(tiny, images, labels, cv=2, scoring="roc_auc").min() > 0.9

    def test_a_class_of_one_image(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:60], digits[1][:60].copy()
        labels[7] = 99
        assert 99 in tiny.fit(images, labels).classes_


class TestImages:
    def test_scale_of_the_type(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:60], digits[1][:60]
        scores = clone(tiny).fit((images * 160).astype(np.uint8), labels)
        assert scores.model_.preprocessing == (Scale(255.0),)
        floating = clone(tiny).fit((images * 160).astype(np.uint8) / 255, labels)
        assert floating.model_.preprocessing == ()
        pixels = (images[:5] * 160).astype(np.uint8)
        assert_close(scores.decision_function(pixels), floating.decision_function(pixels / 255), 1e-10)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_types(self, tiny: ImageClassifier, digits: Digits, dtype: str) -> None:
        images, labels = digits[0][:60], digits[1][:60]
        fit = tiny.set_params(dtype=dtype).fit(images.astype(np.float32), labels)
        assert fit.transform(images[:3]).dtype == fit.decision_function(images[:3]).dtype == dtype

    def test_lists(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:40], digits[1][:40]
        by_list = clone(tiny).fit(images.tolist(), labels.tolist())
        assert_close(by_list.decision_function(images), clone(tiny).fit(images, labels).decision_function(images))

    @pytest.mark.parametrize("device", DEVICES, ids=str)
    def test_of_another_library(self, tiny: ImageClassifier, digits: Digits, device: Any) -> None:
        images, labels = digits[0][:40], digits[1][:40]
        fit = clone(tiny).fit(to_strict(images, device), to_strict(labels, device))
        wanted = clone(tiny).fit(images, labels)
        assert_close(fit.decision_function(to_strict(images, device)), wanted.decision_function(images))

    def test_preprocessing(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:60], digits[1][:60]
        steps = (Scale(2.0), Whiten(), ContrastNormalise())
        fit = tiny.set_params(preprocessing=steps).fit(images, labels)
        assert fit.model_.preprocessing == steps
        assert fit.score(images, labels) > 0.9

    def test_colours_not_square(self, tiny: ImageClassifier) -> None:
        x = np.random.default_rng(0).integers(0, 256, (12, 7, 10, 3), dtype=np.uint8)
        fit = tiny.fit(x, np.arange(12) % 3)
        assert fit.transform(x).shape == (12, tiny.architecture.features((7, 10)))


def test_images_that_overflow_are_refused_by_number(fitted: ImageClassifier, digits: Digits) -> None:
    images = digits[0][:3] * np.asarray([1.0, 1.0, 1e200])[:, None, None, None]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=r"the features of image 2 .* overflow float64"):
        fitted.predict(images)


def test_training_images_that_overflow_are_refused(tiny: ImageClassifier, digits: Digits) -> None:
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="images: squares of pixels overflow float64"):
        tiny.fit(digits[0][:20] * 1e200, digits[1][:20])


def test_nested_lists(fitted: ImageClassifier, digits: Digits) -> None:
    images = digits[0][:5]
    assert np.array_equal(fitted.decision_function(images.tolist()), fitted.decision_function(images))
    with pytest.raises(ValueError, match=r"images: .* got lengths from 1 to 2: cut, pad or resample"):
        fitted.predict([[1.0, 2.0], [3.0]])


class TestPoorImages:
    """Finite results, and a warning that says what was reduced."""

    def check(self, tiny: ImageClassifier, images: np.ndarray, labels: np.ndarray) -> None:
        fit = tiny.fit(images, labels)
        assert np.all(np.isfinite(fit.decision_function(images)))

    def test_constant_images(self, tiny: ImageClassifier) -> None:
        images = np.broadcast_to(np.linspace(0.1, 1, 6)[:, None, None, None], (6, 8, 8, 1))
        with pytest.warns(ReducedWarning) as given:
            self.check(tiny, images, np.arange(6) % 2)
        assert "8 asked for, 1 made" in str(given[0].message)

    def test_duplicate_images(self, tiny: ImageClassifier, digits: Digits) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReducedWarning)
            self.check(tiny, np.repeat(digits[0][:1], 6, axis=0), np.arange(6) % 2)

    def test_more_filters_than_patches(self, tiny: ImageClassifier, digits: Digits) -> None:
        many = Architecture((LayerSpec(200, patch=7, subsampling=2),))
        with pytest.warns(ReducedWarning, match="200 asked for, 24 made: 24 rows hold no more distinct directions"):
            self.check(tiny.set_params(architecture=many), digits[0][:6], np.arange(6) % 2)

    def test_blank_images_among_others(self, tiny: ImageClassifier, digits: Digits) -> None:
        images = digits[0][:20].copy()
        images[3:6] = 0
        self.check(tiny, images, np.arange(20) % 2)

    def test_all_blank(self, tiny: ImageClassifier) -> None:
        with pytest.raises(ValueError, match="images: all 216 patches of 6 images are blank; nothing can be learnt"):
            tiny.fit(np.zeros((6, 8, 8, 1)), np.arange(6) % 2)


def bad_value(images: np.ndarray, value: float) -> np.ndarray:
    images = images.copy()
    images[2, 3, 4, 0] = value
    return images


# What is passed to fit, given good images (6, 8, 8, 1) and labels, and what it answers.
BAD_FITS: dict[str, tuple[Any, type[Exception], str]] = {
    "wrong rank": (
        lambda x, y: (x[..., 0][0], y),
        ValueError,
        r"images: expected \(n, h, w, c\), got shape \(8, 8\); add an axis for the images or the channels",
    ),
    "too many axes": (lambda x, y: (x[..., None, None], y), ValueError, r"got shape \(6, 8, 8, 1, 1, 1\)$"),
    "zero images": (
        lambda x, y: (x[:0], y[:0]),
        ValueError,
        r"at least one image, pixel and channel, got shape \(0, 8",
    ),
    "no images at all": (lambda x, y: ([], []), ValueError, r"images: expected \(n, h, w, c\), got shape \(0,\)"),
    "no channels": (lambda x, y: (x[..., :0], y), ValueError, r"at least one image, .* got shape \(6, 8, 8, 0\)"),
    "one class": (
        lambda x, y: (x, y * 0),
        ValueError,
        "labels: expected at least two classes, got only 0 for all 6 images",
    ),
    "too few labels": (lambda x, y: (x, y[:5]), ValueError, r"labels: expected shape \(6,\), .* got shape \(5,\)"),
    "labels in two columns": (
        lambda x, y: (x, np.stack([y, y], axis=1)),
        ValueError,
        r"labels: expected shape \(6,\), .* \(6, 2\)",
    ),
    "continuous labels": (lambda x, y: (x, y + 0.5 * np.arange(6)), ValueError, "Unknown label type: continuous"),
    "channels first": (
        lambda x, y: (np.repeat(x, 3, axis=-1).transpose(0, 3, 1, 2), y),
        ValueError,
        r"got shape \(6, 3, 8, 8\), which looks like \(n, c, h, w\).*moveaxis\(images, 1, -1\)",
    ),
    "a single label": (lambda x, y: (x, 3), ValueError, r"labels: expected shape \(6,\), .* got shape \(\)"),
    "NaN": (
        lambda x, y: (bad_value(x, np.nan), y),
        ValueError,
        r"images: NaN or infinity in image 2 \(counted from 0\) of 6",
    ),
    "infinity": (lambda x, y: (bad_value(x, -np.inf), y), ValueError, "images: NaN or infinity in image 2"),
    "complex": (lambda x, y: (x * 1j, y), TypeError, "images: expected integers or real .* got complex128"),
    "strings": (lambda x, y: (x.astype(str), y), TypeError, "images: expected integers or real .* got <U"),
    "NaN as a label": (
        lambda x, y: (x, np.where(y == 1, np.nan, y)),
        ValueError,
        "labels: .* finite numbers, got NaN or infinity, float",
    ),
    "small images": (lambda x, y: (x[:, :3, :2], y), ValueError, "layer 1: no 3x3 window fits an image of 3x2 pixels"),
    "mixed types of labels": (
        lambda x, y: (x, np.array([1, "a", None] * 2, object)),
        ValueError,
        "labels: expected all strings or .* got NoneType, int, str",
    ),
}


@pytest.mark.parametrize(("change", "kind", "message"), BAD_FITS.values(), ids=list(BAD_FITS))
def test_bad_fits_leave_the_estimator_as_it_was(
    tiny: ImageClassifier, digits: Digits, change: Any, kind: type[Exception], message: str
) -> None:
    images, labels = digits[0][:6], np.arange(6) % 2
    valid = Architecture((LayerSpec(4, patch=3, padding="valid"), LayerSpec(4, patch=2)))
    tiny.set_params(architecture=valid)
    with pytest.raises(kind, match=message):
        tiny.fit(*change(images, labels))
    assert not hasattr(tiny, "model_")
    with pytest.raises(NotFittedError):
        tiny.predict(images)
    before = vars(tiny.fit(images, labels)).copy()
    with pytest.raises(kind, match=message):
        tiny.fit(*change(images, labels))
    assert vars(tiny).keys() == before.keys()
    assert all(vars(tiny)[name] is value for name, value in before.items())


BAD_PARAMETERS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "backend": ({"backend": "nympu"}, ValueError, "backend: expected one of .*numpy.*, got 'nympu'"),
    "device": ({"device": "cuda:7"}, ValueError, "device: NumPy has only 'cpu', got 'cuda:7'"),
    "regs": ({"regs": ()}, ValueError, r"regs: expected at least one number, all > 0, got \(\)"),
    "no regs": ({"regs": None}, ValueError, "regs: expected at least one number, all > 0, got None"),
    "regs that are no numbers": ({"regs": (float("nan"),)}, ValueError, r"regs: expected .* all > 0, got \(nan,\)"),
    "preprocessing": ({"preprocessing": Scale(2.0)}, TypeError, "preprocessing: expected a tuple of steps"),
    "part of a patch": ({"patches": 2.5}, ValueError, r"patches: expected an integer >= 1, got 2\.5"),
    "patches": ({"patches": 0}, ValueError, "patches: expected an integer >= 1, got 0"),
    "batch": ({"batch": -3}, ValueError, "batch: expected an integer >= 1, got -3"),
    "no batch": ({"batch": 0}, ValueError, "batch: expected an integer >= 1, got 0"),
    "dtype": ({"dtype": "int32"}, ValueError, "dtype: expected 'float32' or 'float64', got 'int32'"),
    "random_state": ({"random_state": None}, TypeError, "random_state: expected an integer seed"),
    "architecture": ({"architecture": "small"}, TypeError, "architecture: expected an Architecture, got 'small'"),
}


@pytest.mark.parametrize(("parameters", "kind", "message"), BAD_PARAMETERS.values(), ids=list(BAD_PARAMETERS))
def test_bad_parameters(
    tiny: ImageClassifier, digits: Digits, parameters: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        tiny.set_params(**parameters).fit(digits[0][:20], digits[1][:20])
    assert not hasattr(tiny, "model_")


class TestBadPredictions:
    @pytest.mark.parametrize("method", ["predict", "decision_function", "transform"])
    def test_another_shape(self, fitted: ImageClassifier, digits: Digits, method: str) -> None:
        call = getattr(fitted, method)
        with pytest.raises(
            ValueError, match=r"images: expected \(n, 8, 8, 1\), as in training, got shape \(2, 8, 7, 1\)"
        ):
            call(digits[0][:2, :, :7])
        with pytest.raises(
            ValueError, match=r"images: expected \(n, 8, 8, 1\), as in training, got shape \(2, 8, 8, 3\)"
        ):
            call(np.repeat(digits[0][:2], 3, axis=-1))
        with pytest.raises(ValueError, match=r"images: expected \(n, h, w, c\), got shape \(8, 8\)"):
            call(digits[0][0, :, :, 0])
        with pytest.raises(ValueError, match="at least one image, pixel and channel"):
            call(digits[0][:0])
        with pytest.raises(ValueError, match="images: NaN or infinity in image 2"):
            call(bad_value(digits[0], np.nan))

    def test_score_with_other_labels(self, fitted: ImageClassifier, digits: Digits) -> None:
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            fitted.score(digits[0][:5], digits[1][:4])


class TestAxes:
    """Which axis is which: grey images without an axis for it, series, channels first."""

    def test_grey_images_without_channels(self, tiny: ImageClassifier, digits: Digits) -> None:
        images, labels = digits[0][:40], digits[1][:40]
        grey = images[..., 0]
        expected = tiny.fit(images, labels).decision_function(images)
        tiny.fit(grey, labels)
        assert tiny.model_.image_shape == (8, 8, 1)
        for given in (images, grey, grey.tolist()):
            assert np.array_equal(tiny.decision_function(given), expected)
            assert np.array_equal(tiny.transform(given), tiny.transform(images))
            assert tiny.score(given, labels) == tiny.score(images, labels)

    def test_a_pair_for_validation(self, tiny: ImageClassifier, digits: Digits) -> None:
        grey, labels = digits[0][:40, ..., 0], digits[1][:40]
        settings = Supervised(epochs=1, batch=10, rate=1e-3, reg=1e-3)
        tiny.set_params(supervised=settings, validation=(grey, labels[:, None]))
        with pytest.warns(DataConversionWarning):
            tiny.fit(digits[0][:40], labels)
        assert tiny.best_.history[-1].validation_accuracy is not None

    def test_series(self, tiny: ImageClassifier, digits: Digits) -> None:
        series, labels = digits[0][:40, ..., 0], digits[1][:40]
        tiny.set_params(architecture=Architecture((LayerSpec(8, patch=(3,)),))).fit(series, labels)
        assert tiny.model_.image_shape == (8, 8)
        assert tiny.transform(series).shape == (40, 8 * 4)

    def test_one_channel_without_its_axis(self, tiny: ImageClassifier) -> None:
        drawn, labels = np.random.default_rng(0), np.arange(8) % 2
        for axes in (1, 3):
            data = drawn.random((8, *(6,) * axes))
            tiny.set_params(architecture=Architecture((LayerSpec(4, patch=(3,) * axes),)))
            expected = tiny.fit(data[..., None], labels).decision_function(data[..., None])
            assert np.array_equal(tiny.fit(data, labels).decision_function(data), expected)
            assert tiny.model_.score(data, labels) == tiny.score(data[..., None], labels)

    @pytest.mark.parametrize(
        ("axes", "shape", "message"),
        [
            (
                None,
                (8, 3, 20),
                r"series: for \(n, t, c\), moved there .* LayerSpec\(64, patch=\(3,\)\)",
            ),
            (
                None,
                (8, 20, 3),
                r"series: for \(n, t, c\), give the architecture .* images\[..., None\]",
            ),
            (None, (8, 6, 6, 6), r"looks like volumes \(n, d, h, w\) .* add it, images\[..., None\]; .* of 6 channels"),
            (
                None,
                (8, 1, 6, 6, 6),
                r"expected \(n, d, h, w, c\), .* like \(n, c, d, h, w\): .*moveaxis\(images, 1, -1",
            ),
            (3, (8, 3, 6, 6, 6), r"looks like \(n, c, d, h, w\): move .*moveaxis\(images, 1, -1\)"),
            (
                1,
                (8, 2, 20),
                r"expected \(n, t, c\), got .* which looks like \(n, c, t\): move .*moveaxis",
            ),
        ],
        ids=str,
    )
    def test_other_layouts(self, tiny: ImageClassifier, axes: int | None, shape: tuple[int, ...], message: str) -> None:
        architecture = Architecture((LayerSpec(4, patch=(3,) * axes if axes else 3),))
        tiny.set_params(architecture=architecture)
        with pytest.raises(ValueError, match=message):
            tiny.fit(np.random.default_rng(0).random(shape), np.arange(8) % 2)

    def test_what_looks_like_something_else_can_be_said(self, tiny: ImageClassifier) -> None:
        images, labels = np.random.default_rng(0).random((8, 6, 6, 6)), np.arange(8) % 2
        tiny.set_params(architecture=Architecture((LayerSpec(4, patch=(3, 3)),))).fit(images, labels)
        assert tiny.model_.image_shape == (6, 6, 6)
        tiny.set_params(architecture=Architecture((LayerSpec(4),))).fit(images[..., :3, None], labels)
        assert tiny.model_.image_shape == (6, 6, 3, 1)

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ([(5, 2), (9, 2)], "expected all of one size, got lengths from 5 to 9: cut, pad or resample them first"),
            ([(9, 5, 1), (9, 6, 1)], r"got shapes \(9, 5, 1\) and \(9, 6, 1\): cut, pad or resize them first"),
        ],
        ids=str,
    )
    def test_several_sizes(self, tiny: ImageClassifier, sizes: list[tuple[int, ...]], message: str) -> None:
        data = [np.zeros(size) for size in sizes]
        with pytest.raises(ValueError, match=message):
            tiny.fit(data, [0, 1])

    def test_several_lengths_in_an_array_of_objects(self, tiny: ImageClassifier) -> None:
        data = np.empty(2, dtype=object)
        data[:] = [np.zeros((5, 2)), np.zeros((9, 2))]
        with pytest.raises(ValueError, match="got lengths from 5 to 9"):
            tiny.fit(data, [0, 1])

    @pytest.mark.parametrize("use", ["fit_unsupervised", "gram", "network"])
    def test_channels_first_below_the_classifier(self, tiny: ImageClassifier, use: str) -> None:
        images = np.random.default_rng(0).random((3, 3, 6, 6))
        architecture = Architecture((LayerSpec(4),))
        network = fit_unsupervised(architecture, np.moveaxis(images, 1, -1), 0, patches=50)
        calls = {
            "fit_unsupervised": lambda: fit_unsupervised(architecture, images, 0),
            "gram": lambda: gram(architecture, images),
            "network": lambda: network(images),
        }
        with pytest.raises(ValueError, match=r"looks like \(n, c, h, w\): move the channels .* xp.moveaxis\("):
            calls[use]()

    def test_channels_first_after_training(self, tiny: ImageClassifier, digits: Digits) -> None:
        images = np.repeat(digits[0][:20], 3, axis=-1)
        tiny.fit(images, digits[1][:20])
        with pytest.raises(ValueError, match=r"as in training.*channels to the end, with xp.moveaxis\(images, 1, -1\)"):
            tiny.predict(np.moveaxis(images, -1, 1))


class TestLabelsAndNames:
    """What scikit-learn asks of classifiers and of transformers."""

    def test_labels_in_a_column(self, tiny: ImageClassifier, digits: Digits) -> None:
        with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
            tiny.fit(digits[0][:20], digits[1][:20, None])
        assert tiny.predict(digits[0][:20]).shape == (20,)

    def test_names_of_features(self, fitted: ImageClassifier, digits: Digits) -> None:
        names = fitted.get_feature_names_out()
        assert names[0] == "imageclassifier0"
        assert len(names) == fitted.transform(digits[0][:2]).shape[1]

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_data_frames(self, fitted: ImageClassifier, digits: Digits, library: str) -> None:
        frame = copy(fitted).set_output(transform=library).transform(digits[0][:3])
        assert type(frame).__module__.startswith(library)
        assert list(frame.columns) == fitted.get_feature_names_out().tolist()
        np.testing.assert_array_equal(frame.to_numpy(), fitted.transform(digits[0][:3]))

"""An estimator goes to a file and back: its parameters, and what it says of rows, bit by bit."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from sklearn.base import clone

import kerneltools
from kerneltools import kernels, maps
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, RandomFeatures
from kerneltools.files import FileFormatError
from kerneltools.kernels import Gaussian
from kerneltools.solvers import falkon
from tests.core.test_storing import check_hostile, parts_of, sealed
from tests.estimators.test_libraries import ESTIMATORS, KERNEL, LABELS, SELECTOR, X, Y

NAMES = np.asarray(["one", "two", "three", "four"])[LABELS % 4]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def fitted(name: str, dtype: str = "float64", library: Any = np) -> Any:
    estimator = clone(ESTIMATORS[name][0])
    y = NAMES if name in ("logistic", "hinge") else Y
    return estimator.fit(library.asarray(X.astype(dtype)), y)


def returned(estimator: Any, path: Path, **settings: Any) -> Any:
    kerneltools.save(estimator, path)
    return kerneltools.load(path, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_values_are_equal(name: str, dtype: str, path: Path) -> None:
    estimator = fitted(name, dtype)
    found = returned(estimator, path)
    x = X.astype(dtype)
    assert type(found) is type(estimator)
    assert repr(found) == repr(estimator)
    for method in ESTIMATORS[name][1]:
        assert np.array_equal(getattr(found, method)(x), getattr(estimator, method)(x))
    assert vars(found).keys() == vars(estimator).keys()
    assert found.fit(x, NAMES if hasattr(found, "classes_") else Y).n_features_in_ == 3


@pytest.mark.parametrize("keys", [(0, 1), (np.int64(0), np.int64(1)), (False, True), ("no", "yes")])
def test_weights_of_classes_of_any_type(keys: tuple[Any, Any], path: Path) -> None:
    labels = np.asarray([keys[label] for label in (LABELS > 0).astype(int)])
    estimator = KernelClassifier(KERNEL, landmarks=SELECTOR, reg=1e-2, class_weight={keys[1]: 3.0}).fit(X, labels)
    found = returned(estimator, path)
    assert found.class_weight == estimator.class_weight
    assert np.array_equal(found.fit(X, labels).predict_proba(X), estimator.predict_proba(X))


@pytest.mark.parametrize("name", ["nystrom", "ridge", "falkon", "logistic", "pca"])
def test_from_and_to_torch(name: str, path: Path) -> None:
    estimator = fitted(name, library=torch)
    found = returned(estimator, path, backend="torch")
    x = torch.asarray(X)
    for method in ESTIMATORS[name][1]:
        here, there = getattr(found, method)(x), getattr(estimator, method)(x)
        assert type(here) is type(there)
        assert np.array_equal(np.asarray(here), np.asarray(there))
        assert type(getattr(kerneltools.load(path), method)(X)) is np.ndarray


def test_not_fitted(path: Path) -> None:
    for estimator in (
        KernelRidge(reg=[1e-3, np.float64(1e-2)], landmarks=9),
        KernelClassifier(KERNEL, landmarks=np.int64(5)),
    ):
        found = returned(estimator, path)
        assert found.get_params(deep=False).keys() == estimator.get_params(deep=False).keys()
        assert vars(found).keys() == vars(estimator).keys()
        found.fit(X, LABELS)


def test_what_was_begun_goes_on(path: Path) -> None:
    for estimator in (KernelPCA(2, landmarks=X[:9]), KernelRidge(landmarks=X[:9])):
        begun = estimator.partial_fit(X[:1], Y[:1])
        found = returned(begun, path)
        assert np.array_equal(found.partial_fit(X, Y).model_(X), begun.partial_fit(X, Y).model_(X))


def test_columns_and_settings(path: Path) -> None:
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    estimator = RandomFeatures(Gaussian(1.0), m=4, draw=partial(maps.fourier, orthogonal=False)).fit(frame)
    found = returned(estimator.set_output(transform="pandas"), path)
    assert found.feature_names_in_.tolist() == ["a", "b", "c"]
    pandas.testing.assert_frame_equal(found.transform(frame), estimator.transform(frame))


def test_labels_that_are_objects(path: Path) -> None:
    estimator = KernelClassifier(KERNEL, landmarks=SELECTOR).fit(X, NAMES.astype(object))
    assert returned(estimator, path).predict(X).tolist() == estimator.predict(X).tolist()


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            KernelRidge(random_state=np.random.default_rng(0)),
            r"random_state: cannot write a random generator; set_params",
        ),
        (
            KernelRidge(lambda x, y: x @ y.T),
            r"tree\.params\.kernel: cannot write the function '<lambda>'; make it a class",
        ),
        (RandomFeatures(draw=lambda *_: None), r"tree\.params\.draw: cannot write the function"),
        (KernelRidge(solver=partial(falkon, preconditioner=print)), r"tree\.params\.solver\.keywords\.preconditioner"),
    ],
)
def test_what_cannot_be_written(estimator: Any, message: str, path: Path) -> None:
    with pytest.raises(TypeError, match=message):
        kerneltools.save(estimator, path)
    assert not os.listdir(path.parent)


def test_attributes_of_ones_own(path: Path) -> None:
    estimator = fitted("ridge")
    estimator.note = "mine"
    with pytest.raises(TypeError, match="note: a KernelRidge has no such attribute"):
        kerneltools.save(estimator, path)


class Mine(KernelRidge):
    """An estimator of one's own."""


def test_classes_of_ones_own(path: Path) -> None:
    estimator = Mine(kernels.Linear(), landmarks=X[:3]).fit(X, Y)
    found = returned(estimator, path, types=[Mine])
    assert type(found) is Mine
    assert np.array_equal(found.predict(X), estimator.predict(X))
    with pytest.raises(FileFormatError, match=r"type 'Mine' is not among .*; pass it in `types`"):
        kerneltools.load(path)


@pytest.mark.parametrize("name", ["ridge", "logistic"])
def test_edited_structures(name: str, path: Path) -> None:
    check_hostile(fitted(name), path, every=3)


def test_other_attributes_and_parameters(path: Path) -> None:
    kerneltools.save(fitted("logistic"), path)
    header, arrays = parts_of(path)
    for where, name, message in (
        ("learnt", "predict", "predict: a KernelClassifier has no such attribute"),
        ("learnt", "__class__", "__class__: a KernelClassifier has no such attribute"),
        ("params", "gamma", "expected the parameters class_weight, kernel, .*, verbose, got class_weight, gamma"),
    ):
        structure = json.loads(header["structure"])
        holder = structure["fields"][where]
        (holder["host"] if where == "params" else holder)["dict"][name] = 1
        sealed(path, structure, arrays)
        with pytest.raises(FileFormatError, match=message):
            kerneltools.load(path)
    structure = json.loads(header["structure"])
    del structure["fields"]["learnt"]["dict"]["n_features_in_"]
    sealed(path, structure, arrays)
    with pytest.raises(FileFormatError, match="n_features_in_"):
        kerneltools.load(path)

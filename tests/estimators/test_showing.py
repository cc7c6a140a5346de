"""What estimators show in notebooks: their parameters and what a fit has found, also as a step of a pipeline."""

from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

import ckn
import kerneltools
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures, RandomFeatures
from kerneltools.estimators.exact import Exact
from kerneltools.kernels import Gaussian
from kerneltools.kernels.strings import Spectrum
from kerneltools.solvers import falkon
from tests.pages import Page

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 2))
Y = np.sin(X[:, 0])
NAMES = np.where(Y > 0, "<b>up</b>", "down")
WORDS = ["".join(word) for word in RNG.choice(list("ACGT"), (24, 9))]


def told(estimator: Any) -> str:
    page = Page(estimator._repr_mimebundle_()["text/html"])
    assert page.wrong == []
    return page.text


def test_parameters_that_were_given_come_first() -> None:
    text = told(KernelRidge(landmarks=X[:30], reg=[1e-3, 1e-2], solver=falkon))
    assert text.startswith("KernelRidge Kernel ridge regression in the span of landmarks")
    assert "landmarks an array of shape (30, 2), float64 given reg [0.001, 0.01] given solver falkon given" in text
    assert "solver falkon given kernel None default" in text
    assert "After the fit" not in text


def test_what_a_fit_has_found() -> None:
    ridge = KernelRidge(landmarks=20).fit(X, Y)
    text = told(ridge)
    bandwidth = f"Gaussian(bandwidth={ridge.kernel_.bandwidth:.5g}"
    for fact in (
        f"kernel {bandwidth}",
        "rows 90 columns 2 landmarks 20",
        "numpy, float64, on cpu",
        f"λ {ridge.reg_:.3g}",
    ):
        assert fact in text
    assert "its formula k(x, y) = exp(-|x - y|² / (2 bandwidth²))." in text
    assert f"error {ridge.errors_.min():.4g}" in text
    classifier = told(KernelClassifier(landmarks=10).fit(X, NAMES))
    assert "classes 2 λ" in classifier
    assert "loss of rows left out" in classifier
    assert "of the variance" in told(KernelPCA(2, landmarks=9).fit(X))
    assert "landmarks 9" in told(NystromFeatures(landmarks=9).fit(X))
    assert "features 12" in told(RandomFeatures(Gaussian(1.0), m=12).fit(X))
    assert "objects 24 landmarks 4" in told(KernelRidge(Spectrum(2), landmarks=4, reg=1e-3).fit(WORDS, range(24)))


def test_rows_are_counted_over_streams() -> None:
    model = KernelRidge(Gaussian(1.0), landmarks=X[:9], reg=1e-3).fit(X, Y)
    more = model.merge(KernelRidge(Gaussian(1.0), landmarks=X[:9], reg=1e-3).fit(X[:50], Y[:50])).partial_fit(X, Y)
    assert (model.n_samples_seen_, more.n_samples_seen_) == (90, 230)
    pca = KernelPCA(1, landmarks=X[:9]).partial_fit(X[:1])
    assert "of the variance" not in told(pca)  # of one row there are no components
    assert "rows 90" in told(pca.partial_fit(X[1:]))
    del model.n_samples_seen_  # as in files of older versions
    assert "rows" not in told(model.partial_fit(X, Y))


def test_showing_computes_nothing_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    model = KernelRidge(Gaussian(1.0), landmarks=X, reg=1e-3).fit(X, Y)

    def refuse(*_: Any) -> None:
        raise AssertionError("a path of all rows costs ten times the fit")

    monkeypatch.setattr("kerneltools.estimators.exact.exact_path", refuse)
    monkeypatch.setattr(Exact, "sums", refuse)
    assert "λ 0.001" in told(model)
    assert "λ 0.001" in told(make_pipeline(model))


@pytest.mark.parametrize(
    "model",
    [
        KernelRidge(Gaussian(1.0), landmarks=9, reg=1e-3, solver=falkon),
        KernelRidge(landmarks=9),
        KernelPCA(2, landmarks=9),
    ],
    ids=["solver", "ridge", "pca"],
)
def test_pipelines_and_searches_show_their_steps(model: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), model)
    assert "KernelRidge" in told(pipeline) or "KernelPCA" in told(pipeline)
    assert "After the fit" not in told(pipeline)
    text = told(pipeline.fit(X, Y))
    assert "Pipeline" in text
    assert "After the fit kernel" in text
    assert "landmarks 9" in text
    if isinstance(model, KernelRidge):
        assert "landmarks 9" in told(GridSearchCV(model, {"reg": [1e-3, 1e-1]}, cv=2).fit(X, Y))


def test_text_and_scikit_learns_own_diagram_stay() -> None:
    model = KernelRidge(landmarks=9).fit(X, Y)
    assert model._repr_html_() == model._repr_mimebundle_()["text/html"]
    assert "sk-container" in estimator_html_repr(model)
    with config_context(display="text"):
        assert list(model._repr_mimebundle_()) == ["text/plain"]
        assert not hasattr(model, "_repr_html_")


def test_a_model_from_a_file_shows_the_same(tmp_path: Any) -> None:
    model = KernelRidge(landmarks=9).fit(X, Y)
    kerneltools.save(model, tmp_path / "model.safetensors")
    assert told(kerneltools.load(tmp_path / "model.safetensors")) == told(model)


def test_networks() -> None:
    labels = np.arange(40) % 2
    images = RNG.random((40, 8, 8, 1)) + labels[:, None, None, None]
    model = ckn.ImageClassifier(patches=500)
    assert "patches 500 given" in told(model)
    text = told(model.fit(images, labels))
    assert "After the fit images 40 arrays numpy, float32, on cpu" in text
    assert f"accuracy of images left out {model.loo_accuracy_:.4f}" in text
    assert "Layers" in text
    trained = ckn.ImageRegressor(patches=500, supervised=ckn.Supervised(epochs=1), validation=0.2)
    text = told(make_pipeline(trained).fit(images, labels + 0.5))
    assert "images 32" in text
    assert "epochs 1 loss" in text
    sets = [RNG.standard_normal((9, 2)) + label for label in labels]
    regressor = ckn.SetRegressor(parts=100).fit(sets, labels + 0.5)
    assert f"R² of sets left out {regressor.loo_score_:.4f}" in told(regressor)

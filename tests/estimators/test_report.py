"""`kerneltools.report`: pages on estimators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerneltools
from kerneltools.estimators import KernelClassifier, KernelPCA, KernelRidge, NystromFeatures
from kerneltools.kernels import Gaussian
from kerneltools.kernels.strings import GappedKmer
from kerneltools.reporting import Chart, Picture, Report, Section, Series, wilson
from kerneltools.reporting.charts import Axis
from kerneltools.solvers import falkon
from tests.pages import checked

DRAWS = np.random.default_rng(0)
X = DRAWS.standard_normal((90, 2))
Y = np.sin(2 * X[:, 0]) + X[:, 1]
NAMES = np.asarray(["<script>alert(1)</script>", "low", "odd"])[(Y > 0).astype(int) + (Y > 1)]


def test_regression(tmp_path: Path) -> None:
    model = KernelRidge(landmarks=20).fit(X[:50], Y[:50])
    page = kerneltools.report(model, X[50:], Y[50:])
    found = checked(page.save(tmp_path / "page.html"))
    assert f"R² is {model.score(X[50:], Y[50:]):.4f} on these 40 rows" in found.text
    worst = int(np.abs(model.predict(X[50:]) - Y[50:]).argmax())
    assert f"of k(x, x) missed {worst} {Y[50 + worst]:.4g}" in found.text
    assert f"λ {model.reg_:.4g}" in found.text
    titles = ("Learning curve", "Error against certificate", "λ path", "What was searched", "As given:")
    assert all(title in found.text for title in titles)
    assert found.text.count("Gaussian(bandwidth=") >= 5  # those that were tried
    of_all = kerneltools.maps.nystrom(model.kernel_, model.landmarks_).relative_error(X[50:])
    assert f"they miss {float(of_all):.2%} of k(x, x)" in found.text


def test_classes_are_escaped() -> None:
    model = KernelClassifier(Gaussian(1.0), landmarks=8, reg=1e-3).fit(X[:50], NAMES[:50])
    found = checked(kerneltools.report(model, X[50:], NAMES[50:]).html)
    right = int((model.predict(X[50:]) == NAMES[50:]).sum())
    assert f"{right} of 40 rows are in their class: {right / 40:.2%}" in found.text
    assert str(wilson(right, 40)) in found.text
    assert "<script>alert(1)</script>" in found.text
    assert "<script>alert" not in found.html
    assert "No other λ was tried" in found.text


def test_of_many_classes_the_most_frequent_have_colours() -> None:
    labels = np.arange(90) % 9 + 100
    labels[:30] = 107
    model = KernelClassifier(Gaussian(1.0), landmarks=8, reg=1e-3).fit(X, labels)
    drawn = [block for block in kerneltools.report(model, X, labels).sections[1].blocks if isinstance(block, Chart)][-1]
    assert [series.name for series in drawn.series] == ["103", "104", "105", "107", "others", "landmarks"]
    assert sum(len(series.x) for series in drawn.series) == 90 + 8


def test_features_objects_and_solvers() -> None:
    features = NystromFeatures(Gaussian(1.0), landmarks=9).fit(X)
    phi = features.transform(X)
    gram = Gaussian(1.0)(X, X)
    error = np.linalg.norm(gram - phi @ phi.T) / np.linalg.norm(gram)
    assert f"misses {error:.2%} in the Frobenius norm" in checked(kerneltools.report(features, X).html).text
    words = ["".join(word) for word in DRAWS.choice(list("ACGT"), (24, 9))]
    counts = [float(word.count("A")) for word in words]
    strings = KernelRidge(GappedKmer(3, 2), landmarks=4, reg=1e-3).fit(words, counts)
    assert "4 landmarks as rings" in checked(kerneltools.report(strings, words, counts).html).html
    solved = KernelRidge(Gaussian(1.0), landmarks=1, reg=1e-3, solver=falkon).fit(X, Y)
    assert "There is one landmark" in checked(kerneltools.report(solved, X, Y).html).text


def test_a_pipeline_is_measured_on_rows_as_its_last_step_sees_them() -> None:
    units = X * [1.0, 1000.0]
    whole = make_pipeline(StandardScaler(), "passthrough", KernelRidge(landmarks=20)).fit(units[:50], Y[:50])
    page = kerneltools.report(whole, units[50:], Y[50:])
    assert f"R² is {whole.score(units[50:], Y[50:]):.4f} on these 40 rows" in checked(page.html).text
    assert page.subtitle.endswith("measured on 40 rows after StandardScaler")


def test_the_same_draws_make_the_same_page() -> None:
    model = KernelRidge(Gaussian(1.0), landmarks=9, reg=1e-3).fit(X, Y)
    charts = [
        [block for block in kerneltools.report(model, X, Y, rng=rng).sections[1].blocks if isinstance(block, Chart)]
        for rng in (0, 0, 1)
    ]
    assert charts[0][0] == charts[1][0] != charts[2][0]


def test_notebooks_get_a_frame_that_cannot_be_left() -> None:
    page = Report("a 'title' \"of\" <b>", "", [Section("One", [])])._repr_html_()
    assert page.startswith(
        '<iframe title="a &#x27;title&#x27; &quot;of&quot; &lt;b&gt;" sandbox="allow-scripts" srcdoc="'
    )
    assert page.count("<") == 2  # the frame, and its end


@pytest.mark.parametrize(
    ("estimator", "x", "y", "error", "why"),
    [
        (
            KernelPCA(),
            X,
            None,
            TypeError,
            "estimator: expected a fitted KernelRidge, KernelClassifier, NystromFeatures",
        ),
        (make_pipeline(StandardScaler()), X, Y, TypeError, "or a pipeline that ends in one"),
        (KernelRidge(), X, Y, ValueError, "not fitted"),
        (make_pipeline(StandardScaler(), KernelRidge()), X, Y, ValueError, "not fitted"),
        ("fitted", X, None, TypeError, "y: expected the targets of X"),
        ("fitted", X, Y[:-1], ValueError, "y: expected one for each of 90 rows of X, got 89"),
        ("fitted", X[:5], Y[:5], ValueError, "X: expected at least 8 rows to measure on, got 5"),
        ("fitted", X[:, :1], Y, ValueError, "1 features"),
    ],
)
def test_wrong_input(estimator: Any, x: Any, y: Any, error: type[Exception], why: str) -> None:
    if estimator == "fitted":
        estimator = KernelRidge(Gaussian(1.0), landmarks=3, reg=1e-3).fit(X, Y)
    with pytest.raises(error, match=why):
        kerneltools.report(estimator, x, y)


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    page = Report("title", "", [Section("One", [])])
    with pytest.raises(IsADirectoryError, match="expected the name of a file"):
        page.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        page.save(tmp_path / "nowhere" / "page.html")
    (tmp_path / "page.html").write_text("earlier", encoding="utf-8")
    assert "title" in page.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_pictures_have_words_and_are_in_the_page() -> None:
    for data, alt in (("https://example.org/a.png", "a"), ("data:image/png;base64,AA", "")):
        with pytest.raises(ValueError, match="expected a data: URL of a PNG and words"):
            Picture(data, alt)


def test_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for counts, wanted in known.items():
        assert wilson(*counts) == pytest.approx(wanted, abs=5e-5)
    with pytest.raises(ValueError, match="expected 0 <= right <= n"):
        wilson(3, 2)


@pytest.mark.parametrize("values", [(0.0, 0.0), (1.0, 1.0), (3.0,), (1e-9, 1.0), (-2.0, 5.0), (float("nan"), 2.0), ()])
def test_axes_hold_their_values(values: tuple[float, ...]) -> None:
    for log in (False, True):
        chart = Chart("t", "a", [Series("s", values, values)], "x", "y", log_x=log, log_y=log)
        for _, _, _, points in chart.drawn:
            assert all(84 <= x <= 464 and 14 <= y <= 248 for x, y in points)
        assert len(chart.across.ticks) > 1
    shares = Chart("t", "a", [Series("s", (0, 1), (1.0, 1.0))], "x", "y", percent=True)
    assert shares.up.high == 1.0
    assert Axis(1e-4, 1e2, 0, 100, log=True)(0.1) == 50

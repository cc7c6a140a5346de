"""`ckn report` and `ckn train --report`: pages on models."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
from ckn.reporting import Training
from ckn.targets import Targets
from tests.pages import Page, checked

ROWS = np.random.default_rng(0)


@pytest.fixture(scope="module")
def page(run: Any, model: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on the digits that the model was trained on."""
    folder = tmp_path_factory.mktemp("report")
    for name in ("model.safetensors", "metrics.json"):
        shutil.copy(model.with_name(name), folder / name)
    result = run("report", folder / "model.safetensors", digits)
    assert result.exit_code == 0, result.stderr
    assert f"report in {folder / 'report.html'}" in result.stdout
    return folder / "report.html"


def test_numbers_are_those_of_evaluate_and_of_the_training(run: Any, page: Path, digits: Path, tmp_path: Path) -> None:
    found = checked(page)
    run("evaluate", page.with_name("model.safetensors"), digits, "--out", tmp_path / "numbers.json")
    numbers = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    right = int(np.trace(numbers["confusion"]))
    assert f"{right} of 300 images are in their class: {numbers['accuracy']:.2%}" in found.text
    assert all(f"{recall:.1%}" in found.text for recall in numbers["recall"])
    told = json.loads(page.with_name("metrics.json").read_text(encoding="utf-8"))
    assert f"leave-one-out accuracy {told['loo_accuracy']:.2%}" in found.text
    assert f"test accuracy {told['test_accuracy']:.2%}" in found.text
    assert f"λ {told['reg']:.3g}" in found.text
    assert "it has seen are right more often" in found.text
    assert told["numpy_version"] in found.text
    assert len(found.all("img")) == 24 + 1  # the hardest, and the filters
    assert sum("λ" in str(have["aria-label"]) for have in found.all("svg")) == 1


def test_the_hardest_are_those_of_least_margin(page: Path, digits: Path) -> None:
    loaded, data = ckn.load(page.with_name("model.safetensors")), np.load(digits)
    assert isinstance(loaded, ckn.Model)
    scores = np.asarray(loaded.decision_function(data["images"]))
    own = scores[np.arange(300), data["labels"]]
    scores[np.arange(300), data["labels"]] = -np.inf
    worst = np.argsort(own - scores.max(axis=1), kind="stable")
    text = checked(page).text
    places = [text.index(f"image {number} true {data['labels'][number]}") for number in worst[:5]]
    assert places == sorted(places)
    assert f"score of {data['labels'][worst[0]]} {own[worst[0]]:.3f}" in text


def test_train_writes_what_the_numbers_say(run: Any, tmp_path: Path) -> None:
    labels = np.repeat(["<script>alert(1)</script>", "a & b"], 12)
    images = ROWS.random((24, 8, 8, 1)) + (labels == "a & b")[:, None, None, None]
    np.savez(tmp_path / "two.npz", images=images.astype(np.float32), labels=labels)
    words = ("--patches", 200, "--supervised", "--epochs", 2, "--lr", 0.01, "--report", "-q")
    result = run("train", tmp_path / "two.npz", "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.stderr
    found = checked(tmp_path / "out" / "report.html")
    numbers = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert f"{numbers['test_accuracy']:.2%}" in found.text
    assert "<script>alert(1)</script>" in found.text
    assert "<script>alert" not in found.html
    assert sum("mean loss of each epoch" in str(have["aria-label"]) for have in found.all("svg")) == 1
    # Of the model alone: the files beside it tell the same.
    again = run("report", tmp_path / "out" / "model.safetensors", "--out", tmp_path / "alone.html")
    assert again.exit_code == 0, again.stderr
    alone = checked(tmp_path / "alone.html")
    assert f"Test accuracy, in training {numbers['test_accuracy']:.2%}" in alone.text
    assert sum("mean loss of each epoch" in str(have["aria-label"]) for have in alone.all("svg")) == 1


def test_without_labels_and_without_files_beside(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    shutil.copy(model, tmp_path / "alone.safetensors")
    np.savez(tmp_path / "some.npz", images=np.load(digits)["images"][:9])
    result = run("report", tmp_path / "alone.safetensors", tmp_path / "some.npz", "--out", tmp_path / "some.html")
    assert result.exit_code == 0, result.stderr
    found = checked(tmp_path / "some.html")
    assert "These images have no labels" in found.text
    assert "Accuracy" not in found.text
    assert "Settings" not in found.text


def test_models_of_older_files_and_of_numbers_and_networks(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    old = replace(loaded, calibration=None)
    head = replace(loaded.head, weights=loaded.head.weights[:, :1], intercept=loaded.head.intercept[:1])
    numbers = replace(old, head=head, classes=(), targets=Targets((0.0,), (1.0,), True))
    two = replace(loaded.head, weights=loaded.head.weights[:, :2], intercept=loaded.head.intercept[:2])
    pairs = replace(old, head=two, classes=(), targets=Targets((0.0, 0.0), (1.0, 1.0), False))
    ckn.save(pairs, tmp_path / "pairs.safetensors")
    ckn.save(old, tmp_path / "old.safetensors")
    ckn.save(numbers, tmp_path / "numbers.safetensors")
    ckn.save(loaded.network, tmp_path / "network.safetensors")
    assert run("report", tmp_path / "old.safetensors", digits, "-o", tmp_path / "old.html").exit_code == 0
    assert "probability" not in checked(tmp_path / "old.html").text
    assert run("report", tmp_path / "numbers.safetensors", "-o", tmp_path / "numbers.html").exit_code == 0
    assert "give data for its error" in checked(tmp_path / "numbers.html").text
    for name, why in (("pairs", "a model of 2 numbers"), ("network", "a network without a classifier")):
        path = tmp_path / f"{name}.safetensors"
        assert run("report", path, "-o", tmp_path / f"{name}.html").exit_code == 0
        assert "Layers" in checked(tmp_path / f"{name}.html").text
        result = run("report", path, digits, "-o", tmp_path / "none.html")
        assert result.exit_code == 1
        assert why in result.stderr
        assert not (tmp_path / "none.html").exists()


def test_numbers_of_images(run: Any, tmp_path: Path) -> None:
    images, path = ROWS.random((60, 8, 8, 1)), tmp_path / "model.safetensors"
    light = 10 * images.mean(axis=(1, 2, 3))
    estimator = ckn.ImageRegressor(patches=500).fit(images[:40], light[:40])
    ckn.save(estimator.model_, path)
    np.savez(tmp_path / "new.npz", images=images[40:], labels=light[40:])
    result = run("report", path, tmp_path / "new.npz")
    assert result.exit_code == 0, result.stderr
    found = checked(tmp_path / "report.html")
    off = np.asarray(estimator.predict(images[40:])) - light[40:]
    assert f"is {estimator.score(images[40:], light[40:]):.4f} on these 20 images" in found.text
    assert f"Error {np.sqrt(np.mean(off**2)):.4g} root mean square" in found.text
    worst = np.argsort(-np.abs(off))[:2].tolist()
    assert all(f"image {i} true {light[40 + i]:.4g} predicted" in found.text for i in worst)
    assert found.text.index(f"image {worst[0]} true") < found.text.index(f"image {worst[1]} true")
    assert "Predicted against true" in found.text
    assert "Confusion" not in found.text
    np.savez(tmp_path / "unknown.npz", images=images[40:])
    assert run("report", path, tmp_path / "unknown.npz", "-o", tmp_path / "unknown.html").exit_code == 0
    assert "how far the predictions are off is not known" in checked(tmp_path / "unknown.html").text
    for labels, why in (
        (np.repeat(["cat", "dog"], 10), "the labels of these images are classes, such as cat, dog"),
        (np.where(np.arange(20) == 3, np.nan, 1.5), "labels: expected finite numbers, got nan"),
        (np.ones((20, 2)), "expected labels of shape (n,), got shape (20, 2)"),
    ):
        np.savez(tmp_path / "wrong.npz", images=images[40:], labels=labels)
        result = run("report", path, tmp_path / "wrong.npz", "-o", tmp_path / "wrong.html")
        assert result.exit_code == 1
        assert why in " ".join(result.stderr.split())
        assert not (tmp_path / "wrong.html").exists()
    np.savez(tmp_path / "train.npz", images=images, labels=light)  # to train on classes they are none
    assert "expected labels that are integers" in run("train", tmp_path / "train.npz", "-o", tmp_path / "out").stderr


def test_numbers_of_objects(run: Any, tmp_path: Path) -> None:
    words = ["".join(word) for word in ROWS.choice(list("ACGT"), (40, 20))]
    share = [word.count("A") / 20 for word in words]
    ckn.save(ckn.SequenceRegressor(parts=300).fit(words, share).model_, tmp_path / "words.safetensors")
    (tmp_path / "new.fa").write_text("".join(f">w{i}\n{word}\n" for i, word in enumerate(words)))
    (tmp_path / "new.csv").write_text("".join(f"w{i},{value}\n" for i, value in enumerate(share)))
    series = [np.cumsum(ROWS.normal(size=30)) for _ in range(24)]
    ends = [float(one[-1] - one[0]) for one in series]
    curves = [one[:, None] for one in series]
    ckn.save(ckn.SeriesRegressor(parts=300).fit(curves, ends).model_, tmp_path / "series.safetensors")
    lines = [" ".join(map(str, [end, *one])) for end, one in zip(ends, series, strict=True)]
    (tmp_path / "new_TEST.txt").write_text("\n".join(lines))
    for name, data in (("words", ("new.fa", "--labels", tmp_path / "new.csv")), ("series", ("new_TEST.txt",))):
        source, *more = data
        page = tmp_path / f"{name}.html"
        result = run("report", tmp_path / f"{name}.safetensors", tmp_path / source, *more, "-o", page)
        assert result.exit_code == 0, result.stderr
        text = checked(page).text
        assert "Predicted against true" in text
        assert "was not drawn" not in text
        assert "Hardest" in text


def test_notebooks_get_what_show_prints(run: Any, model: Path) -> None:
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    said = " ".join(run("show", model).stdout.split())
    for held in (loaded, loaded.network):
        page = Page(held._repr_html_())
        assert page.wrong == []
        assert "Layers" in page.text
        assert "Homogeneous(Exponential(0.6))" in page.text
    for fact in ("classes 10: 0, 1, 2", "2 128 3x3 Homogeneous(Exponential(0.6)) same 2 2x2x128 512"):
        assert fact in said
        assert fact in Page(loaded._repr_html_()).text


def test_files_of_another_model_are_left_out(run: Any, model: Path, tmp_path: Path) -> None:
    shutil.copy(model, tmp_path / "model.safetensors")
    for text, why in (('{"n_features": 3, "n_classes": 10}', "of another model"), ("[", "cannot be read")):
        (tmp_path / "metrics.json").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=why):
            Training.beside(tmp_path / "model.safetensors", ckn.load(model))
    result = run("report", tmp_path / "model.safetensors")
    assert result.exit_code == 0, result.stderr
    assert "metrics.json: cannot be read" in result.stderr
    assert "Settings" not in checked(tmp_path / "report.html").text


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--out", "page.txt"), 2, "expected a name that ends in .html, got page.txt"),
        (("--labels", "some.csv"), 2, "--labels: only with DATA"),
        (("--split", "test"), 2, "--split: only with DATA"),
        (("nowhere",), 1, "'nowhere': no such file"),
    ],
)
def test_wrong_words(run: Any, model: Path, words: tuple[str, ...], code: int, why: str) -> None:
    result = run("report", model, *words)
    assert result.exit_code == code
    assert why in " ".join(result.stderr.replace("│", " ").split())
    assert "make room" not in result.stderr  # nothing was wrong with the page's place


def test_no_place_to_write(run: Any, model: Path, tmp_path: Path) -> None:
    (tmp_path / "taken.html").mkdir()
    result = run("report", model, "--out", tmp_path / "taken.html")
    assert result.exit_code == 1
    assert "taken.html: cannot be written: is a folder" in result.stderr

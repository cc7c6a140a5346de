"""The command on sequences, graphs and series, as on images."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ckn
from ckn.readers import read
from kerneltools.reporting import Paragraph
from tests.pages import checked

DATA = Path(__file__).parents[1] / "data"
FASTA, TABLE, MUTAG = DATA / "promoters.fa", DATA / "promoters.csv", DATA / "MUTAG"
TRAIN, TEST = DATA / "GunPoint_TRAIN.ts", DATA / "GunPoint_TEST.ts"
WORDS = {
    "sequences": [FASTA, "--labels", TABLE, "--filters", 16],
    "graphs": [MUTAG, "--filters", 16],
    "series": [TRAIN, "--test", TEST, "--filters", 16],
}
OTHERS = {"sequences": [FASTA, "--labels", TABLE], "graphs": [MUTAG], "series": [TEST]}
FILES = ["certificate.png", "confusion.png", "filters.png", "metrics.json", "model.safetensors", "motifs.png"]


@pytest.fixture(scope="session")
def models(run: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    """What `ckn train` wrote and said for each kind of data."""
    found = {}
    for kind, words in WORDS.items():
        folder = tmp_path_factory.mktemp(kind)
        result = run("train", *words, "--out", folder, "--patches", 2000)
        assert result.exit_code == 0, result.stderr
        found[kind] = folder, result
    return found


@pytest.mark.parametrize(
    ("kind", "said", "share", "n"),
    [
        ("sequences", "84 sequences of 57 letters, ACGT, 2 classes", 0.6, 22),
        ("graphs", "150 graphs of 10 to 28 nodes, with labels, 2 classes", 0.7, 38),
        ("series", "50 series of 150 values in 1 channel, 2 classes", 0.8, 50),
    ],
)
def test_train(models: Any, kind: str, said: str, share: float, n: int) -> None:
    folder, result = models[kind]
    assert sorted(p.name for p in folder.iterdir()) == FILES
    assert said in result.stdout
    assert "16 filters on" in result.stdout
    assert f"on the training {kind}" in result.stdout
    assert f"test {kind}" in result.stderr
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert all(value is None or isinstance(value, str | int | float) for value in metrics.values())
    assert (metrics["kind"], metrics["n_test"], metrics["filters"]) == (kind, n, 16)
    assert metrics["test_accuracy"] > share
    assert 0 <= metrics["missed_layer_1"] < 1


@pytest.mark.parametrize("kind", WORDS)
def test_report(run: Any, models: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = models[kind]
    if kind != "graphs":  # the pictures themselves are tested with `ckn show`
        monkeypatch.setattr("ckn.reporting.drawings._drawn", lambda name, alt, figure: Paragraph(alt))
    result = run("report", folder / "model.safetensors", *OTHERS[kind], "--out", tmp_path / "page.html")
    assert result.exit_code == 0, result.stderr
    page = checked(tmp_path / "page.html")
    assert f"Hardest {kind}" in page.text
    assert len(page.all("img")) == (2 if kind == "graphs" else 0)  # filters and motifs
    assert "was not drawn" not in page.text
    drawn = sum(have.get("class") == "sketch" for have in page.all("svg"))
    assert drawn == (0 if kind == "sequences" else 12)  # these are told by their letters
    assert "score of" in page.text


@pytest.mark.parametrize("kind", WORDS)
def test_use(run: Any, models: Any, kind: str, tmp_path: Path) -> None:
    model = models[kind][0] / "model.safetensors"
    source, *labels = OTHERS[kind]
    data = read(source, labels=labels[1] if labels else None)
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    wanted = np.asarray(data.classes)[data.labels]
    right = float((np.asarray(loaded.predict(data.data)) == wanted).mean())
    result = run("evaluate", model, source, *labels, "--out", tmp_path / "numbers.json")
    assert result.exit_code == 0, result.stderr
    assert f"accuracy {right:.2%}" in result.stdout
    assert kind in result.stdout.splitlines()[0]
    assert json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))["accuracy"] == pytest.approx(right)
    result = run("predict", model, source, "--quiet")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    noun = kind if kind == "series" else kind.removesuffix("s")
    assert [row[noun] for row in rows] == list(data.names or map(str, range(len(data))))
    assert np.mean([row["class"] == label for row, label in zip(rows, wanted, strict=True)]) == pytest.approx(right)
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)
    result = run("encode", model, source, *labels, "--out", tmp_path / "f.npz")
    assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "f.npz") as held:
        np.testing.assert_allclose(held["features"], loaded.transform(data.data), atol=1e-6)
        np.testing.assert_array_equal(held["labels"], data.labels)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sequences", ("of the letters ACGT", "both strands", "classes        2: other, promoter")),
        ("graphs", ("with labels of nodes: 0, 1, 2, 3, 4, 5, 6", "Paths(")),
        ("series", ("in 1 channel", "Windows(")),
    ],
)
def test_show(run: Any, models: Any, kind: str, words: tuple[str, ...], tmp_path: Path) -> None:
    pictures = ("--out", tmp_path / "pictures", "--data", FASTA) if kind == "sequences" else ()
    result = run("show", models[kind][0] / "model.safetensors", *pictures)
    assert result.exit_code == 0, result.stderr
    for word in words:
        assert word in result.stdout
    if pictures:
        assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["filters.png", "motifs.png"]


def test_supervised_goes_on_with_its_labels(run: Any, tmp_path: Path) -> None:
    words = ["train", FASTA, "--labels", TABLE, "--filters", 8, "--patches", 500, "--supervised", "--lr", 0.01]
    words += ["--minibatch", 34, "--validation", 0.2, "--out", tmp_path / "out", "--epochs", 1]
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "sequences/s" in result.stderr
    result = run("train", FASTA, "--resume", tmp_path / "out", "--epochs", 2)
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["epochs"], metrics["n_validation"], metrics["kind"]) == (2, 16, "sequences")
    assert {"curves.png", "motifs.png"} <= {p.name for p in (tmp_path / "out").iterdir()}
    shutil.copy(FASTA, tmp_path / "other.fa")
    text = (tmp_path / "other.fa").read_text()
    (tmp_path / "other.fa").write_text(text.replace("\nT", "\nA"))
    failed(run("train", tmp_path / "other.fa", "--resume", tmp_path / "out"), 1, "other data or labels")


def failed(result: Any, code: int, *words: str) -> None:
    assert result.exit_code == code, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


IMAGE_OPTIONS = (
    ("--size", 8),
    ("--background", "red"),
    ("--whiten",),
    ("--architecture", "small"),
    ("--skip-unreadable",),
    ("--supervised", "--augment", "flip"),
    ("--supervised", "--backend", "torch", "--precision", "bfloat16"),
)


@pytest.mark.parametrize("words", IMAGE_OPTIONS)
def test_options_of_images_are_refused_by_name(run: Any, words: tuple[Any, ...], tmp_path: Path) -> None:
    option = next(word for word in reversed(words) if str(word).startswith("--"))
    out = tmp_path / "out"
    result = run("train", FASTA, "--labels", TABLE, "--out", out, *words)
    failed(result, 2, f"{option}: only for images, and {FASTA} holds sequences")
    assert not out.exists()


def test_options_of_objects_are_refused_by_name(run: Any, digits: Path) -> None:
    failed(run("train", digits, "--filters", 8), 2, "--filters: not for images")
    failed(run("train", digits, "--one-strand"), 2, "--one-strand: not for images")
    failed(run("train", MUTAG, "--one-strand"), 2, "--one-strand: only for DNA and RNA")
    failed(run("train", digits, "--labels", TABLE), 1, f"{TABLE}: labels from a table are for sequences")
    failed(run("train", FASTA), 1, "106 sequences without labels; training needs the class of each", "--labels")


def test_graphs_without_labels_are_those_of_their_degrees(run: Any, tmp_path: Path) -> None:
    shutil.copytree(MUTAG, tmp_path / "MUTAG")
    (tmp_path / "MUTAG" / "MUTAG_node_labels.txt").unlink()
    result = run("train", tmp_path / "MUTAG", "--out", tmp_path / "out", "--patches", 500, "--filters", 4)
    assert result.exit_code == 0, result.stderr
    assert "150 graphs of 10 to 28 nodes, without labels and attributes" in result.stdout
    assert "DegreeLabels(" in run("show", tmp_path / "out" / "model.safetensors").stdout
    assert run("predict", tmp_path / "out" / "model.safetensors", tmp_path / "MUTAG").exit_code == 0


def test_labels_of_train_and_test_in_one_table(run: Any, tmp_path: Path) -> None:
    lines = FASTA.read_text().splitlines(keepends=True)
    (tmp_path / "a.fa").write_text("".join(lines[: 2 * 80]))
    (tmp_path / "b.fa").write_text("".join(lines[2 * 80 : 2 * 100]))
    words = [tmp_path / "a.fa", "--test", tmp_path / "b.fa", "--labels", TABLE, "--out", tmp_path / "out"]
    result = run("train", *words, "--one-strand", "--patches", 500, "--filters", 4)
    assert result.exit_code == 0, result.stderr
    assert "both strands" not in result.stdout
    notes = [line for line in result.stderr.splitlines() if "labels are of records" in line]
    assert len(notes) == 1
    assert "6 of 106 labels are of records that are not in" in notes[0]


def test_models_refuse_what_they_were_not_trained_on(run: Any, models: Any, model: Path, tmp_path: Path) -> None:
    of = {kind: folder / "model.safetensors" for kind, (folder, _) in models.items()}
    of["images"] = model
    for kind, other, source in (
        ("sequences", "graphs", MUTAG),
        ("graphs", "series", TEST),
        ("series", "images", "digits"),
        ("images", "sequences", FASTA),
    ):
        failed(run("predict", of[kind], source), 1, f"{source}: {other}; the model was trained on {kind}")
    (tmp_path / "new.fa").write_text(">a\nACGU\n")
    failed(run("predict", of["sequences"], tmp_path / "new.fa"), 1, "got 'U' at position 3", "that of the training")
    (tmp_path / "new.fa").write_text(">a\nACGT\n>b\nACGTACGTACGTACGT\n>c\nGG\n")
    result = run("predict", of["sequences"], tmp_path / "new.fa")
    assert "new.fa: 2 of 3 sequences are shorter than the model's window of 12" in result.stderr
    assert result.stdout.count("\n") == 4
    (tmp_path / "two.ts").write_text("@classLabel true 1\n@data\n1,2:3,4:1\n")
    failed(
        run("encode", of["series"], tmp_path / "two.ts", "--out", tmp_path / "f.npz"), 1, "two.ts: expected 1 columns"
    )
    shutil.copytree(MUTAG, tmp_path / "MUTAG")
    (tmp_path / "MUTAG" / "MUTAG_node_labels.txt").unlink()
    failed(run("evaluate", of["graphs"], tmp_path / "MUTAG"), 1, "expected graphs with labels of nodes, as in training")
    attributes = np.random.default_rng(0).standard_normal((len(read(MUTAG).data.labels), 2))
    np.savetxt(tmp_path / "MUTAG" / "MUTAG_node_attributes.txt", attributes, fmt="%.3f", delimiter=",")
    result = run("train", tmp_path / "MUTAG", "--out", tmp_path / "m", "--patches", 200, "--filters", 2, "--quiet")
    assert result.exit_code == 0, result.stderr
    words = "graphs without attributes of nodes; the model was trained on graphs with them"
    failed(run("evaluate", tmp_path / "m" / "model.safetensors", MUTAG), 1, words)
    failed(run("evaluate", of["sequences"], FASTA), 1, "106 sequences without labels")
    failed(run("evaluate", of["sequences"], FASTA, "--skip-unreadable"), 2, "only for picture files")
    failed(run("show", of["sequences"], "--data", FASTA), 2, "--data: only with --out")
    failed(run("show", model, "--out", tmp_path / "p", "--data", FASTA), 2, "this one is of images")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["MUTAG", "m", "new.fa", "two.ts"]

"""`ckn evaluate`, `ckn predict`, `ckn encode`, `ckn show` with a trained model."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ckn
from ckn.readers import read


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Six digits as PNG files with values up to 255, in folders that name their class."""
    data = read("digits")
    paths = []
    for image, label in zip(data.images[:6], data.labels[:6].tolist(), strict=True):
        path = tmp_path / "photos" / str(label) / "one.png"
        path.parent.mkdir(parents=True)
        Image.fromarray((image[..., 0] * (255 / 16)).astype(np.uint8)).save(path)
        paths.append(path)
    return paths


def test_evaluate_prints_and_writes_accuracy_by_class(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    result = run("evaluate", model, digits, "--out", tmp_path / "numbers.json")
    assert result.exit_code == 0, result.stderr
    numbers = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    loaded, data = ckn.load(model), read(digits)
    right = np.asarray(loaded.predict(data.images)) == np.asarray(data.classes)[data.labels]
    assert numbers["accuracy"] == pytest.approx(right.mean())
    assert f"accuracy {right.mean():.2%}" in result.stdout
    assert np.sum(numbers["confusion"]) == numbers["n"] == 300
    assert len(numbers["recall"]) == 10


def test_evaluate_finds_classes_by_name_and_white_by_source(run: Any, model: Path, pictures: list[Path]) -> None:
    result = run("evaluate", model, pictures[0].parents[1])
    assert result.exit_code == 0, result.stderr
    assert "accuracy 100.00% (6 of 6)" in result.stdout


def test_predict_writes_a_row_for_each_file(run: Any, model: Path, pictures: list[Path], tmp_path: Path) -> None:
    result = run("predict", model, *pictures, "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [str(path) for path in pictures]
    assert [row["class"] for row in rows] == [path.parent.name for path in pictures]
    assert all(float(row["margin"]) > 0 for row in rows)


def test_predict_folder_without_classes(run: Any, model: Path, pictures: list[Path], tmp_path: Path) -> None:
    for path in pictures:
        path.rename(tmp_path / f"{path.parent.name}.png")
        path.parent.rmdir()
    (tmp_path / "photos").rmdir()
    result = run("predict", model, tmp_path)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["image"], row["class"]) for row in rows] == [(f"{i}.png", str(i)) for i in range(6)]


def test_predict_without_file_writes_nothing_but_csv_to_stdout(run: Any, model: Path, digits: Path) -> None:
    result = run("predict", model, digits)
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["image", "class", "score", "margin", "probability"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(300)]


def test_encode_gives_what_transform_gives(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    result = run("encode", model, digits, "--out", tmp_path / "features.npz", "--batch", 77)
    assert result.exit_code == 0, result.stderr
    data = read(digits)
    with np.load(tmp_path / "features.npz", allow_pickle=False) as file:
        assert file["features"].dtype == np.float32
        np.testing.assert_allclose(file["features"], ckn.load(model).transform(data.images), atol=1e-6)
        np.testing.assert_array_equal(file["labels"], data.labels)
        assert tuple(file["classes"]) == data.classes


def test_encode_keeps_the_names_of_files(run: Any, model: Path, pictures: list[Path], tmp_path: Path) -> None:
    assert run("encode", model, pictures[0].parents[1], "--out", tmp_path / "f.npz").exit_code == 0
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["names"].tolist() == [f"{i}/one.png" for i in range(6)]


@pytest.mark.parametrize(("words", "rows"), [((), 4), (("--split", "train"), 9), (("--split", "test"), 4)])
def test_split_is_that_of_test_or_the_one_wanted(
    words: tuple[str, ...], rows: int, run: Any, model: Path, tmp_path: Path
) -> None:
    x, y = read("digits").images.astype(np.uint8), read("digits").labels
    np.savez(tmp_path / "pair.npz", X_train=x[:9], y_train=y[:9], X_test=x[:4], y_test=y[:4])
    result = run("predict", model, tmp_path / "pair.npz", *words)
    assert len(result.stdout.splitlines()) == 1 + rows
    assert ("note: the 4 test images" in result.stderr) == (not words)


def test_show_names_layers_preprocessing_and_classes(run: Any, model: Path) -> None:
    result = run("show", model)
    assert result.exit_code == 0, result.stderr
    for words in ("8x8x1", "Scale(255.0)", "Homogeneous(Exponential(0.6))", "10: 0, 1, 2", "format version"):
        assert words in result.stdout
    grid, spec = ckn.architectures["small"].output_shape((8, 8)), ckn.architectures["small"].layers[-1]
    assert "x".join(map(str, (*grid, spec.filters))) in result.stdout


def test_show_network_without_classifier(run: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((20, 8, 8, 1))
    architecture = ckn.Architecture((ckn.LayerSpec(4),))
    ckn.save(ckn.fit_unsupervised(architecture, images, 0), tmp_path / "network.safetensors")
    assert "a network without a classifier" in run("show", tmp_path / "network.safetensors").stdout
    result = run("predict", tmp_path / "network.safetensors", "digits")
    assert result.exit_code == 1
    assert "a network without a classifier" in result.stderr


def test_several_classes_and_several_files(run: Any, model: Path, pictures: list[Path], tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("predict", model, *pictures, "--top", 3).stdout)))
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    values = np.asarray(loaded.decision_function(read(pictures).images))
    for row, scores, path in zip(rows, values, pictures, strict=True):
        best = np.argsort(-scores)[:3]
        assert [row["class"], row["class_2"], row["class_3"]] == [str(loaded.classes[i]) for i in best]
        assert row["class"] == path.parent.name
        assert float(row["margin"]) == pytest.approx(float(row["score"]) - float(row["score_2"]), abs=1e-5)
    chances = np.asarray(loaded.predict_proba(read(pictures).images))
    found = [[float(row[f"probability{rank}"]) for rank in ("", "_2", "_3")] for row in rows]
    np.testing.assert_allclose(found, -np.sort(-chances, axis=1)[:, :3], rtol=1e-4)
    result = run("predict", model, *pictures, "--top", 11)
    assert (result.exit_code, "the model has 10 classes" in result.stderr) == (2, True)
    assert run("encode", model, *pictures, "-o", tmp_path / "f.npz").exit_code == 0
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["names"].tolist() == [str(path) for path in pictures]


def test_a_model_without_probabilities_is_told_and_has_no_column_of_them(
    run: Any, model: Path, digits: Path, tmp_path: Path
) -> None:
    loaded = ckn.load(model)
    assert isinstance(loaded, ckn.Model)
    ckn.save(replace(loaded, calibration=None), tmp_path / "before")
    result = run("predict", tmp_path / "before", digits, "--top", 2)
    assert "written by a version without probabilities, which are left out; train the model again" in result.stderr
    assert result.stdout.splitlines()[0] == "image,class,score,margin,class_2,score_2"


def test_quiet_leaves_results_and_files(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    loud, result = run("predict", model, digits), run("predict", model, digits, "--quiet")
    assert (result.stdout, result.stderr) == (loud.stdout, "")
    for words in (("predict", "-o", "a.csv"), ("encode", "-o", "a.npz")):
        result = run(words[0], model, digits, "-q", words[1], tmp_path / words[2])
        assert (result.exit_code, result.output) == (0, "")
    result = run("train", digits, "-q", "-o", tmp_path / "out", "--patches", 100)
    assert (result.exit_code, result.stdout) == (0, "")
    assert all(line.startswith("note: ") for line in result.stderr.splitlines())


def test_versions_names_and_the_module_as_a_command() -> None:
    import kerneltools

    assert ckn.__version__ == kerneltools.__version__ == version("kerneltools")
    assert set(ckn.__all__) <= set(dir(ckn))
    assert all(name in ckn.__all__ for name in dir(ckn) if not name.startswith("_"))
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-m", "ckn", "-h"], capture_output=True, text=True, check=True, env=paths)
    assert done.stdout.startswith("Usage: ckn ")
    assert "--install-completion" in done.stdout


def test_version_and_help(run: Any) -> None:
    assert run("--version").stdout == f"kerneltools {version('kerneltools')}\n"
    for command in ((), ("train",), ("evaluate",), ("predict",), ("encode",), ("show",)):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Example" in result.stdout


def test_as_a_process_with_a_narrow_encoding(model: Path, digits: Path) -> None:
    script = Path(sys.executable).with_name("ckn")
    done = subprocess.run(
        [script, "evaluate", model, digits], capture_output=True, check=True, env={"PYTHONIOENCODING": "ascii"}
    )
    assert b"accuracy " in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [["predict", "MODEL", "DATA"], ["evaluate", "MODEL", "DATA"], ["show", "MODEL"], ["--help"]]
)
def test_a_pipe_that_nobody_reads(words: list[str], model: Path, digits: Path) -> None:
    given = [{"MODEL": str(model), "DATA": str(digits)}.get(word, word) for word in words]
    code = "from ckn.cli import main; main()"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code, *given], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=paths
    )
    os.close(writer)
    assert done.returncode == 141
    assert set(done.stderr.split("\n")) <= {"", *(line for line in done.stderr.split("\n") if "encoding " in line)}


def test_names_are_no_formulas_and_no_commands_of_a_terminal(run: Any, model: Path, tmp_path: Path) -> None:
    names = ["=1+1.png", "+a.png", "-b.png", "@c.png", "e\x1b[31m\nf.png", "é, 日本.png", "-7.png", " =2.png"]
    for name in names:
        Image.fromarray(np.full((8, 8), 99, dtype=np.uint8)).save(tmp_path / name)
    for words in (("--out", tmp_path / "out.csv"), ()):
        result = run("predict", model, tmp_path, *words)
        assert result.exit_code == 0, result.stderr
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert text == result.stdout
    found = {row["image"] for row in csv.DictReader(io.StringIO(text))}
    assert found == {
        "'=1+1.png", "'+a.png", "'-b.png", "'@c.png", r"e\x1b[31m\nf.png", "é, 日本.png", "'-7.png", "' =2.png"
    }  # fmt: skip


def test_output_through_a_link(run: Any, model: Path, digits: Path, tmp_path: Path) -> None:
    for command, name in (("evaluate", "a.json"), ("predict", "b.csv"), ("encode", "c.npz")):
        (tmp_path / name).symlink_to(tmp_path / f"target-{name}")
        assert run(command, model, digits, "--out", tmp_path / name).exit_code == 0
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / f"target-{name}").stat().st_size


def test_a_full_disk_names_the_output(
    run: Any, model: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ckn.commands.use.write_predictions", full)
    monkeypatch.setattr("ckn.commands.use.write_features", full)
    for command, name in (("predict", "b.csv"), ("encode", "c.npz")):
        result = run(command, model, digits, "--out", tmp_path / name)
        assert result.exit_code == 1
        assert f"error: {tmp_path / name}: cannot be written: No space left on device; make room, or" in result.stderr
        assert "--out" in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "name"), [("evaluate", "out.json"), ("predict", "out.csv"), ("encode", "out.npz")])
def test_file_that_cannot_be_written(command: str, name: str, run: Any, model: Path, digits: Path) -> None:
    result = run(command, model, digits, "--out", digits / name)
    assert result.exit_code == 1
    assert f"{digits / name}: cannot be written" in result.stderr


@pytest.mark.parametrize("command", ["predict", "encode"])
def test_interrupted_output_leaves_nothing(
    command: str, run: Any, model: Path, digits: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ckn.applying.to_host", interrupt())
    result = run(command, model, digits, "--out", tmp_path / "out.npz")
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def interrupt() -> Callable[[Any], None]:
    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    return stop

"""`ckn train --supervised`: its files, and how a run that stopped goes on."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import ckn
from ckn.readers import read
from ckn.supervised import DivergedError, load_state
from ckn.supervised.trainer import Trainer

EPOCHS = 3
# The head that is solved in no time.
WORDS = [
    "--supervised",
    "--head",
    "ridge",
    "--patches",
    300,
    "--seed",
    2,
    "--lr",
    0.001,
    "--minibatch",
    40,
    "--augment",
    "crop,flip",
]
FILES = [
    "best.safetensors",
    "certificate.png",
    "confusion.png",
    "curves.png",
    "filters.png",
    "last.safetensors",
    "metrics.json",
    "metrics.jsonl",
    "model.safetensors",
]


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 digits."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    data = read("digits")
    np.savez(path, images=data.images[:100].astype(np.uint8), labels=data.labels[:100])
    return path


@pytest.fixture(scope="module")
def whole(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a run that was never interrupted, and what it said."""
    folder = tmp_path_factory.mktemp("whole")
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", folder)
    assert result.exit_code == 0, result.stderr
    return folder, result


@pytest.fixture(scope="module")
def begun(run: Any, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("begun")
    assert run("train", few, *WORDS, "--epochs", 1, "--out", folder).exit_code == 0
    return folder


def stopping(error: BaseException | type[BaseException], after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something happens in the epoch after `after`."""
    epoch = Trainer.epoch

    def stop(self: Trainer, state: Any, *rest: Any) -> Any:
        if state.epoch == after:
            raise error
        return epoch(self, state, *rest)

    monkeypatch.setattr(Trainer, "epoch", stop)


def same_run(one: Path, other: Path) -> None:
    """The models and the states are equal to the last bit, and so are the numbers but for the seconds."""
    for name in ("model.safetensors", "last.safetensors", "best.safetensors"):
        a, b = (load_file(folder / name) for folder in (one, other))
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[key], b[key]) for key in a)
    assert lines(one) == lines(other)
    assert load_state(one / "last.safetensors").history == load_state(other / "last.safetensors").history


def lines(folder: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without the seconds."""
    parsed = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(line.pop("seconds") > 0 for line in parsed)
    return parsed


def refused(result: Any, code: int, *words: str) -> None:
    assert result.exit_code == code, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    said = " ".join(result.stderr.replace("│", " ").split())
    for word in words:
        assert word in said


def test_writes_the_model_the_states_the_numbers_and_the_curves(whole: Any) -> None:
    folder, _ = whole
    assert sorted(p.name for p in folder.iterdir()) == FILES
    with Image.open(folder / "curves.png") as picture:
        assert min(picture.size) > 300
        assert len(picture.convert("L").getcolors(256) or []) > 3
    assert isinstance(ckn.load(folder / "model.safetensors"), ckn.Model)


def test_numbers_of_each_epoch_and_of_the_run(whole: Any, few: Path) -> None:
    folder, _ = whole
    history = load_state(folder / "last.safetensors").history
    assert [line["epoch"] for line in lines(folder)] == list(range(1, EPOCHS + 1))
    assert [line["loss"] for line in lines(folder)] == [report.loss for report in history]
    assert all(line.keys() == {"epoch", "loss", "rate", "train_accuracy"} for line in lines(folder))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    asked = {
        "supervised": True,
        "epochs": EPOCHS,
        "lr": 0.001,
        "minibatch": 40,
        "head": "Squared()",
        "seed": 2,
        "data": str(few),
    }
    assert {key: metrics[key] for key in asked} == asked
    assert all(value is None or isinstance(value, str | int | float) for value in metrics.values())
    assert metrics["test_accuracy"] > 0.7
    best = load_state(folder / "best.safetensors")
    assert best.epoch == metrics["best_epoch"] == min(history, key=lambda report: report.loss).epoch


def test_says_how_it_goes_epoch_by_epoch(whole: Any) -> None:
    _, result = whole
    for number in range(1, EPOCHS + 1):
        assert f"epoch {number}/{EPOCHS}  loss " in result.stderr
    for words in ("train accuracy", "images/s", "left", "epochs "):
        assert words in result.stderr
    for words in ("test accuracy", "learning rate", "least in epoch", "curves.png", "last.safetensors"):
        assert words in result.stdout
    assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr)


def test_ctrl_c_and_then_the_command_that_it_said(
    run: Any, few: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "a run"
    with monkeypatch.context() as patched:
        stopping(KeyboardInterrupt(), 1, patched)
        result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", out)
    assert result.exit_code == 130
    assert sorted(p.name for p in out.iterdir()) == ["best.safetensors", "last.safetensors", "metrics.jsonl"]
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"stopped; {out / 'last.safetensors'} holds epoch 1; go on with: ckn train ")
    assert run(*shlex.split(said.split("go on with: ckn ")[1])).exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == FILES
    same_run(whole[0], out)


def test_more_epochs_are_those_of_a_longer_run(run: Any, few: Path, whole: Any, begun: Path) -> None:
    result = run("train", few, "--resume", begun, "--epochs", EPOCHS)
    assert result.exit_code == 0, result.stderr
    same_run(whole[0], begun)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", 0.5], "--lr: the run in {folder} has 0.001, got 0.5"),
        (["--architecture", "ckn-5"], "--architecture: the run in {folder} has none, got ckn-5"),
        (["--seed", 3], "--seed: the run in {folder} has 2, got 3"),
        (["--clip", 1], "--clip: the run in {folder} has none, got 1.0"),
        (["--head", "softmax"], "--head: the run in {folder} has ridge, got softmax"),
        (["--whiten"], "--whiten: the run in {folder} has False, got True"),
        (["--epochs", 1], "--epochs 1: the run in {folder} has 3"),
        (["--out", "elsewhere"], "--out elsewhere: --resume goes on in its own folder, {folder}"),
    ],
)
def test_a_run_does_not_go_on_otherwise(run: Any, few: Path, whole: Any, words: list[Any], message: str) -> None:
    folder = whole[0]
    refused(run("train", few, "--resume", folder, *words), 2, message.format(folder=folder))


def test_a_run_does_not_go_on_with_other_data(run: Any, few: Path, whole: Any, tmp_path: Path) -> None:
    with np.load(few) as arrays:
        images, labels = arrays["images"].copy(), arrays["labels"]
    images[:, 3, 3] += 1
    np.savez(tmp_path / "other.npz", images=images, labels=labels)
    refused(run("train", tmp_path / "other.npz", "--resume", whole[0]), 1, "error:", "other images or labels")
    refused(run("train", few, "--resume", tmp_path), 1, f"{tmp_path / 'last.safetensors'}: no such file")
    (tmp_path / "last.safetensors").write_bytes((whole[0] / "model.safetensors").read_bytes())
    refused(run("train", few, "--resume", tmp_path), 1, "not a file of kind 'ckn-training'")


def test_divergence_is_told_with_advice_and_leaves_nothing(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A loss that grows a little is divergence enough.
    monkeypatch.setattr("ckn.supervised.trainer.FAR_ABOVE_START", 1e-6)
    result = run("train", few, *WORDS, "--out", tmp_path / "out")
    refused(result, 1, "error: --lr: the loss was", "of epoch 1", "try a rate ten times smaller", "--clip 1")
    assert "nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()


def test_divergence_keeps_the_last_good_state(
    run: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stopping(DivergedError("rate: too far", None), 1, monkeypatch)  # type: ignore[arg-type]
    result = run("train", few, *WORDS, "--epochs", EPOCHS, "--out", tmp_path)
    refused(result, 1, "--lr: too far", f"{tmp_path / 'last.safetensors'} holds epoch 1, the last good one")
    assert load_state(tmp_path / "last.safetensors").epoch == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lr", 0.1], "--lr: only with --supervised"),
        (["--supervised", "--minibatch", 100], "--minibatch 100: there are 80 training images"),
        (["--supervised", "--augment", "flip,spin"], "expected some of flip,crop,cutout, got 'spin'"),
        (["--supervised", "--lr", "nan"], "expected a finite number > 0, got nan"),
        (["--supervised", "--reg", 0], "expected a finite number > 0, got 0"),
        (["--supervised", "--head", "svm"], "'svm'"),
    ],
)
def test_options_that_do_not_go_together(run: Any, few: Path, words: list[Any], message: str, tmp_path: Path) -> None:
    refused(run("train", few, "--out", tmp_path / "out", *words), 2, message)
    assert not (tmp_path / "out").exists()
